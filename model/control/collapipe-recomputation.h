/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RECOMPUTATION_H
#define COLLAPIPE_RECOMPUTATION_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * Formula (8), and its form where a segment keeps nothing of a micro-batch but its input and runs
 * the forward pass again before the backward pass (Chen et al., *Training Deep Nets with Sublinear
 * Memory Cost*, 2016; Huang et al., *GPipe*, 2019), so that one micro-batch's activations are there
 * at a time:
 *
 *     mem_k = l_k (c_w W/8 + n_k b A_teb)              kept
 *     mem_k = l_k (c_w W/8 + b A_teb) + n_k b A_in     computed again
 *
 * and, of (8'), l_k s_0 W_0/8 where part of a block is frozen. Blocks before the first trained one
 * have their frozen weights only: no gradient goes there, so that nothing of a micro-batch is kept,
 * unless the embedding is trained.
 *
 * @param model the model
 * @param blocks of the segment
 * @param live n_k, micro-batches alive at once
 * @param size b, samples of a micro-batch
 * @param recompute whether activations are computed again
 * @return bytes
 */
double GetSegmentMemoryBytes(const ModelProfile& model,
                             const BlockRun& blocks,
                             uint32_t live,
                             uint32_t size,
                             bool recompute);

/**
 * @param state the system, whose training says how it is decided
 * @param device a device
 * @param blocks of its segment
 * @param live n_k, micro-batches alive at once
 * @param size b, samples of a micro-batch
 * @return whether the segment computes its activations again: never, always, or where they do not
 *         fit the device's memory otherwise
 */
bool IsRecomputed(const SystemState& state,
                  const DeviceState& device,
                  const BlockRun& blocks,
                  uint32_t live,
                  uint32_t size);

/**
 * @param state the system
 * @param cluster m
 * @param chain a chain of the cluster
 * @param stage index of a stage
 * @return the same for a stage of a plan; false for the edge server's
 */
bool IsStageRecomputed(const SystemState& state,
                       std::size_t cluster,
                       const ChainPlan& chain,
                       std::size_t stage);

/**
 * Marks the stages of a plan that compute their activations again.
 * @param state the system
 * @param plan of all its clusters
 */
void MarkRecomputation(const SystemState& state, RoundPlan& plan);

/**
 * @param name never, always or auto
 * @param recomputation filled in
 * @return whether there is such a way
 */
bool ParseRecomputation(const std::string& name, Recomputation& recomputation);

/**
 * @param recomputation a way
 * @return its name
 */
std::string ToString(Recomputation recomputation);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RECOMPUTATION_H */
