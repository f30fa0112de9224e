/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-p2p-topology.h"

#include "collapipe-wired-link.h"

#include "ns3/log.h"
#include "ns3/point-to-point-helper.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeP2pTopology");

namespace
{

/// One address per node, whatever the number of its links: 10.(cluster + 1).x.y
Ipv4Address
MakeAddress(uint32_t cluster, uint32_t node)
{
    return Ipv4Address((10U << 24) | ((cluster + 1) << 16) | (node + 1));
}

/// A link of fixed rate
LinkState
MakeLink(DataRate rate, Time delay, double payloadShare)
{
    LinkState link;
    link.fixedRateBps = rate.GetBitRate() * payloadShare;
    link.latencyS = delay.GetSeconds();
    return link;
}

} // namespace

void
P2pTopologyHelper::DoBuild()
{
    NS_LOG_FUNCTION(this);
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        m_network.cells[c].edgeAddress = Ipv4Address(Ipv4Address("10.0.0.1").Get() + c);
    }
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        BuildCluster(m);
    }
    m_errorModels = InstallPacketLoss(m_devices, m_config.packetErrorRate);
}

void
P2pTopologyHelper::BuildCluster(uint32_t cluster)
{
    ClusterNetwork& net = m_network.clusters[cluster];
    std::vector<LinkEnd> ends;
    for (uint32_t i = 0; i < net.GetN(); ++i)
    {
        ends.push_back({net.GetNode(i), MakeAddress(cluster, i)});
        net.addresses.push_back(ends.back().address);
    }
    net.edgeAddresses = net.addresses;
    const CellNetwork& cell = m_network.cells[net.cell];
    const LinkEnd edge{cell.edgeServer, cell.edgeAddress};
    for (uint32_t i = 0; i < ends.size(); ++i)
    {
        m_devices.Add(ConnectWired(ends[i], edge, m_config.p2pD2eRate, m_config.p2pD2eDelay));
        for (uint32_t j = i + 1; j < ends.size(); ++j)
        {
            m_devices.Add(
                ConnectWired(ends[i], ends[j], m_config.p2pD2dRate, m_config.p2pD2dDelay));
        }
    }
}

void
P2pTopologyHelper::DoFillLinks(SystemState& state) const
{
    const double share = GetPayloadShare(PPP_HEADER_BYTES);
    const LinkState d2e = MakeLink(m_config.p2pD2eRate, m_config.p2pD2eDelay, share);
    const LinkState d2d = MakeLink(m_config.p2pD2dRate, m_config.p2pD2dDelay, share);
    state.uplink = {SharingMode::DEDICATED, 0};
    state.downlink = state.uplink;
    for (auto& cluster : state.clusters)
    {
        cluster.d2d = {SharingMode::DEDICATED, 0};
        for (auto& row : cluster.d2dLinks)
        {
            row.assign(row.size(), d2d);
        }
        cluster.controlUnit.uplink = cluster.controlUnit.downlink = d2e;
        for (auto& device : cluster.devices)
        {
            device.uplink = device.downlink = d2e;
        }
    }
}

void
P2pTopologyHelper::DoEnablePcap(const std::string& prefix)
{
    PointToPointHelper().EnablePcap(prefix + "-link", m_devices, false);
}

int64_t
P2pTopologyHelper::DoAssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (auto& model : m_errorModels)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

} // namespace collapipe
} // namespace ns3
