/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-radio-allocator.h"
#include "ns3/collapipe-round-solver.h"

#include <gtest/gtest.h>
#include <map>

namespace ns3
{
namespace collapipe
{
namespace
{

test::RandomShape
MakeShape(int number)
{
    test::RandomShape shape;
    shape.clusters = number % 3 == 0 ? 2 : 1;
    shape.devices = 2 + number % 4;
    shape.blocks = 6;
    shape.dedicated = true;
    shape.schedule = number % 4 == 3 ? "1f1b" : "gpipe";
    return shape;
}

/// A random radio problem
struct Case
{
    explicit Case(int number)
        : random(static_cast<uint64_t>(1000 + number)),
          instance(random.Make(MakeShape(number))),
          choice(random.MakeChoice(instance))
    {
        const bool collects = number % 5 == 2;
        instance.state.training.uploadRule = collects ? UploadRule::COLLECTED : UploadRule::DIRECT;
        BuildRadioProblem(instance, choice, RadioFreedom(), problem);
    }

    test::RandomInstance random; //!< source of randomness
    Instance instance;           //!< the round's problem
    RoundChoice choice;          //!< its discrete decisions
    RadioProblem problem;        //!< what is left
};

/// Sums of shares per pool
std::map<std::size_t, double>
GetSums(const RadioProblem& problem, const std::vector<double>& shares)
{
    std::map<std::size_t, double> sums;
    for (std::size_t i = 0; i < shares.size(); ++i)
    {
        const bool dedicated = problem.links[i].mode == SharingMode::DEDICATED;
        sums[problem.links[i].pool] += dedicated ? 0 : shares[i];
    }
    return sums;
}

TEST(ControlRadio, ConvergesToFeasibleAllocations)
{
    RadioAllocator allocator;
    for (int i = 0; i < 1500; ++i)
    {
        const Case c(i);
        const RadioSolution solution = allocator.Solve(c.problem, 1e-7);
        ASSERT_TRUE(solution.converged) << i;
        for (const auto& sum : GetSums(c.problem, solution.shares))
        {
            EXPECT_LE(sum.second, 1 + 1e-12) << i;
        }
        for (std::size_t l = 0; l < c.problem.links.size(); ++l)
        {
            const auto& link = c.problem.links[l];
            EXPECT_GT(solution.shares[l], 0) << i;
            EXPECT_LE(solution.powersW[l], link.maxPowerW * (1 + 1e-12)) << i;
            EXPECT_TRUE(link.mode == SharingMode::DEDICATED || solution.powersW[l] > 0) << i;
        }
        const double value = EvaluateRadio(c.problem, solution.shares, solution.powersW);
        EXPECT_NEAR(value, solution.objective, 1e-12 * std::abs(value)) << i;
    }
}

/// However loose the tolerance, the objective is no further from the optimum than it says
TEST(ControlRadio, GapIsWithinTheTolerance)
{
    RadioAllocator allocator;
    for (int i = 0; i < 800; ++i)
    {
        const Case c(i);
        allocator.Forget();
        const double best = allocator.Solve(c.problem, 1e-9).objective;
        const double scale = best - c.problem.constant;
        for (const double tolerance : {1e-2, 1e-3, 5e-4, 1e-4, 1e-5, 1e-6})
        {
            allocator.Forget();
            const RadioSolution solution = allocator.Solve(c.problem, tolerance);
            EXPECT_LE(solution.objective - best, tolerance * scale) << i << " " << tolerance;
            EXPECT_GE(solution.objective - best, -1e-8 * scale) << i << " " << tolerance;
        }
    }
}

/// The problem is convex: a point that no small feasible change improves is the optimum
TEST(ControlRadio, NoFeasibleChangeImprovesTheOptimum)
{
    RadioAllocator allocator;
    for (int i = 0; i < 400; ++i)
    {
        Case c(i);
        const RadioSolution solution = allocator.Solve(c.problem, 1e-9);
        const double scale = solution.objective - c.problem.constant;
        for (int change = 0; change < 60; ++change)
        {
            const double size = c.random.Log(1e-4, 0.5);
            auto shares = solution.shares;
            auto powers = solution.powersW;
            for (std::size_t l = 0; l < shares.size(); ++l)
            {
                const bool some = c.random.Chance(0.5);
                shares[l] *= some ? std::exp(c.random.Uniform(-size, size)) : 1;
                powers[l] *= some ? std::exp(c.random.Uniform(-size, size)) : 1;
                powers[l] = std::min(powers[l], c.problem.links[l].maxPowerW);
            }
            const auto sums = GetSums(c.problem, shares);
            for (std::size_t l = 0; l < shares.size(); ++l)
            {
                const double sum = sums.at(c.problem.links[l].pool);
                shares[l] /= std::max(sum, 1.0);
            }
            EXPECT_GE(EvaluateRadio(c.problem, shares, powers), solution.objective - 1e-6 * scale)
                << i;
        }
    }
}

/// Complementarity: a pool with more than one link that has a price is used up
TEST(ControlRadio, PricedPoolsAreUsedUp)
{
    RadioAllocator allocator;
    for (int i = 0; i < 200; ++i)
    {
        const Case c(i);
        const RadioSolution solution = allocator.Solve(c.problem, 1e-9);
        const double scale = solution.objective - c.problem.constant;
        const auto sums = GetSums(c.problem, solution.shares);
        for (const auto& sum : sums)
        {
            if (solution.poolPrices[sum.first] > 1e-3 * scale)
            {
                EXPECT_NEAR(sum.second, 1, 1e-6) << i;
            }
        }
        double latency = 0;
        for (const double price : solution.latencyPrices)
        {
            EXPECT_GE(price, 0);
            latency += price;
        }
        // Stationarity in tau: the prices of the clusters' times sum to V
        EXPECT_NEAR(latency, c.problem.penaltyWeight, 1e-4 * c.problem.penaltyWeight) << i;
    }
}

TEST(ControlRadio, PoolPricesAreTheValueOfBandwidth)
{
    // The price of a pool is the derivative of the optimum by its budget. Scaling an airtime pool's
    // bandwidth at a constant SNR is the same as scaling its budget.
    RadioAllocator allocator;
    int checked = 0;
    for (int i = 0; i < 200; ++i)
    {
        const Case c(i);
        const RadioSolution solution = allocator.Solve(c.problem, 1e-10);
        const std::size_t pool = c.problem.GetOwnPool(0, Phase::TRAINING);
        const double change = 1e-3;
        RadioProblem more = c.problem;
        RadioProblem less = c.problem;
        bool airtime = false;
        for (std::size_t l = 0; l < more.links.size(); ++l)
        {
            const bool own = more.links[l].pool == pool && more.links[l].price == 0;
            airtime |= own && more.links[l].mode == SharingMode::AIRTIME;
            if (more.links[l].pool == pool && more.links[l].price > 0)
            {
                airtime = false;
                break;
            }
            for (const auto part : {&RadioLink::kappaS, &RadioLink::overheadS})
            {
                more.links[l].*part *= own ? 1 / (1 + change) : 1;
                less.links[l].*part *= own ? 1 / (1 - change) : 1;
            }
        }
        if (!airtime ||
            solution.poolPrices[pool] < 1e-4 * (solution.objective - c.problem.constant))
        {
            continue;
        }
        const double slope =
            (allocator.Solve(less, 1e-10).objective - allocator.Solve(more, 1e-10).objective) /
            (2 * change);
        EXPECT_NEAR(slope, solution.poolPrices[pool], 0.02 * slope) << i;
        ++checked;
    }
    EXPECT_GT(checked, 10);
}

TEST(ControlRadio, DistributionTakesTheSumOfTheLoadsUnderAirtime)
{
    // Without latencies all transfers end together: D = sum of the times with the whole pool
    RadioAllocator allocator;
    for (int i = 0; i < 50; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.frequency = shape.latencies = false;
        const Instance instance = random.Make(shape);
        RadioProblem problem;
        BuildRadioProblem(instance, random.MakeChoice(instance), RadioFreedom(), problem);
        double sum = 0;
        for (const auto& link : problem.links)
        {
            sum += link.role == LinkRole::DISTRIBUTION ? GetOccupationS(link, 1, 1) : 0;
        }
        EXPECT_NEAR(allocator.Solve(problem, 1e-9).distributionS[0], sum, 1e-5 * sum);
    }
}

TEST(ControlRadio, SharesFollowTheRootOfTheLoadInASum)
{
    // One micro-batch, airtime, free energy: D2D minimises sum load / w
    test::RandomInstance random(7);
    test::RandomShape shape;
    shape.frequency = shape.latencies = shape.queues = shape.targets = false;
    shape.microBatches = 1;
    const Instance instance = random.Make(shape);
    RadioProblem problem;
    BuildRadioProblem(instance, random.MakeChoice(instance), RadioFreedom(), problem);
    RadioAllocator allocator;
    const RadioSolution solution = allocator.Solve(problem, 1e-10);
    double roots = 0;
    for (const auto& link : problem.links)
    {
        roots += link.pool == 4 ? std::sqrt(GetOccupationS(link, 1, 1)) : 0;
    }
    for (std::size_t l = 0; l < problem.links.size(); ++l)
    {
        if (problem.links[l].pool == 4)
        {
            const double expected = std::sqrt(GetOccupationS(problem.links[l], 1, 1)) / roots;
            EXPECT_NEAR(solution.shares[l], expected, 1e-4 * expected);
        }
    }
}

TEST(ControlRadio, CutoffOnlyGivesUpOnWhatIsWorse)
{
    RadioAllocator allocator;
    for (int i = 0; i < 300; ++i)
    {
        const Case c(i);
        const double best = allocator.Solve(c.problem, 1e-8).objective;
        const double scale = best - c.problem.constant;
        EXPECT_TRUE(allocator.Solve(c.problem, 1e-6, best + 1e-3 * scale).converged) << i;
    }
}

TEST(ControlRadio, FixedDecisionsStayFixed)
{
    RadioAllocator allocator;
    for (int i = 0; i < 100; ++i)
    {
        const Case c(i);
        for (const RadioFreedom freedom : {RadioFreedom{false, true}, RadioFreedom{true, false}})
        {
            RadioProblem problem;
            BuildRadioProblem(c.instance, c.choice, freedom, problem);
            const RadioSolution solution = allocator.Solve(problem, 1e-8);
            std::map<std::size_t, double> first;
            for (std::size_t l = 0; l < problem.links.size(); ++l)
            {
                const auto& link = problem.links[l];
                if (link.mode == SharingMode::DEDICATED)
                {
                    continue;
                }
                const double share = first.emplace(link.pool, solution.shares[l]).first->second;
                EXPECT_TRUE(freedom.shares || share == solution.shares[l]) << i;
                EXPECT_TRUE(freedom.powers || solution.powersW[l] == link.maxPowerW) << i;
            }
        }
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
