/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-topology.h"

#include "collapipe-wired-link.h"

#include "ns3/boolean.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/log.h"
#include "ns3/point-to-point-helper.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeWifiTopology");

void
WifiTopologyHelper::DoBuild()
{
    NS_LOG_FUNCTION(this);
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        m_network.cells[c].edgeAddress = Ipv4Address(Ipv4Address("10.0.0.1").Get() + c);
    }
    m_clusters.resize(m_network.clusters.size());
    for (uint32_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].Build(m_network.clusters[m], m, m_config);
        ConnectBackhaul(m);
        AddUsers(m_clusters[m].GetUsers());
        m_network.readyAt = std::max(m_network.readyAt, m_clusters[m].WarmUp());
    }
    m_errorModels = InstallPacketLoss(m_backhaul, m_config.packetErrorRate);
}

void
WifiTopologyHelper::ConnectBackhaul(uint32_t cluster)
{
    ClusterNetwork& net = m_network.clusters[cluster];
    net.edgeAddresses = net.addresses;
    const Ipv4Address controlUnit = net.addresses.front();
    const CellNetwork& cell = m_network.cells[net.cell];
    const LinkEnd edge{cell.edgeServer, cell.edgeAddress};
    const NetDeviceContainer link = ConnectWired({net.controlUnit, controlUnit},
                                                 edge,
                                                 m_config.backhaulRate,
                                                 m_config.backhaulDelay);
    m_backhaul.Add(link);
    Ipv4StaticRoutingHelper routing;
    Ptr<Ipv4> edgeIp = edge.node->GetObject<Ipv4>();
    const Ipv4Mask mask("255.255.0.0");
    routing.GetStaticRouting(edgeIp)->AddNetworkRouteTo(controlUnit.CombineMask(mask),
                                                        mask,
                                                        edgeIp->GetInterfaceForDevice(link.Get(1)));
    for (uint32_t k = 0; k < net.devices.size(); ++k)
    {
        Ptr<Ipv4> ip = net.devices[k]->GetObject<Ipv4>();
        const int32_t interface =
            ip->GetInterfaceForDevice(m_clusters[cluster].GetDevices().Get(k + 1));
        routing.GetStaticRouting(ip)->AddHostRouteTo(edge.address, controlUnit, interface);
    }
}

void
WifiTopologyHelper::DoFillLinks(SystemState& state) const
{
    const double wireBps = m_config.backhaulRate.GetBitRate() * GetPayloadShare(PPP_HEADER_BYTES);
    std::vector<const WifiChannel*> channels;
    for (const auto& cluster : m_clusters)
    {
        channels.push_back(&cluster.GetChannel());
    }
    FillRelayedLinks(channels, wireBps, m_config.backhaulDelay, state);
}

Ptr<RadioActuator>
WifiTopologyHelper::CreateActuator() const
{
    const auto actuator = CreateObjectWithAttributes<WifiActuator>("Gateway", BooleanValue(true));
    for (const auto& cluster : m_clusters)
    {
        cluster.AddTo(actuator);
    }
    return actuator;
}

void
WifiTopologyHelper::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    for (uint32_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].ConnectMonitor(monitors.at(m));
    }
}

void
WifiTopologyHelper::DoEnablePcap(const std::string& prefix)
{
    PointToPointHelper().EnablePcap(prefix + "-link", m_backhaul, false);
    for (auto& cluster : m_clusters)
    {
        cluster.EnablePcap(prefix + "-wifi");
    }
}

std::string
WifiTopologyHelper::DoCheckLinks() const
{
    std::string error;
    for (auto it = m_clusters.begin(); error.empty() && it != m_clusters.end(); ++it)
    {
        error = it->GetChannel().CheckReach();
    }
    return error;
}

int64_t
WifiTopologyHelper::DoAssignChannelStreams(int64_t stream)
{
    const int64_t first = stream;
    for (auto& cluster : m_clusters)
    {
        stream += cluster.AssignChannelStreams(stream);
    }
    return stream - first;
}

int64_t
WifiTopologyHelper::DoAssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (auto& cluster : m_clusters)
    {
        stream += cluster.AssignStreams(stream);
    }
    for (auto& model : m_errorModels)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

} // namespace collapipe
} // namespace ns3
