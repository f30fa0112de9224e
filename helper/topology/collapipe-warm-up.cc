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

#include <array>
#include <cstdint>
#include <cstring>
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
constexpr int64_t PATIENCE_MS = 20;    //!< after the last packet, before those that did not come
constexpr int64_t SETTLE_MS = 50;      //!< after the last packet
/// As many as move a receiver's block acknowledgment window, 64, over what it waits for in vain
constexpr uint32_t WINDOW_PACKETS = 65;

/**
 * The sockets of one warm-up, one per node; its events keep it alive. Packets hold the number of
 * their flow.
 */
class WarmUp : public SimpleRefCount<WarmUp>
{
  public:
    /// @param flows that are warmed up
    explicit WarmUp(const std::vector<WarmUpFlow>& flows)
        : m_flows(flows),
          m_received(flows.size(), 0)
    {
        // By its own address: another warm-up may go on at the same nodes, over other radios
        for (const auto& flow : flows)
        {
            Open(flow.to, flow.address);
        }
        for (const auto& flow : flows)
        {
            Open(flow.from, Ipv4Address::GetAny());
        }
    }

    /// Send one packet
    void Send(uint32_t flow)
    {
        std::array<uint8_t, PACKET_BYTES> bytes{};
        std::memcpy(bytes.data(), &flow, sizeof(flow));
        m_sockets.at(m_flows[flow].from->GetId())
            ->SendTo(Create<Packet>(bytes.data(), bytes.size()),
                     0,
                     InetSocketAddress(m_flows[flow].address, DISCARD_PORT));
    }

    /**
     * Where frames collide while two stations agree on block acknowledgments, ns-3's receiver may
     * wait for a frame that came before the agreement, and hold back all that follow until they
     * fill its window: a minute, or ten, where they are connection requests and heartbeats.
     */
    void PushStuck()
    {
        for (uint32_t flow = 0; flow < m_flows.size(); ++flow)
        {
            const bool isStuck = m_received[flow] < ROUNDS;
            NS_LOG_LOGIC("flow " << flow << " got " << m_received[flow]);
            for (uint32_t packet = 0; isStuck && packet < WINDOW_PACKETS; ++packet)
            {
                Send(flow);
            }
        }
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
    /// Open a node's socket where it has none
    void Open(Ptr<Node> node, Ipv4Address address)
    {
        Ptr<Socket>& socket = m_sockets[node->GetId()];
        if (!socket)
        {
            socket = Socket::CreateSocket(node, UdpSocketFactory::GetTypeId());
            socket->Bind(InetSocketAddress(address, DISCARD_PORT));
            socket->SetRecvCallback(MakeCallback(&WarmUp::Receive, this));
        }
    }

    void Receive(Ptr<Socket> socket)
    {
        while (Ptr<Packet> packet = socket->Recv())
        {
            uint32_t flow = 0;
            packet->CopyData(reinterpret_cast<uint8_t*>(&flow), sizeof(flow));
            if (flow < m_received.size()) // else it is nobody's
            {
                ++m_received[flow];
            }
        }
    }

    std::vector<WarmUpFlow> m_flows;
    std::vector<uint32_t> m_received;          //!< packets of each flow
    std::map<uint32_t, Ptr<Socket>> m_sockets; //!< by node id
};

} // namespace

Time
ScheduleWarmUp(const std::vector<WarmUpFlow>& flows, Time start, Time spacing)
{
    Ptr<WarmUp> warmUp = Create<WarmUp>(flows);
    Time when = start;
    for (uint32_t round = 0; round < ROUNDS; ++round)
    {
        for (uint32_t flow = 0; flow < flows.size(); ++flow)
        {
            Simulator::Schedule(when - Simulator::Now(), &WarmUp::Send, warmUp, flow);
            when += spacing;
        }
    }
    Simulator::Schedule(when + MilliSeconds(PATIENCE_MS) - Simulator::Now(),
                        &WarmUp::PushStuck,
                        warmUp);
    when += MilliSeconds(SETTLE_MS);
    Simulator::Schedule(when - Simulator::Now(), &WarmUp::Close, warmUp);
    return when;
}

} // namespace collapipe
} // namespace ns3
