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
constexpr uint32_t PIECES = 4;             //!< in which a full buffer is handed over
constexpr uint16_t EPHEMERAL_PORT = 49152; //!< of who calls
constexpr double FIRST_RETRY_S = 1;        //!< least retransmission timeout (RFC 6298)

} // namespace

double
GetSlowStartS(double bits, double rateBps, double roundTripS, double& windowBits)
{
    constexpr double GROWTH = 0.5; // a segment for each two that are acknowledged
    double stallS = 0;
    while (bits > windowBits && windowBits < rateBps * roundTripS)
    {
        stallS += roundTripS - windowBits / rateBps;
        bits -= windowBits;
        windowBits += GROWTH * windowBits;
    }
    windowBits += GROWTH * bits;
    return stallS;
}

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

// ---------------------------------------------------------------- sending

uint32_t
FlowSocket::GetTxAvailable() const
{
    return m_sendBytes > m_queuedBytes ? m_sendBytes - m_queuedBytes : 0;
}

int
FlowSocket::Send(Ptr<Packet> packet, uint32_t flags)
{
    if (m_state != CONNECTED)
    {
        m_errno = ERROR_NOTCONN;
        return -1;
    }
    const uint32_t size = packet->GetSize();
    if (size > GetTxAvailable())
    {
        m_errno = ERROR_MSGSIZE;
        return -1;
    }
    if (m_batches.empty() || m_batches.back().isComplete)
    {
        m_batches.emplace_back();
    }
    Batch& batch = m_batches.back();
    batch.packets.push_back(packet);
    batch.bytes += size;
    batch.endsMessage = (flags & END_OF_MESSAGE) != 0;
    batch.isComplete = batch.endsMessage || batch.bytes >= m_sendBytes / PIECES;
    m_queuedBytes += size;
    ScheduleService();
    return static_cast<int>(size);
}

/// In an event of its own, so that what is sent at one time goes together
void
FlowSocket::ScheduleService()
{
    if (!m_isServing && !m_isDown && m_service.IsExpired())
    {
        m_service = Simulator::ScheduleNow(&FlowSocket::Serve, this);
    }
}

void
FlowSocket::Serve()
{
    if (m_isServing || m_isDown || m_batches.empty())
    {
        return;
    }
    Batch& batch = m_batches.front();
    batch.isComplete = true;
    m_isServing = true;
    m_serviceStart = Simulator::Now();
    m_carriedBits = 0;
    m_serviceBits =
        BITS_PER_BYTE * batch.bytes + (batch.endsMessage ? m_network->GetOverheadBits(m_flow) : 0);
    m_leftBits = m_serviceBits;
    m_network->Begin(m_flow, m_leftBits);
    if (!m_network->IsUp(m_flow))
    {
        HandleDown();
    }
}

void
FlowSocket::HandleCarried()
{
    Ptr<FlowSocket> self(this);
    const double tookS = (Simulator::Now() - m_serviceStart).GetSeconds();
    const double stallS = GetStallS(m_serviceBits, tookS);
    m_isServing = false;
    Batch batch = std::move(m_batches.front());
    m_batches.pop_front();
    Dispatch(std::move(batch), stallS);
    if (!m_batches.empty() && m_service.IsExpired())
    {
        // What waits for acknowledgements keeps no medium busy
        m_service = Simulator::Schedule(Seconds(stallS), &FlowSocket::Serve, this);
    }
    TellRoom();
}

/**
 * @param bits that were sent
 * @param seconds in which they were
 * @return time that the sender had to wait for acknowledgements beside that
 */
double
FlowSocket::GetStallS(double bits, double seconds)
{
    if (!m_peer || !m_peer->m_flow || seconds <= 0)
    {
        return 0;
    }
    const double roundTripS =
        m_network->GetLatencyS(m_flow) + m_network->GetLatencyS(m_peer->m_flow);
    const double stallS = GetSlowStartS(bits, bits / seconds, roundTripS, m_windowBits);
    m_windowBits = std::min(m_windowBits, BITS_PER_BYTE * std::max(m_sendBytes, m_receiveBytes));
    return stallS;
}

FlowSocket::Batch
FlowSocket::TakeBytes(Batch& from, uint32_t bytes) const
{
    Batch taken;
    while (taken.bytes < bytes)
    {
        Ptr<Packet> packet = from.packets.front();
        const uint32_t size = std::min(packet->GetSize(), bytes - taken.bytes);
        taken.packets.push_back(packet->CreateFragment(0, size));
        taken.bytes += size;
        from.bytes -= size;
        if (size == packet->GetSize())
        {
            from.packets.pop_front();
        }
        else
        {
            from.packets.front() = packet->CreateFragment(size, packet->GetSize() - size);
        }
    }
    return taken;
}

void
FlowSocket::HandleProgress(double bits)
{
    m_carriedBits += bits;
    Batch& batch = m_batches.front();
    const double whole = std::floor(m_carriedBits / BITS_PER_BYTE);
    if (whole < 1 || batch.bytes <= 1)
    {
        return;
    }
    const auto bytes = static_cast<uint32_t>(std::min(whole, batch.bytes - 1.0));
    m_carriedBits -= BITS_PER_BYTE * bytes;
    Dispatch(TakeBytes(batch, bytes), 0);
    TellRoom();
}

/// Bytes have been sent: they will arrive.
void
FlowSocket::Dispatch(Batch batch, double delayS)
{
    m_queuedBytes -= batch.bytes;
    m_underWay.push_back(std::move(batch));
    const Time arrival = Simulator::Now() + Seconds(m_network->GetLatencyS(m_flow) + delayS);
    m_lastArrival = std::max(m_lastArrival, arrival);
    ScheduleArrival();
}

void
FlowSocket::ScheduleArrival()
{
    Simulator::Schedule(m_lastArrival - Simulator::Now(),
                        &FlowSocket::Arrive,
                        Ptr<FlowSocket>(this),
                        m_outages);
}

void
FlowSocket::Arrive(uint32_t outages)
{
    if (outages != m_outages || m_underWay.empty() || !m_network)
    {
        return; // it is sent again when the link is up
    }
    Ptr<FlowSocket> self(this);
    if (!m_network->IsUp(m_flow))
    {
        HandleDown();
        return;
    }
    Batch batch = std::move(m_underWay.front());
    m_underWay.pop_front();
    const auto peer = m_peer;
    if (peer && (peer->m_state == CONNECTED || peer->m_state == CONNECTING))
    {
        peer->Receive(std::move(batch));
    }
    else
    {
        HandleReset(); // nobody knows the connection any more
        return;
    }
    CheckClosed();
}

void
FlowSocket::TellRoom()
{
    if (m_state == CONNECTED && m_room.IsExpired())
    {
        m_room = ScheduleCall(Time(0), [self = Ptr<FlowSocket>(this)] {
            if (self->m_state == CONNECTED)
            {
                self->NotifySend(self->GetTxAvailable());
            }
        });
    }
}

// ---------------------------------------------------------------- a link that is down

void
FlowSocket::HandleDown()
{
    NS_LOG_FUNCTION(this);
    if (m_isServing)
    {
        m_leftBits = m_network->Stop(m_flow);
    }
    m_service.Cancel();
    m_isDown = true;
    ++m_outages;
    m_retries = 0;
    AwaitLink();
}

void
FlowSocket::AwaitLink()
{
    const auto wait = Seconds(FIRST_RETRY_S * std::pow(2.0, m_retries));
    m_retry.Cancel();
    m_retry = Simulator::Schedule(wait, &FlowSocket::Retry, this);
}

void
FlowSocket::Retry()
{
    Ptr<FlowSocket> self(this);
    if (!m_network->IsUp(m_flow))
    {
        if (m_retries++ < m_dataRetries)
        {
            AwaitLink();
            return;
        }
        m_errno = ERROR_NOTCONN;
        const bool isOpen = m_state == CONNECTED;
        End();
        if (isOpen)
        {
            NotifyErrorClose();
        }
        return;
    }
    m_isDown = false;
    m_retries = 0;
    const Time arrival = Simulator::Now() + Seconds(m_network->GetLatencyS(m_flow));
    m_lastArrival = std::max(m_lastArrival, arrival);
    for (std::size_t i = 0; i < m_underWay.size(); ++i)
    {
        ScheduleArrival();
    }
    if (m_isServing)
    {
        m_network->Begin(m_flow, m_leftBits);
    }
    ScheduleService();
    CheckClosed();
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
