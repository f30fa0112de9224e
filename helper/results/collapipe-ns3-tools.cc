/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-ns3-tools.h"

#include "ns3/animation-interface.h"
#include "ns3/flow-monitor.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/mobility-model.h"
#include "ns3/node-list.h"
#include "ns3/simulator.h"

#include <limits>
#include <set>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr int64_t COUNTER_PERIOD_MS = 100;
constexpr double CORE_X_M = -10;    //!< where nodes without a position are shown: beside the
constexpr double CORE_STEP_M = -10; //!< edge server, which stands at the origin

/// Counts a packet; sink of IPv4's traces.
void
Increment(uint64_t* count,
          const Ipv4Header& /* header */,
          Ptr<const Packet> /* packet */,
          uint32_t /* interface */)
{
    ++*count;
}

} // namespace

Ns3Tools::Ns3Tools(const TopologyHelper& topology)
    : m_nodes(topology.GetNodes())
{
    std::set<Ptr<Node>> known(m_nodes.Begin(), m_nodes.End());
    for (const auto& user : topology.GetNetwork().users)
    {
        for (const auto& node : {user.node, user.peer})
        {
            if (known.insert(node).second)
            {
                m_users.Add(node);
            }
        }
    }
    m_names.emplace_back("es");
    const auto& clusters = topology.GetNetwork().clusters;
    for (std::size_t m = 0; m < clusters.size(); ++m)
    {
        const std::string cluster = "c" + std::to_string(m);
        m_names.push_back(cluster + "-cu");
        for (std::size_t k = 0; k < clusters[m].devices.size(); ++k)
        {
            m_names.push_back(cluster + "-d" + std::to_string(k));
        }
    }
}

Ns3Tools::~Ns3Tools() = default;

void
Ns3Tools::EnableFlowMonitor(const std::string& path)
{
    m_flowPath = path;
    m_flowHelper.Install(m_nodes);
    m_flowHelper.Install(m_users);
}

void
Ns3Tools::EnableNetAnim(const std::string& path)
{
    PlaceRest();
    m_anim = std::make_unique<AnimationInterface>(path);
    // Its own bound ends the file with a message on the screen.
    m_anim->SetMaxPktsPerTraceFile(std::numeric_limits<uint64_t>::max());
    DescribeNodes();
    CountPackets();
}

void
Ns3Tools::PlaceRest() const
{
    double x = CORE_X_M;
    for (auto it = NodeList::Begin(); it != NodeList::End(); ++it)
    {
        if (!(*it)->GetObject<MobilityModel>())
        {
            AnimationInterface::SetConstantPosition(*it, x, 0);
            x += CORE_STEP_M;
        }
    }
}

void
Ns3Tools::DescribeNodes()
{
    for (uint32_t i = 0; i < m_nodes.GetN(); ++i)
    {
        m_anim->UpdateNodeDescription(m_nodes.Get(i), m_names[i]);
        const bool isDevice = m_names[i].find("-d") != std::string::npos;
        m_anim->UpdateNodeColor(m_nodes.Get(i), isDevice ? 40 : 200, isDevice ? 120 : 90, 60);
    }
}

void
Ns3Tools::CountPackets()
{
    m_counts.resize(m_nodes.GetN());
    for (uint32_t i = 0; i < m_nodes.GetN(); ++i)
    {
        const auto ip = m_nodes.Get(i)->GetObject<Ipv4L3Protocol>();
        ip->TraceConnectWithoutContext("SendOutgoing",
                                       MakeBoundCallback(&Increment, &m_counts[i].sent));
        ip->TraceConnectWithoutContext("LocalDeliver",
                                       MakeBoundCallback(&Increment, &m_counts[i].received));
    }
    m_sentCounter = m_anim->AddNodeCounter("packets sent", AnimationInterface::UINT32_COUNTER);
    m_receivedCounter =
        m_anim->AddNodeCounter("packets received", AnimationInterface::UINT32_COUNTER);
    UpdateCounters();
}

void
Ns3Tools::UpdateCounters()
{
    if (!m_anim)
    {
        return;
    }
    for (uint32_t i = 0; i < m_nodes.GetN(); ++i)
    {
        const uint32_t node = m_nodes.Get(i)->GetId();
        const auto& count = m_counts[i];
        m_anim->UpdateNodeCounter(m_sentCounter, node, static_cast<double>(count.sent));
        m_anim->UpdateNodeCounter(m_receivedCounter, node, static_cast<double>(count.received));
    }
    Simulator::Schedule(MilliSeconds(COUNTER_PERIOD_MS), &Ns3Tools::UpdateCounters, this);
}

void
Ns3Tools::Save()
{
    if (!m_flowPath.empty())
    {
        m_flowHelper.SerializeToXmlFile(m_flowPath, false, false);
    }
    if (m_anim)
    {
        UpdateCounters(); // the last word
        // What connections say as they are taken down is no part of the run.
        m_anim->SetStopTime(Simulator::Now() - TimeStep(1));
    }
}

} // namespace collapipe
} // namespace ns3
