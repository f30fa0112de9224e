/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-route.h"

#include "ns3/abort.h"
#include "ns3/channel.h"
#include "ns3/ipv4-header.h"
#include "ns3/ipv4-route.h"
#include "ns3/ipv4-routing-protocol.h"
#include "ns3/ipv4.h"
#include "ns3/packet.h"
#include "ns3/socket.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t MOST_HOPS = 32;

/// @return whether one of a node's interfaces has the address
bool
Owns(Ptr<Node> node, Ipv4Address address)
{
    const auto ip = node->GetObject<Ipv4>();
    return ip && ip->GetInterfaceForAddress(address) >= 0;
}

/// @return the other devices of a device's channel
std::vector<Ptr<NetDevice>>
GetPeers(Ptr<NetDevice> device)
{
    std::vector<Ptr<NetDevice>> peers;
    const auto channel = device->GetChannel();
    for (std::size_t i = 0; channel && i < channel->GetNDevices(); ++i)
    {
        if (channel->GetDevice(i) != device)
        {
            peers.push_back(channel->GetDevice(i));
        }
    }
    return peers;
}

/// @return the route of a packet from a node; null where there is none
Ptr<Ipv4Route>
GetRoute(Ptr<Node> node, Ipv4Address to)
{
    const auto ip = node->GetObject<Ipv4>();
    if (!ip || !ip->GetRoutingProtocol())
    {
        return nullptr;
    }
    Ipv4Header header;
    header.SetDestination(to);
    Socket::SocketErrno error = Socket::ERROR_NOTERROR;
    return ip->GetRoutingProtocol()->RouteOutput(Create<Packet>(), header, nullptr, error);
}

/// @return all addresses of a node but those of loopback
std::vector<Ipv4InterfaceAddress>
GetAddresses(Ptr<Node> node)
{
    std::vector<Ipv4InterfaceAddress> addresses;
    const auto ip = node->GetObject<Ipv4>();
    for (uint32_t i = 0; ip && i < ip->GetNInterfaces(); ++i)
    {
        for (uint32_t a = 0; a < ip->GetNAddresses(i); ++a)
        {
            if (ip->GetAddress(i, a).GetLocal() != Ipv4Address::GetLoopback())
            {
                addresses.push_back(ip->GetAddress(i, a));
            }
        }
    }
    return addresses;
}

} // namespace

std::vector<Hop>
FindRoute(Ptr<Node> from, Ipv4Address to)
{
    std::vector<Hop> hops;
    Ptr<Node> node = from;
    while (!Owns(node, to))
    {
        const auto route = GetRoute(node, to);
        if (!route || hops.size() == MOST_HOPS)
        {
            return {};
        }
        const bool isDirect = route->GetGateway() == Ipv4Address::GetAny();
        const Ipv4Address next = isDirect ? to : route->GetGateway();
        Hop hop{route->GetOutputDevice(), nullptr};
        const auto peers = GetPeers(hop.from);
        for (const auto& peer : peers)
        {
            hop.to = Owns(peer->GetNode(), next) ? peer : hop.to;
        }
        // Whoever is at the other end of a wire needs no address on it
        hop.to = !hop.to && peers.size() == 1 ? peers.front() : hop.to;
        if (!hop.to)
        {
            return {};
        }
        node = hop.to->GetNode();
        hops.push_back(hop);
    }
    return hops;
}

Ipv4Address
FindAddress(Ptr<Node> node, Ptr<Node> from)
{
    const auto addresses = GetAddresses(node);
    NS_ABORT_MSG_IF(
        addresses.empty(),
        "node " << node->GetId()
                << " has no IPv4 address: assign addresses before installing CollaPipe");
    const auto theirs = GetAddresses(from);
    for (const auto& own : addresses)
    {
        for (const auto& other : theirs)
        {
            if (own.GetMask() == other.GetMask() && own.GetLocal().CombineMask(own.GetMask()) ==
                                                        other.GetLocal().CombineMask(own.GetMask()))
            {
                return own.GetLocal();
            }
        }
    }
    for (const auto& own : addresses)
    {
        if (GetRoute(from, own.GetLocal()))
        {
            return own.GetLocal();
        }
    }
    return addresses.front().GetLocal();
}

} // namespace collapipe
} // namespace ns3
