/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ITERATION_TIME_H
#define COLLAPIPE_ITERATION_TIME_H

#include <cstdint>
#include <string>
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

/// Everything that the time of an iteration depends on
struct IterationTimes
{
    std::vector<HopTimes> hops; //!< one per compute stage, in forward order
    double targetS{0};          //!< a / r of the targets, beside the activations; 0: none
    double targetLatencyS{0};   //!< d of the targets
    uint32_t microBatches{1};   //!< N
};

/**
 * Formula (3): stages and transfers in turn. A latency d delays what it is in the way of and keeps
 * no link busy: it is in the sums and not in the maxima. Nor can the forward pass end before the
 * targets have come, one after the other, and the last stage has worked on them: it takes at least
 * d + t + f + (N - 1) max(t, f) for targets that take t = a / r and a last stage that takes f.
 * Exact, the longest path through the task graph.
 *
 * @param times of an iteration
 * @return tau_iter under GPipe in seconds
 */
double GetGpipeTimeS(const IterationTimes& times);

/**
 * The recurrence for one-forward-one-backward: stage s of P runs min(N, P - s) forward passes
 * (s = 1..P), then alternates, and drains. Every stage and every direction of a link serves one
 * micro-batch at a time, in order; the last stage's forward pass of micro-batch i also waits for i
 * transfers of targets. O(P N).
 *
 * @param times of an iteration
 * @return tau_iter under 1F1B in seconds
 */
double GetOneForwardOneBackwardTimeS(const IterationTimes& times);

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

/// A longest path through the task graph of 1F1B
struct CriticalPath
{
    double lengthS{0};           //!< its length, tau_iter
    std::vector<HopCounts> hops; //!< by compute stage
    double targets{0};           //!< transfers of targets
};

/**
 * @param times of an iteration
 * @return a path that is as long as the recurrence's time; ties are broken in a fixed way
 */
CriticalPath GetOneForwardOneBackwardPath(const IterationTimes& times);

/**
 * @param times of an iteration
 * @param schedule "gpipe" or "1f1b"
 * @return tau_iter in seconds
 */
double GetIterationTimeS(const IterationTimes& times, const std::string& schedule);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ITERATION_TIME_H */
