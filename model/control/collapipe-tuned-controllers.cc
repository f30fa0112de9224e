/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tuned-controllers.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-edge-blocks.h"
#include "collapipe-even-cuts.h"
#include "collapipe-memory-limits.h"
#include "collapipe-transfers.h"

#include "ns3/boolean.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(TunedUniformPipelineController);
NS_OBJECT_ENSURE_REGISTERED(SlowestFirstPipelineController);
NS_OBJECT_ENSURE_REGISTERED(TunedStaticPipelineController);
NS_OBJECT_ENSURE_REGISTERED(SingleDeviceController);

namespace
{

std::string
DescribeFull(std::ptrdiff_t cluster)
{
    return "even cuts over the devices of cluster " + std::to_string(cluster) +
           " need more memory than these have; give devices more memory, or take a controller "
           "that cuts as they can";
}

} // namespace

TypeId
TunedUniformPipelineController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::TunedUniformPipelineController")
                            .SetParent<Controller>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<TunedUniformPipelineController>();
    return tid;
}

RoundPlan
TunedUniformPipelineController::Decide(const SystemState& state)
{
    return DecideTuned(state);
}

RoundPlan
TunedUniformPipelineController::DecideTuned(const SystemState& state)
{
    if (!IsUsable(state, m_choice))
    {
        auto problem = StartBaseline(state);
        if (!problem.infeasible.empty())
        {
            return problem;
        }
        problem.infeasible = Choose(state);
        if (!problem.infeasible.empty())
        {
            return problem;
        }
    }
    return MakeBaseline(state, m_choice, m_edgeBlocks);
}

std::string
TunedUniformPipelineController::Choose(const SystemState& state)
{
    std::string problem = "no number of blocks was tried";
    double least = std::numeric_limits<double>::infinity();
    const uint32_t most = GetMostEdgeBlocks(state);
    FindEdgeBlocks(most, most + 1, [&](uint32_t edgeBlocks) {
        const auto left = WithoutEdgeBlocks(state, edgeBlocks);
        const auto choices = ListEvenChoices(left);
        const auto none = std::find_if(choices.begin(), choices.end(), [](const auto& cluster) {
            return cluster.empty();
        });
        if (none != choices.end())
        {
            problem = problem.empty() ? "" : DescribeFull(none - choices.begin());
            return std::numeric_limits<double>::infinity();
        }
        const auto choice = ChooseBest(left, choices);
        const double latencyS = MakeBaseline(left, choice).plannedLatencyS;
        if (latencyS < least)
        {
            problem.clear();
            least = latencyS;
            m_choice = choice;
            m_edgeBlocks = edgeBlocks;
        }
        return latencyS;
    });
    return problem;
}

TypeId
SlowestFirstPipelineController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::SlowestFirstPipelineController")
                            .SetParent<TunedUniformPipelineController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<SlowestFirstPipelineController>();
    return tid;
}

RoundPlan
SlowestFirstPipelineController::Decide(const SystemState& state)
{
    auto plan = DecideTuned(state);
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    return PutSlowestFirst(state, std::move(plan));
}

TypeId
TunedStaticPipelineController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::TunedStaticPipelineController")
                            .SetParent<StaticPipelineController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<TunedStaticPipelineController>();
    return tid;
}

TunedStaticPipelineController::TunedStaticPipelineController()
    : StaticPipelineController(true)
{
}

TypeId
SingleDeviceController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::SingleDeviceController")
                            .SetParent<Controller>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<SingleDeviceController>();
    return tid;
}

RoundPlan
SingleDeviceController::Decide(const SystemState& state)
{
    auto plan = StartBaseline(state);
    for (std::size_t m = 0; m < state.clusters.size() && plan.infeasible.empty(); ++m)
    {
        const auto devices = ListBySpeed(state.clusters[m]);
        if (devices.empty())
        {
            plan.infeasible = "cluster " + std::to_string(m) + " has no device left";
            return plan;
        }
        const auto chain =
            MakePipelineChain({{devices.front(), state.model.blocks}}, state.training.fixedPair);
        plan.clusters.push_back(MakeClusterPlan(state, m, chain));
    }
    if (plan.infeasible.empty())
    {
        FinishBaseline(state, plan, false);
    }
    return plan;
}

} // namespace collapipe
} // namespace ns3
