/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-topology.h"
#include "ns3/inet-socket-address.h"
#include "ns3/packet.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/test.h"
#include "ns3/udp-socket-factory.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/**
 * Once a network says that it is ready, a single packet gets through from every node of a cluster
 * to every other, at once: none waits in a receiver's reordering buffer for one that never comes.
 */
class ReadyTest : public TestCase
{
  public:
    ReadyTest()
        : TestCase("Each pair of stations reaches each other at once, in 200 channels")
    {
    }

  private:
    static constexpr uint16_t PORT = 4000;

    void DoRun() override
    {
        for (uint32_t run = 1; run <= 100; ++run)
        {
            RngSeedManager::SetRun(run);
            TopologyConfig config;
            config.clusters = 2;
            config.clusterRadiusM = run % 2 == 1 ? 5 : 12;
            auto topology = TopologyHelper::Create("wifi");
            const Network network = topology->Build(config);
            m_received = 0;
            uint32_t sent = 0;
            for (const auto& cluster : network.clusters)
            {
                sent += SendAll(cluster, network.readyAt);
            }
            Simulator::Stop(network.readyAt + MilliSeconds(sent) + MilliSeconds(50));
            Simulator::Run();
            NS_TEST_EXPECT_MSG_EQ(m_received, sent, "packets that came, run " << run);
            m_sockets.clear();
            topology.reset();
            Simulator::Destroy();
        }
        RngSeedManager::SetRun(1);
    }

    /// Sends a packet for each ordered pair, a millisecond apart. @return how many
    uint32_t SendAll(const ClusterNetwork& cluster, Time start)
    {
        const std::size_t first = m_sockets.size();
        for (uint32_t node = 0; node < cluster.GetN(); ++node)
        {
            m_sockets.push_back(
                Socket::CreateSocket(cluster.GetNode(node), UdpSocketFactory::GetTypeId()));
            m_sockets.back()->Bind(InetSocketAddress(Ipv4Address::GetAny(), PORT));
            m_sockets.back()->SetRecvCallback(MakeCallback(&ReadyTest::Receive, this));
        }
        uint32_t sent = 0;
        for (uint32_t from = 0; from < cluster.GetN(); ++from)
        {
            for (uint32_t to = 0; to < cluster.GetN(); ++to)
            {
                if (from != to)
                {
                    Simulator::Schedule(start + MilliSeconds(++sent),
                                        &ReadyTest::Send,
                                        this,
                                        first + from,
                                        cluster.addresses[to]);
                }
            }
        }
        return sent;
    }

    void Send(std::size_t from, Ipv4Address to)
    {
        m_sockets[from]->SendTo(Create<Packet>(100), 0, InetSocketAddress(to, PORT));
    }

    void Receive(Ptr<Socket> socket)
    {
        while (socket->Recv())
        {
            ++m_received;
        }
    }

    std::vector<Ptr<Socket>> m_sockets; //!< cluster by cluster
    uint32_t m_received{0};             //!< packets
};

static class WarmUpTestSuite : public TestSuite
{
  public:
    WarmUpTestSuite()
        : TestSuite("collapipe-warm-up", Type::UNIT)
    {
        AddTestCase(new ReadyTest);
    }
} g_warmUpTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
