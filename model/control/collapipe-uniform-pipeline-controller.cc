/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-uniform-pipeline-controller.h"

#include "collapipe-latency-model.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(UniformPipelineController);

namespace
{

std::vector<Segment>
CutUniformly(uint32_t blocks, const std::vector<NodeIndex>& devices)
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

std::string
CheckSegmentCount(const SystemState& state)
{
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        const std::size_t devices = GetUsableDevices(state.clusters[m]).size();
        if (devices > state.model.blocks)
        {
            return "cluster " + std::to_string(m) + " has " + std::to_string(devices) +
                   " devices for " + std::to_string(state.model.blocks) +
                   " blocks; use fewer devices or a deeper model";
        }
    }
    return "";
}

} // namespace

TypeId
UniformPipelineController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::UniformPipelineController")
                            .SetParent<Controller>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<UniformPipelineController>();
    return tid;
}

RoundPlan
UniformPipelineController::Decide(const SystemState& state)
{
    RoundPlan plan;
    plan.localIterations = state.training.localIterations;
    plan.schedule = state.training.schedule;
    plan.infeasible = CheckPipelineState(state);
    plan.infeasible = plan.infeasible.empty() ? CheckSegmentCount(state) : plan.infeasible;
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    for (const auto& cluster : state.clusters)
    {
        const auto segments = CutUniformly(state.model.blocks, GetUsableDevices(cluster));
        plan.clusters.push_back({{MakePipelineChain(segments, state.training.fixedPair)}, {}});
    }
    plan.infeasible = CheckSchedule(plan);
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    SetEqualLinks(state, plan);
    plan.infeasible = CheckMemory(state, plan);
    plan.plannedLatencyS = PredictLatencyS(state, plan);
    return plan;
}

} // namespace collapipe
} // namespace ns3
