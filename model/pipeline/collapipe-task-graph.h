/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TASK_GRAPH_H
#define COLLAPIPE_TASK_GRAPH_H

#include "collapipe-iteration-time.h"
#include "collapipe-schedule.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A task of an iteration: a stage's pass of a micro-batch, or the transfer of its result
struct Task
{
    /// What a task is
    enum Kind : uint8_t
    {
        FORWARD = 0,       //!< a stage's forward pass
        BACKWARD = 1,      //!< a stage's backward pass
        LINK_FORWARD = 2,  //!< transfer of an activation, from the stage to the next one
        LINK_BACKWARD = 3, //!< transfer of a gradient, to the stage from the next one
    };

    static constexpr int32_t NONE = -1; //!< nothing to wait for

    Kind kind{FORWARD};     //!< what
    uint16_t stage{0};      //!< compute stage; of a link the one before it
    uint32_t microBatch{0}; //!< which micro-batch
    int32_t before{NONE};   //!< task after which the stage, or the link's direction, is free
    int32_t input{NONE};    //!< task whose result this one needs; with the latency of a link
};

/**
 * @ingroup collapipe
 * The tasks of an iteration under any schedule, each with what it waits for. A stage works through
 * its actions in order, each as soon as its input has arrived; a direction of a link carries one
 * transfer at a time, in the order in which its sender makes them; the last stage's forward pass
 * also waits for the micro-batch's targets, which travel beside the activations from the start of
 * the iteration on, in the order of the micro-batches. All that does not depend on how long
 * anything takes, so that the graph is made once per schedule, number of stages and N.
 *
 * The longest path through it is the time of an iteration: exact for any schedule and any times.
 */
class TaskGraph
{
  public:
    /**
     * @param actions of all stages in forward order, each with every micro-batch forward and
     *        backward once
     */
    explicit TaskGraph(const std::vector<ActionList>& actions);

    /// @return false where stages wait for each other for ever; then only GetTasks() is useful
    bool IsComplete() const
    {
        return m_complete;
    }

    /// @return all tasks that can run, each after those it waits for
    const std::vector<Task>& GetTasks() const
    {
        return m_tasks;
    }

    /// @return P
    std::size_t GetStages() const
    {
        return m_stages;
    }

    /**
     * When each task ends. O(P N).
     *
     * @param times of an iteration with as many stages as the graph
     * @return seconds from the iteration's start, as GetTasks()
     */
    std::vector<double> GetEndsS(const IterationTimes& times) const;

    /**
     * @param times of an iteration with as many stages as the graph
     * @return tau_iter in seconds
     */
    double GetTimeS(const IterationTimes& times) const;

    /**
     * @param times of an iteration with as many stages as the graph
     * @return a longest path; ties are broken in a fixed way
     */
    CriticalPath GetCriticalPath(const IterationTimes& times) const;

    /**
     * @param times of an iteration
     * @param task one of the graph's
     * @return how long it takes, in seconds; a link's latency is not part of it
     */
    static double GetDurationS(const IterationTimes& times, const Task& task);

  private:
    /// What a task waits for
    struct Wait
    {
        double untilS{0};       //!< when it can begin
        int32_t task{-1};       //!< the task that it waited for; none where negative
        bool forTargets{false}; //!< it waited for its targets
    };

    Wait GetWait(const IterationTimes& times,
                 const std::vector<double>& ends,
                 const Task& task) const;
    static double GetArrivalLatencyS(const IterationTimes& times, const Task& task);
    static void Count(CriticalPath& path, const Task& task, bool arrived);

    std::size_t m_stages{0};   //!< P
    std::vector<Task> m_tasks; //!< in an order in which they can run
    bool m_complete{false};    //!< whether all actions are among them
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TASK_GRAPH_H */
