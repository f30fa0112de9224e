/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLOCK_STATES_H
#define COLLAPIPE_CLOCK_STATES_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <cstddef>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// By cluster and node (0: the control unit), the part of its clock at which it computes, (0, 1]
using RoundClocks = std::vector<std::vector<double>>;

/// Most clocks that a node may offer beside its full one
constexpr std::size_t MOST_CLOCKS = 32;

/**
 * What a node draws while it computes at a part of its clock, over what it draws at its full one:
 * s + (1 - s) phi^3, as dynamic power is proportional to the clock and to the voltage squared, and
 * the voltage to the clock (Burd and Brodersen, "Energy efficient CMOS microprocessor design",
 * HICSS 1995). Time is 1 / phi, so work takes s / phi + (1 - s) phi^2 of the energy.
 * @param staticPart s, the part that does not depend on the clock, [0, 1]
 * @param clock phi, (0, 1]
 * @return the ratio, (0, 1]
 */
double GetClockPowerFactor(double staticPart, double clock);

/**
 * @param device what it reported
 * @param clock phi, (0, 1]
 * @return what it draws while it computes at that clock, W
 */
double GetComputePowerW(const DeviceState& device, double clock);

/**
 * @param clocks that a node offers beside its full one
 * @param clock phi
 * @return whether it can compute at that clock; the full one is always there
 */
bool HasClock(const std::vector<double>& clocks, double clock);

/**
 * @param clocks parts of a node's clock
 * @param staticPart part of its power that does not depend on the clock
 * @return empty, or what is wrong with them, to follow the name of who has them
 */
std::string CheckClocks(const std::vector<double>& clocks, double staticPart);

/**
 * @param state of the system
 * @return whether any node offers a clock beside its full one
 */
bool OffersClocks(const SystemState& state);

/**
 * @param state of the system
 * @return every node at its full clock
 */
RoundClocks GetFullClocks(const SystemState& state);

/**
 * @param state of the system
 * @param plan for it
 * @return clocks of the plan's stages; nodes that are not in the plan at their full ones
 */
RoundClocks GetClocks(const SystemState& state, const RoundPlan& plan);

/**
 * Makes nodes the slower ones that they are at a clock: whatever is planned for full clocks in the
 * result holds for these clocks in the state.
 * @param state of the system
 * @param clocks of its nodes
 * @return the state in which they are their nodes' full and only clocks
 */
SystemState SetClocks(const SystemState& state, const RoundClocks& clocks);

/**
 * @param plan any
 * @return the same with all nodes at their full clocks
 */
RoundPlan AtFullClocks(RoundPlan plan);

/**
 * @param plan whose stages get clocks
 * @param clocks of the nodes
 */
void StampClocks(RoundPlan& plan, const RoundClocks& clocks);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLOCK_STATES_H */
