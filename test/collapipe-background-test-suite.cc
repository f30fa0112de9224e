/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-cell.h"
#include "collapipe-wifi-cell.h"

#include "ns3/collapipe-background-traffic.h"
#include "ns3/collapipe-topology.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr int64_t SECONDS = 8;

/// A network with a cluster that does nothing, and users beside it
class UsersTest : public TestCase
{
  public:
    UsersTest(const std::string& topology, const std::string& traffic)
        : TestCase(traffic + " over " + topology),
          m_topology(topology),
          m_traffic(traffic)
    {
    }

  private:
    /// Mean rate of a direction in payload bits per second, from the kind's definition
    double GetExpectedBps() const
    {
        if (m_traffic == "voice")
        {
            return 172 * 8 / 0.02 * 1.004 / (1.004 + 1.587);
        }
        return m_traffic == "video" ? 4e6 : 1.5e6;
    }

    /// Standard error of that mean over a period, relative: calls vary, the rest hardly
    double GetTolerance(double seconds, double users) const
    {
        // Alternating exponential phases: variance of the time talked over t is
        // 2 (m_on m_off)^2 / (m_on + m_off)^3 t
        const double on = 1.004;
        const double off = 1.587;
        const double deviation =
            std::sqrt(2 * on * on * off * off / std::pow(on + off, 3) * seconds / users);
        return m_traffic == "voice" ? 4 * deviation / (seconds * on / (on + off)) : 0.03;
    }

    void DoRun() override
    {
        TopologyConfig config;
        config.clusters = 1;
        config.devicesPerCluster = 1;
        config.backgroundUsers = 3;
        config.backgroundLead = Seconds(SECONDS);
        auto topology = TopologyHelper::Create(m_topology);
        topology->Build(config);
        const Network& network = topology->GetNetwork();
        const std::size_t users = m_topology == "hybrid" ? 6 : 3; // three on every radio
        NS_TEST_ASSERT_MSG_EQ(network.users.size(), users, "users of every radio");
        BackgroundTraffic traffic(BackgroundConfig::Parse(m_traffic),
                                  network.users,
                                  network.usersStartAt,
                                  network.readyAt);
        traffic.AssignStreams(5000);
        Simulator::Stop(network.readyAt + Seconds(2));
        Simulator::Run();
        Check(traffic.GetFlows(), network.users.size());
        Simulator::Destroy();
    }

    void Check(const std::vector<BackgroundFlow>& flows, std::size_t users)
    {
        const std::size_t ways = m_traffic == "video" ? 1 : 2;
        NS_TEST_ASSERT_MSG_EQ(flows.size(), users * ways * 2, "a row per direction and period");
        double bits = 0;
        double seconds = 0;
        for (const auto& flow : flows)
        {
            const double periodS = flow.training ? 2 : SECONDS;
            NS_TEST_EXPECT_MSG_EQ_TOL(flow.durationS, periodS, 1e-6, "period");
            NS_TEST_EXPECT_MSG_EQ(flow.lost, 0U, flow.user << ": an idle radio loses nothing");
            NS_TEST_EXPECT_MSG_GT_OR_EQ(flow.sent + 40, flow.received, "none out of nothing");
            NS_TEST_EXPECT_MSG_EQ(flow.delay.GetCount(), flow.received, "a delay per packet");
            if (flow.received > 0)
            {
                NS_TEST_EXPECT_MSG_GT(flow.delay.GetMeanS(), 0, "packets take time");
                NS_TEST_EXPECT_MSG_LT(flow.delay.GetQuantileS(0.95), 0.1, "an idle radio is quick");
                NS_TEST_EXPECT_MSG_LT(flow.delay.GetQuantileS(0.5),
                                      flow.delay.GetQuantileS(1) + 1e-12,
                                      "quantiles rise");
            }
            if (!flow.training)
            {
                bits += flow.bytes * 8.0;
                seconds += flow.durationS;
            }
        }
        const double tolerance = GetTolerance(SECONDS, users * ways);
        NS_TEST_EXPECT_MSG_EQ_TOL(bits / seconds / GetExpectedBps(), 1, tolerance, "mean rate");
    }

    std::string m_topology; //!< name
    std::string m_traffic;  //!< what users do
};

/// Quantiles of known delays
class DelayTest : public TestCase
{
  public:
    DelayTest()
        : TestCase("Quantiles of delays to 2 %")
    {
    }

  private:
    void DoRun() override
    {
        DelayStatistics statistics;
        NS_TEST_EXPECT_MSG_EQ(statistics.GetQuantileS(0.5), 0, "of none");
        for (int64_t i = 1; i <= 1000; ++i)
        {
            statistics.Add(MicroSeconds(100 * i));
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(statistics.GetMeanS(), 0.05005, 1e-9, "mean");
        for (const double share : {0.01, 0.5, 0.95, 0.99, 1.0})
        {
            const double exact = 0.1 * share;
            NS_TEST_EXPECT_MSG_GT_OR_EQ(statistics.GetQuantileS(share), exact * (1 - 1e-9), "low");
            NS_TEST_EXPECT_MSG_LT(statistics.GetQuantileS(share), exact * 1.0201, "high");
        }
    }
};

/// What is a traffic and what is none
class ParseTest : public TestCase
{
  public:
    ParseTest()
        : TestCase("Texts that are a traffic, and texts that are none")
    {
    }

  private:
    void DoRun() override
    {
        NS_TEST_EXPECT_MSG_EQ(BackgroundConfig::Parse("udp:2.5Mbps").kinds.at(0).rate.GetBitRate(),
                              2500000U,
                              "a rate");
        NS_TEST_EXPECT_MSG_EQ(BackgroundConfig::Parse("none").kinds.empty(), true, "nothing");
        const auto several = BackgroundConfig::Parse("video,udp:1Mbps,voice").kinds;
        NS_TEST_ASSERT_MSG_EQ(several.size(), 3U, "several");
        NS_TEST_EXPECT_MSG_EQ((several[0].traffic == UserTraffic::VIDEO), true, "the first");
        NS_TEST_EXPECT_MSG_EQ(several[1].name, "udp:1Mbps", "the second");
        NS_TEST_EXPECT_MSG_EQ((several[2].traffic == UserTraffic::VOICE), true, "the third");
        for (const std::string text : {"",
                                       "udp",
                                       "udp:",
                                       "udp:0Mbps",
                                       "udp:-1Mbps",
                                       "udp:5",
                                       "udp:1.2.3Mbps",
                                       "udp:Mbps",
                                       "udp:5MBps",
                                       "Voice",
                                       "film",
                                       "udp:nanMbps",
                                       "udp:.Mbps",
                                       "voice,",
                                       ",voice",
                                       "none,voice",
                                       "voice;video"})
        {
            bool refused = false;
            try
            {
                BackgroundConfig::Parse(text);
            }
            catch (const std::invalid_argument&)
            {
                refused = true;
            }
            NS_TEST_EXPECT_MSG_EQ(refused, true, "\"" << text << "\" is none");
        }
    }
};

/// What the scheduler says of others is what their radios read of their grants
class CellOthersTest : public TestCase
{
  public:
    CellOthersTest()
        : TestCase("The part of a cell that others take")
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config = collapipe::tests::LteCell::MakeConfig(2, 25);
        config.backgroundUsers = 2;
        collapipe::tests::LteCell cell(config);
        const Network& network = cell.GetNetwork();
        BackgroundTraffic traffic(BackgroundConfig::Parse("udp:800kbps"),
                                  network.users,
                                  network.usersStartAt,
                                  network.readyAt);
        traffic.AssignStreams(5000);
        for (const auto& user : network.users)
        {
            FindDevice<LteUeNetDevice>(user.node)->GetPhy()->TraceConnectWithoutContext(
                "ReportUlPhyResourceBlocks",
                MakeCallback(&CellOthersTest::Count, this));
        }
        cell.Run(Time(0));
        const auto scheduler = cell.GetScheduler();
        cell.Run(Seconds(0.5));
        const double before = scheduler->TakeOthersPart(LteDirection::UPLINK);
        NS_TEST_EXPECT_MSG_EQ(std::isnan(before), true, "nobody of a plan had anything to send");
        cell.SetWeight(0, LteDirection::UPLINK, 1);
        cell.AddUplinkFlow(0);
        cell.Run(Seconds(1));
        scheduler->TakeOthersPart(LteDirection::UPLINK);
        m_rbs = 0;
        cell.Run(Seconds(2));
        const double part = m_rbs / (2000 * 25.0);
        NS_TEST_EXPECT_MSG_GT(part, 0.03, "they take something");
        NS_TEST_EXPECT_MSG_EQ_TOL(scheduler->TakeOthersPart(LteDirection::UPLINK),
                                  part,
                                  0.03 * part,
                                  "part of the resource blocks");
    }

    void Count(uint16_t /* rnti */, const std::vector<int>& rbs)
    {
        m_rbs += rbs.size();
    }

    uint64_t m_rbs{0};
};

/// What the ledger says of others is what a link that always sends loses to them
class ChannelOthersTest : public TestCase
{
  public:
    ChannelOthersTest()
        : TestCase("The part of a channel that others take")
    {
    }

  private:
    /// Bits in a second of a link that always sends, and what the ledger says meanwhile
    static std::pair<double, double> Measure(bool beside)
    {
        TopologyConfig config = collapipe::tests::WifiCell::MakeConfig(2, 20);
        config.backgroundUsers = 2;
        collapipe::tests::WifiCell cell(config);
        const Network& network = cell.GetNetwork();
        BackgroundTraffic traffic(BackgroundConfig::Parse(beside ? "udp:4Mbps" : "none"),
                                  network.users,
                                  network.usersStartAt,
                                  network.readyAt);
        traffic.AssignStreams(5000);
        cell.AddDatagrams({1, 0});
        cell.Apply({{Phase::TRAINING, 1, 0, 1, 0}});
        cell.Run(Seconds(0.5));
        const auto disc = DynamicCast<AirtimeQueueDisc>(
            cell.GetNode(1)->GetObject<TrafficControlLayer>()->GetRootQueueDiscOnDevice(
                cell.GetDevice(1)));
        disc->GetLedger()->TakeOthersPart();
        cell.ResetCounters();
        cell.Run(Seconds(3));
        return {8.0 * cell.GetCounters({1, 0}).bytes / 3, disc->GetLedger()->TakeOthersPart()};
    }

    void DoRun() override
    {
        const auto [alone, nothing] = Measure(false);
        const auto [beside, part] = Measure(true);
        NS_TEST_EXPECT_MSG_EQ(nothing, 0, "nobody else sends");
        const double lost = 1 - beside / alone;
        NS_TEST_EXPECT_MSG_GT(lost, 0.15, "others take something");
        // A collision costs the long frame, too, which is nobody's time
        NS_TEST_EXPECT_MSG_GT(part, 0.6 * lost, "part of the time");
        NS_TEST_EXPECT_MSG_LT(part, 1.05 * lost, "no more than was lost");
    }
};

class BackgroundTestSuite : public TestSuite
{
  public:
    BackgroundTestSuite()
        : TestSuite("collapipe-background", Type::UNIT)
    {
        AddTestCase(new ParseTest);
        AddTestCase(new DelayTest);
        for (const std::string topology : {"lte", "wifi"})
        {
            for (const std::string traffic : {"voice", "video", "udp:1.5Mbps"})
            {
                AddTestCase(new UsersTest(topology, traffic));
            }
        }
        AddTestCase(new UsersTest("hybrid", "voice"));
        AddTestCase(new CellOthersTest);
        AddTestCase(new ChannelOthersTest);
    }
};

BackgroundTestSuite g_backgroundTestSuite;

} // namespace
