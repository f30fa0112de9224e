/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-edge-server.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

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
            .SetParent<MessageApplication>()
            .SetGroupName("CollaPipe")
            .AddConstructor<EdgeServerApplication>()
            .AddAttribute("Rounds",
                          "Number of training rounds.",
                          UintegerValue(1),
                          MakeUintegerAccessor(&EdgeServerApplication::m_rounds),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("Controller",
                          "Decides every round; for its trace sources.",
                          TypeId::ATTR_GET,
                          PointerValue(),
                          MakePointerAccessor(&EdgeServerApplication::m_controller),
                          MakePointerChecker<Controller>())
            .AddAttribute("Actuator",
                          "Acts on the radios; for its trace source.",
                          TypeId::ATTR_GET,
                          PointerValue(),
                          MakePointerAccessor(&EdgeServerApplication::m_actuator),
                          MakePointerChecker<RadioActuator>())
            .AddTraceSource("Plan",
                            "The controller has decided a round.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_planTrace),
                            "ns3::collapipe::EdgeServerApplication::PlanTracedCallback")
            .AddTraceSource("Phase",
                            "A phase of a cluster's round begins.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_phaseTrace),
                            "ns3::collapipe::EdgeServerApplication::PhaseTracedCallback")
            .AddTraceSource("Round",
                            "A round has ended.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_roundTrace),
                            "ns3::collapipe::EdgeServerApplication::RoundTracedCallback")
            .AddTraceSource("Evaluation",
                            "The model after a round was evaluated.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_evaluationTrace),
                            "ns3::collapipe::EdgeServerApplication::EvaluationTracedCallback")
            .AddTraceSource("Flush",
                            "An iteration's gradients of the edge server's stage are complete.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_flushTrace),
                            "ns3::collapipe::EdgeServerApplication::FlushTracedCallback")
            .AddTraceSource("Measurement",
                            "What a round has cost, before the controller is told.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_measurementTrace),
                            "ns3::collapipe::EdgeServerApplication::MeasurementTracedCallback")
            .AddTraceSource("Finished",
                            "All rounds have ended.",
                            MakeTraceSourceAccessor(&EdgeServerApplication::m_finishedTrace),
                            "ns3::collapipe::EdgeServerApplication::FinishedTracedCallback");
    return tid;
}

EdgeServerApplication::EdgeServerApplication() = default;
EdgeServerApplication::~EdgeServerApplication() = default;

void
EdgeServerApplication::DoDispose()
{
    m_runs.clear();
    m_nodes.clear();
    m_controller = nullptr;
    m_actuator = nullptr;
    m_stateUpdate = nullptr;
    m_energyMeter = nullptr;
    m_evaluating.clear();
    m_evaluator = nullptr;
    MessageApplication::DoDispose();
}

void
EdgeServerApplication::SetController(Ptr<Controller> controller)
{
    m_controller = controller;
}

void
EdgeServerApplication::SetClusters(std::vector<ClusterAddresses> clusters)
{
    m_clusters = std::move(clusters);
}

void
EdgeServerApplication::SetSystemState(const SystemState& state)
{
    m_state = state;
}

void
EdgeServerApplication::SetStateUpdate(std::function<void(SystemState&)> update)
{
    m_stateUpdate = std::move(update);
}

void
EdgeServerApplication::SetEnergyMeter(std::function<std::vector<std::vector<double>>()> measure)
{
    m_energyMeter = std::move(measure);
}

void
EdgeServerApplication::SetActuator(Ptr<RadioActuator> actuator)
{
    m_actuator = actuator;
}

Ptr<Controller>
EdgeServerApplication::GetController() const
{
    return m_controller;
}

Ptr<RadioActuator>
EdgeServerApplication::GetActuator() const
{
    return m_actuator;
}

void
EdgeServerApplication::SetModel(ModelState model)
{
    m_model = std::make_shared<const ModelState>(std::move(model));
}

void
EdgeServerApplication::SetValidation(const std::vector<Sample>* samples)
{
    m_validation = samples;
}

const ModelState&
EdgeServerApplication::GetModel() const
{
    return *m_model;
}

const std::vector<EvaluationResult>&
EdgeServerApplication::GetEvaluations()
{
    JoinEvaluations(0);
    return m_evaluations;
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
    NS_ABORT_MSG_IF(!m_controller || !m_model || m_state.clusters.size() != m_clusters.size(),
                    "the edge server needs a controller, a model and a state of each cluster");
    MessageApplication::StartApplication();
    m_evaluator = GetContext().executor->CreateStrand();
    m_samples.assign(m_clusters.size(), 0);
    PostEvaluation();
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
    NS_ABORT_MSG_IF(header.round != m_record.round || header.cluster >= m_clusters.size(),
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
    m_runs[header.cluster]->HandleMessage(std::move(message));
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
    NS_ABORT_MSG_IF(header.cluster >= m_clusters.size() ||
                        header.node >= m_clusters[header.cluster].size(),
                    "node " << header.node << " of cluster " << header.cluster
                            << " says hello, but there is no such node");
    m_nodes[{header.cluster, header.node}] = connection;
    if (m_nodes.size() == CountNodes() && m_record.round == 0)
    {
        BeginRound();
    }
}

void
EdgeServerApplication::BeginRound()
{
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
        header.cluster = id.first;
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
    auto& cluster = m_state.clusters[header.cluster];
    auto& node =
        header.node == CONTROL_UNIT ? cluster.controlUnit : cluster.devices.at(header.node - 1);
    node.flops = report.flops;
    node.overheadS = report.overheadS;
    node.memoryBytes = report.memoryBytes;
    node.computePowerW = report.computePowerW;
    node.batteryJ = report.batteryJ;
    if (header.node == CONTROL_UNIT)
    {
        m_samples[header.cluster] = report.samples;
    }
    NS_ABORT_MSG_IF(m_missingReports == 0, "a node reported its state twice in a round");
    if (--m_missingReports == 0)
    {
        Decide();
    }
}

void
EdgeServerApplication::Decide()
{
    const double samples = std::accumulate(m_samples.begin(), m_samples.end(), 0.0);
    NS_ABORT_MSG_IF(samples <= 0, "no control unit holds training data");
    for (std::size_t i = 0; i < m_samples.size(); ++i)
    {
        m_state.clusters[i].weight = m_samples[i] / samples;
    }
    m_state.round = m_record.round;
    if (m_stateUpdate)
    {
        m_stateUpdate(m_state);
    }
    auto plan = m_controller->Decide(m_state);
    NS_ABORT_MSG_IF(!plan.infeasible.empty(),
                    "there is no plan for round " << m_record.round << ": " << plan.infeasible);
    const auto error = CheckPlan(m_state, plan);
    NS_ABORT_MSG_IF(!error.empty(),
                    "the controller's plan for round " << m_record.round
                                                       << " cannot be used: " << error);
    m_record.plan = std::make_shared<const RoundPlan>(std::move(plan));
    m_record.planned = Simulator::Now();
    m_planTrace(m_state, *m_record.plan);
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
                                                      m_state.clusters[cluster].weight,
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
    services.processor = GetProcessor();
    services.edgeAddress =
        Ipv4Address::GetAny(); // nodes know the edge server by their own attribute
    services.aggregator = m_aggregator.get();
    services.send = [this, cluster](NodeIndex node, Message message) {
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
        if (m_actuator)
        {
            m_actuator->Apply(cluster, phase, m_record.plan->clusters[cluster]);
        }
        m_phaseTrace(m_record.round, cluster, phase);
    };
    services.onFlush = [this, cluster](uint32_t, uint32_t iteration, const ModelPart& part) {
        m_flushTrace(cluster, m_record.round, iteration, part);
    };
    services.onPass = [this](const PassRecord& record) { m_passTrace(record); };
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
        loss += m_state.clusters[i].weight * m_runs[i]->GetLossSum();
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
    m_model = std::make_shared<const ModelState>(m_aggregator->Average());
    RoundMeasurement measurement;
    measurement.round = m_record.round;
    measurement.latencyS = (m_record.end - m_record.start).GetSeconds();
    if (m_energyMeter)
    {
        measurement.deviceEnergyJ = m_energyMeter();
    }
    m_measurementTrace(measurement);
    m_controller->Observe(measurement);
    PostEvaluation();
    m_roundTrace(m_record);
    JoinEvaluations(1);
    if (m_record.round < m_rounds)
    {
        BeginRound();
        return;
    }
    JoinEvaluations(0);
    m_finishedTrace();
}

void
EdgeServerApplication::PostEvaluation()
{
    static const std::vector<Sample> NONE;
    const auto& context = GetContext();
    auto result = std::make_shared<EvaluationResult>();
    auto job = [result,
                model = m_model,
                backend = PeekPointer(context.backend),
                config = context.model,
                samples = m_validation ? m_validation : &NONE] {
        *result = backend->Evaluate(config, model->parameters, *samples);
    };
    m_evaluating.push_back({m_evaluator->Post(std::move(job)), result});
}

void
EdgeServerApplication::JoinEvaluations(std::size_t underWay)
{
    while (m_evaluating.size() > underWay)
    {
        m_evaluator->Wait(m_evaluating.front().ticket);
        m_evaluations.push_back(*m_evaluating.front().result);
        m_evaluating.pop_front();
        m_evaluationTrace(m_evaluations.size() - 1, m_evaluations.back());
    }
}

} // namespace collapipe
} // namespace ns3
