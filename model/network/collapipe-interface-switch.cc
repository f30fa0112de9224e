/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-interface-switch.h"

#include "ns3/ipv4-header.h"
#include "ns3/ipv4-route.h"
#include "ns3/ipv4-routing-protocol.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4-static-routing.h"
#include "ns3/ipv4.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the node's static routing; null: it has none
Ptr<Ipv4StaticRouting>
GetStaticRouting(Ptr<Ipv4> ipv4)
{
    return ipv4->GetRoutingProtocol() ? Ipv4StaticRoutingHelper().GetStaticRouting(ipv4) : nullptr;
}

/// @return whether a table has a route
bool
HasRoute(Ptr<Ipv4StaticRouting> routing, const Ipv4RoutingTableEntry& route)
{
    for (uint32_t i = 0; i < routing->GetNRoutes(); ++i)
    {
        if (routing->GetRoute(i) == route)
        {
            return true;
        }
    }
    return false;
}

} // namespace

InterfaceSwitch::InterfaceSwitch(Ptr<Node> node)
    : m_node(node)
{
}

void
InterfaceSwitch::TakeDown()
{
    const auto ipv4 = m_node->GetObject<Ipv4>();
    for (uint32_t interface = 1; ipv4 && interface < ipv4->GetNInterfaces(); ++interface)
    {
        TakeDown(interface);
    }
}

bool
InterfaceSwitch::TakeDownTowards(Ipv4Address peer)
{
    const auto ipv4 = m_node->GetObject<Ipv4>();
    Ipv4Header header;
    header.SetDestination(peer);
    Socket::SocketErrno error = Socket::ERROR_NOTERROR;
    const auto route =
        ipv4 ? ipv4->GetRoutingProtocol()->RouteOutput(nullptr, header, nullptr, error) : nullptr;
    if (!route || !route->GetOutputDevice())
    {
        return false;
    }
    const auto interface = ipv4->GetInterfaceForDevice(route->GetOutputDevice());
    if (interface < 1)
    {
        return false;
    }
    TakeDown(static_cast<uint32_t>(interface));
    return true;
}

void
InterfaceSwitch::TakeDown(uint32_t interface)
{
    const auto ipv4 = m_node->GetObject<Ipv4>();
    if (!ipv4->IsUp(interface))
    {
        return;
    }
    auto& routes = m_down[interface];
    const auto routing = GetStaticRouting(ipv4);
    for (uint32_t i = 0; routing && i < routing->GetNRoutes(); ++i)
    {
        const auto route = routing->GetRoute(i);
        if (route.GetInterface() == interface)
        {
            routes.emplace_back(route, routing->GetMetric(i));
        }
    }
    ipv4->SetDown(interface);
}

void
InterfaceSwitch::BringUp()
{
    const auto ipv4 = m_node->GetObject<Ipv4>();
    for (const auto& [interface, routes] : m_down)
    {
        ipv4->SetUp(interface);
        const auto routing = GetStaticRouting(ipv4);
        for (const auto& [route, metric] : routes)
        {
            if (HasRoute(routing, route))
            {
                continue;
            }
            if (route.IsHost())
            {
                routing->AddHostRouteTo(route.GetDest(), route.GetGateway(), interface, metric);
            }
            else
            {
                routing->AddNetworkRouteTo(route.GetDestNetwork(),
                                           route.GetDestNetworkMask(),
                                           route.GetGateway(),
                                           interface,
                                           metric);
            }
        }
    }
    m_down.clear();
}

} // namespace collapipe
} // namespace ns3
