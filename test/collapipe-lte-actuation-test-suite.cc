/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-cell.h"

#include "ns3/basic-energy-source.h"
#include "ns3/boolean.h"
#include "ns3/collapipe-lte-ue-energy-model.h"
#include "ns3/collapipe-path-loss.h"
#include "ns3/double.h"
#include "ns3/lte-spectrum-phy.h"
#include "ns3/spectrum-value.h"
#include "ns3/test.h"

#include <random>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/// Integrates what a UE radiates in each data burst
class BurstMeter
{
  public:
    /// @param phy of the UE
    explicit BurstMeter(Ptr<LteUePhy> phy)
    {
        phy->TraceConnectWithoutContext("ReportPowerSpectralDensity",
                                        MakeCallback(&BurstMeter::Keep, this));
        phy->GetUlSpectrumPhy()->TraceConnectWithoutContext("TxStart",
                                                            MakeCallback(&BurstMeter::Count, this));
    }

    /// Forgets the bursts
    void Reset()
    {
        m_bursts = 0;
        m_leastW = 1e9;
        m_mostW = 0;
    }

    uint32_t m_bursts{0}; //!< since the last reset
    double m_leastW{1e9}; //!< least power of any
    double m_mostW{0};    //!< highest power of any

  private:
    void Keep(uint16_t /* rnti */, Ptr<SpectrumValue> psd)
    {
        m_psd = psd;
    }

    void Count(Ptr<const PacketBurst> burst)
    {
        if (!burst || burst->GetNPackets() == 0)
        {
            return;
        }
        double powerW = 0;
        auto band = m_psd->ConstBandsBegin();
        for (auto value = m_psd->ConstValuesBegin(); value != m_psd->ConstValuesEnd(); ++value)
        {
            powerW += *value * (band->fh - band->fl);
            ++band;
        }
        ++m_bursts;
        m_leastW = std::min(m_leastW, powerW);
        m_mostW = std::max(m_mostW, powerW);
    }

    Ptr<SpectrumValue> m_psd;
};

// ---------------------------------------------------------------- read-back

/// What random plans decide is what PHY and MAC do, and what is read back
class ReadBackTest : public TestCase
{
  public:
    ReadBackTest()
        : TestCase("PHY and MAC show what random plans decide")
    {
    }

  private:
    static constexpr uint32_t UES = 4;

    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(UES, 25));
        cell.GetActuator()->TraceConnectWithoutContext("Actuation",
                                                       MakeCallback(&ReadBackTest::Trace, this));
        cell.Run(Time(0));
        std::vector<std::unique_ptr<BurstMeter>> meters;
        for (uint32_t ue = 0; ue < UES; ++ue)
        {
            cell.AddUplinkFlow(ue);
            meters.push_back(std::make_unique<BurstMeter>(cell.GetUe(ue)->GetPhy()));
        }
        cell.Run(Seconds(0.7));
        std::mt19937 random(3);
        for (int round = 0; round < 4; ++round)
        {
            ClusterPlan plan;
            double sum = 0;
            for (NodeIndex node = 0; node < UES; ++node)
            {
                const double share = std::uniform_real_distribution<>(0.05, 0.25)(random);
                const double dbm = std::uniform_real_distribution<>(14, 23)(random);
                plan.links.push_back({Phase::UPLOAD, node, EDGE_SERVER, share, DbmToW(dbm)});
                // Of another phase, so not to be applied
                plan.links.push_back({Phase::TRAINING, node, EDGE_SERVER, 0.9, DbmToW(1)});
                sum += share;
            }
            m_changes = 0;
            cell.GetActuator()->Apply(ClusterId(0), Phase::UPLOAD, plan);
            NS_TEST_EXPECT_MSG_EQ(m_changes, UES, "one trace for each link");
            NS_TEST_EXPECT_MSG_EQ(m_reason, "upload", "reason");
            // What is on its way was granted before
            cell.Run(MilliSeconds(20));
            cell.ResetCounters();
            for (auto& meter : meters)
            {
                meter->Reset();
            }
            cell.Run(MilliSeconds(800));
            for (NodeIndex node = 0; node < UES; ++node)
            {
                Check(cell, *meters[node], plan.links[2 * node], sum);
            }
        }
        CheckDefaults(cell);
    }

    void Check(const LteCell& cell, const BurstMeter& meter, const LinkPlan& link, double sum)
    {
        const auto read = cell.GetActuator()->Read(0, link.from, link.to);
        NS_TEST_ASSERT_MSG_EQ(read.has_value(), true, "the cell carries the link");
        NS_TEST_EXPECT_MSG_EQ_TOL(read->share, link.share, 1e-12, "share read back");
        NS_TEST_EXPECT_MSG_EQ_TOL(read->powerW, link.powerW, 1e-9, "power read back");
        NS_TEST_EXPECT_MSG_GT(meter.m_bursts, 0, "it sends");
        NS_TEST_EXPECT_MSG_EQ_TOL(meter.m_leastW, link.powerW, 1e-6 * link.powerW, "PUSCH power");
        NS_TEST_EXPECT_MSG_EQ_TOL(meter.m_mostW, link.powerW, 1e-6 * link.powerW, "PUSCH power");
        const double wanted = link.share / sum * 25 * 800;
        NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetCounters(link.from).uplinkRbs,
                                  wanted,
                                  0.03 * wanted,
                                  "resource blocks of node " << link.from);
    }

    /// A phase that names no link gives all settings back
    void CheckDefaults(const LteCell& cell)
    {
        cell.GetActuator()->Apply(ClusterId(0), Phase::DISTRIBUTION, ClusterPlan());
        for (NodeIndex node = 0; node < UES; ++node)
        {
            const auto read = cell.GetActuator()->Read(0, node, EDGE_SERVER);
            NS_TEST_EXPECT_MSG_EQ(read->share, 0, "no share");
            NS_TEST_EXPECT_MSG_EQ_TOL(read->powerW, DbmToW(23), 1e-9, "full power");
        }
    }

    void Trace(uint32_t cluster,
               NodeIndex from,
               NodeIndex to,
               const LinkSetting& before,
               const LinkSetting& after,
               const std::string& reason)
    {
        m_changes += cluster == 0 && from < UES && to == EDGE_SERVER &&
                     (before.share != after.share || before.powerW != after.powerW);
        m_reason = reason;
    }

    uint32_t m_changes{0};
    std::string m_reason;
};

/// Links between nodes share their ends' radios with the links to the edge server
class LargestTest : public TestCase
{
  public:
    LargestTest()
        : TestCase("Several links of a node have the largest of their shares")
    {
    }

  private:
    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(3, 25));
        cell.Run(Time(0));
        const std::vector<LinkPlan> plan{
            {Phase::TRAINING, 0, 1, 0.2, DbmToW(10), 1},
            {Phase::TRAINING, 1, 2, 0.1, DbmToW(20)},
            {Phase::TRAINING, 1, EDGE_SERVER, 0.3, DbmToW(15), 2},
            {Phase::TRAINING, EDGE_SERVER, 1, 0.4, 0},
            {Phase::TRAINING, 7, EDGE_SERVER, 0.4, 1}, // not in the cell
        };
        const auto actuator = cell.GetActuator();
        actuator->ApplyLinks(0, plan, "test");
        const auto up = LteDirection::UPLINK;
        const auto down = LteDirection::DOWNLINK;
        const auto weight = [&](uint32_t ue, LteDirection direction) {
            return cell.GetScheduler()->GetWeight(cell.GetRnti(ue), direction);
        };
        NS_TEST_EXPECT_MSG_EQ_TOL(weight(0, up), 0.2, 1e-12, "uplink of node 0");
        NS_TEST_EXPECT_MSG_EQ_TOL(weight(1, up), 0.3, 1e-12, "uplink of node 1");
        NS_TEST_EXPECT_MSG_EQ_TOL(weight(2, up), 0, 1e-12, "uplink of node 2");
        NS_TEST_EXPECT_MSG_EQ_TOL(weight(1, down), 0.4, 1e-12, "downlink of node 1");
        NS_TEST_EXPECT_MSG_EQ_TOL(weight(2, down), 0.1, 1e-12, "downlink of node 2");
        NS_TEST_EXPECT_MSG_EQ_TOL(cell.GetUe(1)->GetPhy()->GetTxPower(), 20, 1e-9, "highest power");
        const auto priority = [&](uint32_t ue, LteDirection direction) {
            return +cell.GetScheduler()->GetPriority(cell.GetRnti(ue), direction);
        };
        NS_TEST_EXPECT_MSG_EQ(priority(0, up), 1, "uplink of node 0");
        NS_TEST_EXPECT_MSG_EQ(priority(1, up), 2, "the highest of node 1's");
        NS_TEST_EXPECT_MSG_EQ(priority(1, down), 1, "downlink of node 1");
        NS_TEST_EXPECT_MSG_EQ(priority(2, down), 0, "downlink of node 2");
        for (uint32_t i = 0; i < 4; ++i)
        {
            const auto read = actuator->Read(0, plan[i].from, plan[i].to);
            NS_TEST_ASSERT_MSG_EQ(read.has_value(), true, "link " << i);
            const double share = i == 1 ? 0.3 : plan[i].share; // node 1's largest
            NS_TEST_EXPECT_MSG_EQ_TOL(read->share, share, 1e-12, "share of link " << i);
        }
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(0, 7, EDGE_SERVER).has_value(), false, "no such node");
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(1, 0, EDGE_SERVER).has_value(),
                              false,
                              "no such cluster");
    }
};

// ---------------------------------------------------------------- priorities

/// Who has the higher priority has all that he can carry; a change takes effect at once
class PriorityTest : public TestCase
{
  public:
    /// @param uplink whether the UEs send
    explicit PriorityTest(bool uplink)
        : TestCase(uplink ? "Priorities of the uplink" : "Priorities of the downlink"),
          m_uplink(uplink)
    {
    }

  private:
    static constexpr NodeIndex UES = 3;

    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(UES, 25));
        cell.Run(Time(0));
        for (NodeIndex ue = 0; ue < UES; ++ue)
        {
            m_uplink ? cell.AddUplinkFlow(ue) : cell.AddDownlinkFlow(ue);
        }
        cell.Run(Seconds(1));
        cell.GetActuator()->TraceConnectWithoutContext("Actuation",
                                                       MakeCallback(&PriorityTest::Trace, this));
        // Shares, priorities, and what each should get of the band; the lower ones have 2 % of what
        // the higher ones get
        const double floor = 0.02 / 1.02;
        Check(cell, {0.5, 0.3, 0.2}, {0, 1, 0}, {floor * 5 / 7, 1 - floor, floor * 2 / 7}, 3);
        Check(cell, {0.5, 0.3, 0.2}, {1, 0, 0}, {1 - floor, floor * 3 / 5, floor * 2 / 5}, 2);
        Check(cell,
              {0.5, 0.3, 0.2},
              {7, 7, 2},
              {0.625 - floor * 0.625, 0.375 - floor * 0.375, floor},
              3);
        Check(cell, {0.5, 0.3, 0.2}, {1, 1, 1}, {0.5, 0.3, 0.2}, 3);
    }

    void Check(LteCell& cell,
               const std::vector<double>& shares,
               const std::vector<uint8_t>& priorities,
               const std::vector<double>& wanted,
               uint32_t changes)
    {
        std::vector<LinkPlan> plan;
        for (NodeIndex ue = 0; ue < UES; ++ue)
        {
            plan.push_back({Phase::UPLOAD,
                            m_uplink ? ue : EDGE_SERVER,
                            m_uplink ? EDGE_SERVER : ue,
                            shares[ue],
                            0,
                            priorities[ue]});
        }
        m_changes = 0;
        cell.GetActuator()->ApplyLinks(0, plan, "test");
        NS_TEST_EXPECT_MSG_EQ(m_changes, changes, "a trace for each link that changed");
        cell.Run(MilliSeconds(30));
        cell.ResetCounters();
        cell.Run(Seconds(1));
        double all = 0;
        for (NodeIndex ue = 0; ue < UES; ++ue)
        {
            all += Count(cell, ue);
        }
        for (NodeIndex ue = 0; ue < UES; ++ue)
        {
            const auto read = cell.GetActuator()->Read(0, plan[ue].from, plan[ue].to);
            NS_TEST_EXPECT_MSG_EQ(+read->priority, +priorities[ue], "priority read back");
            NS_TEST_EXPECT_MSG_EQ_TOL(Count(cell, ue) / all,
                                      wanted[ue],
                                      0.01 + 0.02 * wanted[ue],
                                      "part of UE " << ue << " with priority " << +priorities[ue]);
            NS_TEST_EXPECT_MSG_GT(cell.GetCounters(ue).bytes, 0, "UE " << ue << " does not starve");
        }
    }

    double Count(const LteCell& cell, uint32_t ue) const
    {
        const auto counters = cell.GetCounters(ue);
        return m_uplink ? counters.uplinkRbs : counters.downlinkTbBytes;
    }

    void Trace(uint32_t /* cluster */,
               NodeIndex /* from */,
               NodeIndex /* to */,
               const LinkSetting& before,
               const LinkSetting& after,
               const std::string& /* reason */)
    {
        m_changes += before == after ? 0 : 1;
    }

    bool m_uplink;
    uint32_t m_changes{0};
};

// ---------------------------------------------------------------- energy

/// A UE that sends or receives in every subframe consumes what its duty cycles say
class EnergyTest : public TestCase
{
  public:
    /// @param uplink whether it sends
    explicit EnergyTest(bool uplink)
        : TestCase(uplink ? "Energy of sending" : "Energy of receiving"),
          m_uplink(uplink)
    {
    }

  private:
    static constexpr double PA_EFFICIENCY = 0.4;
    static constexpr double CIRCUIT_W = 0.3;
    static constexpr double RX_W = 0.7;
    static constexpr double IDLE_W = 0.9;

    void DoRun() override
    {
        LteCell cell(LteCell::MakeConfig(2, 25));
        cell.Run(Time(0));
        m_uplink ? cell.AddUplinkFlow(0) : cell.AddDownlinkFlow(0);
        cell.Run(Seconds(1));
        const auto model = CreateObjectWithAttributes<LteUeEnergyModel>("PaEfficiency",
                                                                        DoubleValue(PA_EFFICIENCY),
                                                                        "TxCircuitPower",
                                                                        DoubleValue(CIRCUIT_W),
                                                                        "RxPower",
                                                                        DoubleValue(RX_W),
                                                                        "IdlePower",
                                                                        DoubleValue(IDLE_W));
        const auto source = CreateObject<energy::BasicEnergySource>();
        source->SetNode(cell.GetNode(0));
        source->SetInitialEnergy(5);
        source->AppendDeviceEnergyModel(model);
        model->SetEnergySource(source);
        model->SetDepletionCallback(MakeCallback(&EnergyTest::Deplete, this));
        model->SetDevice(cell.GetUe(0));
        double tx = 0;
        double idle = 0;
        for (const double dbm : {23, 20})
        {
            cell.GetUe(0)->GetPhy()->SetTxPower(dbm);
            cell.Run(MilliSeconds(10));
            const double txBefore = model->GetTxEnergyJ();
            const double rxBefore = model->GetRxEnergyJ();
            idle = model->GetIdleEnergyJ();
            cell.Run(Seconds(1));
            tx = model->GetTxEnergyJ() - txBefore;
            CheckSecond(tx, model->GetRxEnergyJ() - rxBefore, dbm);
            NS_TEST_EXPECT_MSG_EQ_TOL(model->GetIdleEnergyJ() - idle, IDLE_W, 1e-9, "connected");
        }
        source->UpdateEnergySource();
        const double parts =
            model->GetTxEnergyJ() + model->GetRxEnergyJ() + model->GetIdleEnergyJ();
        NS_TEST_EXPECT_MSG_EQ_TOL(parts, model->GetTotalEnergyConsumption(), 1e-9, "sum of parts");
        NS_TEST_EXPECT_MSG_EQ_TOL(5 - source->GetRemainingEnergy(),
                                  parts,
                                  1e-6 * parts,
                                  "what the source lost");
        NS_TEST_EXPECT_MSG_EQ(m_depleted, false, "there is energy left");
        // At 0.9 W and more the rest cannot last for long
        cell.Run(Seconds(4));
        NS_TEST_EXPECT_MSG_EQ(m_depleted, true, "the source is empty");
    }

    /// Duty cycles from 3GPP's frame: 14 symbols in a subframe, sounding every 5 ms with 2 UEs
    void CheckSecond(double txJ, double rxJ, double dbm)
    {
        const double sendingW = DbmToW(dbm) / PA_EFFICIENCY + CIRCUIT_W;
        if (m_uplink)
        {
            const double duty = 13 / 14.0 + 0.2 / 14;
            NS_TEST_EXPECT_MSG_EQ_TOL(txJ, sendingW * duty, 0.02 * txJ, "sending at " << dbm);
        }
        else
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(rxJ, RX_W * 11 / 14, 0.02 * rxJ, "receiving");
            NS_TEST_EXPECT_MSG_GT(txJ, sendingW * 0.2 / 14 * 0.99, "sounding at least");
        }
    }

    void Deplete(bool isEmpty)
    {
        m_depleted = isEmpty;
    }

    bool m_uplink;
    bool m_depleted{false};
};

static class LteActuationTestSuite : public TestSuite
{
  public:
    LteActuationTestSuite()
        : TestSuite("collapipe-lte-actuation", Type::UNIT)
    {
        AddTestCase(new ReadBackTest);
        AddTestCase(new LargestTest);
        AddTestCase(new PriorityTest(true));
        AddTestCase(new PriorityTest(false));
        AddTestCase(new EnergyTest(true));
        AddTestCase(new EnergyTest(false));
    }
} g_lteActuationTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
