/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-cell.h"

#include "ns3/collapipe-path-loss.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/test.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <sstream>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

// ---------------------------------------------------------------- shares

/// Links whose receivers are equally far away deliver what their shares say
class ShareTest : public TestCase
{
  public:
    /**
     * @param settings shares by phase and link; each phase is set at run time
     * @param common whether all links end at the control unit; else each has its own receiver
     */
    ShareTest(std::vector<std::vector<double>> settings, bool common)
        : TestCase(MakeName(settings, common)),
          m_settings(std::move(settings)),
          m_common(common)
    {
    }

  private:
    /// An A-MPDU takes some 4 ms: a tenth of this is 125 of them. One in five is lost to a
    /// collision, which makes goodput vary by a standard deviation of 4.5 %.
    const Time WINDOW{Seconds(5)};

    static std::string MakeName(const std::vector<std::vector<double>>& settings, bool common)
    {
        std::ostringstream name;
        name << "Airtime shares";
        for (const auto& shares : settings)
        {
            const char* separator = " ";
            for (const double share : shares)
            {
                name << separator << share;
                separator = ":";
            }
        }
        name << (common ? " to one receiver" : " to receivers of their own");
        return name.str();
    }

    void DoRun() override
    {
        const uint32_t links = m_settings.front().size();
        WifiCell cell(WifiCell::MakeConfig(m_common ? links + 1 : 2 * links + 1, 20));
        std::vector<WifiCell::Link> names;
        for (uint32_t i = 1; i <= links; ++i)
        {
            // Opposite each other on the circle, where receivers are their own
            names.emplace_back(i, m_common ? 0 : i + links);
            cell.AddDatagrams(names.back());
        }
        cell.Run(MilliSeconds(100));
        for (const auto& shares : m_settings)
        {
            std::vector<LinkPlan> plan;
            for (uint32_t i = 0; i < links; ++i)
            {
                plan.push_back({Phase::TRAINING,
                                static_cast<NodeIndex>(names[i].first),
                                static_cast<NodeIndex>(names[i].second),
                                shares[i],
                                0});
            }
            cell.Apply(plan);
            cell.Run(MilliSeconds(100));
            cell.ResetCounters();
            cell.Run(WINDOW);
            Check(cell, names, shares);
        }
    }

    void Check(const WifiCell& cell,
               const std::vector<WifiCell::Link>& names,
               const std::vector<double>& shares)
    {
        double airtimeS = 0;
        double bytes = 0;
        for (const auto& name : names)
        {
            airtimeS += cell.GetCounters(name).airtimeS;
            bytes += cell.GetCounters(name).bytes;
        }
        const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
        for (std::size_t i = 0; i < names.size(); ++i)
        {
            const double wanted = shares[i] / sum;
            const auto counters = cell.GetCounters(names[i]);
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.airtimeS / airtimeS,
                                      wanted,
                                      0.05 * wanted,
                                      "airtime of link " << i);
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.bytes / bytes,
                                      wanted,
                                      0.15 * wanted,
                                      "goodput of link " << i);
        }
        // 20 MHz carry some 80 Mb/s at this distance, and shares must not cost them
        NS_TEST_EXPECT_MSG_GT(8 * bytes / WINDOW.GetSeconds(), 60e6, "the channel is used");
    }

    std::vector<std::vector<double>> m_settings;
    bool m_common;
};

/// Who has the higher priority has all that he can carry; a change takes effect at once
class PriorityTest : public TestCase
{
  public:
    PriorityTest()
        : TestCase("Priorities of links")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(4, 20));
        const std::vector<WifiCell::Link> links{{1, 0}, {2, 0}, {3, 0}};
        for (const auto& link : links)
        {
            cell.AddDatagrams(link);
        }
        cell.Run(MilliSeconds(300));
        const double floor = 0.02 / 1.02;
        Check(cell, links, {0.4, 0.4, 0.2}, {1, 0, 0}, {1 - floor, floor * 2 / 3, floor / 3});
        Check(cell, links, {0.4, 0.4, 0.2}, {0, 1, 0}, {floor * 2 / 3, 1 - floor, floor / 3});
        Check(cell, links, {0.6, 0.2, 0.2}, {3, 3, 1}, {0.75, 0.25, floor});
        Check(cell, links, {0.4, 0.4, 0.2}, {2, 2, 2}, {0.4, 0.4, 0.2});
    }

    void Check(WifiCell& cell,
               const std::vector<WifiCell::Link>& links,
               const std::vector<double>& shares,
               const std::vector<uint8_t>& priorities,
               const std::vector<double>& wanted)
    {
        std::vector<LinkPlan> plan;
        for (std::size_t i = 0; i < links.size(); ++i)
        {
            plan.push_back({Phase::TRAINING,
                            static_cast<NodeIndex>(links[i].first),
                            static_cast<NodeIndex>(links[i].second),
                            shares[i],
                            0,
                            priorities[i]});
        }
        cell.Apply(plan);
        cell.Run(MilliSeconds(50));
        cell.ResetCounters();
        cell.Run(Seconds(4));
        double airtimeS = 0;
        for (const auto& link : links)
        {
            airtimeS += cell.GetCounters(link).airtimeS;
        }
        for (std::size_t i = 0; i < links.size(); ++i)
        {
            const auto read = cell.GetActuator()->Read(0, plan[i].from, plan[i].to);
            NS_TEST_EXPECT_MSG_EQ(+read->priority, +priorities[i], "priority read back");
            const auto counters = cell.GetCounters(links[i]);
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.airtimeS / airtimeS,
                                      wanted[i],
                                      0.02 + 0.05 * wanted[i],
                                      "airtime of link " << i << " with priority "
                                                         << +priorities[i]);
            NS_TEST_EXPECT_MSG_GT(counters.bytes, 0, "link " << i << " does not starve");
        }
        // 20 MHz carry some 80 Mb/s at this distance: the order must not cost them
        NS_TEST_EXPECT_MSG_GT(airtimeS, 0.6 * 4, "the channel is used");
    }
};

/// A link whose share nobody uses up does not leave the channel idle
class IdleShareTest : public TestCase
{
  public:
    IdleShareTest()
        : TestCase("Airtime that is nobody's is used")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(3, 20));
        cell.AddFlow({1, 0});
        cell.Run(MilliSeconds(300));
        double alone = 0;
        for (const bool withShares : {false, true})
        {
            cell.Apply(withShares ? std::vector<LinkPlan>{{Phase::TRAINING, 1, 0, 0.1, 0},
                                                          {Phase::TRAINING, 2, 0, 0.9, 0}}
                                  : std::vector<LinkPlan>{});
            cell.ResetCounters();
            cell.Run(MilliSeconds(500));
            const double bytes = cell.GetCounters({1, 0}).bytes;
            alone = withShares ? alone : bytes;
            NS_TEST_EXPECT_MSG_GT(bytes, 0.95 * alone, "goodput with and without shares");
        }
    }
};

/**
 * Every station sends and is served, in every one of many channel realisations.
 *
 * Within a second: a frame that collides four times in a row waits for up to 255 slots between
 * which others send frames of 4 ms. In 300 ms some of 1,500 flows are caught in that, 9 with shares
 * and 37 under plain IEEE 802.11; none is for a second.
 */
class AliveTest : public TestCase
{
  public:
    AliveTest()
        : TestCase("All stations alive in 20 seeds")
    {
    }

  private:
    static constexpr uint32_t NODES = 5;

    void DoRun() override
    {
        const auto before = RngSeedManager::GetRun();
        for (uint32_t run = 1; run <= 20; ++run)
        {
            RngSeedManager::SetRun(run);
            TopologyConfig config = WifiCell::MakeConfig(NODES, 20);
            config.wifiPathLoss.shadowing = true;
            config.randomPositions = true;
            WifiCell cell(config);
            std::vector<LinkPlan> plan;
            for (NodeIndex node = 0; node < NODES; ++node)
            {
                const NodeIndex to = (node + 1) % NODES;
                cell.AddFlow({node, to});
                plan.push_back({Phase::TRAINING, node, to, 1.0 / NODES, 0});
            }
            cell.Apply(plan);
            cell.Run(MilliSeconds(200));
            cell.ResetCounters();
            cell.Run(Seconds(1));
            double airtimeS = 0;
            for (NodeIndex node = 0; node < NODES; ++node)
            {
                airtimeS += cell.GetCounters({node, (node + 1) % NODES}).airtimeS;
            }
            for (NodeIndex node = 0; node < NODES; ++node)
            {
                const auto counters = cell.GetCounters({node, (node + 1) % NODES});
                NS_TEST_EXPECT_MSG_GT(counters.bytes, 0, "node " << node << " in run " << run);
                NS_TEST_EXPECT_MSG_GT(counters.airtimeS,
                                      0.2 * airtimeS / NODES,
                                      "airtime of node " << node << " in run " << run);
            }
        }
        RngSeedManager::SetRun(before);
    }
};

// ---------------------------------------------------------------- read-back

/// What random plans decide is what PHYs and queue discs do, and what is read back
class ReadBackTest : public TestCase
{
  public:
    /// @param topology wifi or hybrid
    explicit ReadBackTest(const std::string& topology)
        : TestCase("PHY and MAC show what random plans decide: " + topology),
          m_topology(topology)
    {
    }

  private:
    static constexpr uint32_t NODES = 4;

    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(NODES, 20), m_topology);
        cell.GetActuator()->TraceConnectWithoutContext("Actuation",
                                                       MakeCallback(&ReadBackTest::Trace, this));
        cell.Run(Time(0));
        // A chain there and back: inner nodes send to two others
        std::vector<WifiCell::Link> links;
        for (uint32_t node = 0; node + 1 < NODES; ++node)
        {
            links.emplace_back(node, node + 1);
            links.emplace_back(node + 1, node);
        }
        for (const auto& link : links)
        {
            cell.AddDatagrams(link);
        }
        cell.Run(MilliSeconds(100));
        std::mt19937 random(5);
        for (int round = 0; round < 3; ++round)
        {
            const ClusterPlan plan = MakePlan(links, random);
            m_changes = 0;
            cell.GetActuator()->Apply(ClusterId(0), Phase::TRAINING, plan);
            NS_TEST_EXPECT_MSG_EQ(m_changes, links.size(), "one trace for each link");
            NS_TEST_EXPECT_MSG_EQ(m_reason, "training", "reason");
            // What is on its way was decided before
            cell.Run(MilliSeconds(50));
            cell.ResetCounters();
            cell.Run(Seconds(3));
            Check(cell, plan);
        }
        CheckDefaults(cell, links);
    }

    static ClusterPlan MakePlan(const std::vector<WifiCell::Link>& links, std::mt19937& random)
    {
        ClusterPlan plan;
        for (const auto& [from, to] : links)
        {
            const double share = std::uniform_real_distribution<>(0.3, 1)(random) / links.size();
            const double dbm = std::uniform_real_distribution<>(0, 16)(random);
            const auto sender = static_cast<NodeIndex>(from);
            const auto receiver = static_cast<NodeIndex>(to);
            plan.links.push_back({Phase::TRAINING, sender, receiver, share, DbmToW(dbm)});
            // Of another phase, so not to be applied
            plan.links.push_back({Phase::UPLOAD, sender, receiver, 0.9, DbmToW(1)});
        }
        return plan;
    }

    void Check(const WifiCell& cell, const ClusterPlan& plan)
    {
        double shares = 0;
        double airtimeS = 0;
        for (const auto& link : plan.links)
        {
            shares += link.phase == Phase::TRAINING ? link.share : 0;
            airtimeS +=
                link.phase == Phase::TRAINING ? cell.GetCounters({link.from, link.to}).airtimeS : 0;
        }
        for (const auto& link : plan.links)
        {
            if (link.phase != Phase::TRAINING)
            {
                continue;
            }
            const auto read = cell.GetActuator()->Read(0, link.from, link.to);
            NS_TEST_ASSERT_MSG_EQ(read.has_value(), true, "Wi-Fi carries the link");
            NS_TEST_EXPECT_MSG_EQ_TOL(read->share, link.share, 1e-12, "share read back");
            // As finely as the PHY's 255 levels over 16 dB at most
            NS_TEST_EXPECT_MSG_EQ_TOL(read->powerW, link.powerW, 0.01 * link.powerW, "read back");
            const auto counters = cell.GetCounters({link.from, link.to});
            NS_TEST_ASSERT_MSG_GT(counters.frames, 0, "it sends");
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.leastW, read->powerW, 1e-9, "TXVECTOR's power");
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.mostW, read->powerW, 1e-9, "TXVECTOR's power");
            // A station may back off for up to 0.6 s, and only MaxCredit is kept for it meanwhile
            NS_TEST_EXPECT_MSG_EQ_TOL(counters.airtimeS / airtimeS,
                                      link.share / shares,
                                      0.2 * link.share / shares,
                                      "airtime of " << link.from << " -> " << link.to);
        }
    }

    /// A phase that names no link gives all settings back
    void CheckDefaults(const WifiCell& cell, const std::vector<WifiCell::Link>& links)
    {
        cell.GetActuator()->Apply(ClusterId(0), Phase::DISTRIBUTION, ClusterPlan());
        for (const auto& [from, to] : links)
        {
            const auto read = cell.GetActuator()->Read(0, from, to);
            NS_TEST_EXPECT_MSG_EQ(read->share, 0, "no share");
            NS_TEST_EXPECT_MSG_EQ_TOL(read->powerW, DbmToW(16), 1e-9, "full power");
        }
        NS_TEST_EXPECT_MSG_EQ(cell.GetActuator()->Read(0, 0, NODES + 3).has_value(),
                              false,
                              "no such node");
        NS_TEST_EXPECT_MSG_EQ(cell.GetActuator()->Read(1, 0, 1).has_value(),
                              false,
                              "no such cluster");
    }

    void Trace(uint32_t cluster,
               NodeIndex from,
               NodeIndex to,
               const LinkSetting& before,
               const LinkSetting& after,
               const std::string& reason)
    {
        m_changes += cluster == 0 && from < NODES && to < NODES &&
                     (before.share != after.share || before.powerW != after.powerW);
        m_reason = reason;
    }

    std::string m_topology;
    uint32_t m_changes{0};
    std::string m_reason;
};

/// Over Wi-Fi to the edge server: power counts for the hop to the control unit, shares do not
class GatewayTest : public TestCase
{
  public:
    GatewayTest()
        : TestCase("Links to the edge server through the control unit")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(3, 20));
        cell.Run(Time(0));
        cell.Apply({{Phase::UPLOAD, 1, EDGE_SERVER, 1, DbmToW(3)},
                    {Phase::UPLOAD, 2, EDGE_SERVER, 1, DbmToW(3)},
                    {Phase::UPLOAD, 2, 0, 0.25, DbmToW(7)}});
        const auto actuator = cell.GetActuator();
        NS_TEST_EXPECT_MSG_EQ_TOL(actuator->Read(0, 1, EDGE_SERVER)->powerW,
                                  DbmToW(3),
                                  1e-9,
                                  "power");
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(0, 1, EDGE_SERVER)->share, 0, "no share");
        NS_TEST_EXPECT_MSG_EQ_TOL(actuator->Read(0, 2, 0)->powerW, DbmToW(7), 1e-9, "the higher");
        NS_TEST_EXPECT_MSG_EQ_TOL(actuator->Read(0, 2, 0)->share, 0.25, 1e-12, "its share");
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(0, 0, EDGE_SERVER).has_value(), false, "wired");
    }
};

/// With another station manager a device has one power; with another queue disc no shares
class OtherModelsTest : public TestCase
{
  public:
    OtherModelsTest()
        : TestCase("Ideal manager and FIFO: power per device, no shares")
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config = WifiCell::MakeConfig(3, 20);
        config.wifiRateManager = "ns3::IdealWifiManager";
        config.wifiQueueDisc = "ns3::FifoQueueDisc";
        WifiCell cell(config);
        cell.AddFlow({0, 1});
        cell.AddFlow({0, 2});
        cell.Run(MilliSeconds(100));
        cell.Apply({{Phase::UPLOAD, 0, 1, 0.5, DbmToW(6)}, {Phase::UPLOAD, 0, 2, 0.5, DbmToW(10)}});
        cell.Run(MilliSeconds(20));
        cell.ResetCounters();
        cell.Run(MilliSeconds(100));
        for (const NodeIndex to : {1, 2})
        {
            const auto read = cell.GetActuator()->Read(0, 0, to);
            NS_TEST_EXPECT_MSG_EQ_TOL(read->powerW, DbmToW(10), 1e-9, "the highest");
            NS_TEST_EXPECT_MSG_EQ(read->share, 0, "no share");
            NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters({0, to}).mostW,
                                      DbmToW(10),
                                      1e-9,
                                      "at the PHY");
        }
        cell.Apply({});
        NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetActuator()->Read(0, 0, 1)->powerW,
                                  DbmToW(16),
                                  1e-9,
                                  "back");
    }
};

static class WifiActuationTestSuite : public TestSuite
{
  public:
    WifiActuationTestSuite()
        : TestSuite("collapipe-wifi-actuation", Type::UNIT)
    {
        AddTestCase(new ShareTest({{0.25, 0.75}, {0.75, 0.25}}, true));
        AddTestCase(new ShareTest({{0.1, 0.2, 0.3, 0.4}, {0.3, 0.1, 0.4, 0.2}}, false));
        AddTestCase(new IdleShareTest);
        AddTestCase(new PriorityTest);
        AddTestCase(new AliveTest);
        AddTestCase(new ReadBackTest("wifi"));
        AddTestCase(new ReadBackTest("hybrid"));
        AddTestCase(new GatewayTest);
        AddTestCase(new OtherModelsTest);
    }
} g_wifiActuationTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
