/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a topology expects of LTE links, against the standard's tables and against what goes through

#include "collapipe-lte-cell.h"

#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-lte-link-adaptation.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

constexpr double PAYLOAD = 0.96; //!< of TCP in a transport block of segments of 1400 bytes

/**
 * (5) with the constants of an uplink follows the steps of CQI, MCS and transport block (3GPP
 * TS 36.213) at every SINR that a UE may have over its share, in every band.
 */
class TablesTest : public TestCase
{
  public:
    TablesTest()
        : TestCase("Uplink against CQI, MCS and transport blocks")
    {
    }

  private:
    void DoRun() override
    {
        for (const uint16_t rbs : {15, 25, 50, 75, 100})
        {
            const LteCell cell(LteCell::MakeConfig(2, rbs));
            const SystemState state = cell.GetExpectations();
            LinkState link = state.clusters[0].devices[0].uplink;
            LteLinkAdaptation tables;
            tables.Configure(rbs, rbs);
            double sum = 0;
            int count = 0;
            for (double sinrDb = 3; sinrDb <= 35; sinrDb += 0.25)
            {
                link.gain = std::pow(10, sinrDb / 10) * link.noiseDensityWPerHz *
                            state.uplink.bandwidthHz / link.maxPowerW;
                const double expected = GetRateBps(link, state.uplink, 1, link.maxPowerW);
                const double granted =
                    8e3 * tables.GetUplinkBytes(tables.GetUplinkMcs(sinrDb, rbs), rbs);
                const double error = expected / (PAYLOAD * granted) - 1;
                NS_TEST_EXPECT_MSG_LT(std::abs(error), 0.22, rbs << " RB at " << sinrDb << " dB");
                sum += std::abs(error);
                ++count;
            }
            NS_TEST_EXPECT_MSG_LT(sum / count, 0.08, "in the mean, " << rbs << " RB");
        }
    }
};

/// A backlogged flow in a reserved cell gets the rate that (5) gives its share
class ReservedRateTest : public TestCase
{
  public:
    /**
     * @param direction of the flows
     * @param share of each of four UEs
     * @param distanceM to the base station
     * @param tolerance relative: a step of the CQI of the uplink; none where all have the highest
     */
    ReservedRateTest(LteDirection direction, double share, double distanceM, double tolerance)
        : TestCase(std::string(direction == LteDirection::UPLINK ? "Uplink" : "Downlink") + ", " +
                   std::to_string(std::lround(100 * share)) + " % of the band at " +
                   std::to_string(std::lround(distanceM)) + " m"),
          m_direction(direction),
          m_share(share),
          m_distanceM(distanceM),
          m_tolerance(tolerance)
    {
    }

  private:
    static constexpr uint32_t UES = 4;

    void DoRun() override
    {
        TopologyConfig config = LteCell::MakeConfig(UES, 100);
        config.clusterDistancesM = {m_distanceM};
        config.sharing = Sharing::RESERVED;
        LteCell cell(config);
        const bool up = m_direction == LteDirection::UPLINK;
        for (uint32_t ue = 0; ue < UES; ++ue)
        {
            up ? cell.AddUplinkFlow(ue) : cell.AddDownlinkFlow(ue);
        }
        cell.Run(Seconds(0));
        for (uint32_t ue = 0; ue < UES; ++ue)
        {
            cell.SetWeight(ue, m_direction, m_share);
        }
        cell.Run(Seconds(1));
        cell.ResetCounters();
        cell.Run(Seconds(2));
        const SystemState state = cell.GetExpectations();
        for (uint32_t ue = 0; ue < UES; ++ue)
        {
            const DeviceState& node = collapipe::GetNode(state.clusters[0], ue);
            const LinkState& link = up ? node.uplink : node.downlink;
            const double expected =
                GetRateBps(link, up ? state.uplink : state.downlink, m_share, link.maxPowerW);
            const double measured = 8 * cell.GetCounters(ue).bytes / 2.0;
            NS_TEST_EXPECT_MSG_EQ_TOL(measured / expected, 1, m_tolerance, "UE " << ue);
        }
    }

    LteDirection m_direction;
    double m_share;
    double m_distanceM;
    double m_tolerance;
};

/// The suite
static class LteExpectationsTestSuite : public TestSuite
{
  public:
    LteExpectationsTestSuite()
        : TestSuite("collapipe-lte-expectations", Type::UNIT)
    {
        AddTestCase(new TablesTest);
        for (const double share : {0.05, 0.25})
        {
            AddTestCase(new ReservedRateTest(LteDirection::DOWNLINK, share, 50, 0.05));
            AddTestCase(new ReservedRateTest(LteDirection::UPLINK, share, 50, 0.05));
            AddTestCase(new ReservedRateTest(LteDirection::UPLINK, share, 150, 0.2));
            AddTestCase(new ReservedRateTest(LteDirection::UPLINK, share, 230, 0.2));
        }
    }
} g_lteExpectationsTestSuite; //!< registers the suite

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
