/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-cell.h"

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-node-energy.h"
#include "ns3/collapipe-path-loss.h"
#include "ns3/double.h"
#include "ns3/test.h"

#include <memory>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

// ns-3's figures of a Wi-Fi radio, at 3 V
constexpr double VOLTAGE = 3;
constexpr double IDLE_W = 0.273 * VOLTAGE;
constexpr double RX_W = 0.313 * VOLTAGE;
constexpr double TX_CIRCUIT_W = 0.273333 * VOLTAGE;
constexpr double PA_EFFICIENCY = 0.1;

/// @return a processor of some workers at 1 GFLOP/s
Ptr<Processor>
MakeProcessor(uint32_t workers)
{
    const auto processor = CreateObject<Processor>();
    processor->SetAttribute("Workers", UintegerValue(workers));
    return processor;
}

/// Measures what a Wi-Fi PHY sends, by its frames
class FrameMeter
{
  public:
    /// @param phy that sends
    explicit FrameMeter(Ptr<WifiPhy> phy)
    {
        phy->TraceConnectWithoutContext("PhyTxPsduBegin", MakeCallback(&FrameMeter::Count, this));
    }

    double m_sentS{0};     //!< time on the air
    double m_radiatedJ{0}; //!< energy radiated

  private:
    void Count(WifiConstPsduMap psdus, WifiTxVector txVector, double powerW)
    {
        const double lengthS =
            WifiPhy::CalculateTxDuration(psdus.begin()->second, txVector, WIFI_PHY_BAND_5GHZ)
                .GetSeconds();
        m_sentS += lengthS;
        m_radiatedJ += lengthS * powerW;
    }
};

/// Two stations of which one sends: airtime times power, for the sender and for the receiver
class WifiEnergyTest : public TestCase
{
  public:
    WifiEnergyTest()
        : TestCase("Wi-Fi: frames of known length and power")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(2, 20));
        NodeEnergy sender(cell.GetNode(0), MakeProcessor(1), 0, 0);
        NodeEnergy receiver(cell.GetNode(1), MakeProcessor(1), 0, 0);
        FrameMeter sent(cell.GetDevice(0)->GetPhy());
        FrameMeter answered(cell.GetDevice(1)->GetPhy());
        cell.AddFlow({0, 1});
        for (const double dbm : {16, 6})
        {
            cell.Apply({{Phase::TRAINING, 0, 1, 1, DbmToW(dbm)}});
            cell.Run(MilliSeconds(20));
            const FrameMeter sentBefore = sent;
            const FrameMeter answeredBefore = answered;
            const EnergyParts senderBefore = sender.Read();
            const EnergyParts receiverBefore = receiver.Read();
            cell.Run(MilliSeconds(300));
            const double sentS = sent.m_sentS - sentBefore.m_sentS;
            const double answeredS = answered.m_sentS - answeredBefore.m_sentS;
            Check(sender.Read() - senderBefore,
                  sentS,
                  answeredS,
                  sent.m_radiatedJ - sentBefore.m_radiatedJ);
            Check(receiver.Read() - receiverBefore,
                  answeredS,
                  sentS,
                  answered.m_radiatedJ - answeredBefore.m_radiatedJ);
            NS_TEST_EXPECT_MSG_GT(sentS, 0.2, "the sender is busy at " << dbm << " dBm");
        }
        const double total = sender.Read().GetTotal();
        NS_TEST_EXPECT_MSG_EQ_TOL(sender.GetDrawnJ(), total, 1e-5 * total, "source");
    }

    void Check(const EnergyParts& parts, double txS, double rxS, double radiatedJ)
    {
        const double idleS = 0.3 - txS - rxS;
        const double expected =
            radiatedJ / PA_EFFICIENCY + TX_CIRCUIT_W * txS + RX_W * rxS + IDLE_W * idleS;
        NS_TEST_EXPECT_MSG_EQ_TOL(parts.wifiJ, expected, 0.02 * expected, "Wi-Fi");
        NS_TEST_EXPECT_MSG_EQ_TOL(parts.idleJ, IDLE_W * 0.3, 1e-6, "without traffic");
        NS_TEST_EXPECT_MSG_EQ_TOL(parts.GetActive(),
                                  expected - IDLE_W * 0.3,
                                  0.02 * expected,
                                  "of traffic");
        NS_TEST_EXPECT_MSG_EQ(parts.computeJ + parts.lteJ, 0, "nothing else");
    }
};

/// Random work on several workers costs exactly power times time
class ComputeEnergyTest : public TestCase
{
  public:
    ComputeEnergyTest()
        : TestCase("Computing: power times time")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937 random(2);
        for (const uint32_t workers : {1, 2, 3})
        {
            const auto node = CreateObject<Node>();
            const auto processor = MakeProcessor(workers);
            const double powerW = std::uniform_real_distribution<>(1, 20)(random);
            NodeEnergy energy(node, processor, powerW, 0);
            for (int piece = 0; piece < 200; ++piece)
            {
                const Time at = NanoSeconds(random() % 2000000000);
                const double flops = std::uniform_real_distribution<>(1e3, 3e7)(random);
                ScheduleCall(at, [processor, flops] {
                    processor->Run(
                        flops,
                        [] {},
                        [] {});
                });
            }
            Simulator::Stop(Seconds(10));
            Simulator::Run();
            const double expected = powerW * processor->GetBusyTime().GetSeconds();
            NS_TEST_EXPECT_MSG_GT(expected, 0, "work was done");
            NS_TEST_EXPECT_MSG_EQ_TOL(energy.Read().computeJ, expected, 1e-12 * expected, "energy");
            NS_TEST_EXPECT_MSG_EQ_TOL(energy.Read().GetActive(), expected, 1e-12 * expected, "all");
            NS_TEST_EXPECT_MSG_EQ_TOL(energy.GetDrawnJ(), expected, 1e-5 * expected, "source");
            Simulator::Destroy();
        }
    }
};

/// Three consumers on one source: the parts sum up to what it lost
class SumOfPartsTest : public TestCase
{
  public:
    SumOfPartsTest()
        : TestCase("Computing, Wi-Fi and LTE on one source")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(2, 20), "hybrid");
        const auto processor = MakeProcessor(1);
        NodeEnergy energy(cell.GetNode(1), processor, 7, 0);
        cell.AddFlow({1, 0});
        const BackloggedFlow uplink(cell.GetNode(1),
                                    cell.GetNetwork().edgeServer,
                                    cell.GetNetwork().edgeAddress,
                                    6000,
                                    cell.GetNetwork().readyAt);
        cell.Run(Time(0));
        const EnergyParts before = energy.Read();
        for (int piece = 0; piece < 20; ++piece)
        {
            processor->Run(
                1e7,
                [] {},
                [] {});
        }
        cell.Run(MilliSeconds(300));
        const EnergyParts parts = energy.Read();
        const EnergyParts passed = parts - before;
        NS_TEST_EXPECT_MSG_EQ_TOL(passed.computeJ, 7 * 0.2, 1e-9, "200 ms at 7 W");
        NS_TEST_EXPECT_MSG_GT(passed.wifiJ, IDLE_W * 0.3, "Wi-Fi");
        NS_TEST_EXPECT_MSG_GT(passed.lteJ, 1.53 * 0.3, "LTE");
        NS_TEST_EXPECT_MSG_EQ_TOL(passed.idleJ, (IDLE_W + 1.53) * 0.3, 1e-6, "idle");
        NS_TEST_EXPECT_MSG_GT(passed.GetActive(), passed.computeJ, "traffic costs something");
        NS_TEST_EXPECT_MSG_EQ_TOL(energy.GetDrawnJ(),
                                  parts.GetTotal(),
                                  1e-5 * parts.GetTotal(),
                                  "what the source lost");
    }
};

/// A battery is empty when power times time says so, and nothing is consumed after that
class DepletionTest : public TestCase
{
  public:
    DepletionTest()
        : TestCase("An empty battery")
    {
    }

  private:
    void DoRun() override
    {
        WifiCell cell(WifiCell::MakeConfig(2, 20));
        constexpr double POWER_W = 9;
        constexpr double BATTERY_J = 20;
        const auto processor = MakeProcessor(1);
        NodeEnergy energy(cell.GetNode(1), processor, POWER_W, BATTERY_J);
        Time emptyAt;
        int calls = 0;
        energy.SetEmptyCallback([&] {
            emptyAt = Simulator::Now();
            ++calls;
        });
        for (int piece = 0; piece < 500; ++piece)
        {
            processor->Run(
                1e7,
                [] {},
                [] {});
        }
        cell.Run(Seconds(4));
        NS_TEST_EXPECT_MSG_EQ(calls, 1, "told once");
        const double expected = BATTERY_J / (POWER_W + IDLE_W);
        NS_TEST_EXPECT_MSG_EQ_TOL(emptyAt.GetSeconds(), expected, 0.02 * expected, "when");
        NS_TEST_EXPECT_MSG_EQ_TOL(energy.Read().GetTotal(), BATTERY_J, 0.02 * BATTERY_J, "parts");
        NS_TEST_EXPECT_MSG_EQ_TOL(energy.GetLeftJ(), 0, 0.02 * BATTERY_J, "nothing left");
    }
};

static class EnergyTestSuite : public TestSuite
{
  public:
    EnergyTestSuite()
        : TestSuite("collapipe-energy", Type::UNIT)
    {
        AddTestCase(new WifiEnergyTest);
        AddTestCase(new ComputeEnergyTest);
        AddTestCase(new SumOfPartsTest);
        AddTestCase(new DepletionTest);
    }
} g_energyTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
