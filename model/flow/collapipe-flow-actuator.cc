/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-actuator.h"

#include "ns3/log.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeFlowActuator");
NS_OBJECT_ENSURE_REGISTERED(FlowActuator);

TypeId
FlowActuator::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::FlowActuator")
                            .SetParent<RadioActuator>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<FlowActuator>();
    return tid;
}

void
FlowActuator::DoDispose()
{
    m_network = nullptr;
    m_clusters.clear();
    RadioActuator::DoDispose();
}

void
FlowActuator::SetNetwork(Ptr<FlowNetwork> network)
{
    m_network = network;
}

void
FlowActuator::AddCluster(uint32_t cluster,
                         const std::vector<Ptr<Node>>& nodes,
                         Ptr<Node> edgeServer)
{
    m_clusters[cluster] = {nodes, edgeServer, {}};
}

Ptr<Node>
FlowActuator::GetNode(const Cluster& cluster, NodeIndex node)
{
    return node == EDGE_SERVER           ? cluster.edgeServer
           : node < cluster.nodes.size() ? cluster.nodes[node]
                                         : nullptr;
}

void
FlowActuator::ApplyLinks(uint32_t cluster,
                         const std::vector<LinkPlan>& links,
                         const std::string& reason)
{
    NS_LOG_FUNCTION(this << cluster << reason);
    if (m_clusters.count(cluster) == 0)
    {
        return;
    }
    Cluster& own = m_clusters[cluster];
    std::map<Link, FlowSetting> settings;
    for (const auto& link : own.set)
    {
        settings[link] = FlowSetting(); // as long as the phase does not name it
    }
    double shares = 0;
    double count = 0;
    for (const auto& link : links)
    {
        CheckLinkPlan(link);
        if (link.from != EDGE_SERVER && link.to != EDGE_SERVER)
        {
            shares += link.share;
            count += 1;
        }
    }
    own.set.clear();
    for (const auto& link : links)
    {
        const auto from = GetNode(own, link.from);
        const auto to = GetNode(own, link.to);
        if (!from || !to || from == to || !m_network->HasLink(from, to))
        {
            continue;
        }
        const bool isWeighed = m_network->IsWeighed(from, to);
        const double turn = shares > 0 ? shares / count : 1;
        settings[{link.from, link.to}] = {true,
                                          isWeighed ? link.share : turn,
                                          isWeighed ? link.priority : uint8_t{0},
                                          link.powerW};
        own.set.insert({link.from, link.to});
    }
    for (auto& [link, setting] : settings)
    {
        for (const auto& [other, asked] : settings)
        {
            // A radio has one power for all that it sends in turn
            if (setting.isSet && asked.isSet &&
                m_network->IsPooled({GetNode(own, link.first), GetNode(own, link.second)},
                                    {GetNode(own, other.first), GetNode(own, other.second)}))
            {
                setting.weight = std::max(setting.weight, asked.weight);
                setting.powerW = std::max(setting.powerW, asked.powerW);
            }
        }
    }
    for (const auto& [link, setting] : settings)
    {
        const auto before = *Read(cluster, link.first, link.second);
        m_network->Set(GetNode(own, link.first), GetNode(own, link.second), setting);
        const auto after = *Read(cluster, link.first, link.second);
        if (!(after == before))
        {
            m_actuationTrace(cluster, link.first, link.second, before, after, reason);
        }
    }
}

std::optional<LinkSetting>
FlowActuator::Read(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    const auto it = m_clusters.find(cluster);
    const auto sender = it == m_clusters.end() ? nullptr : GetNode(it->second, from);
    const auto receiver = it == m_clusters.end() ? nullptr : GetNode(it->second, to);
    if (!sender || !receiver || from == to || !m_network->HasLink(sender, receiver))
    {
        return std::nullopt;
    }
    const FlowSetting setting = m_network->Get(sender, receiver);
    const bool isKept = setting.isSet && m_network->IsWeighed(sender, receiver);
    return LinkSetting{isKept ? setting.weight : 0,
                       m_network->GetPowerW(sender, receiver),
                       isKept ? setting.priority : uint8_t{0}};
}

} // namespace collapipe
} // namespace ns3
