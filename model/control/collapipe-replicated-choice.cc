/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-replicated-choice.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-even-cuts.h"
#include "collapipe-latency-model.h"
#include "collapipe-memory-limits.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-side-by-side.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double NEVER_S = std::numeric_limits<double>::infinity(); //!< where nothing fits
constexpr std::size_t FINALISTS = 4; //!< of each cluster, tried in the medium as it is
constexpr int SWEEPS = 2;            //!< over all clusters, each with the others' plans as they are

constexpr double ROUNDING = 1e-9; //!< relative, of sums of times

/// A way to replicate a cluster's pipeline
struct Rated
{
    double timeS{0};     //!< of its round
    std::size_t rank{0}; //!< in the order in which ways are listed
    ClusterPlan plan;    //!< it
};

bool
IsSooner(const Rated& a, const Rated& b)
{
    return std::pair(a.timeS, a.rank) < std::pair(b.timeS, b.rank);
}

/// Those that take least time: some of all, and one for every number of chains
class BestWays
{
  public:
    BestWays(std::size_t number, bool ofEachCount)
        : m_number(number),
          m_ofEachCount(ofEachCount)
    {
    }

    /// @return whether one that takes no less than its timeS may be one of them
    bool MayTake(const Rated& way) const
    {
        const auto own = m_ofCount.find(way.plan.chains.size());
        const bool isFirst = own == m_ofCount.end() || way.timeS <= own->second.timeS;
        return m_best.size() < m_number || way.timeS <= m_best.back().timeS ||
               (m_ofEachCount && isFirst);
    }

    void Take(Rated way)
    {
        if (!(way.timeS < NEVER_S))
        {
            return;
        }
        const auto place = m_ofCount.emplace(way.plan.chains.size(), way);
        if (!place.second && IsSooner(way, place.first->second))
        {
            place.first->second = way;
        }
        const auto after = std::upper_bound(m_best.begin(), m_best.end(), way, IsSooner);
        m_best.insert(after, std::move(way));
        m_best.resize(std::min(m_best.size(), m_number));
    }

    std::vector<ClusterPlan> List() const
    {
        std::vector<ClusterPlan> plans;
        for (const auto& way : m_best)
        {
            plans.push_back(way.plan);
        }
        for (const auto& [count, way] : m_ofCount)
        {
            const auto isIt = [&way](const Rated& other) { return other.rank == way.rank; };
            if (m_ofEachCount && std::none_of(m_best.begin(), m_best.end(), isIt))
            {
                plans.push_back(way.plan);
            }
        }
        return plans;
    }

  private:
    std::size_t m_number;                   //!< how many of all
    bool m_ofEachCount;                     //!< whether one for every number is wanted
    std::vector<Rated> m_best;              //!< the best one first
    std::map<std::size_t, Rated> m_ofCount; //!< by number of chains
};

/// @return the round's time, and for ties the sum of all clusters'
std::pair<double, double>
GetCost(const SystemState& state, RoundPlan& plan)
{
    SetEqualLinks(state, plan);
    Instance instance;
    instance.state = state;
    const Evaluation evaluation = EvaluatePlan(instance, plan);
    double sum = 0;
    for (const auto& cluster : evaluation.clusters)
    {
        sum += cluster.totalS;
    }
    return {evaluation.latencyS, sum};
}

} // namespace

ReplicatedChoice::ReplicatedChoice(const SystemState& state,
                                   bool enforceMemory,
                                   uint32_t mostEdgeBlocks)
    : m_state(state),
      m_enforceMemory(enforceMemory),
      m_leastBlocks(state.model.blocks - std::min(state.model.blocks, mostEdgeBlocks)),
      m_schedule(GetSchedule(state.training.schedule))
{
    SystemState alone = state;
    alone.uplink.sharing = alone.downlink.sharing = Sharing::RESERVED;
    for (const auto& cluster : state.clusters)
    {
        alone.clusters = {cluster};
        alone.clusters.front().d2d.sharing = Sharing::RESERVED;
        m_lonely.push_back(alone);
        m_nodes.push_back(ListBySpeed(cluster));
    }
}

std::vector<MicroBatchPair>
ReplicatedChoice::ListPairs() const
{
    const auto& training = m_state.training;
    const auto& fixed = training.fixedPair;
    std::vector<MicroBatchPair> pairs{fixed};
    for (const auto& pair : training.allowedPairs)
    {
        const bool isSame = pair.count == fixed.count && pair.size == fixed.size;
        if (!isSame && pair.count * pair.size == fixed.count * fixed.size)
        {
            pairs.push_back(pair);
        }
    }
    return pairs;
}

std::vector<ClusterPlan>
ReplicatedChoice::List(std::size_t cluster) const
{
    const auto devices = static_cast<uint32_t>(m_nodes[cluster].size());
    const uint32_t blocks = m_state.model.blocks;
    std::vector<ClusterPlan> plans;
    Shape shape;
    for (const auto& pair : ListPairs())
    {
        shape.pair = pair;
        for (shape.chains = 1; shape.chains <= devices; ++shape.chains)
        {
            const uint32_t most = std::min(devices / shape.chains, blocks);
            for (shape.stages = 1; shape.stages <= most; ++shape.stages)
            {
                shape.blocks = std::max(shape.stages, m_leastBlocks);
                for (; shape.blocks <= blocks; ++shape.blocks)
                {
                    const auto cut = CutBlocks(cluster, shape);
                    auto plan = cut.empty() ? ClusterPlan() : MakePlan(cluster, shape, cut);
                    if (!cut.empty() && DealSamples(cluster, shape, plan))
                    {
                        plans.push_back(std::move(plan));
                    }
                }
            }
        }
    }
    return plans;
}

std::vector<uint32_t>
ReplicatedChoice::CutBlocks(std::size_t cluster, const Shape& shape) const
{
    const auto& own = m_state.clusters[cluster];
    const uint32_t size = std::max<uint32_t>(1, shape.pair.size / shape.chains);
    if (!m_schedule->Check(shape.stages + 1, shape.pair.count).empty())
    {
        return {};
    }
    std::vector<double> slowest(shape.stages, NEVER_S);
    std::vector<uint32_t> most(shape.stages, m_state.model.blocks);
    for (uint32_t s = 0; s < shape.stages; ++s)
    {
        const uint32_t live =
            m_schedule->GetLiveMicroBatches(shape.stages + 1, s, shape.pair.count);
        for (uint32_t c = 0; c < shape.chains; ++c)
        {
            const auto& device = GetNode(own, m_nodes[cluster][s * shape.chains + c]);
            slowest[s] = std::min(slowest[s], device.flops);
            const uint32_t fits =
                GetMaxBlocks(m_state.model, device, 0, size, live, m_state.training.recomputation);
            most[s] = m_enforceMemory ? std::min(most[s], fits) : most[s];
        }
    }
    std::vector<uint32_t> cut(shape.stages, 1);
    for (uint32_t left = shape.blocks - shape.stages; left > 0; --left)
    {
        std::size_t best = shape.stages;
        for (std::size_t s = 0; s < shape.stages; ++s)
        {
            const bool isRoom = cut[s] < most[s];
            if (isRoom && (best == shape.stages ||
                           (cut[s] + 1) / slowest[s] < (cut[best] + 1) / slowest[best]))
            {
                best = s;
            }
        }
        if (best == shape.stages)
        {
            return {};
        }
        ++cut[best];
    }
    return cut;
}

ClusterPlan
ReplicatedChoice::MakePlan(std::size_t cluster,
                           const Shape& shape,
                           const std::vector<uint32_t>& cut) const
{
    ClusterPlan plan;
    plan.synchronous = shape.chains > 1;
    for (uint32_t c = 0; c < shape.chains; ++c)
    {
        ChainPlan chain;
        chain.microBatches = shape.pair.count;
        uint32_t next = 0;
        for (uint32_t s = 0; s < shape.stages; ++s)
        {
            const NodeIndex node = m_nodes[cluster][s * shape.chains + c];
            chain.stages.push_back({node, s == 0, next, next + cut[s], false});
            next += cut[s];
        }
        chain.stages.push_back({EDGE_SERVER, false, next, m_state.model.blocks, true});
        plan.chains.push_back(std::move(chain));
    }
    return plan;
}

bool
ReplicatedChoice::DealSamples(std::size_t cluster, const Shape& shape, ClusterPlan& plan) const
{
    auto& chains = plan.chains;
    const uint32_t samples = shape.pair.count * shape.pair.size;
    // A sample of every micro-batch each, or whole micro-batches of one sample
    const bool isEnough = shape.pair.size >= chains.size();
    const uint32_t units = isEnough ? shape.pair.size : samples;
    if (units < chains.size())
    {
        return false; // no chain goes without
    }
    const auto count = [isEnough](ChainPlan& chain) -> uint32_t& {
        return isEnough ? chain.microBatchSize : chain.microBatches;
    };
    std::vector<double> next; // when a chain would be done with a unit more
    const auto look = [&](ChainPlan chain) {
        ++count(chain);
        return GetComputedS(cluster, chain);
    };
    for (auto& chain : chains)
    {
        chain.microBatchSize = 1;
        count(chain) = 1;
        next.push_back(look(chain));
    }
    for (std::size_t left = units - chains.size(); left > 0; --left)
    {
        const auto first = std::min_element(next.begin(), next.end()) - next.begin();
        ++count(chains[first]);
        next[first] = look(chains[first]);
    }
    for (auto& chain : chains)
    {
        chain.dataShare = static_cast<double>(count(chain)) / units;
    }
    return true;
}

double
ReplicatedChoice::GetComputedS(std::size_t cluster, const ChainPlan& chain) const
{
    IterationTimes times;
    times.microBatches = chain.microBatches;
    for (const auto& stage : chain.stages)
    {
        times.hops.push_back(GetStageTimes(m_state, cluster, chain, stage, 1));
    }
    return m_schedule->GetIterationTimeS(times);
}

double
ReplicatedChoice::GetLeastS(std::size_t cluster, const ClusterPlan& plan) const
{
    double longestS = 0;
    for (const auto& chain : plan.chains)
    {
        longestS = std::max(longestS, GetComputedS(cluster, chain));
    }
    return m_state.training.localIterations * longestS * (1 - ROUNDING);
}

std::vector<ClusterPlan>
ReplicatedChoice::ListBest(std::size_t cluster, std::size_t number, bool ofEachCount) const
{
    std::vector<Rated> ways;
    for (auto& plan : List(cluster))
    {
        ways.push_back({GetLeastS(cluster, plan), ways.size(), std::move(plan)});
    }
    std::sort(ways.begin(), ways.end(), IsSooner);
    BestWays best(number, ofEachCount);
    for (auto& way : ways)
    {
        // What computations alone make too long need not be evaluated
        if (best.MayTake(way))
        {
            way.timeS = GetAloneS(cluster, way.plan);
            best.Take(std::move(way));
        }
    }
    return best.List();
}

double
ReplicatedChoice::GetAloneS(std::size_t cluster, const ClusterPlan& plan) const
{
    const auto clusters = static_cast<double>(m_state.clusters.size());
    Instance alone;
    alone.state = m_lonely[cluster];
    // Everybody's chains meet at the edge server
    const double slowdown =
        GetEdgeSlowdown(m_state.edge, plan.chains.size() * m_state.clusters.size()) /
        GetEdgeSlowdown(m_state.edge, plan.chains.size());
    alone.state.edge.flops /= slowdown;
    alone.state.edge.overheadS *= slowdown;
    RoundPlan round = StartSideBySide(m_state);
    round.clusters = {plan};
    if (!CheckSchedule(round).empty() ||
        (m_enforceMemory && !CheckMemory(alone.state, round).empty()))
    {
        return NEVER_S;
    }
    SetEqualLinks(alone.state, round);
    for (auto& link : round.clusters.front().links)
    {
        const bool isOwn = GetBudget(alone.state, 0, link.from, link.to) == Pool::D2D;
        link.share /= isOwn ? 1 : clusters;
    }
    return EvaluatePlan(alone, round).latencyS;
}

RoundPlan
MakeReplicatedPlan(const SystemState& state, bool enforceMemory)
{
    RoundPlan plan = StartSideBySide(state);
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    const ReplicatedChoice choice(state, enforceMemory);
    std::vector<std::vector<ClusterPlan>> finalists;
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        finalists.push_back(choice.ListBest(m, FINALISTS, false));
        if (finalists[m].empty())
        {
            plan.infeasible = "no way to replicate a pipeline over the devices of cluster " +
                              std::to_string(m) +
                              " fits their memory (8); give them more of it, or take smaller or "
                              "fewer micro-batches";
            return plan;
        }
        plan.clusters.push_back(finalists[m].front());
    }
    auto least = GetCost(state, plan);
    for (int sweep = 0; sweep < SWEEPS; ++sweep)
    {
        for (std::size_t m = 0; m < finalists.size(); ++m)
        {
            for (const auto& finalist : finalists[m])
            {
                RoundPlan other = plan;
                other.clusters[m] = finalist;
                const auto cost = GetCost(state, other);
                if (cost < least)
                {
                    least = cost;
                    plan = std::move(other);
                }
            }
        }
    }
    FinishBaseline(state, plan, enforceMemory);
    return plan;
}

} // namespace collapipe
} // namespace ns3
