/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Chains that step together: how their gradients become one.

#include "collapipe-fluid-player.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

void
FluidPlayer::AddSums(std::size_t m)
{
    PlayedCluster& cluster = m_clusters[m];
    const ClusterPlan& plan = m_plan->clusters[m];
    if (!plan.synchronous || cluster.chains < 2)
    {
        return;
    }
    cluster.sums.resize(plan.chains.front().stages.size());
    cluster.firstSum = m_flows.size();
    const auto find = [&plan](NodeIndex node, std::size_t& chain) {
        for (chain = 0; chain < plan.chains.size(); ++chain)
        {
            const auto& stages = plan.chains[chain].stages;
            for (std::size_t s = 0; s < stages.size(); ++s)
            {
                if (stages[s].node == node)
                {
                    return s;
                }
            }
        }
        return std::size_t{0};
    };
    for (const auto& transfer : ListSums(*m_state, plan))
    {
        const bool isUp = transfer.leg == 0;
        std::size_t chain = 0;
        const std::size_t stage = find(isUp ? transfer.from : transfer.to, chain);
        auto& sum = cluster.sums[stage];
        (isUp ? sum.up : sum.down).push_back(m_flows.size());
        AddFlow(m, transfer);
        m_flows.back().chain = cluster.firstChain + chain;
        m_flows.back().sumStage = static_cast<int>(stage);
    }
    cluster.sumFlows = m_flows.size() - cluster.firstSum;
    for (auto& sum : cluster.sums)
    {
        sum.waits = static_cast<uint32_t>(cluster.chains);
    }
}

/// A stage's gradients are complete: they go to the first chain's, where a link is needed for it
void
FluidPlayer::EndStage(std::size_t c, uint32_t stage)
{
    const PlayedCluster& cluster = m_clusters[m_chains[c].cluster];
    const PlayedSum& sum = cluster.sums[stage];
    if (c == cluster.firstChain || sum.up.empty())
    {
        AddShare(m_chains[c].cluster, stage);
        return;
    }
    BeginTransfer(sum.up[c - cluster.firstChain - 1], 0);
}

void
FluidPlayer::AddShare(std::size_t m, uint32_t stage)
{
    PlayedCluster& cluster = m_clusters[m];
    PlayedSum& sum = cluster.sums[stage];
    if (--sum.waits > 0)
    {
        return;
    }
    sum.waits = static_cast<uint32_t>(cluster.chains);
    StepStage(cluster.firstChain);
    for (std::size_t i = 1; i < cluster.chains; ++i)
    {
        if (sum.down.empty())
        {
            StepStage(cluster.firstChain + i);
        }
        else
        {
            BeginTransfer(sum.down[i - 1], 0);
        }
    }
}

void
FluidPlayer::StepStage(std::size_t c)
{
    if (--m_chains[c].unstepped == 0)
    {
        EndIteration(c);
    }
}

void
FluidPlayer::EndSum(std::size_t f)
{
    const PlayedFlow& flow = m_flows[f];
    const std::size_t m = m_chains[flow.chain].cluster;
    const auto stage = static_cast<uint32_t>(flow.sumStage);
    const auto& up = m_clusters[m].sums[stage].up;
    if (std::find(up.begin(), up.end(), f) != up.end())
    {
        AddShare(m, stage);
        return;
    }
    StepStage(flow.chain);
}

} // namespace collapipe
} // namespace ns3
