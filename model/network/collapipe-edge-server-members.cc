/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The edge server and its nodes: who is there, what they may say, and what it does with it.

#include "collapipe-edge-server.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

EdgeServerApplication::NodeId
EdgeServerApplication::FindMember(const Ptr<Connection>& connection) const
{
    const auto found =
        std::find_if(m_nodes.begin(), m_nodes.end(), [&connection](const auto& each) {
            return each.second.connection == connection;
        });
    return found == m_nodes.end() ? NodeId{static_cast<uint32_t>(m_clusters.size()), 0}
                                  : found->first;
}

std::string
EdgeServerApplication::Describe(const NodeId& id) const
{
    return GetNodeName(m_ids[id.first], id.second);
}

bool
EdgeServerApplication::IsPresent(uint32_t cluster, NodeIndex node) const
{
    const auto found = m_nodes.find({cluster, node});
    return found != m_nodes.end() && found->second.connection;
}

Time
EdgeServerApplication::GetLastProgress() const
{
    Time progress = m_progress;
    for (const auto& run : m_runs)
    {
        progress = Max(progress, run->GetLastProgress());
    }
    return progress;
}

double
EdgeServerApplication::GetPlannedLatencyS() const
{
    return m_record.plan ? m_record.plan->plannedLatencyS : 0;
}

// ---------------------------------------------------------------- what may come

MessageVerdict
EdgeServerApplication::CheckMessage(Ptr<Connection> connection,
                                    const MessageHeader& header,
                                    const TensorList& shapes) const
{
    if (header.type == MessageType::HELLO)
    {
        return shapes.empty() ? CheckHello(connection, header)
                              : MessageVerdict::Refuse("a hello with tensors");
    }
    const auto id = FindMember(connection);
    if (id.first >= m_clusters.size())
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) +
                                      " came from a caller that has not said who it is");
    }
    if (FindCluster(ClusterId(header.cluster)) != id.first || header.node != id.second)
    {
        return MessageVerdict::Refuse(Describe(id) + " sends a " + ToString(header.type) +
                                      " in another node's name");
    }
    return CheckMember(id, header, shapes);
}

MessageVerdict
EdgeServerApplication::CheckHello(Ptr<Connection> connection, const MessageHeader& header) const
{
    const uint32_t cluster = FindCluster(ClusterId(header.cluster));
    if (cluster >= m_clusters.size() || header.node >= m_clusters[cluster].size())
    {
        return MessageVerdict::Refuse("node " + std::to_string(header.node) + " of cluster " +
                                      std::to_string(header.cluster) +
                                      " says hello, but there is no such node");
    }
    const auto id = FindMember(connection);
    if (id.first < m_clusters.size())
    {
        return id == NodeId{cluster, header.node}
                   ? MessageVerdict::Skip("it has said hello before")
                   : MessageVerdict::Refuse(Describe(id) + " says hello in another node's name");
    }
    const auto known = m_nodes.find({cluster, header.node});
    const bool isKnown = known != m_nodes.end() && known->second.hasGreeted;
    return IsNextHello(isKnown, isKnown ? known->second.greeting : 0, header.iteration)
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("a hello of " + Describe({cluster, header.node}) +
                                        " was heard before, or has a number beyond all calls");
}

MessageVerdict
EdgeServerApplication::CheckMember(const NodeId& id,
                                   const MessageHeader& header,
                                   const TensorList& shapes) const
{
    const auto refuse = [this, &id, &header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of " + Describe(id) + " " +
                                      why);
    };
    if (header.type == MessageType::HEARTBEAT || header.type == MessageType::LEAVE)
    {
        return shapes.empty() ? MessageVerdict::Take() : refuse("has tensors");
    }
    if (header.round < m_record.round)
    {
        return MessageVerdict::Skip("its round is over");
    }
    if (header.round > m_record.round)
    {
        return refuse("is of a round that has not begun");
    }
    if (header.type == MessageType::STATE_REPORT)
    {
        const uint64_t heldBytes = uint64_t{GetContext().model.encoderBlocks} + 2;
        const bool isOne = GetContext().sendsBase
                               ? shapes.size() == 2 && shapes[1].GetByteSize() == heldBytes &&
                                     shapes[0].GetByteSize() <= 1024
                               : shapes.size() == 1 && shapes[0].GetByteSize() <= 1024;
        return !isOne                   ? refuse("is no report")
               : m_nodes.at(id).isAsked ? MessageVerdict::Take()
                                        : MessageVerdict::Skip("nobody has asked");
    }
    if (m_runs.empty())
    {
        // What belongs to a round that was begun anew is late; the first one was never begun.
        return m_isReporting && !m_nodes.at(id).isAsked
                   ? refuse("came before the round was planned")
                   : MessageVerdict::Skip("it is late");
    }
    if (header.type == MessageType::PEER_LOST)
    {
        const bool isKnown = header.microBatch < m_clusters[id.first].size() &&
                             header.microBatch != id.second && shapes.empty();
        return !isKnown ? refuse("names no other node of the cluster")
               : header.attempt == m_runs[id.first]->GetAttempt() && m_runs[id.first]->IsRunning()
                   ? MessageVerdict::Take()
                   : MessageVerdict::Skip("its attempt is over");
    }
    if (header.type == MessageType::REPLICA_STORED || header.type == MessageType::SNAPSHOT)
    {
        return m_recoveries[id.first]->Check(header, shapes);
    }
    return m_runs[id.first]->Check(header, shapes);
}

// ---------------------------------------------------------------- what came

void
EdgeServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const MessageHeader header = message.header;
    if (header.type == MessageType::HELLO)
    {
        HandleHello(connection, header);
        return;
    }
    const auto id = FindMember(connection);
    std::string error;
    switch (header.type)
    {
    case MessageType::STATE_REPORT:
        HandleReport(connection, message);
        break;
    case MessageType::HEARTBEAT:
        HandleBeat(id, header);
        break;
    case MessageType::LEAVE:
        Fail(id, CloseReason::BATTERY, "the battery of " + Describe(id) + " is empty");
        break;
    case MessageType::PEER_LOST: {
        const NodeId lost{id.first, static_cast<NodeIndex>(header.microBatch)};
        Fail(lost, CloseReason::LINK, Describe(id) + " cannot reach " + Describe(lost), id.second);
        break;
    }
    case MessageType::REPLICA_STORED:
    case MessageType::SNAPSHOT:
        m_recoveries[id.first]->HandleMessage(std::move(message));
        break;
    default:
        error = m_runs[id.first]->HandleMessage(std::move(message));
    }
    if (!error.empty())
    {
        Refuse(connection, Describe(id) + ": " + error);
    }
}

void
EdgeServerApplication::HandleHello(Ptr<Connection> connection, const MessageHeader& header)
{
    const NodeId id{FindCluster(ClusterId(header.cluster)), header.node};
    auto& member = m_nodes[id];
    if (member.connection)
    {
        // It calls again, so it has lost the old one: what it had begun it may have lost, too.
        Disconnect(Detach(member));
        Fail(id, CloseReason::RESET, Describe(id) + " calls anew");
    }
    const bool isBack = member.hasGreeted || m_record.round > 0;
    member.connection = connection;
    member.greeting = header.iteration;
    member.hasGreeted = true;
    member.report.heldBase = HeldBase(); // it may have lost what it had, until it says otherwise
    Acknowledge(connection);
    if (m_isConnecting)
    {
        const auto missing = std::count_if(m_nodes.begin(), m_nodes.end(), [](const auto& each) {
            return !each.second.connection;
        });
        if (m_nodes.size() == CountNodes() && missing == 0)
        {
            m_isConnecting = false;
            m_begin.Cancel();
            HandleConnected();
        }
        return;
    }
    if (isBack)
    {
        m_returnTrace(m_ids[id.first].number, id.second);
    }
    if (m_isIdle)
    {
        BeginAgain();
        return;
    }
    if (m_isUnderWay)
    {
        AskState(id); // so that it knows the round
    }
}

void
EdgeServerApplication::BeginWithout()
{
    if (std::none_of(m_nodes.begin(), m_nodes.end(), [](const auto& each) {
            return each.second.connection != nullptr;
        }))
    {
        m_begin = Simulator::Schedule(m_patience, &EdgeServerApplication::BeginWithout, this);
        return;
    }
    for (uint32_t cluster = 0; cluster < m_clusters.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
        {
            if (!m_nodes[{cluster, node}].connection)
            {
                Fail({cluster, node},
                     CloseReason::UNREACHABLE,
                     Describe({cluster, node}) + " has not called");
            }
        }
    }
    m_isConnecting = false;
    HandleConnected();
}

void
EdgeServerApplication::AskState(const NodeId& id)
{
    auto& member = m_nodes[id];
    member.isAsked = true;
    MessageHeader header;
    header.type = MessageType::STATE_REQUEST;
    header.cluster = m_ids[id.first].number;
    header.node = EDGE_SERVER;
    header.round = m_record.round;
    SendMessage(member.connection, {header, {}});
}

void
EdgeServerApplication::HandleReport(Ptr<Connection> connection, const Message& message)
{
    const auto id = FindMember(connection);
    auto& member = m_nodes[id];
    StateReport report;
    auto error = DecodeReport(message.tensors[0], report);
    if (error.empty() && GetContext().sendsBase)
    {
        error =
            DecodeHeldBase(message.tensors[1], GetContext().model.encoderBlocks, report.heldBase);
    }
    if (!error.empty())
    {
        Refuse(connection, Describe(id) + ": " + error);
        return;
    }
    member.isAsked = false;
    member.report = report;
    member.hasReported = true;
    if (m_isReporting)
    {
        EndReports();
        return;
    }
    if (id.first < m_recoveries.size())
    {
        m_recoveries[id.first]->HandleReturn();
    }
}

void
EdgeServerApplication::EndReports()
{
    if (!m_isReporting || std::any_of(m_nodes.begin(), m_nodes.end(), [](const auto& each) {
            return each.second.isAsked;
        }))
    {
        return;
    }
    bool isAnyThere = false;
    for (auto& [id, member] : m_nodes)
    {
        isAnyThere |= member.connection != nullptr;
        if (id.second == CONTROL_UNIT && member.hasReported)
        {
            m_samples[id.first] = member.report.samples;
        }
    }
    if (!isAnyThere || CountSamples() <= 0)
    {
        m_isIdle = true; // the next hello begins the round anew
        return;
    }
    m_isReporting = false;
    HandleReported(CountSamples());
}

bool
EdgeServerApplication::ApplyReports(bool withAbsent)
{
    bool isAnyAbsent = false;
    for (const auto& [id, member] : m_nodes)
    {
        auto report = member.report;
        if (!member.connection && id.second != CONTROL_UNIT)
        {
            isAnyAbsent = true;
            report.memoryBytes = withAbsent ? report.memoryBytes : 0;
        }
        if (member.hasReported)
        {
            m_director->HandleReport(id.first, id.second, report);
        }
    }
    return isAnyAbsent;
}

void
EdgeServerApplication::ReportNodes(uint32_t cluster)
{
    for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
    {
        const auto found = m_nodes.find({cluster, node});
        if (found != m_nodes.end() && found->second.hasReported)
        {
            m_director->HandleReport(cluster, node, found->second.report);
        }
    }
}

void
EdgeServerApplication::HandleBeat(const NodeId& id, const MessageHeader& header)
{
    auto& member = m_nodes[id];
    if (header.round == m_record.round && header.microBatch > member.passes &&
        id.first < m_runs.size())
    {
        member.passes = header.microBatch;
        m_runs[id.first]->NoteProgress();
    }
}

} // namespace collapipe
} // namespace ns3
