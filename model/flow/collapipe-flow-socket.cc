/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-socket.h"

#include "ns3/collapipe-compat.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeFlowSocket");
NS_OBJECT_ENSURE_REGISTERED(FlowSocket);
NS_OBJECT_ENSURE_REGISTERED(FlowSocketFactory);

namespace
{

constexpr double BITS_PER_BYTE = 8;
constexpr uint16_t EPHEMERAL_PORT = 49152; //!< of who calls

} // namespace

TypeId
FlowSocket::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::FlowSocket")
            .SetParent<Socket>()
            .SetGroupName("CollaPipe")
            .AddConstructor<FlowSocket>()
            .AddAttribute("SegmentSize",
                          "TCP segment size in bytes, for slow start",
                          UintegerValue(1400),
                          MakeUintegerAccessor(&FlowSocket::m_segmentBytes),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("SndBufSize",
                          "Send buffer in bytes",
                          UintegerValue(4U << 20),
                          MakeUintegerAccessor(&FlowSocket::m_sendBytes),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("RcvBufSize",
                          "Receive buffer in bytes: the largest window",
                          UintegerValue(4U << 20),
                          MakeUintegerAccessor(&FlowSocket::m_receiveBytes),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("DataRetries",
                          "Attempts over a link that is down before the connection is lost",
                          UintegerValue(6),
                          MakeUintegerAccessor(&FlowSocket::m_dataRetries),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ConnCount",
                          "Attempts to connect over a link that is down",
                          UintegerValue(6),
                          MakeUintegerAccessor(&FlowSocket::m_connectRetries),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ConnTimeout",
                          "Time until the second of them; each takes twice the time of the last",
                          TimeValue(Seconds(3)),
                          MakeTimeAccessor(&FlowSocket::m_connectTimeout),
                          MakeTimeChecker(TimeStep(1)))
            .AddAttribute("InitialCwnd",
                          "Segments that may be sent before the first acknowledgement",
                          UintegerValue(10),
                          MakeUintegerAccessor(&FlowSocket::m_initialSegments),
                          MakeUintegerChecker<uint32_t>(1));
    return tid;
}

FlowSocket::FlowSocket()
    : m_local(Ipv4Address::GetAny(), 0),
      m_remote(Ipv4Address::GetAny(), 0)
{
}

FlowSocket::~FlowSocket()
{
    if (m_flow && m_network)
    {
        m_network->Close(m_flow); // of a caller that did not wait for the answer
    }
}

void
FlowSocket::DoDispose()
{
    m_service.Cancel();
    m_retry.Cancel();
    m_room.Cancel();
    m_flow = nullptr;
    m_network = nullptr;
    m_peer = nullptr;
    m_node = nullptr;
    m_peerNode = nullptr;
    Socket::DoDispose();
}

void
FlowSocket::SetUp(Ptr<Node> node, Ptr<FlowNetwork> network)
{
    m_node = node;
    m_network = network;
}

Socket::SocketErrno
FlowSocket::GetErrno() const
{
    return m_errno;
}

Socket::SocketType
FlowSocket::GetSocketType() const
{
    return NS3_SOCK_STREAM;
}

Ptr<Node>
FlowSocket::GetNode() const
{
    return m_node;
}

int
FlowSocket::Bind()
{
    const auto ipv4 = m_node->GetObject<Ipv4>();
    const bool hasAddress = ipv4->GetNInterfaces() > 1 && ipv4->GetNAddresses(1) > 0;
    const auto own = hasAddress ? ipv4->GetAddress(1, 0).GetLocal() : Ipv4Address::GetAny();
    m_local = InetSocketAddress(own, EPHEMERAL_PORT);
    return 0;
}

int
FlowSocket::Bind6()
{
    m_errno = ERROR_AFNOSUPPORT;
    return -1;
}

int
FlowSocket::Bind(const Address& address)
{
    if (!InetSocketAddress::IsMatchingType(address))
    {
        m_errno = ERROR_INVAL;
        return -1;
    }
    m_local = InetSocketAddress::ConvertFrom(address);
    return 0;
}

int
FlowSocket::Listen()
{
    const FlowNetwork::Place place{m_node->GetId(), m_local.GetPort()};
    if (m_state != CLOSED || !m_network->GetListeners().emplace(place, this).second)
    {
        m_errno = ERROR_ADDRINUSE;
        return -1;
    }
    m_state = LISTENING;
    return 0;
}

int
FlowSocket::ShutdownSend()
{
    m_errno = ERROR_OPNOTSUPP;
    return -1;
}

int
FlowSocket::ShutdownRecv()
{
    m_errno = ERROR_OPNOTSUPP;
    return -1;
}

int
FlowSocket::SendTo(Ptr<Packet> packet, uint32_t flags, const Address& /* to */)
{
    return Send(packet, flags);
}

int
FlowSocket::GetSockName(Address& address) const
{
    address = m_local;
    return 0;
}

int
FlowSocket::GetPeerName(Address& address) const
{
    address = m_remote;
    return 0;
}

bool
FlowSocket::SetAllowBroadcast(bool allowBroadcast)
{
    return !allowBroadcast;
}

bool
FlowSocket::GetAllowBroadcast() const
{
    return false;
}

// ---------------------------------------------------------------- connecting

int
FlowSocket::Connect(const Address& address)
{
    if (m_state != CLOSED || !InetSocketAddress::IsMatchingType(address))
    {
        m_errno = ERROR_ISCONN;
        return -1;
    }
    m_remote = InetSocketAddress::ConvertFrom(address);
    m_peerNode = m_network->FindNode(m_remote.GetIpv4());
    m_flow = m_peerNode ? m_network->Open(m_node, m_peerNode, this) : nullptr;
    m_state = CONNECTING;
    m_retries = 0;
    m_self = this;
    m_retry =
        Simulator::ScheduleNow(m_flow ? &FlowSocket::TryConnect : &FlowSocket::FailToConnect, this);
    return 0;
}

void
FlowSocket::TryConnect()
{
    NS_LOG_FUNCTION(this << m_retries);
    if (m_network->IsUp(m_flow))
    {
        m_retry = Simulator::Schedule(Seconds(m_network->GetLatencyS(m_flow)),
                                      &FlowSocket::HandleSyn,
                                      this,
                                      Ptr<FlowSocket>(this));
        return;
    }
    if (m_retries++ >= m_connectRetries)
    {
        FailToConnect();
        return;
    }
    const auto wait = m_connectTimeout * (int64_t{1} << (m_retries - 1));
    m_retry = Simulator::Schedule(wait, &FlowSocket::TryConnect, this);
}

/// The request is at the peer.
void
FlowSocket::HandleSyn(Ptr<FlowSocket> caller)
{
    auto& listeners = m_network->GetListeners();
    const auto found = listeners.find({m_peerNode->GetId(), m_remote.GetPort()});
    const bool isThere = found != listeners.end() && m_network->IsUp(m_flow) &&
                         found->second->NotifyConnectionRequest(m_local);
    const Time back = Seconds(m_network->GetLatencyS(m_flow));
    if (!isThere)
    {
        m_retry = Simulator::Schedule(back, &FlowSocket::HandleRefusal, this);
        return;
    }
    auto accepted = CreateObject<FlowSocket>();
    accepted->SetUp(m_peerNode, m_network);
    FlowSocket* listener = found->second;
    accepted->m_segmentBytes = listener->m_segmentBytes;
    accepted->m_sendBytes = listener->m_sendBytes;
    accepted->m_receiveBytes = listener->m_receiveBytes;
    accepted->m_dataRetries = listener->m_dataRetries;
    accepted->m_initialSegments = listener->m_initialSegments;
    accepted->m_local = InetSocketAddress(m_remote.GetIpv4(), m_remote.GetPort());
    accepted->m_remote = m_local;
    accepted->m_peerNode = m_node;
    accepted->m_peer = caller;
    accepted->m_flow = m_network->Open(m_peerNode, m_node, PeekPointer(accepted));
    m_retry = Simulator::Schedule(Seconds(m_network->GetLatencyS(accepted->m_flow)),
                                  &FlowSocket::HandleSynAck,
                                  this,
                                  accepted);
}

void
FlowSocket::HandleSynAck(Ptr<FlowSocket> accepted)
{
    Ptr<FlowSocket> self(this);
    m_peer = accepted;
    m_state = CONNECTED;
    m_retries = 0;
    m_windowBits = BITS_PER_BYTE * m_initialSegments * m_segmentBytes;
    const Time there = Seconds(m_network->GetLatencyS(m_flow));
    m_lastArrival = Simulator::Now() + there;
    const auto listener = m_network->GetListeners().find({m_peerNode->GetId(), m_remote.GetPort()});
    const bool isThere = listener != m_network->GetListeners().end();
    accepted->m_state = CONNECTED;
    accepted->m_self = accepted;
    Simulator::Schedule(there,
                        &FlowSocket::HandleAccepted,
                        accepted,
                        Ptr<FlowSocket>(isThere ? listener->second : nullptr));
    NotifyConnectionSucceeded();
}

/// The caller knows that the connection stands, and says so to who was called.
void
FlowSocket::HandleAccepted(Ptr<FlowSocket> listener)
{
    m_windowBits = BITS_PER_BYTE * m_initialSegments * m_segmentBytes;
    if (!listener || listener->m_state != LISTENING)
    {
        const auto caller = m_peer;
        End();
        if (caller)
        {
            caller->HandleReset();
        }
        return;
    }
    listener->NotifyNewConnectionCreated(this, m_remote);
}

void
FlowSocket::HandleRefusal()
{
    FailToConnect();
}

void
FlowSocket::FailToConnect()
{
    Ptr<FlowSocket> self(this);
    m_errno = ERROR_NOTCONN;
    End();
    NotifyConnectionFailed();
}

// ---------------------------------------------------------------- receiving and ending

void
FlowSocket::Receive(Batch batch)
{
    m_receivedBytes += batch.bytes;
    m_received.insert(m_received.end(), batch.packets.begin(), batch.packets.end());
    NotifyDataRecv();
}

uint32_t
FlowSocket::GetRxAvailable() const
{
    return m_receivedBytes;
}

Ptr<Packet>
FlowSocket::Recv(uint32_t maxSize, uint32_t /* flags */)
{
    if (m_received.empty() || maxSize == 0)
    {
        return nullptr;
    }
    Ptr<Packet> packet = m_received.front();
    if (packet->GetSize() <= maxSize)
    {
        m_received.pop_front();
    }
    else
    {
        m_received.front() = packet->CreateFragment(maxSize, packet->GetSize() - maxSize);
        packet = packet->CreateFragment(0, maxSize);
    }
    m_receivedBytes -= packet->GetSize();
    return packet;
}

Ptr<Packet>
FlowSocket::RecvFrom(uint32_t maxSize, uint32_t flags, Address& from)
{
    from = m_remote;
    return Recv(maxSize, flags);
}

int
FlowSocket::Close()
{
    NS_LOG_FUNCTION(this);
    Ptr<FlowSocket> self(this);
    switch (m_state)
    {
    case LISTENING:
        m_network->GetListeners().erase({m_node->GetId(), m_local.GetPort()});
        m_state = CLOSED;
        break;
    case CONNECTING:
        End();
        break;
    case CONNECTED:
        m_state = CLOSING;
        CheckClosed();
        break;
    case CLOSING:
    case CLOSED:
        break;
    }
    return 0;
}

/// Says goodbye to the peer once all has come that was sent before.
void
FlowSocket::CheckClosed()
{
    if (m_state != CLOSING || m_isDown || !m_batches.empty() || !m_underWay.empty())
    {
        return;
    }
    if (!m_network->IsUp(m_flow))
    {
        HandleDown();
        return;
    }
    const auto peer = m_peer;
    const Time arrival = Simulator::Now() + Seconds(m_network->GetLatencyS(m_flow));
    m_lastArrival = std::max(m_lastArrival, arrival);
    const Time wait = m_lastArrival - Simulator::Now();
    End();
    if (peer)
    {
        Simulator::Schedule(wait, &FlowSocket::HandleFin, peer);
    }
}

void
FlowSocket::HandleFin()
{
    m_peer = nullptr;
    if (m_state == CONNECTED)
    {
        NotifyNormalClose();
    }
    else if (m_state == CLOSING)
    {
        End();
    }
}

void
FlowSocket::HandleReset()
{
    Ptr<FlowSocket> self(this);
    const bool isOpen = m_state == CONNECTED;
    m_errno = ERROR_NOTCONN;
    End();
    if (isOpen)
    {
        NotifyErrorClose();
    }
}

/// Nothing is sent or awaited any more.
void
FlowSocket::End()
{
    Ptr<FlowSocket> self = std::move(m_self);
    m_state = CLOSED;
    m_service.Cancel();
    m_retry.Cancel();
    m_room.Cancel();
    m_batches.clear();
    m_underWay.clear();
    m_queuedBytes = 0;
    m_isServing = false;
    m_isDown = false;
    m_peer = nullptr;
    if (m_flow)
    {
        m_network->Close(m_flow);
        m_flow = nullptr;
    }
}

// ---------------------------------------------------------------- factory

TypeId
FlowSocketFactory::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::FlowSocketFactory")
                            .SetParent<SocketFactory>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<FlowSocketFactory>();
    return tid;
}

void
FlowSocketFactory::SetNetwork(Ptr<FlowNetwork> network)
{
    m_network = network;
}

Ptr<Socket>
FlowSocketFactory::CreateSocket()
{
    auto socket = CreateObject<FlowSocket>();
    socket->SetUp(GetObject<Node>(), m_network);
    return socket;
}

void
FlowSocketFactory::DoDispose()
{
    m_network = nullptr;
    SocketFactory::DoDispose();
}

} // namespace collapipe
} // namespace ns3
