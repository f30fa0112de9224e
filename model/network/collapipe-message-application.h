/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_APPLICATION_H
#define COLLAPIPE_MESSAGE_APPLICATION_H

#include "collapipe-connection.h"
#include "collapipe-processor.h"

#include "ns3/application.h"
#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-executor.h"
#include "ns3/collapipe-wire-precision.h"
#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/traced-callback.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What all applications of a run have in common: the model, how it is computed, how messages
 * travel.
 */
struct TrainingContext
{
    ModelConfig model;                  //!< the model's dimensions
    uint64_t seed{1};                   //!< of the random streams of training
    OptimizerConfig optimizer;          //!< of every segment
    Ptr<ComputeBackend> backend;        //!< makes the parts that compute
    std::shared_ptr<Executor> executor; //!< threads for real computation
    TransportConfig transport;          //!< TCP settings
    uint32_t runId{1};                  //!< in every message; others are refused
    double backwardRatio{2};            //!< beta, backward work over forward work
    WirePrecision precision;            //!< in which tensors travel
    bool keepOptimizerState{false};     //!< average and redistribute optimizers instead of new ones
    uint16_t port{9000};                //!< TCP port that every application listens on
};

/**
 * @param context of the run
 * @param cluster index
 * @param chain within the cluster
 * @param round index, from 1
 * @param iterations of every round
 * @return where in the training the chain's parts begin that round
 */
TrainingPosition GetTrainingPosition(const TrainingContext& context,
                                     uint32_t cluster,
                                     uint32_t chain,
                                     uint32_t round,
                                     uint32_t iterations);

/**
 * @ingroup collapipe
 * One pass of a micro-batch through a stage, once it has ended.
 */
struct PassRecord
{
    uint32_t cluster{0};         //!< index
    NodeIndex node{EDGE_SERVER}; //!< that computed
    uint32_t round{0};           //!< the round
    uint32_t chain{0};           //!< chain within the cluster
    uint32_t stage{0};           //!< stage of the chain
    uint32_t iteration{0};       //!< local iteration
    Action action;               //!< forward or backward, and the micro-batch
    Time start;                  //!< when the processor began it
    Time end;                    //!< when it ended: now
};

/**
 * @ingroup collapipe
 * An application that exchanges messages over TCP and has a processor: what control unit, device
 * and edge server share.
 */
class MessageApplication : public Application
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    MessageApplication();
    ~MessageApplication() override;

    /// @param context of the run; to be set before the application starts
    void SetContext(std::shared_ptr<const TrainingContext> context);

    /// @return the node's processor
    Ptr<Processor> GetProcessor() const;

    /// @return bytes that this application has handed to TCP so far
    uint64_t GetBytesSent() const;

    /// @return messages that this application has sent so far
    uint64_t GetMessagesSent() const;

    /**
     * Signature of the Tx and Rx traces.
     * @param header the message's head
     * @param bytes its length on the wire
     */
    typedef void (*MessageTracedCallback)(const MessageHeader& header, uint64_t bytes);

    /**
     * Signature of the Reception trace.
     * @param header the message's head
     * @param bytes its length on the wire
     * @param begin when its first byte was there; its last is there now
     */
    typedef void (*ReceptionTracedCallback)(const MessageHeader& header,
                                            uint64_t bytes,
                                            Time begin);

    /**
     * Signature of the Pass trace.
     * @param record of the pass that has ended
     */
    typedef void (*PassTracedCallback)(const PassRecord& record);

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void StopApplication() override;

    /// @return the run's context
    const TrainingContext& GetContext() const;

    /**
     * Opens a connection and introduces this node.
     * @param address whom to call
     * @param hello head of the first message
     * @return the connection
     */
    Ptr<Connection> Call(Ipv4Address address, const MessageHeader& hello);

    /**
     * Sends a message and fires the trace.
     * @param connection over which
     * @param message what
     */
    void SendMessage(Ptr<Connection> connection, Message message);

    /**
     * @param connection over which it came
     * @param message what came
     */
    virtual void HandleMessage(Ptr<Connection> connection, Message message) = 0;

    /// A connection has room in its queue again.
    virtual void HandleWritable() = 0;

    TracedCallback<const PassRecord&> m_passTrace; //!< for applications to fire: a pass has ended

  private:
    void HandleAccept(Ptr<Socket> socket, const Address& from);

    /// Hooks a connection up with this application.
    void Adopt(Ptr<Connection> connection);

    std::shared_ptr<const TrainingContext> m_context;         //!< of the run
    Ptr<Processor> m_processor;                               //!< the node's
    Ptr<Socket> m_listener;                                   //!< accepts peers
    std::vector<Ptr<Connection>> m_connections;               //!< all that were opened
    uint64_t m_messagesSent{0};                               //!< so far
    TracedCallback<const MessageHeader&, uint64_t> m_txTrace; //!< message handed to its connection
    TracedCallback<const MessageHeader&, uint64_t> m_rxTrace; //!< message received
    TracedCallback<const MessageHeader&, uint64_t, Time> m_receptionTrace; //!< with its duration
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_APPLICATION_H */
