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
SomeProblems(const Instance& instance, std::size_t index, std::vector<Candidate>* chosen = nullptr)
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
        if (chosen)
        {
            chosen->push_back(candidate);
        }
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

/// The problem made harder to get right: long latencies, large targets and costly messages, in
/// every combination
Instance
Stretch(Instance instance, uint64_t number)
{
    InstanceMaker random(number + 1000000);
    ModelProfile& model = instance.state.model;
    model.targetBits = number % 2 == 0 ? model.activationBits * random.Log(0.01, 10) : 0;
    const auto stretch = [&](LinkState& link) {
        link.latencyS = number % 4 < 2 ? random.Log(1e-3, 1) : 0;
        link.overheadBits = number % 3 == 0 ? model.activationBits * random.Log(0.1, 10) : 0;
        link.overheadS = number % 3 == 1 ? random.Log(1e-4, 1e-2) : 0;
    };
    for (ClusterState& cluster : instance.state.clusters)
    {
        stretch(cluster.controlUnit.uplink);
        stretch(cluster.controlUnit.downlink);
        for (DeviceState& device : cluster.devices)
        {
            stretch(device.uplink);
            stretch(device.downlink);
        }
        for (auto& row : cluster.d2dLinks)
        {
            std::for_each(row.begin(), row.end(), stretch);
        }
    }
    return instance;
}

/// Random shares and powers: pools need not be used up
ContinuousSolution
SomeDecisions(const std::vector<ClusterProblem>& problems, uint64_t number)
{
    InstanceMaker random(number + 2000000);
    ContinuousSolution solution;
    for (const ClusterProblem& problem : problems)
    {
        solution.links.emplace_back();
        const auto count = static_cast<double>(problems.size() * problem.transmissions.size());
        for (const Transmission& t : problem.transmissions)
        {
            const bool fixed = t.mode == SharingMode::DEDICATED || t.from == EDGE_SERVER;
            const double power = t.link.maxPowerW * (fixed ? 1 : random.Log(0.01, 1));
            solution.links.back().push_back(
                {t.phase, t.from, t.to, random.Log(0.1, 1) / count, power});
        }
    }
    return solution;
}

/**
 * The module's model and the judge's, written apart from each other, give the same (13), with
 * latencies and targets, under both schedules, for any decisions
 */
TEST(Judge, ModuleAgreesOnEveryTerm)
{
    int compared = 0;
    for (uint64_t number = 0; number < 2000; ++number)
    {
        const Instance instance = Stretch(InstanceMaker(number).Make(), number);
        std::vector<Candidate> candidates;
        const auto problems = SomeProblems(instance, 11 * number, &candidates);
        if (problems.empty())
        {
            continue;
        }
        const RoundPlan plan = MakePlan(instance, candidates, SomeDecisions(problems, number));
        const Evaluation expected = judge::EvaluatePlan(instance, plan);
        ASSERT_EQ(expected.error, "") << number;
        const collapipe::Evaluation module = collapipe::EvaluatePlan(instance, plan);
        EXPECT_NEAR(module.latencyS / expected.latencyS, 1, 1e-9) << number;
        EXPECT_NEAR(module.objective, expected.objective, 1e-9 * expected.cost) << number;
        for (std::size_t m = 0; m < expected.energyJ.size(); ++m)
        {
            EXPECT_NEAR(module.clusters[m].iterationS / expected.iterationS[m], 1, 1e-9) << number;
            EXPECT_NEAR(module.clusters[m].totalS / expected.clusterLatencyS[m], 1, 1e-9) << number;
            for (std::size_t node = 0; node < expected.energyJ[m].size(); ++node)
            {
                const double energy = expected.energyJ[m][node];
                EXPECT_NEAR(module.clusters[m].nodes[node].energyJ, energy, 1e-9 * (1 + energy))
                    << number << " " << m << " " << node;
            }
        }
        EXPECT_EQ(CheckPlan(instance.state, plan), "") << number;
        ++compared;
    }
    EXPECT_GT(compared, 1000);
}

/// A cluster's problem whose computations and links, of no time, alternate
ClusterProblem
AlternatingProblem(std::size_t stages, uint32_t microBatches)
{
    ClusterProblem problem;
    for (std::size_t s = 0; s < stages; ++s)
    {
        problem.forward.push_back({0, -1, s % 2 == 0 ? StageKind::COMPUTE : StageKind::LINK});
    }
    problem.backward = problem.forward;
    problem.microBatches = microBatches;
    return problem;
}

/// Stages of equal time t: 1F1B takes as long as GPipe, (P + N - 1) (t_f + t_b)
TEST(Judge, OneForwardOneBackwardOfEqualStages)
{
    const std::vector<double> stages{1, 0, 1, 0, 1, 0, 1};
    for (uint32_t n = 1; n < 8; ++n)
    {
        const ClusterProblem problem = AlternatingProblem(stages.size(), n);
        const LongestPath path = OneForwardOneBackwardPath(problem, stages, stages, 0);
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
        const LongestPath path =
            OneForwardOneBackwardPath(AlternatingProblem(5, 5), forward, backward, target);
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
