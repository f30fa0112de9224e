/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-side-by-side.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-memory-limits.h"

#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * A cluster's usable devices side by side, each with the n samples of the fixed pair split evenly:
 * the micro-batches are as many as in the pair while there is a sample for each device in every
 * one.
 */
template <typename MakeStages>
ClusterPlan
SplitData(const SystemState& state, std::size_t cluster, MakeStages makeStages)
{
    const std::vector<NodeIndex> nodes = GetUsableDevices(state.clusters[cluster]);
    const auto devices = static_cast<uint32_t>(nodes.size());
    const MicroBatchPair& pair = state.training.fixedPair;
    const uint32_t samples = pair.count * pair.size;
    const bool enough = pair.size >= devices;
    ClusterPlan plan;
    for (uint32_t k = 0; k < devices; ++k)
    {
        const uint32_t total = enough ? pair.size : samples;
        const uint32_t part = total / devices + (k < total % devices ? 1 : 0);
        if (part == 0)
        {
            continue;
        }
        ChainPlan chain;
        chain.stages = makeStages(nodes[k]);
        chain.microBatches = enough ? pair.count : part;
        chain.microBatchSize = enough ? part : 1;
        chain.dataShare = static_cast<double>(chain.microBatches) * chain.microBatchSize / samples;
        plan.chains.push_back(chain);
    }
    return plan;
}

/// Chains of all clusters, equal shares, full power
template <typename MakeStages>
RoundPlan
MakePlan(const SystemState& state, bool enforceMemory, MakeStages makeStages)
{
    RoundPlan plan = StartSideBySide(state);
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        plan.clusters.push_back(SplitData(state, m, makeStages));
    }
    FinishBaseline(state, plan, enforceMemory);
    return plan;
}

} // namespace

RoundPlan
StartSideBySide(const SystemState& state)
{
    RoundPlan plan = StartBaseline(state);
    if (plan.infeasible.empty() && state.training.uploadRule == UploadRule::COLLECTED)
    {
        plan.infeasible = "no control unit collects parameters where devices train side by side; "
                          "take a controller with pipelines, or let every node upload its own";
    }
    return plan;
}

std::vector<StagePlan>
MakeSplitStages(NodeIndex node, uint32_t cut, uint32_t blocks)
{
    return {{node, true, 0, cut, false}, {EDGE_SERVER, false, cut, blocks, true}};
}

RoundPlan
MakeFedAvgPlan(const SystemState& state, bool enforceMemory)
{
    const uint32_t blocks = state.model.blocks;
    return MakePlan(state, enforceMemory, [blocks](NodeIndex node) {
        return std::vector<StagePlan>{{node, true, 0, blocks, true}};
    });
}

RoundPlan
MakeSplitFedPlan(const SystemState& state, uint32_t cut, bool enforceMemory)
{
    const uint32_t blocks = state.model.blocks;
    return MakePlan(state, enforceMemory, [cut, blocks](NodeIndex node) {
        return MakeSplitStages(node, cut, blocks);
    });
}

uint32_t
GetCommonCut(const SystemState& state)
{
    uint32_t cut = std::max<uint32_t>(1, state.model.blocks / 2);
    const MicroBatchPair& pair = state.training.fixedPair;
    for (const auto& cluster : state.clusters)
    {
        const auto nodes = GetUsableDevices(cluster);
        const auto devices = std::max<uint32_t>(1, static_cast<uint32_t>(nodes.size()));
        const bool enough = pair.size >= devices;
        const uint32_t size = enough ? (pair.size + devices - 1) / devices : 1;
        const uint32_t samples = pair.count * pair.size;
        const uint32_t count = enough ? pair.count : (samples + devices - 1) / devices;
        const Ptr<const Schedule> schedule = GetSchedule(state.training.schedule);
        if (!schedule->Check(2, count).empty())
        {
            continue; // CheckSchedule() says so of the plan
        }
        const uint32_t live = schedule->GetLiveMicroBatches(2, 0, count);
        for (const NodeIndex node : nodes)
        {
            const DeviceState& device = cluster.devices[node - 1];
            cut = std::min(
                cut,
                GetMaxBlocks(state.model, device, 0, size, live, state.training.recomputation));
        }
    }
    return cut;
}

RoundPlan
MakeTunedSplitFedPlan(const SystemState& state, bool enforceMemory)
{
    RoundPlan best = MakeSplitFedPlan(state, 1, enforceMemory);
    for (uint32_t cut = 2; cut <= state.model.blocks && best.infeasible.empty(); ++cut)
    {
        auto plan = MakeSplitFedPlan(state, cut, enforceMemory);
        if (!plan.infeasible.empty())
        {
            break; // more blocks do not fit either
        }
        if (plan.plannedLatencyS < best.plannedLatencyS)
        {
            best = std::move(plan);
        }
    }
    return best;
}

} // namespace collapipe
} // namespace ns3
