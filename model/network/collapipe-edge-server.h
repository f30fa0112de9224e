/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EDGE_SERVER_H
#define COLLAPIPE_EDGE_SERVER_H

#include "collapipe-cluster-run.h"
#include "collapipe-message-application.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-radio-actuator.h"

#include <deque>
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
 * What the edge server knows of a round that has ended.
 */
struct RoundRecord
{
    uint32_t round{0};                     //!< index, from 1
    Time start;                            //!< the state requests were sent
    Time planned;                          //!< all reports were in, the plan made
    Time end;                              //!< last upload complete
    std::vector<PhaseTimes> phases;        //!< by cluster
    std::shared_ptr<const RoundPlan> plan; //!< what was decided
    double trainLoss{0}; //!< mean over clusters (by weight) and iterations; NaN: unknown
};

/**
 * @ingroup collapipe
 * The edge server: asks for states, has the controller decide, leads the clusters through the
 * round, holds the decoders, averages, evaluates.
 *
 * Evaluation is real computation that costs no simulated time: it runs beside the next round.
 */
class EdgeServerApplication : public MessageApplication
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
     */
    void SetClusters(std::vector<ClusterAddresses> clusters);

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

    /// @return who acts on the radios; null: nobody does
    Ptr<RadioActuator> GetActuator() const;

    /// @param model what the first round starts from
    void SetModel(ModelState model);

    /// @param samples to evaluate on after every round; must outlive the run
    void SetValidation(const std::vector<Sample>* samples);

    /// @return the model after the last round that has ended
    const ModelState& GetModel() const;

    /**
     * Blocks until evaluations under way are done.
     * @return results by round; [0] is of the model before the first round
     */
    const std::vector<EvaluationResult>& GetEvaluations();

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
     * Signature of the Round trace.
     * @param record of the round that has ended
     */
    typedef void (*RoundTracedCallback)(const RoundRecord& record);

    /**
     * Signature of the Evaluation trace. Fired in round order, when the result is known.
     * @param round the round; 0 is before the first
     * @param result what was found
     */
    typedef void (*EvaluationTracedCallback)(uint32_t round, const EvaluationResult& result);

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

    /// Signature of the Finished trace: all rounds have ended.
    typedef void (*FinishedTracedCallback)();

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleWritable() override;

  private:
    /// An evaluation under way
    struct Evaluation
    {
        Strand::Ticket ticket;                    //!< of its job
        std::shared_ptr<EvaluationResult> result; //!< filled by the job
    };

    void HandleHello(Ptr<Connection> connection, const MessageHeader& header);
    void HandleReport(const Message& message);

    /// Begins a round: asks all nodes for their state.
    void BeginRound();

    /// All reports are in: has the controller decide and starts the clusters.
    void Decide();
    void StartClusters();

    /// @return what a cluster's run needs of this application
    ClusterRun::Services MakeServices(uint32_t cluster);

    /// All clusters have ended: averages, evaluates, begins the next round.
    void EndRound();
    double ComputeTrainLoss() const;

    /// Starts evaluating the current model.
    void PostEvaluation();

    /// Joins evaluations until at most so many are under way.
    void JoinEvaluations(std::size_t underWay);

    /// @return connection to a node
    Ptr<Connection> GetNodeConnection(uint32_t cluster, NodeIndex node) const;

    /// @return nodes of all clusters
    std::size_t CountNodes() const;

    Ptr<Controller> m_controller;                                    //!< decides
    Ptr<RadioActuator> m_actuator;                                   //!< acts; null: nobody does
    std::vector<ClusterAddresses> m_clusters;                        //!< addresses
    SystemState m_state;                                             //!< what the controller sees
    std::function<void(SystemState&)> m_stateUpdate;                 //!< link estimates
    std::function<std::vector<std::vector<double>>()> m_energyMeter; //!< energy of the round
    std::shared_ptr<const ModelState> m_model;                       //!< after the last round
    const std::vector<Sample>* m_validation{nullptr};                //!< to evaluate on
    uint32_t m_rounds{1};                                            //!< how many

    std::map<std::pair<uint32_t, NodeIndex>, Ptr<Connection>> m_nodes; //!< by cluster and node
    std::size_t m_missingReports{0};                 //!< nodes that have not reported
    std::vector<double> m_samples;                   //!< by cluster: training samples held
    std::unique_ptr<Aggregator> m_aggregator;        //!< of this round
    std::vector<std::unique_ptr<ClusterRun>> m_runs; //!< by cluster
    std::size_t m_runningClusters{0};                //!< not yet ended
    RoundRecord m_record;                            //!< of this round

    std::shared_ptr<Strand> m_evaluator;         //!< runs evaluations in order
    std::deque<Evaluation> m_evaluating;         //!< under way
    std::vector<EvaluationResult> m_evaluations; //!< known

    TracedCallback<const SystemState&, const RoundPlan&> m_planTrace;
    TracedCallback<uint32_t, uint32_t, Phase> m_phaseTrace;
    TracedCallback<const RoundRecord&> m_roundTrace;
    TracedCallback<uint32_t, const EvaluationResult&> m_evaluationTrace;
    TracedCallback<uint32_t, uint32_t, uint32_t, const ModelPart&> m_flushTrace;
    TracedCallback<const RoundMeasurement&> m_measurementTrace;
    TracedCallback<> m_finishedTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EDGE_SERVER_H */
