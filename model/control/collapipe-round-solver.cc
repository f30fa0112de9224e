/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-round-solver.h"

#include "collapipe-clock-search.h"
#include "collapipe-controller.h"
#include "collapipe-even-cuts.h"
#include "collapipe-fluid-search.h"
#include "collapipe-round-search.h"

#include <algorithm>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_LEAD = 1e-6;      //!< relative to V tau: by which an ablation must be better
constexpr std::size_t FEW_CLUSTERS = 2;  //!< whose paths are tried in all ways
constexpr std::size_t MANY_CLUSTERS = 4; //!< with more, paths of single clusters are not tried

/// What the ablations of DSSDA decide; those whose plan is the same anyway are left out
std::vector<SolverOptions>
ListAblations(const Instance& instance)
{
    std::vector<SolverOptions> list{{false, true, {true, true}},
                                    {true, false, {true, true}},
                                    {true, true, {false, true}}};
    if (instance.HasEnergyPrice())
    {
        list.push_back({true, true, {true, false}});
    }
    return list;
}

/// @return whether segments, micro-batches, shares and powers are all decided
bool
IsFree(const SolverOptions& options)
{
    return options.segments && options.microBatches && options.radio.shares && options.radio.powers;
}

/// @return whether a is feasible and better than b by more than what the tolerances leave open
bool
IsBetter(const RoundSolution& a, const RoundSolution& b)
{
    return a.plan.infeasible.empty() &&
           a.evaluation.objective < b.evaluation.objective - LEAST_LEAD * b.evaluation.latencyTerm;
}

/// Even cuts of all usable devices and the fixed pair; empty where a cluster has too many devices
RoundChoice
ChooseUniformly(const SystemState& state)
{
    RoundChoice choice;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        const auto devices = GetUsableDevices(state.clusters[m]);
        if (devices.empty() || devices.size() > state.model.blocks)
        {
            return {};
        }
        choice.push_back({CutUniformly(state, m), state.training.fixedPair});
    }
    return choice;
}

/// A choice with equal shares and full power
RoundPlan
MakeEqualPlan(const Instance& instance, const RoundChoice& choice)
{
    RoundPlan plan;
    plan.localIterations = instance.state.training.localIterations;
    plan.schedule = instance.state.training.schedule;
    for (const auto& cluster : choice)
    {
        plan.clusters.push_back(MakeClusterPlan(instance.state,
                                                plan.clusters.size(),
                                                MakePipelineChain(cluster.segments, cluster.pair)));
    }
    SetEqualLinks(instance.state, plan);
    return plan;
}

/// Who carries the parameters, by cluster
using Paths = std::vector<UploadPath>;

void
SetPaths(const Paths& paths, SystemState& state)
{
    for (std::size_t m = 0; m < paths.size(); ++m)
    {
        state.clusters[m].path = paths[m];
    }
}

/// @return by cluster how long its parameters take on those paths, with even cuts and equal shares
std::vector<double>
GetParameterTimes(const Instance& instance, const Paths& paths)
{
    Instance own = instance;
    SetPaths(paths, own.state);
    RoundChoice choice;
    for (std::size_t m = 0; m < paths.size(); ++m)
    {
        choice.push_back({CutUniformly(own.state, m), own.state.training.fixedPair});
    }
    std::vector<double> times;
    for (const auto& cluster : EvaluatePlan(own, MakeEqualPlan(own, choice)).clusters)
    {
        times.push_back(cluster.distributionS + cluster.uploadS);
    }
    return times;
}

/// @return what is tried where the rule leaves the paths open, that all are direct first
std::vector<Paths>
ListPaths(const Instance& instance)
{
    const std::size_t clusters = instance.state.clusters.size();
    std::vector<Paths> list;
    const auto add = [&list](const Paths& paths) {
        if (std::find(list.begin(), list.end(), paths) == list.end())
        {
            list.push_back(paths);
        }
    };
    if (clusters <= FEW_CLUSTERS)
    {
        for (std::size_t number = 0; number >> clusters == 0; ++number)
        {
            Paths paths;
            for (std::size_t m = 0; m < clusters; ++m)
            {
                const bool collected = (number >> m & 1) != 0;
                paths.push_back(collected ? UploadPath::COLLECTED : UploadPath::DIRECT);
            }
            add(paths);
        }
        return list;
    }
    const Paths direct(clusters, UploadPath::DIRECT);
    const Paths collected(clusters, UploadPath::COLLECTED);
    const auto directS = GetParameterTimes(instance, direct);
    const auto collectedS = GetParameterTimes(instance, collected);
    Paths faster = direct;
    for (std::size_t m = 0; m < clusters; ++m)
    {
        faster[m] = collectedS[m] < directS[m] ? UploadPath::COLLECTED : UploadPath::DIRECT;
    }
    add(direct);
    add(collected);
    add(faster);
    for (std::size_t m = 0; m < clusters && clusters <= MANY_CLUSTERS; ++m)
    {
        Paths other = faster;
        other[m] = faster[m] == UploadPath::DIRECT ? UploadPath::COLLECTED : UploadPath::DIRECT;
        add(other);
    }
    return list;
}

/// A plan of those discrete decisions as a solution; infeasible where CheckPlan() says so
RoundSolution
Evaluate(const Instance& instance, const RoundChoice& choice, const RoundPlan& plan)
{
    RoundSolution solution;
    solution.choice = choice;
    solution.plan = plan;
    solution.plan.infeasible = CheckPlan(instance.state, plan);
    if (solution.plan.infeasible.empty())
    {
        solution.evaluation = EvaluatePlan(instance, plan);
        solution.plan.plannedLatencyS = solution.evaluation.latencyS;
        solution.history = {solution.evaluation.objective};
    }
    return solution;
}

/// @return whether the plan is of one chain control unit, devices, edge server for each cluster
bool
FindChoice(const RoundPlan& plan, RoundChoice& choice)
{
    for (const auto& cluster : plan.clusters)
    {
        if (cluster.chains.size() != 1)
        {
            return false;
        }
        const ChainPlan& chain = cluster.chains.front();
        ClusterChoice own;
        own.pair = {chain.microBatches, chain.microBatchSize};
        for (const auto& stage : chain.stages)
        {
            const bool device = stage.node != CONTROL_UNIT && stage.node != EDGE_SERVER;
            if (device == (stage.GetBlocks() == 0))
            {
                return false;
            }
            if (device)
            {
                own.segments.push_back({stage.node, stage.GetBlocks()});
            }
        }
        choice.push_back(own);
    }
    return true;
}

} // namespace

RoundSolver::RoundSolver()
    : m_search(std::make_unique<Search>()),
      m_fluid(std::make_unique<FluidSearch>())
{
}

RoundSolver::~RoundSolver() = default;

RoundSolution
RoundSolver::Solve(const Instance& instance, const SolverOptions& options, const RoundPlan* known)
{
    if (instance.state.training.uploadRule != UploadRule::AUTO ||
        !CheckPipelineState(instance.state).empty())
    {
        return SolveOnPaths(instance, options, known);
    }
    RoundSolution best;
    best.plan.infeasible = "there is no path";
    Instance own = instance;
    uint32_t evaluations = 0;
    uint32_t newtonSteps = 0;
    for (const auto& paths : ListPaths(instance))
    {
        SetPaths(paths, own.state);
        RoundSolution solution = SolveOnPaths(own, options, known);
        evaluations += solution.evaluations;
        newtonSteps += solution.newtonSteps;
        if (!best.plan.infeasible.empty() || IsBetter(solution, best))
        {
            best = std::move(solution);
        }
    }
    best.evaluations = evaluations;
    best.newtonSteps = newtonSteps;
    return best;
}

/// The best plan where every cluster's path is that of its state
RoundSolution
RoundSolver::SolveOnPaths(const Instance& instance,
                          const SolverOptions& options,
                          const RoundPlan* known)
{
    const bool isKnown = known && CheckPlan(instance.state, *known).empty();
    const RoundPlan full = isKnown ? AtFullClocks(*known) : RoundPlan();
    RoundSolution best = SolveAtFullClocks(instance, options, isKnown ? &full : nullptr);
    const bool isWorth = OffersClocks(instance.state) && instance.HasEnergyPrice();
    if (!options.clocks || !isWorth || !best.plan.infeasible.empty())
    {
        return best;
    }
    const ClockSearch search(
        instance,
        [&](const Instance& slower) { return SolveAlone(slower, options); },
        [&](const Instance& slower, const RoundPlan& plan) {
            return Refine(slower, options, plan);
        });
    if (!IsFree(options))
    {
        return search.Improve(std::move(best));
    }
    best = search.Run(best);
    if (isKnown)
    {
        CompareClocks(search, search.ImprovePlan(*known), best);
    }
    for (const SolverOptions& fewer : ListAblations(instance))
    {
        CompareClocks(search, SolveOnPaths(instance, fewer, nullptr), best);
    }
    return best;
}

/// @return the best plan that is found from another one
RoundSolution
RoundSolver::Refine(const Instance& instance, const SolverOptions& options, const RoundPlan& plan)
{
    RoundChoice choice;
    RoundSolution start;
    if (!FindChoice(plan, choice))
    {
        start.plan.infeasible = "the plan is not of one chain for each cluster";
        return start;
    }
    start = Evaluate(instance, choice, plan);
    if (!start.plan.infeasible.empty())
    {
        return start;
    }
    RoundSolution improved = IsWorkConserving(instance.state)
                                 ? m_fluid->Improve(instance, options, start)
                                 : m_search->Improve(instance, options, choice);
    return IsBetter(improved, start) ? improved : start;
}

/// Where another solution is better, goes on from its clocks.
void
RoundSolver::CompareClocks(const ClockSearch& search,
                           const RoundSolution& other,
                           RoundSolution& best)
{
    if (IsBetter(other, best))
    {
        best = search.Improve(other);
    }
}

/// The best plan where every node computes at its full clock
RoundSolution
RoundSolver::SolveAtFullClocks(const Instance& instance,
                               const SolverOptions& options,
                               const RoundPlan* known)
{
    RoundSolution best = SolveAlone(instance, options);
    if (IsFree(options) && best.plan.infeasible.empty())
    {
        CompareWithAblations(instance, best);
        CompareWithBaselines(instance, best);
        RoundChoice choice;
        if (known && FindChoice(*known, choice))
        {
            CompareWith(instance, Evaluate(instance, choice, *known), best);
        }
    }
    return best;
}

RoundSolution
RoundSolver::SolveAlone(const Instance& instance, const SolverOptions& options)
{
    RoundSolution solution = m_search->Solve(instance, options);
    if (solution.plan.infeasible.empty() && IsWorkConserving(instance.state))
    {
        return m_fluid->Improve(instance, options, solution);
    }
    return solution;
}

/// Where another solution is better, goes on from there.
void
RoundSolver::CompareWith(const Instance& instance, const RoundSolution& other, RoundSolution& best)
{
    const uint32_t evaluations = best.evaluations + other.evaluations;
    const uint32_t newtonSteps = best.newtonSteps + other.newtonSteps;
    if (IsBetter(other, best))
    {
        const bool works = IsWorkConserving(instance.state);
        RoundSolution improved = works ? m_fluid->Improve(instance, SolverOptions(), other)
                                       : m_search->Improve(instance, SolverOptions(), other.choice);
        // The radio problem of the same choice is solved to its tolerance only
        best = IsBetter(improved, other) ? std::move(improved) : other;
    }
    best.evaluations = evaluations;
    best.newtonSteps = newtonSteps;
}

void
RoundSolver::CompareWithAblations(const Instance& instance, RoundSolution& best)
{
    for (const SolverOptions& fewer : ListAblations(instance))
    {
        CompareWith(instance, SolveAlone(instance, fewer), best);
    }
}

/// The plans of the pipelines that decide cuts and micro-batches alone
void
RoundSolver::CompareWithBaselines(const Instance& instance, RoundSolution& best)
{
    const RoundChoice uniform = ChooseUniformly(instance.state);
    if (!uniform.empty())
    {
        CompareWith(instance, Evaluate(instance, uniform, MakeEqualPlan(instance, uniform)), best);
    }
    Instance latency;
    latency.state = instance.state;
    const RoundSolution fixed = SolveAlone(latency, {true, false, {false, false}});
    if (fixed.plan.infeasible.empty())
    {
        CompareWith(instance,
                    Evaluate(instance, fixed.choice, MakeEqualPlan(instance, fixed.choice)),
                    best);
    }
    CompareWithTuned(instance, best);
}

/// The plans of TunedUniformPipelineController and SlowestFirstPipelineController
void
RoundSolver::CompareWithTuned(const Instance& instance, RoundSolution& best)
{
    const auto choices = ListEvenChoices(instance.state);
    const auto isEmpty = [](const auto& cluster) { return cluster.empty(); };
    if (std::any_of(choices.begin(), choices.end(), isEmpty))
    {
        return;
    }
    const RoundChoice even = ChooseBest(instance.state, choices);
    const RoundPlan plan = MakeEqualPlan(instance, even);
    CompareWith(instance, Evaluate(instance, even, plan), best);
    if (even.size() > 1 && IsWorkConserving(instance.state))
    {
        const RoundPlan ranked = PutSlowestFirst(instance.state, plan);
        CompareWith(instance, Evaluate(instance, even, ranked), best);
    }
}

} // namespace collapipe
} // namespace ns3
