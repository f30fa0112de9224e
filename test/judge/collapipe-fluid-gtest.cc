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
#include "ns3/collapipe-reservation.h"
#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

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
        link.receiveJPerBit = random.Chance(0.5) ? random.Log(1e-9, 1e-6) : 0;
        link.startupS = random.Chance(0.3) ? random.Log(1e-3, 0.1) : 0;
        link.maxSpectralEfficiency =
            random.Chance(0.3) ? random.Uniform(1, 8) : link.maxSpectralEfficiency;
    };
    const bool throughCell = random.Chance(0.3);
    const bool overControlUnit = random.Chance(0.3);
    if (overControlUnit && random.Chance(0.7))
    {
        // Wires behind hops, faster or slower than these
        state.uplink.mode = state.downlink.mode = SharingMode::DEDICATED;
    }
    for (auto& cluster : state.clusters)
    {
        change(cluster.d2d);
        tune(cluster.controlUnit.uplink);
        tune(cluster.controlUnit.downlink);
        for (auto& device : cluster.devices)
        {
            tune(device.uplink);
            tune(device.downlink);
            device.uplink.relay = device.downlink.relay =
                overControlUnit ? Relay::CONTROL_UNIT : Relay::NONE;
        }
        for (auto& row : cluster.d2dLinks)
        {
            for (auto& link : row)
            {
                tune(link);
                link.relay = throughCell ? Relay::BASE_STATION : Relay::NONE;
            }
        }
    }
}

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
        plan.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)},
                                 {},
                                 GetUploadPath(instance.state, plan.clusters.size())});
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
                return link.latencyS + (bits + n * link.overheadBits) / rate;
            };
            double up = 0;
            double down = 0;
            double whole = model.embeddingParameterBits;
            int messages = 1;
            for (const auto& stage : plan.clusters[m].chains[0].stages)
            {
                const double bits = stage.GetBlocks() * model.blockParameterBits;
                if (bits > 0)
                {
                    up = std::max(up, takeS(Phase::UPLOAD, stage.node, CONTROL_UNIT, bits, 1));
                    down = std::max(down,
                                    takeS(Phase::DISTRIBUTION, CONTROL_UNIT, stage.node, bits, 1));
                    whole += bits;
                    ++messages;
                }
            }
            up += takeS(Phase::UPLOAD, CONTROL_UNIT, EDGE_SERVER, whole, messages);
            down += takeS(Phase::DISTRIBUTION, EDGE_SERVER, CONTROL_UNIT, whole, messages);
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
