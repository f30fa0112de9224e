/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ITERATION_TIME_H
#define COLLAPIPE_ITERATION_TIME_H

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Times of one micro-batch at a compute stage and on the link to the next one, in seconds
struct HopTimes
{
    double forwardS{0};         //!< t^f of the stage (1)
    double backwardS{0};        //!< t^b of the stage (1)
    double linkForwardS{0};     //!< a / r to the next stage; unused at the last stage
    double linkBackwardS{0};    //!< a / r from the next stage
    double latencyForwardS{0};  //!< d to the next stage
    double latencyBackwardS{0}; //!< d from the next stage
};

/// Everything that the time of an iteration depends on, beside the schedule
struct IterationTimes
{
    std::vector<HopTimes> hops; //!< one per compute stage, in forward order
    double targetS{0};          //!< a / r of the targets, beside the activations; 0: none
    double targetLatencyS{0};   //!< d of the targets
    uint32_t microBatches{1};   //!< N
};

/// How often a path through the task graph passes a stage and the link to the next one
struct HopCounts
{
    double forward{0};         //!< forward passes
    double backward{0};        //!< backward passes
    double linkForward{0};     //!< transfers to the next stage
    double linkBackward{0};    //!< transfers from the next stage
    double latencyForward{0};  //!< arrivals at the next stage
    double latencyBackward{0}; //!< arrivals from the next stage
};

/// A longest path through the task graph of a schedule
struct CriticalPath
{
    double lengthS{0};           //!< its length, tau_iter
    std::vector<HopCounts> hops; //!< by compute stage
    double targets{0};           //!< transfers of targets
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ITERATION_TIME_H */
