/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Reserved shares of a Wi-Fi channel: what (6) says of flows, and of messages of a frame or less

#include "collapipe-wifi-cell.h"

#include "ns3/collapipe-fluid-medium.h"
#include "ns3/collapipe-overtaking-acks.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/ipv4-queue-disc-item.h"
#include "ns3/tcp-header.h"
#include "ns3/test.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/// Reserved shares: a link's goodput follows from its share alone
class ReservedShareTest : public TestCase
{
  public:
    ReservedShareTest()
        : TestCase("Reserved airtime shares, alone, beside another link, and with acknowledgements")
    {
    }

  private:
    /// Goodput in bit/s of the flow 1 -> 0 at a share, where 2 -> 0 and 0 -> 1 have others
    static double Measure(double share, double beside, double back)
    {
        TopologyConfig config = WifiCell::MakeConfig(3, 20);
        config.sharing = Sharing::RESERVED;
        double bits = 0;
        {
            WifiCell cell(config);
            cell.AddFlow({1, 0});
            if (beside > 0)
            {
                cell.AddFlow({2, 0});
            }
            cell.Run(MilliSeconds(50));
            cell.Apply({{Phase::TRAINING, 1, 0, share, 0},
                        {Phase::TRAINING, 2, 0, beside, 0},
                        {Phase::TRAINING, 0, 1, back, 0}});
            cell.Run(MilliSeconds(500));
            cell.ResetCounters();
            cell.Run(Seconds(3));
            bits = 8.0 * cell.GetCounters({1, 0}).bytes / 3;
        }
        return bits;
    }

    void DoRun() override
    {
        const double quarter = Measure(0.25, 0, 0.25);
        NS_TEST_EXPECT_MSG_GT(quarter, 12e6, "20 MHz carry some 79 Mb/s");
        NS_TEST_EXPECT_MSG_EQ_TOL(Measure(0.5, 0, 0.25) / quarter, 2, 0.15, "twice the share");
        NS_TEST_EXPECT_MSG_EQ_TOL(Measure(0.25, 0.5, 0.25) / quarter, 1, 0.1, "beside another");
        NS_TEST_EXPECT_MSG_EQ_TOL(Measure(0.25, 0, 0.002) / quarter, 1, 0.1, "way back narrow");
    }
};

/**
 * Messages between two nodes over one TCP connection, both ways if wanted, one after the other: the
 * next sets out when the last one has arrived, each way.
 */
class Messages
{
  public:
    /**
     * @param cell with the nodes 0 and 1
     * @param bytes of each message
     * @param both whether 0 sends to 1, too
     */
    Messages(WifiCell& cell, uint32_t bytes, bool both)
        : m_bytes(bytes),
          m_both(both)
    {
        const Address any = InetSocketAddress(Ipv4Address::GetAny(), PORT);
        m_listener = MakeSocket(cell.GetNode(0));
        m_listener->Bind(any);
        m_listener->Listen();
        m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeCallback(&Messages::Accept, this));
        m_sender = MakeSocket(cell.GetNode(1));
        const auto& network = cell.GetNetwork();
        Simulator::Schedule(network.readyAt,
                            &Messages::Connect,
                            this,
                            network.clusters[0].addresses[0]);
    }

    /// Simulates for some time. @return mean time of the messages of the slower way in it, s
    double Run(WifiCell& cell, Time span)
    {
        m_arrived = m_arrivedBack = 0;
        cell.Run(span);
        // One that has not arrived counts as well
        const uint32_t least = m_both ? std::min(m_arrived, m_arrivedBack) : m_arrived;
        return span.GetSeconds() / std::max(least, 1U) - PAUSE_S;
    }

  private:
    static constexpr uint16_t PORT = 4000;
    static constexpr double PAUSE_S = 1e-3; //!< between messages: others compute meanwhile

    static Ptr<Socket> MakeSocket(Ptr<Node> node)
    {
        Ptr<Socket> socket = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
        socket->SetAttribute("SegmentSize", UintegerValue(1400));
        socket->SetAttribute("SndBufSize", UintegerValue(1 << 22));
        socket->SetAttribute("RcvBufSize", UintegerValue(1 << 22));
        return socket;
    }

    void Connect(Ipv4Address to)
    {
        m_sender->SetRecvCallback(MakeCallback(&Messages::HandleBack, this));
        m_sender->Connect(InetSocketAddress(to, PORT));
        Simulator::Schedule(MilliSeconds(20), &Messages::Send, this);
    }

    void Accept(Ptr<Socket> socket, const Address& /* from */)
    {
        m_receiver = socket;
        socket->SetRecvCallback(MakeCallback(&Messages::HandleForth, this));
        if (m_both)
        {
            Simulator::Schedule(MilliSeconds(21), &Messages::SendBack, this);
        }
    }

    void Send()
    {
        m_sender->Send(Create<Packet>(m_bytes));
    }

    void SendBack()
    {
        m_receiver->Send(Create<Packet>(m_bytes));
    }

    void HandleForth(Ptr<Socket> socket)
    {
        m_forth += socket->Recv()->GetSize();
        if (m_forth >= m_bytes)
        {
            m_forth -= m_bytes;
            ++m_arrived;
            Simulator::Schedule(Seconds(PAUSE_S), &Messages::Send, this);
        }
    }

    void HandleBack(Ptr<Socket> socket)
    {
        m_back += socket->Recv()->GetSize();
        if (m_back >= m_bytes)
        {
            m_back -= m_bytes;
            ++m_arrivedBack;
            Simulator::Schedule(Seconds(PAUSE_S), &Messages::SendBack, this);
        }
    }

    uint32_t m_bytes;          //!< of a message
    bool m_both;               //!< both ways
    Ptr<Socket> m_listener;    //!< of node 0
    Ptr<Socket> m_sender;      //!< of node 1
    Ptr<Socket> m_receiver;    //!< of node 0
    uint32_t m_forth{0};       //!< bytes that have arrived of the present message
    uint32_t m_back{0};        //!< the other way
    uint32_t m_arrived{0};     //!< messages 1 -> 0
    uint32_t m_arrivedBack{0}; //!< 0 -> 1
};

/// @return (6) of the link 1 -> 0 at a share and a part of full power, in seconds for a message
double
GetPlannedS(const WifiCell& cell, uint32_t bytes, double share, double powerPart = 1)
{
    const SystemState state = cell.GetState();
    const LinkState& link = state.clusters[0].d2dLinks[1][0];
    const double rateBps = GetLinkRateBps(state, 0, 1, 0, share, powerPart * link.maxPowerW);
    return link.latencyS + 8.0 * bytes / rateBps + link.overheadS / share;
}

/// Small messages do not pass at the rate of the whole channel: debts are not paid after the end
class ReservedMessageTest : public TestCase
{
  public:
    ReservedMessageTest()
        : TestCase("Messages of one frame and of several take what their reserved share says")
    {
    }

  private:
    void DoRun() override
    {
        for (const uint16_t widthMhz : {20, 40, 80})
        {
            for (const uint32_t bytes : {4000, 15000, 60000, 200000})
            {
                for (const double share : {0.06, 0.2, 0.5})
                {
                    TopologyConfig config = WifiCell::MakeConfig(2, widthMhz);
                    config.sharing = Sharing::RESERVED;
                    WifiCell cell(config);
                    Messages messages(cell, bytes, false);
                    cell.Apply({{Phase::TRAINING, 1, 0, share, 0}});
                    const double plannedS = GetPlannedS(cell, bytes, share);
                    messages.Run(cell, Seconds(20 * plannedS)); // windows open
                    const double ratio = messages.Run(cell, Seconds(30 * plannedS)) / plannedS;
                    const std::string name = std::to_string(bytes) + " bytes, share " +
                                             std::to_string(share) + ", " +
                                             std::to_string(widthMhz) + " MHz";
                    NS_TEST_EXPECT_MSG_GT(ratio, 0.7, name);
                    NS_TEST_EXPECT_MSG_LT(ratio, 1.3, name);
                }
            }
        }
    }
};

/**
 * What (2) and (6) say of messages holds at any distance and power, within the steps that modes
 * make of a rate: near at full power, and in the mean at lower ones.
 */
class ReservedPowerTest : public TestCase
{
  public:
    /// @param widthMhz of the channel
    explicit ReservedPowerTest(uint16_t widthMhz)
        : TestCase(
              "Messages at several powers and distances take what their reserved share says, " +
              std::to_string(widthMhz) + " MHz"),
          m_widthMhz(widthMhz)
    {
    }

  private:
    /// @return measured over planned time of a message
    double Measure(double radiusM, uint32_t bytes, double share, double powerPart) const
    {
        TopologyConfig config = WifiCell::MakeConfig(2, m_widthMhz);
        config.clusterRadiusM = radiusM;
        config.sharing = Sharing::RESERVED;
        WifiCell cell(config);
        const LinkState link = cell.GetExpectations().clusters[0].d2dLinks[1][0];
        Messages messages(cell, bytes, false);
        cell.Apply({{Phase::TRAINING, 1, 0, share, powerPart * link.maxPowerW}});
        const double plannedS = GetPlannedS(cell, bytes, share, powerPart);
        messages.Run(cell, Seconds(20 * plannedS)); // windows open
        return messages.Run(cell, Seconds(20 * plannedS)) / plannedS;
    }

    void DoRun() override
    {
        double sum = 0;
        int count = 0;
        for (const double radiusM : {5, 9, 14})
        {
            for (const uint32_t bytes : {4000, 60000, 200000})
            {
                for (const double share : {0.06, 0.2})
                {
                    for (const double powerPart : {1.0, 0.5, 0.2})
                    {
                        const double ratio = Measure(radiusM, bytes, share, powerPart);
                        const std::string name = std::to_string(bytes) + " bytes, share " +
                                                 std::to_string(share) + ", " +
                                                 std::to_string(radiusM) + " m, power " +
                                                 std::to_string(powerPart);
                        const double tolerance = powerPart == 1 ? 0.15 : 0.3;
                        NS_TEST_EXPECT_MSG_EQ_TOL(ratio, 1, tolerance, name);
                        sum += std::log(ratio);
                        ++count;
                    }
                }
            }
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(sum / count, 0, 0.07, "in the mean");
    }

    uint16_t m_widthMhz;
};

/**
 * Acknowledgements that overtake data of their connection do not make ns-3's TCP drop these: each
 * would wait for a timer of 200 ms and more.
 */
class BothWaysTest : public TestCase
{
  public:
    BothWaysTest()
        : TestCase("Messages both ways over one connection hinder each other no more than others")
    {
    }

  private:
    void DoRun() override
    {
        for (const Sharing sharing : {Sharing::RESERVED, Sharing::WORK_CONSERVING})
        {
            TopologyConfig config = WifiCell::MakeConfig(3, 80);
            config.sharing = sharing;
            WifiCell cell(config);
            Messages messages(cell, 6000, true);
            cell.AddFlow({2, 0}); // somebody to wait for
            cell.Apply({{Phase::TRAINING, 1, 0, 0.05, 0},
                        {Phase::TRAINING, 0, 1, 0.05, 0},
                        {Phase::TRAINING, 2, 0, 0.6, 0}});
            messages.Run(cell, MilliSeconds(300));
            const double meanS = messages.Run(cell, Seconds(1));
            NS_TEST_EXPECT_MSG_LT(meanS, 2 * GetPlannedS(cell, 6000, 0.05), ToString(sharing));
        }
    }
};

/// Random segments of several connections in a queue, some of which acknowledgements overtake
class OvertakingTest : public TestCase
{
  public:
    OvertakingTest()
        : TestCase("Segments that were overtaken have the newest acknowledgment")
    {
    }

  private:
    static Ptr<Ipv4QueueDiscItem> MakeItem(uint16_t port,
                                           uint32_t acknowledgment,
                                           uint32_t payload,
                                           uint8_t flags)
    {
        Ptr<Packet> packet = Create<Packet>(payload);
        TcpHeader tcp;
        tcp.SetSourcePort(port);
        tcp.SetDestinationPort(80);
        tcp.SetAckNumber(SequenceNumber32(acknowledgment));
        tcp.SetFlags(flags);
        packet->AddHeader(tcp);
        Ipv4Header ip;
        ip.SetProtocol(6);
        ip.SetSource(Ipv4Address("10.0.0.1"));
        ip.SetDestination(Ipv4Address("10.0.0.2"));
        return Create<Ipv4QueueDiscItem>(packet, Address(), 0x0800, ip);
    }

    static uint32_t GetAcknowledgment(Ptr<QueueDiscItem> item)
    {
        TcpHeader tcp;
        item->GetPacket()->PeekHeader(tcp);
        return tcp.GetAckNumber().GetValue();
    }

    void DoRun() override
    {
        constexpr uint8_t ACK = TcpHeader::ACK;
        NS_TEST_EXPECT_MSG_EQ(OvertakingAcks::MayOvertake(MakeItem(1, 5, 0, ACK)), true, "pure");
        NS_TEST_EXPECT_MSG_EQ(OvertakingAcks::MayOvertake(MakeItem(1, 5, 9, ACK)), false, "data");
        NS_TEST_EXPECT_MSG_EQ(OvertakingAcks::MayOvertake(MakeItem(1, 5, 0, ACK | TcpHeader::FIN)),
                              false,
                              "an end, which takes up a sequence number");
        std::mt19937 random(3);
        OvertakingAcks acks;
        std::map<uint16_t, uint32_t> newest;
        const uint32_t begin = 0xffffff00; // sequence numbers start over
        for (uint32_t i = 0; i < 1000; ++i)
        {
            const auto port = static_cast<uint16_t>(1 + random() % 3);
            const uint32_t number = begin + i;
            if (random() % 2 == 0)
            {
                acks.Remember(MakeItem(port, number, 0, ACK));
                newest[port] = number;
                continue;
            }
            // Made some time before, and longer than what overtook it
            const uint32_t made = number - random() % 50;
            const auto item = MakeItem(port, made, 100, ACK);
            const uint32_t size = item->GetSize();
            acks.Renew(item);
            const bool isOlder =
                newest.count(port) > 0 && SequenceNumber32(made) < SequenceNumber32(newest[port]);
            NS_TEST_EXPECT_MSG_EQ(GetAcknowledgment(item), isOlder ? newest[port] : made, i);
            NS_TEST_EXPECT_MSG_EQ(item->GetSize(), size, "no longer than before");
        }
        acks.Forget();
        const auto item = MakeItem(1, begin, 100, ACK);
        acks.Renew(item);
        NS_TEST_EXPECT_MSG_EQ(GetAcknowledgment(item), begin, "forgotten");
    }
};

static class WifiReservationTestSuite : public TestSuite
{
  public:
    WifiReservationTestSuite()
        : TestSuite("collapipe-wifi-reservation", Type::UNIT)
    {
        AddTestCase(new ReservedShareTest);
        AddTestCase(new ReservedMessageTest);
        for (const uint16_t width : {20, 40, 80})
        {
            AddTestCase(new ReservedPowerTest(width));
        }
        AddTestCase(new BothWaysTest);
        AddTestCase(new OvertakingTest);
    }
} g_wifiReservationTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
