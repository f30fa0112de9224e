/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pipeline-plan.h"

#include "collapipe-memory-limits.h"
#include "collapipe-recomputation.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

double
GetMaxPower(const ClusterState& cluster, const Transfer& t)
{
    const LinkState* link = FindLinkState(cluster, t.from, t.to);
    return link ? link->maxPowerW : 0;
}

std::string
MemoryMessage(const DeviceState& device, std::size_t cluster, uint32_t blocks, double need)
{
    std::ostringstream text;
    text << "device " << device.name << " of cluster " << cluster << " needs " << need
         << " bytes for " << blocks << " blocks but has " << device.memoryBytes
         << " (8); give it more memory, smaller or fewer micro-batches, or fewer blocks";
    return text.str();
}

} // namespace

ChainPlan
MakePipelineChain(const std::vector<Segment>& segments, const MicroBatchPair& pair)
{
    ChainPlan chain;
    chain.microBatches = pair.count;
    chain.microBatchSize = pair.size;
    chain.stages.push_back({CONTROL_UNIT, true, 0, 0, false});
    uint32_t next = 0;
    for (const auto& segment : segments)
    {
        chain.stages.push_back({segment.node, false, next, next + segment.blocks, false});
        next += segment.blocks;
    }
    chain.stages.push_back({EDGE_SERVER, false, next, next, true});
    return chain;
}

ClusterPlan
MakeClusterPlan(const SystemState& state, std::size_t cluster, const ChainPlan& chain)
{
    return {{chain}, {}, GetUploadPath(state, cluster)};
}

void
SetEqualLinks(const SystemState& state, RoundPlan& plan)
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        plan.clusters[m].links.clear();
        auto transfers = ListTransfers(state, m, plan.clusters[m]);
        const auto sums = ListSums(state, plan.clusters[m]);
        transfers.insert(transfers.end(), sums.begin(), sums.end());
        for (const auto& t : transfers)
        {
            const double power = GetMaxPower(state.clusters[m], t);
            plan.clusters[m].links.push_back({t.phase, t.from, t.to, 1, power});
        }
    }
    const PoolShares counts = SumShares(state, plan);
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            const Reservation own = GetReservation(state, m, link.from, link.to);
            link.share = 1 / counts.at({link.phase, own.pool, own.GetOwner()});
        }
    }
}

uint32_t
GetLiveMicroBatches(const std::string& schedule, const ChainPlan& chain, std::size_t stage)
{
    return GetSchedule(schedule)->GetLiveMicroBatches(static_cast<uint32_t>(chain.stages.size()),
                                                      static_cast<uint32_t>(stage),
                                                      chain.microBatches);
}

double
GetStageMemoryBytes(const ModelProfile& model,
                    const std::string& schedule,
                    const ChainPlan& chain,
                    std::size_t stage,
                    bool recompute)
{
    return GetSegmentMemoryBytes(model,
                                 {chain.stages[stage].firstBlock, chain.stages[stage].lastBlock},
                                 GetLiveMicroBatches(schedule, chain, stage),
                                 chain.microBatchSize,
                                 recompute);
}

std::string
CheckSchedule(const RoundPlan& plan)
{
    const Ptr<const Schedule> schedule = GetSchedule(plan.schedule);
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& chain : plan.clusters[m].chains)
        {
            const auto stages = static_cast<uint32_t>(chain.stages.size());
            const std::string error = schedule->Check(stages, chain.microBatches);
            if (!error.empty())
            {
                return "the schedule " + plan.schedule + " cannot run " + std::to_string(stages) +
                       " stages with " + std::to_string(chain.microBatches) +
                       " micro-batches, as cluster " + std::to_string(m) + " needs it to: " + error;
            }
        }
    }
    return "";
}

std::string
CheckPipelineState(const SystemState& state)
{
    if (state.model.blocks == 0)
    {
        return "the model has no encoder blocks; set model.blocks";
    }
    if (state.clusters.empty())
    {
        return "there are no clusters; add at least one";
    }
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        if (state.clusters[m].devices.empty())
        {
            return "cluster " + std::to_string(m) + " has no devices; add at least one";
        }
        if (GetUsableDevices(state.clusters[m]).empty())
        {
            return "cluster " + std::to_string(m) +
                   " has no device with memory; give one more memory or, where its battery is "
                   "empty, more energy";
        }
    }
    return "";
}

std::string
CheckMemory(const SystemState& state, const RoundPlan& plan)
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& chain : plan.clusters[m].chains)
        {
            for (std::size_t s = 0; s < chain.stages.size(); ++s)
            {
                const auto& stage = chain.stages[s];
                const double need = GetStageMemoryBytes(state.model,
                                                        plan.schedule,
                                                        chain,
                                                        s,
                                                        IsStageRecomputed(state, m, chain, s));
                if (stage.node == EDGE_SERVER || stage.GetBlocks() == 0)
                {
                    continue;
                }
                const auto& device = GetNode(state.clusters[m], stage.node);
                if (need > device.memoryBytes * (1 + 1e-12))
                {
                    return MemoryMessage(device, m, stage.GetBlocks(), need);
                }
            }
        }
    }
    return "";
}

} // namespace collapipe
} // namespace ns3
