/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tuned-controllers.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-even-cuts.h"
#include "collapipe-memory-limits.h"
#include "collapipe-transfers.h"

#include "ns3/boolean.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(TunedUniformPipelineController);
NS_OBJECT_ENSURE_REGISTERED(SlowestFirstPipelineController);
NS_OBJECT_ENSURE_REGISTERED(TunedStaticPipelineController);
NS_OBJECT_ENSURE_REGISTERED(SingleDeviceController);

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
        const auto choices = ListEvenChoices(state);
        const auto none = std::find_if(choices.begin(), choices.end(), [](const auto& cluster) {
            return cluster.empty();
        });
        if (none != choices.end())
        {
            problem.infeasible = "even cuts over the devices of cluster " +
                                 std::to_string(none - choices.begin()) +
                                 " need more memory than these have; give devices more memory, or "
                                 "take a controller that cuts as they can";
            return problem;
        }
        m_choice = ChooseBest(state, choices);
    }
    return MakeBaseline(state, m_choice);
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
{
    SetTuning(true);
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
