/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-clock-states.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

double
GetClockPowerFactor(double staticPart, double clock)
{
    return staticPart + (1 - staticPart) * clock * clock * clock;
}

double
GetComputePowerW(const DeviceState& device, double clock)
{
    return clock == 1 ? device.computePowerW
                      : device.computePowerW * GetClockPowerFactor(device.staticPart, clock);
}

bool
HasClock(const std::vector<double>& clocks, double clock)
{
    return clock == 1 || std::find(clocks.begin(), clocks.end(), clock) != clocks.end();
}

std::string
CheckClocks(const std::vector<double>& clocks, double staticPart)
{
    if (clocks.size() > MOST_CLOCKS)
    {
        return "has more than " + std::to_string(MOST_CLOCKS) + " clocks";
    }
    const auto isPart = [](double clock) { return clock > 0 && clock <= 1; };
    if (!std::all_of(clocks.begin(), clocks.end(), isPart))
    {
        return "has a clock outside (0, 1], parts of its full one";
    }
    return staticPart >= 0 && staticPart <= 1 ? ""
                                              : "has a static part of its power outside [0, 1]";
}

bool
OffersClocks(const SystemState& state)
{
    const auto offers = [](const DeviceState& node) {
        return std::any_of(node.clocks.begin(), node.clocks.end(), [](double clock) {
            return clock < 1;
        });
    };
    return std::any_of(state.clusters.begin(), state.clusters.end(), [&](const auto& cluster) {
        return offers(cluster.controlUnit) ||
               std::any_of(cluster.devices.begin(), cluster.devices.end(), offers);
    });
}

RoundClocks
GetFullClocks(const SystemState& state)
{
    RoundClocks clocks;
    for (const auto& cluster : state.clusters)
    {
        clocks.emplace_back(cluster.devices.size() + 1, 1.0);
    }
    return clocks;
}

RoundClocks
GetClocks(const SystemState& state, const RoundPlan& plan)
{
    RoundClocks clocks = GetFullClocks(state);
    for (std::size_t m = 0; m < plan.clusters.size() && m < clocks.size(); ++m)
    {
        for (const auto& chain : plan.clusters[m].chains)
        {
            for (const auto& stage : chain.stages)
            {
                if (stage.node < clocks[m].size())
                {
                    clocks[m][stage.node] = stage.clock;
                }
            }
        }
    }
    return clocks;
}

SystemState
SetClocks(const SystemState& state, const RoundClocks& clocks)
{
    SystemState slower = state;
    for (std::size_t m = 0; m < slower.clusters.size(); ++m)
    {
        for (std::size_t k = 0; k < clocks[m].size(); ++k)
        {
            auto& cluster = slower.clusters[m];
            DeviceState& node = k == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[k - 1];
            const double clock = clocks[m][k];
            node.computePowerW = GetComputePowerW(node, clock);
            node.flops *= clock;
            node.overheadS /= clock;
            node.clocks.clear();
        }
    }
    return slower;
}

RoundPlan
AtFullClocks(RoundPlan plan)
{
    StampClocks(plan, RoundClocks(plan.clusters.size()));
    return plan;
}

void
StampClocks(RoundPlan& plan, const RoundClocks& clocks)
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& chain : plan.clusters[m].chains)
        {
            for (auto& stage : chain.stages)
            {
                stage.clock = stage.node < clocks[m].size() ? clocks[m][stage.node] : 1;
            }
        }
    }
}

} // namespace collapipe
} // namespace ns3
