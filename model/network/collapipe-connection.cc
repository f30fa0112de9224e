/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-connection.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/tcp-socket-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeConnection");

namespace
{

constexpr uint32_t MAX_ATTEMPTS = 10;
constexpr uint32_t MAX_PACKET_BYTES = 64 * 1024;

} // namespace

Connection::Connection(Ptr<Socket> socket, uint64_t queueLimitBytes)
    : m_socket(socket),
      m_connected(true)
{
    m_config.queueLimitBytes = queueLimitBytes;
    if (m_socket)
    {
        Attach();
    }
}

Ptr<Socket>
Connection::CreateSocket(Ptr<Node> node, const TransportConfig& config)
{
    auto socket = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
    socket->SetAttribute("SegmentSize", UintegerValue(config.segmentBytes));
    socket->SetAttribute("SndBufSize", UintegerValue(config.bufferBytes));
    socket->SetAttribute("RcvBufSize", UintegerValue(config.bufferBytes));
    return socket;
}

Ptr<Connection>
Connection::Connect(Ptr<Node> node, const InetSocketAddress& remote, const TransportConfig& config)
{
    auto connection = Create<Connection>(nullptr, config.queueLimitBytes);
    connection->m_connected = false;
    connection->m_node = node;
    connection->m_remote = remote;
    connection->m_config = config;
    connection->Open();
    return connection;
}

void
Connection::Open()
{
    ++m_attempts;
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
    m_socket->SetCloseCallbacks(MakeNullCallback<void, Ptr<Socket>>(),
                                MakeCallback(&Connection::HandleLost, this));
}

void
Connection::SetReceiveCallback(ReceiveCallback callback)
{
    m_receive = std::move(callback);
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
    NS_ABORT_MSG_IF(m_attempts >= MAX_ATTEMPTS,
                    "node " << m_node->GetId() << " could not connect to "
                            << InetSocketAddress::ConvertFrom(m_remote).GetIpv4() << " in "
                            << MAX_ATTEMPTS
                            << " attempts; is the radio link strong enough, is there a route?");
    Open();
}

void
Connection::HandleLost(Ptr<Socket> socket)
{
    Address peer;
    socket->GetPeerName(peer);
    NS_ABORT_MSG("the TCP connection from node "
                 << socket->GetNode()->GetId() << " to "
                 << (InetSocketAddress::IsMatchingType(peer)
                         ? InetSocketAddress::ConvertFrom(peer).GetIpv4()
                         : Ipv4Address::GetAny())
                 << " was lost at " << Simulator::Now().As(Time::S)
                 << ": too many retransmissions failed; is the radio link strong enough?");
}

void
Connection::HandleWritable(Ptr<Socket> /* socket */, uint32_t /* available */)
{
    Drain();
}

void
Connection::Send(Message message)
{
    NS_LOG_FUNCTION(this << ToString(message.header.type));
    m_queue.emplace_back(std::move(message));
    m_queuedBytes += m_queue.back().GetRemaining();
    m_blocked = m_blocked || !CanSend();
    Drain();
}

bool
Connection::CanSend() const
{
    return m_queuedBytes < m_config.queueLimitBytes;
}

void
Connection::Drain()
{
    if (!m_connected || m_draining || !m_socket)
    {
        return;
    }
    m_draining = true; // the socket may call back from within Send()
    while (!m_queue.empty())
    {
        const uint32_t room = std::min(m_socket->GetTxAvailable(), MAX_PACKET_BYTES);
        if (room == 0)
        {
            break;
        }
        auto& writer = m_queue.front();
        auto packet = writer.NextPacket(room);
        const uint32_t size = packet->GetSize();
        const int sent = m_socket->Send(packet);
        NS_ABORT_MSG_IF(sent != static_cast<int>(size),
                        "TCP took " << sent << " of " << size << " bytes that it had room for");
        m_queuedBytes -= size;
        m_bytesSent += size;
        if (writer.GetRemaining() == 0)
        {
            m_queue.pop_front();
        }
    }
    m_draining = false;
    if (m_blocked && CanSend())
    {
        m_blocked = false;
        if (m_writable)
        {
            m_writable();
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
        Consume(packet);
    }
}

void
Connection::Consume(Ptr<Packet> packet)
{
    while (packet->GetSize() > 0)
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
            m_receive(this, std::move(message));
        }
        NS_ABORT_MSG_IF(!m_reader.GetError().empty(), m_reader.GetError());
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
        socket->Close();
    }
}

void
Connection::Release()
{
    m_receive = nullptr;
    m_writable = nullptr;
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
