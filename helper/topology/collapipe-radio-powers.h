/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_POWERS_H
#define COLLAPIPE_RADIO_POWERS_H

#include "collapipe-topology.h"

#include "ns3/collapipe-system-state.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param segmentBytes payload of a packet
 * @return for how long a UE sends TCP's acknowledgements for a bit that it receives, in s: a
 *         subframe of 1 ms for every second segment, or for all that came in one subframe, if that
 *         is less
 */
double GetLteAcknowledgingS(uint32_t segmentBytes);

/**
 * Gives the links of a network the constants of (7'), those that its nodes' energy models charge:
 * so that planned energy and measured energy are one quantity. A link's radio is that of the medium
 * that it takes; wires take none, and edge servers have no budget.
 * @param clusters the nodes, as many clusters as the state has
 * @param segmentBytes payload of a packet
 * @param state whose links have their media
 */
void SetRadioPowers(const std::vector<ClusterNetwork>& clusters,
                    uint32_t segmentBytes,
                    SystemState& state);

} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_RADIO_POWERS_H
