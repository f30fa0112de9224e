/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The judge judged: its solvers against each other, its formulas against the module's

#include "collapipe-exhaustive-controller.h"
#include "collapipe-exhaustive.h"
#include "collapipe-judge-instances.h"

#include "ns3/collapipe-latency-model.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

namespace ns3
{
namespace collapipe
{
namespace judge
{
namespace
{

/// The first candidate of every cluster that is the `index`-th, cyclically
std::vector<ClusterProblem>
SomeProblems(const Instance& instance, std::size_t index)
{
    std::vector<ClusterProblem> problems;
    for (std::size_t m = 0; m < instance.state.clusters.size(); ++m)
    {
        const std::vector<Candidate> candidates = EnumerateCandidates(instance, m);
        if (candidates.empty())
        {
            return {};
        }
        const Candidate& candidate = candidates[index % candidates.size()];
        problems.push_back(MakeClusterProblem(instance, m, candidate));
    }
    return problems;
}

std::vector<const ClusterProblem*>
PointersTo(const std::vector<ClusterProblem>& problems)
{
    std::vector<const ClusterProblem*> pointers;
    for (const ClusterProblem& problem : problems)
    {
        pointers.push_back(&problem);
    }
    return pointers;
}

TEST(Judge, BarrierAndNloptAgree)
{
    int compared = 0;
    for (uint64_t number = 0; number < 60; ++number)
    {
        const Instance instance = InstanceMaker(number).Make();
        const auto problems = SomeProblems(instance, 7 * number);
        if (problems.empty())
        {
            continue;
        }
        ContinuousOptions options;
        const double weight = instance.penaltyWeight;
        const auto barrier = SolveTogether(PointersTo(problems), weight, options);
        options.solver = ContinuousSolver::NLOPT;
        options.tolerance = 1e-9;
        const auto nlopt = SolveTogether(PointersTo(problems), weight, options);
        ASSERT_TRUE(barrier.converged) << number;
        EXPECT_LE(barrier.lowerBound, barrier.cost);
        EXPECT_NEAR(barrier.cost / nlopt.cost, 1, 1e-6) << number;
        ++compared;
    }
    EXPECT_GT(compared, 30);
}

TEST(Judge, MultipliersBalanceThePenalty)
{
    for (uint64_t number = 1; number < 40; number += 2)
    {
        const Instance instance = InstanceMaker(number).Make();
        const auto problems = SomeProblems(instance, number);
        if (problems.empty())
        {
            continue;
        }
        const auto solution =
            SolveTogether(PointersTo(problems), instance.penaltyWeight, ContinuousOptions{});
        const double sum = std::accumulate(solution.weights.begin(), solution.weights.end(), 0.0);
        EXPECT_NEAR(sum / instance.penaltyWeight, 1, 1e-3) << number;
    }
}

TEST(Judge, PruningLosesNothing)
{
    int compared = 0;
    for (uint64_t number = 0; number < 200 && compared < 6; ++number)
    {
        const Instance instance = InstanceMaker(number).Make();
        ExhaustiveOptions options;
        options.verify = false;
        const ExhaustiveResult pruned = SolveExhaustively(instance, options);
        if (!pruned.feasible || pruned.combinations < 50 || pruned.combinations > 600)
        {
            continue;
        }
        options.prune = false;
        const ExhaustiveResult full = SolveExhaustively(instance, options);
        EXPECT_EQ(full.solved, full.combinations);
        EXPECT_EQ(full.uncertified, 0u);
        EXPECT_NEAR(pruned.cost / full.cost, 1, 1e-6) << number;
        ++compared;
    }
    EXPECT_EQ(compared, 6);
}

TEST(Judge, BoundsAreBelowTheOptimum)
{
    for (uint64_t number = 0; number < 80; ++number)
    {
        const Instance instance = InstanceMaker(number).Make();
        const auto problems = SomeProblems(instance, 3 * number);
        if (problems.empty())
        {
            continue;
        }
        const auto alone = SolveAlone(problems[0], instance.penaltyWeight, {}, {});
        EXPECT_LE(QuickBound(problems[0], instance.penaltyWeight), alone.cost * (1 + 1e-7))
            << number;
    }
}

/// The plan's cost, recomputed from shares and powers, is what the convex form says
TEST(Judge, PlansCostWhatTheSolverSays)
{
    for (uint64_t number = 0; number < 24; ++number)
    {
        const Instance instance = InstanceMaker(number).Make();
        const ExhaustiveResult result = SolveExhaustively(instance);
        if (result.feasible)
        {
            ASSERT_EQ(result.evaluation.error, "") << number;
            EXPECT_NEAR(result.evaluation.cost / result.cost, 1, 1e-6) << number;
            EXPECT_LT(result.disagreement, 1e-6) << number;
            EXPECT_EQ(result.uncertified, 0u) << number;
        }
    }
}

/// The instance without latencies and targets
Instance
Simplify(Instance instance)
{
    instance.state.model.targetBits = 0;
    for (ClusterState& cluster : instance.state.clusters)
    {
        cluster.controlUnit.uplink.latencyS = cluster.controlUnit.downlink.latencyS = 0;
        for (DeviceState& device : cluster.devices)
        {
            device.uplink.latencyS = device.downlink.latencyS = 0;
        }
        for (auto& row : cluster.d2dLinks)
        {
            for (LinkState& link : row)
            {
                link.latencyS = 0;
            }
        }
    }
    return instance;
}

/// The module's model and the judge's, written apart from each other, give the same (13)
TEST(Judge, ModuleAgreesOnEveryTerm)
{
    int compared = 0;
    for (uint64_t number = 0; number < 60; ++number)
    {
        const Instance instance = Simplify(InstanceMaker(number).Make());
        const ExhaustiveResult result = SolveExhaustively(instance);
        if (!result.feasible)
        {
            continue;
        }
        const collapipe::Evaluation module = collapipe::EvaluatePlan(instance, result.plan);
        EXPECT_NEAR(module.latencyS / result.evaluation.latencyS, 1, 1e-9) << number;
        EXPECT_NEAR(module.objective, result.evaluation.objective, 1e-9 * result.cost) << number;
        for (std::size_t m = 0; m < result.evaluation.energyJ.size(); ++m)
        {
            for (std::size_t node = 0; node < result.evaluation.energyJ[m].size(); ++node)
            {
                const double energy = result.evaluation.energyJ[m][node];
                EXPECT_NEAR(module.clusters[m].nodes[node].energyJ, energy, 1e-9 * (1 + energy))
                    << number << " " << m << " " << node;
            }
        }
        EXPECT_EQ(CheckPlan(instance.state, result.plan), "") << number;
        ++compared;
    }
    EXPECT_GT(compared, 30);
}

/// Stages of equal time t: 1F1B takes as long as GPipe, (P + N - 1) (t_f + t_b)
TEST(Judge, OneForwardOneBackwardOfEqualStages)
{
    const std::vector<double> stages{1, 0, 1, 0, 1, 0, 1};
    for (uint32_t n = 1; n < 8; ++n)
    {
        const LongestPath path = OneForwardOneBackwardPath(stages, stages, 0, n);
        EXPECT_DOUBLE_EQ(path.lengthS, 2.0 * (4 + n - 1)) << n;
    }
}

/// A path's length is the sum over its stages
TEST(Judge, PathsAddUp)
{
    const std::vector<double> forward{1, 3, 2, 5, 0.5};
    const std::vector<double> backward{0.5, 4, 2, 6, 1};
    for (const double target : {0.0, 1.0, 30.0})
    {
        const LongestPath path = OneForwardOneBackwardPath(forward, backward, target, 5);
        double sum = path.target * target;
        for (std::size_t s = 0; s < forward.size(); ++s)
        {
            sum += path.forward[s] * forward[s] + path.backward[s] * backward[s];
        }
        EXPECT_DOUBLE_EQ(path.lengthS, sum);
    }
}

TEST(Judge, ControllerHasItsName)
{
    EXPECT_EQ(ControllerTypeName("exhaustive"), ExhaustiveController::GetTypeId().GetName());
}

} // namespace
} // namespace judge
} // namespace collapipe
} // namespace ns3
