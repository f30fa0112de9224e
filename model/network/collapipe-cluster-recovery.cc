/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-cluster-recovery.h"

#include "collapipe-message-shapes.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeClusterRecovery");

namespace
{

constexpr double RETRY_S = 0.1; //!< times the number of the attempt: between two attempts

/// By how many local iterations a stage's state can be ahead of the edge server's: it has done the
/// one that credit has let it begin, where it has no backward pass
constexpr uint32_t MAX_LEAD = 2;

} // namespace

ClusterRecovery::ClusterRecovery(ClusterRun& run, Services services)
    : m_run(run),
      m_services(std::move(services))
{
}

ClusterRecovery::~ClusterRecovery()
{
    m_deadline.Cancel();
    m_retry.Cancel();
}

bool
ClusterRecovery::IsRecovering() const
{
    return m_recovering;
}

std::string
ClusterRecovery::DescribeWait() const
{
    return m_recovering ? "cluster " + std::to_string(m_services.id.number) + " waits " + m_waitsFor
                        : m_run.DescribeWait();
}

void
ClusterRecovery::HandleFailure(const NodeFailure& failure)
{
    if (!failure.isNeeded || m_run.IsFinished() || m_run.IsGivenUp())
    {
        return;
    }
    NS_LOG_INFO("cluster " << m_services.id.number << ": " << failure.text);
    if (!m_recovering)
    {
        m_recovering = true;
        m_since = Simulator::Now();
        m_reached = m_run.GetIteration();
        m_run.Abandon();
    }
    m_wanted = 0;
    m_asked.clear();
    m_states.clear();
    m_limit = std::numeric_limits<uint32_t>::max();
    if (m_services.isPresent(failure.node))
    {
        m_excluded.insert(failure.node);
    }
    m_step = m_services.policy->Decide(failure);
    if (m_step == RecoveryStep::DROP)
    {
        GiveUp();
        return;
    }
    if (m_run.GetAttempt() >= m_services.policy->GetMaxAttempts())
    {
        GiveUp(); // what fails again and again does not get better
        return;
    }
    if (!m_hasDeadline)
    {
        m_hasDeadline = true;
        m_deadline =
            Simulator::Schedule(m_services.policy->GetDeadline(), &ClusterRecovery::GiveUp, this);
    }
    m_retry.Cancel();
    m_retry = Simulator::Schedule(Seconds(RETRY_S * (m_run.GetAttempt() - 1)),
                                  &ClusterRecovery::TryRestart,
                                  this);
}

void
ClusterRecovery::HandleReturn()
{
    if (m_recovering && m_wanted == 0)
    {
        m_retry.Cancel();
        m_retry = Simulator::ScheduleNow(&ClusterRecovery::TryRestart, this);
    }
}

bool
ClusterRecovery::ChoosePlan(ClusterPlan& plan)
{
    std::set<NodeIndex> absent;
    for (const auto& chain : plan.chains)
    {
        for (const auto& stage : chain.stages)
        {
            if (stage.node != EDGE_SERVER && !m_services.isPresent(stage.node))
            {
                absent.insert(stage.node);
            }
        }
    }
    std::string reason;
    if (m_step == RecoveryStep::REPLAN)
    {
        auto unwanted = absent;
        unwanted.insert(m_excluded.begin(), m_excluded.end());
        if (unwanted.empty())
        {
            return true;
        }
        // Rather without those that are said to be out of order; else with them.
        reason = m_services.replan(unwanted, plan);
        if (reason.empty())
        {
            return true;
        }
        if (unwanted != absent && !absent.empty())
        {
            reason = m_services.replan(absent, plan);
            if (reason.empty())
            {
                return true;
            }
        }
    }
    if (absent.empty())
    {
        return true;
    }
    m_waitsFor = "until";
    for (const auto node : absent)
    {
        m_waitsFor +=
            " " + GetNodeName(m_services.id, node) + (node == *absent.rbegin() ? "" : ",");
    }
    m_waitsFor += absent.size() > 1 ? " are back" : " is back";
    m_waitsFor += reason.empty() ? "" : " (" + reason + ")";
    return false;
}

void
ClusterRecovery::TryRestart()
{
    m_next = m_run.GetPlan();
    if (!ChoosePlan(m_next))
    {
        return;
    }
    const uint32_t point = FindConsistentPoint(m_limit);
    if (point > m_run.GetStart().iterations)
    {
        Collect(point);
        return;
    }
    Begin(m_run.GetStart());
}

bool
ClusterRecovery::HasState(uint32_t stage) const
{
    const auto& plan = m_run.GetPlan().chains.front().stages[stage];
    return !GetSnapshotShapes(*m_services.context, ToPartRange(plan)).empty();
}

bool
ClusterRecovery::FindHolder(uint32_t stage, uint32_t iterations, NodeIndex& holder) const
{
    const auto& stages = m_run.GetPlan().chains.front().stages;
    if (!HasState(stage))
    {
        holder = EDGE_SERVER;
        return true;
    }
    if (stages[stage].node == EDGE_SERVER)
    {
        holder = EDGE_SERVER;
        return m_run.GetSnapshots(stage).count(iterations) > 0;
    }
    const auto replicas = m_run.GetReplicas().find(stage);
    if (replicas == m_run.GetReplicas().end() || replicas->second.count(iterations) == 0)
    {
        return false;
    }
    holder = stages[stage].node;
    if (m_services.isPresent(holder) && m_lost.count(holder) == 0)
    {
        return true;
    }
    const bool hasNext = stage + 1 < stages.size() && stages[stage + 1].node != EDGE_SERVER;
    if (!hasNext && stage == 0)
    {
        return false;
    }
    holder = hasNext ? stages[stage + 1].node : stages[stage - 1].node;
    return m_services.isPresent(holder) && m_lost.count(holder) == 0;
}

uint32_t
ClusterRecovery::FindConsistentPoint(uint32_t limit) const
{
    const auto& chains = m_run.GetPlan().chains;
    const uint32_t period = m_services.context->replicaPeriod;
    if (period == 0 || chains.size() != 1)
    {
        return 0;
    }
    const auto stages = static_cast<uint32_t>(chains.front().stages.size());
    // No stage is more than one iteration ahead of the edge server's, or of what was reached.
    const uint32_t most = std::min(m_reached + 1, limit - 1);
    for (uint32_t point = most / period * period; point > m_run.GetStart().iterations;
         point -= period)
    {
        bool survives = true;
        for (uint32_t stage = 0; stage < stages && survives; ++stage)
        {
            NodeIndex holder = EDGE_SERVER;
            survives = FindHolder(stage, point, holder);
        }
        if (survives)
        {
            return point;
        }
    }
    return 0;
}

void
ClusterRecovery::Collect(uint32_t iterations)
{
    m_wanted = iterations;
    m_asked.clear();
    m_states.clear();
    m_waitsFor =
        "for the states of its stages after " + std::to_string(iterations) + " local iterations";
    const auto& stages = m_run.GetPlan().chains.front().stages;
    for (uint32_t stage = 0; stage < stages.size(); ++stage)
    {
        NodeIndex holder = EDGE_SERVER;
        FindHolder(stage, iterations, holder);
        if (!HasState(stage))
        {
            m_states[stage]; // an answer without tensors says that the state is lost
            continue;
        }
        if (holder == EDGE_SERVER)
        {
            m_states[stage] = m_run.GetSnapshots(stage).at(iterations);
            continue;
        }
        m_asked[stage] = holder;
        MessageHeader header;
        header.type = MessageType::SNAPSHOT_REQUEST;
        header.node = EDGE_SERVER;
        header.round = m_services.round;
        header.attempt = static_cast<uint16_t>(m_run.GetAttempt() - 1);
        header.stage = static_cast<uint16_t>(stage);
        header.iteration = iterations;
        m_services.send(holder, {header, {}});
    }
    if (m_asked.empty())
    {
        EndCollection();
    }
}

MessageVerdict
ClusterRecovery::Check(const MessageHeader& header, const TensorList& shapes) const
{
    const auto refuse = [&header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of node " +
                                      std::to_string(header.node) + " of cluster " +
                                      std::to_string(header.cluster) + " " + why);
    };
    if (m_run.GetPlan().chains.size() != 1)
    {
        return refuse("comes from a cluster of several chains");
    }
    const auto& stages = m_run.GetPlan().chains.front().stages;
    if (header.type == MessageType::REPLICA_STORED)
    {
        if (!m_run.IsRunning() || header.attempt != m_run.GetAttempt())
        {
            return MessageVerdict::Skip("its attempt is over");
        }
        const bool isNeighbour =
            header.stage < stages.size() &&
            ((header.stage > 0 && stages[header.stage - 1].node == header.node) ||
             (header.stage + 1U < stages.size() && stages[header.stage + 1].node == header.node));
        return isNeighbour && shapes.empty() && m_services.context->replicaPeriod > 0 &&
                       header.iteration > 0 &&
                       header.iteration % m_services.context->replicaPeriod == 0 &&
                       header.iteration <= m_run.GetIteration() + MAX_LEAD
                   ? MessageVerdict::Take()
                   : refuse("tells of a replica that no plan asks for");
    }
    const auto asked = m_asked.find(header.stage);
    if (m_wanted == 0 || header.iteration != m_wanted || asked == m_asked.end() ||
        asked->second != header.node)
    {
        return MessageVerdict::Skip("nobody waits for it");
    }
    return shapes.empty() || AreAlike(shapes,
                                      GetSnapshotShapes(*m_services.context,
                                                        ToPartRange(stages[header.stage])))
               ? MessageVerdict::Take()
               : refuse("has other shapes than the stage's state");
}

void
ClusterRecovery::HandleMessage(Message message)
{
    const auto& header = message.header;
    if (header.type == MessageType::REPLICA_STORED)
    {
        m_run.NoteReplica(header.stage, header.iteration);
        return;
    }
    if (message.tensors.empty())
    {
        // The node has lost it, since it was down in the meantime: an older state, or that of
        // others.
        m_lost.insert(header.node);
        m_wanted = 0;
        m_asked.clear();
        TryRestart();
        return;
    }
    m_states[header.stage] = std::move(message.tensors);
    m_asked.erase(header.stage);
    if (m_asked.empty())
    {
        EndCollection();
    }
}

void
ClusterRecovery::EndCollection()
{
    const auto& stages = m_run.GetPlan().chains.front().stages;
    Aggregator whole(m_services.context->model);
    for (auto& [stage, tensors] : m_states)
    {
        whole.Add({0, 0}, 1.0, ToPartRange(stages[stage]), tensors);
    }
    const uint32_t iterations = m_wanted;
    m_wanted = 0;
    m_states.clear();
    Begin({std::make_shared<const ModelState>(whole.Average()), iterations});
}

void
ClusterRecovery::Begin(ClusterRun::Start start)
{
    RecoveryRecord record;
    record.cluster = m_services.id.number;
    record.round = m_services.round;
    record.attempt = m_run.GetAttempt();
    record.step = m_step;
    record.since = m_since;
    record.firstIteration = start.iterations;
    record.repeated = m_reached > start.iterations ? m_reached - start.iterations : 0;
    m_recovering = false;
    m_hasDeadline = false;
    m_deadline.Cancel();
    m_lost.clear();
    m_services.onRecovery(record);
    m_run.Restart(m_next, std::move(start));
}

void
ClusterRecovery::GiveUp()
{
    if (m_run.IsFinished() || m_run.IsGivenUp())
    {
        return;
    }
    m_deadline.Cancel();
    m_retry.Cancel();
    RecoveryRecord record;
    record.cluster = m_services.id.number;
    record.round = m_services.round;
    record.attempt = m_run.GetAttempt();
    record.step = m_step;
    record.since = m_recovering ? m_since : Simulator::Now();
    record.repeated = 0;
    record.isGivenUp = true;
    m_recovering = false;
    m_services.onRecovery(record);
    m_run.GiveUp();
}

} // namespace collapipe
} // namespace ns3
