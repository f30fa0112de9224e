/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROL_MAKERS_H
#define COLLAPIPE_CONTROL_MAKERS_H

#include "collapipe-control-random.h"

#include "ns3/collapipe-controller.h"
#include "ns3/object-factory.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace test
{

/// All controllers that need nothing beside a state, by their short names
inline const std::vector<std::string> CONTROLLER_NAMES{"dssda",
                                                       "uniform-pipeline",
                                                       "static-pipeline",
                                                       "fedavg",
                                                       "splitfed",
                                                       "random",
                                                       "tuned-uniform-pipeline",
                                                       "tuned-static-pipeline",
                                                       "tuned-splitfed",
                                                       "hasfl",
                                                       "replicated",
                                                       "slowest-first-pipeline",
                                                       "dssda-uniform-segments",
                                                       "dssda-fixed-micro-batches",
                                                       "dssda-equal-bandwidth",
                                                       "dssda-max-power",
                                                       "dssda-full-clock"};

/// @return a controller with random streams of its own
inline Ptr<Controller>
MakeController(const std::string& name)
{
    ObjectFactory factory;
    factory.SetTypeId(ControllerTypeName(name));
    Ptr<Controller> controller = factory.Create<Controller>();
    controller->AssignStreams(5);
    return controller;
}

/// @return a random system whose memory is no constraint
inline SystemState
MakeState(uint64_t seed, uint32_t clusters = 2)
{
    RandomShape shape;
    shape.clusters = clusters;
    shape.tightMemory = 0;
    return RandomInstance(seed).Make(shape).state;
}

/// The same sharing in every pool, with priorities where shares that are not used are not lost
inline void
SetSharing(SystemState& state, Sharing sharing)
{
    std::vector<PoolState*> pools{&state.uplink, &state.downlink};
    for (auto& cluster : state.clusters)
    {
        pools.push_back(&cluster.d2d);
    }
    for (auto* pool : pools)
    {
        pool->sharing = sharing;
        pool->priorities = sharing == Sharing::WORK_CONSERVING;
    }
}

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROL_MAKERS_H */
