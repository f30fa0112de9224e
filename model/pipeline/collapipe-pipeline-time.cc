/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pipeline-time.h"

#include "collapipe-task-graph.h"

#include <algorithm>
#include <cstddef>

namespace ns3
{
namespace collapipe
{

IterationTimes
MakeIterationTimes(const StageTimes& stages,
                   const std::vector<LinkTimes>& links,
                   uint32_t microBatches)
{
    IterationTimes times;
    times.microBatches = microBatches;
    for (std::size_t s = 0; s < stages.size(); ++s)
    {
        const LinkTimes link = s < links.size() ? links[s] : LinkTimes();
        times.hops.push_back({stages[s].forwardS,
                              stages[s].backwardS,
                              link.forwardS,
                              link.backwardS,
                              link.forwardLatencyS,
                              link.backwardLatencyS});
    }
    return times;
}

PipelineTimeline
ComputeTimeline(const std::vector<ActionList>& actions,
                const StageTimes& stages,
                const std::vector<LinkTimes>& links)
{
    const TaskGraph graph(actions);
    const IterationTimes times = MakeIterationTimes(stages, links, 1);
    const std::vector<double> ends = graph.GetEndsS(times);
    PipelineTimeline timeline;
    timeline.completed = graph.IsComplete();
    for (const auto& list : actions)
    {
        timeline.actions.emplace_back(list.size());
    }
    // A stage's tasks are in the graph in the order of its actions
    std::vector<std::size_t> next(actions.size(), 0);
    for (std::size_t i = 0; i < ends.size(); ++i)
    {
        const Task& task = graph.GetTasks()[i];
        if (task.kind == Task::FORWARD || task.kind == Task::BACKWARD)
        {
            timeline.actions[task.stage][next[task.stage]++] = {
                ends[i] - TaskGraph::GetDurationS(times, task),
                ends[i]};
            timeline.totalS = std::max(timeline.totalS, ends[i]);
        }
    }
    for (std::size_t s = 0; s < actions.size(); ++s)
    {
        if (next[s] > 0 && next[s] < actions[s].size())
        {
            const double flush = timeline.actions[s][next[s] - 1].endS;
            timeline.actions[s][next[s]] = {flush, flush};
        }
    }
    return timeline;
}

double
GpipeIterationTime(const StageTimes& stages,
                   const std::vector<LinkTimes>& links,
                   uint32_t microBatches)
{
    return CreateObject<GpipeSchedule>()->GetIterationTimeS(
        MakeIterationTimes(stages, links, microBatches));
}

} // namespace collapipe
} // namespace ns3
