/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-loop.h"

#include "ns3/abort.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-replan.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/trace-source-accessor.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeControlLoop");
NS_OBJECT_ENSURE_REGISTERED(ControlLoop);

TypeId
ControlLoop::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ControlLoop")
            .SetParent<RoundDirector>()
            .SetGroupName("CollaPipe")
            .AddConstructor<ControlLoop>()
            .AddAttribute("Controller",
                          "Decides every round.",
                          PointerValue(),
                          MakePointerAccessor(&ControlLoop::m_controller),
                          MakePointerChecker<Controller>())
            .AddAttribute("Expectations",
                          "Says what links are worth before anything was measured; may be null.",
                          PointerValue(),
                          MakePointerAccessor(&ControlLoop::m_expectations),
                          MakePointerChecker<LinkExpectations>())
            .AddAttribute(
                "LinkMonitor",
                "Learns what links are worth; may be null.",
                PointerValue(),
                MakePointerAccessor(&ControlLoop::SetLinkMonitor, &ControlLoop::GetLinkMonitor),
                MakePointerChecker<LinkMonitor>())
            .AddAttribute("EnergyMeter",
                          "Measures what rounds cost in energy; may be null.",
                          PointerValue(),
                          MakePointerAccessor(&ControlLoop::m_meter),
                          MakePointerChecker<EnergyMeter>())
            .AddAttribute("Actuator",
                          "Acts on the radios; may be null.",
                          PointerValue(),
                          MakePointerAccessor(&ControlLoop::m_actuator),
                          MakePointerChecker<RadioActuator>())
            .AddTraceSource("Plan",
                            "The controller has decided a round.",
                            MakeTraceSourceAccessor(&ControlLoop::m_planTrace),
                            "ns3::collapipe::ControlLoop::PlanTracedCallback")
            .AddTraceSource("Measurement",
                            "What a round has cost, before the controller is told.",
                            MakeTraceSourceAccessor(&ControlLoop::m_measurementTrace),
                            "ns3::collapipe::ControlLoop::MeasurementTracedCallback");
    return tid;
}

ControlLoop::ControlLoop() = default;
ControlLoop::~ControlLoop() = default;

void
ControlLoop::DoDispose()
{
    m_controller = nullptr;
    m_expectations = nullptr;
    m_monitor = nullptr;
    m_meter = nullptr;
    m_actuator = nullptr;
    m_onInfeasible = nullptr;
    RoundDirector::DoDispose();
}

void
ControlLoop::Install(Ptr<EdgeServerApplication> edge, const Clusters& clusters)
{
    m_ids = edge->GetClusterIds();
    NS_ABORT_MSG_IF(m_ids.size() != clusters.size(),
                    "a control loop needs the applications of each cluster of its edge server");
    m_observer = std::make_unique<LinkObserver>(edge, clusters);
    m_observer->SetMonitor(m_monitor);
    edge->SetDirector(this);
}

const std::vector<ClusterId>&
ControlLoop::GetClusterIds() const
{
    return m_ids;
}

void
ControlLoop::SetSystemState(const SystemState& state)
{
    m_state = state;
    m_freshPart = state.model.distributedPart;
}

const SystemState&
ControlLoop::GetSystemState() const
{
    return m_state;
}

void
ControlLoop::SetController(Ptr<Controller> controller)
{
    m_controller = controller;
}

Ptr<Controller>
ControlLoop::GetController() const
{
    return m_controller;
}

void
ControlLoop::SetExpectations(Ptr<LinkExpectations> expectations)
{
    m_expectations = expectations;
}

Ptr<LinkExpectations>
ControlLoop::GetExpectations() const
{
    return m_expectations;
}

void
ControlLoop::SetLinkMonitor(Ptr<LinkMonitor> monitor)
{
    m_monitor = monitor;
    if (m_observer)
    {
        m_observer->SetMonitor(monitor);
    }
}

Ptr<LinkMonitor>
ControlLoop::GetLinkMonitor() const
{
    return m_monitor;
}

void
ControlLoop::SetEnergyMeter(Ptr<EnergyMeter> meter)
{
    m_meter = meter;
}

Ptr<EnergyMeter>
ControlLoop::GetEnergyMeter() const
{
    return m_meter;
}

void
ControlLoop::SetActuator(Ptr<RadioActuator> actuator)
{
    m_actuator = actuator;
}

Ptr<RadioActuator>
ControlLoop::GetActuator() const
{
    return m_actuator;
}

void
ControlLoop::SetInfeasibleCallback(std::function<void(const std::string&)> callback)
{
    m_onInfeasible = std::move(callback);
}

void
ControlLoop::HandleReport(uint32_t cluster, NodeIndex index, const StateReport& report)
{
    auto& state = m_state.clusters.at(cluster);
    auto& node = index == CONTROL_UNIT ? state.controlUnit : state.devices.at(index - 1);
    node.flops = report.flops;
    node.overheadS = report.overheadS;
    node.memoryBytes = report.memoryBytes;
    node.computePowerW = report.computePowerW;
    node.clocks = report.clocks;
    node.staticPart = report.staticPart;
    node.batteryJ = report.batteryJ;
    node.heldBase = report.heldBase;
}

void
ControlLoop::UpdateLinks()
{
    if (m_expectations)
    {
        m_expectations->FillLinks(m_state);
    }
    if (m_monitor)
    {
        m_monitor->Update(m_state);
    }
    if (m_expectations) // else powers would be corrected again and again
    {
        m_radioEnergy.Correct(m_state);
    }
}

void
ControlLoop::SetStart(bool hasOptimizerState)
{
    m_state.model.distributedPart = hasOptimizerState ? 1 : m_freshPart;
}

std::shared_ptr<const RoundPlan>
ControlLoop::Decide(uint32_t round, const std::vector<double>& weights, bool isLast)
{
    NS_ABORT_MSG_IF(!m_controller || m_state.clusters.size() != weights.size(),
                    "a control loop needs a controller and a state of each cluster");
    for (std::size_t i = 0; i < weights.size(); ++i)
    {
        m_state.clusters[i].weight = weights[i];
    }
    m_state.round = round;
    UpdateLinks();
    auto plan = m_controller->Decide(m_state);
    const auto error = CheckPlan(m_state, plan);
    if (!error.empty() && !isLast)
    {
        return nullptr;
    }
    if (!plan.infeasible.empty() && m_onInfeasible)
    {
        // Devices have lost what it takes, such as energy: the run ends with what it has
        m_onInfeasible(plan.infeasible);
        return nullptr;
    }
    NS_ABORT_MSG_IF(!plan.infeasible.empty(),
                    "there is no plan for round " << round << ": " << plan.infeasible);
    NS_ABORT_MSG_IF(!error.empty(),
                    "the controller's plan for round " << round << " cannot be used: " << error);
    if (m_observer && plan.plannedLatencyS > 0)
    {
        // What the reports took is part of the round, and known by now
        plan.plannedLatencyS +=
            m_observer->GetReportS(round) + m_observer->GetStartS(m_state, plan);
    }
    MarkRecomputation(m_state, plan);
    m_plan = std::make_shared<const RoundPlan>(std::move(plan));
    m_attempts.assign(m_plan->clusters.size(), 0);
    NS_LOG_INFO("round " << round << " is planned to take " << m_plan->plannedLatencyS << " s");
    if (m_observer)
    {
        m_observer->BeginRound(round, *m_plan);
    }
    m_planTrace(m_state, *m_plan);
    return m_plan;
}

std::string
ControlLoop::Replan(uint32_t cluster, const std::set<NodeIndex>& absent, ClusterPlan& plan)
{
    return ReplanCluster(m_state, *m_plan, cluster, absent, plan);
}

void
ControlLoop::BeginPhase(uint32_t cluster, Phase phase, const ClusterPlan& plan)
{
    m_attempts.at(cluster) += phase == Phase::DISTRIBUTION ? 1 : 0;
    if (m_observer)
    {
        m_observer->BeginPhase(cluster, phase);
    }
    if (m_actuator)
    {
        ClusterPlan settings = plan;
        settings.links = ListSettings(m_state.clusters.at(cluster), phase, plan);
        m_actuator->Apply(m_ids.at(cluster), phase, settings);
    }
}

RoundMeasurement
ControlLoop::Measure(const RoundRecord& record) const
{
    RoundMeasurement measurement;
    measurement.round = record.round;
    measurement.latencyS = (record.end - record.start).GetSeconds();
    measurement.reportS = (record.planned - record.start).GetSeconds();
    for (const auto& phases : record.phases)
    {
        ClusterMeasurement cluster;
        if (phases.isLeftOut)
        {
            constexpr double NONE = std::numeric_limits<double>::quiet_NaN();
            measurement.clusters.push_back({NONE, NONE, NONE, NONE});
            continue;
        }
        cluster.distributionS = (phases.distribution - record.planned).GetSeconds();
        cluster.iterationS = phases.GetIterationS(m_plan->localIterations);
        cluster.totalS = (phases.upload - record.planned).GetSeconds();
        const double trainingS = m_plan->localIterations * cluster.iterationS;
        cluster.uploadS = std::max(0.0, cluster.totalS - cluster.distributionS - trainingS);
        measurement.clusters.push_back(cluster);
    }
    if (!m_meter)
    {
        return measurement;
    }
    for (std::size_t i = 0; i < m_ids.size(); ++i)
    {
        measurement.deviceEnergyJ.emplace_back();
        for (NodeIndex node = 0; node <= m_state.clusters[i].devices.size(); ++node)
        {
            measurement.deviceEnergyJ.back().push_back(m_meter->Measure(m_ids[i], node));
        }
    }
    return measurement;
}

void
ControlLoop::ObserveRadios(const RoundRecord& record)
{
    if (!m_meter || !m_expectations)
    {
        return;
    }
    std::vector<std::vector<double>> measuredJ(m_ids.size());
    for (std::size_t i = 0; i < m_ids.size(); ++i)
    {
        const bool isAsPlanned = m_attempts[i] == 1 && !record.phases.at(i).isLeftOut;
        const std::size_t nodes = isAsPlanned ? m_state.clusters[i].devices.size() + 1 : 0;
        for (std::size_t node = 0; node < nodes; ++node)
        {
            measuredJ[i].push_back(m_meter->MeasureRadio(m_ids[i], static_cast<NodeIndex>(node)));
        }
    }
    m_radioEnergy.Observe(m_state, *m_plan, std::move(measuredJ));
}

void
ControlLoop::EndRound(const RoundRecord& record)
{
    m_state.learning = record.learning;
    const auto measurement = Measure(record);
    NS_LOG_INFO("round " << record.round << " took " << measurement.latencyS << " s");
    m_measurementTrace(measurement);
    m_controller->Observe(measurement);
    ObserveRadios(record);
    if (m_observer)
    {
        m_observer->EndRound(record);
    }
}

} // namespace collapipe
} // namespace ns3
