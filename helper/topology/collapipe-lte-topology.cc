/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-topology.h"

#include "ns3/log.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteTopology");

void
LteTopologyHelper::DoBuild()
{
    NS_LOG_FUNCTION(this);
    m_access.Build(m_network, m_config);
    for (auto& cluster : m_network.clusters)
    {
        cluster.addresses = cluster.edgeAddresses;
    }
    m_network.readyAt = m_access.WarmUp();
}

void
LteTopologyHelper::DoAttach()
{
    m_access.Attach();
}

void
LteTopologyHelper::DoFillLinks(SystemState& state) const
{
    m_access.GetChannel().FillD2e(state);
    for (uint32_t m = 0; m < state.clusters.size(); ++m)
    {
        m_access.GetChannel().FillD2d(m, state.clusters[m]);
    }
}

Ptr<RadioActuator>
LteTopologyHelper::CreateActuator() const
{
    return m_access.CreateActuator(true);
}

uint32_t
LteTopologyHelper::GetCell(uint32_t cluster, uint32_t node) const
{
    return m_access.GetCell(m_network.clusters.at(cluster).GetNode(node));
}

void
LteTopologyHelper::ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell)
{
    m_access.ScheduleHandover(when, m_network.clusters.at(cluster).GetNode(node), cell);
}

uint32_t
LteTopologyHelper::GetHandovers() const
{
    return m_access.GetHandovers();
}

void
LteTopologyHelper::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    m_access.ConnectMonitors(monitors);
}

void
LteTopologyHelper::DoEnablePcap(const std::string& prefix)
{
    m_access.EnablePcap(prefix + "-link");
}

std::string
LteTopologyHelper::DoCheckLinks() const
{
    return m_access.GetChannel().CheckReach();
}

int64_t
LteTopologyHelper::DoAssignChannelStreams(int64_t stream)
{
    return m_access.AssignChannelStreams(stream);
}

int64_t
LteTopologyHelper::DoAssignStreams(int64_t stream)
{
    return m_access.AssignStreams(stream);
}

} // namespace collapipe
} // namespace ns3
