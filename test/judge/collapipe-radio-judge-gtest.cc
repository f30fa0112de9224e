/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The geometric programme of section 6 beside general solvers, on random pools of every kind

#include "collapipe-judge-continuous.h"
#include "collapipe-judge-model.h"
#include "gtest/collapipe-control-random.h"

#include "ns3/collapipe-radio-allocator.h"

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

/// A random instance with random discrete decisions
struct RadioCase
{
    explicit RadioCase(uint64_t number,
                       uint32_t mostClusters = 3,
                       bool throughCell = false,
                       UploadRule rule = UploadRule::DIRECT)
    {
        test::RandomShape shape;
        shape.clusters = 1 + number % mostClusters;
        shape.devices = 1 + number % 5;
        shape.blocks = 6;
        shape.dedicated = true;
        shape.schedule = number % 4 == 3 ? "1f1b" : "gpipe";
        test::RandomInstance random(40000 + number);
        shape.queues = !throughCell; // a node has one power, which the judge does not know
        instance = random.Make(shape);
        if (throughCell)
        {
            random.SendThroughCell(instance);
        }
        choice = random.MakeChoice(instance);
        instance.state.training.uploadRule = rule;
        if (rule != UploadRule::DIRECT && number % 5 == 0)
        {
            random.AddBase(instance, true);
        }
    }

    /// The same for the judge
    std::vector<ClusterProblem> MakeProblems() const
    {
        std::vector<ClusterProblem> problems;
        for (std::size_t m = 0; m < choice.size(); ++m)
        {
            Candidate candidate;
            candidate.pair = choice[m].pair;
            for (const Segment& segment : choice[m].segments)
            {
                candidate.chain.push_back({segment.node - std::size_t{1}, segment.blocks});
            }
            problems.push_back(MakeClusterProblem(instance, m, candidate));
        }
        return problems;
    }

    Instance instance;  //!< the round's problem
    RoundChoice choice; //!< its discrete decisions
};

ContinuousSolution
SolveGenerally(const RadioCase& c, ContinuousSolver solver, double tolerance)
{
    const std::vector<ClusterProblem> problems = c.MakeProblems();
    std::vector<const ClusterProblem*> pointers;
    for (const ClusterProblem& problem : problems)
    {
        pointers.push_back(&problem);
    }
    ContinuousOptions options;
    options.solver = solver;
    options.tolerance = tolerance;
    return SolveTogether(pointers, c.instance.penaltyWeight, options);
}

/// @return V tau + sum Q E + Z phi at the allocator's optimum
double
GetCost(const RadioCase& c, RadioAllocator& allocator)
{
    RadioProblem problem;
    BuildRadioProblem(c.instance, c.choice, RadioFreedom(), problem);
    return allocator.Solve(problem, 1e-8).objective + ConstantPart(c.instance);
}

/**
 * The optimality conditions certify the optimum: the barrier method's multipliers satisfy them to
 * its tolerance, so that its lower bound holds for every allocation, and the allocator's is not
 * above it by more.
 */
TEST(RadioJudge, AllocationsAreAtTheDualBound)
{
    RadioAllocator allocator;
    for (uint64_t number = 0; number < 240; ++number)
    {
        const RadioCase c(number);
        const ContinuousSolution dual = SolveGenerally(c, ContinuousSolver::BARRIER, 1e-6);
        ASSERT_TRUE(dual.converged) << number;
        const double cost = GetCost(c, allocator);
        EXPECT_LE(cost, dual.lowerBound * (1 + 1e-5)) << number;
        EXPECT_GE(cost, dual.lowerBound * (1 - 1e-7)) << number;
    }
}

/// Parameters that control units collect take the clusters' own media and one link of each cluster
TEST(RadioJudge, CollectedParametersAreAtTheDualBound)
{
    RadioAllocator allocator;
    for (uint64_t number = 0; number < 240; ++number)
    {
        const RadioCase c(4000 + number, 3, false, UploadRule::COLLECTED);
        const ContinuousSolution dual = SolveGenerally(c, ContinuousSolver::BARRIER, 1e-6);
        ASSERT_TRUE(dual.converged) << number;
        const double cost = GetCost(c, allocator);
        EXPECT_LE(cost, dual.lowerBound * (1 + 1e-5)) << number;
        EXPECT_GE(cost, dual.lowerBound * (1 - 1e-7)) << number;
    }
}

/// One share for all that a node sends through a reserved cell
TEST(RadioJudge, ReservationsOfNodesAreAtTheDualBound)
{
    RadioAllocator allocator;
    for (uint64_t number = 0; number < 120; ++number)
    {
        const RadioCase c(2000 + number, 3, true);
        const ContinuousSolution dual = SolveGenerally(c, ContinuousSolver::BARRIER, 1e-6);
        ASSERT_TRUE(dual.converged) << number;
        const double cost = GetCost(c, allocator);
        EXPECT_LE(cost, dual.lowerBound * (1 + 1e-5)) << number;
        EXPECT_GE(cost, dual.lowerBound * (1 - 1e-7)) << number;
    }
}

TEST(RadioJudge, NloptFindsTheSame)
{
    RadioAllocator allocator;
    for (uint64_t number = 0; number < 24; ++number)
    {
        const RadioCase c(1000 + number, 1);
        const double cost = GetCost(c, allocator);
        const ContinuousSolution other = SolveGenerally(c, ContinuousSolver::NLOPT, 1e-7);
        EXPECT_NEAR(cost / other.cost, 1, 1e-4) << number;
    }
}

} // namespace
} // namespace judge
} // namespace collapipe
} // namespace ns3
