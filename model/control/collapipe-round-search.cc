/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// RoundSolver's block coordinate descent in reserved media, from several starts

#include "collapipe-round-search.h"

#include "collapipe-controller.h"
#include "collapipe-memory-limits.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FINAL_TOLERANCE = 1e-7;  //!< relative gap of the plan
constexpr std::size_t MANY_CLUSTERS = 16; //!< with more, fewer candidates of each are tried
constexpr double LEAST_GAIN = 1e-7;       //!< relative to V tau: less is no improvement
constexpr std::size_t SMALL_WORK = 48;    //!< devices times blocks: everything is tried
constexpr std::size_t MEDIUM_WORK = 72;   //!< much is tried
constexpr std::size_t LARGE_WORK = 400;   //!< little is tried

/// @return whether every link can carry anything
bool
IsUsable(const RadioProblem& problem)
{
    return std::all_of(problem.links.begin(), problem.links.end(), [](const RadioLink& link) {
        return std::isfinite(GetOccupationS(link, 1, 1));
    });
}

/// A choice as a sequence of numbers, to remember what was tried
std::vector<uint32_t>
Encode(const RoundChoice& choice)
{
    std::vector<uint32_t> code;
    for (const auto& cluster : choice)
    {
        code.push_back(cluster.pair.count);
        code.push_back(cluster.pair.size);
        for (const auto& segment : cluster.segments)
        {
            code.push_back(segment.node);
            code.push_back(segment.blocks);
        }
        code.push_back(0);
    }
    return code;
}

} // namespace

RoundSolution
RoundSolver::Search::Improve(const Instance& instance,
                             const SolverOptions& options,
                             const RoundChoice& choice)
{
    if (!Begin(instance, options))
    {
        return m_result;
    }
    m_startCutoff = ClusterCosts::NO_LIMIT;
    if (Try(choice))
    {
        m_history = {m_point.objective};
        Descend();
        m_result.history = m_history;
    }
    return Finish();
}

/// @return whether there can be a plan; else the result says why there is none
bool
RoundSolver::Search::Begin(const Instance& instance, const SolverOptions& options)
{
    m_instance = &instance;
    m_options = options;
    m_result = RoundSolution();
    m_tried.clear();
    m_allocator.Forget();
    m_any = false;
    m_result.plan.infeasible = Prepare();
    return m_result.plan.infeasible.empty();
}

RoundSolution
RoundSolver::Search::Solve(const Instance& instance, const SolverOptions& options)
{
    if (!Begin(instance, options))
    {
        return m_result;
    }
    const std::vector<SearchPoint> starts = FindStarts();
    SearchPoint best;
    for (std::size_t i = 0; i < std::min(starts.size(), m_effort.descents); ++i)
    {
        m_point = starts[i];
        m_any = true;
        ++m_moves;
        if (m_effort.descents > 1)
        {
            m_tried.clear();
        }
        m_history = {m_point.objective};
        Descend();
        if (i == 0 || m_point.objective < best.objective)
        {
            best = m_point;
            m_result.history = m_history;
        }
    }
    m_any = !starts.empty();
    m_point = best;
    return Finish();
}

/// @return points to descend from, the best first; where only one is followed, others that are
/// surely worse may be left out
std::vector<SearchPoint>
RoundSolver::Search::FindStarts()
{
    std::vector<SearchPoint> starts;
    m_startCutoff = ClusterCosts::NO_LIMIT;
    const auto add = [&](const std::function<void()>& start) {
        m_any = false;
        start();
        if (m_any)
        {
            starts.push_back(m_point);
            m_startCutoff = m_effort.descents > 1 ? m_startCutoff : m_point.objective;
        }
    };
    for (const std::size_t guess : ListGuesses())
    {
        add([&]() { Start(guess); });
    }
    if (m_options.segments)
    {
        add([&]() { StartEvenly(); });
    }
    std::stable_sort(starts.begin(), starts.end(), [](const SearchPoint& a, const SearchPoint& b) {
        return a.objective < b.objective;
    });
    return starts;
}

std::string
RoundSolver::Search::Prepare()
{
    const SystemState& state = m_instance->state;
    const std::string error = CheckPipelineState(state);
    if (!error.empty())
    {
        return error;
    }
    const auto& training = state.training;
    const std::vector<MicroBatchPair> fixed{training.fixedPair};
    const auto& pairs = m_options.microBatches ? training.allowedPairs : fixed;
    const std::string infeasible = CheckFeasible(state, pairs);
    if (!infeasible.empty())
    {
        return infeasible;
    }
    m_slowdown = GetEdgeSlowdown(state.edge, state.clusters.size());
    SetPairs();
    SetEffort();
    m_lists.assign(m_pairs.size(), {});
    m_listedAt.assign(m_pairs.size(), 0);
    return "";
}

void
RoundSolver::Search::SetPairs()
{
    const SystemState& state = m_instance->state;
    const std::vector<MicroBatchPair> fixed{state.training.fixedPair};
    m_pairs.assign(state.clusters.size(), {});
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        for (const auto& pair : m_options.microBatches ? state.training.allowedPairs : fixed)
        {
            if (IsPairFeasible(state, m, pair))
            {
                m_pairs[m].push_back(pair);
            }
        }
    }
}

void
RoundSolver::Search::SetEffort()
{
    std::size_t devices = 0;
    for (const auto& cluster : m_instance->state.clusters)
    {
        devices += cluster.devices.size();
    }
    const std::size_t work = devices * m_instance->state.model.blocks;
    const std::size_t clusters = m_instance->state.clusters.size();
    m_effort = SearchEffort();
    if (work <= SMALL_WORK || (work <= MEDIUM_WORK && IsCheap()))
    {
        m_effort.starts = 8;
        m_effort.descents = 4;
        m_effort.candidates = 60;
        m_effort.sweeps = 12;
        m_effort.pairs = 100;
        m_effort.tolerance = 1e-5;
    }
    else if (work <= MEDIUM_WORK && clusters <= 2)
    {
        m_effort.starts = 4;
        m_effort.descents = 3;
        m_effort.candidates = 24;
        m_effort.sweeps = 8;
        m_effort.pairs = 100;
        m_effort.tolerance = 1e-5;
    }
    else if (work > LARGE_WORK)
    {
        // Every cluster's candidates cost a joint problem of all clusters each
        m_effort.candidates = clusters <= MANY_CLUSTERS ? 3 : 2;
    }
}

/// @return whether a radio problem is no more than an evaluation: nothing is to be divided and no
/// energy has a price
bool
RoundSolver::Search::IsCheap() const
{
    const SystemState& state = m_instance->state;
    const auto fixed = [&](const PoolState& pool) {
        return pool.mode == SharingMode::DEDICATED || !m_options.radio.shares;
    };
    bool cheap = fixed(state.uplink) && fixed(state.downlink);
    for (const auto& cluster : state.clusters)
    {
        cheap = cheap && fixed(cluster.d2d);
    }
    return cheap && (!m_options.radio.powers || !m_instance->HasEnergyPrice());
}

/// Lengths of chains from which prices are guessed, the most different first
std::vector<std::size_t>
RoundSolver::Search::ListGuesses() const
{
    std::size_t most = 1;
    for (const auto& cluster : m_instance->state.clusters)
    {
        most = std::max(most, cluster.devices.size());
    }
    most = std::min<std::size_t>(most, m_instance->state.model.blocks);
    std::vector<std::size_t> guesses;
    for (std::size_t i = 0; i < m_effort.starts; ++i)
    {
        const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(m_effort.starts);
        const auto guess = static_cast<std::size_t>(1 + part * static_cast<double>(most));
        if (guesses.empty() || guesses.back() != guess)
        {
            guesses.push_back(std::min(guess, most));
        }
    }
    return guesses;
}

void
RoundSolver::Search::Start(std::size_t guess)
{
    const std::size_t clusters = m_pairs.size();
    std::vector<std::vector<ClusterCandidate>> lists;
    std::size_t most = 0;
    for (std::size_t m = 0; m < clusters; ++m)
    {
        lists.push_back(ListStarts(m, guess));
        most = std::max(most, lists.back().size());
        if (lists.back().empty())
        {
            return;
        }
    }
    const uint32_t before = m_result.evaluations;
    for (std::size_t rank = 0; rank < most && m_result.evaluations == before; ++rank)
    {
        RoundChoice choice;
        for (const auto& list : lists)
        {
            choice.push_back(list[std::min(rank, list.size() - 1)].choice);
        }
        m_tried.insert(Encode(choice));
        Try(choice);
        m_point.choice = choice;
    }
    const bool usable = m_result.evaluations > before;
    for (std::size_t m = 0; m < clusters && clusters <= 2 && usable; ++m)
    {
        TryCandidates(m, lists[m], m_effort.candidates / 2);
    }
}

/// Even chains and the fixed pair, so that the result is never worse than a plan without planning.
/// Prices do not lead there where the slowest of several parameter transfers counts.
void
RoundSolver::Search::StartEvenly()
{
    const MicroBatchPair& fixed = m_instance->state.training.fixedPair;
    RoundChoice choice;
    for (std::size_t m = 0; m < m_pairs.size(); ++m)
    {
        const auto found = std::find_if(m_pairs[m].begin(),
                                        m_pairs[m].end(),
                                        [&](const auto& pair) { return IsSamePair(pair, fixed); });
        choice.push_back({CutUniformly(m_instance->state, m),
                          found == m_pairs[m].end() ? m_pairs[m].front() : *found});
    }
    Try(choice);
}

/// Solves the radio problem of a choice and moves there if that is better.
bool
RoundSolver::Search::Try(const RoundChoice& choice)
{
    for (std::size_t m = 0; m < choice.size(); ++m)
    {
        if (!FitsMemory(m_instance->state, m, choice[m]))
        {
            return false;
        }
    }
    const double cutoff = m_any ? m_point.objective : m_startCutoff;
    BuildRadioProblem(*m_instance, choice, m_options.radio, m_problem);
    if (!IsUsable(m_problem))
    {
        return false;
    }
    const double tolerance = m_problem.isFlowShop ? m_effort.tolerance : m_effort.pathTolerance;
    RadioSolution solution = m_allocator.Solve(m_problem, tolerance, cutoff);
    ++m_result.evaluations;
    m_result.newtonSteps += solution.iterations;
    const double objective = solution.objective;
    const double radio = objective - m_problem.constant;
    if (!std::isfinite(objective) || objective >= cutoff - LEAST_GAIN * radio)
    {
        return false;
    }
    m_point = {choice, std::move(solution), objective};
    m_any = true;
    ++m_moves;
    return true;
}

bool
RoundSolver::Search::TryCandidates(std::size_t m,
                                   const std::vector<ClusterCandidate>& list,
                                   std::size_t most)
{
    bool better = false;
    std::size_t tried = 0;
    for (const auto& candidate : list)
    {
        RoundChoice choice = m_point.choice;
        choice[m] = candidate.choice;
        if (tried == most || !std::isfinite(candidate.cost))
        {
            break;
        }
        if (m_tried.insert(Encode(choice)).second)
        {
            ++tried;
            if (Try(choice))
            {
                better = true;
                m_history.push_back(m_point.objective);
            }
        }
    }
    return better;
}

bool
RoundSolver::Search::Sweep()
{
    bool better = false;
    const std::size_t clusters = m_pairs.size();
    if (clusters > 1)
    {
        // All clusters at once, each to what seems best at the present prices
        RoundChoice choice;
        for (std::size_t m = 0; m < clusters; ++m)
        {
            choice.push_back(ListCandidates(m).front().choice);
        }
        if (m_tried.insert(Encode(choice)).second && Try(choice))
        {
            better = true;
            m_history.push_back(m_point.objective);
        }
    }
    for (std::size_t m = 0; m < clusters; ++m)
    {
        better |= TryCandidates(m, ListCandidates(m), m_effort.candidates);
    }
    return better;
}

void
RoundSolver::Search::Descend()
{
    for (std::size_t sweep = 0; sweep < m_effort.sweeps; ++sweep)
    {
        if (!Sweep())
        {
            return;
        }
    }
}

RoundSolution
RoundSolver::Search::Finish()
{
    if (!m_any)
    {
        m_result.plan.infeasible =
            m_options.segments
                ? "no chain of devices with working links holds the model; add or improve links"
                : "equal segments do not fit the devices' memory (8); let segments be optimised";
        return std::move(m_result);
    }
    BuildRadioProblem(*m_instance, m_point.choice, m_options.radio, m_problem);
    RadioSolution solution = m_allocator.Solve(m_problem, FINAL_TOLERANCE);
    if (!(solution.objective <= m_point.objective))
    {
        // Also where the sharper tolerance led nowhere: numbers that are none
        solution = m_point.solution;
    }
    m_result.plan = MakeRoundPlan(*m_instance, m_point.choice, m_problem, solution);
    m_result.choice = m_point.choice;
    m_result.evaluation = EvaluatePlan(*m_instance, m_result.plan);
    m_result.plan.plannedLatencyS = m_result.evaluation.latencyS;
    m_result.history.push_back(m_result.evaluation.objective);
    return std::move(m_result);
}

RoundPlan
MakeRoundPlan(const Instance& instance,
              const RoundChoice& choice,
              const RadioProblem& problem,
              const RadioSolution& solution)
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
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const RadioLink& link = problem.links[i];
        plan.clusters[link.cluster].links.push_back(
            {link.phase, link.from, link.to, solution.shares[i], solution.powersW[i]});
    }
    return plan;
}

} // namespace collapipe
} // namespace ns3
