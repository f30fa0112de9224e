/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Flows over media against closed forms: who has which share, when it ends, what it costs

#include "collapipe-flow-bench.h"

#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-node-energy.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr double NANOSECONDS = 5e-9; //!< to which ends are rounded

/// @return a radio link of some gain
LinkState
MakeRadioLink(double gain)
{
    LinkState link;
    link.gain = gain;
    link.efficiency = 0.5;
    link.snrGap = 2;
    link.maxSpectralEfficiency = 6;
    link.noiseDensityWPerHz = 4e-20;
    link.maxPowerW = 0.2;
    link.latencyS = 0.01;
    return link;
}

/// @return a medium
PoolState
MakePool(SharingMode mode, Sharing sharing)
{
    PoolState pool{mode, 10e6};
    pool.sharing = sharing;
    pool.priorities = sharing == Sharing::WORK_CONSERVING;
    return pool;
}

/// Two links of different gains, 0 -> 1 and 2 -> 3, in one medium
struct TwoLinks
{
    TwoLinks(SharingMode mode, Sharing sharing)
        : bench(4),
          pool(MakePool(mode, sharing))
    {
        const std::size_t medium = bench.network->AddMedium(pool);
        for (uint32_t i = 0; i < 2; ++i)
        {
            FlowLinkState state;
            state.link = MakeRadioLink(i == 0 ? 1e-11 : 1e-10);
            state.medium = medium;
            states.push_back(state);
            bench.links[{bench.nodes[2 * i]->GetId(), bench.nodes[2 * i + 1]->GetId()}] = state;
        }
    }

    void Set(uint32_t link, double weight, uint8_t priority = 0)
    {
        bench.network->Set(bench.nodes[2 * link],
                           bench.nodes[2 * link + 1],
                           {true, weight, priority, 0});
    }

    double GetRate(uint32_t link, double share) const
    {
        return GetRateBps(states[link].link, pool, share, states[link].link.maxPowerW);
    }

    FlowBench bench;
    PoolState pool;
    std::vector<FlowLinkState> states;
};

/// (5), (6), (14), (15) and reserved shares, for two links that begin at once
class TwoLinksTestCase : public TestCase
{
  public:
    TwoLinksTestCase(const std::string& name, SharingMode mode)
        : TestCase("two links, " + name),
          m_mode(mode)
    {
    }

  private:
    static constexpr double BITS = 1e7;

    void Check(double is, double should, const std::string& what)
    {
        NS_TEST_EXPECT_MSG_EQ_TOL(is, should, NANOSECONDS * 2, what);
    }

    void CheckAlone()
    {
        TwoLinks two(m_mode, Sharing::WORK_CONSERVING);
        BitSender sender(two.bench, 0, 1, BITS);
        Simulator::Run();
        Check(sender.GetEndS(), BITS / two.GetRate(0, 1), "whoever is alone has all of it");
    }

    void CheckWeights()
    {
        TwoLinks two(m_mode, Sharing::WORK_CONSERVING);
        two.Set(0, 1);
        two.Set(1, 3);
        BitSender first(two.bench, 0, 1, BITS);
        BitSender second(two.bench, 2, 3, BITS);
        Simulator::Run();
        const double both = BITS / two.GetRate(1, 0.75);
        const double left = BITS - both * two.GetRate(0, 0.25);
        Check(second.GetEndS(), both, "three quarters of the medium");
        Check(first.GetEndS(), both + left / two.GetRate(0, 1), "one quarter, then all");
    }

    void CheckPriority()
    {
        TwoLinks two(m_mode, Sharing::WORK_CONSERVING);
        two.Set(0, 1, 0);
        two.Set(1, 1, 1);
        BitSender first(two.bench, 0, 1, BITS);
        BitSender second(two.bench, 2, 3, BITS);
        Simulator::Run();
        const double before = BITS / two.GetRate(1, 1);
        Check(second.GetEndS(), before, "the higher priority first");
        Check(first.GetEndS(), before + BITS / two.GetRate(0, 1), "then the lower one");
    }

    void CheckReserved()
    {
        TwoLinks two(m_mode, Sharing::RESERVED);
        two.Set(0, 0.25);
        two.Set(1, 0.5);
        BitSender first(two.bench, 0, 1, BITS);
        BitSender second(two.bench, 2, 3, BITS);
        Simulator::Run();
        Check(first.GetEndS(), BITS / two.GetRate(0, 0.25), "its own share at all times");
        Check(second.GetEndS(), BITS / two.GetRate(1, 0.5), "likewise");
    }

    void DoRun() override
    {
        CheckAlone();
        CheckWeights();
        CheckPriority();
        CheckReserved();
    }

    SharingMode m_mode;
};

/// A wire behind a radio hop limits it, and what it leaves is the other's
class CappedLinkTestCase : public TestCase
{
  public:
    CappedLinkTestCase()
        : TestCase("a link that a wire limits")
    {
    }

  private:
    void DoRun() override
    {
        constexpr double BITS = 1e7;
        TwoLinks two(SharingMode::AIRTIME, Sharing::WORK_CONSERVING);
        const double most = 0.2 * two.GetRate(0, 1);
        two.bench.links[{two.bench.nodes[0]->GetId(), two.bench.nodes[1]->GetId()}].mostBps = most;
        BitSender first(two.bench, 0, 1, BITS);
        BitSender second(two.bench, 2, 3, 2 * BITS);
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ_TOL(first.GetEndS(), BITS / most, NANOSECONDS, "the wire's rate");
        NS_TEST_EXPECT_MSG_EQ_TOL(second.GetEndS(),
                                  2 * BITS / two.GetRate(1, 0.8),
                                  NANOSECONDS,
                                  "has the rest");
    }
};

/// Flows of one link have equal parts; a wire is nobody else's
class OneLinkTestCase : public TestCase
{
  public:
    OneLinkTestCase()
        : TestCase("two flows of one wire")
    {
    }

  private:
    void DoRun() override
    {
        FlowBench bench(2);
        bench.Wire(0, 1, 1e6, 0.01);
        BitSender small(bench, 0, 1, 1e6);
        BitSender large(bench, 0, 1, 3e6);
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ_TOL(small.GetEndS(), 2.0, NANOSECONDS, "half of the rate");
        NS_TEST_EXPECT_MSG_EQ_TOL(large.GetEndS(), 4.0, NANOSECONDS, "all of it at the end");
    }
};

/// Acknowledgements take their part of the way back, a relayed way takes both media
class LoadTestCase : public TestCase
{
  public:
    LoadTestCase()
        : TestCase("acknowledgements and relayed ways")
    {
    }

  private:
    void DoRun() override
    {
        constexpr double BITS = 1e7;
        constexpr double RATIO = 0.05;
        FlowBench bench(4);
        const PoolState pool = MakePool(SharingMode::AIRTIME, Sharing::WORK_CONSERVING);
        const std::size_t up = bench.network->AddMedium(pool);
        const std::size_t down = bench.network->AddMedium(pool);
        const auto add = [&](uint32_t from, uint32_t to, std::size_t medium, double ratio) {
            FlowLinkState state;
            state.link = MakeRadioLink(1e-10);
            state.link.acknowledgementRatio = ratio;
            state.medium = medium;
            bench.links[{bench.nodes[from]->GetId(), bench.nodes[to]->GetId()}] = state;
        };
        add(0, 1, up, RATIO);
        add(1, 0, down, 0);
        add(3, 2, down, 0);
        const double rate = GetRateBps(MakeRadioLink(1e-10), pool, 1, 0.2);
        {
            BitSender data(bench, 0, 1, 2 * BITS);
            BitSender other(bench, 3, 2, BITS);
            Simulator::Run();
            NS_TEST_EXPECT_MSG_EQ_TOL(data.GetEndS(), 2 * BITS / rate, NANOSECONDS, "undisturbed");
            NS_TEST_EXPECT_MSG_EQ_TOL(other.GetEndS(),
                                      BITS / (rate * (1 - RATIO)),
                                      NANOSECONDS,
                                      "without what acknowledgements take");
        }
        // From node 2 to node 0 through a base station
        FlowLinkState relayed;
        relayed.link = MakeRadioLink(1e-10);
        relayed.link.efficiency /= 4;
        relayed.medium = up;
        relayed.relay = MakeRadioLink(1e-10);
        relayed.relayMedium = down;
        bench.links[{bench.nodes[2]->GetId(), bench.nodes[0]->GetId()}] = relayed;
        const double beginS = Simulator::Now().GetSeconds();
        BitSender way(bench, 2, 0, BITS);
        BitSender other(bench, 3, 2, BITS);
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ_TOL(way.GetEndS() - beginS,
                                  BITS / (rate / 4),
                                  NANOSECONDS,
                                  "by its first half");
        NS_TEST_EXPECT_MSG_EQ_TOL(other.GetEndS() - beginS,
                                  BITS / (rate * 0.75),
                                  NANOSECONDS,
                                  "without what the second half takes");
    }
};

/// Whatever the weights and priorities: a work-conserving medium is never idle, and nothing is lost
class RandomFlowsTestCase : public TestCase
{
  public:
    explicit RandomFlowsTestCase(uint32_t seed)
        : TestCase("random flows " + std::to_string(seed)),
          m_seed(seed)
    {
    }

  private:
    void CountShare(uint32_t /* from */, uint32_t /* to */, double share, double /* rateBps */)
    {
        m_largest = std::max(m_largest, share);
    }

    void DoRun() override
    {
        std::mt19937_64 random(m_seed);
        const auto draw = [&random](double low, double high) {
            return std::uniform_real_distribution<>(low, high)(random);
        };
        const uint32_t count = 2 + random() % 10;
        FlowBench bench(2 * count);
        const PoolState pool = MakePool(SharingMode::AIRTIME, Sharing::WORK_CONSERVING);
        const std::size_t medium = bench.network->AddMedium(pool);
        bench.network->TraceConnectWithoutContext(
            "Rate",
            MakeCallback(&RandomFlowsTestCase::CountShare, this));
        std::vector<std::unique_ptr<BitSender>> senders;
        double airS = 0;
        double bits = 0;
        for (uint32_t i = 0; i < count; ++i)
        {
            FlowLinkState state;
            state.link = MakeRadioLink(std::pow(10, draw(-12, -9)));
            state.medium = medium;
            bench.links[{bench.nodes[2 * i]->GetId(), bench.nodes[2 * i + 1]->GetId()}] = state;
            bench.network->Set(bench.nodes[2 * i],
                               bench.nodes[2 * i + 1],
                               {true, draw(0.01, 1), static_cast<uint8_t>(random() % 3), 0});
            const double own = draw(1e5, 1e7);
            senders.push_back(std::make_unique<BitSender>(bench, 2 * i, 2 * i + 1, own));
            airS += own / GetRateBps(state.link, pool, 1, state.link.maxPowerW);
            bits += own;
        }
        Simulator::Run();
        double lastS = 0;
        for (const auto& sender : senders)
        {
            NS_TEST_EXPECT_MSG_GT(sender->GetEndS(), 0, "a flow did not end");
            lastS = std::max(lastS, sender->GetEndS());
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(lastS, airS, count * NANOSECONDS, "airtimes add up");
        NS_TEST_EXPECT_MSG_EQ_TOL(bench.network->GetCarriedBits(), bits, 1e-6 * bits, "bits lost");
        NS_TEST_EXPECT_MSG_LT_OR_EQ(m_largest, 1 + 1e-12, "more than the medium has");
    }

    uint32_t m_seed;
    double m_largest{0};
};

/// What a transfer costs sender and receiver, by (7')
class FlowEnergyTestCase : public TestCase
{
  public:
    FlowEnergyTestCase(const std::string& name, SharingMode mode)
        : TestCase("energy of a transfer, " + name),
          m_mode(mode)
    {
    }

  private:
    void DoRun() override
    {
        constexpr double BITS = 1e7;
        constexpr double POWER_W = 0.05;
        TwoLinks two(m_mode, Sharing::RESERVED);
        two.bench.network->Set(two.bench.nodes[0], two.bench.nodes[1], {true, 0.25, 0, POWER_W});
        auto processor = CreateObject<Processor>();
        NodeEnergy sender(two.bench.nodes[0], processor, 0, 0);
        NodeEnergy receiver(two.bench.nodes[1], processor, 0, 0);
        BitSender transfer(two.bench, 0, 1, BITS);
        Simulator::Stop(Seconds(20));
        Simulator::Run();
        const double airS = GetAirTimeS(two.states[0].link, two.pool, 0.25, POWER_W, BITS);
        const FlowRadioPower power = GetLtePower();
        const double sentJ = (power.circuitW + POWER_W / power.paEfficiency) * airS;
        const auto parts = sender.Read();
        NS_TEST_EXPECT_MSG_GT(transfer.GetEndS(), 0, "the transfer did not end");
        NS_TEST_EXPECT_MSG_EQ_TOL(parts.GetActive(),
                                  power.sendingPart * sentJ,
                                  1e-6 * sentJ,
                                  "(7') of the sender");
        NS_TEST_EXPECT_MSG_EQ_TOL(parts.idleJ, 20 * power.idleW, 1e-6, "being connected");
        NS_TEST_EXPECT_MSG_EQ_TOL(receiver.Read().GetActive(),
                                  power.receivingPart * power.receiveW * airS,
                                  1e-6 * airS,
                                  "(7') of the receiver");
        NS_TEST_EXPECT_MSG_EQ_TOL(sender.GetDrawnJ(),
                                  parts.GetTotal(),
                                  1e-4,
                                  "what the source lost");
    }

    SharingMode m_mode;
};

/// The suite
class FlowNetworkTestSuite : public TestSuite
{
  public:
    FlowNetworkTestSuite()
        : TestSuite("collapipe-flow-network", Type::UNIT)
    {
        AddTestCase(new TwoLinksTestCase("airtime", SharingMode::AIRTIME));
        AddTestCase(new TwoLinksTestCase("frequency", SharingMode::FREQUENCY));
        AddTestCase(new CappedLinkTestCase);
        AddTestCase(new OneLinkTestCase);
        AddTestCase(new LoadTestCase);
        for (uint32_t seed = 1; seed <= 20; ++seed)
        {
            AddTestCase(new RandomFlowsTestCase(seed));
        }
        AddTestCase(new FlowEnergyTestCase("airtime", SharingMode::AIRTIME));
        AddTestCase(new FlowEnergyTestCase("frequency", SharingMode::FREQUENCY));
    }
};

FlowNetworkTestSuite g_flowNetworkTestSuite; //!< registers the suite

} // namespace
