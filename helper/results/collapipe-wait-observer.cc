/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wait-observer.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return a node's name in a sentence
std::string
NameNode(uint32_t cluster, NodeIndex node)
{
    return node == EDGE_SERVER ? "the edge server" : GetNodeName(ClusterId(cluster), node);
}

} // namespace

WaitObserver::WaitObserver(const RunApplications& applications,
                           Time patience,
                           std::function<void(const std::string&)> warn)
    : m_applications(applications),
      m_patience(patience),
      m_warn(std::move(warn))
{
    for (const auto& application : applications.GetAll())
    {
        application->TraceConnectWithoutContext("Tx", MakeCallback(&WaitObserver::HandleTx, this));
        application->TraceConnectWithoutContext("Rx", MakeCallback(&WaitObserver::HandleRx, this));
        application->GetProcessor()->TraceConnectWithoutContext(
            "Compute",
            MakeCallback(&WaitObserver::HandleCompute, this));
    }
    for (uint32_t cell = 0; cell < applications.edgeServers.size(); ++cell)
    {
        applications.edgeServers[cell]->TraceConnectWithoutContext(
            "Rx",
            MakeCallback(&WaitObserver::HandleEdgeRx, this));
        applications.loops[cell]->TraceConnectWithoutContext(
            "Plan",
            MakeCallback(&WaitObserver::HandlePlan, this).Bind(cell));
    }
    applications.leader->TraceConnectWithoutContext("Round",
                                                    MakeCallback(&WaitObserver::HandleRound, this));
    for (uint32_t cluster = 0; cluster < applications.clusters.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < applications.clusters[cluster].size(); ++node)
        {
            m_all.insert({cluster, node});
        }
    }
    Simulator::ScheduleNow(&WaitObserver::Begin, this);
}

WaitObserver::~WaitObserver()
{
    m_check.Cancel();
}

void
WaitObserver::Begin()
{
    TimeValue start;
    m_applications.leader->GetAttribute("StartTime", start);
    Progress(std::max(Simulator::Now(), start.Get()));
}

WaitObserver::MessageKey
WaitObserver::GetKey(const MessageHeader& header)
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
WaitObserver::Progress(Time until)
{
    m_progress = std::max(m_progress, until);
    if (m_check.IsExpired())
    {
        m_check = Simulator::Schedule(m_progress + m_patience - Simulator::Now(),
                                      &WaitObserver::Check,
                                      this);
    }
}

void
WaitObserver::Check()
{
    if (Simulator::Now() < m_progress + m_patience)
    {
        m_check = Simulator::Schedule(m_progress + m_patience - Simulator::Now(),
                                      &WaitObserver::Check,
                                      this);
        return;
    }
    std::ostringstream text;
    text << "nothing has arrived and nobody has computed for " << m_patience.GetSeconds()
         << " s of simulated time, since " << m_progress.GetSeconds() << " s: " << Describe();
    m_warn(text.str());
}

void
WaitObserver::HandleTx(const MessageHeader& header, uint64_t /* bytes */)
{
    auto& underWay = m_underWay[GetKey(header)];
    underWay.first = underWay.second == 0 ? Simulator::Now() : underWay.first;
    ++underWay.second;
    Progress(Simulator::Now());
}

void
WaitObserver::HandleRx(const MessageHeader& header, uint64_t /* bytes */)
{
    const auto sent = m_underWay.find(GetKey(header));
    if (sent != m_underWay.end() && --sent->second.second == 0)
    {
        m_underWay.erase(sent);
    }
    Progress(Simulator::Now());
}

void
WaitObserver::HandleEdgeRx(const MessageHeader& header, uint64_t /* bytes */)
{
    const NodeKey node{header.cluster, header.node};
    switch (header.type)
    {
    case MessageType::HELLO:
        m_connected.insert(node);
        return;
    case MessageType::STATE_REPORT:
        m_reported.insert(node);
        return;
    case MessageType::READY:
        m_ready.insert(node);
        return;
    case MessageType::PARAMETER_UPLOAD: {
        // A control unit may have brought it
        const auto holder = m_holders.find({header.cluster, header.chain, header.stage});
        m_uploaded.insert(
            {header.cluster, holder == m_holders.end() ? header.node : holder->second});
        return;
    }
    default:
        return;
    }
}

void
WaitObserver::HandleCompute(Time start, Time duration)
{
    Progress(start + duration);
}

void
WaitObserver::HandlePlan(uint32_t cell, const SystemState& /* state */, const RoundPlan& plan)
{
    const auto& ids = m_applications.loops[cell]->GetClusterIds();
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        const auto& chains = plan.clusters[m].chains;
        for (std::size_t c = 0; c < chains.size(); ++c)
        {
            for (std::size_t s = 0; s < chains[c].stages.size(); ++s)
            {
                const NodeIndex node = chains[c].stages[s].node;
                if (node != EDGE_SERVER)
                {
                    m_planned.insert({ids[m].number, node});
                    m_holders[{ids[m].number, c, s}] = node;
                }
            }
        }
    }
}

void
WaitObserver::HandleRound(const RoundRecord& record)
{
    m_round = record.round;
    m_reported.clear();
    m_planned.clear();
    m_holders.clear();
    m_ready.clear();
    m_uploaded.clear();
}

std::string
WaitObserver::ListMissing(const std::set<NodeKey>& wanted, const std::set<NodeKey>& there)
{
    constexpr std::size_t SHOWN = 6; // more tell nobody anything
    std::vector<std::string> names;
    for (const auto& [cluster, node] : wanted)
    {
        if (there.count({cluster, node}) == 0)
        {
            names.push_back(NameNode(cluster, node));
        }
    }
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), SHOWN); ++i)
    {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return names.size() > SHOWN ? text + " and " + std::to_string(names.size() - SHOWN) + " more"
                                : text;
}

std::string
WaitObserver::Describe() const
{
    std::string waits = "for a node";
    if (const auto missing = ListMissing(m_all, m_connected); !missing.empty())
    {
        waits = "for " + missing + " to connect to the edge server";
    }
    else if (m_planned.empty())
    {
        const auto silent = ListMissing(m_all, m_reported);
        waits = silent.empty() ? "for the lead of the edge servers"
                               : "for " + silent + " to report their state";
    }
    else if (const auto bare = ListMissing(m_planned, m_ready); !bare.empty())
    {
        waits = "for " + bare + " to get their part of the model";
    }
    else if (const auto late = ListMissing(m_planned, m_uploaded); !late.empty())
    {
        waits = m_uploaded.empty() ? "in the training of " + late
                                   : "for " + late + " to send their part of the model back";
    }
    std::ostringstream text;
    text << "round " << m_round + 1 << " waits " << waits;
    const auto oldest = std::min_element(
        m_underWay.begin(),
        m_underWay.end(),
        [](const auto& left, const auto& right) { return left.second.first < right.second.first; });
    if (oldest != m_underWay.end())
    {
        const auto& [type, cluster, node, chain, stage, round, iteration, microBatch] =
            oldest->first;
        text << "; the " << ToString(type) << " message that " << NameNode(cluster, node)
             << " sent at " << oldest->second.first.GetSeconds() << " s has not arrived";
    }
    return text.str();
}

} // namespace collapipe
} // namespace ns3
