/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-baseline-plan.h"

#include "collapipe-edge-blocks.h"
#include "collapipe-transfers.h"

namespace ns3
{
namespace collapipe
{

RoundPlan
StartBaseline(const SystemState& state)
{
    RoundPlan plan;
    plan.localIterations = state.training.localIterations;
    plan.schedule = state.training.schedule;
    plan.infeasible = CheckPipelineState(state);
    return plan;
}

void
FinishBaseline(const SystemState& state, RoundPlan& plan, bool enforceMemory)
{
    plan.mayExceedMemory = !enforceMemory;
    plan.infeasible = CheckSchedule(plan);
    if (!plan.infeasible.empty())
    {
        return;
    }
    SetEqualLinks(state, plan);
    plan.infeasible = enforceMemory ? CheckMemory(state, plan) : "";
    plan.plannedLatencyS = PredictLatencyS(state, plan);
}

RoundPlan
MakeBaseline(const SystemState& state, const RoundChoice& choice, uint32_t edgeBlocks)
{
    RoundPlan plan = StartBaseline(state);
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    for (const auto& cluster : choice)
    {
        plan.clusters.push_back(MakeClusterPlan(state,
                                                plan.clusters.size(),
                                                MakePipelineChain(cluster.segments, cluster.pair)));
    }
    PutBlocksOnEdge(state, edgeBlocks, plan);
    FinishBaseline(state, plan, true);
    return plan;
}

std::vector<Segment>
CutEvenly(uint32_t blocks, const std::vector<NodeIndex>& devices)
{
    std::vector<Segment> segments;
    for (std::size_t k = 0; k < devices.size(); ++k)
    {
        const uint32_t extra = k < blocks % devices.size() ? 1 : 0;
        const auto share = static_cast<uint32_t>(blocks / devices.size());
        segments.push_back({devices[k], share + extra});
    }
    return segments;
}

bool
IsUsable(const SystemState& state, const RoundChoice& choice)
{
    bool isUsable = choice.size() == state.clusters.size();
    for (std::size_t m = 0; isUsable && m < choice.size(); ++m)
    {
        for (const auto& segment : choice[m].segments)
        {
            isUsable &= GetNode(state.clusters[m], segment.node).memoryBytes > 0;
        }
    }
    return isUsable;
}

} // namespace collapipe
} // namespace ns3
