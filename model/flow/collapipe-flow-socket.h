/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_SOCKET_H
#define COLLAPIPE_FLOW_SOCKET_H

#include "collapipe-flow-network.h"

#include "ns3/event-id.h"
#include "ns3/inet-socket-address.h"
#include "ns3/packet.h"
#include "ns3/socket-factory.h"
#include "ns3/socket.h"

#include <deque>

namespace ns3
{
namespace collapipe
{

/**
 * What slow start makes a sender wait for, beside sending (Kurose and Ross, Computer Networking,
 * 3.7): as long as a window of W bits does not fill the way, the next one waits for T - W / r, T
 * being the round-trip time. A window grows by half of what it sent, since every second segment is
 * acknowledged and each acknowledgement allows one segment more.
 * @param bits that are sent
 * @param rateBps at which
 * @param roundTripS T
 * @param windowBits W at first; then, W after that
 * @return seconds
 */
double GetSlowStartS(double bits, double rateBps, double roundTripS, double& windowBits);

/**
 * @ingroup collapipe
 * A stream socket in a FlowNetwork, in the place of one of TCP. Its bytes are a flow over the link
 * to its peer; they are handed over when all of a message has come (Send() with END_OF_MESSAGE), a
 * piece of a quarter of the buffer at a time, or what there is of it every
 * FlowNetwork::ProgressPeriod.
 *
 * As TCP does it: a connection takes a round trip; who does not listen, or no longer knows the
 * connection, resets it. While a link is down it is tried again after 1 s, 2 s, 4 s and so on;
 * after DataRetries attempts the connection is lost. What was sent before Close() still comes.
 *
 * A connection begins with slow start, from InitialCwnd segments: see GetSlowStartS().
 */
class FlowSocket : public Socket, private FlowUser
{
  public:
    static constexpr uint32_t END_OF_MESSAGE = 1; //!< flag of Send(): the last bytes of a message

    /// @return the TypeId
    static TypeId GetTypeId();
    FlowSocket();
    ~FlowSocket() override;

    /**
     * @param node whose socket it is
     * @param network that carries its bytes
     */
    void SetUp(Ptr<Node> node, Ptr<FlowNetwork> network);

    SocketErrno GetErrno() const override;
    SocketType GetSocketType() const override;
    Ptr<Node> GetNode() const override;
    int Bind() override;
    int Bind6() override;
    int Bind(const Address& address) override;
    int Close() override;
    int ShutdownSend() override;
    int ShutdownRecv() override;
    int Connect(const Address& address) override;
    int Listen() override;
    uint32_t GetTxAvailable() const override;
    int Send(Ptr<Packet> packet, uint32_t flags) override;
    int SendTo(Ptr<Packet> packet, uint32_t flags, const Address& to) override;
    uint32_t GetRxAvailable() const override;
    Ptr<Packet> Recv(uint32_t maxSize, uint32_t flags) override;
    Ptr<Packet> RecvFrom(uint32_t maxSize, uint32_t flags, Address& from) override;
    int GetSockName(Address& address) const override;
    int GetPeerName(Address& address) const override;
    bool SetAllowBroadcast(bool allowBroadcast) override;
    bool GetAllowBroadcast() const override;
    using Socket::Recv;
    using Socket::RecvFrom;
    using Socket::Send;

  protected:
    void DoDispose() override;

  private:
    /// What a connection is doing
    enum State : uint8_t
    {
        CLOSED,
        LISTENING,
        CONNECTING,
        CONNECTED,
        CLOSING, //!< closed on this side; what was sent is still on its way
    };

    /// Bytes that go together
    struct Batch
    {
        std::deque<Ptr<Packet>> packets; //!< bytes
        uint32_t bytes{0};               //!< how many
        bool isComplete{false};          //!< nothing is added to it
        bool endsMessage{false};         //!< its last bytes are those of a message
    };

    void HandleCarried() override;
    void HandleProgress(double bits) override;
    void HandleDown() override;

    // Connecting
    void TryConnect();
    void HandleSyn(Ptr<FlowSocket> caller);
    void HandleSynAck(Ptr<FlowSocket> accepted);
    void HandleRefusal();
    void HandleAccepted(Ptr<FlowSocket> listener);
    void FailToConnect();

    // Sending
    void ScheduleService();
    void Serve();
    void Dispatch(Batch batch, double delayS);
    void ScheduleArrival();
    void Arrive(uint32_t outages);
    Batch TakeBytes(Batch& from, uint32_t bytes) const;
    void TellRoom();
    double GetStallS(double bits, double seconds);

    // A link that is down
    void AwaitLink();
    void Retry();

    // Ending
    void Receive(Batch batch);
    void HandleFin();
    void HandleReset();
    void CheckClosed();
    void End();

    Ptr<Node> m_node;                    //!< whose
    Ptr<FlowNetwork> m_network;          //!< carries
    State m_state{CLOSED};               //!< of the connection
    SocketErrno m_errno{ERROR_NOTERROR}; //!< of the last call
    InetSocketAddress m_local;           //!< own address
    InetSocketAddress m_remote;          //!< the peer's
    Ptr<Node> m_peerNode;                //!< on which it is
    Ptr<FlowSocket> m_peer;              //!< the other end; null: none
    Ptr<FlowSocket> m_self;              //!< holds a socket that nobody else may
    FlowNetwork::Flow* m_flow{nullptr};  //!< to the peer
    uint32_t m_segmentBytes{0};          //!< attribute
    uint32_t m_sendBytes{0};             //!< attribute: buffer
    uint32_t m_receiveBytes{0};          //!< attribute; the application reads at once
    uint32_t m_dataRetries{0};           //!< attribute
    uint32_t m_connectRetries{0};        //!< attribute
    Time m_connectTimeout;               //!< attribute
    uint32_t m_initialSegments{0};       //!< attribute

    std::deque<Batch> m_batches;  //!< to be sent, the first of them now
    bool m_isServing{false};      //!< the first is on its way
    double m_leftBits{0};         //!< of it, where the link is down
    Time m_serviceStart;          //!< of it
    double m_serviceBits{0};      //!< of it
    double m_carriedBits{0};      //!< of it, handed over piece by piece
    uint32_t m_queuedBytes{0};    //!< in the buffer
    double m_windowBits{0};       //!< of slow start
    std::deque<Batch> m_underWay; //!< sent, not yet there
    Time m_lastArrival;           //!< of these
    bool m_isDown{false};         //!< waits for the link
    uint32_t m_retries{0};        //!< since when it is
    uint32_t m_outages{0};        //!< so far
    EventId m_service;            //!< begins
    EventId m_retry;              //!< looks at the link again
    EventId m_room;               //!< tells that there is room

    std::deque<Ptr<Packet>> m_received; //!< for the application
    uint32_t m_receivedBytes{0};        //!< of these
};

/**
 * @ingroup collapipe
 * Makes the FlowSockets of a node; to be aggregated to it.
 */
class FlowSocketFactory : public SocketFactory
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param network that carries the sockets' bytes
    void SetNetwork(Ptr<FlowNetwork> network);

    Ptr<Socket> CreateSocket() override;

  protected:
    void DoDispose() override;

  private:
    Ptr<FlowNetwork> m_network; //!< carries their bytes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_SOCKET_H */
