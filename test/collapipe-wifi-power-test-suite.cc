/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What power and width a Wi-Fi radio is told, and what becomes of its links

#include "collapipe-wifi-cell.h"

#include "ns3/collapipe-path-loss.h"
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

/// Steps of power are steps of SNR, for each receiver by itself and beside shares
class PowerTest : public TestCase
{
  public:
    PowerTest()
        : TestCase("Power steps, two receivers, with shares")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(4, 20));
        const std::vector<WifiCell::Link> links{{0, 1}, {0, 2}, {3, 0}};
        for (const auto& link : links)
        {
            cell.AddDatagrams(link);
        }
        cell.Run(MilliSeconds(300));
        std::vector<double> snr;
        std::vector<double> rate;
        std::vector<double> other;
        for (const double dbm : {12, 6, 0, -6, 12})
        {
            cell.Apply({{Phase::TRAINING, 0, 1, 0.2, DbmToW(dbm)},
                        {Phase::TRAINING, 0, 2, 0.4, DbmToW(9)},
                        {Phase::TRAINING, 3, 0, 0.4, 0}});
            cell.Run(MilliSeconds(50));
            cell.ResetCounters();
            cell.Run(MilliSeconds(300));
            double airtimeS = 0;
            for (const auto& link : links)
            {
                airtimeS += cell.GetCounters(link).airtimeS;
            }
            const auto changed = cell.GetCounters(links[0]);
            NS_TEST_ASSERT_MSG_GT(changed.received, 0, "frames at " << dbm << " dBm");
            NS_TEST_EXPECT_MSG_EQ_TOL(changed.airtimeS / airtimeS,
                                      0.2,
                                      0.04,
                                      "share at " << dbm << " dBm");
            snr.push_back(changed.snrDbSum / changed.received);
            rate.push_back(changed.rateSum / changed.frames);
            const auto constant = cell.GetCounters(links[1]);
            other.push_back(constant.snrDbSum / constant.received);
        }
        for (std::size_t step = 1; step < 4; ++step)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(snr[step - 1] - snr[step], 6, 0.5, "step " << step);
            NS_TEST_EXPECT_MSG_LT_OR_EQ(rate[step], rate[step - 1], "rate at step " << step);
            NS_TEST_EXPECT_MSG_EQ_TOL(other[step], other[0], 0.5, "the other receiver's SNR");
        }
        NS_TEST_EXPECT_MSG_LT(rate[3], 0.7 * rate[0], "the rate follows");
        NS_TEST_EXPECT_MSG_EQ_TOL(snr[4], snr[0], 0.5, "back again");
    }
};

/// Random changes of power and share do not stop any flow, nor lose what TCP would wait for
class RandomStepsTest : public TestCase
{
  public:
    RandomStepsTest()
        : TestCase("Flows go on through 40 random changes")
    {
    }

  private:
    static constexpr uint32_t LINKS = 3;

    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(LINKS + 1, 20));
        for (uint32_t i = 1; i <= LINKS; ++i)
        {
            cell.AddFlow({i, 0});
        }
        cell.Run(MilliSeconds(200));
        std::mt19937 random(11);
        std::vector<int> idle(LINKS + 1, 0);    // changes in a row without a byte
        std::vector<int> without(LINKS + 1, 0); // changes without a byte
        for (int change = 0; change < 40; ++change)
        {
            std::vector<LinkPlan> plan;
            for (NodeIndex i = 1; i <= LINKS; ++i)
            {
                plan.push_back({Phase::TRAINING,
                                i,
                                0,
                                std::uniform_real_distribution<>(0.1, 0.33)(random),
                                DbmToW(std::uniform_real_distribution<>(-8, 16)(random))});
            }
            cell.Apply(plan);
            cell.ResetCounters();
            cell.Run(MilliSeconds(100));
            for (uint32_t i = 1; i <= LINKS; ++i)
            {
                const auto counters = cell.GetCounters({i, 0});
                // A frame that was lost as the power fell holds up those behind it, and a station
                // backs off for up to 0.6 s; but TCP's timeout, of 1 s at least, never ends
                idle[i] = counters.bytes > 0 ? 0 : idle[i] + 1;
                without[i] += counters.bytes > 0 ? 0 : 1;
                NS_TEST_EXPECT_MSG_LT(idle[i],
                                      10,
                                      "link " << i << " delivers after change " << change);
            }
        }
        for (uint32_t i = 1; i <= LINKS; ++i)
        {
            NS_TEST_EXPECT_MSG_LT(without[i], 10, "link " << i << " delivers most of the time");
        }
    }
};

/// No frame to a receiver is wider than was asked, and others are not affected
class WidthTest : public TestCase
{
  public:
    WidthTest()
        : TestCase("Channel width per receiver")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(3, 80));
        cell.AddFlow({0, 1});
        cell.AddFlow({0, 2});
        cell.Run(MilliSeconds(100));
        const auto actuator = DynamicCast<WifiActuator>(cell.GetActuator());
        for (const uint16_t width : {40, 20, 0})
        {
            actuator->SetMaxWidth(0, 0, 1, width);
            NS_TEST_EXPECT_MSG_EQ(actuator->GetMaxWidth(0, 0, 1), width, "read back");
            cell.Run(MilliSeconds(10));
            cell.ResetCounters();
            cell.Run(MilliSeconds(50));
            const double expected = width > 0 ? width : 80;
            NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters({0, 1}).widestMhz, expected, 1e-9, "width");
            NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters({0, 2}).widestMhz, 80, 1e-9, "other width");
            NS_TEST_EXPECT_MSG_GT(cell.GetCounters({0, 1}).bytes, 0, "delivers");
        }
    }
};

/**
 * A link goes on at the least power that planners are told, whatever the width. With less the
 * receiver hears nothing, and after some frames it gets full power, until another is set.
 */
class LeastPowerTest : public TestCase
{
  public:
    /// @param widthMhz of the channel
    explicit LeastPowerTest(uint16_t widthMhz)
        : TestCase("The least power is heard, less is not, " + std::to_string(widthMhz) + " MHz"),
          m_widthMhz(widthMhz)
    {
    }

  private:
    static constexpr double LESS_DB = 2; //!< the margin is 1 dB

    /// Sets the power; what arrives in half a second, after a while
    double Measure(WifiCell& cell, double powerW)
    {
        cell.Apply({{Phase::TRAINING, 1, 0, 1, powerW}});
        cell.Run(MilliSeconds(100));
        cell.ResetCounters();
        cell.Run(MilliSeconds(500));
        return static_cast<double>(cell.GetCounters({1, 0}).bytes);
    }

    void DoRun() override
    {
        constexpr double ENOUGH = 250000; // 4 Mb/s
        WifiCell cell(WifiCell::MakeConfig(2, m_widthMhz));
        cell.AddFlow({1, 0});
        cell.Run(MilliSeconds(200));
        const LinkState link = cell.GetExpectations().clusters[0].d2dLinks[1][0];
        const auto getPowerW = [&cell] { return cell.GetActuator()->Read(0, 1, 0)->powerW; };
        NS_TEST_EXPECT_MSG_GT(Measure(cell, link.minPowerW), ENOUGH, "at the least power");
        NS_TEST_EXPECT_MSG_EQ_TOL(getPowerW(), link.minPowerW, 1e-9, "as was set");
        const double less = link.minPowerW * std::pow(10, -LESS_DB / 10);
        NS_TEST_EXPECT_MSG_GT(Measure(cell, less), ENOUGH, "at full power");
        NS_TEST_EXPECT_MSG_EQ_TOL(getPowerW(), link.maxPowerW, 1e-9, "it was not heard");
        NS_TEST_EXPECT_MSG_GT(Measure(cell, 4 * less), ENOUGH, "with another power");
        NS_TEST_EXPECT_MSG_EQ_TOL(getPowerW(), 4 * less, 1e-9, "as was set then");
    }

    uint16_t m_widthMhz;
};

static class WifiPowerTestSuite : public TestSuite
{
  public:
    WifiPowerTestSuite()
        : TestSuite("collapipe-wifi-power", Type::UNIT)
    {
        AddTestCase(new PowerTest);
        AddTestCase(new RandomStepsTest);
        AddTestCase(new WidthTest);
        for (const uint16_t width : {20, 40, 80})
        {
            AddTestCase(new LeastPowerTest(width));
        }
    }
} g_wifiPowerTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
