/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-even-cuts.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-latency-model.h"
#include "collapipe-memory-limits.h"
#include "collapipe-transfers.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

std::vector<NodeIndex>
ListBySpeed(const ClusterState& cluster)
{
    auto devices = GetUsableDevices(cluster);
    std::stable_sort(devices.begin(), devices.end(), [&cluster](NodeIndex a, NodeIndex b) {
        return cluster.devices[a - 1].flops > cluster.devices[b - 1].flops;
    });
    return devices;
}

namespace
{

constexpr uint32_t SWEEPS = 3; //!< over all clusters, each with the others' choices as they are

/// @return every choice of a cluster that fits: even cuts over its fastest devices
std::vector<ClusterChoice>
ListClusterChoices(const SystemState& state, std::size_t cluster)
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

} // namespace

std::vector<std::vector<ClusterChoice>>
ListEvenChoices(const SystemState& state)
{
    std::vector<std::vector<ClusterChoice>> choices;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        choices.push_back(ListClusterChoices(state, m));
    }
    return choices;
}

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
    const uint32_t sweeps = choices.size() > 1 ? SWEEPS : 1;
    for (uint32_t sweep = 0; sweep < sweeps && isBetter; ++sweep)
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

RoundPlan
PutSlowestFirst(const SystemState& state, RoundPlan plan)
{
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

} // namespace collapipe
} // namespace ns3
