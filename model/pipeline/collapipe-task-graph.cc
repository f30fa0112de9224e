/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-task-graph.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Makes the tasks of all stages in an order in which they can run
class TaskListBuilder
{
  public:
    explicit TaskListBuilder(const std::vector<ActionList>& actions)
        : m_actions(actions),
          m_next(actions.size(), 0),
          m_stageBefore(actions.size(), Task::NONE),
          m_linkBefore(2 * actions.size(), Task::NONE)
    {
        for (const auto& list : actions)
        {
            for (const auto& action : list)
            {
                m_microBatches = std::max(m_microBatches, action.microBatch + 1);
            }
        }
        m_arrival.assign(2 * actions.size(), std::vector<int32_t>(m_microBatches, Task::NONE));
    }

    /// @return whether all actions could run
    bool Run(std::vector<Task>& tasks)
    {
        m_tasks = &tasks;
        for (bool advanced = true; advanced;)
        {
            advanced = false;
            for (std::size_t stage = 0; stage < m_actions.size(); ++stage)
            {
                while (TryNext(stage))
                {
                    advanced = true;
                }
            }
        }
        bool complete = true;
        for (std::size_t stage = 0; stage < m_actions.size(); ++stage)
        {
            complete = complete && m_next[stage] == m_actions[stage].size();
        }
        return complete;
    }

  private:
    /// @return tasks that bring a stage's forward (0) or backward (1) input, by micro-batch
    std::vector<int32_t>& Arrivals(std::size_t stage, bool backward)
    {
        return m_arrival[2 * stage + (backward ? 1 : 0)];
    }

    bool NeedsInput(std::size_t stage, const Action& action) const
    {
        return action.kind == Action::FORWARD ? stage > 0 : stage + 1 < m_actions.size();
    }

    /// Runs a stage's next action where its input can come. @return whether it did
    bool TryNext(std::size_t stage)
    {
        if (m_next[stage] == m_actions[stage].size())
        {
            return false;
        }
        const Action& action = m_actions[stage][m_next[stage]];
        if (action.kind == Action::FLUSH)
        {
            ++m_next[stage];
            return true;
        }
        const bool backward = action.kind == Action::BACKWARD;
        int32_t input = Task::NONE;
        if (NeedsInput(stage, action))
        {
            input = Arrivals(stage, backward)[action.microBatch];
            if (input == Task::NONE)
            {
                return false;
            }
        }
        ++m_next[stage];
        const Task::Kind kind = backward ? Task::BACKWARD : Task::FORWARD;
        const int32_t own = Add(kind, stage, action.microBatch, m_stageBefore[stage], input);
        Transfer(stage, action, own);
        return true;
    }

    int32_t Add(Task::Kind kind, std::size_t stage, uint32_t i, int32_t& before, int32_t input)
    {
        m_tasks->push_back({kind, static_cast<uint16_t>(stage), i, before, input});
        before = static_cast<int32_t>(m_tasks->size() - 1);
        return before;
    }

    /// Sends an action's result to the neighbour that waits for it.
    void Transfer(std::size_t stage, const Action& action, int32_t own)
    {
        const uint32_t i = action.microBatch;
        if (action.kind == Action::FORWARD && stage + 1 < m_actions.size())
        {
            Arrivals(stage + 1, false)[i] =
                Add(Task::LINK_FORWARD, stage, i, m_linkBefore[2 * stage], own);
        }
        else if (action.kind == Action::BACKWARD && stage > 0)
        {
            Arrivals(stage - 1, true)[i] =
                Add(Task::LINK_BACKWARD, stage - 1, i, m_linkBefore[2 * stage - 1], own);
        }
    }

    const std::vector<ActionList>& m_actions;    //!< of all stages
    std::vector<Task>* m_tasks{nullptr};         //!< so far
    uint32_t m_microBatches{0};                  //!< N
    std::vector<std::size_t> m_next;             //!< index of each stage's next action
    std::vector<int32_t> m_stageBefore;          //!< each stage's last task
    std::vector<int32_t> m_linkBefore;           //!< last task of each link's directions
    std::vector<std::vector<int32_t>> m_arrival; //!< see Arrivals()
};

} // namespace

TaskGraph::TaskGraph(const std::vector<ActionList>& actions)
    : m_stages(actions.size())
{
    m_complete = TaskListBuilder(actions).Run(m_tasks);
}

double
TaskGraph::GetDurationS(const IterationTimes& times, const Task& task)
{
    const HopTimes& hop = times.hops[task.stage];
    switch (task.kind)
    {
    case Task::FORWARD:
        return hop.forwardS;
    case Task::BACKWARD:
        return hop.backwardS;
    case Task::LINK_FORWARD:
        return hop.linkForwardS;
    case Task::LINK_BACKWARD:
        break;
    }
    return hop.linkBackwardS;
}

/// Latency of the link that brings a task its input; 0 for a link, which gets it on the spot
double
TaskGraph::GetArrivalLatencyS(const IterationTimes& times, const Task& task)
{
    switch (task.kind)
    {
    case Task::FORWARD:
        return times.hops[task.stage - 1].latencyForwardS;
    case Task::BACKWARD:
        return times.hops[task.stage].latencyBackwardS;
    case Task::LINK_FORWARD:
    case Task::LINK_BACKWARD:
        break;
    }
    return 0;
}

TaskGraph::Wait
TaskGraph::GetWait(const IterationTimes& times,
                   const std::vector<double>& ends,
                   const Task& task) const
{
    Wait wait;
    if (task.before != Task::NONE)
    {
        wait = {ends[task.before], task.before, false};
    }
    if (task.input != Task::NONE)
    {
        const double arrival = ends[task.input] + GetArrivalLatencyS(times, task);
        wait = arrival > wait.untilS ? Wait{arrival, task.input, false} : wait;
    }
    if (times.targetS > 0 && task.kind == Task::FORWARD && task.stage + 1U == m_stages)
    {
        const double arrival = (task.microBatch + 1) * times.targetS + times.targetLatencyS;
        wait = arrival > wait.untilS ? Wait{arrival, Task::NONE, true} : wait;
    }
    return wait;
}

std::vector<double>
TaskGraph::GetEndsS(const IterationTimes& times) const
{
    std::vector<double> ends;
    ends.reserve(m_tasks.size());
    for (const Task& task : m_tasks)
    {
        ends.push_back(GetWait(times, ends, task).untilS + GetDurationS(times, task));
    }
    return ends;
}

double
TaskGraph::GetTimeS(const IterationTimes& times) const
{
    const std::vector<double> ends = GetEndsS(times);
    return ends.empty() ? 0 : *std::max_element(ends.begin(), ends.end());
}

/// Counts a task of a path. @param arrived whether the path goes on with the receiver's computation
void
TaskGraph::Count(CriticalPath& path, const Task& task, bool arrived)
{
    HopCounts& hop = path.hops[task.stage];
    switch (task.kind)
    {
    case Task::FORWARD:
        ++hop.forward;
        break;
    case Task::BACKWARD:
        ++hop.backward;
        break;
    case Task::LINK_FORWARD:
        ++hop.linkForward;
        hop.latencyForward += arrived ? 1 : 0;
        break;
    case Task::LINK_BACKWARD:
        ++hop.linkBackward;
        hop.latencyBackward += arrived ? 1 : 0;
        break;
    }
}

CriticalPath
TaskGraph::GetCriticalPath(const IterationTimes& times) const
{
    const std::vector<double> ends = GetEndsS(times);
    CriticalPath path;
    path.hops.resize(m_stages);
    if (ends.empty())
    {
        return path;
    }
    const auto last = std::max_element(ends.begin(), ends.end());
    path.lengthS = *last;
    bool arrived = false;
    for (auto task = static_cast<int32_t>(last - ends.begin()); task != Task::NONE;)
    {
        const Task& own = m_tasks[task];
        Count(path, own, arrived);
        const Wait wait = GetWait(times, ends, own);
        arrived = own.kind == Task::FORWARD || own.kind == Task::BACKWARD;
        path.targets = wait.forTargets ? own.microBatch + 1.0 : path.targets;
        task = wait.task;
    }
    return path;
}

} // namespace collapipe
} // namespace ns3
