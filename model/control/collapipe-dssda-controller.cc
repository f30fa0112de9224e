/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-dssda-controller.h"

#include "collapipe-chain-search.h"
#include "collapipe-edge-blocks.h"

#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/trace-source-accessor.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeDssdaController");

namespace
{

constexpr double QUEUE_LENGTH = 20; //!< in budgets, with a V that nobody has set

} // namespace

NS_OBJECT_ENSURE_REGISTERED(DssdaController);
NS_OBJECT_ENSURE_REGISTERED(DssdaUniformSegmentsController);
NS_OBJECT_ENSURE_REGISTERED(DssdaFixedMicroBatchesController);
NS_OBJECT_ENSURE_REGISTERED(DssdaEqualBandwidthController);
NS_OBJECT_ENSURE_REGISTERED(DssdaMaxPowerController);
NS_OBJECT_ENSURE_REGISTERED(DssdaFullClockController);

TypeId
DssdaController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::DssdaController")
            .SetParent<Controller>()
            .SetGroupName("CollaPipe")
            .AddConstructor<DssdaController>()
            .AddAttribute("PenaltyWeight",
                          "V of formula (13), in 1/s: the weight of a second of latency beside the "
                          "queues (in budgets) times energy (in budgets). Larger: lower latency, "
                          "longer queues. 0: 20 over the latency that is planned for the first "
                          "round, without frozen weights that are sent once, so that queues are "
                          "some 20 budgets long at most, however long "
                          "rounds are",
                          DoubleValue(0),
                          MakeDoubleAccessor(&DssdaController::m_penaltyWeight),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("ConvergenceTarget",
                          "phibar of formula (11), a squared gradient norm; 0: no requirement",
                          DoubleValue(0),
                          MakeDoubleAccessor(&DssdaController::m_convergenceTarget),
                          MakeDoubleChecker<double>(0))
            .AddTraceSource("Queues",
                            "The virtual queues (12) after a round.",
                            MakeTraceSourceAccessor(&DssdaController::m_queuesTrace),
                            "ns3::collapipe::DssdaController::QueuesTracedCallback");
    return tid;
}

DssdaController::DssdaController() = default;

DssdaController::~DssdaController() = default;

RoundPlan
DssdaController::Decide(const SystemState& state)
{
    m_queues.Fit(state);
    m_state = state;
    if (GetPenaltyWeight() == 0)
    {
        // The length of a round does not count frozen weights that are sent once
        SystemState later = state;
        later.model.sendsBase = false;
        Solve(later, 1, false);
        if (!m_solution.plan.infeasible.empty() || m_solution.evaluation.latencyS <= 0)
        {
            return m_solution.plan;
        }
        m_ownWeight = QUEUE_LENGTH / m_solution.evaluation.latencyS;
    }
    Solve(state, GetPenaltyWeight(), true);
    NS_LOG_INFO("round " << state.round << ": (13) " << m_solution.evaluation.objective << " after "
                         << m_solution.evaluations << " radio problems");
    return m_solution.plan;
}

void
DssdaController::Solve(const SystemState& state, double penaltyWeight, bool pricesQueues)
{
    Instance instance;
    instance.state = state;
    instance.penaltyWeight = penaltyWeight;
    instance.convergenceTarget = m_convergenceTarget;
    if (pricesQueues)
    {
        instance.energyPrices = m_queues.GetEnergyPrices(state);
        instance.convergencePrice = m_queues.GetConvergencePrice(m_convergenceTarget);
    }
    // The last round's plan is at hand too: its links as they were decided for the state then
    const RoundPlan last = m_pipelines.plan;
    m_pipelines =
        SolveForEdgeBlocks(state, ListEdgeBlocks(instance, last), [&](uint32_t edgeBlocks) {
            return SolveWith(instance, edgeBlocks, last);
        });
    m_solution = ImproveWithChains(instance, m_options, m_pipelines, m_solution.plan);
}

/// None, the last round's number, and the best one with equal shares and full power, which is found
/// in a small part of the time
std::set<uint32_t>
DssdaController::ListEdgeBlocks(const Instance& instance, const RoundPlan& last)
{
    std::set<uint32_t> numbers{0};
    const uint32_t most = GetMostEdgeBlocks(instance.state);
    if (most == 0)
    {
        return numbers;
    }
    SolverOptions options = m_options;
    options.radio = {false, false};
    options.clocks = false;
    const uint32_t before = std::min(most, CountEdgeBlocks(last));
    const uint32_t start = last.clusters.empty() ? most + 1 : before;
    Instance left = instance;
    const auto solution = SolveOverEdgeBlocks(instance.state, start, [&](uint32_t edgeBlocks) {
        left.state = WithoutEdgeBlocks(instance.state, edgeBlocks);
        return m_solver.Solve(left, options);
    });
    numbers.insert({before, CountEdgeBlocks(solution.plan)});
    return numbers;
}

/// The best plan for what is left for devices
RoundSolution
DssdaController::SolveWith(const Instance& instance, uint32_t edgeBlocks, const RoundPlan& last)
{
    Instance left = instance;
    left.state = WithoutEdgeBlocks(instance.state, edgeBlocks);
    const bool isKnown = !last.clusters.empty() && CountEdgeBlocks(last) == edgeBlocks;
    const RoundPlan known = isKnown ? TakeBlocksFromEdge(last) : RoundPlan();
    return m_solver.Solve(left, m_options, isKnown ? &known : nullptr);
}

void
DssdaController::Observe(const RoundMeasurement& measurement)
{
    m_queues.UpdateEnergy(measurement.deviceEnergyJ, VirtualQueues::GetBudgets(m_state));
    m_queues.UpdateConvergence(m_solution.evaluation.phi, m_convergenceTarget);
    m_queuesTrace(m_queues);
}

double
DssdaController::GetPenaltyWeight() const
{
    return m_penaltyWeight > 0 ? m_penaltyWeight : m_ownWeight;
}

const VirtualQueues&
DssdaController::GetQueues() const
{
    return m_queues;
}

void
DssdaController::SetQueues(const VirtualQueues& queues)
{
    m_queues = queues;
}

const RoundSolution&
DssdaController::GetLastSolution() const
{
    return m_solution;
}

void
DssdaController::SetSolverOptions(const SolverOptions& options)
{
    m_options = options;
}

TypeId
DssdaUniformSegmentsController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DssdaUniformSegmentsController")
                            .SetParent<DssdaController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DssdaUniformSegmentsController>();
    return tid;
}

DssdaUniformSegmentsController::DssdaUniformSegmentsController()
{
    SolverOptions options;
    options.segments = false;
    SetSolverOptions(options);
}

TypeId
DssdaFixedMicroBatchesController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DssdaFixedMicroBatchesController")
                            .SetParent<DssdaController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DssdaFixedMicroBatchesController>();
    return tid;
}

DssdaFixedMicroBatchesController::DssdaFixedMicroBatchesController()
{
    SolverOptions options;
    options.microBatches = false;
    SetSolverOptions(options);
}

TypeId
DssdaEqualBandwidthController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DssdaEqualBandwidthController")
                            .SetParent<DssdaController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DssdaEqualBandwidthController>();
    return tid;
}

DssdaEqualBandwidthController::DssdaEqualBandwidthController()
{
    SolverOptions options;
    options.radio.shares = false;
    SetSolverOptions(options);
}

TypeId
DssdaMaxPowerController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DssdaMaxPowerController")
                            .SetParent<DssdaController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DssdaMaxPowerController>();
    return tid;
}

DssdaMaxPowerController::DssdaMaxPowerController()
{
    SolverOptions options;
    options.radio.powers = false;
    SetSolverOptions(options);
}

TypeId
DssdaFullClockController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DssdaFullClockController")
                            .SetParent<DssdaController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DssdaFullClockController>();
    return tid;
}

DssdaFullClockController::DssdaFullClockController()
{
    SolverOptions options;
    options.clocks = false;
    SetSolverOptions(options);
}

} // namespace collapipe
} // namespace ns3
