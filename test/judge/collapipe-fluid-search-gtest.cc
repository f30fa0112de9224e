/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The search that goes by the fluid model: what it finds is no worse than what is at hand

#include "collapipe-fluid-makers.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
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

/// DSSDA's options with one decision switched off
const std::vector<SolverOptions> ABLATIONS{{false, true, {true, true}},
                                           {true, false, {true, true}},
                                           {true, true, {false, true}},
                                           {true, true, {true, false}}};

/**
 * No plan is worse, in the model, than any baseline or ablation or a plan at hand.
 * @return whether there is a plan
 */
bool
ExpectNeverWorse(RoundSolver& solver,
                 test::RandomInstance& random,
                 const Instance& instance,
                 const std::string& name)
{
    const RoundSolution full = solver.Solve(instance);
    if (!full.plan.infeasible.empty())
    {
        return false;
    }
    EXPECT_EQ(CheckPlan(instance.state, full.plan), "") << name;
    EXPECT_NEAR(EvaluatePlan(instance, full.plan).objective,
                full.evaluation.objective,
                CLOSE * full.evaluation.latencyTerm)
        << name;
    const double most = full.evaluation.objective - 2e-6 * full.evaluation.latencyTerm;
    const auto expect = [&](const RoundPlan& plan, const std::string& who) {
        if (plan.infeasible.empty() && CheckPlan(instance.state, plan).empty())
        {
            EXPECT_GE(EvaluatePlan(instance, plan).objective, most) << who << name;
        }
    };
    for (std::size_t a = 0; a < ABLATIONS.size(); ++a)
    {
        expect(solver.Solve(instance, ABLATIONS[a]).plan, "ablation " + std::to_string(a) + " ");
    }
    for (const std::string baseline : {"uniform-pipeline", "static-pipeline"})
    {
        expect(CreateController(baseline)->Decide(instance.state), baseline + " ");
    }
    const RoundPlan other = MakePlan(random, instance, false);
    const RoundSolution known = solver.Solve(instance, SolverOptions(), &other);
    if (CheckPlan(instance.state, other).empty())
    {
        EXPECT_LE(known.evaluation.objective - 2e-6 * known.evaluation.latencyTerm,
                  EvaluatePlan(instance, other).objective)
            << name;
    }
    return true;
}

/// The same for many random instances
void
ExpectNeverWorse(bool works, uint32_t instances)
{
    RoundSolver solver;
    uint32_t feasible = 0;
    for (uint32_t i = 0; i < instances; ++i)
    {
        test::RandomInstance random(i + 900);
        Instance instance = random.Make(MakeShape(i));
        const bool collects = i % 4 == 2;
        instance.state.training.uploadRule = collects ? UploadRule::COLLECTED : UploadRule::DIRECT;
        if (works)
        {
            Share(random, instance.state);
        }
        if (i % 3 == 0)
        {
            instance.state.training.recomputation = Recomputation::AUTO;
            instance.state.model.segmentInputBytes = 1e4;
        }
        feasible += ExpectNeverWorse(solver, random, instance, std::to_string(i)) ? 1 : 0;
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

/// Kinds of small instances in which searches are easily caught
struct SmallKind
{
    const char* name;
    uint32_t clusters, devices, blocks;
    const char* schedule;
    SharingMode edge, d2d;
    bool recomputes; //!< where memory is short
    bool queues;     //!< of energy, so that it counts; else latency alone
    bool samples;    //!< the convergence queue is long, so that samples count
};

constexpr SmallKind SMALL_KINDS[] = {
    {"wires", 1, 3, 4, "gpipe", SharingMode::DEDICATED, SharingMode::DEDICATED, true, true, true},
    {"three clusters", 3, 5, 10, "1f1b", SharingMode::DEDICATED, SharingMode::AIRTIME, 0, true, 0},
    {"latency", 1, 5, 10, "gpipe", SharingMode::DEDICATED, SharingMode::AIRTIME, 0, false, false},
    {"energy", 1, 5, 10, "gpipe", SharingMode::FREQUENCY, SharingMode::FREQUENCY, 0, true, false},
    {"memory", 2, 5, 8, "gpipe", SharingMode::DEDICATED, SharingMode::FREQUENCY, true, true, true},
};

/// An instance of a kind; its links are drawn for media of its own, so that rates make sense
Instance
MakeSmall(test::RandomInstance& random, const SmallKind& kind, bool works)
{
    test::RandomShape shape;
    shape.clusters = kind.clusters;
    shape.devices = kind.devices;
    shape.blocks = kind.blocks;
    shape.schedule = kind.schedule;
    shape.tightMemory = kind.recomputes ? 1 : 0.5;
    Instance instance = random.Make(shape);
    SystemState& state = instance.state;
    state.uplink.mode = state.downlink.mode = kind.edge;
    for (auto& cluster : state.clusters)
    {
        cluster.d2d.mode = kind.d2d;
    }
    if (works)
    {
        Share(random, state);
    }
    state.training.allowedPairs.clear();
    for (const uint32_t samples : {16U, 32U})
    {
        for (uint32_t n = 1; n <= 16 && (samples == 16 || kind.samples); n *= 2)
        {
            state.training.allowedPairs.push_back({n, samples / n});
        }
    }
    state.training.fixedPair = {2, 8};
    if (kind.recomputes)
    {
        state.training.recomputation = Recomputation::AUTO;
        state.model.segmentInputBytes = state.model.activationBytesPerBlock / 17;
    }
    instance.convergencePrice = kind.samples ? random.Log(100, 1e4) : 0;
    for (auto& row : instance.energyPrices)
    {
        for (double& queue : row)
        {
            queue = kind.queues ? random.Log(3e-3, 10) : 0;
        }
    }
    return instance;
}

TEST(FluidSearch, NoPlanOfASmallInstanceIsWorseThanABaselineOrAnAblation)
{
    RoundSolver solver;
    for (const bool works : {false, true})
    {
        for (const auto& kind : SMALL_KINDS)
        {
            uint32_t feasible = 0;
            for (uint32_t i = 0; i < 6; ++i)
            {
                test::RandomInstance random(i + 70);
                const Instance instance = MakeSmall(random, kind, works);
                const std::string name = std::string(kind.name) + " " + std::to_string(i) +
                                         (works ? " work-conserving" : " reserved");
                feasible += ExpectNeverWorse(solver, random, instance, name) ? 1 : 0;
            }
            EXPECT_GT(feasible, 2) << kind.name;
        }
    }
}

/**
 * Two clusters on one uplink. In each iteration both compute and then send as much: the second
 * one's devices are slow, so that it ends last, and waiting for the first one's transfers costs it
 * more than the other way round.
 */
Instance
MakeCriticalCluster(bool priorities)
{
    test::RandomInstance random(3);
    test::RandomShape shape;
    shape.clusters = 2;
    shape.devices = 1;
    shape.blocks = 2;
    shape.queues = shape.targets = shape.latencies = false;
    shape.tightMemory = 0;
    Instance instance = random.Make(shape);
    instance.convergencePrice = 0;
    SystemState& state = instance.state;
    state.uplink = {SharingMode::AIRTIME, 1e7, Sharing::WORK_CONSERVING, priorities, 0};
    state.downlink = {SharingMode::DEDICATED, 0};
    state.edge = {1e15, 0, 2};
    state.training.localIterations = 20;
    state.training.allowedPairs = {{1, 4}};
    state.training.fixedPair = {1, 4};
    ModelProfile& model = state.model;
    model.blockForwardFlops = 1e8;
    model.embeddingForwardFlops = model.decoderForwardFlops = 1e3;
    model.activationBits = 1.5e6;
    model.targetBits = 0;
    model.blockParameterBits = model.embeddingParameterBits = 1e3;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        ClusterState& cluster = state.clusters[m];
        cluster.d2d = {SharingMode::DEDICATED, 0};
        for (auto& row : cluster.d2dLinks)
        {
            for (auto& link : row)
            {
                link = LinkState();
                link.fixedRateBps = 1e12;
            }
        }
        for (DeviceState* device : {&cluster.controlUnit, &cluster.devices[0]})
        {
            // 2 blocks, 4 samples, forward and backward: 2.4e9 FLOPs
            device->flops = m == 0 ? 2.4e11 : 2.4e10;
            device->overheadS = 0;
            device->memoryBytes = 1e12;
            LinkState radio;
            radio.maxPowerW = 1;
            radio.noiseDensityWPerHz = 1e-7;
            radio.gain = 1023; // 10 bit/s/Hz: 4 samples take 60 ms of the uplink
            device->uplink = radio;
            device->downlink = LinkState();
            device->downlink.fixedRateBps = 1e12;
        }
    }
    return instance;
}

TEST(FluidSearch, TheCriticalClusterGoesFirst)
{
    for (const bool priorities : {false, true})
    {
        const Instance instance = MakeCriticalCluster(priorities);
        RoundSolver solver;
        const RoundSolution equal = solver.Solve(instance, {true, true, {false, true}});
        const RoundSolution weighted = solver.Solve(instance);
        // Alone the critical cluster takes 20 (100 + 60) ms, beside the other with equal shares
        // more
        EXPECT_GT(equal.evaluation.latencyS, 1.1 * 3.2);
        EXPECT_LT(weighted.evaluation.latencyS, 1.03 * 3.2);
        const auto find = [&](std::size_t m) {
            const auto& links = weighted.plan.clusters[m].links;
            return *std::find_if(links.begin(), links.end(), [](const LinkPlan& link) {
                return link.phase == Phase::TRAINING && link.to == EDGE_SERVER;
            });
        };
        const LinkPlan quick = find(0);
        const LinkPlan critical = find(1);
        const bool first =
            critical.priority > quick.priority ||
            (critical.priority == quick.priority && critical.share > 3 * quick.share);
        EXPECT_TRUE(first) << +critical.priority << " " << critical.share << " against "
                           << +quick.priority << " " << quick.share;
        EXPECT_TRUE(priorities || critical.priority == 0);
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
