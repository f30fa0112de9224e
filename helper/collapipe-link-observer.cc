/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-observer.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <optional>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BITS_PER_BYTE = 8;

/// @return the phase to which a message belongs; nothing for those that the model does not count
std::optional<Phase>
GetPhase(MessageType type)
{
    switch (type)
    {
    case MessageType::SEGMENT_PARAMETERS:
        return Phase::DISTRIBUTION;
    case MessageType::ACTIVATION:
    case MessageType::TARGETS:
    case MessageType::GRADIENT:
        return Phase::TRAINING;
    case MessageType::PARAMETER_UPLOAD:
        return Phase::UPLOAD;
    default:
        return std::nullopt;
    }
}

} // namespace

LinkObserver::LinkObserver(const RunApplications& applications,
                           uint32_t cell,
                           LinkMonitor& monitor)
    : m_monitor(monitor),
      m_clusters(applications.edgeServers.at(cell)->GetClusterNumbers())
{
    for (const auto number : m_clusters)
    {
        const auto& cluster = applications.clusters.at(number);
        for (NodeIndex node = 0; node < cluster.size(); ++node)
        {
            Connect(cluster[node], node);
        }
    }
    const auto& edge = applications.edgeServers[cell];
    Connect(edge, EDGE_SERVER);
    edge->TraceConnectWithoutContext("Plan", MakeCallback(&LinkObserver::HandlePlan, this));
    edge->TraceConnectWithoutContext("Round", MakeCallback(&LinkObserver::HandleRound, this));
}

void
LinkObserver::Connect(Ptr<MessageApplication> application, NodeIndex node)
{
    application->TraceConnectWithoutContext("Tx", MakeCallback(&LinkObserver::HandleTx, this));
    application->TraceConnectWithoutContext(
        "Rx",
        MakeCallback(&LinkObserver::HandleRx, this).Bind(node));
}

LinkObserver::MessageKey
LinkObserver::GetKey(const MessageHeader& header)
{
    return {header.type,
            header.cluster,
            header.node,
            header.chain,
            header.stage,
            header.round,
            header.iteration,
            header.microBatch};
}

void
LinkObserver::HandleTx(const MessageHeader& header, uint64_t /* bytes */)
{
    if (GetPhase(header.type))
    {
        m_sent[GetKey(header)] = Simulator::Now();
    }
}

void
LinkObserver::HandleRx(NodeIndex receiver, const MessageHeader& header, uint64_t bytes)
{
    const auto phase = GetPhase(header.type);
    const auto sent = m_sent.find(GetKey(header));
    if (!phase || sent == m_sent.end())
    {
        return;
    }
    const auto cluster = std::find(m_clusters.begin(), m_clusters.end(), header.cluster);
    const LinkId link{static_cast<uint32_t>(cluster - m_clusters.begin()), header.node, receiver};
    auto& last = m_lastArrival[link];
    const bool queued = last > sent->second;
    const Time begin = queued ? last : sent->second;
    last = Simulator::Now();
    m_monitor.ObserveTransfer(link,
                              *phase,
                              BITS_PER_BYTE * static_cast<double>(bytes),
                              (last - begin).GetSeconds(),
                              queued);
    m_sent.erase(sent);
}

void
LinkObserver::HandlePlan(const SystemState& /* state */, const RoundPlan& plan)
{
    m_monitor.BeginRound(plan);
}

void
LinkObserver::HandleRound(const RoundRecord& /* record */)
{
    m_monitor.EndRound();
    m_sent.clear();
}

} // namespace collapipe
} // namespace ns3
