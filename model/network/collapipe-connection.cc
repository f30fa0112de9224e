/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-connection.h"

#include "collapipe-listening-socket.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/tcp-socket.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <sstream>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeConnection");

namespace
{

constexpr uint32_t MAX_PACKET_BYTES = 64 * 1024;
constexpr double RETRY_S = 1; //!< least time between attempts to connect

/// @return an address for the user's eyes
std::string
ToText(const Address& address)
{
    std::ostringstream text;
    if (InetSocketAddress::IsMatchingType(address))
    {
        text << InetSocketAddress::ConvertFrom(address).GetIpv4();
    }
    else
    {
        text << "its peer";
    }
    return text.str();
}

/**
 * Reads what comes to a socket that this end has closed, and throws it away. Were it left there,
 * the window could close while the peer has nothing left to send, which
 * TcpSocketBase::PersistTimeout() of every ns-3 release so far (3.37 to 3.46 looked at) answers
 * with a null pointer: it takes a byte of an empty buffer to probe with.
 * @param socket the socket
 */
void
Discard(Ptr<Socket> socket)
{
    for (auto packet = socket->Recv(); packet && packet->GetSize() > 0; packet = socket->Recv())
    {
    }
}

} // namespace

std::string
ToString(CloseReason reason)
{
    switch (reason)
    {
    case CloseReason::CLOSED:
        return "closed";
    case CloseReason::RESET:
        return "reset";
    case CloseReason::UNREACHABLE:
        return "unreachable";
    case CloseReason::PROTOCOL:
        return "protocol";
    case CloseReason::SILENT:
        return "silent";
    case CloseReason::BATTERY:
        return "battery";
    case CloseReason::LINK:
        return "link";
    case CloseReason::TASK:
        return "task";
    }
    return "unknown";
}

Connection::Connection(Ptr<Socket> socket, const TransportConfig& config)
    : m_socket(socket),
      m_config(config),
      m_connected(true),
      m_lastHeard(Simulator::Now()),
      m_lastSent(Simulator::Now())
{
    if (m_socket)
    {
        Address own;
        m_socket->GetSockName(own);
        if (InetSocketAddress::IsMatchingType(own))
        {
            const auto called = InetSocketAddress::ConvertFrom(own).GetIpv4();
            m_seal = MessageSeal(m_config.sessionKey, false, called);
            m_reader.SetSeal(MessageSeal(m_config.sessionKey, true, called));
        }
        Attach();
    }
}

Ptr<Socket>
Connection::CreateSocket(Ptr<Node> node, const TransportConfig& config)
{
    auto socket = Socket::CreateSocket(node, TypeId::LookupByName(config.socketFactory));
    socket->SetAttribute("SegmentSize", UintegerValue(config.segmentBytes));
    socket->SetAttribute("SndBufSize", UintegerValue(config.bufferBytes));
    socket->SetAttribute("RcvBufSize", UintegerValue(config.bufferBytes));
    return socket;
}

Ptr<Socket>
Connection::Listen(Ptr<Node> node, const TransportConfig& config, uint16_t port)
{
    auto socket = ListeningSocket::Replace(CreateSocket(node, config));
    socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
    socket->Listen();
    return socket;
}

Ptr<Connection>
Connection::Connect(Ptr<Node> node,
                    const InetSocketAddress& remote,
                    const TransportConfig& config,
                    uint32_t attempts)
{
    auto connection = Create<Connection>(nullptr, config);
    connection->m_connected = false;
    connection->m_node = node;
    connection->m_remote = remote;
    connection->m_seal = MessageSeal(config.sessionKey, true, remote.GetIpv4());
    connection->m_reader.SetSeal(MessageSeal(config.sessionKey, false, remote.GetIpv4()));
    connection->m_maxAttempts = attempts;
    connection->Open();
    return connection;
}

void
Connection::Open()
{
    ++m_attempts;
    m_attemptStart = Simulator::Now();
    m_socket = CreateSocket(m_node, m_config);
    Attach();
    m_socket->SetConnectCallback(MakeCallback(&Connection::HandleConnected, this),
                                 MakeCallback(&Connection::HandleFailed, this));
    m_socket->Bind();
    m_socket->Connect(m_remote);
}

void
Connection::Attach()
{
    m_socket->SetRecvCallback(MakeCallback(&Connection::HandleReadable, this));
    m_socket->SetSendCallback(MakeCallback(&Connection::HandleWritable, this));
    m_socket->SetCloseCallbacks(MakeCallback(&Connection::HandleClosed, this),
                                MakeCallback(&Connection::HandleLost, this));
}

void
Connection::SetReceiveCallback(ReceiveCallback callback)
{
    m_receive = std::move(callback);
}

void
Connection::SetCheck(MessageCheck check, uint32_t maxTensors)
{
    m_reader.SetCheck(std::move(check), maxTensors);
}

void
Connection::SetClosedCallback(ClosedCallback callback)
{
    m_closed = std::move(callback);
}

void
Connection::SetWritableCallback(std::function<void()> callback)
{
    m_writable = std::move(callback);
}

void
Connection::HandleConnected(Ptr<Socket> /* socket */)
{
    NS_LOG_FUNCTION(this);
    m_connected = true;
    Drain();
}

void
Connection::HandleFailed(Ptr<Socket> /* socket */)
{
    NS_LOG_FUNCTION(this << m_attempts);
    if (m_maxAttempts > 0 && m_attempts >= m_maxAttempts)
    {
        NotifyClosed(CloseReason::UNREACHABLE,
                     "node " + std::to_string(m_node->GetId()) + " could not connect to " +
                         ToText(m_remote) + " in " + std::to_string(m_attempts) +
                         " attempts; is there a route, does the radio reach as far, do wires lose "
                         "too much?");
        return;
    }
    // A peer that refuses does so at once: it is not up yet
    const Time next = m_attemptStart + Seconds(RETRY_S);
    m_retry =
        Simulator::Schedule(Max(next - Simulator::Now(), Seconds(0)), &Connection::Open, this);
}

Ipv4Address
Connection::GetPeerAddress() const
{
    Address peer;
    const bool isKnown = m_socket && m_socket->GetPeerName(peer) == 0;
    return isKnown && InetSocketAddress::IsMatchingType(peer)
               ? InetSocketAddress::ConvertFrom(peer).GetIpv4()
               : Ipv4Address::GetAny();
}

void
Connection::HandleLost(Ptr<Socket> socket)
{
    Address peer;
    socket->GetPeerName(peer);
    NotifyClosed(CloseReason::RESET,
                 "the TCP connection from node " + std::to_string(socket->GetNode()->GetId()) +
                     " to " + ToText(peer) +
                     " was lost: it was reset, or too many retransmissions failed");
}

void
Connection::HandleClosed(Ptr<Socket> socket)
{
    Address peer;
    socket->GetPeerName(peer);
    NotifyClosed(CloseReason::CLOSED,
                 ToText(peer) + " has closed its connection to node " +
                     std::to_string(socket->GetNode()->GetId()));
}

void
Connection::Fail(CloseReason reason, const std::string& text)
{
    NotifyClosed(reason, text);
}

void
Connection::NotifyClosed(CloseReason reason, std::string text)
{
    NS_LOG_FUNCTION(this << text);
    if (!m_open)
    {
        return;
    }
    // In an event of its own: a message, or the socket, may be on the stack.
    auto tell = std::move(m_closed);
    Ptr<Connection> self(this);
    Close();
    if (tell)
    {
        Simulator::ScheduleNow([self, tell, reason, text] { tell(self, reason, text); });
    }
}

bool
Connection::IsOpen() const
{
    return m_open;
}

Time
Connection::GetLastHeard() const
{
    return m_lastHeard;
}

Time
Connection::GetLastSent() const
{
    return m_lastSent;
}

void
Connection::HandleWritable(Ptr<Socket> /* socket */, uint32_t /* available */)
{
    Drain();
}

void
Connection::Send(Message message)
{
    Enqueue(std::move(message), false);
}

void
Connection::SendCorrupted(Message message)
{
    Enqueue(std::move(message), true);
}

void
Connection::Enqueue(Message message, bool isCorrupted)
{
    NS_LOG_FUNCTION(this << ToString(message.header.type));
    if (!m_open)
    {
        return;
    }
    m_queue.emplace_back(std::move(message), &m_seal);
    if (isCorrupted)
    {
        m_queue.back().Corrupt();
    }
    m_queuedBytes += m_queue.back().GetRemaining();
    m_blocked = m_blocked || !CanSend();
    Drain();
}

bool
Connection::CanSend() const
{
    return !m_open || m_queuedBytes < m_config.queueLimitBytes;
}

void
Connection::Drain()
{
    if (!m_connected || m_draining || !m_socket)
    {
        return;
    }
    m_draining = true; // the socket may call back from within Send()
    while (m_open && !m_queue.empty())
    {
        const uint32_t room = std::min(m_socket->GetTxAvailable(), MAX_PACKET_BYTES);
        if (room == 0)
        {
            break;
        }
        auto& writer = m_queue.front();
        auto packet = writer.NextPacket(room);
        const uint32_t size = packet->GetSize();
        const bool isLast = writer.GetRemaining() == 0;
        const int sent = m_socket->Send(packet, isLast ? m_config.endOfMessageFlags : 0);
        if (sent != static_cast<int>(size))
        {
            NotifyClosed(CloseReason::RESET, "TCP no longer takes what it has room for");
            break;
        }
        m_lastSent = Simulator::Now();
        m_queuedBytes -= size;
        m_bytesSent += size;
        if (writer.GetRemaining() == 0)
        {
            m_queue.pop_front();
        }
    }
    m_draining = false;
    if (!m_open)
    {
        return;
    }
    if (m_blocked && CanSend())
    {
        m_blocked = false;
        if (m_writable)
        {
            const auto writable = m_writable;
            writable();
        }
    }
}

void
Connection::HandleReadable(Ptr<Socket> socket)
{
    Ptr<Connection> self(this); // a message may make the application let go of this connection
    while (auto packet = socket->Recv())
    {
        if (packet->GetSize() == 0)
        {
            break;
        }
        m_lastHeard = Simulator::Now();
        Consume(packet);
        if (!m_open)
        {
            break;
        }
    }
}

void
Connection::Consume(Ptr<Packet> packet)
{
    while (packet->GetSize() > 0 && m_open)
    {
        if (m_reader.IsIdle())
        {
            m_receptionStart = Simulator::Now();
        }
        const auto window = m_reader.GetWindow();
        const auto size = static_cast<uint32_t>(std::min<uint64_t>(window.size, packet->GetSize()));
        if (window.data)
        {
            packet->CopyData(window.data, size);
        }
        packet->RemoveAtStart(size);
        Message message;
        if (m_reader.Advance(size, message) && m_receive)
        {
            const auto receive = m_receive; // what it does may close this connection
            receive(this, std::move(message));
        }
        if (!m_reader.GetError().empty())
        {
            NotifyClosed(CloseReason::PROTOCOL, m_reader.GetError());
        }
    }
}

Time
Connection::GetReceptionStart() const
{
    return m_receptionStart;
}

uint64_t
Connection::GetBytesSent() const
{
    return m_bytesSent;
}

void
Connection::Close()
{
    const auto socket = m_socket;
    Release();
    if (socket)
    {
        socket->SetRecvCallback(MakeCallback(&Discard));
        socket->Close();
    }
}

void
Connection::Release()
{
    m_open = false;
    m_receive = nullptr;
    m_writable = nullptr;
    m_closed = nullptr;
    m_reader.SetCheck(nullptr, 0);
    m_retry.Cancel();
    if (!m_draining)
    {
        m_queue.clear();
    }
    if (m_socket)
    {
        m_socket->SetConnectCallback(MakeNullCallback<void, Ptr<Socket>>(),
                                     MakeNullCallback<void, Ptr<Socket>>());
        m_socket->SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
        m_socket->SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
        m_socket->SetCloseCallbacks(MakeNullCallback<void, Ptr<Socket>>(),
                                    MakeNullCallback<void, Ptr<Socket>>());
        m_socket = nullptr;
    }
}

} // namespace collapipe
} // namespace ns3
