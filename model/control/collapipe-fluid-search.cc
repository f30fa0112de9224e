/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-search.h"

#include "collapipe-chain-order.h"
#include "collapipe-cluster-costs.h"
#include "collapipe-link-model.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-plan-prices.h"
#include "collapipe-reservation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_GAIN = 1e-7;     //!< relative to V tau: less is no improvement
constexpr double FIRST_FACTOR = 8;      //!< by which weights are changed
constexpr double LAST_FACTOR = 1.3;     //!< below it they stay
constexpr double FIRST_POWER = 4;       //!< by which powers are changed
constexpr double LARGEST_RATIO = 4096;  //!< of two weights in a pool
constexpr uint32_t SMALL_BUDGET = 600;  //!< evaluations of a small instance
constexpr uint32_t LARGE_BUDGET = 40;   //!< of a large one
constexpr std::size_t SMALL_WORK = 48;  //!< devices times blocks
constexpr std::size_t MEDIUM_WORK = 72; //!< between small and large

/// @param leastSum by which a reserved pool's shares are divided
void
Normalise(const SystemState& state, double leastSum, RoundPlan& plan)
{
    const PoolShares sums = SumShares(state, plan);
    std::map<std::pair<Pool, std::size_t>, double> largest; // of all phases
    for (const auto& [key, sum] : sums)
    {
        const auto& [phase, pool, owner] = key;
        double& most = largest[{pool, owner}];
        most = std::max(most, sum);
    }
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            const Reservation own = GetReservation(state, m, link.from, link.to);
            const double most = largest.at({own.pool, own.GetOwner()});
            const PoolState& pool = GetLinkPool(state, m, link.from, link.to);
            const double sum = sums.at({link.phase, own.pool, own.GetOwner()});
            const bool works = pool.sharing == Sharing::WORK_CONSERVING;
            link.share /= pool.mode == SharingMode::DEDICATED ? 1
                          : works                             ? most
                                                              : std::max(leastSum, sum);
        }
    }
}

} // namespace

void
NormaliseWeights(const SystemState& state, RoundPlan& plan)
{
    Normalise(state, 1, plan);
}

void
FillShares(const SystemState& state, RoundPlan& plan)
{
    Normalise(state, 0, plan);
}

RoundSolution
FluidSearch::Improve(const Instance& instance,
                     const SolverOptions& options,
                     const RoundSolution& start)
{
    m_instance = &instance;
    m_options = options;
    m_best = start;
    m_best.evaluation = EvaluatePlan(instance, m_best.plan, m_fluid);
    m_best.plan.plannedLatencyS = m_best.evaluation.latencyS;
    m_best.history = {m_best.evaluation.objective};
    m_factor = FIRST_FACTOR;
    m_powerFactor = FIRST_POWER;
    m_priced = instance.HasEnergyPrice();
    SetBudget();
    // Equal weights are the best known where nobody competes, and a good start elsewhere
    Try(m_best.choice);
    while (m_left > 0)
    {
        bool better = TryChoices();
        better = TryPriorities() || better;
        better = TryWeights() || better;
        better = TryPowers() || better;
        if (better)
        {
            continue;
        }
        m_factor = std::sqrt(m_factor);
        m_powerFactor = std::sqrt(m_powerFactor);
        if (m_factor < LAST_FACTOR)
        {
            break;
        }
    }
    return m_best;
}

void
FluidSearch::SetBudget()
{
    std::size_t devices = 0;
    for (const auto& cluster : m_instance->state.clusters)
    {
        devices += cluster.devices.size();
    }
    const std::size_t work = devices * m_instance->state.model.blocks;
    m_left = work <= SMALL_WORK    ? SMALL_BUDGET
             : work <= MEDIUM_WORK ? SMALL_BUDGET / 3
                                   : LARGE_BUDGET;
}

/// Takes a plan if it is better. @return whether it is
bool
FluidSearch::Try(RoundPlan plan)
{
    if (m_left == 0)
    {
        return false;
    }
    --m_left;
    ++m_best.evaluations;
    NormaliseWeights(m_instance->state, plan);
    Evaluation evaluation = EvaluatePlan(*m_instance, plan, m_fluid);
    const double least = LEAST_GAIN * m_best.evaluation.latencyTerm;
    if (!(evaluation.objective < m_best.evaluation.objective - least))
    {
        return false;
    }
    plan.plannedLatencyS = evaluation.latencyS;
    m_best.plan = std::move(plan);
    m_best.evaluation = std::move(evaluation);
    m_best.history.push_back(m_best.evaluation.objective);
    return true;
}

/// The same for discrete decisions: with equal weights, and with those of the present plan
bool
FluidSearch::Try(const RoundChoice& choice)
{
    for (std::size_t m = 0; m < choice.size(); ++m)
    {
        if (!FitsMemory(m_instance->state, m, choice[m]))
        {
            return false;
        }
    }
    RoundPlan plan = MakePlan(choice);
    const RoundPlan equal = plan;
    bool changed = false;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            const LinkState* state =
                FindLinkState(m_instance->state.clusters[m], link.from, link.to);
            if (!state || !(GetRateBps(*state, GetPoolOf(m, link), 1, state->maxPowerW) > 0))
            {
                return false;
            }
            for (const auto& own : m_best.plan.clusters[m].links)
            {
                if (own.phase == link.phase && own.from == link.from && own.to == link.to)
                {
                    changed = changed || own.share != link.share || own.powerW != link.powerW;
                    link.share = m_options.radio.shares ? own.share : link.share;
                    link.powerW = m_options.radio.powers ? own.powerW : link.powerW;
                    link.priority = m_options.radio.shares ? own.priority : uint8_t{0};
                }
            }
        }
    }
    const bool kept = changed && Try(plan);
    const bool better = Try(equal) || kept;
    if (better)
    {
        m_best.choice = choice;
    }
    return better;
}

/// Equal weights and full power
RoundPlan
FluidSearch::MakePlan(const RoundChoice& choice) const
{
    RoundPlan plan;
    plan.localIterations = m_instance->state.training.localIterations;
    plan.schedule = m_instance->state.training.schedule;
    for (const auto& cluster : choice)
    {
        plan.clusters.push_back(MakeClusterPlan(m_instance->state,
                                                plan.clusters.size(),
                                                MakePipelineChain(cluster.segments, cluster.pair)));
    }
    SetEqualLinks(m_instance->state, plan);
    return plan;
}

/// The clusters that end last first
std::vector<std::size_t>
FluidSearch::OrderClusters() const
{
    std::vector<std::size_t> order(m_best.choice.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return m_best.evaluation.clusters[a].totalS > m_best.evaluation.clusters[b].totalS;
    });
    return order;
}

bool
FluidSearch::TryChoices()
{
    if (!m_options.segments && !m_options.microBatches)
    {
        return false;
    }
    bool better = false;
    for (const std::size_t m : OrderClusters())
    {
        better = TryCluster(m) || better;
    }
    return better;
}

/// The best estimated neighbours of a cluster's choice
bool
FluidSearch::TryCluster(std::size_t m)
{
    const std::size_t most = m_left > LARGE_BUDGET ? 60 : 8;
    std::size_t tried = 0;
    bool better = false;
    for (const auto& own : ListChoices(m))
    {
        RoundChoice choice = m_best.choice;
        choice[m] = own;
        better = Try(choice) || better;
        if (++tried == most || m_left == 0)
        {
            break;
        }
    }
    return better;
}

std::vector<ClusterChoice>
FluidSearch::ListChoices(std::size_t m) const
{
    const ClusterChoice& own = m_best.choice[m];
    const auto& training = m_instance->state.training;
    const double slowdown =
        GetEdgeSlowdown(m_instance->state.edge, m_instance->state.clusters.size());
    std::vector<std::pair<double, ClusterChoice>> rated;
    const auto rate = [&](const ClusterCosts& costs, ClusterChoice choice) {
        rated.emplace_back(costs.GetChainCost(choice.segments), std::move(choice));
    };
    const std::vector<MicroBatchPair> none;
    for (const auto& pair : m_options.microBatches ? training.allowedPairs : none)
    {
        const auto prices = GuessPrices(*m_instance, m, pair, own.segments.size(), m_options.radio);
        const ClusterCosts costs(*m_instance, m, pair, prices, slowdown);
        if (costs.Fits(own.segments) &&
            (pair.count != own.pair.count || pair.size != own.pair.size))
        {
            rate(costs, {own.segments, pair});
        }
    }
    if (m_options.segments)
    {
        const auto prices =
            GuessPrices(*m_instance, m, own.pair, own.segments.size(), m_options.radio);
        const ClusterCosts costs(*m_instance, m, own.pair, prices, slowdown);
        for (auto& segments : ListNeighbours(costs, own.segments))
        {
            rate(costs, {std::move(segments), own.pair});
        }
    }
    std::stable_sort(rated.begin(), rated.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    std::vector<ClusterChoice> choices;
    for (auto& one : rated)
    {
        choices.push_back(std::move(one.second));
    }
    return choices;
}

const PoolState&
FluidSearch::GetPoolOf(std::size_t m, const LinkPlan& link) const
{
    return GetLinkPool(m_instance->state, m, link.from, link.to);
}

/// Whether a link's weight matters at all
bool
FluidSearch::IsShared(std::size_t m, const LinkPlan& link) const
{
    const PoolState& pool = GetPoolOf(m, link);
    return pool.mode != SharingMode::DEDICATED && pool.sharing == Sharing::WORK_CONSERVING;
}

std::vector<FluidSearch::Place>
FluidSearch::ListPlaces() const
{
    std::vector<Place> places;
    for (const std::size_t m : OrderClusters())
    {
        for (std::size_t i = 0; i < m_best.plan.clusters[m].links.size(); ++i)
        {
            places.push_back({m, i});
        }
    }
    return places;
}

/// Whole clusters in the media that all share, then single links
bool
FluidSearch::TryWeights()
{
    if (!m_options.radio.shares)
    {
        return false;
    }
    bool better = false;
    const auto scale = [&](LinkPlan& link, double factor) {
        link.share = std::max(link.share * factor, 1 / LARGEST_RATIO);
    };
    for (std::size_t m = 0; m < m_best.plan.clusters.size() && m_best.plan.clusters.size() > 1; ++m)
    {
        for (const double factor : {m_factor, 1 / m_factor})
        {
            RoundPlan plan = m_best.plan;
            bool any = false;
            for (auto& link : plan.clusters[m].links)
            {
                if (IsShared(m, link) && GetPool(link.from, link.to) != Pool::D2D)
                {
                    scale(link, factor);
                    any = true;
                }
            }
            better = (any && Try(std::move(plan))) || better;
        }
    }
    for (const Place& place : ListPlaces())
    {
        for (const double factor : {m_factor, 1 / m_factor})
        {
            RoundPlan plan = m_best.plan;
            LinkPlan& link = plan.clusters[place.cluster].links[place.link];
            if (!IsShared(place.cluster, link))
            {
                break;
            }
            scale(link, factor);
            if (Try(std::move(plan)))
            {
                better = true;
                break;
            }
        }
    }
    return better;
}

/// A whole cluster or one link first, or last, where the medium knows priorities
bool
FluidSearch::TryPriorities()
{
    if (!m_options.radio.shares)
    {
        return false;
    }
    bool better = false;
    for (const std::size_t m : OrderClusters())
    {
        RoundPlan plan = m_best.plan;
        bool any = false;
        for (auto& link : plan.clusters[m].links)
        {
            const bool knows = IsShared(m, link) && GetPoolOf(m, link).priorities &&
                               GetPool(link.from, link.to) != Pool::D2D;
            link.priority = knows ? (link.priority > 0 ? 0 : 1) : link.priority;
            any = any || knows;
        }
        better = (any && plan.clusters.size() > 1 && Try(std::move(plan))) || better;
    }
    for (const Place& place : ListPlaces())
    {
        RoundPlan plan = m_best.plan;
        LinkPlan& link = plan.clusters[place.cluster].links[place.link];
        if (IsShared(place.cluster, link) && GetPoolOf(place.cluster, link).priorities)
        {
            link.priority = link.priority > 0 ? 0 : 1;
            better = Try(std::move(plan)) || better;
        }
    }
    return better;
}

bool
FluidSearch::TryPowers()
{
    if (!m_options.radio.powers || !m_priced)
    {
        return false;
    }
    bool better = false;
    for (const Place& place : ListPlaces())
    {
        for (const double factor : {1 / m_powerFactor, m_powerFactor})
        {
            RoundPlan plan = m_best.plan;
            LinkPlan& link = plan.clusters[place.cluster].links[place.link];
            const LinkState& state =
                *FindLinkState(m_instance->state.clusters[place.cluster], link.from, link.to);
            const double power = std::clamp(link.powerW * factor, state.minPowerW, state.maxPowerW);
            if (link.from == EDGE_SERVER || power == link.powerW ||
                GetPoolOf(place.cluster, link).mode == SharingMode::DEDICATED)
            {
                continue;
            }
            link.powerW = power;
            if (Try(std::move(plan)))
            {
                better = true;
                break;
            }
        }
    }
    return better;
}

} // namespace collapipe
} // namespace ns3
