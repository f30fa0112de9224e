/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROL_LOOP_H
#define COLLAPIPE_CONTROL_LOOP_H

#include "collapipe-energy-meter.h"
#include "collapipe-link-expectations.h"
#include "collapipe-link-observer.h"
#include "collapipe-radio-energy-fit.h"

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-edge-server.h"
#include "ns3/collapipe-link-monitor.h"
#include "ns3/collapipe-radio-actuator.h"
#include "ns3/collapipe-round-director.h"
#include "ns3/traced-callback.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The control loop of a cell. Before every round it puts together what is known of the cell: what
 * nodes reported, what links are expected to be worth, what the link monitor has learnt of them.
 * The controller decides upon that; the actuator has the radios do it, phase by phase. After the
 * round the controller is told what it cost in time and energy, so that its queues (12) move, and
 * the link monitor how long transfers took. How much more or less radios took than (7') says is
 * learnt here, too, where there are expectations and a meter.
 *
 * Each of these parts can be another one, before the simulation begins, or be missing: without
 * expectations links are what the state said that the loop was given, without a monitor nothing is
 * learnt of them, without a meter queues do not move, without an actuator radios do as they like.
 * CollaPipeHelper installs all of them.
 */
class ControlLoop : public RoundDirector
{
  public:
    /// The applications of some clusters, each with its control unit first
    using Clusters = std::vector<std::vector<Ptr<StageApplication>>>;

    /// @return the TypeId
    static TypeId GetTypeId();
    ControlLoop();
    ~ControlLoop() override;

    /**
     * Makes this the loop of a cell, once its edge server has its clusters.
     * @param edge the cell's edge server
     * @param clusters its clusters, in its order
     */
    void Install(Ptr<EdgeServerApplication> edge, const Clusters& clusters);

    /// @return numbers by which the network knows the cell's clusters; here they count from 0
    const std::vector<ClusterId>& GetClusterIds() const;

    /**
     * @param state what does not change from round to round, or nobody measures: model, training,
     *        edge, budgets; links too where there are no expectations. Reports overwrite what nodes
     *        say of themselves.
     */
    void SetSystemState(const SystemState& state);

    /// @return what is known now
    const SystemState& GetSystemState() const;

    /// @param controller that decides
    void SetController(Ptr<Controller> controller);

    /// @return who decides
    Ptr<Controller> GetController() const;

    /// @param expectations of the links; null: those of the state that was set
    void SetExpectations(Ptr<LinkExpectations> expectations);

    /// @return what links are expected to be worth; null: nobody says
    Ptr<LinkExpectations> GetExpectations() const;

    /// @param monitor that learns what links are worth; null: nobody does
    void SetLinkMonitor(Ptr<LinkMonitor> monitor);

    /// @return who learns what links are worth; null: nobody does
    Ptr<LinkMonitor> GetLinkMonitor() const;

    /// @param meter of the nodes' energy; null: nobody measures
    void SetEnergyMeter(Ptr<EnergyMeter> meter);

    /// @return who measures energy; null: nobody does
    Ptr<EnergyMeter> GetEnergyMeter() const;

    /// @param actuator that makes the radios do what was decided; null: nobody does
    void SetActuator(Ptr<RadioActuator> actuator);

    /// @return who acts on the radios; null: nobody does
    Ptr<RadioActuator> GetActuator() const;

    /**
     * @param callback called with the reason where there is no plan for a round; without it that
     *        aborts the simulation
     */
    void SetInfeasibleCallback(std::function<void(const std::string&)> callback);

    void HandleReport(uint32_t cluster, NodeIndex node, const StateReport& report) override;
    void SetStart(bool hasOptimizerState) override;
    std::shared_ptr<const RoundPlan> Decide(uint32_t round,
                                            const std::vector<double>& weights,
                                            bool isLast) override;
    std::string Replan(uint32_t cluster,
                       const std::set<NodeIndex>& absent,
                       ClusterPlan& plan) override;
    void BeginPhase(uint32_t cluster, Phase phase, const ClusterPlan& plan) override;
    void EndRound(const RoundRecord& record) override;

    /**
     * Signature of the Plan trace.
     * @param state on which the controller decided
     * @param plan the decision
     */
    typedef void (*PlanTracedCallback)(const SystemState& state, const RoundPlan& plan);

    /**
     * Signature of the Measurement trace.
     * @param measurement what the round that has ended cost, as its controller is told
     */
    typedef void (*MeasurementTracedCallback)(const RoundMeasurement& measurement);

  protected:
    void DoDispose() override;

  private:
    /// Brings links up to date, before a decision.
    void UpdateLinks();

    /// @return what the round that has ended cost
    RoundMeasurement Measure(const RoundRecord& record) const;

    /// Compares what radios took in the round that has ended with its plan.
    void ObserveRadios(const RoundRecord& record);

    Ptr<Controller> m_controller;                           //!< decides
    Ptr<LinkExpectations> m_expectations;                   //!< null: nobody says
    Ptr<LinkMonitor> m_monitor;                             //!< null: nobody learns
    Ptr<EnergyMeter> m_meter;                               //!< null: nobody measures
    Ptr<RadioActuator> m_actuator;                          //!< null: nobody acts
    std::vector<ClusterId> m_ids;                           //!< of the clusters
    std::unique_ptr<LinkObserver> m_observer;               //!< tells the monitor
    SystemState m_state;                                    //!< what is known
    double m_freshPart{1};                                  //!< distributed before any average
    RadioEnergyFit m_radioEnergy;                           //!< learns what radios consume
    std::vector<uint32_t> m_attempts;                       //!< at the current round, by cluster
    std::shared_ptr<const RoundPlan> m_plan;                //!< of the current round
    std::function<void(const std::string&)> m_onInfeasible; //!< no plan for a round

    TracedCallback<const SystemState&, const RoundPlan&> m_planTrace;
    TracedCallback<const RoundMeasurement&> m_measurementTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROL_LOOP_H */
