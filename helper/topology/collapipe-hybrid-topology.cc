/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-hybrid-topology.h"

#include "ns3/log.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeHybridTopology");

void
HybridTopologyHelper::DoBuild()
{
    NS_LOG_FUNCTION(this);
    m_access.Build(m_network, m_config);
    m_network.readyAt = m_access.WarmUp();
    m_clusters.resize(m_network.clusters.size());
    for (uint32_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].Build(m_network.clusters[m], m, m_config);
        AddUsers(m_clusters[m].GetUsers());
        m_network.readyAt = std::max(m_network.readyAt, m_clusters[m].WarmUp());
    }
}

void
HybridTopologyHelper::DoAttach()
{
    m_access.Attach();
}

void
HybridTopologyHelper::DoFillLinks(SystemState& state) const
{
    m_access.GetChannel().FillD2e(state);
    for (uint32_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].GetChannel().FillD2d(state.clusters[m]);
    }
}

Ptr<RadioActuator>
HybridTopologyHelper::CreateActuator() const
{
    Ptr<HybridActuator> actuator = CreateObject<HybridActuator>();
    actuator->Add(m_access.CreateActuator(false));
    Ptr<WifiActuator> wifi = CreateObject<WifiActuator>();
    for (const auto& cluster : m_clusters)
    {
        cluster.AddTo(wifi);
    }
    actuator->Add(wifi);
    return actuator;
}

uint32_t
HybridTopologyHelper::GetCell(uint32_t cluster, uint32_t node) const
{
    return m_access.GetCell(m_network.clusters.at(cluster).GetNode(node));
}

void
HybridTopologyHelper::ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell)
{
    m_access.ScheduleHandover(when, m_network.clusters.at(cluster).GetNode(node), cell);
}

uint32_t
HybridTopologyHelper::GetHandovers() const
{
    return m_access.GetHandovers();
}

void
HybridTopologyHelper::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    m_access.ConnectMonitors(monitors);
    for (uint32_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].ConnectMonitor(monitors.at(m));
    }
}

void
HybridTopologyHelper::DoEnablePcap(const std::string& prefix)
{
    m_access.EnablePcap(prefix + "-link");
    for (auto& cluster : m_clusters)
    {
        cluster.EnablePcap(prefix + "-wifi");
    }
}

std::string
HybridTopologyHelper::DoCheckLinks() const
{
    std::string error = m_access.GetChannel().CheckReach();
    for (auto it = m_clusters.begin(); error.empty() && it != m_clusters.end(); ++it)
    {
        error = it->GetChannel().CheckReach();
    }
    return error;
}

int64_t
HybridTopologyHelper::DoAssignChannelStreams(int64_t stream)
{
    const int64_t first = stream;
    stream += m_access.AssignChannelStreams(stream);
    for (auto& cluster : m_clusters)
    {
        stream += cluster.AssignChannelStreams(stream);
    }
    return stream - first;
}

int64_t
HybridTopologyHelper::DoAssignStreams(int64_t stream)
{
    const int64_t first = stream;
    stream += m_access.AssignStreams(stream);
    for (auto& cluster : m_clusters)
    {
        stream += cluster.AssignStreams(stream);
    }
    return stream - first;
}

} // namespace collapipe
} // namespace ns3
