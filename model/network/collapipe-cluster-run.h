/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_RUN_H
#define COLLAPIPE_CLUSTER_RUN_H

#include "collapipe-assignment.h"
#include "collapipe-gradient-clipper.h"
#include "collapipe-learning-monitor.h"
#include "collapipe-message-application.h"
#include "collapipe-stage-runner.h"

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-wire-part.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
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
    /// The edge server's own stage has ended the first local iteration of the last attempt; 0: none
    Time firstFlush;
    Time lastFlush; //!< it has ended its last one; uploads of what has no backward pass are earlier
    uint32_t firstIteration{0}; //!< which one ended at firstFlush; not 0 after a recovery
    uint32_t lastIteration{0};  //!< which one ended at lastFlush
    Time backward; //!< the edge server's own stage, or the first node, has finished training
    Time upload;   //!< last upload complete
    bool isLeftOut{false}; //!< the cluster was given up: what did not end is as late as that

    /**
     * How long a local iteration took from start to start. The edge server sees its own stage only:
     * the way to it lies before its first end and the way back behind its last one, so that what is
     * between two of its ends are whole iterations.
     * @param iterations H
     * @return seconds; where there was but one, those to its end at the edge server; 0 or less
     * where a cluster was given up before it had ended one
     */
    double GetIterationS(uint32_t iterations) const;
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
        ClusterId id;                                 //!< the cluster's
        Ptr<Processor> processor;                     //!< of the edge server
        Ipv4Address edgeAddress;                      //!< by which the nodes reach it
        Aggregator* aggregator;                       //!< gets the uploads
        LearningMonitor* learning;                    //!< gets what they tell of gradients
        std::function<void(NodeIndex, Message)> send; //!< to a node of the cluster
        /// Which frozen weights a node that is there needs for a run of the model, see
        /// ListMissingBase(); they count as sent to it, where they go over its own connection
        std::function<std::vector<uint32_t>(NodeIndex, const PartRange&, bool)> takeMissingBase;
        std::function<bool()> canSend; //!< back-pressure
        /// A phase begins, or one of several chains follows into it
        std::function<void(Phase, bool begins)> onPhase;
        std::function<void(uint32_t chain, uint32_t iteration, const ModelPart&)>
            onFlush;                                   //!< own stage
        std::function<void(const PassRecord&)> onPass; //!< own stage has ended a pass
        std::function<void()> onFinished; //!< all uploads are there, or the cluster is left out
    };

    /// How far a cluster has got in a round: local iterations, and messages in the one under way
    using Reached = std::pair<uint32_t, uint32_t>;

    /// Where an attempt begins
    struct Start
    {
        std::shared_ptr<const ModelState> model; //!< the state of all stages
        uint32_t iterations{0};                  //!< local iterations that it has seen
    };

    /**
     * @param cluster index
     * @param round index
     * @param plan of the whole round
     * @param weight rho of the cluster
     * @param addresses of the cluster's nodes among themselves
     * @param attempt number of the first attempt
     * @param services of the edge server
     */
    ClusterRun(uint32_t cluster,
               uint32_t round,
               const RoundPlan& plan,
               double weight,
               const ClusterAddresses& addresses,
               uint16_t attempt,
               Services services);

    /**
     * Sends every node its stage.
     * @param model what the round starts from
     */
    void Distribute(std::shared_ptr<const ModelState> model);

    /**
     * Ends the attempt at the round: what it has computed since its start enters nothing, its
     * messages are late from now on.
     */
    void Abandon();

    /**
     * Begins the next attempt.
     * @param plan of the cluster
     * @param start where it begins
     */
    void Restart(ClusterPlan plan, Start start);

    /**
     * Leaves the cluster out of the round: nothing of it enters the average.
     */
    void GiveUp();

    /**
     * Gives what was uploaded to the aggregator and what it tells of gradients to the learning
     * monitor. Only when the round ends: an abandoned attempt enters nothing, and the weights
     * depend on which clusters have ended.
     * @param weight of the cluster among those that have ended
     */
    void Contribute(double weight);

    /**
     * @param header of a message of this round from a node of the cluster
     * @param shapes of its tensors
     * @return what becomes of it
     */
    MessageVerdict Check(const MessageHeader& header, const TensorList& shapes) const;

    /**
     * @param message that Check() has taken
     * @return empty, or one sentence: why no member of the run sends this
     */
    std::string HandleMessage(Message message);

    /// @return number of the attempt, from 0
    uint16_t GetAttempt() const;

    /// @return whether an attempt is under way
    bool IsRunning() const;

    /// @return whether all uploads are there
    bool IsFinished() const;

    /// @return whether the cluster is left out of the round
    bool IsGivenUp() const;

    /// @return what the cluster does in the attempt under way
    const ClusterPlan& GetPlan() const;

    /// @return the same with links as they are to be set now: see KeepTraining()
    ClusterPlan GetSettings() const;

    /// @return nodes whose part in the attempt is not done
    std::set<NodeIndex> GetNeededNodes() const;

    /// @return where the attempt under way has begun
    const Start& GetStart() const;

    /**
     * @param stage that the edge server holds
     * @return its states by the number of local iterations that they have seen
     */
    const std::map<uint32_t, TensorList>& GetSnapshots(uint32_t stage) const;

    /// @return by stage: after how many local iterations its neighbour has stored a replica
    const std::map<uint32_t, std::set<uint32_t>>& GetReplicas() const;

    /**
     * A node has stored a replica.
     * @param stage whose
     * @param iterations local iterations that the state has seen
     */
    void NoteReplica(uint32_t stage, uint32_t iterations);

    /// @return the least that is certainly done of all stages, in local iterations
    uint32_t GetIteration() const;

    /// A node says that it has got on, further than in any attempt at the round before.
    void NoteProgress();

    /// @return when the attempt last began or something of it came to the edge server
    Time GetLastActivity() const;

    /**
     * @return when something came that no attempt at the round had come to before, so that attempts
     *         that fail for ever make none
     */
    Time GetLastProgress() const;

    /**
     * The round is begun anew: what was reached in it before is no progress.
     * @param reached GetReached() of then
     */
    void SetReached(const Reached& reached);

    /// @return the furthest that any attempt at the round has got
    const Reached& GetReached() const;

    /// @return for whom the cluster waits; the rest of a sentence
    std::string DescribeWait() const;

    /// To be called when a connection has room again.
    void Resume();

    /// @return when the phases ended
    const PhaseTimes& GetPhaseTimes() const;

    /// @return sum over chains and iterations of the training loss times the chain's share of data
    double GetLossSum() const;

    /// @return whether all chains' losses are known: computed here, or told with the upload
    bool HasLoss() const;

  private:
    /// @return the assignment of a stage
    StageAssignment MakeAssignment(uint32_t chain, uint32_t stage) const;

    /// @return how a stage's node is reached by the cluster's other nodes
    Neighbour GetNeighbour(uint32_t chain, uint32_t stage) const;

    /// @return whether the control unit carries the parameters of its devices
    bool IsCollected() const;

    /// @return over whose connection the parameters of a node go
    NodeIndex GetCarrier(NodeIndex node) const;

    /// @return a head of this round and cluster from the edge server
    MessageHeader MakeHeader(MessageType type, uint32_t chain, uint32_t stage) const;

    /// @return a part's parameters and optimizer state as they travel
    TensorList EncodeModel(const PartRange& range, const ModelState& model) const;

    /// Sends a stage's node the frozen weights of the stage that it has not had.
    void SendBase(uint32_t chain, uint32_t stage);

    /// A node has its parameters, and so the frozen weights that somebody else has brought it.
    void NoteBase(NodeIndex node);

    /// Makes the runner of a stage that the edge server holds.
    void CreateRunner(uint32_t chain, uint32_t stage, const ModelState& model);

    /// Tells the stage before one of the edge server's how far that and those behind it are.
    void SendCredit(uint32_t chain, uint32_t stage, uint32_t iterations);

    /// Makes the callbacks of such a runner.
    StageRunner::Callbacks MakeCallbacks(uint32_t chain, uint32_t stage);

    MessageVerdict CheckUpload(const MessageHeader& header, const TensorList& shapes) const;

    /// @return whether a message names a stage of the plan that its sender holds
    bool IsFromStage(const MessageHeader& header) const;

    void HandleReady(NodeIndex node);
    std::string HandleNorm(const Message& message);
    std::string HandleUpload(Message& message);

    /// Counts a message of an attempt.
    void NoteMessage(const MessageHeader& header);

    /// Forgets what belongs to an attempt, and gets ready for one from an iteration on.
    void Prepare(uint32_t firstIteration);

    /// A stage's parameters and statistics
    struct UploadedPart
    {
        uint32_t chain;     //!< of the stage
        uint32_t stage;     //!< whose
        TensorList tensors; //!< as they came
    };

    /// @return whether a stage's parameters are there
    bool IsTrained(uint32_t chain) const;
    bool HasUpload(uint32_t chain, uint32_t stage) const;

    /// All uploads are there.
    void Finish();
    void AddNorm(uint32_t chain, uint32_t iteration, uint32_t stage, double squaredNorm);
    void AddUpload(uint32_t chain, uint32_t stage, TensorList tensors);

    /// The edge server's own stage has done so many iterations: keeps its state where it is time.
    void TakeSnapshot(uint32_t chain, uint32_t stage, uint32_t iterations);

    uint32_t m_cluster;           //!< index
    uint32_t m_round;             //!< index
    uint32_t m_iterations;        //!< H
    std::string m_schedule;       //!< its name
    ClusterPlan m_plan;           //!< of this cluster
    double m_weight;              //!< rho
    ClusterAddresses m_addresses; //!< of the cluster's nodes
    Services m_services;          //!< of the edge server

    std::vector<std::unique_ptr<StageRunner>>
        m_runners;                                  //!< by chain; null where it has no stage here
    std::vector<std::shared_ptr<WirePart>> m_parts; //!< by chain; likewise
    std::vector<GradientClipper> m_clippers;        //!< by chain
    std::set<NodeIndex> m_notReady;                 //!< nodes that are not ready yet
    std::set<uint32_t> m_uploading;                 //!< chains whose upload has begun
    uint32_t m_missingUploads{0};                   //!< stages whose parameters are not there
    std::vector<UploadedPart> m_uploads;            //!< in the order in which they came
    std::map<uint32_t, std::map<uint32_t, TensorList>> m_snapshots; //!< own, by stage, iterations
    std::map<uint32_t, std::set<uint32_t>> m_replicas; //!< iterations by stage: stored somewhere
    uint16_t m_attempt{0};                             //!< at the round
    Start m_start;                                     //!< of the attempt
    bool m_running{false};                             //!< an attempt is under way
    bool m_finished{false};                            //!< all uploads are there
    bool m_givenUp{false};                             //!< left out of the round
    Time m_activity;                                   //!< something came, or an attempt began
    Time m_progress;                                   //!< something came for the first time
    Reached m_position;                                //!< of the attempt
    Reached m_reached;                                 //!< of all attempts
    PhaseTimes m_times;                                //!< when phases ended
    std::vector<std::pair<uint32_t, double>> m_losses; //!< iteration and share of the loss
    bool m_hasLoss{true};                              //!< they are known
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_RUN_H */
