/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PIPELINE_PLAN_H
#define COLLAPIPE_PIPELINE_PLAN_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A device and its number of encoder blocks
struct Segment
{
    NodeIndex node{1};  //!< device k is k + 1
    uint32_t blocks{1}; //!< l_k
};

/**
 * The chain control unit (embedding), devices, edge server (decoder).
 *
 * @param segments devices in chain order with their blocks
 * @param pair micro-batches and their size
 * @return the chain
 */
ChainPlan MakePipelineChain(const std::vector<Segment>& segments, const MicroBatchPair& pair);

/**
 * @param state the system
 * @param cluster m
 * @param chain its chain
 * @return its plan without radio decisions, parameters carried as GetUploadPath() says
 */
ClusterPlan MakeClusterPlan(const SystemState& state, std::size_t cluster, const ChainPlan& chain);

/**
 * Names every link that the plan's chains use, in every phase, with an equal share of its pool,
 * by reservations (see GetReservation()), and full power.
 *
 * @param state the system
 * @param plan the plan; its links are replaced
 */
void SetEqualLinks(const SystemState& state, RoundPlan& plan);

/**
 * @param schedule the schedule's short name or TypeId
 * @param chain a chain
 * @param stage index of one of its stages
 * @return micro-batches alive at once there, n_k of formula (8)
 */
uint32_t GetLiveMicroBatches(const std::string& schedule,
                             const ChainPlan& chain,
                             std::size_t stage);

/**
 * @param model the model
 * @param schedule the schedule's short name or TypeId
 * @param chain a chain
 * @param stage index of one of its stages
 * @param recompute whether the stage keeps its blocks' inputs alone and computes the rest again
 * @return bytes of formula (8)
 */
double GetStageMemoryBytes(const ModelProfile& model,
                           const std::string& schedule,
                           const ChainPlan& chain,
                           std::size_t stage,
                           bool recompute = false);

/**
 * @param plan a plan
 * @return empty, or one sentence: which chain its schedule cannot run, and why
 */
std::string CheckSchedule(const RoundPlan& plan);

/**
 * @param state the system
 * @return empty, or one sentence: what a pipeline over devices cannot do without
 */
std::string CheckPipelineState(const SystemState& state);

/**
 * @param state the system
 * @param plan a plan
 * @return empty, or one sentence that names the device whose memory (8) is too small
 */
std::string CheckMemory(const SystemState& state, const RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PIPELINE_PLAN_H */
