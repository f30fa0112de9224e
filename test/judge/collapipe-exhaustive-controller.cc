/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-exhaustive-controller.h"

#include "collapipe-exhaustive.h"

#include "ns3/collapipe-convergence-bound.h"
#include "ns3/double.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(ExhaustiveController);

TypeId
ExhaustiveController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ExhaustiveController")
            .SetParent<Controller>()
            .SetGroupName("CollaPipe")
            .AddConstructor<ExhaustiveController>()
            .AddAttribute("PenaltyWeight",
                          "V of formula (13), the weight of the round's latency, positive",
                          DoubleValue(1),
                          MakeDoubleAccessor(&ExhaustiveController::m_penaltyWeight),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("ConvergenceTarget",
                          "phibar of formula (11), a squared gradient norm; 0: no requirement",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ExhaustiveController::m_convergenceTarget),
                          MakeDoubleChecker<double>(0));
    return tid;
}

RoundPlan
ExhaustiveController::Decide(const SystemState& state)
{
    m_state = state;
    m_queues.Fit(state);
    Instance instance;
    instance.state = state;
    instance.energyPrices = m_queues.GetEnergyPrices(state);
    instance.convergencePrice = m_queues.GetConvergencePrice(m_convergenceTarget);
    instance.penaltyWeight = m_penaltyWeight;
    instance.convergenceTarget = m_convergenceTarget;
    const judge::ExhaustiveResult result = judge::SolveExhaustively(instance);
    if (!result.feasible)
    {
        RoundPlan none;
        none.infeasible = "no assignment of the encoder blocks fits the devices' memory over links "
                          "that work; give devices more memory or allow smaller micro-batches";
        return none;
    }
    std::vector<double> rho;
    std::vector<double> samples;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        const ChainPlan& chain = result.plan.clusters[m].chains[0];
        rho.push_back(state.clusters[m].weight);
        samples.push_back(static_cast<double>(chain.microBatches) * chain.microBatchSize);
    }
    m_phi = ConvergencePhi(state.learning, state.training.localIterations, rho, samples);
    return result.plan;
}

void
ExhaustiveController::Observe(const RoundMeasurement& measurement)
{
    m_queues.UpdateEnergy(measurement.deviceEnergyJ, VirtualQueues::GetBudgets(m_state));
    m_queues.UpdateConvergence(m_phi, m_convergenceTarget);
}

const VirtualQueues&
ExhaustiveController::GetQueues() const
{
    return m_queues;
}

} // namespace collapipe
} // namespace ns3
