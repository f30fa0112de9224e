/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Nodes of a reserved cell: one reservation for all that a node sends

#include "collapipe-control-makers.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-radio-allocator.h"
#include "ns3/collapipe-reservation.h"
#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <map>

namespace ns3
{
namespace collapipe
{
namespace
{

using test::MakeController;

/// Random nodes of a reserved cell
struct CellCase
{
    explicit CellCase(uint64_t number, bool isPlain = false)
        : random(70000 + number)
    {
        test::RandomShape shape;
        shape.clusters = 1 + number % 3;
        shape.devices = 2 + number % 3;
        shape.blocks = 5;
        shape.microBatches = 1 + number % 4;
        shape.schedule = !isPlain && number % 4 == 3 ? "1f1b" : "gpipe";
        shape.targets = !isPlain;
        shape.tightMemory = 0.2;
        instance = random.Make(shape);
        random.SendThroughCell(instance);
    }

    RoundPlan MakeEqualPlan()
    {
        RoundPlan plan;
        plan.mayExceedMemory = true;
        plan.localIterations = instance.state.training.localIterations;
        plan.schedule = instance.state.training.schedule;
        for (const auto& choice : random.MakeChoice(instance))
        {
            plan.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)}, {}});
        }
        SetEqualLinks(instance.state, plan);
        return plan;
    }

    test::RandomInstance random; //!< source of randomness
    Instance instance;           //!< the round's problem
};

/// By phase, pool (0 uplink, 1 downlink), cluster and node: the node's share
using NodeShares = std::map<std::tuple<Phase, int, std::size_t, NodeIndex>, double>;

/// Independently of GetReservation()
NodeShares
GetNodeShares(const RoundPlan& plan)
{
    NodeShares shares;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            const bool down = link.from == EDGE_SERVER;
            double& share = shares[{link.phase, down ? 1 : 0, m, down ? link.to : link.from}];
            share = std::max(share, link.share);
        }
    }
    return shares;
}

std::map<std::pair<Phase, int>, double>
GetSums(const NodeShares& shares)
{
    std::map<std::pair<Phase, int>, double> sums;
    for (const auto& [key, share] : shares)
    {
        sums[{std::get<0>(key), std::get<1>(key)}] += share;
    }
    return sums;
}

TEST(ControlReservation, LinksOfANodeHaveOne)
{
    CellCase c(1);
    SystemState& state = c.instance.state;
    EXPECT_TRUE(IsPooled(state));
    EXPECT_TRUE(GetReservation(state, 0, 1, 2) == GetReservation(state, 0, 1, CONTROL_UNIT));
    EXPECT_TRUE(GetReservation(state, 0, 1, 2) == GetReservation(state, 0, 1, EDGE_SERVER));
    EXPECT_FALSE(GetReservation(state, 0, 1, 2) == GetReservation(state, 0, 2, 1));
    EXPECT_FALSE(GetReservation(state, 0, 1, 2) == GetReservation(state, 1, 1, 2));
    EXPECT_FALSE(GetReservation(state, 0, EDGE_SERVER, 1) ==
                 GetReservation(state, 0, EDGE_SERVER, 2));
    // Where shares are weights, and where nobody relays, a link has its own
    state.uplink.sharing = Sharing::WORK_CONSERVING;
    EXPECT_FALSE(IsPooled(state));
    EXPECT_FALSE(GetReservation(state, 0, 1, 2) == GetReservation(state, 0, 1, CONTROL_UNIT));
    state.uplink.sharing = Sharing::RESERVED;
    for (auto& row : state.clusters[0].d2dLinks)
    {
        for (auto& link : row)
        {
            link.relay = Relay::NONE;
        }
    }
    EXPECT_FALSE(IsPooled(state, 0, 1, EDGE_SERVER));
    EXPECT_TRUE(IsPooled(state, 1, 1, EDGE_SERVER));
    EXPECT_FALSE(GetReservation(state, 0, 1, 2) == GetReservation(state, 0, 1, CONTROL_UNIT));
}

TEST(ControlReservation, EqualSharesLeaveNoRoom)
{
    for (uint64_t i = 0; i < 100; ++i)
    {
        CellCase c(i);
        const RoundPlan plan = c.MakeEqualPlan();
        EXPECT_EQ(CheckPlan(c.instance.state, plan), "") << i;
        const NodeShares shares = GetNodeShares(plan);
        for (const auto& [pool, sum] : GetSums(shares))
        {
            EXPECT_NEAR(sum, 1, 1e-12) << i;
        }
        for (const auto& cluster : plan.clusters)
        {
            for (const auto& link : cluster.links)
            {
                const std::size_t m = &cluster - plan.clusters.data();
                const bool down = link.from == EDGE_SERVER;
                EXPECT_EQ(link.share,
                          shares.at({link.phase, down ? 1 : 0, m, down ? link.to : link.from}))
                    << i;
            }
        }
        // A little more for one link of a node is more for the node
        RoundPlan more = plan;
        more.clusters[0].links.back().share *= 1 + 1e-6;
        EXPECT_NE(CheckPlan(c.instance.state, more), "") << i;
    }
}

/// Links that are never active together have what each would have with the node's share alone
TEST(ControlReservation, InTurnIsAsAloneUnderGPipe)
{
    FluidModel fluid;
    for (uint64_t i = 0; i < 200; ++i)
    {
        CellCase c(i, true);
        const RoundPlan plan = c.MakeEqualPlan();
        const FluidRound played = fluid.Play(c.instance.state, plan);
        Instance apart = c.instance;
        for (auto& cluster : apart.state.clusters)
        {
            for (auto& row : cluster.d2dLinks)
            {
                for (auto& link : row)
                {
                    link.relay = Relay::NONE;
                }
            }
        }
        const Evaluation expected = EvaluatePlan(apart, plan);
        const Evaluation evaluation = EvaluatePlan(c.instance, plan);
        EXPECT_NEAR(played.latencyS, expected.latencyS, 1e-9 * expected.latencyS) << i;
        EXPECT_NEAR(evaluation.objective, expected.objective, 1e-9 * expected.latencyTerm) << i;
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            for (std::size_t l = 0; l < expected.clusters[m].links.size(); ++l)
            {
                const double airS = expected.clusters[m].links[l].airS;
                EXPECT_NEAR(played.clusters[m].links[l].airS, airS, 1e-9 * airS) << i;
            }
        }
    }
}

/// A random instance whose control units relay between reserved Wi-Fi and wires
struct GatewayCase
{
    explicit GatewayCase(uint64_t seed)
        : random(seed)
    {
        test::RandomShape shape;
        shape.clusters = 1 + seed % 3;
        shape.devices = 1 + seed % 4;
        shape.microBatches = 1 + seed % 5;
        instance = random.Make(shape);
        SystemState& state = instance.state;
        state.uplink.mode = state.downlink.mode = SharingMode::DEDICATED;
        for (auto& cluster : state.clusters)
        {
            cluster.d2d.mode = SharingMode::AIRTIME;
            cluster.controlUnit.uplink.fixedRateBps = cluster.controlUnit.downlink.fixedRateBps =
                1e9;
            for (std::size_t k = 0; k < cluster.devices.size(); ++k)
            {
                DeviceState& device = cluster.devices[k];
                device.uplink = cluster.d2dLinks[k + 1][0];
                device.downlink = cluster.d2dLinks[0][k + 1];
                for (LinkState* link : {&device.uplink, &device.downlink})
                {
                    link->relay = Relay::CONTROL_UNIT;
                    link->fixedRateBps = random.Log(1e6, 1e9);
                }
            }
        }
    }

    test::RandomInstance random; //!< source of randomness
    Instance instance;           //!< the round's problem
};

/// Shares of the hops of a cluster's medium in a phase, by transmitter and receiver
std::map<std::tuple<Phase, std::size_t, NodeIndex, NodeIndex>, double>
GetHopShares(const RoundPlan& plan)
{
    const auto hop = [](NodeIndex end) { return end == EDGE_SERVER ? CONTROL_UNIT : end; };
    std::map<std::tuple<Phase, std::size_t, NodeIndex, NodeIndex>, double> shares;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            if (hop(link.from) != hop(link.to))
            {
                double& share = shares[{link.phase, m, hop(link.from), hop(link.to)}];
                share = std::max(share, link.share);
            }
        }
    }
    return shares;
}

TEST(ControlReservation, WhatTheControlUnitRelaysHasTheHopsOne)
{
    GatewayCase c(3);
    SystemState& state = c.instance.state;
    EXPECT_TRUE(IsPooled(state));
    EXPECT_TRUE(GetReservation(state, 0, 1, EDGE_SERVER) ==
                GetReservation(state, 0, 1, CONTROL_UNIT));
    EXPECT_TRUE(GetReservation(state, 0, EDGE_SERVER, 1) ==
                GetReservation(state, 0, CONTROL_UNIT, 1));
    EXPECT_FALSE(GetReservation(state, 0, EDGE_SERVER, 1) ==
                 GetReservation(state, 0, 1, EDGE_SERVER));
    EXPECT_EQ(GetBudget(state, 0, CONTROL_UNIT, EDGE_SERVER), Pool::UPLINK);
    EXPECT_FALSE(IsPooled(state, 0, CONTROL_UNIT, EDGE_SERVER));
    // Half the share is half the rate, up to what the wire carries
    LinkState& up = state.clusters[0].devices[0].uplink;
    up.fixedRateBps = 1e12;
    const double whole = GetLinkRateBps(state, 0, 1, EDGE_SERVER, 1, up.maxPowerW);
    EXPECT_NEAR(GetLinkRateBps(state, 0, 1, EDGE_SERVER, 0.5, up.maxPowerW),
                whole / 2,
                1e-9 * whole);
    up.fixedRateBps = whole / 4;
    EXPECT_EQ(GetLinkRateBps(state, 0, 1, EDGE_SERVER, 0.5, up.maxPowerW), whole / 4);
    // Weights, or a medium of frequencies to the edge server: each has its own
    state.clusters[0].d2d.sharing = Sharing::WORK_CONSERVING;
    EXPECT_EQ(GetBudget(state, 0, 1, EDGE_SERVER), Pool::UPLINK);
    state.clusters[0].d2d.sharing = Sharing::RESERVED;
    state.uplink.mode = SharingMode::FREQUENCY;
    EXPECT_EQ(GetBudget(state, 0, 1, EDGE_SERVER), Pool::UPLINK);
}

TEST(ControlReservation, HopsShareTheMediumInEveryPhase)
{
    int feasible = 0;
    for (uint64_t i = 0; i < 60; ++i)
    {
        GatewayCase c(i);
        const SystemState& state = c.instance.state;
        RoundPlan equal;
        equal.mayExceedMemory = true;
        equal.localIterations = state.training.localIterations;
        equal.schedule = state.training.schedule;
        for (const auto& choice : c.random.MakeChoice(c.instance))
        {
            equal.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)}, {}});
        }
        SetEqualLinks(state, equal);
        RoundSolver solver;
        const RoundSolution solution = solver.Solve(c.instance);
        if (!solution.plan.infeasible.empty())
        {
            continue; // the devices' memory is too small
        }
        ++feasible;
        EXPECT_EQ(CheckPlan(state, solution.plan), "") << i;
        for (const RoundPlan& plan : {equal, solution.plan})
        {
            std::map<std::pair<Phase, std::size_t>, double> sums;
            for (const auto& [key, share] : GetHopShares(plan))
            {
                sums[{std::get<0>(key), std::get<1>(key)}] += share;
            }
            for (const auto& [key, sum] : sums)
            {
                EXPECT_NEAR(sum, 1, 1e-9) << i;
            }
        }
        // Deciding everything is no worse than leaving shares equal, or powers full
        for (bool RadioFreedom::*decision : {&RadioFreedom::shares, &RadioFreedom::powers})
        {
            SolverOptions without;
            without.radio.*decision = false;
            EXPECT_LE(solution.evaluation.objective,
                      solver.Solve(c.instance, without).evaluation.objective +
                          2e-6 * solution.evaluation.latencyTerm)
                << i;
        }
    }
    EXPECT_GT(feasible, 30);
}

/// @return every node's share and part of its power, the same for all its links
void
ExpectOneShareAndPower(const RadioProblem& problem, const RadioSolution& solution, uint64_t number)
{
    for (std::size_t l = 0; l < problem.links.size(); ++l)
    {
        const std::size_t lead = problem.links[l].lead;
        EXPECT_EQ(solution.shares[l], solution.shares[lead]) << number;
        EXPECT_NEAR(solution.powersW[l], solution.powersW[lead], 1e-12) << number;
        EXPECT_GT(solution.shares[l], 0) << number;
        EXPECT_GT(solution.powersW[l], 0) << number;
        EXPECT_LE(solution.powersW[l], problem.links[l].maxPowerW * (1 + 1e-12)) << number;
    }
}

std::vector<double>
GetPoolSums(const RadioProblem& problem, const std::vector<double>& shares)
{
    std::vector<double> sums(problem.pools, 0);
    for (std::size_t l = 0; l < shares.size(); ++l)
    {
        const auto& link = problem.links[l];
        const bool counts = link.mode != SharingMode::DEDICATED && link.lead == l;
        sums[link.pool] += counts ? shares[l] : 0;
    }
    return sums;
}

/// The problem stays convex: a point that no small feasible change improves is the optimum
TEST(ControlReservation, NoFeasibleChangeImprovesTheOptimum)
{
    RadioAllocator allocator;
    int priced = 0;
    for (uint64_t i = 0; i < 300; ++i)
    {
        CellCase c(i);
        RadioProblem problem;
        BuildRadioProblem(c.instance, c.random.MakeChoice(c.instance), RadioFreedom(), problem);
        const RadioSolution solution = allocator.Solve(problem, 1e-9);
        ASSERT_TRUE(solution.converged) << i;
        ExpectOneShareAndPower(problem, solution, i);
        for (const double sum : GetPoolSums(problem, solution.shares))
        {
            EXPECT_LE(sum, 1 + 1e-12) << i;
        }
        priced += std::any_of(problem.links.begin(),
                              problem.links.end(),
                              [](const RadioLink& link) { return link.pooled && link.price > 0; });
        const double scale = solution.objective - problem.constant;
        for (int change = 0; change < 60; ++change)
        {
            const double size = c.random.Log(1e-4, 0.5);
            auto shares = solution.shares;
            auto powers = solution.powersW;
            for (std::size_t l = 0; l < shares.size(); ++l)
            {
                const std::size_t lead = problem.links[l].lead;
                const bool some = c.random.Chance(0.5);
                shares[l] *= some ? std::exp(c.random.Uniform(-size, size)) : 1;
                powers[l] *= some ? std::exp(c.random.Uniform(-size, size)) : 1;
                shares[l] = shares[lead];
                powers[l] = std::min(powers[lead], problem.links[l].maxPowerW);
            }
            const auto sums = GetPoolSums(problem, shares);
            for (std::size_t l = 0; l < shares.size(); ++l)
            {
                shares[l] /= std::max(sums[problem.links[l].pool], 1.0);
            }
            EXPECT_GE(EvaluateRadio(problem, shares, powers), solution.objective - 1e-6 * scale)
                << i;
        }
    }
    EXPECT_GT(priced, 80);
}

TEST(ControlReservation, PlansKeepTheBudgetAndAreNoWorseThanBaselines)
{
    const std::vector<std::string> baselines{"uniform-pipeline",
                                             "static-pipeline",
                                             "tuned-uniform-pipeline",
                                             "tuned-static-pipeline",
                                             "dssda-equal-bandwidth",
                                             "dssda-uniform-segments",
                                             "dssda-fixed-micro-batches"};
    int compared = 0;
    for (uint64_t i = 0; i < 60; ++i)
    {
        const SystemState state = CellCase(i).instance.state;
        const RoundPlan best = MakeController("dssda")->Decide(state);
        if (!best.infeasible.empty())
        {
            continue;
        }
        EXPECT_EQ(CheckPlan(state, best), "") << i;
        for (const auto& [pool, sum] : GetSums(GetNodeShares(best)))
        {
            EXPECT_LE(sum, 1 + 1e-9) << i;
        }
        for (const auto& name : baselines)
        {
            const RoundPlan plan = MakeController(name)->Decide(state);
            if (plan.infeasible.empty())
            {
                ++compared;
                EXPECT_EQ(CheckPlan(state, plan), "") << name << i;
                EXPECT_LE(best.plannedLatencyS, plan.plannedLatencyS * (1 + 1e-5)) << name << i;
            }
        }
    }
    EXPECT_GT(compared, 250);
}

/// All chains of the devices
void
Enumerate(std::vector<Segment>& chain,
          NodeIndex devices,
          uint32_t left,
          const std::function<void()>& visit)
{
    if (left == 0)
    {
        visit();
        return;
    }
    for (NodeIndex node = 1; node <= devices; ++node)
    {
        const auto isIt = [&](const Segment& s) { return s.node == node; };
        for (uint32_t l = 1; l <= left && std::none_of(chain.begin(), chain.end(), isIt); ++l)
        {
            chain.push_back({node, l});
            Enumerate(chain, devices, left - l, visit);
            chain.pop_back();
        }
    }
}

TEST(ControlReservation, PlansAreWithinOnePercentOfEnumeration)
{
    RoundSolver solver;
    RadioAllocator allocator;
    RadioProblem problem;
    int compared = 0;
    int off = 0;
    for (uint64_t i = 0; i < 60; ++i)
    {
        CellCase c(3 * i, true); // of one cluster
        const Instance& instance = c.instance;
        const auto devices = static_cast<NodeIndex>(instance.state.clusters[0].devices.size());
        if (devices > 3)
        {
            continue;
        }
        const RoundSolution solution = solver.Solve(instance);
        double best = std::numeric_limits<double>::infinity();
        RoundChoice choice(1);
        for (const auto& pair : instance.state.training.allowedPairs)
        {
            choice[0] = {{}, pair};
            Enumerate(choice[0].segments, devices, instance.state.model.blocks, [&]() {
                if (FitsMemory(instance.state, 0, choice[0]))
                {
                    BuildRadioProblem(instance, choice, RadioFreedom(), problem);
                    best = std::min(best, allocator.Solve(problem, 1e-7, best).objective);
                }
            });
        }
        ASSERT_EQ(solution.plan.infeasible.empty(), std::isfinite(best)) << i;
        if (std::isfinite(best))
        {
            ++compared;
            const double excess = (solution.evaluation.objective - best) / std::abs(best);
            off += excess > 0.01 ? 1 : 0;
            EXPECT_LE(excess, 0.03) << i;
        }
    }
    EXPECT_GT(compared, 25);
    EXPECT_LE(off, 1);
}

} // namespace
} // namespace collapipe
} // namespace ns3
