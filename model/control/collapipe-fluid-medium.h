/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_MEDIUM_H
#define COLLAPIPE_FLUID_MEDIUM_H

#include "collapipe-system-state.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A sender as a medium sees it
struct MediumUser
{
    double weight{1};    //!< w, positive
    uint8_t priority{0}; //!< strict: the highest goes first
    double cap{1};       //!< the largest share that it can use
    double share{0};     //!< the result
};

/**
 * (14), (15): the users' shares of a medium, in proportion to their weights; what a capped one
 * leaves goes to the others in the same proportion (weighted max-min), what a priority leaves to
 * the next one.
 *
 * @param users those that have something to send; their shares are set
 * @param capacity of the medium, 0..1
 */
void DivideMedium(std::vector<MediumUser>& users, double capacity);

/**
 * @param sharing what becomes of unused shares
 * @return its name in options and JSON: "reserved" or "work-conserving"
 */
std::string ToString(Sharing sharing);

/**
 * @param pool a medium
 * @return whether links have shares of it that are lost where they are not used
 */
bool IsReserved(const PoolState& pool);

/**
 * @param pool a medium
 * @return whether links share it by (14)
 */
bool IsWorkConserving(const PoolState& pool);

/**
 * @param state the system
 * @return whether any medium is work-conserving, so that (16) takes the place of (3), (4)
 */
bool IsWorkConserving(const SystemState& state);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_MEDIUM_H */
