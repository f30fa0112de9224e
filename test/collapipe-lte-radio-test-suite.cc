/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-cell.h"

#include "ns3/collapipe-path-loss.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-spectrum-phy.h"
#include "ns3/test.h"

#include <cmath>
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

/// Reads a UE's SINR, as the base station measures it by sounding
class SinrMeter
{
  public:
    explicit SinrMeter(const LteCell& cell)
    {
        cell.GetEnb()->GetPhy()->TraceConnectWithoutContext("ReportUeSinr",
                                                            MakeCallback(&SinrMeter::Report, this));
    }

    /// @return the last SINR in dB
    double Get(uint16_t rnti) const
    {
        return 10 * std::log10(m_sinr.at(rnti));
    }

  private:
    void Report(uint16_t /* cell */, uint16_t rnti, double sinr, uint8_t /* carrier */)
    {
        m_sinr[rnti] = sinr;
    }

    std::map<uint16_t, double> m_sinr;
};

// ---------------------------------------------------------------- shares in a cell

/**
 * Backlogged TCP flows of UEs with equal channels get what their weights say, in resource blocks
 * and in goodput, from each change of the weights on.
 */
class ShareTest : public TestCase
{
  public:
    /**
     * @param name of the test
     * @param direction of the flows
     * @param rbs of the cell
     * @param weights one set after the other
     * @param measure how long each
     */
    ShareTest(const std::string& name,
              LteDirection direction,
              uint16_t rbs,
              std::vector<std::vector<double>> weights,
              Time measure)
        : TestCase(name),
          m_direction(direction),
          m_rbs(rbs),
          m_weights(std::move(weights)),
          m_measure(measure)
    {
    }

  private:
    void DoRun() override
    {
        const uint32_t ues = m_weights.front().size();
        LteCell cell(LteCell::MakeConfig(ues, m_rbs));
        cell.Run(Time(0));
        for (uint32_t ue = 0; ue < ues; ++ue)
        {
            m_direction == LteDirection::UPLINK ? cell.AddUplinkFlow(ue) : cell.AddDownlinkFlow(ue);
        }
        // Equal shares let all windows grow
        cell.Run(Seconds(1));
        for (const auto& weights : m_weights)
        {
            for (uint32_t ue = 0; ue < ues; ++ue)
            {
                cell.SetWeight(ue, m_direction, weights[ue]);
            }
            cell.Run(MilliSeconds(20));
            cell.ResetCounters();
            cell.Run(m_measure);
            Check(cell, weights);
        }
    }

    void Check(const LteCell& cell, const std::vector<double>& weights)
    {
        double weightSum = 0;
        double rbSum = 0;
        double byteSum = 0;
        for (uint32_t ue = 0; ue < cell.GetN(); ++ue)
        {
            weightSum += weights[ue];
            rbSum += GetResources(cell, ue);
            byteSum += cell.GetCounters(ue).bytes;
        }
        const double bandRbs = m_rbs * m_measure.GetMilliSeconds();
        if (m_direction == LteDirection::UPLINK)
        {
            NS_TEST_ASSERT_MSG_EQ_TOL(rbSum, bandRbs, 0.01 * bandRbs, "the band is not full");
        }
        for (uint32_t ue = 0; ue < cell.GetN(); ++ue)
        {
            const double wanted = weights[ue] / weightSum;
            NS_TEST_EXPECT_MSG_EQ_TOL(GetResources(cell, ue) / rbSum,
                                      wanted,
                                      0.02 * wanted,
                                      "resources of UE " << ue);
            NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters(ue).bytes / byteSum,
                                      wanted,
                                      0.1 * wanted,
                                      "goodput of UE " << ue);
        }
    }

    /// Resource blocks; on the downlink, where the MAC tells only those, bytes of transport blocks
    double GetResources(const LteCell& cell, uint32_t ue) const
    {
        const auto counters = cell.GetCounters(ue);
        return m_direction == LteDirection::UPLINK ? counters.uplinkRbs : counters.downlinkTbBytes;
    }

    LteDirection m_direction;
    uint16_t m_rbs;
    std::vector<std::vector<double>> m_weights;
    Time m_measure;
};

/// A UE alone in the cell has its share and no more where the scheduler is not work-conserving
class CapTest : public TestCase
{
  public:
    CapTest()
        : TestCase("A share that is a cap")
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config = LteCell::MakeConfig(2, 25);
        config.sharing = Sharing::RESERVED;
        {
            LteCell cell(config);
            cell.Run(Time(0));
            cell.AddUplinkFlow(0);
            cell.Run(Seconds(0.5));
            for (const double share : {0.3, 0.7})
            {
                cell.SetWeight(0, LteDirection::UPLINK, share);
                cell.Run(MilliSeconds(50));
                cell.ResetCounters();
                cell.Run(Seconds(1));
                NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters(0).uplinkRbs / 25e3,
                                          share,
                                          0.02 * share,
                                          "resource blocks");
            }
        }
    }
};

/// What is small does not wait for a small share: a reservation does not starve acknowledgements
class ReservedAcknowledgementsTest : public TestCase
{
  public:
    ReservedAcknowledgementsTest()
        : TestCase("A reserved uplink share of 0.2 % does not slow the downlink")
    {
    }

  private:
    /// What the first UE receives, and the uplink's share that the second one has, in a second
    struct Outcome
    {
        double bytes;
        double share;
    };

    static Outcome Measure(bool reserved)
    {
        TopologyConfig config = LteCell::MakeConfig(2, 25);
        config.sharing = reserved ? Sharing::RESERVED : Sharing::WORK_CONSERVING;
        Outcome outcome;
        {
            LteCell cell(config);
            cell.Run(Time(0));
            if (reserved)
            {
                cell.SetWeight(0, LteDirection::DOWNLINK, 1);
                cell.SetWeight(0, LteDirection::UPLINK, 0.002);
                cell.SetWeight(1, LteDirection::UPLINK, 0.998);
                cell.AddUplinkFlow(1);
            }
            cell.AddDownlinkFlow(0);
            cell.Run(Seconds(1.5));
            cell.ResetCounters();
            cell.Run(Seconds(1));
            outcome = {double(cell.GetCounters(0).bytes), cell.GetCounters(1).uplinkRbs / 25e3};
        }
        return outcome;
    }

    void DoRun() override
    {
        const Outcome alone = Measure(false);
        const Outcome reserved = Measure(true);
        NS_TEST_EXPECT_MSG_GT(reserved.bytes, 0.95 * alone.bytes, "the downlink is as quick");
        NS_TEST_EXPECT_MSG_GT(reserved.share, 0.9, "and the uplink's owner has nearly all of it");
    }
};

// ---------------------------------------------------------------- priorities

/// A higher priority does not keep back what it cannot fill, nor acknowledgements
class PriorityLimitsTest : public TestCase
{
  public:
    PriorityLimitsTest()
        : TestCase("Higher priorities leave what they cannot use, and let acknowledgements pass")
    {
    }

  private:
    static void SetUplink(LteCell& cell, uint32_t ue, double weight, uint8_t priority)
    {
        cell.SetWeight(ue, LteDirection::UPLINK, weight);
        cell.GetScheduler()->SetPriority(cell.GetRnti(ue), LteDirection::UPLINK, priority);
    }

    /// What a UE of low priority receives while one of high priority fills the uplink, or not
    static double MeasureDownlink(bool beside)
    {
        LteCell cell(LteCell::MakeConfig(2, 25));
        cell.Run(Time(0));
        SetUplink(cell, 0, 0.01, 0);
        SetUplink(cell, 1, 0.9, 1);
        cell.SetWeight(0, LteDirection::DOWNLINK, 1);
        cell.AddDownlinkFlow(0);
        if (beside)
        {
            cell.AddUplinkFlow(1);
        }
        cell.Run(Seconds(1.5));
        cell.ResetCounters();
        cell.Run(Seconds(1));
        return cell.GetCounters(0).bytes;
    }

    void DoRun() override
    {
        {
            LteCell cell(LteCell::MakeConfig(2, 25));
            cell.Run(Time(0));
            SetUplink(cell, 0, 0.5, 0);
            SetUplink(cell, 1, 0.5, 1);
            cell.AddUplinkFlow(0);
            cell.AddUplinkFlow(1, 1e6); // a small part of what the cell carries
            cell.Run(Seconds(1.5));
            cell.ResetCounters();
            cell.Run(Seconds(1));
            const auto low = cell.GetCounters(0);
            const auto high = cell.GetCounters(1);
            NS_TEST_EXPECT_MSG_EQ_TOL(8.0 * high.bytes, 1e6, 5e4, "all that the high one sends");
            NS_TEST_EXPECT_MSG_GT(low.uplinkRbs + high.uplinkRbs, 0.97 * 25e3, "nothing is lost");
        }
        const double alone = MeasureDownlink(false);
        const double beside = MeasureDownlink(true);
        NS_TEST_EXPECT_MSG_GT(beside, 0.95 * alone, "acknowledgements come through");
    }
};

// ---------------------------------------------------------------- power

/// Steps of the transmit power appear in the SINR, and the modulation follows
class PowerTest : public TestCase
{
  public:
    PowerTest()
        : TestCase("Power steps appear in SINR and modulation")
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config = LteCell::MakeConfig(2, 25);
        config.clusterDistanceM = 200; // no step is lost beyond the highest or lowest modulation
        LteCell cell(config);
        SinrMeter meter(cell);
        cell.Run(Time(0));
        cell.AddUplinkFlow(0);
        cell.AddUplinkFlow(1);
        cell.Run(Seconds(0.5));
        double lastSinr = 0;
        double lastMcs = 0;
        double lastDbm = 0;
        for (const double dbm : {23, 17, 11, 23})
        {
            cell.GetActuator()->ApplyLinks(
                0,
                {{Phase::UPLOAD, CONTROL_UNIT, EDGE_SERVER, 0.5, DbmToW(dbm)},
                 {Phase::UPLOAD, 1, EDGE_SERVER, 0.5, DbmToW(23)}},
                "test");
            cell.Run(MilliSeconds(100));
            cell.ResetCounters();
            cell.Run(Seconds(0.5));
            const double sinr = meter.Get(cell.GetRnti(0));
            const auto counters = cell.GetCounters(0);
            const double mcs = 1.0 * counters.uplinkMcs / counters.uplinkGrants;
            NS_TEST_EXPECT_MSG_GT(counters.bytes, 0, "the flow goes on at " << dbm << " dBm");
            if (lastDbm != 0)
            {
                NS_TEST_EXPECT_MSG_EQ_TOL(sinr - lastSinr, dbm - lastDbm, 0.5, "SINR");
                NS_TEST_EXPECT_MSG_GT((mcs - lastMcs) * (dbm - lastDbm),
                                      2 * std::abs(dbm - lastDbm),
                                      "modulation at " << dbm << " dBm");
            }
            lastSinr = sinr;
            lastMcs = mcs;
            lastDbm = dbm;
        }
    }
};

/// No flow freezes under random powers and shares
class FreezeTest : public TestCase
{
  public:
    FreezeTest()
        : TestCase("No flow freezes over 50 random changes of power and share")
    {
    }

  private:
    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(4, 25));
        cell.Run(Time(0));
        for (uint32_t ue = 0; ue < 4; ++ue)
        {
            cell.AddUplinkFlow(ue);
        }
        cell.Run(Seconds(0.5));
        std::mt19937 random(7);
        for (int change = 0; change < 50; ++change)
        {
            std::vector<LinkPlan> plan;
            for (NodeIndex node = 0; node < 4; ++node)
            {
                plan.push_back({Phase::UPLOAD,
                                node,
                                EDGE_SERVER,
                                std::uniform_real_distribution<>(0.02, 0.25)(random),
                                DbmToW(std::uniform_real_distribution<>(5, 23)(random))});
            }
            cell.GetActuator()->ApplyLinks(0, plan, "test");
            cell.ResetCounters();
            cell.Run(MilliSeconds(200));
            for (uint32_t ue = 0; ue < 4; ++ue)
            {
                NS_TEST_EXPECT_MSG_GT(cell.GetCounters(ue).bytes,
                                      0,
                                      "UE " << ue << " after change " << change);
            }
        }
        CheckAlive(cell);
    }

    /// With equal settings again, all have equal goodput again
    void CheckAlive(LteCell& cell)
    {
        cell.GetActuator()->ApplyLinks(0, {}, "test");
        cell.Run(Seconds(0.5));
        cell.ResetCounters();
        cell.Run(Seconds(1));
        double sum = 0;
        for (uint32_t ue = 0; ue < 4; ++ue)
        {
            sum += cell.GetCounters(ue).bytes;
        }
        for (uint32_t ue = 0; ue < 4; ++ue)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters(ue).bytes / sum, 0.25, 0.025, "UE " << ue);
        }
    }
};

static class LteRadioTestSuite : public TestSuite
{
  public:
    LteRadioTestSuite()
        : TestSuite("collapipe-lte-radio", Type::UNIT)
    {
        const auto up = LteDirection::UPLINK;
        const auto down = LteDirection::DOWNLINK;
        std::vector<double> twenty(20);
        std::iota(twenty.begin(), twenty.end(), 1);
        AddTestCase(new ShareTest("Uplink 1:3, then 3:1", up, 25, {{1, 3}, {3, 1}}, Seconds(2)));
        AddTestCase(new ShareTest("Uplink 1:2:3:4", up, 25, {{1, 2, 3, 4}}, Seconds(2)));
        AddTestCase(new ShareTest("Uplink 1:30", up, 50, {{1, 30}}, Seconds(4)));
        AddTestCase(new ShareTest("Uplink, 20 UEs", up, 50, {twenty}, Seconds(5)));
        AddTestCase(
            new ShareTest("Downlink 1:3, then 3:1", down, 25, {{1, 3}, {3, 1}}, Seconds(2)));
        AddTestCase(new ShareTest("Downlink 1:30", down, 50, {{1, 30}}, Seconds(4)));
        AddTestCase(new ShareTest("Downlink, 20 UEs", down, 50, {twenty}, Seconds(5)));
        AddTestCase(new CapTest);
        AddTestCase(new ReservedAcknowledgementsTest);
        AddTestCase(new PriorityLimitsTest);
        AddTestCase(new PowerTest);
        AddTestCase(new FreezeTest);
    }
} g_lteRadioTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
