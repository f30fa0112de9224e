/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EDGE_SERVER_H
#define COLLAPIPE_EDGE_SERVER_H

#include "collapipe-cluster-run.h"
#include "collapipe-model-server.h"
#include "collapipe-round-director.h"

#include <map>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The edge server: asks for states, has its director (the control loop) decide, leads the clusters
 * through the round, holds the decoders, averages, evaluates. Towards the director its clusters are
 * counted from 0; on the wire and in traces they have the numbers that SetClusters() gave them.
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
     * @param numbers by which the rest of the network knows them; empty: 0, 1, 2 ...
     */
    void SetClusters(std::vector<ClusterAddresses> clusters, std::vector<uint32_t> numbers = {});

    /// @return the clusters' numbers
    const std::vector<uint32_t>& GetClusterNumbers() const;

    /// @return what estimates the constants of the bound (9)
    const LearningMonitor& GetLearningMonitor() const;

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
     * Has the director decide and starts the clusters.
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

    Ptr<RoundDirector> m_director;            //!< decides
    std::vector<ClusterAddresses> m_clusters; //!< addresses
    std::vector<uint32_t> m_numbers;          //!< of the clusters

    std::map<std::pair<uint32_t, NodeIndex>, Ptr<Connection>> m_nodes; //!< by cluster and node
    std::size_t m_missingReports{0};                 //!< nodes that have not reported
    std::vector<double> m_samples;                   //!< by cluster: training samples held
    std::unique_ptr<Aggregator> m_aggregator;        //!< of this round
    LearningMonitor m_learning;                      //!< estimates the bound's constants
    LearningState m_constants;                       //!< of the bound, as estimated so far
    std::vector<std::unique_ptr<ClusterRun>> m_runs; //!< by cluster
    std::size_t m_runningClusters{0};                //!< not yet ended
    RoundRecord m_record;                            //!< of this round

    TracedCallback<uint32_t, uint32_t, Phase> m_phaseTrace;
    TracedCallback<uint32_t, uint32_t, uint32_t, const ModelPart&> m_flushTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EDGE_SERVER_H */
