/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DSSDA_CONTROLLER_H
#define COLLAPIPE_DSSDA_CONTROLLER_H

#include "collapipe-controller.h"
#include "collapipe-round-solver.h"
#include "collapipe-virtual-queues.h"

#include "ns3/traced-callback.h"

#include <cstdint>
#include <set>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Dynamic Segment Scheduling and Resource Allocation: every round it minimises the
 * drift-plus-penalty bound (13) over segments, order, micro-batches, bandwidth, power and clocks of
 * all clusters together, and keeps the virtual queues (12), fed with measured energy.
 *
 * Where the edge server may hold encoder blocks (TrainingProfile::mostEdgeBlocks), how many it does
 * is decided, too: one number for all clusters, the best of none, the last round's, and the one
 * that FindEdgeBlocks() finds for equal shares and full power.
 *
 * Where the data are on devices (TrainingProfile::dataOnDevices), chains may begin there, and
 * ImproveWithChains() decides how many there are, too.
 */
class DssdaController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    DssdaController();
    ~DssdaController() override;

    RoundPlan Decide(const SystemState& state) override;

    /**
     * Updates the queues (12) with the energy that was measured and with phi of the last plan.
     * @param measurement what the round cost
     */
    void Observe(const RoundMeasurement& measurement) override;

    /// @return V in 1/s; 0 before the first plan, where the attribute is 0
    double GetPenaltyWeight() const;

    /// @return Q and Z
    const VirtualQueues& GetQueues() const;

    /**
     * Sets the queues, as when a run is taken up again.
     * @param queues Q and Z
     */
    void SetQueues(const VirtualQueues& queues);

    /// @return what the solver said about the last round: evaluation, (13) over its steps
    const RoundSolution& GetLastSolution() const;

    /**
     * Signature of the Queues trace.
     * @param queues Q and Z after a round
     */
    typedef void (*QueuesTracedCallback)(const VirtualQueues& queues);

  protected:
    /**
     * @param options which decisions are made; for ablations
     */
    void SetSolverOptions(const SolverOptions& options);

  private:
    void Solve(const SystemState& state, double penaltyWeight, bool pricesQueues);
    std::set<uint32_t> ListEdgeBlocks(const Instance& instance, const RoundPlan& last);
    RoundSolution SolveWith(const Instance& instance, uint32_t edgeBlocks, const RoundPlan& last);

    double m_penaltyWeight{0};     //!< V as it was set; 0: m_ownWeight
    double m_ownWeight{0};         //!< V by the first round's length; 0: not planned yet
    double m_convergenceTarget{0}; //!< phibar
    SolverOptions m_options;       //!< which decisions are made
    RoundSolver m_solver;          //!< solves (13)
    RoundSolution m_pipelines;     //!< of the last round, of chains that begin at control units
    RoundSolution m_solution;      //!< of the last round
    SystemState m_state;           //!< of the last round
    VirtualQueues m_queues;        //!< Q and Z
    TracedCallback<const VirtualQueues&> m_queuesTrace; //!< after a round
};

/**
 * @ingroup collapipe
 * DSSDA without segments: all devices in order with L/K blocks each.
 */
class DssdaUniformSegmentsController : public DssdaController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    DssdaUniformSegmentsController();
};

/**
 * @ingroup collapipe
 * DSSDA without micro-batches: training.fixedPair.
 */
class DssdaFixedMicroBatchesController : public DssdaController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    DssdaFixedMicroBatchesController();
};

/**
 * @ingroup collapipe
 * DSSDA without bandwidth: equal shares in every pool and phase.
 */
class DssdaEqualBandwidthController : public DssdaController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    DssdaEqualBandwidthController();
};

/**
 * @ingroup collapipe
 * DSSDA without power: every link at full power.
 */
class DssdaMaxPowerController : public DssdaController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    DssdaMaxPowerController();
};

/**
 * @ingroup collapipe
 * DSSDA without clocks: every node computes at its full one.
 */
class DssdaFullClockController : public DssdaController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    DssdaFullClockController();
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DSSDA_CONTROLLER_H */
