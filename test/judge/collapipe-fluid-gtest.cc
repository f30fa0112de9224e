/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The fluid model of a round against closed forms and a reference by hand

#include "collapipe-fluid-makers.h"
#include "collapipe-fluid-reference.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-reservation.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

using test::MakePlan;
using test::MakeShape;
using test::Share;

constexpr double CLOSE = 1e-9; //!< relative, where only rounding differs

/// Control units of some clusters collect the parameters
void
Collect(test::RandomInstance& random, SystemState& state)
{
    state.training.uploadRule = UploadRule::AUTO;
    for (auto& cluster : state.clusters)
    {
        cluster.path = random.Chance(0.7) ? UploadPath::COLLECTED : UploadPath::DIRECT;
    }
}

TEST(FluidModel, MediumIsDividedByWeightsCapsAndPriorities)
{
    std::vector<MediumUser> users{{1, 0, 1, 0}, {3, 0, 1, 0}};
    DivideMedium(users, 1);
    EXPECT_NEAR(users[0].share, 0.25, CLOSE);
    EXPECT_NEAR(users[1].share, 0.75, CLOSE);
    // What a capped one leaves goes to the others in the same proportion
    users = {{1, 0, 1, 0}, {3, 0, 0.3, 0}, {2, 0, 1, 0}};
    DivideMedium(users, 0.9);
    EXPECT_NEAR(users[0].share, 0.2, CLOSE);
    EXPECT_NEAR(users[1].share, 0.3, CLOSE);
    EXPECT_NEAR(users[2].share, 0.4, CLOSE);
    // Strict priorities; what a class leaves goes to the next
    users = {{1, 0, 1, 0}, {1, 2, 0.2, 0}, {5, 1, 0.3, 0}, {3, 0, 1, 0}};
    DivideMedium(users, 1);
    EXPECT_NEAR(users[1].share, 0.2, CLOSE);
    EXPECT_NEAR(users[2].share, 0.3, CLOSE);
    EXPECT_NEAR(users[0].share, 0.125, CLOSE);
    EXPECT_NEAR(users[3].share, 0.375, CLOSE);
}

/// In reserved media (16) is (3), (4)
TEST(FluidModel, ReservedMediaGiveTheClosedForm)
{
    FluidModel fluid;
    for (uint32_t i = 0; i < 600; ++i)
    {
        test::RandomInstance random(i + 1);
        Instance instance = random.Make(MakeShape(i));
        instance.state.training.clipping = i % 5 == 0;
        if (i % 4 == 3)
        {
            random.AddBase(instance);
        }
        if (i % 3 == 1)
        {
            Collect(random, instance.state);
        }
        const RoundPlan plan = MakePlan(random, instance, true);
        const Evaluation expected = EvaluatePlan(instance, plan);
        const FluidRound played = fluid.Play(instance.state, plan);
        EXPECT_NEAR(played.latencyS, expected.latencyS, CLOSE * expected.latencyS) << i;
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            const auto& cluster = expected.clusters[m];
            EXPECT_NEAR(played.clusters[m].totalS, cluster.totalS, CLOSE * cluster.totalS) << i;
            for (std::size_t l = 0; l < cluster.links.size(); ++l)
            {
                EXPECT_NEAR(played.clusters[m].links[l].airS,
                            cluster.links[l].airS,
                            CLOSE * cluster.links[l].airS)
                    << i;
            }
        }
    }
}

/**
 * (4) with control units that collect: what a device gives goes over D2D, then the whole to the
 * edge server; likewise down. Here against sums over the plan's links and the model's sizes.
 */
TEST(FluidModel, CollectedParametersTakeTwoLegs)
{
    FluidModel fluid;
    for (uint32_t i = 0; i < 200; ++i)
    {
        test::RandomInstance random(i + 7000);
        Instance instance = random.Make(MakeShape(i));
        instance.state.training.uploadRule = UploadRule::COLLECTED;
        RoundPlan plan = MakePlan(random, instance, true);
        plan.mayExceedMemory = true;
        ASSERT_EQ(CheckPlan(instance.state, plan), "") << i;
        const auto& model = instance.state.model;
        const FluidRound played = fluid.Play(instance.state, plan);
        const Evaluation evaluation = EvaluatePlan(instance, plan);
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            const auto& cluster = instance.state.clusters[m];
            const auto takeS = [&](Phase phase, NodeIndex from, NodeIndex to, double bits, int n) {
                LinkPlan own;
                own.powerW = FindLinkState(cluster, from, to)->maxPowerW;
                FindLinkPlan(instance.state, m, plan.clusters[m], phase, from, to, own);
                const LinkState& link = *FindLinkState(cluster, from, to);
                const double rate =
                    GetLinkRateBps(instance.state, m, from, to, own.share, own.powerW);
                const double overheadBits =
                    GetMessageOverheadBits(link,
                                           GetLinkPool(instance.state, m, from, to),
                                           own.powerW);
                return link.latencyS + (bits + n * overheadBits) / rate;
            };
            double up = 0;
            double down = 0;
            double whole = model.embeddingParameterBits;
            const double part = model.distributedPart;
            int messages = 1;
            for (const auto& stage : plan.clusters[m].chains[0].stages)
            {
                const double bits = stage.GetBlocks() * model.blockParameterBits;
                if (bits > 0)
                {
                    up = std::max(up, takeS(Phase::UPLOAD, stage.node, CONTROL_UNIT, bits, 1));
                    down = std::max(
                        down,
                        takeS(Phase::DISTRIBUTION, CONTROL_UNIT, stage.node, part * bits, 1));
                    whole += bits;
                    ++messages;
                }
            }
            up += takeS(Phase::UPLOAD, CONTROL_UNIT, EDGE_SERVER, whole, messages);
            down += takeS(Phase::DISTRIBUTION, EDGE_SERVER, CONTROL_UNIT, part * whole, messages);
            EXPECT_NEAR(evaluation.clusters[m].uploadS, up, CLOSE * up) << i;
            EXPECT_NEAR(evaluation.clusters[m].distributionS, down, CLOSE * down) << i;
            EXPECT_NEAR(played.clusters[m].uploadS, up, CLOSE * played.latencyS) << i;
            EXPECT_NEAR(played.clusters[m].distributionS, down, CLOSE * played.latencyS) << i;
        }
    }
}

/// Any mixture of media against the reference by hand
TEST(FluidModel, EqualsTheReferenceInAnyMedium)
{
    FluidModel fluid;
    uint32_t waits = 0; // instances in which a pass waits for a worker
    for (uint32_t i = 0; i < 600; ++i)
    {
        test::RandomInstance random(i + 1);
        Instance instance = random.Make(MakeShape(i));
        Share(random, instance.state);
        instance.state.training.clipping = i % 5 == 0;
        if (i % 4 == 3)
        {
            random.AddBase(instance, true);
        }
        if (i % 5 > 2)
        {
            Collect(random, instance.state);
        }
        const RoundPlan plan = MakePlan(random, instance, i % 3 > 0);
        instance.state.edge.queues = i % 2 == 1;
        instance.state.edge.flops /= i % 8 > 3 ? 1e4 : 1;
        const judge::FluidTimes expected = judge::PlayByHand(instance.state, plan);
        const FluidRound played = fluid.Play(instance.state, plan);
        Instance crowd = instance;
        crowd.state.edge.workers = 100;
        const bool differs = played.latencyS > fluid.Play(crowd.state, plan).latencyS * (1 + CLOSE);
        waits += instance.state.edge.queues && differs ? 1 : 0;
        const double tolerance = 1e-6 * expected.latencyS;
        EXPECT_NEAR(played.latencyS, expected.latencyS, tolerance) << i;
        const Evaluation evaluation = EvaluatePlan(instance, plan, fluid);
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            EXPECT_NEAR(played.clusters[m].distributionS, expected.distributionS[m], tolerance);
            EXPECT_NEAR(played.clusters[m].distributionS + played.clusters[m].trainingS,
                        expected.trainingS[m],
                        tolerance)
                << i;
            EXPECT_NEAR(played.clusters[m].totalS, expected.totalS[m], tolerance) << i;
            const auto& ends = expected.edgeEndsS[m];
            const auto periods = static_cast<double>(ends.size()) - 1;
            EXPECT_NEAR(played.clusters[m].edgePeriodS,
                        periods > 0 ? (ends.back() - ends.front()) / periods
                                    : ends.back() - expected.distributionS[m],
                        tolerance)
                << i;
            if (!IsWorkConserving(instance.state))
            {
                continue;
            }
            double sent = 0;
            for (const auto& link : evaluation.clusters[m].links)
            {
                sent += link.energyJ;
            }
            EXPECT_NEAR(sent, expected.radioJ[m], 1e-6 * expected.radioJ[m]) << i;
        }
    }
    EXPECT_GT(waits, 50U);
}

/// Where the control unit relays what goes to and from the edge server, each of these bits crosses
/// the one channel of the cluster, and a round lasts at least as long as all of them take there
TEST(FluidModel, RelayedTransfersTakeTheChannelThatRelaysThem)
{
    FluidModel fluid;
    for (uint32_t i = 0; i < 50; ++i)
    {
        test::RandomShape shape = MakeShape(i);
        shape.clusters = 1;
        test::RandomInstance random(i + 1);
        Instance instance = random.Make(shape);
        auto& state = instance.state;
        state.uplink = state.downlink = PoolState();
        auto& cluster = state.clusters[0];
        cluster.d2d = {SharingMode::AIRTIME, 2e7};
        cluster.d2d.sharing = Sharing::WORK_CONSERVING;
        for (auto& device : cluster.devices)
        {
            device.uplink.relay = device.downlink.relay = Relay::CONTROL_UNIT;
            device.uplink.fixedRateBps = device.downlink.fixedRateBps = 1e12;
        }
        const RoundPlan plan = MakePlan(random, instance, false);
        const FluidRound played = fluid.Play(state, plan);
        double channelS = 0;
        for (const auto& link : played.clusters[0].links)
        {
            const NodeIndex from = link.transfer.from;
            const NodeIndex to = link.transfer.to;
            const bool wired = from + to == EDGE_SERVER; // the control unit's own
            channelS += wired ? 0 : link.airS;
        }
        EXPECT_LE(channelS, played.latencyS * (1 + CLOSE)) << i;
        for (auto& device : cluster.devices)
        {
            device.uplink.relay = device.downlink.relay = Relay::NONE;
        }
        EXPECT_GT(played.latencyS, fluid.Play(state, plan).latencyS) << i;
    }
}

/// Nothing depends on what was played before
TEST(FluidModel, ReusedMemoryChangesNothing)
{
    FluidModel reused;
    for (uint32_t i = 0; i < 100; ++i)
    {
        test::RandomInstance random(i + 500);
        Instance instance = random.Make(MakeShape(i));
        Share(random, instance.state);
        const RoundPlan plan = MakePlan(random, instance, true);
        FluidModel fresh;
        EXPECT_EQ(reused.Play(instance.state, plan).latencyS,
                  fresh.Play(instance.state, plan).latencyS)
            << i;
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
