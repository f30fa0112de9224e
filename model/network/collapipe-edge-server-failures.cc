/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The edge server where its nodes fail: who is to blame, what is begun anew, for whom it waits.

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

NS_LOG_COMPONENT_DEFINE("CollaPipeEdgeServerFailures");

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
    failure.cluster = m_ids[id.first].number;
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
    services.id = m_ids[cluster];
    services.round = m_record.round;
    services.isPresent = [this, cluster](NodeIndex node) {
        // One that is back is of use once it knows the round
        return IsPresent(cluster, node) && !m_nodes.at({cluster, node}).isAsked;
    };
    services.send = [this, cluster](NodeIndex node, Message message) {
        message.header.cluster = m_ids[cluster].number;
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
        if (GetContext().sendsBase)
        {
            // Moving a cut costs less where nodes have got frozen weights in the meantime
            ReportNodes(cluster);
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

std::vector<std::pair<ClusterId, NodeIndex>>
EdgeServerApplication::GetMissed() const
{
    std::vector<std::pair<ClusterId, NodeIndex>> missed;
    const bool isAnyRunning =
        std::any_of(m_runs.begin(), m_runs.end(), [](const auto& run) { return run->IsRunning(); });
    if (isAnyRunning || !(m_isIdle || m_isFruitless))
    {
        return missed;
    }
    for (const auto& [id, member] : m_nodes)
    {
        if (!member.connection)
        {
            missed.emplace_back(m_ids[id.first], id.second);
        }
    }
    return missed;
}

Time
EdgeServerApplication::GetPatience() const
{
    return m_patience;
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
        for (const auto& [cluster, node] : GetMissed())
        {
            missing += (missing.empty() ? "" : ", ") + GetNodeName(cluster, node);
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
