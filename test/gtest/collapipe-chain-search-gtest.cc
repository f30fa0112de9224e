/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Chains that begin at devices: what may be changed of them, who decides it, and their links.

#include "collapipe-control-makers.h"

#include "ns3/collapipe-chain-moves.h"
#include "ns3/collapipe-chain-search.h"
#include "ns3/collapipe-edge-blocks.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-link-search.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-reservation.h"
#include "ns3/collapipe-transfers.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

using test::MakeController;
using test::MakeState;
using test::SetSharing;

constexpr double ROUNDING = 1e-9; //!< relative

/// @return a random system whose devices have the data, and whose edge server may hold blocks
SystemState
MakeSystem(uint64_t seed, uint32_t clusters = 2)
{
    SystemState state = MakeState(seed, clusters);
    SetSharing(state, seed % 2 == 0 ? Sharing::RESERVED : Sharing::WORK_CONSERVING);
    state.training.fixedPair = {2, 8};
    state.training.allowedPairs = {{2, 8}, {4, 4}, {8, 2}};
    state.training.localIterations = 1 + seed % 4;
    state.training.dataOnDevices = true;
    state.training.mostEdgeBlocks = state.model.blocks;
    state.edge.flops /= seed % 3 == 0 ? 100 : 1; // passes may have to wait there
    state.edge.queues = seed % 4 < 2;
    return state;
}

uint32_t
CountSamples(const ClusterPlan& plan)
{
    uint32_t samples = 0;
    for (const auto& chain : plan.chains)
    {
        samples += chain.microBatches * chain.microBatchSize;
    }
    return samples;
}

/// Every chain of one cluster of two devices, with equal shares and full power
class AllChains
{
  public:
    explicit AllChains(const Instance& instance)
        : m_instance(instance)
    {
    }

    double Search()
    {
        const auto& state = m_instance.state;
        for (const auto& pair : state.training.allowedPairs)
        {
            for (const std::vector<NodeIndex>& nodes :
                 {std::vector<NodeIndex>{1}, {2}, {1, 2}, {2, 1}})
            {
                for (const auto& stages : ListStages(nodes))
                {
                    Try({{stages, pair.count, pair.size, 1}});
                }
            }
            for (uint32_t size = 1; size < pair.size; ++size)
            {
                TryPairs({pair.count, size}, {pair.count, pair.size - size});
            }
        }
        const auto& fixed = state.training.fixedPair;
        for (uint32_t count = 1; count < fixed.count * fixed.size; ++count)
        {
            TryPairs({count, 1}, {fixed.count * fixed.size - count, 1});
        }
        return m_least;
    }

  private:
    std::vector<std::vector<StagePlan>> ListStages(const std::vector<NodeIndex>& nodes) const
    {
        const uint32_t blocks = m_instance.state.model.blocks;
        std::vector<std::vector<StagePlan>> list;
        for (uint32_t first = 1; first <= blocks; ++first)
        {
            for (uint32_t last = first + 1; nodes.size() == 2 && last <= blocks; ++last)
            {
                list.push_back({{nodes[0], true, 0, first, false},
                                {nodes[1], false, first, last, false},
                                {EDGE_SERVER, false, last, blocks, true}});
            }
            if (nodes.size() == 1)
            {
                list.push_back(
                    {{nodes[0], true, 0, first, false}, {EDGE_SERVER, false, first, blocks, true}});
            }
        }
        return list;
    }

    void TryPairs(const MicroBatchPair& a, const MicroBatchPair& b)
    {
        const double whole = a.count * a.size + b.count * b.size;
        for (const auto& first : ListStages({1}))
        {
            for (const auto& second : ListStages({2}))
            {
                Try({{first, a.count, a.size, a.count * a.size / whole},
                     {second, b.count, b.size, b.count * b.size / whole}});
            }
        }
    }

    void Try(const std::vector<ChainPlan>& chains)
    {
        for (const bool together : {false, true})
        {
            RoundPlan plan;
            plan.localIterations = m_instance.state.training.localIterations;
            plan.schedule = m_instance.state.training.schedule;
            plan.clusters.push_back({chains, {}, UploadPath::DIRECT, together});
            SetEqualLinks(m_instance.state, plan);
            if (CheckPlan(m_instance.state, plan).empty())
            {
                m_least = std::min(m_least, EvaluatePlan(m_instance, plan).objective);
            }
        }
    }

    const Instance& m_instance;                              //!< the problem
    double m_least{std::numeric_limits<double>::infinity()}; //!< (13), so far
};

} // namespace

TEST(ChainMoves, KeepSamplesAndAreMostlyPossible)
{
    std::size_t possible = 0;
    std::size_t all = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed)
    {
        const SystemState state = MakeSystem(seed);
        for (const std::string name : {"hasfl", "replicated", "tuned-splitfed"})
        {
            RoundPlan plan = MakeController(name)->Decide(state);
            ASSERT_EQ(CheckPlan(state, plan), "") << name << seed;
            const uint32_t samples = CountSamples(plan.clusters[0]);
            for (const auto& move : ListChainMoves(state, 0, plan.clusters[0]))
            {
                RoundPlan other = plan;
                other.clusters[0] = move;
                EXPECT_EQ(CountSamples(move), samples);
                EXPECT_TRUE(move.links.empty());
                SetEqualLinks(state, other);
                ++all;
                possible += CheckPlan(state, other).empty() ? 1 : 0;
            }
        }
    }
    EXPECT_GT(all, 1000U);
    EXPECT_GT(possible, all * 9 / 10); // but chains that step together have to be cut alike
}

/// Bars of the search: never worse than any baseline, possible, no more at the edge than it may
/// hold
TEST(ChainSearch, DssdaIsNeverPlannedWorseThanWhatBeginsAtDevices)
{
    uint32_t better = 0;
    for (uint64_t seed = 1; seed <= 24; ++seed)
    {
        const SystemState state = MakeSystem(seed);
        const RoundPlan best = MakeController("dssda")->Decide(state);
        ASSERT_EQ(CheckPlan(state, best), "") << seed;
        double least = std::numeric_limits<double>::infinity();
        for (const std::string name : {"hasfl", "replicated", "tuned-splitfed", "splitfed"})
        {
            const RoundPlan plan = MakeController(name)->Decide(state);
            EXPECT_LE(best.plannedLatencyS, plan.plannedLatencyS * (1 + ROUNDING)) << name << seed;
            least = std::min(least, plan.plannedLatencyS);
        }
        SystemState paper = state;
        paper.training.dataOnDevices = false;
        const RoundPlan pipelines = MakeController("dssda")->Decide(paper);
        EXPECT_LE(best.plannedLatencyS, pipelines.plannedLatencyS * (1 + ROUNDING)) << seed;
        least = std::min(least, pipelines.plannedLatencyS);
        better += best.plannedLatencyS < 0.95 * least ? 1 : 0;
    }
    EXPECT_GT(better, 12U);
}

TEST(ChainSearch, NoDecisionFewerIsPlannedBetter)
{
    for (uint64_t seed = 31; seed <= 40; ++seed)
    {
        Instance instance;
        instance.state = MakeSystem(seed);
        if (seed % 2 == 0)
        {
            instance.energyPrices.assign(instance.state.clusters.size(),
                                         std::vector<double>(5, seed * 1e-2));
        }
        RoundSolution none;
        none.plan.infeasible = "not asked for";
        const auto solve = [&](bool pairs, bool shares, bool powers) {
            SolverOptions options;
            options.microBatches = pairs;
            options.radio = {shares, powers};
            return ImproveWithChains(instance, options, none, {}).evaluation.objective;
        };
        const double best = solve(true, true, true);
        EXPECT_LE(best, solve(false, true, true) + ROUNDING) << seed;
        EXPECT_LE(best, solve(true, false, true) + ROUNDING) << seed;
        EXPECT_LE(best, solve(true, true, false) + ROUNDING) << seed;
    }
}

TEST(ChainSearch, TheEdgeServerHoldsNoMoreThanItMay)
{
    uint32_t atDevices = 0;
    for (uint64_t seed = 1; seed <= 12; ++seed)
    {
        SystemState state = MakeSystem(seed);
        state.training.mostEdgeBlocks = seed % 3;
        const RoundPlan plan = MakeController("dssda")->Decide(state);
        ASSERT_EQ(CheckPlan(state, plan), "") << seed;
        for (const auto& cluster : plan.clusters)
        {
            for (const auto& chain : cluster.chains)
            {
                EXPECT_LE(CountEdgeBlocks(chain), state.training.mostEdgeBlocks) << seed;
                atDevices += chain.stages.front().node != CONTROL_UNIT ? 1 : 0;
            }
        }
    }
    EXPECT_GT(atDevices, 0U);
}

TEST(ChainSearch, FindsNearlyTheBestOfAllWays)
{
    uint32_t near = 0;
    constexpr uint32_t SYSTEMS = 24;
    for (uint64_t seed = 1; seed <= SYSTEMS; ++seed)
    {
        test::RandomShape shape;
        shape.clusters = 1;
        shape.devices = 2;
        shape.blocks = 4;
        shape.tightMemory = 0.3;
        Instance instance;
        instance.state = test::RandomInstance(seed).Make(shape).state;
        SetSharing(instance.state, seed % 2 == 0 ? Sharing::RESERVED : Sharing::WORK_CONSERVING);
        instance.state.training.fixedPair = {2, 4};
        instance.state.training.allowedPairs = {{2, 4}, {4, 2}, {8, 1}};
        instance.state.training.mostEdgeBlocks = shape.blocks;
        const double least = AllChains(instance).Search();
        const RoundSolution found = ChainSearch(instance).Solve({false, false});
        if (!found.plan.infeasible.empty())
        {
            EXPECT_EQ(least, std::numeric_limits<double>::infinity()) << seed;
            continue;
        }
        EXPECT_GE(found.evaluation.objective, least * (1 - ROUNDING)) << seed;
        EXPECT_LE(found.evaluation.objective, least * 1.1) << seed;
        near += found.evaluation.objective <= least * 1.01 ? 1 : 0;
    }
    EXPECT_GE(near, SYSTEMS * 8 / 10);
}

/// Chains that go their own way: each has its iterations and its upload behind the cluster's
/// distribution, in (4) and in (16)
TEST(SeveralChains, UploadWhenTheyHaveEnded)
{
    FluidModel fluid;
    for (uint64_t seed = 1; seed <= 100; ++seed)
    {
        SystemState state = MakeSystem(seed, 1 + seed % 3);
        SetSharing(state, Sharing::RESERVED);
        state.edge.queues = false;
        Instance instance;
        instance.state = state;
        const RoundPlan plan = MakeController(seed % 2 == 0 ? "hasfl" : "splitfed")->Decide(state);
        ASSERT_EQ(CheckPlan(state, plan), "") << seed;
        const Evaluation whole = EvaluatePlan(instance, plan);
        const FluidRound played = fluid.Play(state, plan);
        EXPECT_NEAR(played.latencyS, whole.latencyS, ROUNDING * whole.latencyS) << seed;
        std::size_t chains = 0;
        for (const auto& cluster : plan.clusters)
        {
            chains += cluster.chains.size();
        }
        instance.state.edge.flops /= GetEdgeSlowdown(state.edge, chains);
        instance.state.edge.overheadS *= GetEdgeSlowdown(state.edge, chains);
        instance.state.edge.workers = 100;
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            double longestS = 0;
            for (const auto& chain : plan.clusters[m].chains)
            {
                RoundPlan alone = plan;
                alone.clusters[m].chains = {chain};
                const auto own = EvaluatePlan(instance, alone).clusters[m];
                longestS = std::max(longestS, own.totalS - own.distributionS);
            }
            const auto& cluster = whole.clusters[m];
            EXPECT_NEAR(cluster.totalS, cluster.distributionS + longestS, ROUNDING * cluster.totalS)
                << seed;
        }
    }
}

/// While one chain uploads, the others' links are as they were in training
TEST(SeveralChains, KeepTheirLinksWhileTheyTrain)
{
    const SystemState state = MakeSystem(1);
    const ClusterPlan plan = MakeController("splitfed")->Decide(state).clusters[0];
    ASSERT_GT(plan.chains.size(), 1U);
    const NodeIndex over = plan.chains[0].stages[0].node;
    ClusterPlan own = plan;
    for (auto& link : own.links)
    {
        link.share = link.phase == Phase::UPLOAD ? 0.25 : 0.125;
    }
    const auto settings = ListSettings(state.clusters[0], Phase::UPLOAD, KeepTraining(own, {0}));
    EXPECT_FALSE(settings.empty());
    std::size_t training = 0;
    for (const auto& link : settings)
    {
        EXPECT_EQ(link.phase, Phase::UPLOAD);
        if (link.to == EDGE_SERVER)
        {
            EXPECT_EQ(link.share, link.from == over ? 0.25 : 0.125) << link.from;
            training += link.from == over ? 0 : 1;
        }
    }
    EXPECT_EQ(training, plan.chains.size() - 1);
    std::set<uint32_t> all;
    for (uint32_t c = 0; c < plan.chains.size(); ++c)
    {
        all.insert(c);
    }
    const auto late = ListSettings(state.clusters[0], Phase::UPLOAD, KeepTraining(own, all));
    const auto plain = ListSettings(state.clusters[0], Phase::UPLOAD, own);
    ASSERT_EQ(late.size(), plain.size());
    for (std::size_t i = 0; i < late.size(); ++i)
    {
        EXPECT_EQ(late[i].from, plain[i].from);
        EXPECT_EQ(late[i].to, plain[i].to);
        EXPECT_EQ(late[i].share, plain[i].share);
    }
}

/// Uploads in a reserved medium of airtime should end at the same time, which with rates r and bits
/// a takes sum a_k / r_k
TEST(LinkSearch, UploadsEndAtTheSameTime)
{
    for (uint64_t seed = 1; seed <= 20; ++seed)
    {
        Instance instance;
        SystemState& state = instance.state;
        state = MakeState(seed, 1);
        SetSharing(state, Sharing::RESERVED);
        state.uplink.mode = SharingMode::AIRTIME;
        state.uplink.bandwidthHz = state.uplink.bandwidthHz > 0 ? state.uplink.bandwidthHz : 1e7;
        RoundPlan plan = MakeController("uniform-pipeline")->Decide(state);
        ASSERT_EQ(CheckPlan(state, plan), "") << seed;
        RoundSolution start;
        start.plan = plan;
        const auto found = LinkSearch(instance).Improve({true, false}, start);
        ASSERT_EQ(CheckPlan(state, found.plan), "") << seed;
        double sumS = 0; // with the whole medium for each in turn
        double latencyS = 0;
        for (const auto& link : found.evaluation.clusters[0].links)
        {
            if (link.phase == Phase::UPLOAD)
            {
                LinkPlan own;
                FindLinkPlan(state, 0, found.plan.clusters[0], link.phase, link.from, link.to, own);
                sumS += link.occupationS * own.share;
                latencyS = std::max(latencyS, link.latencyS);
            }
        }
        const double uploadS = found.evaluation.clusters[0].uploadS;
        EXPECT_GE(uploadS, sumS * (1 - ROUNDING)) << seed;
        EXPECT_LE(uploadS, (sumS + latencyS) * 1.1) << seed;
        for (const auto& [key, sum] : SumShares(state, found.plan))
        {
            EXPECT_LE(sum, 1 + ROUNDING) << seed;
        }
    }
}

} // namespace collapipe
} // namespace ns3
