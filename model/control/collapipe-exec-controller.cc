/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-exec-controller.h"

#include "collapipe-dssda-controller.h"
#include "collapipe-instance-json.h"
#include "collapipe-json-field.h"
#include "collapipe-latency-model.h"
#include "collapipe-plan-json.h"

#include "ns3/collapipe-bounded-json.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/nstime.h"
#include "ns3/string.h"

#include <chrono>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeExecController");
NS_OBJECT_ENSURE_REGISTERED(ExecController);

TypeId
ExecController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ExecController")
            .SetParent<Controller>()
            .SetGroupName("CollaPipe")
            .AddConstructor<ExecController>()
            .AddAttribute("Command",
                          "What to run, for the shell.",
                          StringValue(""),
                          MakeStringAccessor(&ExecController::m_command),
                          MakeStringChecker())
            .AddAttribute("Timeout",
                          "In which a plan must be there, by the wall clock.",
                          TimeValue(Seconds(60)),
                          MakeTimeAccessor(&ExecController::m_timeout),
                          MakeTimeChecker(MilliSeconds(1)))
            .AddAttribute("PenaltyWeight",
                          "V of formula (13), in 1/s, for the program; 0: what DssdaController "
                          "would take.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ExecController::m_penaltyWeight),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("ConvergenceTarget",
                          "phibar of formula (11), for the program; 0: no requirement",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ExecController::m_convergenceTarget),
                          MakeDoubleChecker<double>(0));
    return tid;
}

ExecController::ExecController() = default;
ExecController::~ExecController() = default;

void
ExecController::DoDispose()
{
    m_child.Stop();
    Controller::DoDispose();
}

std::string
ExecController::Ask(const Instance& instance, std::string& error)
{
    std::string answer;
    error = m_child.IsRunning() ? "" : m_child.Start(m_command);
    if (error.empty())
    {
        const auto line = ParseBoundedJson<Json>(FormatInstanceJson(instance)).dump();
        error = m_child.Ask(line, std::chrono::milliseconds(m_timeout.GetMilliSeconds()), answer);
    }
    return answer;
}

double
ExecController::GetPenaltyWeight(const SystemState& state)
{
    if (m_penaltyWeight > 0)
    {
        return m_penaltyWeight;
    }
    if (m_ownWeight == 0)
    {
        const auto dssda = CreateObject<DssdaController>();
        dssda->Decide(state);
        m_ownWeight = dssda->GetPenaltyWeight();
    }
    return m_ownWeight > 0 ? m_ownWeight : 1; // it found no plan: another may
}

RoundPlan
ExecController::Decide(const SystemState& state)
{
    m_queues.Fit(state);
    m_state = state;
    Instance instance;
    instance.state = state;
    instance.energyPrices = m_queues.GetEnergyPrices(state);
    instance.convergencePrice = m_queues.GetConvergencePrice(m_convergenceTarget);
    instance.penaltyWeight = GetPenaltyWeight(state);
    instance.convergenceTarget = m_convergenceTarget;
    RoundPlan plan;
    std::string error;
    const auto answer = Ask(instance, error);
    if (error.empty())
    {
        error = ParsePlanJson(answer, state, plan);
        error = error.empty() ? "" : "gave no plan that can be used: " + error;
    }
    if (!error.empty())
    {
        plan = RoundPlan();
        plan.infeasible = "the controller " + m_command + " " + error;
    }
    if (plan.infeasible.empty())
    {
        m_phi = EvaluatePlan(instance, plan).phi;
    }
    NS_LOG_INFO("round " << state.round << ": " << answer.size() << " bytes of plan "
                         << plan.infeasible);
    return plan;
}

void
ExecController::Observe(const RoundMeasurement& measurement)
{
    m_queues.UpdateEnergy(measurement.deviceEnergyJ, VirtualQueues::GetBudgets(m_state));
    m_queues.UpdateConvergence(m_phi, m_convergenceTarget);
}

const VirtualQueues&
ExecController::GetQueues() const
{
    return m_queues;
}

} // namespace collapipe
} // namespace ns3
