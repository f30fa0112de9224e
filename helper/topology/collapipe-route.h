/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ROUTE_H
#define COLLAPIPE_ROUTE_H

#include "ns3/ipv4-address.h"
#include "ns3/net-device.h"
#include "ns3/node.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/// One hop of a path
struct Hop
{
    Ptr<NetDevice> from; //!< that sends
    Ptr<NetDevice> to;   //!< that receives
};

/**
 * Follows the routing tables of the network as they are now.
 * @param from a node
 * @param to an address
 * @return the hops on the way; empty where there is no way, or it leaves the channels of ns-3
 */
std::vector<Hop> FindRoute(Ptr<Node> from, Ipv4Address to);

/**
 * @param node a node with addresses
 * @param from who wants to reach it
 * @return an address of the node: one in a network that both are in, else one to which there is a
 *         route, else its first; aborts where the node has none
 */
Ipv4Address FindAddress(Ptr<Node> node, Ptr<Node> from);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ROUTE_H */
