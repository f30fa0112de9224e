/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What RoundSolver considers for one cluster, and in which order

#include "collapipe-baseline-plan.h"
#include "collapipe-chain-order.h"
#include "collapipe-memory-limits.h"
#include "collapipe-plan-prices.h"
#include "collapipe-round-search.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

bool
IsCheaper(const ClusterCandidate& a, const ClusterCandidate& b)
{
    return a.cost < b.cost;
}

bool
IsSamePair(const MicroBatchPair& a, const MicroBatchPair& b)
{
    return a.count == b.count && a.size == b.size;
}

std::vector<Segment>
CutUniformly(const SystemState& state, std::size_t cluster)
{
    auto nodes = GetUsableDevices(state.clusters[cluster]);
    nodes.resize(std::min<std::size_t>(nodes.size(), state.model.blocks));
    return CutEvenly(state.model.blocks, nodes);
}

std::vector<ClusterCandidate>
RoundSolver::Search::Plan(std::size_t m, const MicroBatchPair& pair, const ClusterCosts& costs)
{
    if (!m_options.segments)
    {
        const auto segments = CutUniformly(m_instance->state, m);
        return {{{segments, pair}, costs.GetChainCost(segments)}};
    }
    const bool ordered = costs.GetDevices() > SegmentPlanner::SUBSET_DEVICES;
    std::vector<Segment> chain;
    if (ordered && m_any && !m_point.choice.empty())
    {
        chain = m_point.choice[m].segments;
    }
    const auto order = ordered ? MakeChainOrder(costs, chain) : std::vector<std::size_t>();
    std::vector<ClusterCandidate> list;
    for (auto& rated : m_planner.Plan(costs, order))
    {
        list.push_back({{std::move(rated.segments), pair}, rated.cost});
    }
    return list;
}

std::vector<ClusterCandidate>
RoundSolver::Search::ListStarts(std::size_t m, std::size_t guess)
{
    std::vector<ClusterCandidate> list;
    for (const auto& pair : m_pairs[m])
    {
        const auto prices = GuessPrices(*m_instance, m, pair, guess, m_options.radio);
        const ClusterCosts costs(*m_instance, m, pair, prices, m_slowdown);
        const auto more = Plan(m, pair, costs);
        list.insert(list.end(), more.begin(), more.end());
    }
    const auto fits = [&](const ClusterCandidate& candidate) {
        return !FitsMemory(m_instance->state, m, candidate.choice);
    };
    list.erase(std::remove_if(list.begin(), list.end(), fits), list.end());
    std::stable_sort(list.begin(), list.end(), IsCheaper);
    return list.empty() ? MakeFallback(m) : list;
}

/// A chain that surely fits, cut down from the largest one
std::vector<ClusterCandidate>
RoundSolver::Search::MakeFallback(std::size_t m) const
{
    std::vector<ClusterCandidate> list;
    for (const auto& pair : m_pairs[m])
    {
        if (m_options.segments)
        {
            list.push_back({{CutLargestChain(m_instance->state, m, pair), pair}, 0});
        }
    }
    return list;
}

/// Chains for the likeliest pairs
void
RoundSolver::Search::AddPairs(std::size_t m,
                              const std::vector<ClusterCosts>& costs,
                              std::vector<ClusterCandidate>& list)
{
    const ClusterChoice& own = m_point.choice[m];
    std::vector<ClusterCandidate> pairs;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < costs.size(); ++i)
    {
        pairs.push_back({{own.segments, m_pairs[m][i]}, costs[i].GetChainCost(own.segments)});
        order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return IsCheaper(pairs[a], pairs[b]);
    });
    for (std::size_t i = 0; i < std::min(order.size(), m_effort.pairs); ++i)
    {
        const auto more = Plan(m, m_pairs[m][order[i]], costs[order[i]]);
        list.insert(list.end(), more.begin(), more.end());
    }
    for (const std::size_t i : order)
    {
        list.push_back(std::move(pairs[i]));
    }
}

void
RoundSolver::Search::AddNeighbours(std::size_t m,
                                   const ClusterCosts& costs,
                                   std::vector<ClusterCandidate>& list)
{
    const ClusterChoice& own = m_point.choice[m];
    for (auto& segments : ListNeighbours(costs, own.segments))
    {
        const double cost = costs.GetChainCost(segments);
        list.push_back({{std::move(segments), own.pair}, cost});
    }
}

/// @return candidates at the present point, the cheapest first
const std::vector<ClusterCandidate>&
RoundSolver::Search::ListCandidates(std::size_t m)
{
    if (m_listedAt[m] != m_moves)
    {
        m_lists[m] = MakeCandidates(m);
        m_listedAt[m] = m_moves;
    }
    return m_lists[m];
}

std::vector<ClusterCandidate>
RoundSolver::Search::MakeCandidates(std::size_t m)
{
    BuildRadioProblem(*m_instance, m_point.choice, m_options.radio, m_problem);
    const ClusterChoice& own = m_point.choice[m];
    const auto prices = GetPrices(m_problem, m_point.solution, m, own.segments.size());
    std::vector<ClusterCosts> costs;
    std::size_t ownPair = 0;
    for (std::size_t i = 0; i < m_pairs[m].size(); ++i)
    {
        costs.emplace_back(*m_instance, m, m_pairs[m][i], prices, m_slowdown);
        ownPair = IsSamePair(m_pairs[m][i], own.pair) ? i : ownPair;
    }
    std::vector<ClusterCandidate> list;
    AddPairs(m, costs, list);
    if (m_options.segments)
    {
        AddNeighbours(m, costs[ownPair], list);
    }
    std::stable_sort(list.begin(), list.end(), IsCheaper);
    return list;
}

} // namespace collapipe
} // namespace ns3
