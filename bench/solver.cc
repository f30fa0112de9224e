/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Time of the solver of (13): the sizes that matter, growth, and beside a general solver

#include "../test/gtest/collapipe-control-random.h"
#include "../test/judge/collapipe-judge-continuous.h"
#include "../test/judge/collapipe-judge-model.h"

#include "ns3/collapipe-radio-allocator.h"
#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cmath>
#include <ctime>
#include <limits>
#include <vector>

using namespace ns3::collapipe;

namespace
{

constexpr std::size_t INSTANCES = 16; //!< over which a time is averaged

/// Feasible instances with n = 16 samples in up to 16 micro-batches
std::vector<Instance>
MakeInstances(uint32_t clusters, uint32_t devices, uint32_t blocks, const std::string& schedule)
{
    test::RandomShape shape;
    shape.clusters = clusters;
    shape.devices = devices;
    shape.blocks = blocks;
    shape.schedule = schedule;
    std::vector<Instance> instances;
    RoundSolver solver;
    for (uint64_t seed = 1; instances.size() < INSTANCES; ++seed)
    {
        Instance instance = test::RandomInstance(seed).Make(shape);
        instance.state.training.allowedPairs = {{1, 16}, {2, 8}, {4, 4}, {8, 2}, {16, 1}};
        if (solver.Solve(instance).plan.infeasible.empty())
        {
            instances.push_back(instance);
        }
    }
    return instances;
}

void
Run(benchmark::State& state,
    uint32_t clusters,
    uint32_t devices,
    uint32_t blocks,
    const std::string& schedule)
{
    const auto instances = MakeInstances(clusters, devices, blocks, schedule);
    RoundSolver solver;
    double evaluations = 0;
    double steps = 0;
    for (auto _ : state)
    {
        for (const auto& instance : instances)
        {
            const RoundSolution solution = solver.Solve(instance);
            benchmark::DoNotOptimize(solution.evaluation.objective);
            evaluations += solution.evaluations;
            steps += solution.newtonSteps;
        }
    }
    const auto count = static_cast<double>(state.iterations() * instances.size());
    state.counters["evaluations"] = evaluations / count;
    state.counters["newtonSteps"] = steps / count;
    state.counters["perSolve"] =
        benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// Clusters, devices per cluster, blocks; time is that of all INSTANCES, perSolve of one
void
SolveGpipe(benchmark::State& state)
{
    Run(state, state.range(0), state.range(1), state.range(2), "gpipe");
}

void
SolveOneForwardOneBackward(benchmark::State& state)
{
    Run(state, state.range(0), state.range(1), state.range(2), "1f1b");
}

/// The same radio problem for both solvers: a random chain of a random instance
struct RadioCase
{
    explicit RadioCase(uint64_t seed)
        : random(seed)
    {
        test::RandomShape shape;
        shape.targets = shape.latencies = false;
        instance = random.Make(shape);
        choice = random.MakeChoice(instance);
    }

    test::RandomInstance random; //!< source of randomness
    Instance instance;           //!< the round's problem
    RoundChoice choice;          //!< its discrete decisions
};

void
RadioInteriorPoint(benchmark::State& state)
{
    RadioAllocator allocator;
    RadioProblem problem;
    for (auto _ : state)
    {
        for (uint64_t seed = 1; seed <= INSTANCES; ++seed)
        {
            state.PauseTiming();
            const RadioCase c(seed);
            state.ResumeTiming();
            BuildRadioProblem(c.instance, c.choice, RadioFreedom(), problem);
            benchmark::DoNotOptimize(allocator.Solve(problem, 1e-6).objective);
        }
    }
}

void
RadioGeneralSolver(benchmark::State& state)
{
    judge::ContinuousOptions options;
    options.solver = judge::ContinuousSolver::NLOPT;
    options.tolerance = 1e-6;
    for (auto _ : state)
    {
        for (uint64_t seed = 1; seed <= INSTANCES; ++seed)
        {
            state.PauseTiming();
            const RadioCase c(seed);
            state.ResumeTiming();
            judge::Candidate candidate;
            candidate.pair = c.choice[0].pair;
            for (const auto& segment : c.choice[0].segments)
            {
                candidate.chain.push_back({segment.node - std::size_t{1}, segment.blocks});
            }
            const auto problem = judge::MakeClusterProblem(c.instance, 0, candidate);
            const double penalty = c.instance.penaltyWeight;
            benchmark::DoNotOptimize(judge::SolveTogether({&problem}, penalty, options).cost);
        }
    }
}

/// The best of all discrete decisions of a cluster
struct Best
{
    double objective{std::numeric_limits<double>::infinity()}; //!< up to a constant
    std::size_t index{0};                                      //!< among the candidates
};

/// Solves the continuous part of every candidate, from scratch, and measures its own time.
template <typename F>
Best
Enumerate(std::size_t candidates, double& cpuS, F solve)
{
    Best best;
    const std::clock_t begin = std::clock();
    for (std::size_t i = 0; i < candidates; ++i)
    {
        const double objective = solve(i);
        best = objective < best.objective ? Best{objective, i} : best;
    }
    cpuS += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    return best;
}

ClusterChoice
ToChoice(const judge::Candidate& candidate)
{
    ClusterChoice choice{{}, candidate.pair};
    for (const auto& placement : candidate.chain)
    {
        choice.segments.push_back({static_cast<NodeIndex>(placement.device + 1), placement.blocks});
    }
    return choice;
}

/// What both solvers take for the same enumeration
struct EnumerationTimes
{
    double moduleS{0};      //!< CPU time of RadioAllocator
    double generalS{0};     //!< CPU time of NLopt
    double candidates{0};   //!< how many each has solved
    double disagreement{0}; //!< largest relative difference of the best plans' objective (13)

    void Add(const Instance& instance)
    {
        const auto list = judge::EnumerateCandidates(instance, 0);
        if (list.empty())
        {
            return;
        }
        RadioAllocator allocator;
        RadioProblem problem;
        const Best module = Enumerate(list.size(), moduleS, [&](std::size_t i) {
            BuildRadioProblem(instance, {ToChoice(list[i])}, RadioFreedom(), problem);
            return allocator.Solve(problem, 1e-6).objective;
        });
        judge::ContinuousOptions options;
        options.solver = judge::ContinuousSolver::NLOPT;
        options.tolerance = 1e-6;
        const Best general = Enumerate(list.size(), generalS, [&](std::size_t i) {
            const auto own = judge::MakeClusterProblem(instance, 0, list[i]);
            return judge::SolveTogether({&own}, instance.penaltyWeight, options).cost;
        });
        candidates += static_cast<double>(list.size());
        // The module's objective of the general solver's choice, so that constants do not matter
        BuildRadioProblem(instance, {ToChoice(list[general.index])}, RadioFreedom(), problem);
        const double other = allocator.Solve(problem, 1e-6).objective;
        const double scale = std::max(std::abs(module.objective), general.objective);
        disagreement = std::max(disagreement, (other - module.objective) / scale);
    }
};

/**
 * The same enumeration of all discrete decisions, once with the module's interior point method for
 * shares and powers and once with the general solver, both to 1e-6 and without any pruning.
 */
void
EnumerationSpeedup(benchmark::State& state)
{
    EnumerationTimes times;
    for (auto _ : state)
    {
        test::RandomShape shape;
        shape.devices = state.range(0);
        shape.blocks = state.range(1);
        shape.microBatches = 2;
        for (uint64_t seed = 1; seed <= 4; ++seed)
        {
            times.Add(test::RandomInstance(seed).Make(shape));
        }
    }
    state.counters["candidates"] = times.candidates;
    state.counters["moduleS"] = times.moduleS;
    state.counters["generalS"] = times.generalS;
    state.counters["ratio"] = times.generalS / times.moduleS;
    state.counters["disagreement"] = times.disagreement;
}

} // namespace

BENCHMARK(SolveGpipe)
    ->Unit(benchmark::kMillisecond)
    ->Args({1, 8, 12})
    ->Args({1, 16, 24})
    ->Args({8, 8, 48});

// Growth: devices, blocks, clusters
BENCHMARK(SolveGpipe)
    ->Unit(benchmark::kMillisecond)
    ->Args({1, 8, 24})
    ->Args({1, 8, 48})
    ->Args({1, 32, 48})
    ->Args({1, 64, 48})
    ->Args({2, 8, 48})
    ->Args({4, 8, 48})
    ->Args({16, 8, 48})
    ->Args({30, 4, 6});

BENCHMARK(SolveOneForwardOneBackward)
    ->Unit(benchmark::kMillisecond)
    ->Args({1, 8, 12})
    ->Args({1, 16, 24})
    ->Args({8, 8, 48})
    ->Args({30, 4, 6});

BENCHMARK(RadioInteriorPoint)->Unit(benchmark::kMillisecond);
BENCHMARK(RadioGeneralSolver)->Unit(benchmark::kMillisecond);

// Devices, blocks
BENCHMARK(EnumerationSpeedup)
    ->Unit(benchmark::kMillisecond)
    ->Args({2, 4})
    ->Args({3, 4})
    ->Iterations(1);

BENCHMARK_MAIN();
