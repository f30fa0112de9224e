/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-clock-states.h"
#include "collapipe-controller.h"
#include "collapipe-edge-blocks.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <sstream>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double TOLERANCE = 1e-9;                   //!< relative, of sums of shares and of powers
constexpr uint64_t MOST_SAMPLES = uint64_t{1} << 20; //!< of an iteration
constexpr uint32_t MOST_ITERATIONS = 1000000;        //!< of a round

/// Names by Phase
const std::array<std::string, 3> PHASES{"distribution", "training", "upload"};

std::string
NodeName(NodeIndex node)
{
    if (node == EDGE_SERVER)
    {
        return "the edge server";
    }
    return node == CONTROL_UNIT ? "the control unit" : "device " + std::to_string(node - 1);
}

std::string
ClusterName(std::size_t cluster)
{
    return "cluster " + std::to_string(cluster);
}

bool
IsKnown(const ClusterState& cluster, NodeIndex node)
{
    return node == EDGE_SERVER || node <= cluster.devices.size();
}

/// One chain covers the model in order, from the embedding to the decoder
std::string
CheckCover(const SystemState& state, const ChainPlan& chain, const std::string& where)
{
    if (chain.stages.empty())
    {
        return where + " has a chain without stages";
    }
    if (chain.microBatches == 0 || chain.microBatchSize == 0)
    {
        return where + " has a chain without micro-batches or with empty ones";
    }
    if (uint64_t{chain.microBatches} * chain.microBatchSize > MOST_SAMPLES)
    {
        return where + " has a chain of more than " + std::to_string(MOST_SAMPLES) +
               " samples an iteration";
    }
    uint32_t next = 0;
    for (std::size_t s = 0; s < chain.stages.size(); ++s)
    {
        const auto& stage = chain.stages[s];
        if (stage.embedding != (s == 0) || stage.decoder != (s + 1 == chain.stages.size()))
        {
            return where +
                   " must hold the embedding in its first and the decoder in its last stage";
        }
        if (stage.firstBlock != next || stage.lastBlock < stage.firstBlock)
        {
            return where + " does not cover the blocks in order at stage " + std::to_string(s);
        }
        next = stage.lastBlock;
    }
    return next == state.model.blocks
               ? ""
               : where + " places " + std::to_string(next) + " blocks, the model has " +
                     std::to_string(state.model.blocks);
}

/// Pipelines that start at the control unit take an allowed pair, or the fixed one
std::string
CheckPair(const TrainingProfile& training, const ChainPlan& chain, const std::string& where)
{
    const auto same = [&](const MicroBatchPair& pair) {
        return pair.count == chain.microBatches && pair.size == chain.microBatchSize;
    };
    const auto& allowed = training.allowedPairs;
    if (chain.stages.front().node != CONTROL_UNIT || allowed.empty() || same(training.fixedPair) ||
        std::any_of(allowed.begin(), allowed.end(), same))
    {
        return "";
    }
    return where + " uses " + std::to_string(chain.microBatches) + " micro-batches of " +
           std::to_string(chain.microBatchSize) + " samples, which is not an allowed pair";
}

/// Of pipelines that start at the control unit, the edge server holds no more than it may
std::string
CheckEdgeBlocks(const TrainingProfile& training, const ChainPlan& chain, const std::string& where)
{
    const uint32_t left = CountEdgeBlocks(chain);
    if (chain.stages.front().node != CONTROL_UNIT || left <= training.mostEdgeBlocks)
    {
        return "";
    }
    return where + " leaves " + std::to_string(left) +
           " blocks to the edge server, which may hold " + std::to_string(training.mostEdgeBlocks);
}

std::string
CheckNodes(const ClusterState& cluster, const ClusterPlan& plan, const std::string& where)
{
    std::set<NodeIndex> used;
    double data = 0;
    for (const auto& chain : plan.chains)
    {
        data += chain.dataShare;
        std::set<NodeIndex> inChain;
        for (const auto& stage : chain.stages)
        {
            if (!IsKnown(cluster, stage.node))
            {
                return where + " does not know " + NodeName(stage.node);
            }
            const bool again = !inChain.insert(stage.node).second ||
                               (stage.node != EDGE_SERVER && !used.insert(stage.node).second);
            if (again)
            {
                return where + " uses " + NodeName(stage.node) + " more than once";
            }
            const bool isEdge = stage.node == EDGE_SERVER;
            if (isEdge ? stage.clock != 1
                       : !HasClock(GetNode(cluster, stage.node).clocks, stage.clock))
            {
                return where + " has " + NodeName(stage.node) +
                       " compute at a clock that it does not have";
            }
        }
    }
    return std::abs(data - 1) <= TOLERANCE ? "" : where + " has data shares that do not sum to 1";
}

std::string
CheckLink(const SystemState& state, std::size_t cluster, const LinkPlan& link)
{
    const LinkState* known = FindLinkState(state.clusters[cluster], link.from, link.to);
    const std::string name = "the link from " + NodeName(link.from) + " to " + NodeName(link.to) +
                             " of " + ClusterName(cluster);
    if (!known || link.from == link.to)
    {
        return name + " is not in the system state";
    }
    const bool shared =
        GetLinkPool(state, cluster, link.from, link.to).mode != SharingMode::DEDICATED;
    const double least = shared ? std::numeric_limits<double>::min() : 0;
    if (!(link.share >= least && link.share <= 1 + TOLERANCE))
    {
        return name + " has a share outside (0, 1]";
    }
    if (!(link.powerW >= least && link.powerW <= known->maxPowerW * (1 + TOLERANCE)))
    {
        return name + " has a power outside (0, pmax]";
    }
    if (shared && link.powerW < known->minPowerW * (1 - TOLERANCE))
    {
        std::ostringstream text;
        text << name << " has a power of " << link.powerW << " W; with less than "
             << known->minPowerW << " W its receiver detects nothing";
        return text.str();
    }
    return "";
}

std::string
CheckTwice(const RoundPlan& plan)
{
    std::set<std::tuple<std::size_t, Phase, NodeIndex, NodeIndex>> seen;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            if (!seen.insert({m, link.phase, link.from, link.to}).second)
            {
                return ClusterName(m) + " names a link twice in the " +
                       PHASES[static_cast<std::size_t>(link.phase)] + " phase";
            }
        }
    }
    return "";
}

/// Sums of shares of all reservations, see GetReservation()
std::string
CheckShares(const SystemState& state, const RoundPlan& plan)
{
    static const std::array<std::string, 3> pools{"D2D", "uplink", "downlink"};
    for (const auto& [key, sum] : SumShares(state, plan))
    {
        const auto& [phase, pool, owner] = key;
        if (sum > 1 + TOLERANCE && GetPoolState(state, owner, pool).mode != SharingMode::DEDICATED)
        {
            return "the shares of the " + pools[static_cast<std::size_t>(pool)] +
                   " pool sum to more than 1 in the " + PHASES[static_cast<std::size_t>(phase)] +
                   " phase" + (pool == Pool::D2D ? " of " + ClusterName(owner) : "");
        }
    }
    return "";
}

/// Who carries the parameters: as the rule has it, and where there is somebody to collect them
std::string
CheckPath(const SystemState& state, const ClusterPlan& plan, const std::string& where)
{
    const bool collected = plan.path == UploadPath::COLLECTED;
    const UploadRule rule = collected ? UploadRule::COLLECTED : UploadRule::DIRECT;
    if (state.training.uploadRule != rule && state.training.uploadRule != UploadRule::AUTO)
    {
        return where + " has the upload path " + ToString(plan.path) + " where " +
               ToString(state.training.uploadRule) + " is asked for";
    }
    const bool begins =
        plan.chains.size() == 1 && plan.chains.front().stages.front().node == CONTROL_UNIT;
    return !collected || begins ? ""
                                : where + " collects parameters at its control unit, which must "
                                          "then be the first stage of its only chain";
}

/// Chains that step together hold the same runs of the model, stage by stage
std::string
CheckSynchronous(const ClusterPlan& plan, const std::string& where)
{
    const auto& first = plan.chains.front().stages;
    const auto isAlike = [](const StagePlan& own, const StagePlan& other) {
        return own.firstBlock == other.firstBlock && own.lastBlock == other.lastBlock &&
               (own.node == EDGE_SERVER) == (other.node == EDGE_SERVER);
    };
    for (const auto& chain : plan.chains)
    {
        const auto& stages = chain.stages;
        if (plan.synchronous &&
            !std::equal(first.begin(), first.end(), stages.begin(), stages.end(), isAlike))
        {
            return where + " has chains step together that are not cut alike";
        }
    }
    return "";
}

std::string
CheckCluster(const SystemState& state, const RoundPlan& plan, std::size_t m)
{
    const auto& cluster = plan.clusters[m];
    if (cluster.chains.empty())
    {
        return ClusterName(m) + " has no chain";
    }
    for (const auto& chain : cluster.chains)
    {
        std::string error = CheckCover(state, chain, ClusterName(m));
        error = error.empty() ? CheckPair(state.training, chain, ClusterName(m)) : error;
        error = error.empty() ? CheckEdgeBlocks(state.training, chain, ClusterName(m)) : error;
        if (!error.empty())
        {
            return error;
        }
    }
    std::string error = CheckNodes(state.clusters[m], cluster, ClusterName(m));
    error = error.empty() ? CheckSynchronous(cluster, ClusterName(m)) : error;
    error = error.empty() ? CheckPath(state, cluster, ClusterName(m)) : error;
    for (std::size_t i = 0; error.empty() && i < cluster.links.size(); ++i)
    {
        error = CheckLink(state, m, cluster.links[i]);
    }
    return error;
}

} // namespace

std::string
CheckPlan(const SystemState& state, const RoundPlan& plan)
{
    if (!plan.infeasible.empty())
    {
        return plan.infeasible;
    }
    if (plan.clusters.size() != state.clusters.size())
    {
        return "the plan has " + std::to_string(plan.clusters.size()) + " clusters, the system " +
               std::to_string(state.clusters.size());
    }
    if (plan.localIterations == 0 || plan.localIterations > MOST_ITERATIONS)
    {
        return "the plan has " + std::to_string(plan.localIterations) + " local iterations; 1 to " +
               std::to_string(MOST_ITERATIONS) + " are possible";
    }
    if (!IsScheduleName(plan.schedule))
    {
        return "the plan's schedule is \"" + plan.schedule + "\"; it must be " +
               DescribeScheduleNames();
    }
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        const std::string error = CheckCluster(state, plan, m);
        if (!error.empty())
        {
            return error;
        }
    }
    std::string error = CheckSchedule(plan);
    if (error.empty() && !plan.mayExceedMemory)
    {
        error = CheckMemory(state, plan);
    }
    error = error.empty() ? CheckTwice(plan) : error;
    return error.empty() ? CheckShares(state, plan) : error;
}

} // namespace collapipe
} // namespace ns3
