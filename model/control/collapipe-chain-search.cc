/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-chain-search.h"

#include "collapipe-chain-moves.h"
#include "collapipe-controller.h"
#include "collapipe-edge-blocks.h"
#include "collapipe-hasfl-plan.h"
#include "collapipe-link-search.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-replicated-choice.h"
#include "collapipe-side-by-side.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_GAIN = 1e-6;  //!< relative to V tau: less is no improvement
constexpr std::size_t FINALISTS = 4; //!< of each cluster's ways to replicate a pipeline
constexpr int SWEEPS = 2;            //!< over all clusters and their ways
constexpr uint32_t BUDGET = 600;     //!< evaluations
constexpr std::size_t LATE_ONES = 3; //!< clusters whose moves are tried, those that end last

/// @return whether a is feasible, and b is not or costs more by (13)
bool
IsBetter(const RoundSolution& a, const RoundSolution& b)
{
    return a.plan.infeasible.empty() &&
           (!b.plan.infeasible.empty() || a.evaluation.objective < b.evaluation.objective);
}

double
SumTimes(const Evaluation& evaluation)
{
    return std::accumulate(
        evaluation.clusters.begin(),
        evaluation.clusters.end(),
        0.0,
        [](double sum, const ClusterEvaluation& cluster) { return sum + cluster.totalS; });
}

/// @return chains of one device each, with the pair and the cut that take least time alone; those
/// of the quickest devices
std::vector<ClusterPlan>
ListLoneWays(const SystemState& state, const ReplicatedChoice& choice, std::size_t m)
{
    const uint32_t blocks = state.model.blocks;
    std::vector<std::pair<double, ClusterPlan>> rated;
    for (const NodeIndex node : GetUsableDevices(state.clusters[m]))
    {
        ClusterPlan best;
        double leastS = std::numeric_limits<double>::infinity();
        for (const auto& pair : choice.ListPairs())
        {
            for (uint32_t cut = blocks - GetMostEdgeBlocks(state); cut <= blocks; ++cut)
            {
                ClusterPlan plan;
                plan.chains = {{MakeSplitStages(node, cut, blocks), pair.count, pair.size, 1}};
                const double timeS = choice.GetAloneS(m, plan);
                if (timeS < leastS)
                {
                    leastS = timeS;
                    best = std::move(plan);
                }
            }
        }
        if (!best.chains.empty())
        {
            rated.emplace_back(leastS, std::move(best));
        }
    }
    std::stable_sort(rated.begin(), rated.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    std::vector<ClusterPlan> ways;
    for (auto& [timeS, plan] : rated)
    {
        if (ways.size() < FINALISTS)
        {
            ways.push_back(std::move(plan));
        }
    }
    return ways;
}

/// @return whether all chains begin at devices
bool
BeginsAtDevices(const RoundPlan& plan)
{
    return std::all_of(plan.clusters.begin(), plan.clusters.end(), [](const auto& cluster) {
        return std::none_of(cluster.chains.begin(), cluster.chains.end(), [](const auto& chain) {
            return chain.stages.front().node == CONTROL_UNIT;
        });
    });
}

} // namespace

ChainSearch::ChainSearch(const Instance& instance)
    : m_instance(instance)
{
    m_best.plan.infeasible = "no chains that begin at devices fit";
}

RoundSolution
ChainSearch::Solve(const RadioFreedom& radio)
{
    const RoundPlan start = StartSideBySide(m_instance.state);
    if (!start.infeasible.empty())
    {
        m_best.plan = start;
        return m_best;
    }
    ListWays();
    SweepWays();
    Move();
    return DecideLinks(radio, m_best);
}

RoundSolution
ChainSearch::Refine(const RadioFreedom& radio, const RoundPlan& plan)
{
    const SystemState& state = m_instance.state;
    RoundSolution start;
    start.plan = plan;
    start.plan.infeasible = BeginsAtDevices(plan) ? CheckPlan(state, plan) : "begins elsewhere";
    for (const auto& cluster : plan.clusters)
    {
        start.plan.infeasible = IsAllowed(cluster) ? start.plan.infeasible : "too much at the edge";
    }
    if (start.plan.infeasible.empty())
    {
        start = LinkSearch(m_instance).Improve({false, false}, start);
        return DecideLinks(radio, start);
    }
    return start;
}

/// What each cluster may do, and plans of baselines as starts
void
ChainSearch::ListWays()
{
    const SystemState& state = m_instance.state;
    m_left = BUDGET;
    const ReplicatedChoice choice(state, true, GetMostEdgeBlocks(state));
    m_ways.assign(state.clusters.size(), {});
    RoundPlan first = StartSideBySide(state);
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        for (auto& way : choice.ListBest(m, FINALISTS, true))
        {
            m_ways[m].push_back(way);
            way.synchronous = false;
            if (way.chains.size() > 1)
            {
                m_ways[m].push_back(std::move(way));
            }
        }
        for (auto& way : ListLoneWays(state, choice, m))
        {
            m_ways[m].push_back(std::move(way));
        }
        first.clusters.push_back(m_ways[m].empty() ? ClusterPlan() : m_ways[m].front());
    }
    Try(first);
    AddStart(MakeReplicatedPlan(state, true));
    AddStart(MakeTunedSplitFedPlan(state, true));
    AddStart(MakeHasflPlan(state, 0, true));
}

void
ChainSearch::AddStart(const RoundPlan& plan)
{
    if (!plan.infeasible.empty())
    {
        return;
    }
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        if (IsAllowed(plan.clusters[m]))
        {
            m_ways[m].push_back(plan.clusters[m]);
        }
    }
    Try(plan);
}

/// Whether the edge server holds no more of any chain than it may
bool
ChainSearch::IsAllowed(const ClusterPlan& cluster) const
{
    const uint32_t most = GetMostEdgeBlocks(m_instance.state);
    return std::all_of(cluster.chains.begin(), cluster.chains.end(), [most](const auto& chain) {
        return CountEdgeBlocks(chain) <= most;
    });
}

/// Takes a plan, with equal shares and full power, if it is possible and better.
bool
ChainSearch::Try(RoundPlan plan)
{
    const auto isAllowed = [this](const ClusterPlan& cluster) {
        return !cluster.chains.empty() && IsAllowed(cluster);
    };
    if (m_left == 0 || !std::all_of(plan.clusters.begin(), plan.clusters.end(), isAllowed) ||
        !CheckSchedule(plan).empty())
    {
        return false;
    }
    SetEqualLinks(m_instance.state, plan);
    if (!CheckPlan(m_instance.state, plan).empty())
    {
        return false;
    }
    --m_left;
    ++m_best.evaluations;
    Evaluation evaluation = EvaluatePlan(m_instance, plan, m_fluid);
    const double sumS = SumTimes(evaluation);
    const double least = LEAST_GAIN * evaluation.latencyTerm;
    const double gain = m_best.evaluation.objective - evaluation.objective;
    const bool isLess = gain > least || (gain >= 0 && sumS < m_sumS * (1 - LEAST_GAIN));
    if (m_best.plan.infeasible.empty() && !isLess)
    {
        return false;
    }
    plan.plannedLatencyS = evaluation.latencyS;
    m_best.plan = std::move(plan);
    m_best.evaluation = std::move(evaluation);
    m_best.history.push_back(m_best.evaluation.objective);
    m_sumS = sumS;
    return true;
}

bool
ChainSearch::TryCluster(std::size_t m, const ClusterPlan& cluster)
{
    RoundPlan plan = m_best.plan;
    plan.clusters[m] = cluster;
    return Try(std::move(plan));
}

/// The clusters that end last first
std::vector<std::size_t>
ChainSearch::OrderClusters() const
{
    std::vector<std::size_t> order(m_best.evaluation.clusters.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return m_best.evaluation.clusters[a].totalS > m_best.evaluation.clusters[b].totalS;
    });
    return order;
}

void
ChainSearch::SweepWays()
{
    bool better = true;
    for (int sweep = 0; sweep < SWEEPS && better; ++sweep)
    {
        better = false;
        for (const std::size_t m : OrderClusters())
        {
            for (const auto& way : m_ways[m])
            {
                better = TryCluster(m, way) || better;
            }
        }
    }
}

void
ChainSearch::Move()
{
    bool better = m_best.plan.infeasible.empty();
    while (better && m_left > 0)
    {
        better = false;
        const auto order = OrderClusters();
        for (std::size_t i = 0; i < std::min(order.size(), LATE_ONES) && !better; ++i)
        {
            better = MoveCluster(order[i]);
        }
    }
}

bool
ChainSearch::MoveCluster(std::size_t m)
{
    bool better = false;
    for (const auto& move : ListChainMoves(m_instance.state, m, m_best.plan.clusters[m]))
    {
        better = TryCluster(m, move) || better;
    }
    return better;
}

/// Shares first; then powers, with these shares and with equal ones
RoundSolution
ChainSearch::DecideLinks(const RadioFreedom& radio, const RoundSolution& start) const
{
    RoundSolution best = start;
    if (!start.plan.infeasible.empty())
    {
        return best;
    }
    LinkSearch search(m_instance);
    const bool hasPowers = radio.powers && m_instance.HasEnergyPrice();
    const auto take = [&best](RoundSolution other) {
        best = IsBetter(other, best) ? std::move(other) : best;
    };
    if (hasPowers)
    {
        take(search.Improve({false, true}, start));
    }
    if (radio.shares)
    {
        const RoundSolution shared = search.Improve({true, false}, start);
        take(shared);
        if (hasPowers)
        {
            take(search.Improve({true, true}, shared));
        }
    }
    return best;
}

RoundSolution
ImproveWithChains(const Instance& instance,
                  const SolverOptions& options,
                  const RoundSolution& pipelines,
                  const RoundPlan& last)
{
    RoundSolution best = pipelines;
    if (!instance.state.training.dataOnDevices || !options.segments)
    {
        return best;
    }
    uint32_t evaluations = best.evaluations;
    const auto take = [&](RoundSolution other) {
        evaluations += other.evaluations;
        best = IsBetter(other, best) ? std::move(other) : best;
    };
    const auto& training = instance.state.training;
    Instance fixed = instance;
    fixed.state.training.allowedPairs = {training.fixedPair};
    take(ChainSearch(fixed).Solve(options.radio));
    if (options.microBatches && training.allowedPairs.size() > 1)
    {
        take(ChainSearch(instance).Solve(options.radio));
    }
    if (!last.clusters.empty())
    {
        take(ChainSearch(instance).Refine(options.radio, last));
    }
    best.evaluations = evaluations;
    return best;
}

} // namespace collapipe
} // namespace ns3
