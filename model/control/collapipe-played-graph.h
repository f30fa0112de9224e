/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PLAYED_GRAPH_H
#define COLLAPIPE_PLAYED_GRAPH_H

#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-task-graph.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A task with what waits for it
struct PlayedTask
{
    Task::Kind kind{Task::FORWARD}; //!< what
    uint16_t stage{0};              //!< where
    int32_t after{Task::NONE};      //!< next on the same stage or link
    int32_t output{Task::NONE};     //!< what needs its result
    uint8_t waits{0};               //!< for how many others it waits
};

/// A task graph in the form in which it is played
struct PlayedGraph
{
    std::vector<PlayedTask> tasks;         //!< all tasks
    std::vector<int32_t> roots;            //!< those that wait for nothing
    std::vector<int32_t> targets;          //!< by micro-batch: the task that needs its targets
    std::vector<uint8_t> waits;            //!< of all tasks
    std::vector<uint8_t> waitsWithTargets; //!< the same, with targets
    uint32_t computations{0};              //!< how many tasks are computations
    std::vector<uint32_t> byStage;         //!< how many of them are which stage's
};

/**
 * @param schedule of the stages' actions
 * @param stages how many
 * @param microBatches how many
 * @return the tasks of an iteration
 */
PlayedGraph MakePlayedGraph(const Schedule& schedule, uint32_t stages, uint32_t microBatches);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PLAYED_GRAPH_H */
