/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-cell.h"

#include "ns3/inet-socket-address.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/test.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/**
 * A burst goes through an empty cell without a pause, whatever its size: the scheduler knows of all
 * of it, also where it is more than a buffer status report can say (150,000 bytes). Else the rest
 * would wait for the UE's next report, 10 ms after its last block, and for that report's grant.
 */
class BurstTest : public TestCase
{
  public:
    BurstTest()
        : TestCase("Bursts of random sizes, up to six reports' worth")
    {
    }

  private:
    static constexpr uint32_t PACKET_BYTES = 1400;
    static constexpr uint16_t PORT = 4000;
    /// A block that is lost comes again 8 ms later, and those behind it wait for it
    static constexpr int64_t REPEAT_MS = 9;

    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(2, 50));
        cell.Run(Time(0));
        Ptr<Socket> sink =
            Socket::CreateSocket(cell.GetNetwork().edgeServer, UdpSocketFactory::GetTypeId());
        sink->Bind(InetSocketAddress(Ipv4Address::GetAny(), PORT));
        sink->SetRecvCallback(MakeCallback(&BurstTest::Receive, this));
        Ptr<Socket> source = Socket::CreateSocket(cell.GetNode(0), UdpSocketFactory::GetTypeId());
        source->Connect(InetSocketAddress(cell.GetNetwork().edgeAddress, PORT));
        std::mt19937 random(1);
        for (int burst = 0; burst < 20; ++burst)
        {
            const auto packets = std::uniform_int_distribution<uint32_t>(20, 650)(random);
            m_received = 0;
            m_longest = Time(0);
            for (uint32_t packet = 0; packet < packets; ++packet)
            {
                source->Send(Create<Packet>(PACKET_BYTES));
            }
            cell.Run(Seconds(1));
            NS_TEST_EXPECT_MSG_EQ(m_received, packets, "all come, burst " << burst);
            NS_TEST_EXPECT_MSG_LT_OR_EQ(m_longest,
                                        MilliSeconds(REPEAT_MS),
                                        "the longest pause in " << packets << " packets");
        }
        sink->Close();
        source->Close();
    }

    void Receive(Ptr<Socket> sink)
    {
        while (sink->Recv())
        {
            const Time now = Simulator::Now();
            m_longest = m_received > 0 ? std::max(m_longest, now - m_last) : m_longest;
            m_last = now;
            ++m_received;
        }
    }

    uint32_t m_received{0};
    Time m_last;
    Time m_longest; //!< pause between two packets
};

static class LteBurstTestSuite : public TestSuite
{
  public:
    LteBurstTestSuite()
        : TestSuite("collapipe-lte-burst", Type::UNIT)
    {
        AddTestCase(new BurstTest);
    }
} g_lteBurstTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
