/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-clock-search.h"

#include "collapipe-transfers.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t MOST_TURNS = 4;                                //!< of both steps
constexpr double LEAST_GAIN = 1e-7;                                  //!< relative to V tau
constexpr std::size_t ALL = std::numeric_limits<std::size_t>::max(); //!< clusters

/// @return the clocks of a node, the slowest first, the full one last
std::vector<double>
ListClocks(const DeviceState& node)
{
    std::set<double> clocks(node.clocks.begin(), node.clocks.end());
    clocks.insert(1);
    return {clocks.begin(), clocks.end()};
}

/// @return clocks of all nodes: each at its slowest but the given number, or at its full one
RoundClocks
GetSlowClocks(const SystemState& state, std::size_t rank)
{
    RoundClocks clocks = GetFullClocks(state);
    for (std::size_t m = 0; m < clocks.size(); ++m)
    {
        for (std::size_t k = 0; k < clocks[m].size(); ++k)
        {
            const auto list = ListClocks(GetNode(state.clusters[m], static_cast<NodeIndex>(k)));
            clocks[m][k] = list[std::min(rank, list.size() - 1)];
        }
    }
    return clocks;
}

} // namespace

ClockSearch::ClockSearch(const Instance& instance, Solve solve, Refine refine)
    : m_instance(instance),
      m_solve(std::move(solve)),
      m_refine(std::move(refine))
{
}

RoundSolution
ClockSearch::SolveAt(const RoundClocks& clocks) const
{
    Instance slower = m_instance;
    slower.state = SetClocks(m_instance.state, clocks);
    RoundSolution solution = m_solve(slower);
    StampClocks(solution.plan, clocks);
    return solution;
}

/// The best plan that is found from a plan, at its clocks
RoundSolution
ClockSearch::RefineAt(const RoundPlan& plan) const
{
    const RoundClocks clocks = GetClocks(m_instance.state, plan);
    Instance slower = m_instance;
    slower.state = SetClocks(m_instance.state, clocks);
    RoundSolution solution = m_refine(slower, AtFullClocks(plan));
    StampClocks(solution.plan, clocks);
    return solution;
}

RoundSolution
ClockSearch::ImprovePlan(const RoundPlan& plan) const
{
    RoundSolution solution = RefineAt(plan);
    return solution.plan.infeasible.empty() ? Improve(std::move(solution)) : solution;
}

RoundSolution
ClockSearch::Run(const RoundSolution& solution) const
{
    RoundSolution best = Improve(solution);
    std::size_t most = 1;
    for (const auto& cluster : m_instance.state.clusters)
    {
        for (NodeIndex node = 0; node <= cluster.devices.size(); ++node)
        {
            most = std::max(most, ListClocks(GetNode(cluster, node)).size());
        }
    }
    for (std::size_t rank = 0; rank + 1 < most; ++rank)
    {
        const RoundSolution slow = SolveAt(GetSlowClocks(m_instance.state, rank));
        if (slow.plan.infeasible.empty())
        {
            RoundSolution improved = Improve(slow);
            if (improved.evaluation.objective < best.evaluation.objective)
            {
                best = std::move(improved);
            }
        }
    }
    return best;
}

RoundSolution
ClockSearch::Improve(RoundSolution solution) const
{
    for (std::size_t turn = 0; turn < MOST_TURNS && Adjust(solution); ++turn)
    {
        RoundSolution again = RefineAt(solution.plan);
        const double least = LEAST_GAIN * solution.evaluation.latencyTerm;
        if (!again.plan.infeasible.empty() ||
            again.evaluation.objective >= solution.evaluation.objective - least)
        {
            break;
        }
        again.history.insert(again.history.begin(),
                             solution.history.begin(),
                             solution.history.end());
        solution = std::move(again);
    }
    return solution;
}

/// Slower or faster clocks for a plan as it is. @return whether (13) has fallen
bool
ClockSearch::Adjust(RoundSolution& solution) const
{
    bool better = TryPaces(solution);
    for (std::size_t turn = 0; turn < MOST_TURNS && TryNodes(solution); ++turn)
    {
        better = true;
    }
    return better;
}

/// All nodes of a cluster, or of all clusters, as slow as the slowest of them allows
bool
ClockSearch::TryPaces(RoundSolution& solution) const
{
    std::set<double> stretches;
    for (const auto& cluster : m_instance.state.clusters)
    {
        for (NodeIndex node = 0; node <= cluster.devices.size(); ++node)
        {
            for (const double clock : ListClocks(GetNode(cluster, node)))
            {
                stretches.insert(1 / clock);
            }
        }
    }
    bool better = false;
    const RoundSolution start = solution;
    for (const double stretch : stretches)
    {
        for (std::size_t m = 0; m < start.plan.clusters.size(); ++m)
        {
            RoundPlan plan = solution.plan;
            StampClocks(plan, KeepPace(solution, stretch, m));
            better |= Try(solution, plan);
        }
        RoundPlan plan = start.plan;
        StampClocks(plan, KeepPace(start, stretch, ALL));
        better |= Try(solution, plan);
    }
    return better;
}

/// Each node at each of its clocks
bool
ClockSearch::TryNodes(RoundSolution& solution) const
{
    bool better = false;
    for (std::size_t m = 0; m < m_instance.state.clusters.size(); ++m)
    {
        const auto& cluster = m_instance.state.clusters[m];
        for (NodeIndex node = 0; node <= cluster.devices.size(); ++node)
        {
            for (const double clock : ListClocks(GetNode(cluster, node)))
            {
                RoundClocks clocks = GetClocks(m_instance.state, solution.plan);
                if (clocks[m][node] != clock)
                {
                    clocks[m][node] = clock;
                    RoundPlan plan = solution.plan;
                    StampClocks(plan, clocks);
                    better |= Try(solution, plan);
                }
            }
        }
    }
    return better;
}

/**
 * @param solution a plan
 * @param stretch by which the slowest node of a cluster, of those at full clocks, may be slower
 * @param only the cluster, or ALL; others keep their clocks
 * @return for each node the slowest clock with which it is not slower than that
 */
RoundClocks
ClockSearch::KeepPace(const RoundSolution& solution, double stretch, std::size_t only) const
{
    RoundClocks clocks = GetClocks(m_instance.state, solution.plan);
    const RoundClocks now = clocks;
    for (std::size_t m = 0; m < clocks.size(); ++m)
    {
        if (only != ALL && only != m)
        {
            continue;
        }
        const auto& nodes = solution.evaluation.clusters[m].nodes;
        const auto getFullS = [&](std::size_t k) {
            return std::max(nodes[k].forwardS, nodes[k].backwardS) * now[m][k];
        };
        double slowestS = 0;
        for (std::size_t k = 0; k < nodes.size(); ++k)
        {
            slowestS = std::max(slowestS, getFullS(k));
        }
        for (std::size_t k = 0; k < nodes.size(); ++k)
        {
            const auto list =
                ListClocks(GetNode(m_instance.state.clusters[m], static_cast<NodeIndex>(k)));
            const auto found = std::find_if(list.begin(), list.end(), [&](double clock) {
                return getFullS(k) / clock <= stretch * slowestS * (1 + LEAST_GAIN);
            });
            clocks[m][k] = found == list.end() ? 1 : *found;
        }
    }
    return clocks;
}

/// Takes a plan of the same discrete decisions if (13) is lower.
bool
ClockSearch::Try(RoundSolution& solution, const RoundPlan& plan) const
{
    Evaluation evaluation = EvaluatePlan(m_instance, plan);
    ++solution.evaluations;
    const double least = LEAST_GAIN * solution.evaluation.latencyTerm;
    if (!(evaluation.objective < solution.evaluation.objective - least))
    {
        return false;
    }
    solution.plan = plan;
    solution.plan.plannedLatencyS = evaluation.latencyS;
    solution.evaluation = std::move(evaluation);
    solution.history.push_back(solution.evaluation.objective);
    return true;
}

} // namespace collapipe
} // namespace ns3
