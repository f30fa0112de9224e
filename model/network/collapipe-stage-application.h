/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_STAGE_APPLICATION_H
#define COLLAPIPE_STAGE_APPLICATION_H

#include "collapipe-assignment.h"
#include "collapipe-message-application.h"
#include "collapipe-stage-runner.h"

#include "ns3/collapipe-sample-source.h"
#include "ns3/ipv4-address.h"

#include <functional>
#include <map>
#include <memory>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Runs one pipeline stage a round: reports its state, receives its segment, trains it with its
 * neighbours for the local iterations, and uploads it. A node that holds data can be first stage.
 */
class StageApplication : public MessageApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    StageApplication();
    ~StageApplication() override;

    /**
     * @param source of the node's training data
     * @param samples how many there are
     */
    void SetData(SampleSource source, uint64_t samples);

    /// @return memory of this round's stage so far, as really allocated; zeros where there is none
    MemoryReport GetMemory() const;

    /**
     * Signature of the Flush trace.
     * @param round the round
     * @param iteration the local iteration whose gradients are complete
     * @param part the segment, before the optimizer's step
     */
    typedef void (*FlushTracedCallback)(uint32_t round, uint32_t iteration, const ModelPart& part);

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleWritable() override;

  private:
    // Messages
    void HandleHello(Ptr<Connection> connection, const Message& message);
    void HandleStateRequest(const Message& message);
    void HandleAssignment(const Message& message);
    void HandleParameters(Message message);
    void HandleClipFactor(const Message& message);

    /// Makes the runner of this round's stage.
    void CreateRunner(TensorList parameters);

    /// @return where in the training this round's stage begins
    TrainingPosition GetPosition() const;

    /// First stage: makes the micro-batches of an iteration and sends their targets.
    void FeedIteration(uint32_t iteration);

    /// Sends a pass's output to a neighbour.
    void SendOutput(MessageType type,
                    const Neighbour& to,
                    uint32_t iteration,
                    uint32_t microBatch,
                    TensorList tensors);

    /// Tells the edge server the norm of this stage's gradients, where they are clipped.
    void SendNorm(uint32_t iteration, double squaredNorm);

    /// All local iterations are done: sends the parameters to the edge server.
    void Upload();

    /// @return a head filled in with who and where this node is
    MessageHeader MakeHeader(MessageType type) const;

    /// @return the connection to a node of the chain; opened where it is not there yet
    Ptr<Connection> GetPeer(const Neighbour& neighbour);

    uint16_t m_cluster{0};     //!< cluster index
    uint16_t m_node{0};        //!< index within the cluster
    Ipv4Address m_edgeAddress; //!< where the edge server listens
    double m_memoryBytes{0};   //!< memory free for training
    double m_computePowerW{0}; //!< power while computing
    double m_batteryJ{0};      //!< energy left

    SampleSource m_source; //!< training data
    uint64_t m_samples{0}; //!< how many

    std::map<NodeIndex, Ptr<Connection>> m_peers; //!< by node; the edge server is one
    uint32_t m_round{0};                          //!< current round
    StageAssignment m_assignment;                 //!< of the current round
    std::unique_ptr<StageRunner> m_runner;        //!< of the current round
    TracedCallback<uint32_t, uint32_t, const ModelPart&> m_flushTrace; //!< gradients are complete
};

/**
 * @ingroup collapipe
 * A MEC device: holds a segment of the encoder.
 */
class DeviceApplication : public StageApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
};

/**
 * @ingroup collapipe
 * The control unit of a cluster: holds the cluster's data and the embedding.
 */
class ControlUnitApplication : public StageApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_STAGE_APPLICATION_H */
