/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-link-monitor.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

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
    LinkMonitor monitor;
    SystemState state;
    for (int round = 0; round <= rounds; ++round)
    {
        state = MakeState();
        const auto expected = state.clusters[0].devices[0].uplink;
        monitor.Update(state);
        monitor.BeginRound(MakePlan());
        const double rate = GetRateBps(expected, state.uplink, 0.4, 0.1);
        const LinkId link{0, 1, EDGE_SERVER};
        for (int i = 0; i < 20; ++i)
        {
            const double x = slowness * SMALL_BITS / rate;
            monitor.ObserveTransfer(link, Phase::TRAINING, SMALL_BITS, delayS + x, false);
            if (hasQueued)
            {
                monitor.ObserveTransfer(link, Phase::TRAINING, SMALL_BITS, x, true);
            }
        }
        monitor.ObserveTransfer(link,
                                Phase::UPLOAD,
                                LARGE_BITS,
                                delayS + slowness * LARGE_BITS / rate,
                                false);
        monitor.EndRound();
    }
    state = MakeState();
    monitor.Update(state);
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
    LinkMonitor monitor;
    auto state = MakeState();
    monitor.Update(state);
    monitor.BeginRound(MakePlan());
    const double expectedSnr = 0.1 * 1e-11 / (1e-20 * 18e6);
    monitor.ObserveSinr({0, 1, EDGE_SERVER}, expectedSnr / 4, 0.1);
    monitor.EndRound();
    monitor.Update(state);
    EXPECT_NEAR(state.clusters[0].devices[0].uplink.gain, 1e-11 / 4, 1e-17);
    EXPECT_EQ(state.clusters[0].devices[1].uplink.gain, 1e-11);
}

TEST(LinkMonitor, LeavesWiresAlone)
{
    LinkMonitor monitor;
    auto state = MakeState();
    state.uplink.mode = SharingMode::DEDICATED;
    state.clusters[0].devices[0].uplink.fixedRateBps = 1e7;
    monitor.Update(state);
    monitor.BeginRound(MakePlan());
    monitor.ObserveTransfer({0, 1, EDGE_SERVER}, Phase::UPLOAD, LARGE_BITS, 3, false);
    monitor.EndRound();
    monitor.Update(state);
    EXPECT_EQ(state.clusters[0].devices[0].uplink.latencyS, 5e-3);
    EXPECT_EQ(state.clusters[0].devices[0].uplink.fixedRateBps, 1e7);
}

} // namespace collapipe
} // namespace ns3
