/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EDGE_SERVER_H
#define COLLAPIPE_EDGE_SERVER_H

#include "collapipe-cluster-recovery.h"
#include "collapipe-cluster-run.h"
#include "collapipe-model-server.h"
#include "collapipe-round-director.h"

#include "ns3/collapipe-cluster-id.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The edge server: asks for states, has its director (the control loop) decide, leads the clusters
 * through the round, holds the decoders, averages, evaluates. Towards the director its clusters are
 * counted from 0; on the wire and in traces they have the ids that SetClusters() gave them.
 */
class EdgeServerApplication : public ModelServerApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    EdgeServerApplication();
    ~EdgeServerApplication() override;

    /// @param director that decides rounds; ControlLoop::Install() sets it
    void SetDirector(Ptr<RoundDirector> director);

    /**
     * @param clusters by cluster: the addresses by which its nodes reach each other
     * @param ids by which the rest of the network knows them; empty: 0, 1, 2 ...
     */
    void SetClusters(std::vector<ClusterAddresses> clusters,
                     const std::vector<ClusterId>& ids = {});

    /// @return by cluster: how the rest of the network knows it
    const std::vector<ClusterId>& GetClusterIds() const;

    /// @return what estimates the constants of the bound (9)
    const LearningMonitor& GetLearningMonitor() const;

    /// @param policy that decides what is done when a node fails
    void SetRecovery(Ptr<RecoveryPolicy> policy);

    /// @return whether a node has a connection and was heard of lately
    bool IsPresent(uint32_t cluster, NodeIndex node) const;

    /// @return when a round last ended, or training last went on
    Time GetLastProgress() const;

    /// @return how long the round under way was planned to take, in seconds; 0: unknown
    double GetPlannedLatencyS() const;

    /**
     * @return nodes by cluster that are not there, where no cluster could end the round under way;
     *         empty where it is not known that none can, or all are there
     */
    std::vector<std::pair<ClusterId, NodeIndex>> GetMissed() const;

    /// @return how long a node may be silent before it counts as failed
    Time GetPatience() const;

    std::string DescribeWait() const override;
    void Crash() override;

    /**
     * Signature of the Failure trace.
     * @param failure a node counts as failed from now on
     */
    typedef void (*FailureTracedCallback)(const NodeFailure& failure);

    /**
     * Signature of the Return trace.
     * @param cluster number of a cluster
     * @param node of it that is back
     */
    typedef void (*ReturnTracedCallback)(uint32_t cluster, NodeIndex node);

    /**
     * Signature of the Recovery trace.
     * @param record of what was done
     */
    typedef void (*RecoveryTracedCallback)(const RecoveryRecord& record);

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

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void StopApplication() override;
    MessageVerdict CheckMessage(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleClosed(Ptr<Connection> connection,
                      CloseReason reason,
                      const std::string& text) override;
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
     * Has the director decide and starts the clusters.
     * @param allSamples training samples of all clusters that are averaged in the end
     */
    void Decide(double allSamples);

    /// @return samples of the clusters of this server
    double CountSamples() const;

    /// @return the round under way
    uint32_t GetRound() const;

    /// Ends the round that is under way without a result; BeginRound() begins it anew.
    void AbandonRound();

    /// Begins a round that came to nothing anew.
    void BeginAgain();

  private:
    /// A node: cluster, as it is counted here, and index within it
    using NodeId = std::pair<uint32_t, NodeIndex>;

    /// What the edge server knows of a node
    struct Member
    {
        Ptr<Connection> connection; //!< null: absent
        uint32_t greeting{0};       //!< number of its latest hello
        bool hasGreeted{false};     //!< it has said hello at least once
        Time lastHeard;             //!< over connections that are no more
        bool isAsked{false};        //!< for its state, which is not there
        StateReport report;         //!< the latest
        bool hasReported{false};    //!< at least once
        uint32_t passes{0};         //!< done in this round, by its latest heartbeat
    };

    MessageVerdict CheckHello(Ptr<Connection> connection, const MessageHeader& header) const;
    MessageVerdict CheckMember(const NodeId& id,
                               const MessageHeader& header,
                               const TensorList& shapes) const;
    void HandleHello(Ptr<Connection> connection, const MessageHeader& header);
    void HandleReport(Ptr<Connection> connection, const Message& message);
    void HandleBeat(const NodeId& id, const MessageHeader& header);

    /// Not all nodes have called in the time given: begins with those that have.
    void BeginWithout();

    /// Asks a node for its state.
    void AskState(const NodeId& id);

    /// All that were asked have reported, or failed.
    void EndReports();

    /**
     * Tells the state what nodes have reported.
     * @param withAbsent whether absent devices have memory to offer
     * @return whether there are absent ones
     */
    bool ApplyReports(bool withAbsent);

    /// Tells the state what a cluster's nodes have reported, and what they were sent since.
    void ReportNodes(uint32_t cluster);

    /// A node counts as failed, as a neighbour says, or as is seen here.
    void Fail(const NodeId& id,
              CloseReason reason,
              const std::string& text,
              NodeIndex reporter = EDGE_SERVER);

    /**
     * Lets go of a node's connection.
     * @param member the node
     * @return what its connection was; null: it had none
     */
    static Ptr<Connection> Detach(Member& member);

    /// Looks for nodes that are silent and for tasks that do not come; and again later.
    void Watch();

    /// @return a node's name for the user's eyes
    std::string Describe(const NodeId& id) const;

    /// @return what a cluster's recovery needs of this application
    ClusterRecovery::Services MakeRecoveryServices(uint32_t cluster);

    /// Clusters whose plan uses nodes that are not there begin with a failure.
    void FailAbsent();
    void StartClusters();

    /**
     * @param id of a cluster
     * @return its index here; as many as there are clusters where it is not of this server
     */
    uint32_t FindCluster(ClusterId id) const;

    /// @return what a cluster's run needs of this application
    ClusterRun::Services MakeServices(uint32_t cluster);

    /// All clusters have ended: averages.
    void EndRound();
    double ComputeTrainLoss() const;

    /// @return sum of the weights of the clusters that have ended; 1 where all have
    double CountEnded() const;

    /// @return a cluster's part of the samples of this server
    double GetWeight(uint32_t cluster) const;

    /// Takes what this round learnt from the history, where the round is replayed.
    void RecallRound();

    /// @return the node that a connection is with; of no cluster: none
    NodeId FindMember(const Ptr<Connection>& connection) const;

    /// @return nodes of all clusters
    std::size_t CountNodes() const;

    Ptr<RoundDirector> m_director;            //!< decides
    std::vector<ClusterAddresses> m_clusters; //!< addresses
    std::vector<ClusterId> m_ids;             //!< of the clusters

    Ptr<RecoveryPolicy> m_recovery;   //!< decides on failures
    Time m_patience;                  //!< attribute
    Time m_taskPatience;              //!< attribute
    EventId m_watch;                  //!< next look at the nodes
    EventId m_begin;                  //!< first round without those that are missing
    EventId m_end;                    //!< of the round
    std::map<NodeId, Member> m_nodes; //!< all that have called
    bool m_isConnecting{false};       //!< waits for the nodes to call
    bool m_isUnderWay{false};         //!< a round has begun and has not ended
    bool m_isReporting{false};        //!< nodes are asked for their states
    std::vector<uint16_t> m_attempts; //!< by cluster: the first attempt's number of the round
    std::vector<ClusterRun::Reached> m_reached; //!< by cluster: in the round, before it began anew
    bool m_isIdle{false};      //!< a round waits for any node at all, or for one more
    bool m_isFruitless{false}; //!< the round has come to nothing at least once
    Time m_progress;           //!< a round has ended
    std::vector<std::unique_ptr<ClusterRecovery>> m_recoveries; //!< by cluster
    std::vector<double> m_samples;                   //!< by cluster: training samples held
    std::unique_ptr<Aggregator> m_aggregator;        //!< of this round
    LearningMonitor m_learning;                      //!< estimates the bound's constants
    LearningState m_constants;                       //!< of the bound, as estimated so far
    std::vector<std::unique_ptr<ClusterRun>> m_runs; //!< by cluster
    std::size_t m_runningClusters{0};                //!< not yet ended
    RoundRecord m_record;                            //!< of this round

    TracedCallback<const NodeFailure&> m_failureTrace;
    TracedCallback<uint32_t, NodeIndex> m_returnTrace;
    TracedCallback<const RecoveryRecord&> m_recoveryTrace;
    TracedCallback<uint32_t, uint32_t, Phase> m_phaseTrace;
    TracedCallback<uint32_t, uint32_t, uint32_t, const ModelPart&> m_flushTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EDGE_SERVER_H */
