/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BACKLOGGED_FLOW_H
#define COLLAPIPE_BACKLOGGED_FLOW_H

#include "ns3/inet-socket-address.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/tcp-socket-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cstdint>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/**
 * A TCP connection that always has something to send, or that sends at a steady rate.
 */
class BackloggedFlow
{
  public:
    /**
     * @param from sender
     * @param to receiver
     * @param address by which from reaches to
     * @param port to listen on
     * @param start when to connect
     * @param bitsPerSecond that it sends; 0: as much as the network takes
     */
    BackloggedFlow(Ptr<Node> from,
                   Ptr<Node> to,
                   Ipv4Address address,
                   uint16_t port,
                   Time start,
                   double bitsPerSecond = 0)
        : m_address(address),
          m_port(port),
          m_interval(Seconds(bitsPerSecond > 0 ? 8 * SEGMENT_BYTES / bitsPerSecond : 0)),
          m_listener(MakeSocket(to)),
          m_sender(MakeSocket(from))
    {
        m_listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
        m_listener->Listen();
        m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeCallback(&BackloggedFlow::Accept, this));
        if (m_interval.IsZero())
        {
            m_sender->SetSendCallback(MakeCallback(&BackloggedFlow::Send, this));
        }
        Simulator::Schedule(std::max(Time(0), start - Simulator::Now()),
                            &BackloggedFlow::Connect,
                            this);
    }

    /// @return bytes that arrived so far
    uint64_t GetBytes() const
    {
        return m_bytes;
    }

  private:
    static constexpr uint32_t SEGMENT_BYTES = 1400;
    static constexpr uint32_t BUFFER_BYTES = 4000000;

    static Ptr<Socket> MakeSocket(Ptr<Node> node)
    {
        Ptr<Socket> socket = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
        socket->SetAttribute("SegmentSize", UintegerValue(SEGMENT_BYTES));
        socket->SetAttribute("SndBufSize", UintegerValue(BUFFER_BYTES));
        socket->SetAttribute("RcvBufSize", UintegerValue(BUFFER_BYTES));
        socket->SetAttribute("ConnTimeout", TimeValue(MilliSeconds(200)));
        return socket;
    }

    void Connect()
    {
        m_sender->Connect(InetSocketAddress(m_address, m_port));
        if (!m_interval.IsZero())
        {
            SendSteadily();
        }
    }

    /// What finds no room is not sent at all, so that a slow network is not given more later
    void SendSteadily()
    {
        m_sender->Send(Create<Packet>(SEGMENT_BYTES));
        Simulator::Schedule(m_interval, &BackloggedFlow::SendSteadily, this);
    }

    void Send(Ptr<Socket> socket, uint32_t space)
    {
        while (space >= SEGMENT_BYTES && socket->Send(Create<Packet>(SEGMENT_BYTES)) > 0)
        {
            space = socket->GetTxAvailable();
        }
    }

    void Accept(Ptr<Socket> socket, const Address& /* from */)
    {
        m_receiver = socket;
        socket->SetRecvCallback(MakeCallback(&BackloggedFlow::Receive, this));
    }

    void Receive(Ptr<Socket> socket)
    {
        while (Ptr<Packet> packet = socket->Recv())
        {
            m_bytes += packet->GetSize();
        }
    }

    Ipv4Address m_address;
    uint16_t m_port;
    Time m_interval; //!< between segments; 0: as fast as the network takes them
    Ptr<Socket> m_listener;
    Ptr<Socket> m_sender;
    Ptr<Socket> m_receiver;
    uint64_t m_bytes{0};
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BACKLOGGED_FLOW_H */
