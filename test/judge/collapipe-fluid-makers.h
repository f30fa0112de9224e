/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_MAKERS_H
#define COLLAPIPE_FLUID_MAKERS_H

// Random systems and plans for the tests of the fluid model and of the search that goes by it

#include "gtest/collapipe-control-random.h"

#include "ns3/collapipe-pipeline-plan.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{
namespace test
{

/// Media, radios and acknowledgements of a random instance made work-conserving
inline void
Share(RandomInstance& random, SystemState& state)
{
    const auto change = [&](PoolState& pool) {
        pool.sharing = random.Chance(0.8) ? Sharing::WORK_CONSERVING : Sharing::RESERVED;
        pool.priorities = random.Chance(0.5);
        pool.background = random.Chance(0.3) ? random.Uniform(0, 0.5) : 0;
    };
    change(state.uplink);
    change(state.downlink);
    const bool acks = random.Chance(0.5);
    const auto tune = [&](LinkState& link) {
        link.acknowledgementRatio = acks ? random.Uniform(0, 0.05) : 0;
        link.circuitPowerW = random.Uniform(0, 0.5);
        link.amplifierEfficiency = random.Uniform(0.2, 1);
        link.receivePowerW = random.Uniform(0, 0.5);
        link.receiveJPerBit = random.Chance(0.5) ? random.Log(1e-9, 1e-6) : 0;
        link.startupS = random.Chance(0.3) ? random.Log(1e-3, 0.1) : 0;
        link.maxSpectralEfficiency =
            random.Chance(0.3) ? random.Uniform(1, 8) : link.maxSpectralEfficiency;
    };
    const bool throughCell = random.Chance(0.3);
    const bool overControlUnit = random.Chance(0.3);
    if (overControlUnit && random.Chance(0.7))
    {
        // Wires behind hops, faster or slower than these
        state.uplink.mode = state.downlink.mode = SharingMode::DEDICATED;
    }
    for (auto& cluster : state.clusters)
    {
        change(cluster.d2d);
        tune(cluster.controlUnit.uplink);
        tune(cluster.controlUnit.downlink);
        for (auto& device : cluster.devices)
        {
            tune(device.uplink);
            tune(device.downlink);
            device.uplink.relay = device.downlink.relay =
                overControlUnit ? Relay::CONTROL_UNIT : Relay::NONE;
        }
        for (auto& row : cluster.d2dLinks)
        {
            for (auto& link : row)
            {
                tune(link);
                link.relay = throughCell ? Relay::BASE_STATION : Relay::NONE;
            }
        }
    }
}

/// @return sizes and a schedule that differ from number to number
inline RandomShape
MakeShape(uint32_t number)
{
    RandomShape shape;
    shape.clusters = 1 + number % 3;
    shape.devices = 1 + number % 5;
    shape.blocks = 2 + number % 7;
    shape.microBatches = 1 + number % 6;
    shape.dedicated = true;
    shape.schedule = number % 4 == 3 ? "1f1b" : "gpipe";
    return shape;
}

/// @return a plan of random cuts; with weights its links have random shares and powers
inline RoundPlan
MakePlan(RandomInstance& random, const Instance& instance, bool weights)
{
    RoundPlan plan;
    plan.localIterations = instance.state.training.localIterations;
    plan.schedule = instance.state.training.schedule;
    for (const auto& choice : random.MakeChoice(instance))
    {
        plan.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)},
                                 {},
                                 GetUploadPath(instance.state, plan.clusters.size())});
    }
    SetEqualLinks(instance.state, plan);
    for (auto& cluster : plan.clusters)
    {
        for (auto& link : cluster.links)
        {
            link.share *= weights ? random.Log(0.05, 1) : 1;
            link.powerW *= link.from == EDGE_SERVER ? 1 : random.Log(0.1, 1);
            link.priority = random.Chance(0.3) ? 1 : 0;
        }
    }
    return plan;
}

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_MAKERS_H */
