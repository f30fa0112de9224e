/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-baseline-controllers.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-edge-blocks.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(StaticPipelineController);
NS_OBJECT_ENSURE_REGISTERED(RandomController);

namespace
{

constexpr uint32_t DRAWS = 200; //!< of a random chain before one that surely fits is taken

} // namespace

TypeId
StaticPipelineController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::StaticPipelineController")
            .SetParent<Controller>()
            .SetGroupName("CollaPipe")
            .AddConstructor<StaticPipelineController>()
            .AddAttribute(
                "ReplanPeriod",
                "Rounds after which the plan is made anew, for the state at that time; 0: "
                "it stays",
                UintegerValue(0),
                MakeUintegerAccessor(&StaticPipelineController::m_period),
                MakeUintegerChecker<uint32_t>());
    return tid;
}

StaticPipelineController::StaticPipelineController(bool tunes)
    : m_tunes(tunes)
{
}

RoundPlan
StaticPipelineController::Decide(const SystemState& state)
{
    const bool isDue = m_period > 0 && m_age >= m_period;
    if (isDue || !IsUsable(state, m_choice))
    {
        const auto problem = CheckPipelineState(state);
        if (!problem.empty())
        {
            return StartBaseline(state);
        }
        const RoundSolution solution = Choose(state);
        if (!solution.plan.infeasible.empty())
        {
            return solution.plan;
        }
        m_choice = solution.choice;
        m_edgeBlocks = CountEdgeBlocks(solution.plan);
        m_age = 0;
    }
    ++m_age;
    return MakeBaseline(state, m_choice, m_edgeBlocks);
}

/// Cuts and order; where they are tuned, micro-batches and blocks on the edge server, too
RoundSolution
StaticPipelineController::Choose(const SystemState& state)
{
    Instance instance;
    const SolverOptions options{true, m_tunes, {false, false}};
    const auto solve = [&](uint32_t edgeBlocks) {
        instance.state = WithoutEdgeBlocks(state, edgeBlocks);
        return m_solver.Solve(instance, options);
    };
    return m_tunes ? SolveOverEdgeBlocks(state, GetMostEdgeBlocks(state) + 1, solve) : solve(0);
}

TypeId
RandomController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::RandomController")
                            .SetParent<Controller>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<RandomController>();
    return tid;
}

RandomController::RandomController()
    : m_random(CreateObject<UniformRandomVariable>())
{
}

int64_t
RandomController::AssignStreams(int64_t stream)
{
    m_random->SetStream(stream);
    return 1;
}

RoundPlan
RandomController::Decide(const SystemState& state)
{
    RoundPlan plan = StartBaseline(state);
    const bool any = !state.training.allowedPairs.empty();
    const std::vector<MicroBatchPair> fixed{state.training.fixedPair};
    const auto& pairs = any ? state.training.allowedPairs : fixed;
    plan.infeasible = plan.infeasible.empty() ? CheckFeasible(state, pairs) : plan.infeasible;
    for (std::size_t m = 0; m < state.clusters.size() && plan.infeasible.empty(); ++m)
    {
        const ClusterChoice choice = Choose(state, m);
        plan.clusters.push_back(
            MakeClusterPlan(state, m, MakePipelineChain(choice.segments, choice.pair)));
    }
    if (plan.infeasible.empty())
    {
        SetEqualLinks(state, plan);
        DrawLinks(state, plan);
        plan.plannedLatencyS = PredictLatencyS(state, plan);
    }
    return plan;
}

ClusterChoice
RandomController::Choose(const SystemState& state, std::size_t cluster) const
{
    std::vector<MicroBatchPair> pairs;
    for (const auto& pair : state.training.allowedPairs)
    {
        if (IsPairFeasible(state, cluster, pair))
        {
            pairs.push_back(pair);
        }
    }
    ClusterChoice choice;
    choice.pair =
        pairs.empty() ? state.training.fixedPair : pairs[m_random->GetInteger(0, pairs.size() - 1)];
    for (uint32_t draw = 0; draw < DRAWS; ++draw)
    {
        choice.segments = Draw(state, cluster);
        if (FitsMemory(state, cluster, choice))
        {
            return choice;
        }
    }
    choice.segments = CutLargestChain(state, cluster, choice.pair);
    return choice;
}

/// Some devices in some order, each with at least one block
std::vector<Segment>
RandomController::Draw(const SystemState& state, std::size_t cluster) const
{
    const auto devices = static_cast<uint32_t>(state.clusters[cluster].devices.size());
    const uint32_t blocks = state.model.blocks;
    std::vector<Segment> segments;
    for (uint32_t k = 0; k < devices; ++k)
    {
        segments.push_back({static_cast<NodeIndex>(k + 1), 1});
    }
    for (uint32_t k = devices; k-- > 1;)
    {
        std::swap(segments[k], segments[m_random->GetInteger(0, k)]);
    }
    const uint32_t used = m_random->GetInteger(1, std::min(devices, blocks));
    segments.resize(used);
    for (uint32_t l = used; l < blocks; ++l)
    {
        ++segments[m_random->GetInteger(0, used - 1)].blocks;
    }
    return segments;
}

/// Random shares that sum to 1 in every pool and phase, random powers
void
RandomController::DrawLinks(const SystemState& state, RoundPlan& plan) const
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            link.share = m_random->GetValue(0.1, 1);
            link.powerW *= link.from == EDGE_SERVER ? 1 : m_random->GetValue(0.1, 1);
            link.powerW = std::max(link.powerW,
                                   FindLinkState(state.clusters[m], link.from, link.to)->minPowerW);
        }
    }
    const ReservedShares shares = GetReservedShares(state, plan);
    const PoolShares sums = SumShares(state, plan);
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            const Reservation own = GetReservation(state, m, link.from, link.to);
            link.share =
                shares.at({link.phase, own}) / sums.at({link.phase, own.pool, own.GetOwner()});
        }
    }
}

} // namespace collapipe
} // namespace ns3
