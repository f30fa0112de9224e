/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-memory-limits.h"

#include "collapipe-recomputation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Blocks that a device holds at a position from the end, [device][position]
using Capacity = std::vector<std::vector<int64_t>>;

/**
 * The assignment of devices to positions with the largest sum (Hungarian method, O(K^3)).
 * @return for every position its device
 */
std::vector<std::size_t>
AssignDevices(const Capacity& capacity)
{
    const std::size_t n = capacity.size();
    const int64_t infinite = std::numeric_limits<int64_t>::max() / 4;
    std::vector<int64_t> deviceDual(n + 1, 0);
    std::vector<int64_t> positionDual(n + 1, 0);
    std::vector<std::size_t> match(n + 1, 0);
    for (std::size_t device = 1; device <= n; ++device)
    {
        std::vector<int64_t> least(n + 1, infinite);
        std::vector<std::size_t> previous(n + 1, 0);
        std::vector<bool> used(n + 1, false);
        std::size_t position = 0;
        match[0] = device;
        do
        {
            used[position] = true;
            const std::size_t owner = match[position];
            int64_t delta = infinite;
            std::size_t next = 0;
            for (std::size_t j = 1; j <= n; ++j)
            {
                if (used[j])
                {
                    continue;
                }
                const int64_t reduced =
                    -capacity[owner - 1][j - 1] - deviceDual[owner] - positionDual[j];
                if (reduced < least[j])
                {
                    least[j] = reduced;
                    previous[j] = position;
                }
                if (least[j] < delta)
                {
                    delta = least[j];
                    next = j;
                }
            }
            for (std::size_t j = 0; j <= n; ++j)
            {
                deviceDual[match[j]] += used[j] ? delta : 0;
                positionDual[j] -= used[j] ? delta : 0;
                least[j] -= used[j] ? 0 : delta;
            }
            position = next;
        } while (match[position] != 0);
        for (; position != 0; position = previous[position])
        {
            match[position] = match[previous[position]];
        }
    }
    std::vector<std::size_t> devices;
    for (std::size_t j = 1; j <= n; ++j)
    {
        devices.push_back(match[j] - 1);
    }
    return devices;
}

/// Blocks that each device holds at each position from the end of a chain of so many devices
Capacity
GetCapacity(const SystemState& state,
            std::size_t cluster,
            const MicroBatchPair& pair,
            const Schedule& schedule,
            std::size_t length)
{
    Capacity capacity;
    for (const auto& device : state.clusters[cluster].devices)
    {
        capacity.emplace_back();
        for (std::size_t j = 1; j <= length; ++j)
        {
            const uint32_t live = GetDeviceLive(schedule, pair.count, length, j);
            capacity.back().push_back(GetMaxBlocks(state.model,
                                                   device,
                                                   state.model.firstTrainedBlock,
                                                   pair.size,
                                                   live,
                                                   state.training.recomputation));
        }
    }
    return capacity;
}

/**
 * The largest chain of a given number of devices, where memory depends on that number: devices that
 * are left out are matched to positions beyond it, which hold nothing.
 * @return empty where there is none
 */
std::vector<Segment>
GetLargestOfLength(Capacity capacity, std::size_t length)
{
    constexpr int64_t never = -(int64_t{1} << 40);
    for (auto& row : capacity)
    {
        for (auto& blocks : row)
        {
            blocks = blocks > 0 ? blocks : never;
        }
        row.resize(capacity.size(), 0);
    }
    const auto fromEnd = AssignDevices(capacity);
    std::vector<Segment> segments;
    for (std::size_t j = length; j-- > 0;)
    {
        const int64_t blocks = capacity[fromEnd[j]][j];
        if (blocks <= 0)
        {
            return {};
        }
        segments.push_back({static_cast<NodeIndex>(fromEnd[j] + 1), static_cast<uint32_t>(blocks)});
    }
    return segments;
}

uint64_t
CountBlocks(const std::vector<Segment>& segments)
{
    uint64_t blocks = 0;
    for (const auto& segment : segments)
    {
        blocks += segment.blocks;
    }
    return blocks;
}

/// @return how many things of a size go into some space, at most so many
uint32_t
CountFitting(double space, double each, uint32_t most)
{
    const double count = space / each;
    return count >= most ? most : static_cast<uint32_t>(std::max(0.0, count));
}

/// Devices up to whose number all orders of a chain are tried
constexpr std::size_t ALL_ORDERS = 5;

/**
 * Fills a chain from its end, where a device's blocks take the more memory the later they are.
 * @param fromEnd devices, that of the chain's end first
 * @return the chain; of all blocks, or of as many of the last ones as these devices hold
 */
std::vector<Segment>
FillFromEnd(const SystemState& state,
            std::size_t cluster,
            const MicroBatchPair& pair,
            const std::vector<std::size_t>& fromEnd)
{
    const auto& devices = state.clusters[cluster].devices;
    const Ptr<const Schedule> schedule = GetSchedule(state.training.schedule);
    std::vector<Segment> segments;
    uint32_t last = state.model.blocks;
    for (const std::size_t k : fromEnd)
    {
        const uint32_t live =
            GetDeviceLive(*schedule, pair.count, devices.size(), segments.size() + 1);
        uint32_t blocks = 0;
        while (blocks < last && GetMaxBlocks(state.model,
                                             devices[k],
                                             last - blocks - 1,
                                             pair.size,
                                             live,
                                             state.training.recomputation) > blocks)
        {
            ++blocks;
        }
        if (blocks > 0)
        {
            segments.insert(segments.begin(), {static_cast<NodeIndex>(k + 1), blocks});
            last -= blocks;
        }
    }
    return segments;
}

/// @return the longest of a chain and those that FillFromEnd() makes of its devices in other orders
std::vector<Segment>
ReorderForUntrained(const SystemState& state,
                    std::size_t cluster,
                    const MicroBatchPair& pair,
                    std::vector<std::size_t> fromEnd,
                    std::vector<Segment> best)
{
    const auto attempt = [&]() {
        auto own = FillFromEnd(state, cluster, pair, fromEnd);
        if (CountBlocks(own) > CountBlocks(best))
        {
            best = std::move(own);
        }
    };
    attempt();
    if (fromEnd.size() <= ALL_ORDERS)
    {
        std::sort(fromEnd.begin(), fromEnd.end());
        do
        {
            attempt();
        } while (std::next_permutation(fromEnd.begin(), fromEnd.end()));
        return best;
    }
    const auto& devices = state.clusters[cluster].devices;
    std::stable_sort(fromEnd.begin(), fromEnd.end(), [&devices](std::size_t a, std::size_t b) {
        return devices[a].memoryBytes > devices[b].memoryBytes;
    });
    attempt();
    std::reverse(fromEnd.begin(), fromEnd.end());
    attempt();
    return best;
}

} // namespace

uint32_t
GetMaxBlocks(const ModelProfile& model,
             const DeviceState& device,
             uint32_t firstBlock,
             uint32_t size,
             uint32_t live,
             Recomputation recomputation)
{
    const uint32_t untrained =
        model.firstTrainedBlock > firstBlock ? model.firstTrainedBlock - firstBlock : 0;
    const auto getMost = [&](bool recompute) {
        const double activations =
            model.activationBytesPerBlock * size * (recompute ? 1.0 : static_cast<double>(live));
        const double inputs =
            recompute ? static_cast<double>(live) * size * model.segmentInputBytes : 0;
        // As CheckMemory(): a device whose memory is exactly what is needed will do
        double left = device.memoryBytes * (1 + 1e-12) - (model.trainsEmbedding ? inputs : 0);
        if (untrained > 0)
        {
            const double each =
                model.untrainedBlockBytes + (model.trainsEmbedding ? activations : 0);
            const uint32_t fitting = CountFitting(left, each, model.blocks);
            if (fitting < untrained)
            {
                return fitting;
            }
            left -= untrained * each;
        }
        left -= model.trainsEmbedding ? 0 : inputs;
        const double each = model.weightCopies * model.blockParameterBits / 8 +
                            model.frozenBlockBytes + activations;
        return std::min(model.blocks, untrained + CountFitting(left, each, model.blocks));
    };
    const bool mayKeep = recomputation != Recomputation::ALWAYS;
    const bool mayRecompute = recomputation != Recomputation::NEVER;
    return std::max(mayKeep ? getMost(false) : 0, mayRecompute ? getMost(true) : 0);
}

uint32_t
GetDeviceLive(const Schedule& schedule,
              uint32_t microBatches,
              std::size_t devices,
              std::size_t fromEnd)
{
    return schedule.GetLiveMicroBatches(static_cast<uint32_t>(devices + 2),
                                        static_cast<uint32_t>(devices + 1 - fromEnd),
                                        microBatches);
}

bool
CanRun(const Schedule& schedule, uint32_t microBatches, std::size_t devices)
{
    return schedule.Check(static_cast<uint32_t>(devices + 2), microBatches).empty();
}

std::size_t
CountMemoryPositions(const Schedule& schedule, uint32_t microBatches, std::size_t devices)
{
    std::size_t positions = devices;
    if (!schedule.IsLiveFromEnd())
    {
        return positions;
    }
    const uint32_t most = GetDeviceLive(schedule, microBatches, devices, devices);
    while (positions > 1 && GetDeviceLive(schedule, microBatches, devices, positions - 1) == most)
    {
        --positions;
    }
    return positions;
}

bool
FitsMemory(const SystemState& state, std::size_t cluster, const ClusterChoice& choice)
{
    const std::size_t count = choice.segments.size();
    const Ptr<const Schedule> schedule = GetSchedule(state.training.schedule);
    if (!CanRun(*schedule, choice.pair.count, count))
    {
        return false;
    }
    uint32_t first = 0;
    for (std::size_t s = 0; s < count; ++s)
    {
        const auto& segment = choice.segments[s];
        const uint32_t live = GetDeviceLive(*schedule, choice.pair.count, count, count - s);
        const auto& device = GetNode(state.clusters[cluster], segment.node);
        if (segment.blocks > GetMaxBlocks(state.model,
                                          device,
                                          first,
                                          choice.pair.size,
                                          live,
                                          state.training.recomputation))
        {
            return false;
        }
        first += segment.blocks;
    }
    return true;
}

std::vector<Segment>
GetLargestChain(const SystemState& state, std::size_t cluster, const MicroBatchPair& pair)
{
    const Ptr<const Schedule> schedule = GetSchedule(state.training.schedule);
    const std::size_t devices = state.clusters[cluster].devices.size();
    if (!schedule->IsLiveFromEnd())
    {
        std::vector<Segment> largest;
        for (std::size_t n = 1; n <= std::min<std::size_t>(devices, state.model.blocks); ++n)
        {
            if (CanRun(*schedule, pair.count, n))
            {
                auto own = GetLargestOfLength(GetCapacity(state, cluster, pair, *schedule, n), n);
                largest = CountBlocks(own) > CountBlocks(largest) ? std::move(own) : largest;
            }
        }
        return largest;
    }
    const Capacity capacity = GetCapacity(state, cluster, pair, *schedule, devices);
    std::vector<std::size_t> fromEnd(capacity.size());
    for (std::size_t k = 0; k < fromEnd.size(); ++k)
    {
        fromEnd[k] = k;
    }
    if (CountMemoryPositions(*schedule, pair.count, devices) > 1)
    {
        fromEnd = AssignDevices(capacity);
    }
    std::vector<Segment> segments;
    for (std::size_t j = fromEnd.size(); j-- > 0;)
    {
        // Devices that hold nothing are left out: the others move towards the end, where they hold
        // at least as much
        const auto blocks = static_cast<uint32_t>(capacity[fromEnd[j]][j]);
        if (blocks > 0)
        {
            segments.push_back({static_cast<NodeIndex>(fromEnd[j] + 1), blocks});
        }
    }
    const bool isAlike =
        state.model.firstTrainedBlock == 0 || CountBlocks(segments) >= state.model.blocks;
    return isAlike ? segments
                   : ReorderForUntrained(state, cluster, pair, fromEnd, std::move(segments));
}

std::vector<Segment>
CutLargestChain(const SystemState& state, std::size_t cluster, const MicroBatchPair& pair)
{
    auto segments = GetLargestChain(state, cluster, pair);
    uint32_t left = state.model.blocks;
    if (!GetSchedule(state.training.schedule)->IsLiveFromEnd())
    {
        // The number of devices stays
        auto others = static_cast<uint32_t>(segments.size());
        for (auto& segment : segments)
        {
            segment.blocks = std::min(segment.blocks, left - --others);
            left -= segment.blocks;
        }
        return segments;
    }
    // From the front: what is left out at the end brings the others nearer to it, where a device
    // holds at least as much
    for (auto& segment : segments)
    {
        segment.blocks = std::min(segment.blocks, left);
        left -= segment.blocks;
    }
    segments.erase(std::remove_if(segments.begin(),
                                  segments.end(),
                                  [](const Segment& s) { return s.blocks == 0; }),
                   segments.end());
    return segments;
}

bool
IsPairFeasible(const SystemState& state, std::size_t cluster, const MicroBatchPair& pair)
{
    return CountBlocks(GetLargestChain(state, cluster, pair)) >= state.model.blocks;
}

namespace
{

/// Whether the schedule can run a chain of the cluster's devices with any of the pairs
bool
CanRunAny(const SystemState& state, std::size_t cluster, const std::vector<MicroBatchPair>& pairs)
{
    const Ptr<const Schedule> schedule = GetSchedule(state.training.schedule);
    const std::size_t devices = state.clusters[cluster].devices.size();
    for (const auto& pair : pairs)
    {
        for (std::size_t n = 1; n <= std::min<std::size_t>(devices, state.model.blocks); ++n)
        {
            if (CanRun(*schedule, pair.count, n))
            {
                return true;
            }
        }
    }
    return false;
}

} // namespace

std::string
CheckFeasible(const SystemState& state, const std::vector<MicroBatchPair>& pairs)
{
    if (pairs.empty())
    {
        return "there is no allowed pair of micro-batches; set training.allowedPairs";
    }
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        uint64_t most = 0;
        MicroBatchPair best = pairs.front();
        for (const auto& pair : pairs)
        {
            const uint64_t blocks = CountBlocks(GetLargestChain(state, m, pair));
            best = blocks > most ? pair : best;
            most = std::max(most, blocks);
        }
        if (most == 0 && !CanRunAny(state, m, pairs))
        {
            return "the schedule " + state.training.schedule + " cannot run any chain of cluster " +
                   std::to_string(m) + ": " +
                   GetSchedule(state.training.schedule)->Check(3, pairs.front().count);
        }
        if (most < state.model.blocks)
        {
            std::ostringstream text;
            text << "cluster " << m << " can hold at most " << most << " of " << state.model.blocks
                 << " blocks in its devices' memory (8), with " << best.count
                 << " micro-batches of " << best.size
                 << " samples; relax the memory constraint: more memory or devices, or pairs with "
                    "fewer or smaller micro-batches";
            return text.str();
        }
    }
    return "";
}

std::vector<NodeIndex>
GetUsableDevices(const ClusterState& cluster)
{
    std::vector<NodeIndex> nodes;
    for (std::size_t k = 0; k < cluster.devices.size(); ++k)
    {
        if (cluster.devices[k].memoryBytes > 0)
        {
            nodes.push_back(static_cast<NodeIndex>(k + 1));
        }
    }
    return nodes;
}

} // namespace collapipe
} // namespace ns3
