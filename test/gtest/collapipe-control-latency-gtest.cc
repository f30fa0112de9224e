/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-iteration-time.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-pipeline-time.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>

namespace ns3
{
namespace collapipe
{
namespace
{

constexpr double CLOSE = 1e-12; //!< relative, where only rounding differs

IterationTimes
MakeTimes(test::RandomInstance& random, bool targets)
{
    IterationTimes times;
    times.microBatches = random.Count(1, 9);
    times.targetS = targets ? random.Log(0.01, 2) : 0;
    times.targetLatencyS = targets ? random.Uniform(0, 2) : 0;
    const uint32_t stages = random.Count(1, 7);
    for (uint32_t s = 0; s < stages; ++s)
    {
        times.hops.push_back({random.Log(0.1, 3),
                              random.Log(0.1, 3),
                              random.Log(0.05, 3),
                              random.Log(0.05, 3),
                              random.Uniform(0, 0.5),
                              random.Uniform(0, 0.5)});
    }
    return times;
}

/// The room `pipeline/` has its own recurrence, for any schedule
double
GetTimelineS(const IterationTimes& times, const Schedule& schedule)
{
    const auto count = static_cast<uint32_t>(times.hops.size());
    std::vector<ActionList> actions;
    StageTimes stages;
    std::vector<LinkTimes> links;
    for (uint32_t s = 0; s < count; ++s)
    {
        const HopTimes& hop = times.hops[s];
        actions.push_back(schedule.Generate(count, s, times.microBatches));
        stages.push_back({hop.forwardS, hop.backwardS});
        if (s + 1 < count)
        {
            links.push_back(
                {hop.linkForwardS, hop.linkBackwardS, hop.latencyForwardS, hop.latencyBackwardS});
        }
    }
    return ComputeTimeline(actions, stages, links).totalS;
}

TEST(ControlLatency, RecurrencesAgreeWithTheTimelineOfTheSchedules)
{
    test::RandomInstance random(1);
    const Ptr<GpipeSchedule> gpipe = Create<GpipeSchedule>();
    const Ptr<OneFOneBSchedule> oneFOneB = Create<OneFOneBSchedule>();
    for (int i = 0; i < 2000; ++i)
    {
        const IterationTimes times = MakeTimes(random, false);
        const double flowShop = GetTimelineS(times, *gpipe);
        EXPECT_NEAR(Create<GpipeSchedule>()->GetIterationTimeS(times), flowShop, 1e-9 * flowShop);
        const double alternating = GetTimelineS(times, *oneFOneB);
        EXPECT_NEAR(Create<OneFOneBSchedule>()->GetIterationTimeS(times),
                    alternating,
                    CLOSE * alternating);
    }
}

TEST(ControlLatency, CriticalPathIsAsLongAsTheRecurrence)
{
    test::RandomInstance random(2);
    for (int i = 0; i < 2000; ++i)
    {
        const IterationTimes times = MakeTimes(random, i % 2 == 0);
        const CriticalPath path = Create<OneFOneBSchedule>()->GetCriticalPath(times);
        double length =
            path.targets * times.targetS + (path.targets > 0 ? times.targetLatencyS : 0);
        for (std::size_t s = 0; s < times.hops.size(); ++s)
        {
            const HopTimes& hop = times.hops[s];
            const HopCounts& count = path.hops[s];
            length += count.forward * hop.forwardS + count.backward * hop.backwardS +
                      count.linkForward * hop.linkForwardS +
                      count.linkBackward * hop.linkBackwardS +
                      count.latencyForward * hop.latencyForwardS +
                      count.latencyBackward * hop.latencyBackwardS;
        }
        EXPECT_NEAR(length, path.lengthS, 1e-9 * path.lengthS);
        EXPECT_NEAR(Create<OneFOneBSchedule>()->GetIterationTimeS(times),
                    path.lengthS,
                    1e-9 * path.lengthS);
    }
}

TEST(ControlLatency, OneMicroBatchTakesTheSumUnderBothSchedules)
{
    test::RandomInstance random(3);
    IterationTimes times = MakeTimes(random, false);
    times.microBatches = 1;
    EXPECT_NEAR(GetSchedule("gpipe")->GetIterationTimeS(times),
                GetSchedule("1f1b")->GetIterationTimeS(times),
                CLOSE * Create<GpipeSchedule>()->GetIterationTimeS(times));
}

/// Near nodes, and those with few resource blocks for their power, send no faster than the highest
/// modulation carries
TEST(ControlLatency, NoRateExceedsTheHighestModulation)
{
    LinkState link;
    link.efficiency = 0.5;
    link.noiseDensityWPerHz = 1e-20;
    link.maxPowerW = 0.2;
    link.maxSpectralEfficiency = 5;
    for (const SharingMode mode : {SharingMode::FREQUENCY, SharingMode::AIRTIME})
    {
        const PoolState pool{mode, 1e7};
        LinkState free = link;
        free.maxSpectralEfficiency = std::numeric_limits<double>::infinity();
        for (const double snr : {1.0, 10.0, 30.0, 32.0, 100.0, 1e5})
        {
            link.gain = free.gain = snr * link.noiseDensityWPerHz * 1e7 / link.maxPowerW;
            for (const double share : {1.0, 0.2, 0.001})
            {
                const double rate = GetRateBps(link, pool, share, link.maxPowerW);
                const double most = 0.5 * share * 1e7 * 5;
                const double open = GetRateBps(free, pool, share, link.maxPowerW);
                EXPECT_NEAR(rate, std::min(most, open), 1e-9 * most) << snr << ' ' << share;
            }
        }
    }
}

TEST(ControlLatency, RatesFollowTheFormulas)
{
    LinkState link;
    link.gain = 2e-9;
    link.efficiency = 0.5;
    link.snrGap = 2;
    link.noiseDensityWPerHz = 1e-17;
    link.maxPowerW = 0.2;
    link.fixedRateBps = 7;
    const double w = 0.25;
    const PoolState frequency{SharingMode::FREQUENCY, 1e7};
    const PoolState airtime{SharingMode::AIRTIME, 1e7};
    // SNR over w B = 2.5 MHz: 0.1 * 2e-9 / (2 * 1e-17 * 2.5e6) = 4; over B a quarter of that
    EXPECT_NEAR(GetRateBps(link, frequency, w, 0.1), 0.5 * 2.5e6 * std::log2(5.0), 1e-3);
    EXPECT_NEAR(GetRateBps(link, airtime, w, 0.1), 0.5 * 2.5e6 * std::log2(2.0), 1e-3);
    EXPECT_EQ(GetRateBps(link, PoolState(), w, 0.1), 7);
    const double rate = GetRateBps(link, airtime, w, 0.1);
    EXPECT_NEAR(GetTransmitPowerW(link, airtime, 0.1) * GetAirTimeS(link, airtime, w, 0.1, 1e6),
                0.1 * w * 1e6 / rate,
                1e-12);
    EXPECT_NEAR(GetTransmitPowerW(link, airtime, 0.1) * GetAirTimeS(link, airtime, 1, 0.1, 1e6),
                0.1 * w * 1e6 / rate,
                1e-12);
    EXPECT_NEAR(GetTransmitPowerW(link, PoolState(), 0.1) *
                    GetAirTimeS(link, PoolState(), 1, 0.1, 14),
                0.2 * 2,
                1e-12);
}

/// One cluster with two devices and dedicated links: everything can be computed by hand
class ControlHandMade : public ::testing::Test
{
  protected:
    ControlHandMade()
    {
        SystemState& state = m_instance.state;
        state.model.blocks = 3;
        state.model.blockForwardFlops = 10;
        state.model.backwardRatio = 2;
        state.model.embeddingForwardFlops = 2;
        state.model.decoderForwardFlops = 4;
        state.model.activationBits = 6;
        state.model.blockParameterBits = 80;
        state.model.embeddingParameterBits = 40;
        state.model.weightCopies = 4;
        state.model.activationBytesPerBlock = 5;
        state.training.localIterations = 2;
        state.training.fixedPair = {3, 2};
        state.edge = {8, 0.5, 1};
        LinkState link;
        link.fixedRateBps = 4;
        link.maxPowerW = 0.5;
        link.latencyS = 0.25;
        DeviceState device;
        device.flops = 20;
        device.overheadS = 1;
        device.computePowerW = 3;
        device.energyBudgetJ = 100;
        device.uplink = device.downlink = link;
        ClusterState cluster;
        cluster.controlUnit = device;
        cluster.devices = {device, device};
        cluster.d2dLinks.assign(3, std::vector<LinkState>(3, link));
        state.clusters = {cluster};
        m_instance.penaltyWeight = 2;
        m_instance.energyPrices = {{0, 3, 0}};
        m_plan.localIterations = 2;
        m_plan.clusters = {{{MakePipelineChain({{1, 2}, {2, 1}}, {3, 2})}, {}}};
    }

    Instance m_instance; //!< the problem
    RoundPlan m_plan;    //!< two blocks on device 0, one on device 1
};

TEST_F(ControlHandMade, EvaluationMatchesHandComputation)
{
    const Evaluation e = EvaluatePlan(m_instance, m_plan);
    const ClusterEvaluation& c = e.clusters[0];
    // (1), b = 2: embedding 1 + 0.2 and 1 + 0.4; device 0: 1 + 2, 1 + 4; device 1: 1 + 1, 1 + 2;
    // decoder 0.5 + 1 and 0.5 + 2. Transfers a / r = 12 / 4 = 3, d = 0.25, three hops.
    EXPECT_NEAR(c.nodes[0].forwardS, 1.2, CLOSE);
    EXPECT_NEAR(c.nodes[1].backwardS, 5, CLOSE);
    const double forward = 1.2 + 3 + 2 + 1.5 + 3 * 3.25;
    const double backward = 1.4 + 5 + 3 + 2.5 + 3 * 3.25;
    const double iteration = forward + 2 * 3.0 + backward + 2 * 5.0;
    EXPECT_NEAR(c.iterationS, iteration, 1e-9);
    // Distribution and upload: the slowest is device 0 with 160 bits
    EXPECT_NEAR(c.distributionS, 0.25 + 40, 1e-9);
    EXPECT_NEAR(c.uploadS, 0.25 + 40, 1e-9);
    EXPECT_NEAR(e.latencyS, 80.5 + 2 * iteration, 1e-9);
    // (7): H N = 6; computes 8 s at 3 W, sends 3 s at 0.5 W twice; uploads 40 s
    const double energy = 6 * (8 * 3 + 2 * 3 * 0.5) + 0.5 * 40;
    EXPECT_NEAR(c.nodes[1].energyJ, energy, 1e-9);
    // The control unit sends only forward: 2.6 s at 3 W, 3 s at 0.5 W; uploads 10 s
    EXPECT_NEAR(c.nodes[0].energyJ, 6 * (2.6 * 3 + 1.5) + 5, 1e-9);
    // (8): two blocks of 4 * 10 bytes and 3 * 2 * 5 bytes of activations
    EXPECT_NEAR(c.nodes[1].memoryBytes, 2 * (40 + 30), CLOSE);
    EXPECT_NEAR(e.objective, 2 * e.latencyS + 3 * (energy - 100), 1e-9);
}

TEST_F(ControlHandMade, OneForwardOneBackwardKeepsFewerMicroBatches)
{
    const ChainPlan& chain = m_plan.clusters[0].chains[0];
    EXPECT_EQ(GetLiveMicroBatches("gpipe", chain, 1), 3U);
    EXPECT_EQ(GetLiveMicroBatches("1f1b", chain, 1), 3U);
    EXPECT_EQ(GetLiveMicroBatches("1f1b", chain, 2), 2U);
    EXPECT_EQ(GetDeviceLive(*GetSchedule("1f1b"), 3, 4, 1), 2U);
    EXPECT_EQ(GetDeviceLive(*GetSchedule("1f1b"), 3, 4, 2), 3U);
}

TEST_F(ControlHandMade, EdgeServerSharesItsWorkers)
{
    EXPECT_EQ(GetEdgeSlowdown({1, 0, 2}, 1), 1);
    EXPECT_EQ(GetEdgeSlowdown({1, 0, 2}, 5), 2.5);
    m_instance.state.clusters.push_back(m_instance.state.clusters[0]);
    m_plan.clusters.push_back(m_plan.clusters[0]);
    const double alone = 1.5 + 2.5;
    const double one = EvaluatePlan(m_instance, m_plan).clusters[0].iterationS;
    m_instance.state.edge.workers = 2;
    const double two = EvaluatePlan(m_instance, m_plan).clusters[0].iterationS;
    // The decoder does not become the bottleneck: its backward pass takes 5 s, as device 0's
    EXPECT_NEAR(one - two, alone, 1e-9);
}

TEST_F(ControlHandMade, TargetsTravelBesideTheActivations)
{
    const double before = EvaluatePlan(m_instance, m_plan).clusters[0].iterationS;
    m_instance.state.model.targetBits = 1; // 2 / 4 s: never the slowest
    EXPECT_NEAR(EvaluatePlan(m_instance, m_plan).clusters[0].iterationS, before, 1e-9);
    // The forward pass takes 1.2 + 3 + 2 + 1.5 + 3 * 3.25 + 2 * 3 = 23.45 s. Three targets of 8 s:
    // the last has come at 24.25 s, and 1.5 s later the forward pass ends
    m_instance.state.model.targetBits = 16;
    EXPECT_NEAR(EvaluatePlan(m_instance, m_plan).clusters[0].iterationS,
                before + 24.25 + 1.5 - 23.45,
                1e-9);
}

TEST_F(ControlHandMade, GradientsOfASharedTableFollowEachIteration)
{
    const auto before = EvaluatePlan(m_instance, m_plan).clusters[0];
    m_instance.state.model.tableGradientBits = 20;
    auto after = EvaluatePlan(m_instance, m_plan).clusters[0];
    // d + a / r = 0.25 + 20 / 4 s either way, at once
    EXPECT_NEAR(after.iterationS, before.iterationS + 5.25, 1e-9);
    // Twice 5 s at 0.5 W
    EXPECT_NEAR(after.nodes[0].energyJ, before.nodes[0].energyJ + 5, 1e-9);
    EXPECT_NEAR(after.nodes[1].energyJ, before.nodes[1].energyJ, 1e-9);

    auto& controlUnit = m_instance.state.clusters[0].controlUnit;
    controlUnit.downlink.fixedRateBps = 2;
    controlUnit.downlink.receivePowerW = 0.1;
    controlUnit.downlink.receiveJPerBit = 0.25;
    m_instance.state.training.clipping = true;
    after = EvaluatePlan(m_instance, m_plan).clusters[0];
    const ChainPlan& chain = m_plan.clusters[0].chains[0];
    EXPECT_NEAR(GetExchangeTimeS(m_instance.state, 0, chain), 10.25 + 0.5, 1e-9);
    EXPECT_NEAR(after.iterationS, before.iterationS + 10.25 + 0.5, 1e-9);
    m_instance.state.model.tableGradientBits = 0;
    const auto without = EvaluatePlan(m_instance, m_plan).clusters[0];
    // 20 bits each time
    EXPECT_NEAR(after.nodes[0].energyJ - without.nodes[0].energyJ,
                5 + 2 * (10 * 0.1 + 20 * 0.25),
                1e-9);

    // One stage holds both ends
    ChainPlan alone;
    alone.stages = {{1, true, 0, 3, true}};
    m_instance.state.model.tableGradientBits = 20;
    EXPECT_EQ(GetExchangeTimeS(m_instance.state, 0, alone), 0);
}

} // namespace
} // namespace collapipe
} // namespace ns3
