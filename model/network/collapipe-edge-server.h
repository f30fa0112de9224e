/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EDGE_SERVER_H
#define COLLAPIPE_EDGE_SERVER_H

#include "collapipe-cluster-run.h"
#include "collapipe-model-server.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-radio-actuator.h"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The edge server: asks for states, has the controller decide, leads the clusters through the
 * round, holds the decoders, averages, evaluates. Its clusters are counted from 0 in the state and
 * in plans; on the wire, in traces and towards the actuator they have the numbers that
 * SetClusters() gave them.
 */
class EdgeServerApplication : public ModelServerApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    EdgeServerApplication();
    ~EdgeServerApplication() override;

    /// @param controller that decides
    void SetController(Ptr<Controller> controller);

    /**
     * @param clusters by cluster: the addresses by which its nodes reach each other
     * @param numbers by which the rest of the network knows them; empty: 0, 1, 2 ...
     */
    void SetClusters(std::vector<ClusterAddresses> clusters, std::vector<uint32_t> numbers = {});

    /// @return the clusters' numbers
    const std::vector<uint32_t>& GetClusterNumbers() const;

    /**
     * @param state what does not change from round to round, or is estimated by others: model,
     *        training, edge, pools, links, budgets. Reports overwrite what nodes say of themselves.
     */
    void SetSystemState(const SystemState& state);

    /// @param update called before every decision, to bring link estimates up to date
    void SetStateUpdate(std::function<void(SystemState&)> update);

    /// @param measure called after every round: energy by cluster and node, for the controller
    void SetEnergyMeter(std::function<std::vector<std::vector<double>>()> measure);

    /// @param actuator that makes the radios do what the plan decided, as each phase begins
    void SetActuator(Ptr<RadioActuator> actuator);

    /// @return who decides; null: not set
    Ptr<Controller> GetController() const;

    /// @return what estimates the constants of the bound (9)
    const LearningMonitor& GetLearningMonitor() const;

    /// @return who acts on the radios; null: nobody does
    Ptr<RadioActuator> GetActuator() const;

    /**
     * @param callback called with the reason where, after the first round, there is no plan for
     *        another; without it that aborts the simulation
     */
    void SetInfeasibleCallback(std::function<void(const std::string&)> callback);

    /**
     * Signature of the Plan trace.
     * @param state on which the controller decided
     * @param plan the decision
     */
    typedef void (*PlanTracedCallback)(const SystemState& state, const RoundPlan& plan);

    /**
     * Signature of the Phase trace.
     * @param round the round
     * @param cluster the cluster
     * @param phase that begins
     */
    typedef void (*PhaseTracedCallback)(uint32_t round, uint32_t cluster, Phase phase);

    /**
     * Signature of the Flush trace.
     * @param cluster the cluster
     * @param round the round
     * @param iteration the local iteration whose gradients are complete
     * @param part the edge server's stage, before the optimizer's step
     */
    typedef void (*FlushTracedCallback)(uint32_t cluster,
                                        uint32_t round,
                                        uint32_t iteration,
                                        const ModelPart& part);

    /**
     * Signature of the Measurement trace.
     * @param measurement what the round that has ended cost, as its controller is told
     */
    typedef void (*MeasurementTracedCallback)(const RoundMeasurement& measurement);

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleWritable() override;

    /// Begins a round: asks all nodes for their state.
    void BeginRound() override;

    /// All nodes are connected. Begins the first round.
    virtual void HandleConnected();

    /**
     * All nodes have reported their state. Decides.
     * @param samples training samples that its clusters hold
     */
    virtual void HandleReported(double samples);

    /**
     * All clusters have ended, the model is their average. Evaluates it and begins the next round.
     * @param record of the round
     */
    virtual void HandleAveraged(const RoundRecord& record);

    /**
     * Has the controller decide and starts the clusters.
     * @param allSamples training samples of all clusters that are averaged in the end
     */
    void Decide(double allSamples);

    /// @return samples of the clusters of this server
    double CountSamples() const;

  private:
    void HandleHello(Ptr<Connection> connection, const MessageHeader& header);
    void HandleReport(const Message& message);
    void StartClusters();

    /**
     * @param number of a cluster in the network
     * @return its index here; as many as there are clusters where it is not of this server
     */
    uint32_t FindCluster(uint32_t number) const;

    /// @return what a cluster's run needs of this application
    ClusterRun::Services MakeServices(uint32_t cluster);

    /// All clusters have ended: averages.
    void EndRound();
    double ComputeTrainLoss() const;

    /// @return a cluster's part of the samples of this server
    double GetWeight(uint32_t cluster) const;

    /// Takes what this round learnt from the history, where the round is replayed.
    void RecallRound();


    /// @return connection to a node
    Ptr<Connection> GetNodeConnection(uint32_t cluster, NodeIndex node) const;

    /// @return nodes of all clusters
    std::size_t CountNodes() const;

    Ptr<Controller> m_controller;                                    //!< decides
    Ptr<RadioActuator> m_actuator;                                   //!< acts; null: nobody does
    std::vector<ClusterAddresses> m_clusters;                        //!< addresses
    std::vector<uint32_t> m_numbers;                                 //!< of the clusters
    SystemState m_state;                                             //!< what the controller sees
    std::function<void(SystemState&)> m_stateUpdate;                 //!< link estimates
    std::function<std::vector<std::vector<double>>()> m_energyMeter; //!< energy of the round
    std::function<void(const std::string&)> m_onInfeasible;          //!< no plan for a round

    std::map<std::pair<uint32_t, NodeIndex>, Ptr<Connection>> m_nodes; //!< by cluster and node
    std::size_t m_missingReports{0};                 //!< nodes that have not reported
    std::vector<double> m_samples;                   //!< by cluster: training samples held
    std::unique_ptr<Aggregator> m_aggregator;        //!< of this round
    LearningMonitor m_learning;                      //!< estimates the bound's constants
    std::vector<std::unique_ptr<ClusterRun>> m_runs; //!< by cluster
    std::size_t m_runningClusters{0};                //!< not yet ended
    RoundRecord m_record;                            //!< of this round

    TracedCallback<const SystemState&, const RoundPlan&> m_planTrace;
    TracedCallback<uint32_t, uint32_t, Phase> m_phaseTrace;
    TracedCallback<uint32_t, uint32_t, uint32_t, const ModelPart&> m_flushTrace;
    TracedCallback<const RoundMeasurement&> m_measurementTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EDGE_SERVER_H */
