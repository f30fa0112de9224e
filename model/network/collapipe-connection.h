/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONNECTION_H
#define COLLAPIPE_CONNECTION_H

#include "collapipe-message-stream.h"

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/inet-socket-address.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/simple-ref-count.h"
#include "ns3/socket.h"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * TCP settings of all connections of an application.
 */
struct TransportConfig
{
    std::string socketFactory{"ns3::TcpSocketFactory"}; //!< TypeId of who makes the sockets
    /// Of Socket::Send() with the last bytes of a message; TCP's take none
    uint32_t endOfMessageFlags{0};
    uint32_t segmentBytes{1400};         //!< TCP segment size
    uint32_t bufferBytes{4U << 20};      //!< TCP send and receive buffer, each
    uint64_t queueLimitBytes{64U << 20}; //!< messages waiting for the send buffer; see CanSend()
    std::vector<uint8_t> sessionKey;     //!< messages are sealed with it; empty: they are not
};

/// Why a connection is no more
enum class CloseReason : uint8_t
{
    CLOSED,      //!< the peer has closed it
    RESET,       //!< TCP has given up or was reset
    UNREACHABLE, //!< it never stood
    PROTOCOL,    //!< the peer has sent what no member of the run sends
    SILENT,      //!< nothing was heard for longer than the patience
    BATTERY,     //!< the peer has said goodbye: its battery is empty
    LINK,        //!< another node cannot reach the peer
    TASK,        //!< the peer lives, but its task does not come
};

/**
 * @param reason why a connection is no more, or why a node counts as failed
 * @return a short name, for example "reset"
 */
std::string ToString(CloseReason reason);

/**
 * @ingroup collapipe
 * Messages in both directions over one TCP connection.
 *
 * Sending never copies a message as a whole: bytes go into the socket as its send buffer has room.
 * The queue in front of it is bounded by back-pressure: a sender asks CanSend() before it makes the
 * next message, and is called back when the answer changes to yes.
 */
class Connection : public SimpleRefCount<Connection>
{
  public:
    /// Called with every message received
    using ReceiveCallback = std::function<void(Ptr<Connection>, Message)>;

    /// Called once, when the connection is no more, with one sentence that says why
    using ClosedCallback = std::function<void(Ptr<Connection>, CloseReason, const std::string&)>;

    /**
     * Wraps a socket that is connected, or connecting.
     * @param socket the socket
     * @param config TCP settings, bound on the queue, session key
     */
    Connection(Ptr<Socket> socket, const TransportConfig& config);

    /**
     * @param node whose TCP to use
     * @param config segment size and buffers
     * @return a new TCP socket with these settings
     */
    static Ptr<Socket> CreateSocket(Ptr<Node> node, const TransportConfig& config);

    /**
     * @param node who listens
     * @param config settings of the sockets that callers get
     * @param port on which
     * @return a socket that listens; it lacks a callback for those who call
     */
    static Ptr<Socket> Listen(Ptr<Node> node, const TransportConfig& config, uint16_t port);

    /**
     * Starts to connect; tries again where it fails.
     * @param node the caller
     * @param remote whom to connect to
     * @param config TCP settings
     * @param attempts so many times; 0: for ever
     * @return the connection; messages may be sent at once and wait for it
     */
    static Ptr<Connection> Connect(Ptr<Node> node,
                                   const InetSocketAddress& remote,
                                   const TransportConfig& config,
                                   uint32_t attempts = 10);

    /// @param callback called with every message received
    void SetReceiveCallback(ReceiveCallback callback);

    /// @param callback called when CanSend() has become true again
    void SetWritableCallback(std::function<void()> callback);

    /**
     * @param check asked about every message before memory is taken for its payload
     * @param maxTensors that a message may have
     */
    void SetCheck(MessageCheck check, uint32_t maxTensors);

    /// @param callback called when the connection is no more
    void SetClosedCallback(ClosedCallback callback);

    /// @param message what to send; in order, reliably. Goes nowhere once the connection is no more
    void Send(Message message);

    /**
     * Sends a message of which a bit is flipped on the way, as faulty memory or a faulty network
     * card would; for experiments with faults.
     * @param message what to send
     */
    void SendCorrupted(Message message);

    /**
     * Ends the connection from this side and tells whom it concerns, in an event of its own.
     * @param reason why
     * @param text one sentence
     */
    void Fail(CloseReason reason, const std::string& text);

    /// @return whether the connection stands, or is being set up
    bool IsOpen() const;

    /// @return when something was last heard of the peer; when the connection was made at first
    Time GetLastHeard() const;

    /// @return when bytes were last handed to TCP; when the connection was made at first
    Time GetLastSent() const;

    /// @return whether the queue is below its limit
    bool CanSend() const;

    /// @return when the first byte of the message came that is, or was last, being received
    Time GetReceptionStart() const;

    /// @return the address at the other end; any where there is none
    Ipv4Address GetPeerAddress() const;

    /// @return bytes handed to TCP so far
    uint64_t GetBytesSent() const;

    /// Closes the socket and lets go of all callbacks; what is queued is lost, and what still
    /// comes.
    void Close();

    /// As Close(), but sends nothing: for when the node is being taken down.
    void Release();

  private:
    /// Sets the socket's callbacks.
    void Attach();

    /// Opens a socket and connects it.
    void Open();

    void HandleConnected(Ptr<Socket> socket);
    void HandleFailed(Ptr<Socket> socket);
    void HandleLost(Ptr<Socket> socket);
    void HandleClosed(Ptr<Socket> socket);

    /// Puts a message into the queue.
    void Enqueue(Message message, bool isCorrupted);

    /// Tells that the connection is no more.
    void NotifyClosed(CloseReason reason, std::string text);
    void HandleReadable(Ptr<Socket> socket);
    void HandleWritable(Ptr<Socket> socket, uint32_t available);

    /// Moves bytes from the queue to the socket, as many as it takes.
    void Drain();

    /// Puts a packet's bytes into the reader and delivers the messages that it completes.
    void Consume(Ptr<Packet> packet);

    Ptr<Socket> m_socket;              //!< the socket
    Ptr<Node> m_node;                  //!< caller; null on the accepting side
    Address m_remote;                  //!< whom to connect to
    TransportConfig m_config;          //!< TCP settings
    uint32_t m_attempts{0};            //!< connection attempts so far
    uint32_t m_maxAttempts{0};         //!< at most so many; 0: no limit
    Time m_attemptStart;               //!< of the latest attempt
    EventId m_retry;                   //!< of the next attempt
    bool m_open{true};                 //!< stands, or is being set up
    ClosedCallback m_closed;           //!< whom to tell that the connection is no more
    bool m_connected{false};           //!< the connection stands
    Time m_lastHeard;                  //!< bytes came
    Time m_lastSent;                   //!< bytes were handed to TCP
    bool m_draining{false};            //!< Drain() is on the stack
    bool m_blocked{false};             //!< CanSend() was false since the last writable callback
    std::deque<MessageWriter> m_queue; //!< messages not yet handed to TCP
    uint64_t m_queuedBytes{0};         //!< their remaining bytes
    uint64_t m_bytesSent{0};           //!< bytes handed to TCP
    MessageSeal m_seal;                //!< of what is sent
    MessageReader m_reader;            //!< puts messages together
    Time m_receptionStart;             //!< first byte of the current message
    ReceiveCallback m_receive;         //!< whom to give them
    std::function<void()> m_writable;  //!< whom to tell that there is room again
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONNECTION_H */
