/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PIPELINE_TIME_H
#define COLLAPIPE_PIPELINE_TIME_H

#include "collapipe-schedule.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/// Time that one stage needs for one micro-batch, formula (1)
struct StageTime
{
    double forwardS{0};  //!< t^f in seconds
    double backwardS{0}; //!< t^b in seconds
};

/// Times of all compute stages in forward order
using StageTimes = std::vector<StageTime>;

/**
 * The two directions between stage s and stage s + 1, formula (2). Each direction serves one
 * transfer at a time for its occupation; the receiver has it a latency later.
 */
struct LinkTimes
{
    double forwardS{0};         //!< occupation by an activation, a / r, in seconds
    double backwardS{0};        //!< occupation by a gradient, in seconds
    double forwardLatencyS{0};  //!< d of the forward direction, in seconds
    double backwardLatencyS{0}; //!< d of the backward direction, in seconds
};

/// When an action begins and ends
struct ActionTime
{
    double startS{0}; //!< seconds from the iteration's start
    double endS{0};   //!< seconds from the iteration's start
};

/// When everything in an iteration happens
struct PipelineTimeline
{
    std::vector<std::vector<ActionTime>> actions; //!< [stage][index into its actions]
    double totalS{0};                             //!< until the last action of any stage has ended
    bool completed{false};                        //!< false where the stages deadlock
};

/**
 * @param stages times of the compute stages
 * @param links the links between neighbours, one less than stages
 * @param microBatches N
 * @return the same as the costs of a schedule take it
 */
IterationTimes MakeIterationTimes(const StageTimes& stages,
                                  const std::vector<LinkTimes>& links,
                                  uint32_t microBatches);

/**
 * Longest path through the task graph of a schedule: each stage works through its actions in
 * order, each as soon as its input has arrived; each direction of a link carries one transfer at
 * a time, in the order in which they become ready. Exact for any schedule and any times.
 *
 * @param actions of all stages in forward order
 * @param stages their times
 * @param links the links between neighbours, one less than stages
 * @return the timeline
 */
PipelineTimeline ComputeTimeline(const std::vector<ActionList>& actions,
                                 const StageTimes& stages,
                                 const std::vector<LinkTimes>& links);

/**
 * Formula (3): the time of an iteration under GPipe where stages, transfers among them, serve one
 * micro-batch at a time: sum_s t_s^f + (N-1) max_s t_s^f + sum_s t_s^b + (N-1) max_s t_s^b.
 *
 * @param stages times of the compute stages
 * @param links the links between neighbours; their latencies count in the sum only
 * @param microBatches N
 * @return seconds
 */
double GpipeIterationTime(const StageTimes& stages,
                          const std::vector<LinkTimes>& links,
                          uint32_t microBatches);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PIPELINE_TIME_H */
