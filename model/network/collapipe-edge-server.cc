/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-edge-server.h"

#include "collapipe-message-shapes.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeEdgeServer");
NS_OBJECT_ENSURE_REGISTERED(EdgeServerApplication);

TypeId
EdgeServerApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::EdgeServerApplication")
            .SetParent<ModelServerApplication>()
            .SetGroupName("CollaPipe")
            .AddConstructor<EdgeServerApplication>()
            .AddAttribute("ControlLoop",
                          "Decides rounds and learns from them; for its trace sources.",
                          TypeId::ATTR_GET,
                          PointerValue(),
                          MakePointerAccessor(&EdgeServerApplication::m_director),
                          MakePointerChecker<RoundDirector>())
            .AddAttribute("Recovery",
                          "Decides what is done when a node fails.",
                          TypeId::ATTR_GET | TypeId::ATTR_SET,
                          PointerValue(),
                          MakePointerAccessor(&EdgeServerApplication::m_recovery),
                          MakePointerChecker<RecoveryPolicy>())
            .AddAttribute("Patience",
                          "A node of which nothing was heard for longer counts as failed; it is "
                          "looked for once in a heartbeat.",
                          TimeValue(Seconds(30)),
                          MakeTimeAccessor(&EdgeServerApplication::m_patience),
                          MakeTimeChecker(TimeStep(1)))
            .AddAttribute("TaskPatience",
                          "Where a cluster makes no progress for longer, and for longer than three "
                          "times the round was planned to take, the node that is furthest behind "
                          "counts as failed.",
                          TimeValue(Seconds(600)),
                          MakeTimeAccessor(&EdgeServerApplication::m_taskPatience),
                          MakeTimeChecker(TimeStep(1)))
            .AddTraceSource("Failure",
                            "A node counts as failed.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_failureTrace),
                            "ns3::collapipe::EdgeServerApplication::FailureTracedCallback")
            .AddTraceSource("Return",
                            "A node that had failed is back.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_returnTrace),
                            "ns3::collapipe::EdgeServerApplication::ReturnTracedCallback")
            .AddTraceSource("Recovery",
                            "A cluster begins another attempt at its round, or is left out of it.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_recoveryTrace),
                            "ns3::collapipe::EdgeServerApplication::RecoveryTracedCallback")
            .AddTraceSource("Phase",
                            "A phase of a cluster's round begins.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_phaseTrace),
                            "ns3::collapipe::EdgeServerApplication::PhaseTracedCallback")
            .AddTraceSource("Flush",
                            "An iteration's gradients of the edge server's stage are complete.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_flushTrace),
                            "ns3::collapipe::EdgeServerApplication::FlushTracedCallback");
    return tid;
}

EdgeServerApplication::EdgeServerApplication()
    : m_recovery(CreateObject<ReplanRecovery>())
{
}

EdgeServerApplication::~EdgeServerApplication() = default;

void
EdgeServerApplication::DoDispose()
{
    m_watch.Cancel();
    m_begin.Cancel();
    m_end.Cancel();
    m_recoveries.clear();
    m_runs.clear();
    m_nodes.clear();
    m_recovery = nullptr;
    m_director = nullptr;
    ModelServerApplication::DoDispose();
}

void
EdgeServerApplication::SetDirector(Ptr<RoundDirector> director)
{
    m_director = director;
}

void
EdgeServerApplication::SetClusters(std::vector<ClusterAddresses> clusters,
                                   const std::vector<ClusterId>& ids)
{
    m_clusters = std::move(clusters);
    m_ids = ids;
    for (uint32_t number = 0; ids.empty() && number < m_clusters.size(); ++number)
    {
        m_ids.emplace_back(number);
    }
    NS_ABORT_MSG_IF(m_ids.size() != m_clusters.size(), "each cluster needs one number");
}

void
EdgeServerApplication::SetRecovery(Ptr<RecoveryPolicy> policy)
{
    m_recovery = policy;
}

const std::vector<ClusterId>&
EdgeServerApplication::GetClusterIds() const
{
    return m_ids;
}

const LearningMonitor&
EdgeServerApplication::GetLearningMonitor() const
{
    return m_learning;
}

uint32_t
EdgeServerApplication::FindCluster(ClusterId id) const
{
    return std::find(m_ids.begin(), m_ids.end(), id) - m_ids.begin();
}

std::size_t
EdgeServerApplication::CountNodes() const
{
    return std::accumulate(
        m_clusters.begin(),
        m_clusters.end(),
        std::size_t{0},
        [](std::size_t sum, const auto& addresses) { return sum + addresses.size(); });
}

void
EdgeServerApplication::StartApplication()
{
    NS_ABORT_MSG_IF(!m_director,
                    "the edge server needs a control loop, see ControlLoop::Install()");
    ModelServerApplication::StartApplication();
    m_constants.stepSize = GetContext().optimizer.learningRate;
    m_samples.resize(m_clusters.size(), 0);
    m_attempts.resize(m_clusters.size(), 0);
    m_reached.resize(m_clusters.size());
    m_isConnecting = true;
    // Nodes call a server that has lost power as soon as it is back; who does not may never do so.
    const bool isRestart = !m_nodes.empty();
    m_begin = Simulator::Schedule(isRestart ? m_patience : m_recovery->GetDeadline(),
                                  &EdgeServerApplication::BeginWithout,
                                  this);
    if (GetContext().heartbeat.IsStrictlyPositive())
    {
        m_watch = Simulator::Schedule(GetContext().heartbeat, &EdgeServerApplication::Watch, this);
    }
}

void
EdgeServerApplication::StopApplication()
{
    m_watch.Cancel();
    m_begin.Cancel();
    m_end.Cancel();
    m_recoveries.clear();
    m_runs.clear();
    for (auto& [id, member] : m_nodes)
    {
        member.connection = nullptr;
    }
    ModelServerApplication::StopApplication();
}

void
EdgeServerApplication::HandleWritable()
{
    for (auto& run : m_runs)
    {
        run->Resume();
    }
}

uint32_t
EdgeServerApplication::GetRound() const
{
    return m_record.round;
}

void
EdgeServerApplication::HandleConnected()
{
    BeginRound();
}

void
EdgeServerApplication::BeginRound()
{
    NS_ABORT_MSG_IF(!m_model, "the edge server needs a model to begin with");
    m_begin.Cancel();
    const uint32_t round = m_record.round + 1;
    m_record = RoundRecord();
    m_record.round = round;
    m_record.start = Simulator::Now();
    m_recoveries.clear();
    m_runs.clear();
    m_isConnecting = false;
    m_isUnderWay = true;
    m_isReporting = true;
    m_isIdle = false;
    NS_LOG_INFO("round " << round << " begins at " << m_record.start.As(Time::S));
    bool isAnyAsked = false;
    for (auto& [id, member] : m_nodes)
    {
        member.passes = 0;
        if (member.connection)
        {
            AskState(id);
            isAnyAsked = true;
        }
    }
    m_isIdle = !isAnyAsked; // the next hello begins the round anew
}

void
EdgeServerApplication::HandleReported(double samples)
{
    Decide(samples);
}

double
EdgeServerApplication::CountSamples() const
{
    return std::accumulate(m_samples.begin(), m_samples.end(), 0.0);
}

double
EdgeServerApplication::GetWeight(uint32_t cluster) const
{
    return m_samples[cluster] / CountSamples();
}

void
EdgeServerApplication::Decide(double allSamples)
{
    std::vector<double> weights;
    for (const auto samples : m_samples)
    {
        weights.push_back(samples / allSamples);
    }
    m_director->SetStart(!GetModel().optimizer.empty());
    const bool isAnyAbsent = ApplyReports(false);
    m_record.plan = m_director->Decide(m_record.round, weights, !isAnyAbsent);
    if (!m_record.plan && isAnyAbsent)
    {
        // Not without those that are absent: their clusters wait, or are left out of the round.
        ApplyReports(true);
        m_record.plan = m_director->Decide(m_record.round, weights, true);
    }
    if (!m_record.plan)
    {
        return;
    }
    m_record.planned = Simulator::Now();
    StartClusters();
}

void
EdgeServerApplication::StartClusters()
{
    m_recoveries.clear();
    m_aggregator = std::make_unique<Aggregator>(GetContext().model);
    m_runs.clear();
    m_runningClusters = m_clusters.size();
    for (uint32_t cluster = 0; cluster < m_clusters.size(); ++cluster)
    {
        m_runs.push_back(std::make_unique<ClusterRun>(cluster,
                                                      m_record.round,
                                                      *m_record.plan,
                                                      GetWeight(cluster),
                                                      m_clusters[cluster],
                                                      m_attempts[cluster],
                                                      MakeServices(cluster)));
        m_runs.back()->SetReached(m_reached[cluster]);
        m_recoveries.push_back(
            std::make_unique<ClusterRecovery>(*m_runs.back(), MakeRecoveryServices(cluster)));
    }
    for (auto& run : m_runs)
    {
        run->Distribute(m_model);
    }
    FailAbsent();
}

ClusterRun::Services
EdgeServerApplication::MakeServices(uint32_t cluster)
{
    ClusterRun::Services services;
    services.context = &GetContext();
    services.id = m_ids[cluster];
    services.processor = GetProcessor();
    services.edgeAddress =
        Ipv4Address::GetAny(); // nodes know the edge server by their own attribute
    services.aggregator = m_aggregator.get();
    services.learning = &m_learning;
    services.send = [this, cluster](NodeIndex node, Message message) {
        message.header.cluster = m_ids[cluster].number;
        const auto found = m_nodes.find({cluster, node});
        if (found != m_nodes.end() && found->second.connection)
        {
            SendMessage(found->second.connection, std::move(message));
        }
    };
    services.takeMissingBase = [this, cluster](NodeIndex node, const PartRange& range, bool isOwn) {
        const auto found = m_nodes.find({cluster, node});
        if (found == m_nodes.end() || !found->second.connection)
        {
            return std::vector<uint32_t>();
        }
        // What was sent over a connection arrives before what is sent later, or the node calls anew
        // and says what it has. What somebody else carries may be lost with that
        auto& held = found->second.report.heldBase;
        const auto missing = ListMissingBase(GetContext().model, range, held);
        for (const auto number : isOwn ? missing : std::vector<uint32_t>())
        {
            AddBaseLink(GetContext().model, number, held);
        }
        return missing;
    };
    services.canSend = [this, cluster] {
        for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
        {
            const auto found = m_nodes.find({cluster, node});
            if (found != m_nodes.end() && found->second.connection &&
                !found->second.connection->CanSend())
            {
                return false;
            }
        }
        return true;
    };
    services.onPhase = [this, cluster](Phase phase, bool begins) {
        m_director->BeginPhase(cluster, phase, m_runs[cluster]->GetSettings());
        if (begins)
        {
            m_phaseTrace(m_record.round, m_ids[cluster].number, phase);
        }
    };
    services.onFlush = [this, cluster](uint32_t, uint32_t iteration, const ModelPart& part) {
        m_flushTrace(m_ids[cluster].number, m_record.round, iteration, part);
    };
    services.onPass = [this](const PassRecord& record) { m_passTrace(record); };
    services.onFinished = [this] {
        if (--m_runningClusters == 0)
        {
            // Not from within a message or a stage: what ends here is still on the stack.
            m_end = Simulator::ScheduleNow(&EdgeServerApplication::EndRound, this);
        }
    };
    return services;
}

double
EdgeServerApplication::ComputeTrainLoss() const
{
    double loss = 0;
    for (std::size_t i = 0; i < m_runs.size(); ++i)
    {
        if (m_runs[i]->IsGivenUp())
        {
            continue;
        }
        if (!m_runs[i]->HasLoss())
        {
            return std::numeric_limits<double>::quiet_NaN();
        }
        loss += GetWeight(i) / CountEnded() * m_runs[i]->GetLossSum();
    }
    return loss / m_record.plan->localIterations;
}

double
EdgeServerApplication::CountEnded() const
{
    double ended = 0;
    bool isAll = true;
    for (std::size_t i = 0; i < m_runs.size(); ++i)
    {
        ended += m_runs[i]->IsGivenUp() ? 0 : GetWeight(i);
        isAll &= !m_runs[i]->IsGivenUp();
    }
    return isAll ? 1 : ended;
}

void
EdgeServerApplication::EndRound()
{
    if (CountEnded() <= 0)
    {
        // Nothing was learnt, and would not be at once either: the next hello begins the round
        // anew. What failed though everybody was there may go better some time later.
        m_isIdle = m_isFruitless = true;
        m_begin = Simulator::Schedule(m_patience, &EdgeServerApplication::BeginAgain, this);
        return;
    }
    m_isUnderWay = m_isFruitless = false;
    m_attempts.assign(m_clusters.size(), 0);
    m_reached.assign(m_clusters.size(), {});
    m_record.end = Simulator::Now();
    m_progress = m_record.end;
    for (std::size_t i = 0; i < m_runs.size(); ++i)
    {
        m_record.phases.push_back(m_runs[i]->GetPhaseTimes());
        if (!m_runs[i]->IsGivenUp())
        {
            m_runs[i]->Contribute(GetWeight(i) / CountEnded());
        }
    }
    m_record.trainLoss = ComputeTrainLoss();
    m_learning.EndRound(GetContext().model, m_model->parameters, m_constants);
    m_record.learning = m_constants;
    m_model = std::make_shared<const ModelState>(m_aggregator->Average());
    RecallRound();
    m_director->EndRound(m_record);
    HandleAveraged(m_record);
}

void
EdgeServerApplication::RecallRound()
{
    const uint32_t rounds = m_history ? m_history->GetRounds() : 0;
    if (m_record.round > rounds)
    {
        return;
    }
    m_record.trainLoss = m_history->trainLosses[m_record.round - 1];
    m_record.learning = m_history->learning[m_record.round - 1];
    m_constants = m_record.learning;
    if (m_record.round == rounds)
    {
        m_learning = m_history->monitor;
        m_model = std::make_shared<const ModelState>(m_history->model);
    }
}

void
EdgeServerApplication::HandleAveraged(const RoundRecord& record)
{
    FinishRound(record);
}

} // namespace collapipe
} // namespace ns3
