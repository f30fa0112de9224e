/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-warm-up.h"

#include "ns3/inet-socket-address.h"
#include "ns3/log.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/udp-socket-factory.h"

#include <cstdint>
#include <map>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeWarmUp");

namespace
{

constexpr uint16_t DISCARD_PORT = 9;   //!< RFC 863
constexpr uint32_t PACKET_BYTES = 200; //!< payload
constexpr uint32_t ROUNDS = 3;         //!< packets per flow
constexpr int64_t SETTLE_MS = 50;      //!< after the last packet

/// Throw away what arrived
void
Discard(Ptr<Socket> socket)
{
    while (socket->Recv())
    {
    }
}

/// The sockets of one warm-up, one per node; its events keep it alive
class WarmUp : public SimpleRefCount<WarmUp>
{
  public:
    /// Open a node's socket where it has none
    void Open(Ptr<Node> node)
    {
        Ptr<Socket>& socket = m_sockets[node->GetId()];
        if (!socket)
        {
            socket = Socket::CreateSocket(node, UdpSocketFactory::GetTypeId());
            socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), DISCARD_PORT));
            socket->SetRecvCallback(MakeCallback(&Discard));
        }
    }

    /// Send one packet
    void Send(WarmUpFlow flow)
    {
        m_sockets.at(flow.from->GetId())
            ->SendTo(Create<Packet>(PACKET_BYTES),
                     0,
                     InetSocketAddress(flow.address, DISCARD_PORT));
    }

    /// Close all sockets
    void Close()
    {
        for (auto& [id, socket] : m_sockets)
        {
            socket->SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
            socket->Close();
        }
        m_sockets.clear();
    }

  private:
    std::map<uint32_t, Ptr<Socket>> m_sockets; //!< by node id
};

} // namespace

Time
ScheduleWarmUp(const std::vector<WarmUpFlow>& flows, Time start, Time spacing)
{
    Ptr<WarmUp> warmUp = Create<WarmUp>();
    for (const auto& flow : flows)
    {
        warmUp->Open(flow.from);
        warmUp->Open(flow.to);
    }
    Time when = start;
    for (uint32_t round = 0; round < ROUNDS; ++round)
    {
        for (const auto& flow : flows)
        {
            Simulator::Schedule(when - Simulator::Now(), &WarmUp::Send, warmUp, flow);
            when += spacing;
        }
    }
    when += MilliSeconds(SETTLE_MS);
    Simulator::Schedule(when - Simulator::Now(), &WarmUp::Close, warmUp);
    return when;
}

} // namespace collapipe
} // namespace ns3
