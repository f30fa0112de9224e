/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DATAGRAM_FLOW_H
#define COLLAPIPE_DATAGRAM_FLOW_H

#include "ns3/collapipe-compat.h"
#include "ns3/inet-socket-address.h"
#include "ns3/ipv4-address.h"
#include "ns3/net-device.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/queue-disc.h"
#include "ns3/queue-item.h"
#include "ns3/queue.h"
#include "ns3/socket.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>
#include <cstdint>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/**
 * Datagrams that wait in the sender's queue disc at all times. TCP cannot see to that: its window
 * runs out where acknowledgments are held up, and they are for up to a second where a receiver's
 * frames collided several times in a row and it backs off among stations that always send.
 */
class DatagramFlow
{
  public:
    /**
     * @param from sender
     * @param to receiver
     * @param disc where the sender's packets wait, in an internal queue for each receiver
     * @param device by which the receiver is reached
     * @param address of that
     * @param port to listen on
     * @param start when to begin
     */
    DatagramFlow(Ptr<Node> from,
                 Ptr<Node> to,
                 Ptr<QueueDisc> disc,
                 Ptr<NetDevice> device,
                 Ipv4Address address,
                 uint16_t port,
                 Time start)
        : m_disc(disc),
          m_device(device),
          m_listener(Socket::CreateSocket(to, UdpSocketFactory::GetTypeId())),
          m_sender(Socket::CreateSocket(from, UdpSocketFactory::GetTypeId()))
    {
        m_listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
        m_listener->SetRecvCallback(MakeCallback(&DatagramFlow::Receive, this));
        m_sender->Bind();
        m_sender->Connect(InetSocketAddress(address, port));
        ScheduleCall(std::max(Time(0), start - Simulator::Now()), [this] { Fill(); });
    }

    /// @return bytes that arrived so far
    uint64_t GetBytes() const
    {
        return m_bytes;
    }

  private:
    static constexpr uint32_t DATAGRAM_BYTES = 1400;
    /// Several times what the channel carries between two looks at the queue
    static constexpr uint32_t WAITING = 200;

    void Fill()
    {
        for (uint32_t waiting = GetWaiting(); waiting < WAITING; ++waiting)
        {
            m_sender->Send(Create<Packet>(DATAGRAM_BYTES));
        }
        ScheduleCall(MilliSeconds(5), [this] { Fill(); });
    }

    uint32_t GetWaiting() const
    {
        for (std::size_t i = 0; i < m_disc->GetNInternalQueues(); ++i)
        {
            const auto queue = m_disc->GetInternalQueue(i);
            const auto first = queue->Peek();
            if (first && first->GetAddress() == m_device->GetAddress())
            {
                return queue->GetNPackets();
            }
        }
        return 0;
    }

    void Receive(Ptr<Socket> socket)
    {
        while (Ptr<Packet> packet = socket->Recv())
        {
            m_bytes += packet->GetSize();
        }
    }

    Ptr<QueueDisc> m_disc;
    Ptr<NetDevice> m_device;
    Ptr<Socket> m_listener;
    Ptr<Socket> m_sender;
    uint64_t m_bytes{0};
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DATAGRAM_FLOW_H */
