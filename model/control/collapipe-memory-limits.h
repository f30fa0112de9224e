/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MEMORY_LIMITS_H
#define COLLAPIPE_MEMORY_LIMITS_H

#include "collapipe-radio-problem.h"

#include "ns3/collapipe-schedule.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * The most blocks that fit a device's memory, from formula (8).
 *
 * @param model the model
 * @param device the device
 * @param firstBlock where the segment begins: blocks before the first trained one take less. From
 *        that one on, all are alike
 * @param size b, samples of a micro-batch
 * @param live n_k, micro-batches alive at once
 * @param recomputation whether activations are computed again, which takes less memory
 * @return blocks, at most L
 */
uint32_t GetMaxBlocks(const ModelProfile& model,
                      const DeviceState& device,
                      uint32_t firstBlock,
                      uint32_t size,
                      uint32_t live,
                      Recomputation recomputation);

/**
 * @param schedule the schedule
 * @param microBatches N
 * @param devices number of devices between control unit and edge server
 * @param fromEnd position of a device counted from the chain's end, the last device being 1
 * @return n_k of formula (8)
 */
uint32_t GetDeviceLive(const Schedule& schedule,
                       uint32_t microBatches,
                       std::size_t devices,
                       std::size_t fromEnd);

/**
 * @param schedule the schedule
 * @param microBatches N
 * @param devices number of devices between control unit and edge server
 * @return whether the schedule can run such a chain
 */
bool CanRun(const Schedule& schedule, uint32_t microBatches, std::size_t devices);

/**
 * @param schedule the schedule
 * @param microBatches N
 * @param devices K
 * @return positions from the end, from 1 on, that have to be told apart in memory: those beyond
 *         the last of them are like that
 */
std::size_t CountMemoryPositions(const Schedule& schedule,
                                 uint32_t microBatches,
                                 std::size_t devices);

/**
 * @param state the system
 * @param cluster m
 * @param choice decisions for it
 * @return whether the schedule can run the chain and every device's blocks fit its memory (8)
 */
bool FitsMemory(const SystemState& state, std::size_t cluster, const ClusterChoice& choice);

/**
 * A chain that holds as many blocks as any chain can, found as a matching of devices to positions
 * (where positions matter). Where the first blocks take less memory than the others, the devices'
 * order matters, too: with few of them all orders are tried, else some; never less than if all
 * blocks took what the last ones take.
 *
 * @param state the system
 * @param cluster m
 * @param pair (N, b)
 * @return devices in chain order with the blocks that fit each; those that hold none are left out
 */
std::vector<Segment> GetLargestChain(const SystemState& state,
                                     std::size_t cluster,
                                     const MicroBatchPair& pair);

/**
 * @param state the system
 * @param cluster m
 * @param pair (N, b), for which there is a chain that holds all blocks
 * @return such a chain: GetLargestChain() with the blocks that are too many taken from its end
 */
std::vector<Segment> CutLargestChain(const SystemState& state,
                                     std::size_t cluster,
                                     const MicroBatchPair& pair);

/**
 * @param state the system
 * @param cluster m
 * @param pair (N, b)
 * @return whether GetLargestChain() finds a chain that holds all blocks
 */
bool IsPairFeasible(const SystemState& state, std::size_t cluster, const MicroBatchPair& pair);

/**
 * @param state the system
 * @param pairs those among which the controller may choose
 * @return empty, or one sentence: which cluster cannot hold the model, and what to relax
 */
std::string CheckFeasible(const SystemState& state, const std::vector<MicroBatchPair>& pairs);

/**
 * @param cluster a cluster
 * @return its devices that have memory at all; one whose battery is empty reports none
 */
std::vector<NodeIndex> GetUsableDevices(const ClusterState& cluster);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MEMORY_LIMITS_H */
