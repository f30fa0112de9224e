/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tuned-controllers.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-memory-limits.h"
#include "collapipe-transfers.h"

#include "ns3/boolean.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(TunedUniformPipelineController);
NS_OBJECT_ENSURE_REGISTERED(SlowestFirstPipelineController);
NS_OBJECT_ENSURE_REGISTERED(TunedStaticPipelineController);
NS_OBJECT_ENSURE_REGISTERED(TunedSplitFedController);
NS_OBJECT_ENSURE_REGISTERED(SingleDeviceController);

namespace
{

constexpr uint32_t SWEEPS = 3; //!< over all clusters, each with the others' choices as they are

/// @return the cluster's usable devices, the fastest first
std::vector<NodeIndex>
ListBySpeed(const ClusterState& cluster)
{
    auto devices = GetUsableDevices(cluster);
    std::stable_sort(devices.begin(), devices.end(), [&cluster](NodeIndex a, NodeIndex b) {
        return cluster.devices[a - 1].flops > cluster.devices[b - 1].flops;
    });
    return devices;
}

/// @return every choice of a cluster that fits: even cuts over its fastest devices
std::vector<ClusterChoice>
ListEvenChoices(const SystemState& state, std::size_t cluster)
{
    auto pairs = state.training.allowedPairs;
    if (pairs.empty())
    {
        pairs.push_back(state.training.fixedPair);
    }
    std::vector<ClusterChoice> choices;
    const auto devices = ListBySpeed(state.clusters[cluster]);
    const auto most = std::min<std::size_t>(devices.size(), state.model.blocks);
    for (std::size_t count = most; count > 0; --count)
    {
        std::vector<NodeIndex> used(devices.begin(), devices.begin() + static_cast<long>(count));
        std::sort(used.begin(), used.end());
        for (const auto& pair : pairs)
        {
            const ClusterChoice choice{CutEvenly(state.model.blocks, used), pair};
            if (FitsMemory(state, cluster, choice))
            {
                choices.push_back(choice);
            }
        }
    }
    return choices;
}

/**
 * @param state the system
 * @param choices of every cluster, not empty
 * @return the best that was found by changing one cluster's at a time
 */
RoundChoice
ChooseBest(const SystemState& state, const std::vector<std::vector<ClusterChoice>>& choices)
{
    RoundChoice best;
    for (const auto& cluster : choices)
    {
        best.push_back(cluster.front());
    }
    double least = MakeBaseline(state, best).plannedLatencyS;
    bool isBetter = true;
    for (uint32_t sweep = 0; sweep < SWEEPS && isBetter; ++sweep)
    {
        isBetter = false;
        for (std::size_t m = 0; m < choices.size(); ++m)
        {
            for (const auto& choice : choices[m])
            {
                auto tried = best;
                tried[m] = choice;
                const double latency = MakeBaseline(state, tried).plannedLatencyS;
                if (latency < least)
                {
                    least = latency;
                    best = tried;
                    isBetter = true;
                }
            }
        }
    }
    return best;
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
        std::vector<std::vector<ClusterChoice>> choices;
        for (std::size_t m = 0; m < state.clusters.size() && problem.infeasible.empty(); ++m)
        {
            choices.push_back(ListEvenChoices(state, m));
            problem.infeasible =
                choices.back().empty()
                    ? "even cuts over the devices of cluster " + std::to_string(m) +
                          " need more memory than these have; give devices more memory, or take a "
                          "controller that cuts as they can"
                    : "";
        }
        if (!problem.infeasible.empty())
        {
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
    Instance instance;
    instance.state = state;
    const auto evaluation = EvaluatePlan(instance, plan);
    const auto last =
        std::max_element(evaluation.clusters.begin(),
                         evaluation.clusters.end(),
                         [](const auto& a, const auto& b) { return a.totalS < b.totalS; });
    for (auto& link : plan.clusters[last - evaluation.clusters.begin()].links)
    {
        link.priority = 1;
    }
    plan.plannedLatencyS = PredictLatencyS(state, plan);
    return plan;
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
TunedSplitFedController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::TunedSplitFedController")
                            .SetParent<SplitFedController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<TunedSplitFedController>();
    return tid;
}

RoundPlan
TunedSplitFedController::Decide(const SystemState& state)
{
    RoundPlan best;
    best.plannedLatencyS = std::numeric_limits<double>::infinity();
    for (uint32_t cut = 1; cut <= state.model.blocks; ++cut)
    {
        SetCut(cut);
        auto plan = SplitFedController::Decide(state);
        if (!plan.infeasible.empty() && cut > 1)
        {
            break; // more blocks do not fit either
        }
        if (!plan.infeasible.empty() || plan.plannedLatencyS < best.plannedLatencyS)
        {
            best = std::move(plan);
        }
        if (!best.infeasible.empty())
        {
            break;
        }
    }
    return best;
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
