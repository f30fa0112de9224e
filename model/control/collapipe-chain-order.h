/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHAIN_ORDER_H
#define COLLAPIPE_CHAIN_ORDER_H

#include "collapipe-cluster-costs.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * An order of all devices along the chain, for the segment planner: the devices of a given chain in
 * their order, every other one inserted where it makes the path from the control unit to the edge
 * server least longer (cheapest insertion, O(K^3)).
 *
 * @param costs of the cluster
 * @param chain a chain to keep; empty: none
 * @return device indices, from 0
 */
std::vector<std::size_t> MakeChainOrder(const ClusterCosts& costs,
                                        const std::vector<Segment>& chain);

/**
 * The neighbours of a cluster's choice with the same pair: a block moved from one device to
 * another, a device left out, replaced, put in, or put elsewhere in the chain, two devices swapped.
 * Those that do not fit the memory are left out.
 *
 * @param costs of the cluster
 * @param segments a chain
 * @return the neighbours, in a fixed order
 */
std::vector<std::vector<Segment>> ListNeighbours(const ClusterCosts& costs,
                                                 const std::vector<Segment>& segments);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHAIN_ORDER_H */
