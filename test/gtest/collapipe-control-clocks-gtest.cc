/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The clocks at which nodes compute: what they cost, and which DSSDA chooses.

#include "collapipe-control-random.h"

#include "ns3/collapipe-clock-states.h"
#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

/// A random instance where energy has a price and nodes offer clocks
Instance
MakeInstance(uint64_t seed, uint32_t clusters, uint32_t devices, uint32_t clocks, bool works)
{
    test::RandomShape shape;
    shape.clusters = clusters;
    shape.devices = devices;
    shape.blocks = 2 + seed % 3;
    shape.microBatches = 3;
    test::RandomInstance random(seed);
    Instance instance = random.Make(shape);
    SystemState& state = instance.state;
    instance.energyPrices.clear();
    for (auto& cluster : state.clusters)
    {
        instance.energyPrices.emplace_back();
        for (NodeIndex k = 0; k <= cluster.devices.size(); ++k)
        {
            DeviceState& node = k == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[k - 1];
            for (uint32_t i = random.Count(0, clocks); i > 0; --i)
            {
                node.clocks.push_back(random.Uniform(0.2, 1));
            }
            node.staticPart = random.Chance(0.5) ? random.Uniform(0, 0.8) : 0;
            instance.energyPrices.back().push_back(random.Chance(0.8) ? random.Log(0.1, 100) : 0);
        }
        cluster.d2d.sharing = works ? Sharing::WORK_CONSERVING : Sharing::RESERVED;
    }
    state.uplink.sharing = works ? Sharing::WORK_CONSERVING : Sharing::RESERVED;
    state.downlink.sharing = state.uplink.sharing;
    return instance;
}

/// Every combination of the nodes' clocks
void
Enumerate(const SystemState& state, const std::function<void(const RoundClocks&)>& visit)
{
    RoundClocks clocks = GetFullClocks(state);
    const std::function<void(std::size_t, std::size_t)> choose = [&](std::size_t m, std::size_t k) {
        if (m == clocks.size())
        {
            visit(clocks);
            return;
        }
        if (k == clocks[m].size())
        {
            choose(m + 1, 0);
            return;
        }
        const auto& cluster = state.clusters[m];
        const DeviceState& node = k == 0 ? cluster.controlUnit : cluster.devices[k - 1];
        std::vector<double> list = node.clocks;
        list.push_back(1);
        for (const double clock : list)
        {
            clocks[m][k] = clock;
            choose(m, k + 1);
        }
    };
    choose(0, 0);
}

TEST(ControlClocks, EnergyIsLeastWhereItsDerivativeSaysSo)
{
    // d/dphi (s / phi + (1 - s) phi^2) = 0
    for (const double s : {0.05, 0.2, 0.5})
    {
        const auto energy = [&](double phi) { return GetClockPowerFactor(s, phi) / phi; };
        const double best = std::cbrt(s / (2 * (1 - s)));
        EXPECT_LT(energy(best), energy(best * 1.01));
        EXPECT_LT(energy(best), energy(best * 0.99));
    }
    EXPECT_DOUBLE_EQ(GetClockPowerFactor(0.3, 1), 1);
    EXPECT_DOUBLE_EQ(GetClockPowerFactor(0, 0.5), 0.125);
}

TEST(ControlClocks, APlanAtClocksIsAPlanOfSlowerNodes)
{
    RoundSolver solver;
    for (uint64_t seed = 1; seed <= 200; ++seed)
    {
        const Instance instance = MakeInstance(seed, 1 + seed % 2, 3, 3, seed % 3 == 0);
        SolverOptions options;
        options.clocks = false;
        RoundPlan plan = solver.Solve(instance, options).plan;
        if (!plan.infeasible.empty())
        {
            continue;
        }
        RoundClocks clocks = GetFullClocks(instance.state);
        test::RandomInstance random(seed);
        for (auto& cluster : clocks)
        {
            std::generate(cluster.begin(), cluster.end(), [&] { return random.Uniform(0.1, 1); });
        }
        Instance slower = instance;
        slower.state = SetClocks(instance.state, clocks);
        const Evaluation wanted = EvaluatePlan(slower, plan);
        StampClocks(plan, clocks);
        const Evaluation evaluation = EvaluatePlan(instance, plan);
        EXPECT_NEAR(evaluation.latencyS, wanted.latencyS, 1e-9 * wanted.latencyS) << seed;
        EXPECT_NEAR(evaluation.objective, wanted.objective, 1e-9 * wanted.latencyTerm) << seed;
    }
}

TEST(ControlClocks, PlansAreFeasibleAndNoWorseThanAnyAblation)
{
    RoundSolver solver;
    int slowed = 0;
    int solved = 0;
    for (uint64_t seed = 1; seed <= 120; ++seed)
    {
        const Instance instance = MakeInstance(seed, 1 + seed % 2, 3, 2, seed % 3 == 0);
        const RoundSolution free = solver.Solve(instance);
        if (!free.plan.infeasible.empty())
        {
            continue;
        }
        ++solved;
        EXPECT_EQ(CheckPlan(instance.state, free.plan), "") << seed;
        const Evaluation evaluation = EvaluatePlan(instance, free.plan);
        const double tolerance = 2e-6 * evaluation.latencyTerm;
        EXPECT_NEAR(evaluation.objective, free.evaluation.objective, tolerance) << seed;
        EXPECT_EQ(free.plan.plannedLatencyS, free.evaluation.latencyS) << seed;
        slowed += GetClocks(instance.state, free.plan) != GetFullClocks(instance.state);
        for (const SolverOptions& fewer : {SolverOptions{false, true, {true, true}, true},
                                           SolverOptions{true, false, {true, true}, true},
                                           SolverOptions{true, true, {false, true}, true},
                                           SolverOptions{true, true, {true, false}, true},
                                           SolverOptions{true, true, {true, true}, false}})
        {
            const RoundSolution other = solver.Solve(instance, fewer);
            if (other.plan.infeasible.empty())
            {
                EXPECT_LE(evaluation.objective, other.evaluation.objective + tolerance) << seed;
            }
        }
        // With the plan at hand, which has clocks, the result is not worse
        const RoundSolution again = solver.Solve(instance, SolverOptions(), &free.plan);
        EXPECT_LE(again.evaluation.objective, evaluation.objective + tolerance) << seed;
    }
    EXPECT_GT(solved, 60);
    EXPECT_GT(slowed, solved / 4);
}

TEST(ControlClocks, ChoosesAsWellAsTryingAllClocks)
{
    RoundSolver solver;
    int solved = 0;
    int near = 0;
    for (uint64_t seed = 1000; seed < 1150; ++seed)
    {
        const Instance instance = MakeInstance(seed, 1, 2, 2, seed % 3 == 0);
        const RoundSolution solution = solver.Solve(instance);
        if (!solution.plan.infeasible.empty())
        {
            continue;
        }
        double best = solution.evaluation.objective;
        Enumerate(instance.state, [&](const RoundClocks& clocks) {
            Instance slower = instance;
            slower.state = SetClocks(instance.state, clocks);
            const RoundSolution other = solver.Solve(slower);
            best =
                other.plan.infeasible.empty() ? std::min(best, other.evaluation.objective) : best;
        });
        ++solved;
        // Of what is decided: latency and the nodes' energy, without the constant budgets
        double spent = solution.evaluation.latencyTerm + solution.evaluation.energyTerm;
        for (std::size_t k = 0; k <= 2; ++k)
        {
            const auto& cluster = instance.state.clusters[0];
            const auto& node = k == 0 ? cluster.controlUnit : cluster.devices[k - 1];
            spent += instance.GetEnergyPrice(0, k) * node.energyBudgetJ;
        }
        const double gap = (solution.evaluation.objective - best) / spent;
        near += gap <= 0.01;
        EXPECT_LE(gap, 0.03) << seed;
    }
    EXPECT_GT(solved, 80);
    EXPECT_GE(near + solved / 100, solved);
}

TEST(ControlClocks, WhereEnergyHasNoPriceClocksAreFull)
{
    RoundSolver solver;
    for (uint64_t seed = 1; seed <= 30; ++seed)
    {
        Instance instance = MakeInstance(seed, 1, 3, 3, seed % 2 == 0);
        instance.energyPrices.clear();
        const RoundPlan plan = solver.Solve(instance).plan;
        if (plan.infeasible.empty())
        {
            EXPECT_EQ(GetClocks(instance.state, plan), GetFullClocks(instance.state)) << seed;
        }
    }
}

TEST(ControlClocks, TravelAsJsonAndAreChecked)
{
    RoundSolver solver;
    int slowed = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed)
    {
        const Instance instance = MakeInstance(seed, 1, 3, 3, false);
        Instance read;
        ASSERT_EQ(ParseInstanceJson(FormatInstanceJson(instance), read), "") << seed;
        RoundPlan plan = solver.Solve(read).plan;
        if (!plan.infeasible.empty())
        {
            continue;
        }
        const RoundClocks clocks = GetClocks(read.state, plan);
        slowed += clocks != GetFullClocks(read.state);
        RoundPlan back;
        ASSERT_EQ(ParsePlanJson(FormatPlanJson(read, plan, {}), read.state, back), "") << seed;
        EXPECT_EQ(GetClocks(read.state, back), clocks) << seed;
        plan.clusters[0].chains[0].stages[1].clock = 0.123;
        EXPECT_NE(CheckPlan(read.state, plan).find("a clock that it does not have"),
                  std::string::npos);
        plan = back;
        plan.clusters[0].chains[0].stages.back().clock = 0.5; // the edge server's
        EXPECT_NE(CheckPlan(read.state, plan), "");
    }
    EXPECT_GT(slowed, 5);
}

TEST(ControlClocks, SenselessOnesAreRefused)
{
    EXPECT_EQ(CheckClocks({0.5, 1}, 0.3), "");
    EXPECT_NE(CheckClocks({0}, 0), "");
    EXPECT_NE(CheckClocks({1.01}, 0), "");
    EXPECT_NE(CheckClocks({std::nan("")}, 0), "");
    EXPECT_NE(CheckClocks({0.5}, 1.5), "");
    EXPECT_NE(CheckClocks({0.5}, std::nan("")), "");
    EXPECT_NE(CheckClocks(std::vector<double>(MOST_CLOCKS + 1, 0.5), 0), "");
}

} // namespace
} // namespace collapipe
} // namespace ns3
