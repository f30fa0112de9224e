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
    OptimizerConfig optimizer;          //!< of every segment
    Ptr<ComputeBackend> backend;        //!< makes the parts that compute
    std::shared_ptr<Executor> executor; //!< threads for real computation
    TransportConfig transport;          //!< TCP settings
    uint32_t runId{1};                  //!< in every message; others are refused
    double backwardRatio{2};            //!< beta, backward work over forward work
    bool keepOptimizerState{false};     //!< average and redistribute optimizers instead of new ones
    uint16_t port{9000};                //!< TCP port that every application listens on
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
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_APPLICATION_H */
