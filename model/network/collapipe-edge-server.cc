/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-edge-server.h"

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

EdgeServerApplication::EdgeServerApplication() = default;
EdgeServerApplication::~EdgeServerApplication() = default;

void
EdgeServerApplication::DoDispose()
{
    m_runs.clear();
    m_nodes.clear();
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
                                   std::vector<uint32_t> numbers)
{
    m_clusters = std::move(clusters);
    m_numbers = std::move(numbers);
    if (m_numbers.empty())
    {
        m_numbers.resize(m_clusters.size());
        std::iota(m_numbers.begin(), m_numbers.end(), 0);
    }
    NS_ABORT_MSG_IF(m_numbers.size() != m_clusters.size(), "each cluster needs one number");
}

const std::vector<uint32_t>&
EdgeServerApplication::GetClusterNumbers() const
{
    return m_numbers;
}

const LearningMonitor&
EdgeServerApplication::GetLearningMonitor() const
{
    return m_learning;
}

uint32_t
EdgeServerApplication::FindCluster(uint32_t number) const
{
    return std::find(m_numbers.begin(), m_numbers.end(), number) - m_numbers.begin();
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
    m_samples.assign(m_clusters.size(), 0);
}

Ptr<Connection>
EdgeServerApplication::GetNodeConnection(uint32_t cluster, NodeIndex node) const
{
    const auto it = m_nodes.find({cluster, node});
    NS_ABORT_MSG_IF(it == m_nodes.end(),
                    "the plan uses node " << node << " of cluster " << cluster
                                          << ", which is not connected");
    return it->second;
}

void
EdgeServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const auto& header = message.header;
    if (header.type == MessageType::HELLO)
    {
        HandleHello(connection, header);
        return;
    }
    const uint32_t cluster = FindCluster(header.cluster);
    NS_ABORT_MSG_IF(header.round != m_record.round || cluster >= m_clusters.size(),
                    "a " << ToString(header.type) << " of round " << header.round << ", cluster "
                         << header.cluster << " came to the edge server in round "
                         << m_record.round);
    if (header.type == MessageType::STATE_REPORT)
    {
        HandleReport(message);
        return;
    }
    NS_ABORT_MSG_IF(m_missingReports > 0,
                    "a " << ToString(header.type) << " came before the round was planned");
    m_runs[cluster]->HandleMessage(std::move(message));
}

void
EdgeServerApplication::HandleWritable()
{
    for (auto& run : m_runs)
    {
        run->Resume();
    }
}

void
EdgeServerApplication::HandleHello(Ptr<Connection> connection, const MessageHeader& header)
{
    const uint32_t cluster = FindCluster(header.cluster);
    NS_ABORT_MSG_IF(cluster >= m_clusters.size() || header.node >= m_clusters[cluster].size(),
                    "node " << header.node << " of cluster " << header.cluster
                            << " says hello, but there is no such node");
    m_nodes[{cluster, header.node}] = connection;
    if (m_nodes.size() == CountNodes() && m_record.round == 0)
    {
        HandleConnected();
    }
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
    const uint32_t round = m_record.round + 1;
    m_record = RoundRecord();
    m_record.round = round;
    m_record.start = Simulator::Now();
    m_missingReports = m_nodes.size();
    NS_LOG_INFO("round " << round << " begins at " << m_record.start.As(Time::S));
    for (const auto& [id, connection] : m_nodes)
    {
        MessageHeader header;
        header.type = MessageType::STATE_REQUEST;
        header.cluster = m_numbers[id.first];
        header.node = EDGE_SERVER;
        header.round = round;
        SendMessage(connection, {header, {}});
    }
}

void
EdgeServerApplication::HandleReport(const Message& message)
{
    StateReport report;
    NS_ABORT_MSG_IF(message.tensors.size() != 1, "a state report must have one tensor");
    const auto error = DecodeReport(message.tensors[0], report);
    NS_ABORT_MSG_IF(!error.empty(), error);
    const auto& header = message.header;
    const uint32_t index = FindCluster(header.cluster);
    m_director->HandleReport(index, header.node, report);
    if (header.node == CONTROL_UNIT)
    {
        m_samples[index] = report.samples;
    }
    NS_ABORT_MSG_IF(m_missingReports == 0, "a node reported its state twice in a round");
    if (--m_missingReports == 0)
    {
        NS_ABORT_MSG_IF(CountSamples() <= 0, "no control unit holds training data");
        HandleReported(CountSamples());
    }
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
    m_record.plan = m_director->Decide(m_record.round, weights);
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
                                                      MakeServices(cluster)));
    }
    for (auto& run : m_runs)
    {
        run->Distribute(*m_model);
    }
}

ClusterRun::Services
EdgeServerApplication::MakeServices(uint32_t cluster)
{
    ClusterRun::Services services;
    services.context = &GetContext();
    services.number = m_numbers[cluster];
    services.processor = GetProcessor();
    services.edgeAddress =
        Ipv4Address::GetAny(); // nodes know the edge server by their own attribute
    services.aggregator = m_aggregator.get();
    services.learning = &m_learning;
    services.send = [this, cluster](NodeIndex node, Message message) {
        message.header.cluster = m_numbers[cluster];
        SendMessage(GetNodeConnection(cluster, node), std::move(message));
    };
    services.canSend = [this, cluster] {
        for (NodeIndex node = 0; node < m_clusters[cluster].size(); ++node)
        {
            if (!GetNodeConnection(cluster, node)->CanSend())
            {
                return false;
            }
        }
        return true;
    };
    services.onPhase = [this, cluster](Phase phase) {
        m_director->BeginPhase(cluster, phase);
        m_phaseTrace(m_record.round, m_numbers[cluster], phase);
    };
    services.onFlush = [this, cluster](uint32_t, uint32_t iteration, const ModelPart& part) {
        m_flushTrace(m_numbers[cluster], m_record.round, iteration, part);
    };
    services.onPass = [this, cluster](PassRecord record) {
        record.cluster = m_numbers[cluster];
        m_passTrace(record);
    };
    services.onFinished = [this] {
        if (--m_runningClusters == 0)
        {
            // Not from within a message or a stage: what ends here is still on the stack.
            Simulator::ScheduleNow(&EdgeServerApplication::EndRound, this);
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
        if (!m_runs[i]->HasLoss())
        {
            return std::numeric_limits<double>::quiet_NaN();
        }
        loss += GetWeight(i) * m_runs[i]->GetLossSum();
    }
    return loss / m_record.plan->localIterations;
}

void
EdgeServerApplication::EndRound()
{
    m_record.end = Simulator::Now();
    for (const auto& run : m_runs)
    {
        m_record.phases.push_back(run->GetPhaseTimes());
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
