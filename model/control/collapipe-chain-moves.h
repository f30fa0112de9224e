/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHAIN_MOVES_H
#define COLLAPIPE_CHAIN_MOVES_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <cstddef>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Small changes of what a cluster does whose chains begin at devices: a block to the neighbouring
 * stage; a device in place of another, or two of a chain in each other's place; a stage less, or a
 * stage more on a device that does nothing; samples from one chain to another; a chain less; chains
 * that step together, or not. Chains that step together stay cut alike.
 *
 * @param state the system
 * @param cluster m
 * @param plan the cluster's plan; its links do not matter
 * @return plans without radio decisions, each of which CheckPlan() may refuse
 */
std::vector<ClusterPlan> ListChainMoves(const SystemState& state,
                                        std::size_t cluster,
                                        const ClusterPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHAIN_MOVES_H */
