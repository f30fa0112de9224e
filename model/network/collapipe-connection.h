/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONNECTION_H
#define COLLAPIPE_CONNECTION_H

#include "collapipe-message-stream.h"

#include "ns3/callback.h"
#include "ns3/inet-socket-address.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/simple-ref-count.h"
#include "ns3/socket.h"

#include <deque>
#include <functional>

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
    uint32_t segmentBytes{1400};         //!< TCP segment size
    uint32_t bufferBytes{4U << 20};      //!< TCP send and receive buffer, each
    uint64_t queueLimitBytes{64U << 20}; //!< messages waiting for the send buffer; see CanSend()
};

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

    /**
     * Wraps a socket that is connected, or connecting.
     * @param socket the socket
     * @param queueLimitBytes bound on the queue
     */
    Connection(Ptr<Socket> socket, uint64_t queueLimitBytes);

    /**
     * @param node whose TCP to use
     * @param config segment size and buffers
     * @return a new TCP socket with these settings
     */
    static Ptr<Socket> CreateSocket(Ptr<Node> node, const TransportConfig& config);

    /**
     * Starts to connect; tries again where it fails, up to ten times.
     * @param node the caller
     * @param remote whom to connect to
     * @param config TCP settings
     * @return the connection; messages may be sent at once and wait for it
     */
    static Ptr<Connection> Connect(Ptr<Node> node,
                                   const InetSocketAddress& remote,
                                   const TransportConfig& config);

    /// @param callback called with every message received
    void SetReceiveCallback(ReceiveCallback callback);

    /// @param callback called when CanSend() has become true again
    void SetWritableCallback(std::function<void()> callback);

    /// @param message what to send; in order, reliably
    void Send(Message message);

    /// @return whether the queue is below its limit
    bool CanSend() const;

    /// @return when the first byte of the message came that is, or was last, being received
    Time GetReceptionStart() const;

    /// @return bytes handed to TCP so far
    uint64_t GetBytesSent() const;

    /// Closes the socket and lets go of all callbacks; what is queued is lost.
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
    bool m_connected{false};           //!< the connection stands
    bool m_draining{false};            //!< Drain() is on the stack
    bool m_blocked{false};             //!< CanSend() was false since the last writable callback
    std::deque<MessageWriter> m_queue; //!< messages not yet handed to TCP
    uint64_t m_queuedBytes{0};         //!< their remaining bytes
    uint64_t m_bytesSent{0};           //!< bytes handed to TCP
    MessageReader m_reader;            //!< puts messages together
    Time m_receptionStart;             //!< first byte of the current message
    ReceiveCallback m_receive;         //!< whom to give them
    std::function<void()> m_writable;  //!< whom to tell that there is room again
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONNECTION_H */
