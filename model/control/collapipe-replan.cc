/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-replan.h"

#include "collapipe-baseline-controllers.h"
#include "collapipe-edge-blocks.h"
#include "collapipe-recomputation.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return whether a chain needs a node that is gone
bool
NeedsAny(const ChainPlan& chain, const std::set<NodeIndex>& nodes)
{
    return std::any_of(chain.stages.begin(), chain.stages.end(), [&nodes](const auto& stage) {
        return nodes.count(stage.node) > 0;
    });
}

/// Leaves out the chains of nodes that are gone.
std::string
DropChains(const std::set<NodeIndex>& absent, ClusterPlan& plan)
{
    auto chains = plan.chains;
    chains.erase(std::remove_if(chains.begin(),
                                chains.end(),
                                [&absent](const auto& chain) { return NeedsAny(chain, absent); }),
                 chains.end());
    double share = 0;
    for (const auto& chain : chains)
    {
        share += chain.dataShare;
    }
    if (chains.empty() || share <= 0)
    {
        return "no device of the cluster is left";
    }
    for (auto& chain : chains)
    {
        chain.dataShare /= share;
    }
    plan.chains = std::move(chains);
    return "";
}

/// Makes links take no more of the pools that clusters share than the cluster had before.
void
KeepShares(const SystemState& alone, const ClusterPlan& before, ClusterPlan& plan)
{
    RoundPlan round;
    round.clusters.push_back(before);
    const PoolShares had = SumShares(alone, round);
    for (auto& link : plan.links)
    {
        const Reservation own = GetReservation(alone, 0, link.from, link.to);
        const auto found = had.find({link.phase, own.pool, own.GetOwner()});
        if (own.pool != Pool::D2D && found != had.end())
        {
            link.share *= std::min(1.0, found->second);
        }
    }
}

} // namespace

std::string
ReplanCluster(const SystemState& state,
              const RoundPlan& round,
              std::size_t cluster,
              const std::set<NodeIndex>& absent,
              ClusterPlan& plan)
{
    if (plan.chains.size() != 1 || plan.chains.front().stages.front().node != CONTROL_UNIT)
    {
        return DropChains(absent, plan);
    }
    if (absent.count(CONTROL_UNIT) > 0)
    {
        return "the cluster's data are out of reach with its control unit";
    }
    SystemState alone = state;
    alone.clusters = {state.clusters[cluster]};
    alone.clusters.front().weight = 1;
    alone.training.uploadRule =
        plan.path == UploadPath::COLLECTED ? UploadRule::COLLECTED : UploadRule::DIRECT;
    for (const auto node : absent)
    {
        if (node >= 1 && node <= alone.clusters.front().devices.size())
        {
            alone.clusters.front().devices[node - 1].memoryBytes = 0;
        }
    }
    const auto& chain = plan.chains.front();
    alone.training.localIterations = round.localIterations;
    alone.training.schedule = round.schedule;
    alone.training.fixedPair = {chain.microBatches, chain.microBatchSize};
    alone.training.allowedPairs = {alone.training.fixedPair};
    // What the edge server holds stays there
    RoundPlan before;
    before.clusters = {plan};
    const uint32_t edgeBlocks = CountEdgeBlocks(before);
    auto cut =
        CreateObject<StaticPipelineController>()->Decide(WithoutEdgeBlocks(alone, edgeBlocks));
    if (!cut.infeasible.empty())
    {
        return cut.infeasible;
    }
    PutBlocksOnEdge(alone, edgeBlocks, cut);
    MarkRecomputation(alone, cut);
    auto found = std::move(cut.clusters.front());
    KeepShares(alone, plan, found);
    plan = std::move(found);
    return "";
}

} // namespace collapipe
} // namespace ns3
