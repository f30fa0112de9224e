/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The edge server and its nodes: who is there, what they may say, and what is done when one fails.

#include "collapipe-edge-server.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeEdgeServerMembers");

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
    return GetNodeName(m_numbers[id.first], id.second);
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
    if (FindCluster(header.cluster) != id.first || header.node != id.second)
    {
        return MessageVerdict::Refuse(Describe(id) + " sends a " + ToString(header.type) +
                                      " in another node's name");
    }
    return CheckMember(id, header, shapes);
}

MessageVerdict
EdgeServerApplication::CheckHello(Ptr<Connection> connection, const MessageHeader& header) const
{
    const uint32_t cluster = FindCluster(header.cluster);
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
    if (known != m_nodes.end() && known->second.hasGreeted &&
        header.iteration <= known->second.greeting)
    {
        return MessageVerdict::Refuse("a hello of " + Describe({cluster, header.node}) +
                                      " was heard before");
    }
    return MessageVerdict::Take();
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
        const bool isOne = shapes.size() == 1 && shapes[0].GetByteSize() <= 1024;
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
    const NodeId id{FindCluster(header.cluster), header.node};
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
        m_returnTrace(m_numbers[id.first], id.second);
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
    header.cluster = m_numbers[id.first];
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
    const auto error = DecodeReport(message.tensors[0], report);
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

// ---------------------------------------------------------------- failures

void
EdgeServerApplication::HandleClosed(Ptr<Connection> connection,
                                    CloseReason reason,
                                    const std::string& text)
{
    const auto id = FindMember(connection);
    if (id.first < m_clusters.size())
    {
        Detach(m_nodes[id]);
        Fail(id, reason, text);
    }
}

Ptr<Connection>
EdgeServerApplication::Detach(Member& member)
{
    const auto connection = member.connection;
    if (connection)
    {
        member.lastHeard = connection->GetLastHeard();
        member.connection = nullptr;
    }
    return connection;
}

void
EdgeServerApplication::Fail(const NodeId& id,
                            CloseReason reason,
                            const std::string& text,
                            NodeIndex reporter)
{
    auto& member = m_nodes[id];
    NS_LOG_INFO(Describe(id) << " has failed: " << text);
    NodeFailure failure;
    failure.cluster = m_numbers[id.first];
    failure.node = id.second;
    failure.reason = reason;
    failure.text = text;
    failure.reporter = reporter;
    failure.lastHeard = member.connection ? member.connection->GetLastHeard() : member.lastHeard;
    failure.round = m_record.round;
    if (reason == CloseReason::BATTERY || reason == CloseReason::SILENT)
    {
        // What it may still send has no owner any more
        if (const auto connection = Detach(member))
        {
            Disconnect(connection);
        }
    }
    if (id.first < m_runs.size())
    {
        failure.attempt = m_runs[id.first]->GetAttempt();
        failure.isNeeded = m_runs[id.first]->GetNeededNodes().count(id.second) > 0;
    }
    m_failureTrace(failure);
    if (id.first < m_recoveries.size())
    {
        m_recoveries[id.first]->HandleFailure(failure);
    }
    if (reason != CloseReason::LINK && reason != CloseReason::TASK && member.isAsked)
    {
        member.isAsked = false;
        EndReports();
    }
}

void
EdgeServerApplication::FailAbsent()
{
    for (uint32_t cluster = 0; cluster < m_runs.size(); ++cluster)
    {
        for (const auto node : m_runs[cluster]->GetNeededNodes())
        {
            if (!IsPresent(cluster, node))
            {
                Fail({cluster, node},
                     CloseReason::UNREACHABLE,
                     Describe({cluster, node}) + " is not there as the round begins");
                break;
            }
        }
    }
}

void
EdgeServerApplication::Watch()
{
    m_watch = Simulator::Schedule(GetContext().heartbeat, &EdgeServerApplication::Watch, this);
    if (IsPaused())
    {
        return;
    }
    const Time now = Simulator::Now();
    std::vector<NodeId> silent;
    for (const auto& [id, member] : m_nodes)
    {
        if (member.connection && now - member.connection->GetLastHeard() > m_patience)
        {
            silent.push_back(id);
        }
    }
    for (const auto& id : silent)
    {
        Fail(id,
             CloseReason::SILENT,
             "nothing was heard of " + Describe(id) + " for " +
                 std::to_string(m_patience.GetSeconds()) + " s");
    }
    const double planned = m_record.plan ? m_record.plan->plannedLatencyS : 0;
    const Time patience = Max(m_taskPatience, Seconds(3 * planned));
    for (uint32_t cluster = 0; cluster < m_runs.size(); ++cluster)
    {
        const auto& run = *m_runs[cluster];
        const auto needed = run.GetNeededNodes();
        if (!run.IsRunning() || now - run.GetLastActivity() <= patience || needed.empty())
        {
            continue;
        }
        // The stage with the fewest passes holds up the others; of several the first of the chain.
        NodeId behind{cluster, *needed.begin()};
        uint32_t fewest = std::numeric_limits<uint32_t>::max();
        for (const auto& chain : run.GetPlan().chains)
        {
            for (const auto& stage : chain.stages)
            {
                if (needed.count(stage.node) > 0 && m_nodes[{cluster, stage.node}].passes < fewest)
                {
                    fewest = m_nodes[{cluster, stage.node}].passes;
                    behind.second = stage.node;
                }
            }
        }
        Fail(behind,
             CloseReason::TASK,
             "no task of " + Describe(behind) + " has ended for " +
                 std::to_string(patience.GetSeconds()) + " s");
    }
}

ClusterRecovery::Services
EdgeServerApplication::MakeRecoveryServices(uint32_t cluster)
{
    ClusterRecovery::Services services;
    services.context = &GetContext();
    services.policy = m_recovery;
    services.number = m_numbers[cluster];
    services.round = m_record.round;
    services.isPresent = [this, cluster](NodeIndex node) {
        // One that is back is of use once it knows the round
        return IsPresent(cluster, node) && !m_nodes.at({cluster, node}).isAsked;
    };
    services.send = [this, cluster](NodeIndex node, Message message) {
        message.header.cluster = m_numbers[cluster];
        if (IsPresent(cluster, node))
        {
            SendMessage(m_nodes.at({cluster, node}).connection, std::move(message));
        }
    };
    services.replan = [this, cluster](const std::set<NodeIndex>& absent, ClusterPlan& plan) {
        auto all = absent;
        for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
        {
            if (!IsPresent(cluster, node))
            {
                all.insert(node);
            }
        }
        return m_director->Replan(cluster, all, plan);
    };
    services.onRecovery = [this](const RecoveryRecord& record) { m_recoveryTrace(record); };
    return services;
}

void
EdgeServerApplication::AbandonRound()
{
    // Nodes may have heard of its attempts: the next ones are others
    for (uint32_t cluster = 0; cluster < m_runs.size(); ++cluster)
    {
        m_attempts[cluster] = static_cast<uint16_t>(m_runs[cluster]->GetAttempt() + 1);
        m_reached[cluster] = m_runs[cluster]->GetReached();
    }
    m_recoveries.clear();
    m_runs.clear();
    m_isIdle = false;
    if (m_isUnderWay)
    {
        m_isUnderWay = false;
        --m_record.round;
    }
}

void
EdgeServerApplication::BeginAgain()
{
    AbandonRound();
    BeginRound();
}

void
EdgeServerApplication::Crash()
{
    m_watch.Cancel();
    m_begin.Cancel();
    m_end.Cancel();
    AbandonRound(); // the model after the last round is in its storage
    for (auto& [id, member] : m_nodes)
    {
        Detach(member);
        member.isAsked = false;
    }
    ModelServerApplication::Crash();
}

std::string
EdgeServerApplication::DescribeWait() const
{
    if (!IsUp())
    {
        return "the edge server is down";
    }
    std::string missing;
    for (uint32_t cluster = 0; cluster < m_clusters.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
        {
            const auto found = m_nodes.find({cluster, node});
            const bool isAbsent = found == m_nodes.end() || !found->second.connection;
            const bool isMissing =
                m_isConnecting ? isAbsent : m_isReporting && (isAbsent || found->second.isAsked);
            missing += isMissing ? (missing.empty() ? "" : ", ") + Describe({cluster, node}) : "";
        }
    }
    if (m_isConnecting || m_isReporting)
    {
        return "the edge server waits for " +
               std::string(m_isConnecting ? "a first call of " : "the state of ") +
               (missing.empty() ? "nobody" : missing);
    }
    if (m_isIdle)
    {
        for (const auto& [id, member] : m_nodes)
        {
            missing += member.connection ? "" : (missing.empty() ? "" : ", ") + Describe(id);
        }
        return "the edge server has no cluster left that could end round " +
               std::to_string(m_record.round) +
               (missing.empty() ? ", though all nodes are there"
                                : " and waits for the return of " + missing);
    }
    std::string text;
    for (const auto& recovery : m_recoveries)
    {
        const auto wait = recovery->DescribeWait();
        text += wait.empty() ? "" : (text.empty() ? "" : "; ") + wait;
    }
    return text;
}

} // namespace collapipe
} // namespace ns3
