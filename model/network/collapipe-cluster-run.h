/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_RUN_H
#define COLLAPIPE_CLUSTER_RUN_H

#include "collapipe-assignment.h"
#include "collapipe-gradient-clipper.h"
#include "collapipe-message-application.h"
#include "collapipe-stage-runner.h"

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-learning-monitor.h"

#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// How the nodes of a cluster reach each other; index 0 is the control unit, k + 1 is device k
using ClusterAddresses = std::vector<Ipv4Address>;

/// When the phases of a cluster's round ended
struct PhaseTimes
{
    Time distribution; //!< parameters distributed, all nodes ready
    Time backward;     //!< the edge server's own stage, or the first node, has finished training
    Time upload;       //!< last upload complete
};

/**
 * @ingroup collapipe
 * One cluster's round as the edge server leads it: assigns stages, waits for the nodes, starts the
 * chains, runs the stages that the edge server itself holds, collects the uploads.
 */
class ClusterRun
{
  public:
    /// What the run needs of its edge server
    struct Services
    {
        const TrainingContext* context;               //!< of the run
        uint32_t number{0};                           //!< of the cluster, among all cells'
        Ptr<Processor> processor;                     //!< of the edge server
        Ipv4Address edgeAddress;                      //!< by which the nodes reach it
        Aggregator* aggregator;                       //!< gets the uploads
        LearningMonitor* learning;                    //!< gets what they tell of gradients
        std::function<void(NodeIndex, Message)> send; //!< to a node of the cluster
        std::function<bool()> canSend;                //!< back-pressure
        std::function<void(Phase)> onPhase;           //!< a phase begins
        std::function<void(uint32_t chain, uint32_t iteration, const ModelPart&)>
            onFlush;                      //!< own stage
        std::function<void(const PassRecord&)> onPass; //!< own stage has ended a pass
        std::function<void()> onFinished; //!< all uploads are there
    };

    /**
     * @param cluster index
     * @param round index
     * @param plan of the whole round
     * @param weight rho of the cluster
     * @param addresses of the cluster's nodes among themselves
     * @param services of the edge server
     */
    ClusterRun(uint32_t cluster,
               uint32_t round,
               const RoundPlan& plan,
               double weight,
               const ClusterAddresses& addresses,
               Services services);

    /**
     * Sends every node its stage.
     * @param model what the round starts from
     */
    void Distribute(const ModelState& model);

    /// @param message a message of this round from a node of the cluster
    void HandleMessage(Message message);

    /// To be called when a connection has room again.
    void Resume();

    /// @return when the phases ended
    const PhaseTimes& GetPhaseTimes() const;

    /// @return sum over chains and iterations of the training loss times the chain's share of data
    double GetLossSum() const;

    /// @return whether all chains' losses were computed here
    bool HasLoss() const;

  private:
    /// @return the assignment of a stage
    StageAssignment MakeAssignment(uint32_t chain, uint32_t stage) const;

    /// @return how a stage's node is reached by the cluster's other nodes
    Neighbour GetNeighbour(uint32_t chain, uint32_t stage) const;

    /// @return a head of this round and cluster from the edge server
    MessageHeader MakeHeader(MessageType type, uint32_t chain, uint32_t stage) const;

    /// @return a part's parameters and optimizer state as they travel
    TensorList EncodeModel(const PartRange& range, const ModelState& model) const;

    /// Makes the runner of a stage that the edge server holds.
    void CreateRunner(uint32_t chain, uint32_t stage, const ModelState& model);

    /// Makes the callbacks of such a runner.
    StageRunner::Callbacks MakeCallbacks(uint32_t chain, uint32_t stage);

    void HandleReady(NodeIndex node);
    void HandleNorm(const Message& message);
    void AddNorm(uint32_t chain, uint32_t iteration, uint32_t stage, double squaredNorm);
    void AddUpload(uint32_t chain, uint32_t stage, TensorList tensors);

    /// @return the edge server's runner in a chain; aborts where it has none
    StageRunner& GetRunner(uint32_t chain);

    uint32_t m_cluster;           //!< index
    uint32_t m_round;             //!< index
    uint32_t m_iterations;        //!< H
    std::string m_schedule;       //!< its name
    ClusterPlan m_plan;           //!< of this cluster
    double m_weight;              //!< rho
    ClusterAddresses m_addresses; //!< of the cluster's nodes
    Services m_services;          //!< of the edge server

    std::vector<std::unique_ptr<StageRunner>>
        m_runners;                  //!< by chain; null where it has no stage here
    std::vector<GradientClipper> m_clippers; //!< by chain
    std::set<NodeIndex> m_notReady; //!< nodes that are not ready yet
    bool m_uploading{false};        //!< the upload phase has begun
    uint32_t m_missingUploads{0};   //!< stages whose parameters are not there
    PhaseTimes m_times;             //!< when phases ended
    double m_lossSum{0};            //!< of the training
    bool m_hasLoss{true};           //!< all decoders are here
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_RUN_H */
