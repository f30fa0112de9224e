/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a FlowSocket sends, as messages that a FlowNetwork carries, and what it does where its link
// is down

#include "collapipe-flow-socket.h"

#include "ns3/collapipe-compat.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeFlowSocketData");

namespace
{

constexpr double BITS_PER_BYTE = 8;
constexpr uint32_t PIECES = 4;      //!< in which a full buffer is handed over
constexpr double FIRST_RETRY_S = 1; //!< least retransmission timeout (RFC 6298)

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

} // namespace collapipe
} // namespace ns3
