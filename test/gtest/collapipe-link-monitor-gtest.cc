/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-link-monitor.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

constexpr double SMALL_BITS = 4e4;
constexpr double LARGE_BITS = 6e6;

LinkState
MakeLink(double gain)
{
    LinkState link;
    link.gain = gain;
    link.efficiency = 0.5;
    link.snrGap = 1.5;
    link.noiseDensityWPerHz = 1e-20;
    link.maxPowerW = 0.2;
    link.latencyS = 5e-3;
    return link;
}

/// One cluster of two devices, LTE-like
SystemState
MakeState()
{
    SystemState state;
    state.uplink = {SharingMode::FREQUENCY, 18e6};
    state.downlink = state.uplink;
    state.clusters.resize(1);
    auto& cluster = state.clusters[0];
    cluster.d2d = {SharingMode::AIRTIME, 80e6};
    cluster.devices.resize(2);
    for (auto* node : {&cluster.controlUnit, &cluster.devices[0], &cluster.devices[1]})
    {
        node->uplink = MakeLink(1e-11);
        node->downlink = MakeLink(1e-11);
    }
    cluster.d2dLinks.assign(3, std::vector<LinkState>(3, MakeLink(1e-8)));
    return state;
}

/// The same where nodes reach each other over the base station, and shares are reserved
SystemState
MakeReservedCell()
{
    SystemState state = MakeState();
    state.uplink.sharing = state.downlink.sharing = Sharing::RESERVED;
    ClusterState& cluster = state.clusters[0];
    cluster.d2d = state.uplink;
    for (auto& row : cluster.d2dLinks)
    {
        for (LinkState& link : row)
        {
            link = MakeLink(1e-11);
            link.relay = Relay::BASE_STATION;
        }
    }
    return state;
}

RoundPlan
MakePlan()
{
    RoundPlan plan;
    plan.clusters.resize(1);
    for (const auto phase : {Phase::TRAINING, Phase::UPLOAD})
    {
        plan.clusters[0].links.push_back({phase, 1, EDGE_SERVER, 0.4, 0.1});
        plan.clusters[0].links.push_back({phase, 2, EDGE_SERVER, 0.3, 0.2});
    }
    return plan;
}

/// Rounds in which link 1 -> edge takes D + rho a / r: what the monitor then says of all links
SystemState
Learn(double delayS, double slowness, int rounds, bool hasQueued)
{
    const auto monitor = CreateObject<LinkMonitor>();
    SystemState state;
    for (int round = 0; round <= rounds; ++round)
    {
        state = MakeState();
        const auto expected = state.clusters[0].devices[0].uplink;
        monitor->Update(state);
        monitor->BeginRound(round + 1, MakePlan());
        const double rate = GetRateBps(expected, state.uplink, 0.4, 0.1);
        const LinkId link{0, 1, EDGE_SERVER};
        for (int i = 0; i < 20; ++i)
        {
            const double x = slowness * SMALL_BITS / rate;
            monitor->ObserveTransfer(link, Phase::TRAINING, SMALL_BITS, delayS + x, false, 0.4);
            if (hasQueued)
            {
                monitor->ObserveTransfer(link, Phase::TRAINING, SMALL_BITS, x, true, 0.4);
            }
        }
        monitor->ObserveTransfer(link,
                                 Phase::UPLOAD,
                                 LARGE_BITS,
                                 delayS + slowness * LARGE_BITS / rate,
                                 false,
                                 0.4);
        monitor->EndRound(1);
    }
    state = MakeState();
    monitor->Update(state);
    return state;
}

} // namespace

TEST(LinkMonitor, FindsDelayAndRateOfRandomLinks)
{
    std::mt19937 random(7);
    std::uniform_real_distribution<double> logDelay(std::log(1e-3), std::log(2e-2));
    std::uniform_real_distribution<double> logSlowness(std::log(0.7), std::log(3.0));
    for (int i = 0; i < 100; ++i)
    {
        const double delayS = std::exp(logDelay(random));
        const double slowness = std::exp(logSlowness(random));
        const auto state = Learn(delayS, slowness, 6, i % 2 == 0);
        const auto& link = state.clusters[0].devices[0].uplink;
        // The prior (5 ms, factor 1) keeps half a percent of the weight of a round's transfers.
        EXPECT_NEAR(link.latencyS / delayS, 1, 0.1) << delayS << ' ' << slowness;
        EXPECT_NEAR(0.5 / link.efficiency / slowness, 1, 0.05) << delayS << ' ' << slowness;
    }
}

TEST(LinkMonitor, AReservationIsUsedInTurn)
{
    std::mt19937 random(11);
    std::uniform_real_distribution<double> fraction(0.1, 1);
    for (int i = 0; i < 20; ++i)
    {
        const auto monitor = CreateObject<LinkMonitor>();
        SystemState state;
        for (int round = 1; round <= 4; ++round)
        {
            state = MakeReservedCell();
            const LinkState expected = state.clusters[0].devices[0].uplink;
            monitor->Update(state);
            monitor->BeginRound(round, MakePlan());
            const double rate = GetRateBps(expected, state.uplink, 0.4, 0.1);
            for (int k = 0; k < 20; ++k)
            {
                // Others of the node's links had the rest of its time
                const double part = fraction(random);
                monitor->ObserveTransfer({0, 1, EDGE_SERVER},
                                         Phase::UPLOAD,
                                         LARGE_BITS,
                                         expected.latencyS + LARGE_BITS / rate / part,
                                         false,
                                         part);
            }
            monitor->EndRound(1);
        }
        state = MakeReservedCell();
        monitor->Update(state);
        EXPECT_NEAR(state.clusters[0].devices[0].uplink.efficiency / 0.5, 1, 0.05);
    }
}

TEST(LinkMonitor, AMessagesOverheadKeepsItsAirtime)
{
    for (const double slowness : {0.6, 1.0, 2.5})
    {
        const auto monitor = CreateObject<LinkMonitor>();
        const auto makeState = [] {
            auto state = MakeState();
            state.clusters[0].d2dLinks[1][2].overheadBits = 1e5;
            state.clusters[0].d2dLinks[1][2].overheadS = 1e-3;
            return state;
        };
        auto state = makeState();
        const auto before = state.clusters[0].d2dLinks[1][2];
        const double rate = GetRateBps(before, state.clusters[0].d2d, 1, before.maxPowerW);
        for (int round = 1; round <= 6; ++round)
        {
            state = makeState();
            monitor->Update(state);
            monitor->BeginRound(round, MakePlan());
            const double seconds =
                5e-3 + slowness * (LARGE_BITS + before.overheadBits) / rate + before.overheadS;
            monitor->ObserveTransfer({0, 1, 2}, Phase::TRAINING, LARGE_BITS, seconds, false, 1);
            monitor->EndRound(1);
        }
        state = makeState();
        monitor->Update(state);
        const auto& after = state.clusters[0].d2dLinks[1][2];
        const double now = GetRateBps(after, state.clusters[0].d2d, 1, after.maxPowerW);
        // Payloads of one size leave the prior a say in how much of it is delay.
        EXPECT_NEAR(now * slowness / rate, 1, 0.15) << slowness;
        EXPECT_NEAR(after.overheadBits / now / (before.overheadBits / rate), 1, 1e-9) << slowness;
        EXPECT_EQ(after.overheadS, before.overheadS) << slowness;
    }
}

TEST(LinkMonitor, UnusedLinksTakeTheirPoolsMeanAndOtherPoolsNothing)
{
    const auto state = Learn(8e-3, 1.6, 6, true);
    const auto& used = state.clusters[0].devices[0].uplink;
    const auto& unused = state.clusters[0].devices[1].uplink;
    EXPECT_NEAR(unused.efficiency, used.efficiency, 1e-12);
    EXPECT_NEAR(unused.latencyS, used.latencyS, 1e-12);
    EXPECT_EQ(state.clusters[0].devices[0].downlink.efficiency, 0.5);
    EXPECT_EQ(state.clusters[0].d2dLinks[1][2].efficiency, 0.5);
}

TEST(LinkMonitor, ALinkThatTookWhatOthersLeftIsNotTrustedBeyondTwice)
{
    const auto state = Learn(1e-3, 0.05, 6, true);
    EXPECT_LE(state.clusters[0].devices[0].uplink.efficiency, 2 * 0.5 + 1e-9);
}

TEST(LinkMonitor, TakesGainFromMeasuredSinr)
{
    const auto monitor = CreateObject<LinkMonitor>();
    const auto meter = monitor->AddMeter({0, 1, EDGE_SERVER});
    auto state = MakeState();
    monitor->Update(state);
    monitor->BeginRound(1, MakePlan());
    const double expectedSnr = 0.1 * 1e-11 / (1e-20 * 18e6);
    monitor->ObserveSinr(meter, expectedSnr / 4, 0.1);
    monitor->EndRound(1);
    state = MakeState();
    monitor->Update(state);
    EXPECT_NEAR(state.clusters[0].devices[0].uplink.gain, 1e-11 / 4, 1e-17);
    EXPECT_EQ(state.clusters[0].devices[1].uplink.gain, 1e-11);
}

TEST(LinkMonitor, CountsAnSinrThatTheRateCannotUseAsTheHighestOfUse)
{
    const auto monitor = CreateObject<LinkMonitor>();
    const double expectedSnr = 0.2 * 1e-11 / (1e-20 * 18e6);
    const auto meter = monitor->AddMeter({0, EDGE_SERVER, 1}, 2 * expectedSnr);
    auto state = MakeState();
    monitor->Update(state);
    monitor->BeginRound(1, MakePlan());
    monitor->ObserveSinr(meter, 1000 * expectedSnr, 0.2);
    monitor->EndRound(1);
    state = MakeState();
    monitor->Update(state);
    EXPECT_NEAR(state.clusters[0].devices[0].downlink.gain, 2e-11, 1e-17);
}

namespace
{

/// What a link does in a round, with a channel and a modem of its own
struct TrueLink
{
    LinkState link;
    double share;
    double powerW;
};

/// A round in which link 1 -> edge serves uploads as the truth says, and its radio reports the SINR
void
RunRound(Ptr<LinkMonitor> monitor, uint32_t meter, uint32_t round, const TrueLink& truth)
{
    auto state = MakeState();
    monitor->Update(state);
    RoundPlan plan;
    plan.clusters.resize(1);
    plan.clusters[0].links.push_back({Phase::UPLOAD, 1, EDGE_SERVER, truth.share, truth.powerW});
    monitor->BeginRound(round, plan);
    const auto& pool = state.uplink;
    const double noiseW = truth.link.noiseDensityWPerHz * pool.bandwidthHz;
    monitor->ObserveSinr(meter, truth.powerW * truth.link.gain / noiseW, truth.powerW);
    const double rate = GetRateBps(truth.link, pool, truth.share, truth.powerW);
    monitor->ObserveTransfer({0, 1, EDGE_SERVER},
                             Phase::UPLOAD,
                             LARGE_BITS,
                             truth.link.latencyS + LARGE_BITS / rate,
                             false,
                             truth.share);
    monitor->EndRound(1);
}

} // namespace

TEST(LinkMonitor, ForecastsAtAnSinrThatItsGoodputHasNotSeen)
{
    std::mt19937 random(11);
    std::uniform_real_distribution<double> db(-10, 10);
    for (int i = 0; i < 100; ++i)
    {
        const auto monitor = CreateObject<LinkMonitor>();
        const auto meter = monitor->AddMeter({0, 1, EDGE_SERVER});
        TrueLink truth{MakeLink(1e-11 * std::pow(10, db(random) / 10)), 0.4, 0.1};
        truth.link.efficiency = 0.35;
        uint32_t round = 0;
        while (round < 6)
        {
            RunRound(monitor, meter, ++round, truth);
        }
        // The channel changes; nothing but SINR reports tells of it
        truth.link.gain = 1e-11 * std::pow(10, db(random) / 10);
        auto state = MakeState();
        monitor->Update(state);
        monitor->BeginRound(++round, MakePlan());
        monitor->ObserveSinr(meter,
                             truth.powerW * truth.link.gain /
                                 (truth.link.noiseDensityWPerHz * state.uplink.bandwidthHz),
                             truth.powerW);
        monitor->EndRound(1);
        state = MakeState();
        monitor->Update(state);
        const double forecast =
            GetRateBps(state.clusters[0].devices[0].uplink, state.uplink, 0.4, 0.1);
        EXPECT_NEAR(forecast / GetRateBps(truth.link, state.uplink, 0.4, 0.1), 1, 0.02);
    }
}

TEST(LinkMonitor, FindsTheSnrGapWhereSinrsChange)
{
    std::mt19937 random(13);
    std::uniform_real_distribution<double> powerDb(-12, 0);
    std::uniform_real_distribution<double> share(0.1, 1);
    std::uniform_int_distribution<int> exponent(-2, 2);
    for (int i = 0; i < 30; ++i)
    {
        const auto monitor = CreateObject<LinkMonitor>();
        const auto meter = monitor->AddMeter({0, 1, EDGE_SERVER});
        TrueLink truth{MakeLink(1e-11), 0, 0};
        truth.link.snrGap *= std::exp2(exponent(random));
        for (uint32_t round = 1; round <= 30; ++round)
        {
            truth.share = share(random);
            truth.powerW = 0.2 * std::pow(10, powerDb(random) / 10);
            RunRound(monitor, meter, round, truth);
        }
        auto state = MakeState();
        monitor->Update(state);
        const double found = state.clusters[0].devices[0].uplink.snrGap;
        // Candidates are a factor of two apart, and the prior pulls inwards
        EXPECT_LE(std::abs(std::log2(found / truth.link.snrGap)), 1 + 1e-9) << truth.link.snrGap;
        EXPECT_GE(std::log2(found / 1.5) * std::log2(truth.link.snrGap / 1.5), -1e-9);
    }
}

/// The efficiency after some rounds, in which a link that had so much of the medium was as quick as
/// `quick` of it would be; 0.4 of it were planned
double
LearnEfficiency(Sharing sharing,
                bool priorities,
                double had,
                double quick,
                double bits = LARGE_BITS)
{
    const auto make = [&] {
        SystemState state = MakeState();
        state.uplink.sharing = sharing;
        state.uplink.priorities = priorities;
        return state;
    };
    const auto monitor = CreateObject<LinkMonitor>();
    SystemState state;
    for (uint32_t round = 1; round <= 6; ++round)
    {
        state = make();
        const auto expected = state.clusters[0].devices[0].uplink;
        monitor->Update(state);
        monitor->BeginRound(round, MakePlan());
        const double rate = GetRateBps(expected, state.uplink, quick, 0.1);
        monitor->ObserveTransfer({0, 1, EDGE_SERVER},
                                 Phase::UPLOAD,
                                 bits,
                                 expected.latencyS + bits / rate,
                                 false,
                                 had);
        monitor->EndRound(1);
    }
    state = make();
    monitor->Update(state);
    return state.clusters[0].devices[0].uplink.efficiency;
}

/// Schedulers let messages of a packet pass before any share: they say nothing about it
TEST(LinkMonitor, SmallMessagesTeachNoRate)
{
    EXPECT_GT(LearnEfficiency(Sharing::RESERVED, false, 0.4, 1), 0.6); // as would larger ones
    for (const double bits : {800.0, 4000.0, 8 * 1500.0})
    {
        EXPECT_NEAR(LearnEfficiency(Sharing::RESERVED, false, 0.4, 1, bits), 0.5, 0.005) << bits;
        EXPECT_NEAR(LearnEfficiency(Sharing::WORK_CONSERVING, false, 0.4, 1, bits), 0.5, 0.005)
            << bits;
    }
}

TEST(LinkMonitor, AShareThatOthersLeftDoesNotCountAsARate)
{
    // Alone on the medium after half of the time: 0.7 of it on average, where 0.4 was planned
    EXPECT_NEAR(LearnEfficiency(Sharing::WORK_CONSERVING, false, 0.7, 0.7), 0.5, 0.005);
    // Behind others of a higher priority
    EXPECT_NEAR(LearnEfficiency(Sharing::WORK_CONSERVING, true, 0.1, 0.1), 0.5, 0.005);
    // Nobody leaves anything in a reserved medium, however few send
    EXPECT_NEAR(LearnEfficiency(Sharing::RESERVED, false, 0.7, 0.4), 0.5, 0.005);
}

/// Where shares are kept, a message cannot have waited for the one before it and be sent in no time
TEST(LinkMonitor, MessagesThatDidNotWaitForTheOneBeforeTeachNoRate)
{
    const auto learn = [](Sharing sharing, double part) {
        const auto make = [&] {
            SystemState state = MakeState();
            state.uplink.sharing = sharing;
            return state;
        };
        const auto monitor = CreateObject<LinkMonitor>();
        SystemState state = make();
        const LinkState expected = state.clusters[0].devices[0].uplink;
        const LinkId link{0, 1, EDGE_SERVER};
        const double ownS = LARGE_BITS / GetRateBps(expected, state.uplink, 0.4, 0.1);
        monitor->Update(state);
        monitor->BeginRound(1, MakePlan());
        const double firstS = expected.latencyS + ownS;
        monitor->ObserveTransfer(link, Phase::TRAINING, LARGE_BITS, firstS, false, 0.4);
        monitor->ObserveTransfer(link, Phase::TRAINING, LARGE_BITS, part * ownS, true, 0.4);
        monitor->EndRound(1);
        state = make();
        monitor->Update(state);
        return state.clusters[0].devices[0].uplink.efficiency / expected.efficiency;
    };
    EXPECT_NEAR(learn(Sharing::RESERVED, 1), 1, 0.005);
    EXPECT_NEAR(learn(Sharing::RESERVED, 0.01), 1, 0.005);
    EXPECT_GT(learn(Sharing::RESERVED, 0.7), 1.1);
    EXPECT_GT(learn(Sharing::WORK_CONSERVING, 0.01), 1.2); // it may have had the whole medium
}

TEST(LinkMonitor, WhatOtherUsersTakeIsGoneAndDoesNotCountAsSlowness)
{
    const auto monitor = CreateObject<LinkMonitor>();
    monitor->AddOthers({Pool::UPLINK, 0}, [] { return 0.3; });
    const auto make = [] {
        SystemState state = MakeState();
        state.uplink.sharing = Sharing::WORK_CONSERVING;
        return state;
    };
    SystemState state;
    for (uint32_t round = 1; round <= 6; ++round)
    {
        state = make();
        const auto expected = state.clusters[0].devices[0].uplink;
        PoolState pool = state.uplink;
        pool.background = 0.3;
        monitor->Update(state);
        EXPECT_NEAR(state.uplink.background, round == 1 ? 0 : 0.3, 1e-12);
        monitor->BeginRound(round, MakePlan());
        const double rate = GetRateBps(expected, pool, 0.5, 0.1);
        monitor->ObserveTransfer({0, 1, EDGE_SERVER},
                                 Phase::UPLOAD,
                                 LARGE_BITS,
                                 expected.latencyS + LARGE_BITS / rate,
                                 false,
                                 0.5);
        monitor->EndRound(1);
    }
    state = make();
    monitor->Update(state);
    EXPECT_NEAR(state.clusters[0].devices[0].uplink.efficiency, 0.5, 0.005);
    EXPECT_EQ(state.downlink.background, 0);
}

namespace
{

/// A pipeline through both devices, and what the system is like
std::pair<Instance, RoundPlan>
MakePipeline(double edgeFlops, const std::string& schedule)
{
    Instance instance;
    SystemState& state = instance.state;
    state = MakeState();
    state.model.blocks = 4;
    state.model.blockForwardFlops = 1e7;
    state.model.decoderForwardFlops = 1e7;
    state.model.activationBits = 1e5;
    state.edge = {edgeFlops, 1e-4, 2};
    ClusterState& cluster = state.clusters[0];
    for (auto* node : {&cluster.controlUnit, &cluster.devices[0], &cluster.devices[1]})
    {
        node->flops = 1e10;
    }
    RoundPlan plan = MakePlan();
    plan.schedule = schedule;
    plan.localIterations = 2; // of one the edge server does not see the end
    ChainPlan chain;
    chain.stages = {{CONTROL_UNIT, true, 0, 0, false, false},
                    {1, false, 0, 2, false, false},
                    {2, false, 2, 4, false, false},
                    {EDGE_SERVER, false, 4, 4, true, false}};
    chain.microBatches = 4;
    plan.clusters[0].chains = {chain};
    return {instance, plan};
}

/// What a monitor makes of a round whose iterations took so long
SystemState
LearnIteration(const SystemState& state, const RoundPlan& plan, double measuredS)
{
    const auto monitor = CreateObject<LinkMonitor>();
    SystemState seen = state;
    monitor->Update(seen);
    monitor->BeginRound(1, plan);
    monitor->ObserveIteration(0, measuredS);
    monitor->EndRound(1);
    seen = state;
    monitor->Update(seen);
    return seen;
}

} // namespace

TEST(LinkMonitor, ForecastsIterationsThatTakeLongerThanTheirTransfersExplain)
{
    std::mt19937 random(17);
    std::uniform_real_distribution<double> extraS(0, 0.05);
    for (const std::string schedule : {"gpipe", "1f1b"})
    {
        auto [instance, plan] = MakePipeline(1e10, schedule);
        const double measuredS =
            EvaluatePlan(instance, plan).clusters[0].iterationS + extraS(random);
        instance.state = LearnIteration(instance.state, plan, measuredS);
        EXPECT_NEAR(EvaluatePlan(instance, plan).clusters[0].iterationS, measuredS, 1e-9)
            << schedule;
    }
}

/// Of reserved airtime: what an iteration tells of it goes by its part of the iteration
TEST(LinkMonitor, BelievesOfWaitingWhatAnIterationCanTell)
{
    const auto learn = [](double edgeFlops, double change) {
        auto [instance, plan] = MakePipeline(edgeFlops, "gpipe");
        plan.clusters[0].links.clear();
        SystemState& state = instance.state;
        state.model.activationBits = 5e6;
        state.clusters[0].d2d.sharing = Sharing::RESERVED;
        state.uplink = state.downlink = PoolState();
        for (auto& device : state.clusters[0].devices)
        {
            device.uplink.fixedRateBps = device.downlink.fixedRateBps = 1e9;
        }
        auto& unit = state.clusters[0].controlUnit;
        unit.uplink.fixedRateBps = unit.downlink.fixedRateBps = 1e9;
        const double plannedS = EvaluatePlan(instance, plan).clusters[0].edgePeriodS;
        const double before = state.clusters[0].d2dLinks[1][2].efficiency;
        const auto seen = LearnIteration(state, plan, plannedS * change);
        instance.state = seen;
        return std::pair{seen.clusters[0].d2dLinks[1][2].efficiency / before,
                         EvaluatePlan(instance, plan).clusters[0].edgePeriodS /
                             (plannedS * change)};
    };
    // Computed at the edge server, and off by what such iterations are off: no link is faster
    EXPECT_NEAR(learn(1e8, 0.99).first, 1, 0.1);
    EXPECT_NEAR(learn(1e8, 1.01).first, 1, 0.1);
    // On the air for a good part of it: that is forecast
    EXPECT_NEAR(learn(1e12, 1.3).second, 1, 0.05);
    EXPECT_NEAR(learn(1e12, 0.85).second, 1, 0.05);
    EXPECT_LT(learn(1e12, 1.3).first, 0.9);
}

namespace
{

std::vector<LinkReport> g_reports;
std::vector<double> g_forecasts;

void
KeepReport(const LinkReport& report)
{
    g_reports.push_back(report);
}

void
KeepForecast(uint32_t round, double plannedS, double measuredS)
{
    g_forecasts = {static_cast<double>(round), plannedS, measuredS};
}

} // namespace

TEST(LinkMonitor, ReportsWhatItHandsOn)
{
    g_reports.clear();
    const auto monitor = CreateObject<LinkMonitor>();
    ASSERT_TRUE(monitor->TraceConnectWithoutContext("Report", MakeCallback(&KeepReport)));
    ASSERT_TRUE(monitor->TraceConnectWithoutContext("Forecast", MakeCallback(&KeepForecast)));
    const auto meter = monitor->AddMeter({0, 1, EDGE_SERVER});
    auto state = MakeState();
    monitor->Update(state);
    auto plan = MakePlan();
    plan.plannedLatencyS = 3;
    monitor->BeginRound(5, plan);
    monitor->ObserveSinr(meter, 2, 0.1);
    monitor->ObserveSinr(meter, 4, 0.1);
    monitor->ObserveMcs(meter, 7);
    monitor->ObserveMcs(meter, 10);
    monitor->ObserveTransfer({0, 1, EDGE_SERVER}, Phase::UPLOAD, 6e6, 2, false, 0.4);
    monitor->EndRound(3.5);
    state = MakeState();
    monitor->Update(state);
    ASSERT_EQ(g_reports.size(), 1U);
    const auto& report = g_reports.front();
    EXPECT_EQ(report.link.from, 1);
    EXPECT_EQ(report.link.to, EDGE_SERVER);
    EXPECT_EQ(report.round, 5U);
    EXPECT_NEAR(report.sinr, 6, 1e-12); // at 0.2 W, the link's full power
    EXPECT_NEAR(report.mcs, 8.5, 1e-12);
    EXPECT_NEAR(report.goodputBps, 3e6, 1e-6);
    const auto& link = state.clusters[0].devices[0].uplink;
    EXPECT_EQ(report.gain, link.gain);
    EXPECT_EQ(report.efficiency, link.efficiency);
    EXPECT_EQ(report.snrGap, link.snrGap);
    EXPECT_EQ(report.delayS, link.latencyS);
    EXPECT_EQ(g_forecasts, (std::vector<double>{5, 3, 3.5}));
}

TEST(LinkMonitor, LeavesWiresAlone)
{
    const auto monitor = CreateObject<LinkMonitor>();
    auto state = MakeState();
    state.uplink.mode = SharingMode::DEDICATED;
    state.clusters[0].devices[0].uplink.fixedRateBps = 1e7;
    const auto wires = state;
    monitor->Update(state);
    monitor->BeginRound(1, MakePlan());
    monitor->ObserveTransfer({0, 1, EDGE_SERVER}, Phase::UPLOAD, LARGE_BITS, 3, false, 1);
    monitor->EndRound(1);
    state = wires;
    monitor->Update(state);
    EXPECT_EQ(state.clusters[0].devices[0].uplink.latencyS, 5e-3);
    EXPECT_EQ(state.clusters[0].devices[0].uplink.fixedRateBps, 1e7);
}

} // namespace collapipe
} // namespace ns3
