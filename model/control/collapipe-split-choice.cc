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
SplitChoice::Choose(std::size_t cluster, uint32_t samples, bool waits)
{
    m_cluster = cluster;
    m_samples = samples;
    m_waits = waits;
    m_nodes = GetUsableDevices(m_instance.state.clusters[cluster]);
    m_alone.clusters.assign(m_plans.size(), {});
    m_alone.clusters[cluster] = m_plans[cluster];
    m_times.clear();
    std::vector<ChainPlan> best;
    double least = NEVER_S;
    const auto deals = ListDeals();
    for (const double limitS : ListLimits())
    {
        // All wait for the longest distribution: the longer it may be, the more cuts there are
        m_limitS = limitS;
        for (const auto& deal : deals)
        {
            double distributionS = 0;
            double slowestS = 0;
            std::vector<ChainPlan> chains;
            for (auto& timed : !waits || limitS < least ? Play(deal) : std::vector<TimedChain>())
            {
                distributionS = std::max(distributionS, timed.times.distributionS);
                slowestS = std::max(slowestS, GetOwnS(timed.times));
                chains.push_back(std::move(timed.chain));
            }
            const double timeS = slowestS + (waits ? distributionS : 0);
            if (!chains.empty() && timeS < least)
            {
                least = timeS;
                best = std::move(chains);
            }
        }
    }
    return best;
}

std::set<double>
SplitChoice::ListLimits()
{
    const uint32_t blocks = m_instance.state.model.blocks;
    std::set<double> limits;
    if (!m_waits)
    {
        return {NEVER_S};
    }
    for (const NodeIndex node : m_nodes)
    {
        ChainPlan chain = MakeChain({1, 0, 0}, node, 1);
        for (uint32_t cut = 1; cut <= blocks; ++cut)
        {
            chain.stages = MakeSplitStages(node, cut, blocks);
            const double limitS = GetTimes(chain).distributionS;
            if (limitS < NEVER_S)
            {
                limits.insert(limitS);
            }
        }
    }
    return limits;
}

double
SplitChoice::GetOwnS(const Times& times) const
{
    return times.restS + (m_waits ? 0 : times.distributionS);
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
        const auto k = std::min_element(next.begin(),
                                        next.end(),
                                        [this](const auto& a, const auto& b) {
                                            return GetOwnS(a.times) < GetOwnS(b.times);
                                        }) -
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
    TimedChain best{MakeChain(deal, node, units), {0, units > 0 ? NEVER_S : 0}, units};
    const uint32_t blocks = m_instance.state.model.blocks;
    ChainPlan chain = best.chain;
    for (uint32_t cut = 1; cut <= blocks && units > 0; ++cut)
    {
        chain.stages = MakeSplitStages(node, cut, blocks);
        const Times& times = GetTimes(chain);
        if (times.restS == NEVER_S)
        {
            break; // more blocks do not fit either
        }
        if (times.distributionS <= m_limitS && GetOwnS(times) < GetOwnS(best.times))
        {
            best.times = times;
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

const SplitChoice::Times&
SplitChoice::GetTimes(const ChainPlan& chain)
{
    const auto& first = chain.stages.front();
    const auto place = m_times.try_emplace(
        {first.node, first.lastBlock, chain.microBatches, chain.microBatchSize});
    Times& times = place.first->second;
    if (place.second)
    {
        m_alone.clusters[m_cluster].chains = {chain};
        const bool fits = CheckSchedule(m_alone).empty() &&
                          (!m_enforceMemory || CheckMemory(m_instance.state, m_alone).empty());
        times = {NEVER_S, NEVER_S};
        if (fits)
        {
            const auto own = EvaluatePlan(m_instance, m_alone).clusters[m_cluster];
            times = {own.distributionS, own.totalS - own.distributionS};
        }
    }
    return times;
}

} // namespace collapipe
} // namespace ns3
