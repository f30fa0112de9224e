/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-played-graph.h"

namespace ns3
{
namespace collapipe
{

PlayedGraph
MakePlayedGraph(const Schedule& schedule, uint32_t stages, uint32_t microBatches)
{
    std::vector<ActionList> actions;
    for (uint32_t s = 0; s < stages; ++s)
    {
        actions.push_back(schedule.Generate(stages, s, microBatches));
    }
    const TaskGraph graph(actions);
    PlayedGraph played;
    played.targets.assign(microBatches, Task::NONE);
    played.byStage.assign(stages, 0);
    for (const Task& task : graph.GetTasks())
    {
        const auto own = static_cast<int32_t>(played.tasks.size());
        played.tasks.push_back({task.kind, task.stage, Task::NONE, Task::NONE, 0});
        const bool computes = task.kind == Task::FORWARD || task.kind == Task::BACKWARD;
        played.computations += computes ? 1 : 0;
        played.byStage[task.stage] += computes ? 1 : 0;
        if (task.before != Task::NONE)
        {
            played.tasks[task.before].after = own;
            ++played.tasks[own].waits;
        }
        if (task.input != Task::NONE)
        {
            played.tasks[task.input].output = own;
            ++played.tasks[own].waits;
        }
        if (played.tasks[own].waits == 0)
        {
            played.roots.push_back(own);
        }
        played.waits.push_back(played.tasks[own].waits);
        if (task.kind == Task::FORWARD && task.stage + 1U == stages)
        {
            played.targets[task.microBatch] = own;
        }
    }
    played.waitsWithTargets = played.waits;
    for (const int32_t task : played.targets)
    {
        ++played.waitsWithTargets[task];
    }
    return played;
}

} // namespace collapipe
} // namespace ns3
