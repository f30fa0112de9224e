/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_STAGE_APPLICATION_H
#define COLLAPIPE_STAGE_APPLICATION_H

#include "collapipe-assignment.h"
#include "collapipe-message-application.h"
#include "collapipe-parameter-carrier.h"
#include "collapipe-stage-runner.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-sample-source.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/event-id.h"
#include "ns3/ipv4-address.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

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

    /**
     * @param clocks parts of its processor's clock at which the node can compute beside the full
     *        one, (0, 1]; CheckClocks() says which can be
     */
    void SetClocks(std::vector<double> clocks);

    /// @return memory of this round's stage so far, as really allocated; zeros where there is none
    MemoryReport GetMemory() const;

    void Crash() override;
    std::string DescribeWait() const override;

    /// The battery is empty: says goodbye to the edge server and lets go of everything.
    void RunDown();

    /// @return frozen weights that the node has been sent since the start of the run, in bytes
    uint64_t GetBaseBytes() const;

    /// @return frozen weights that the node has, where they are sent
    const HeldBase& GetHeldBase() const;

    /// @return snapshots and replicas that the node holds now, in bytes
    uint64_t GetSnapshotBytes() const;

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
    void StopApplication() override;
    MessageVerdict CheckMessage(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleClosed(Ptr<Connection> connection,
                      CloseReason reason,
                      const std::string& text) override;
    void HandleWritable() override;

  private:
    /// What identifies a state that a stage had
    struct SnapshotKey
    {
        uint32_t stage;     //!< whose
        uint32_t iteration; //!< local iterations done

        /// @return order
        bool operator<(const SnapshotKey& other) const
        {
            return std::tie(stage, iteration) < std::tie(other.stage, other.iteration);
        }
    };

    /// A state that a stage had
    struct Snapshot
    {
        uint16_t firstBlock; //!< of the stage
        uint16_t lastBlock;  //!< of the stage
        TensorList tensors;  //!< its parameters in float32 and its optimizer
    };

    // What may come
    MessageVerdict CheckHello(Ptr<Connection> connection, const MessageHeader& header) const;
    MessageVerdict CheckFromServer(const MessageHeader& header, const TensorList& shapes) const;
    MessageVerdict CheckFromPeer(Ptr<Connection> connection,
                                 const MessageHeader& header,
                                 const TensorList& shapes) const;
    MessageVerdict CheckParameters(const MessageHeader& header, const TensorList& shapes) const;
    MessageVerdict CheckRequest(const TensorList& shapes) const;
    MessageVerdict CheckReplica(const MessageHeader& header, const TensorList& shapes) const;
    MessageVerdict CheckShare(const MessageHeader& header, const TensorList& shapes) const;
    MessageVerdict CheckBase(const MessageHeader& header, const TensorList& shapes) const;

    /// @return frozen weights of this round's stage that the node has not got; see
    /// ListMissingBase()
    std::vector<uint32_t> ListMissing() const;

    /// @return whether a message brings this stage, or one that is carried, what it is to hold
    static bool IsDistribution(const MessageHeader& header);

    /// @return whether a message is a device's upload, to the control unit that carries it
    bool IsCarriedUpload(const MessageHeader& header) const;

    /// @return whether the round cannot go on without a connection to a node
    bool Needs(NodeIndex node) const;

    /// @return whether this stage is the chain's first or last, and a message comes from the other
    bool IsFromOtherEnd(const MessageHeader& header) const;

    // Messages
    void HandleHello(Ptr<Connection> connection, const Message& message);
    void HandleStateRequest(const Message& message);
    void HandleAssignment(Ptr<Connection> connection, const Message& message);
    void HandleDistribution(Message message);
    void HandleBase(const MessageHeader& header, TensorList tensors);
    void HandleParameters(Message message);
    void HandleClipFactor(Ptr<Connection> connection, const Message& message);
    void HandleReplica(Message message);
    void HandleSnapshotRequest(const MessageHeader& header);

    /// Passes parts on to devices that wait for them, where all parts are here.
    void PassDown();

    /// Passes the uploads of all nodes on to the edge server, where all are here.
    void PassUp();

    /// @return whether a connection is with a node
    bool IsWith(const Ptr<Connection>& connection, NodeIndex node) const;

    /// Calls the edge server.
    void CallServer();

    /// Tells the edge server that the node lives, where it was silent; and again later.
    void Beat();

    /// Lets go of this round's stage.
    void ForgetStage();

    /// Lets go of frozen weights that were sent, as they are not on the node's storage.
    void ForgetBase();

    /// @return the model with the frozen weights that the node has
    ModelConfig GetModel() const;

    /// Keeps the stage's state after so many iterations and sends it to a neighbour.
    void TakeSnapshot(uint32_t iterations);

    /// Keeps a state, and of each stage the latest ones only.
    void Store(uint32_t stage, uint32_t iterations, Snapshot snapshot);

    /// Makes the runner of this round's stage.
    void CreateRunner(TensorList parameters);

    /// @return whom the runner tells what
    StageRunner::Callbacks MakeCallbacks();

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

    /// Sends gradients, or their mean, to the same stage of another chain.
    void SendGradients(std::size_t chain, uint32_t iteration, TensorList gradients);

    /// Tells the stage before how many local iterations are done here and behind.
    void SendCredit(uint32_t iterations);

    /// Sends a message to the edge server, where there is a connection to it.
    void SendToServer(Message message);

    /// Tells the edge server the norm of this stage's gradients, where they are clipped.
    void SendNorm(uint32_t iteration, double squaredNorm);

    /// All local iterations are done: sends the parameters to the edge server.
    void Upload();

    /// @return a head filled in with who and where this node is
    MessageHeader MakeHeader(MessageType type) const;

    /// @return the connection to a node of the chain; opened where it is not there yet
    Ptr<Connection> GetPeer(const Neighbour& neighbour);

    uint16_t m_cluster{0};        //!< cluster index
    uint16_t m_node{0};           //!< index within the cluster
    Ipv4Address m_edgeAddress;    //!< where the edge server listens
    double m_memoryBytes{0};      //!< memory free for training
    double m_computePowerW{0};    //!< power while computing
    double m_batteryJ{0};         //!< energy left
    std::vector<double> m_clocks; //!< parts of its clock that it offers beside the full one

    SampleSource m_source; //!< training data
    uint64_t m_samples{0}; //!< how many

    std::map<NodeIndex, Ptr<Connection>> m_peers;  //!< by node; the edge server is one
    std::map<NodeIndex, Ptr<Connection>> m_spares; //!< where two nodes have called each other
    std::map<NodeIndex, uint32_t> m_greetings;     //!< by node: number of its latest hello
    uint32_t m_calls{0};                           //!< hellos sent so far; outlives a crash
    EventId m_beat;                                //!< next heartbeat
    EventId m_recall;                              //!< next call to the edge server
    uint32_t m_round{0};                           //!< current round
    uint16_t m_attempt{0};                         //!< at the current round
    bool m_isAssigned{false};                      //!< the assignment of this attempt is there
    StageAssignment m_assignment;                  //!< of the current round
    TensorList m_activation;                       //!< shapes of one, in this assignment
    TensorList m_targets;                          //!< likewise
    TensorList m_gradient;                         //!< likewise
    TensorList m_tableGradient;                    //!< likewise
    TensorList m_share;                            //!< of the stage's gradients, likewise
    std::shared_ptr<WirePart> m_part;              //!< of the current round
    std::unique_ptr<StageRunner> m_runner;         //!< of the current round
    std::unique_ptr<ParameterCarrier> m_carrier;   //!< of this attempt; null: carries nothing
    /// By node: round and attempt of its latest request for parameters
    std::map<NodeIndex, std::pair<uint32_t, uint16_t>> m_requests;
    double m_lossSum{0};   //!< of the attempt's iterations, in nats per token
    bool m_hasLoss{false}; //!< something is computed
    /// Samples of this round, by chain and iteration: an attempt takes those of the one before
    std::map<std::pair<uint32_t, uint32_t>, std::vector<const Sample*>> m_batches;
    uint32_t m_batchRound{0};                    //!< of which round they are
    std::map<SnapshotKey, Snapshot> m_snapshots; //!< of this attempt, own and neighbours'
    HeldBase m_heldBase;                         //!< frozen weights that were sent and are here
    std::shared_ptr<const FrozenWeights> m_base; //!< their values; null: there are none
    uint64_t m_baseBytes{0};                     //!< that were sent, all in all
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
