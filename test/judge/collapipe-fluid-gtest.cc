/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-reference.h"
#include "gtest/collapipe-control-random.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/collapipe-fluid-search.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-round-solver.h"
#include "ns3/collapipe-uniform-pipeline-controller.h"

#include <gtest/gtest.h>

namespace ns3
{
namespace collapipe
{
namespace
{

constexpr double CLOSE = 1e-9; //!< relative, where only rounding differs

/// Media, radios and acknowledgements of a random instance made work-conserving
void
Share(test::RandomInstance& random, SystemState& state)
{
    const auto change = [&](PoolState& pool) {
        pool.sharing = random.Chance(0.8) ? Sharing::WORK_CONSERVING : Sharing::RESERVED;
        pool.priorities = random.Chance(0.5);
        pool.background = random.Chance(0.3) ? random.Uniform(0, 0.5) : 0;
    };
    change(state.uplink);
    change(state.downlink);
    const bool acks = random.Chance(0.5);
    const auto tune = [&](LinkState& link) {
        link.acknowledgementRatio = acks ? random.Uniform(0, 0.05) : 0;
        link.circuitPowerW = random.Uniform(0, 0.5);
        link.amplifierEfficiency = random.Uniform(0.2, 1);
        link.receivePowerW = random.Uniform(0, 0.5);
    };
    for (auto& cluster : state.clusters)
    {
        change(cluster.d2d);
        tune(cluster.controlUnit.uplink);
        tune(cluster.controlUnit.downlink);
        for (auto& device : cluster.devices)
        {
            tune(device.uplink);
            tune(device.downlink);
        }
        for (auto& row : cluster.d2dLinks)
        {
            for (auto& link : row)
            {
                tune(link);
            }
        }
    }
}

test::RandomShape
MakeShape(uint32_t number)
{
    test::RandomShape shape;
    shape.clusters = 1 + number % 3;
    shape.devices = 1 + number % 5;
    shape.blocks = 2 + number % 7;
    shape.microBatches = 1 + number % 6;
    shape.dedicated = true;
    shape.schedule = number % 4 == 3 ? "1f1b" : "gpipe";
    return shape;
}

RoundPlan
MakePlan(test::RandomInstance& random, const Instance& instance, bool weights)
{
    RoundPlan plan;
    plan.localIterations = instance.state.training.localIterations;
    plan.schedule = instance.state.training.schedule;
    for (const auto& choice : random.MakeChoice(instance))
    {
        plan.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)}, {}});
    }
    SetEqualLinks(instance.state, plan);
    for (auto& cluster : plan.clusters)
    {
        for (auto& link : cluster.links)
        {
            link.share *= weights ? random.Log(0.05, 1) : 1;
            link.powerW *= link.from == EDGE_SERVER ? 1 : random.Log(0.1, 1);
            link.priority = random.Chance(0.3) ? 1 : 0;
        }
    }
    return plan;
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

/// Any mixture of media against the reference by hand
TEST(FluidModel, EqualsTheReferenceInAnyMedium)
{
    FluidModel fluid;
    for (uint32_t i = 0; i < 600; ++i)
    {
        test::RandomInstance random(i + 1);
        Instance instance = random.Make(MakeShape(i));
        Share(random, instance.state);
        instance.state.training.clipping = i % 5 == 0;
        const RoundPlan plan = MakePlan(random, instance, i % 3 > 0);
        const judge::FluidTimes expected = judge::PlayByHand(instance.state, plan);
        const FluidRound played = fluid.Play(instance.state, plan);
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

/// DSSDA's options with one decision switched off
const std::vector<SolverOptions> ABLATIONS{{false, true, {true, true}},
                                           {true, false, {true, true}},
                                           {true, true, {false, true}},
                                           {true, true, {true, false}}};

/// No plan is worse, in the model, than any baseline or ablation or a plan at hand: in both media
void
ExpectNeverWorse(bool works, uint32_t instances)
{
    RoundSolver solver;
    uint32_t feasible = 0;
    for (uint32_t i = 0; i < instances; ++i)
    {
        test::RandomInstance random(i + 900);
        Instance instance = random.Make(MakeShape(i));
        if (works)
        {
            Share(random, instance.state);
        }
        if (i % 3 == 0)
        {
            instance.state.training.recomputation = Recomputation::AUTO;
            instance.state.model.segmentInputBytes = 1e4;
        }
        const RoundSolution full = solver.Solve(instance);
        if (!full.plan.infeasible.empty())
        {
            continue;
        }
        ++feasible;
        EXPECT_EQ(CheckPlan(instance.state, full.plan), "") << i;
        EXPECT_NEAR(EvaluatePlan(instance, full.plan).objective,
                    full.evaluation.objective,
                    CLOSE * full.evaluation.latencyTerm)
            << i;
        const double most = full.evaluation.objective - 2e-6 * full.evaluation.latencyTerm;
        const auto expect = [&](const RoundPlan& plan, const std::string& who) {
            if (plan.infeasible.empty() && CheckPlan(instance.state, plan).empty())
            {
                EXPECT_GE(EvaluatePlan(instance, plan).objective, most) << who << i;
            }
        };
        for (std::size_t a = 0; a < ABLATIONS.size(); ++a)
        {
            expect(solver.Solve(instance, ABLATIONS[a]).plan,
                   "ablation " + std::to_string(a) + " ");
        }
        expect(CreateObject<UniformPipelineController>()->Decide(instance.state), "uniform ");
        const RoundPlan other = MakePlan(random, instance, false);
        const RoundSolution known = solver.Solve(instance, SolverOptions(), &other);
        if (CheckPlan(instance.state, other).empty())
        {
            EXPECT_LE(known.evaluation.objective - 2e-6 * known.evaluation.latencyTerm,
                      EvaluatePlan(instance, other).objective)
                << i;
        }
    }
    EXPECT_GT(feasible, instances / 2);
}

TEST(FluidSearch, NoPlanIsWorseThanOneAtHandInReservedMedia)
{
    ExpectNeverWorse(false, 80);
}

TEST(FluidSearch, NoPlanIsWorseThanOneAtHandInWorkConservingMedia)
{
    ExpectNeverWorse(true, 80);
}

/// Two clusters on one uplink, one of them slower: it goes first
TEST(FluidSearch, TheCriticalClusterGoesFirst)
{
    test::RandomInstance random(3);
    test::RandomShape shape;
    shape.clusters = 2;
    shape.devices = 2;
    shape.blocks = 4;
    shape.queues = false;
    shape.targets = false;
    shape.tightMemory = 0;
    Instance instance = random.Make(shape);
    instance.convergenceQueue = 0;
    SystemState& state = instance.state;
    state.uplink = {SharingMode::FREQUENCY, 5e6};
    state.downlink = {SharingMode::AIRTIME, 5e6};
    state.uplink.sharing = state.downlink.sharing = Sharing::WORK_CONSERVING;
    state.training.allowedPairs = {{4, 4}};
    state.training.fixedPair = {4, 4};
    for (auto& device : state.clusters[1].devices)
    {
        device.flops = state.clusters[0].devices[0].flops / 3;
    }
    RoundSolver solver;
    const RoundSolution equal = solver.Solve(instance, {true, true, {false, true}});
    const RoundSolution weighted = solver.Solve(instance);
    EXPECT_LT(weighted.evaluation.latencyS, equal.evaluation.latencyS * (1 + 1e-9));
}

} // namespace
} // namespace collapipe
} // namespace ns3
