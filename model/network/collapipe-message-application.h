/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_APPLICATION_H
#define COLLAPIPE_MESSAGE_APPLICATION_H

#include "collapipe-caller-addresses.h"
#include "collapipe-connection.h"
#include "collapipe-early-inputs.h"
#include "collapipe-processor.h"

#include "ns3/application.h"
#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-executor.h"
#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-wire-precision.h"
#include "ns3/event-id.h"
#include "ns3/traced-callback.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
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
    bool sendsBase{false};              //!< frozen weights travel to nodes that have not had them
    uint16_t port{9000};                //!< TCP port that every application listens on
    Time heartbeat{Seconds(10)}; //!< nodes that have nothing to say say so as often; 0: never
    uint32_t replicaPeriod{0};   //!< local iterations between two snapshots; 0: none
    /// Where those who compute see what is on its way to them
    std::shared_ptr<EarlyInputs> earlyInputs{std::make_shared<EarlyInputs>()};
    /// Where they call from
    std::shared_ptr<CallerAddresses> callers{std::make_shared<CallerAddresses>()};
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

    /// @return connections closed so far because of what came over them
    uint64_t GetRefused() const;

    /// @return messages passed over so far: late, or there already
    uint64_t GetSkipped() const;

    /**
     * What happens to a message that is about to be sent; for experiments with faults.
     * @return in which way it is tampered with
     */
    enum class Tampering : uint8_t
    {
        NONE,      //!< it is sent
        CORRUPT,   //!< a bit of it is flipped
        DUPLICATE, //!< it is sent twice
        DELAY,     //!< it is sent later
    };

    /**
     * Tampers with training messages that will be sent, once each.
     * @param how what to do
     * @param delay by which one is delayed
     * @param count how many of them
     */
    void Tamper(Tampering how, Time delay, uint32_t count);

    /// The node loses power: all state of the application is lost, nobody is told.
    virtual void Crash();

    /// The node has power again: the application begins anew.
    void Reboot();

    /**
     * The program stands still, or goes on; the network stack below it works all the time.
     * @param isPaused whether it stands still
     */
    void SetPaused(bool isPaused);

    /// @return whether the program stands still
    bool IsPaused() const;

    /// @return whether the application runs: started, neither crashed nor stopped
    bool IsUp() const;

    /**
     * @return for whom or what the application waits: the rest of a sentence, such as "waits for
     * the uploads of device 2"; empty: for nobody
     */
    virtual std::string DescribeWait() const;

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
     * Signature of the Refused trace.
     * @param reason one sentence: why a connection was closed
     */
    typedef void (*RefusedTracedCallback)(const std::string& reason);

    /**
     * Signature of the Skipped trace.
     * @param header of a message that was passed over
     * @param reason one sentence
     */
    typedef void (*SkippedTracedCallback)(const MessageHeader& header, const std::string& reason);

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
     * @param attempts to connect; 0: no limit
     * @return the connection
     */
    Ptr<Connection> Call(Ipv4Address address, const MessageHeader& hello, uint32_t attempts = 10);

    /**
     * Sends a message and fires the trace.
     * @param connection over which
     * @param message what
     */
    void SendMessage(Ptr<Connection> connection, Message message);

    /**
     * Decides whether a message is welcome: when its head and the shapes of its tensors are known,
     * before memory is taken for its payload, and again when it is complete. What a peer sends is
     * checked here against what the plan lets it send; nothing here may change any state.
     * @param connection over which it comes
     * @param header its head
     * @param shapes of its tensors
     * @return what becomes of it
     */
    virtual MessageVerdict CheckMessage(Ptr<Connection> connection,
                                        const MessageHeader& header,
                                        const TensorList& shapes) const = 0;

    /**
     * @param connection over which it came
     * @param message what came; CheckMessage() has taken it
     */
    virtual void HandleMessage(Ptr<Connection> connection, Message message) = 0;

    /**
     * A connection is no more.
     * @param connection which
     * @param reason why
     * @param text one sentence
     */
    virtual void HandleClosed(Ptr<Connection> connection,
                              CloseReason reason,
                              const std::string& text) = 0;

    /**
     * A peer has sent what no member of the run sends: counts it, tells of it, ends the connection.
     * @param connection over which it came
     * @param reason one sentence
     */
    void Refuse(Ptr<Connection> connection, const std::string& reason);

    /**
     * Closes a connection without a word to anybody here.
     * @param connection which
     */
    void Disconnect(Ptr<Connection> connection);

    /**
     * Says that a connection belongs to a member of the run; others are bounded in number and in
     * time.
     * @param connection which
     */
    void Acknowledge(Ptr<Connection> connection);

    /// A connection has room in its queue again.
    virtual void HandleWritable() = 0;

    TracedCallback<const PassRecord&> m_passTrace; //!< for applications to fire: a pass has ended

  private:
    void HandleAccept(Ptr<Socket> socket, const Address& from);

    /// Hooks a connection up with this application.
    void Adopt(Ptr<Connection> connection);

    /// Something came over a connection.
    void Receive(Ptr<Connection> connection, Message message);

    /// A connection is no more.
    void Drop(Ptr<Connection> connection, CloseReason reason, const std::string& text);

    /// @return what becomes of a message, whatever the application: run, flags, and its own check
    MessageVerdict Check(Ptr<Connection> connection,
                         const MessageHeader& header,
                         const TensorList& shapes) const;

    /// A stranger has had its time to say who it is.
    void ExpireStranger(Ptr<Connection> connection);

    /// Strangers are no more, nor their time's ends.
    void ForgetStrangers();

    /// @return length of a message on the wire in bytes, with its seal
    uint64_t CountBytes(const Message& message) const;

    /// Sends what may have been tampered with.
    void Transmit(Ptr<Connection> connection, Message message);

    std::shared_ptr<const TrainingContext> m_context; //!< of the run
    Ptr<Processor> m_processor;                       //!< the node's
    Ptr<Socket> m_listener;                           //!< accepts peers
    std::vector<Ptr<Connection>> m_connections;       //!< all that are open
    std::map<Ptr<Connection>, EventId> m_strangers;   //!< of those: nobody's yet; their time's end
    uint32_t m_maxStrangers{64};                      //!< attribute
    Time m_introduction;                              //!< attribute
    uint32_t m_maxTensors{0};                         //!< of a message
    uint64_t m_messagesSent{0};                       //!< so far
    uint64_t m_closedBytes{0};                        //!< sent over connections that are no more
    uint64_t m_refused{0};                            //!< connections closed for what came
    uint64_t m_skipped{0};                            //!< messages passed over
    Tampering m_tampering{Tampering::NONE};           //!< with the next messages
    Time m_tamperingDelay;                            //!< of delayed ones
    uint32_t m_tamperings{0};                         //!< how many messages
    bool m_up{false};                                 //!< runs
    bool m_paused{false};                             //!< stands still
    std::deque<std::function<void()>> m_held;         //!< what came while it stood still
    TracedCallback<const std::string&> m_refusedTrace;
    TracedCallback<const MessageHeader&, const std::string&> m_skippedTrace;
    TracedCallback<const MessageHeader&, uint64_t> m_txTrace; //!< message handed to its connection
    TracedCallback<const MessageHeader&, uint64_t> m_rxTrace; //!< message received
    TracedCallback<const MessageHeader&, uint64_t, Time> m_receptionTrace; //!< with its duration
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_APPLICATION_H */
