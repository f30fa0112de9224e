/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-uniform-pipeline-controller.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-memory-limits.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(UniformPipelineController);

namespace
{

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
    RoundPlan plan = StartBaseline(state);
    plan.infeasible = plan.infeasible.empty() ? CheckSegmentCount(state) : plan.infeasible;
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    RoundChoice choice;
    for (const auto& cluster : state.clusters)
    {
        choice.push_back(
            {CutEvenly(state.model.blocks, GetUsableDevices(cluster)), state.training.fixedPair});
    }
    return MakeBaseline(state, choice);
}

} // namespace collapipe
} // namespace ns3
