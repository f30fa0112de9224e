/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-split-choice.h"

#include "collapipe-latency-model.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-side-by-side.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double NEVER_S = std::numeric_limits<double>::infinity(); //!< where nothing fits

/// Shares are lost where they are not used, and the edge server is as slow as it is with all chains
SystemState
MakeLonely(SystemState state, const RoundPlan& plan)
{
    std::size_t chains = 0;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        chains += plan.clusters[m].chains.size();
        state.clusters[m].d2d.sharing = Sharing::RESERVED;
    }
    state.uplink.sharing = state.downlink.sharing = Sharing::RESERVED;
    const double slowdown = GetEdgeSlowdown(state.edge, chains);
    state.edge.flops /= slowdown;
    state.edge.overheadS *= slowdown;
    return state;
}

} // namespace

SplitChoice::SplitChoice(const SystemState& state, const RoundPlan& shares, bool enforceMemory)
    : m_alone(StartSideBySide(state)),
      m_plans(shares.clusters),
      m_enforceMemory(enforceMemory)
{
    m_instance.state = MakeLonely(state, shares);
}

std::vector<ChainPlan>
SplitChoice::Choose(std::size_t cluster, uint32_t samples)
{
    m_cluster = cluster;
    m_samples = samples;
    m_nodes = GetUsableDevices(m_instance.state.clusters[cluster]);
    m_alone.clusters.assign(m_plans.size(), {});
    m_alone.clusters[cluster] = m_plans[cluster];
    std::vector<ChainPlan> best;
    double least = NEVER_S;
    for (const auto& deal : ListDeals())
    {
        double slowest = 0;
        std::vector<ChainPlan> chains;
        for (auto& timed : Play(deal))
        {
            slowest = std::max(slowest, timed.timeS);
            chains.push_back(std::move(timed.chain));
        }
        if (slowest < least)
        {
            least = slowest;
            best = std::move(chains);
        }
    }
    return best;
}

std::vector<SplitChoice::Deal>
SplitChoice::ListDeals() const
{
    const auto devices = static_cast<uint32_t>(m_nodes.size());
    const auto& training = m_instance.state.training;
    auto pairs = training.allowedPairs;
    pairs.push_back(training.fixedPair);
    std::vector<Deal> deals;
    for (const auto& pair : pairs)
    {
        if (pair.count * pair.size == m_samples && pair.size >= devices)
        {
            deals.push_back({pair.size, pair.count, 1});
        }
    }
    deals.push_back({m_samples, 0, m_samples >= devices ? 1U : 0U});
    return deals;
}

/// Unit by unit to the device that is done first with it: as times grow with units, no other way
/// has a shorter longest time
std::vector<SplitChoice::TimedChain>
SplitChoice::Play(const Deal& deal)
{
    std::vector<TimedChain> dealt;
    std::vector<TimedChain> next;
    uint32_t left = deal.units;
    for (const NodeIndex node : m_nodes)
    {
        dealt.push_back(FindCut(deal, node, deal.least));
        next.push_back(FindCut(deal, node, deal.least + 1));
        left -= deal.least;
    }
    for (; left > 0 && !next.empty(); --left)
    {
        const auto k =
            std::min_element(next.begin(),
                             next.end(),
                             [](const auto& a, const auto& b) { return a.timeS < b.timeS; }) -
            next.begin();
        const uint32_t more = next[k].units + 1;
        dealt[k] = std::exchange(next[k], FindCut(deal, m_nodes[k], more));
    }
    dealt.erase(std::remove_if(dealt.begin(),
                               dealt.end(),
                               [](const auto& timed) { return timed.units == 0; }),
                dealt.end());
    return dealt;
}

SplitChoice::TimedChain
SplitChoice::FindCut(const Deal& deal, NodeIndex node, uint32_t units)
{
    TimedChain best{MakeChain(deal, node, units), units > 0 ? NEVER_S : 0, units};
    const uint32_t blocks = m_instance.state.model.blocks;
    ChainPlan chain = best.chain;
    for (uint32_t cut = 1; cut <= blocks && units > 0; ++cut)
    {
        chain.stages = MakeSplitStages(node, cut, blocks);
        const double timeS = GetTimeS(chain);
        if (timeS == NEVER_S)
        {
            break; // more blocks do not fit either
        }
        if (timeS < best.timeS)
        {
            best.timeS = timeS;
            best.chain = chain;
        }
    }
    return best;
}

ChainPlan
SplitChoice::MakeChain(const Deal& deal, NodeIndex node, uint32_t units) const
{
    ChainPlan chain;
    chain.stages = MakeSplitStages(node, 1, m_instance.state.model.blocks);
    chain.microBatches = deal.count > 0 ? deal.count : units;
    chain.microBatchSize = deal.count > 0 ? units : 1;
    chain.dataShare = static_cast<double>(chain.microBatches) * chain.microBatchSize / m_samples;
    return chain;
}

double
SplitChoice::GetTimeS(const ChainPlan& chain)
{
    m_alone.clusters[m_cluster].chains = {chain};
    const bool fits = CheckSchedule(m_alone).empty() &&
                      (!m_enforceMemory || CheckMemory(m_instance.state, m_alone).empty());
    return fits ? EvaluatePlan(m_instance, m_alone).clusters[m_cluster].totalS : NEVER_S;
}

} // namespace collapipe
} // namespace ns3
