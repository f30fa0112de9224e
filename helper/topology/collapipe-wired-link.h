/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIRED_LINK_H
#define COLLAPIPE_WIRED_LINK_H

#include "ns3/data-rate.h"
#include "ns3/error-model.h"
#include "ns3/ipv4-address.h"
#include "ns3/net-device-container.h"
#include "ns3/node.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

constexpr uint32_t PPP_HEADER_BYTES = 2; //!< of every packet on a point-to-point wire

/// One end of a wired link
struct LinkEnd
{
    Ptr<Node> node;      //!< with Internet stack
    Ipv4Address address; //!< of the interface; may equal that of the node's other links
};

/**
 * Add a net device to a node's IPv4 stack with one address and without traffic control.
 * @param node the node
 * @param device the device
 * @param address its address
 * @param mask its network; all ones where the link has none of its own
 * @return index of the interface
 */
uint32_t AddInterface(Ptr<Node> node, Ptr<NetDevice> device, Ipv4Address address, Ipv4Mask mask);

/**
 * Join two nodes by a link whose queues never drop, and route each address over it.
 * @param a one end
 * @param b the other end
 * @param rate each direction's rate
 * @param delay propagation delay
 * @return both devices, that of a first
 */
NetDeviceContainer ConnectWired(const LinkEnd& a, const LinkEnd& b, DataRate rate, Time delay);

/**
 * Let point-to-point devices lose packets they receive.
 * @param devices the devices
 * @param packetErrorRate lost packets, 0..1; nothing is installed for 0
 * @return the error models, for their streams
 */
std::vector<Ptr<RateErrorModel>> InstallPacketLoss(const NetDeviceContainer& devices,
                                                   double packetErrorRate);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIRED_LINK_H */
