/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Encoder blocks on the edge server: the same system seen in two ways, and who decides how many.

#include "collapipe-control-makers.h"

#include "ns3/collapipe-edge-blocks.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-replan.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <set>

namespace ns3
{
namespace collapipe
{

namespace
{

using test::MakeController;
using test::MakeState;
using test::SetSharing;

/// @return a random system, every other one with most of its model frozen
SystemState
MakeSystem(uint64_t seed)
{
    SystemState state = MakeState(seed);
    SetSharing(state, seed % 4 < 2 ? Sharing::RESERVED : Sharing::WORK_CONSERVING);
    if (seed % 2 == 1)
    {
        ModelProfile& model = state.model;
        model.trainsEmbedding = seed % 3 == 0;
        model.firstTrainedBlock = seed % (model.blocks + 1);
        model.embeddingBackwardRatio = model.trainsEmbedding ? 2 : 0;
        model.decoderBackwardRatio = 1;
        model.frozenBlockBytes = 1e4;
        model.untrainedBlockBytes = 2e4;
    }
    return state;
}

void
ExpectSame(const Evaluation& a, const Evaluation& b, uint64_t seed)
{
    const auto near = [seed](double x, double y) {
        EXPECT_NEAR(x, y, 1e-12 + 1e-9 * std::abs(x)) << seed;
    };
    near(a.latencyS, b.latencyS);
    near(a.objective, b.objective);
    ASSERT_EQ(a.clusters.size(), b.clusters.size());
    for (std::size_t m = 0; m < a.clusters.size(); ++m)
    {
        near(a.clusters[m].iterationS, b.clusters[m].iterationS);
        near(a.clusters[m].totalS, b.clusters[m].totalS);
        ASSERT_EQ(a.clusters[m].links.size(), b.clusters[m].links.size()) << seed;
        for (std::size_t k = 0; k < a.clusters[m].nodes.size(); ++k)
        {
            near(a.clusters[m].nodes[k].energyJ, b.clusters[m].nodes[k].energyJ);
            near(a.clusters[m].nodes[k].memoryBytes, b.clusters[m].nodes[k].memoryBytes);
        }
    }
}

} // namespace

TEST(EdgeBlocks, AreAPartOfTheDecoderToWhoCutsTheRest)
{
    for (uint64_t seed = 1; seed <= 200; ++seed)
    {
        Instance whole;
        whole.state = MakeSystem(seed);
        const uint32_t blocks = whole.state.model.blocks;
        const auto edgeBlocks = static_cast<uint32_t>(seed % blocks);
        whole.state.training.mostEdgeBlocks = edgeBlocks;
        Instance left = whole;
        left.state = WithoutEdgeBlocks(whole.state, edgeBlocks);
        RoundPlan plan = MakeController("random")->Decide(left.state);
        ASSERT_EQ(CheckPlan(left.state, plan), "") << seed;
        const Evaluation before = EvaluatePlan(left, plan);
        PutBlocksOnEdge(whole.state, edgeBlocks, plan);
        ASSERT_EQ(CheckPlan(whole.state, plan), "") << seed;
        EXPECT_EQ(CountEdgeBlocks(plan), edgeBlocks);
        ExpectSame(before, EvaluatePlan(whole, plan), seed);
        EXPECT_EQ(CheckPlan(left.state, TakeBlocksFromEdge(plan)), "") << seed;
    }
}

TEST(EdgeBlocks, ThatTheEdgeServerMayNotHoldAreRefused)
{
    SystemState state = MakeState(3);
    const uint32_t blocks = state.model.blocks;
    RoundPlan plan = MakeController("uniform-pipeline")->Decide(WithoutEdgeBlocks(state, 1));
    ASSERT_EQ(plan.infeasible, "");
    PutBlocksOnEdge(state, 1, plan);
    EXPECT_EQ(CheckPlan(state, plan),
              "cluster 0 leaves 1 blocks to the edge server, which may hold 0");
    state.training.mostEdgeBlocks = 1;
    EXPECT_EQ(CheckPlan(state, plan), "");
    state.training.mostEdgeBlocks = 10 * blocks;
    EXPECT_EQ(GetMostEdgeBlocks(state), blocks - 1); // devices keep one
}

TEST(EdgeBlocks, TheirNumberIsFoundWhereCostsHaveOneValley)
{
    for (uint32_t most = 0; most <= 60; ++most)
    {
        for (uint32_t valley = 0; valley <= most; ++valley)
        {
            for (const uint32_t start : {most + 1, most / 2, 0U})
            {
                std::multiset<uint32_t> asked;
                const auto found = FindEdgeBlocks(most, start, [&](uint32_t number) {
                    asked.insert(number);
                    const double distance = number < valley ? valley - number : 2.0 * number;
                    return number < valley ? distance : distance - 2.0 * valley;
                });
                EXPECT_EQ(found, valley) << most << " from " << start;
                EXPECT_EQ(asked.count(0), 1U);
                EXPECT_EQ(asked.size(), std::set<uint32_t>(asked.begin(), asked.end()).size());
                EXPECT_LE(*asked.rbegin(), most);
            }
        }
    }
}

TEST(EdgeBlocks, NoneIsTakenWhereAllCostTheSame)
{
    EXPECT_EQ(FindEdgeBlocks(12, 13, [](uint32_t) { return 1.0; }), 0U);
    EXPECT_EQ(
        FindEdgeBlocks(12, 13, [](uint32_t) { return std::numeric_limits<double>::infinity(); }),
        0U);
}

TEST(EdgeBlocks, ThePlanIsNoWorseForThem)
{
    for (const std::string name :
         {"dssda", "dssda-equal-bandwidth", "tuned-static-pipeline", "tuned-uniform-pipeline"})
    {
        uint32_t better = 0;
        for (uint64_t seed = 1; seed <= 16; ++seed)
        {
            SystemState state = MakeSystem(seed);
            const RoundPlan alone = MakeController(name)->Decide(state);
            state.training.mostEdgeBlocks = state.model.blocks;
            const RoundPlan plan = MakeController(name)->Decide(state);
            ASSERT_EQ(CheckPlan(state, plan), "") << name << seed;
            EXPECT_LE(plan.plannedLatencyS, alone.plannedLatencyS * (1 + 1e-9)) << name << seed;
            better += CountEdgeBlocks(plan) > 0 ? 1 : 0;
        }
        EXPECT_GT(better, 3U) << name;
    }
}

TEST(EdgeBlocks, TheirNumberIsNearlyTheBestOfAll)
{
    uint32_t exact = 0;
    constexpr uint32_t SYSTEMS = 10;
    for (uint64_t seed = 101; seed < 101 + SYSTEMS; ++seed)
    {
        test::RandomShape shape;
        shape.blocks = 14;
        shape.tightMemory = 0;
        SystemState state = test::RandomInstance(seed).Make(shape).state;
        SetSharing(state, seed % 2 == 0 ? Sharing::RESERVED : Sharing::WORK_CONSERVING);
        const uint32_t blocks = state.model.blocks;
        double least = std::numeric_limits<double>::infinity();
        for (uint32_t edgeBlocks = 0; edgeBlocks < blocks; ++edgeBlocks)
        {
            const auto left = WithoutEdgeBlocks(state, edgeBlocks);
            least = std::min(least, MakeController("dssda")->Decide(left).plannedLatencyS);
        }
        state.training.mostEdgeBlocks = blocks;
        const double found = MakeController("dssda")->Decide(state).plannedLatencyS;
        EXPECT_LE(found, least * 1.05) << seed;
        exact += found <= least * 1.001 ? 1 : 0;
    }
    EXPECT_GE(exact, SYSTEMS * 9 / 10);
}

TEST(EdgeBlocks, DssdaIsNoWorseThanTunedPipelinesWithThem)
{
    for (uint64_t seed = 1; seed <= 16; ++seed)
    {
        SystemState state = MakeSystem(seed);
        state.training.mostEdgeBlocks = state.model.blocks;
        const RoundPlan best = MakeController("dssda")->Decide(state);
        for (const std::string name :
             {"tuned-uniform-pipeline", "tuned-static-pipeline", "slowest-first-pipeline"})
        {
            const RoundPlan plan = MakeController(name)->Decide(state);
            ASSERT_EQ(CheckPlan(state, plan), "") << name << seed;
            EXPECT_LE(best.plannedLatencyS, plan.plannedLatencyS * (1 + 1e-6)) << name << seed;
        }
    }
}

TEST(EdgeBlocks, GoByTheEdgeServersSpeed)
{
    SystemState state = MakeState(7);
    state.training.mostEdgeBlocks = state.model.blocks;
    const auto count = [&state](double flops) {
        state.edge.flops = flops;
        return CountEdgeBlocks(MakeController("dssda")->Decide(state));
    };
    EXPECT_EQ(count(1e3 * state.clusters[0].devices[0].flops), state.model.blocks - 1);
    EXPECT_EQ(count(1e-6 * state.clusters[0].devices[0].flops), 0U);
}

TEST(EdgeBlocks, LaterRoundsGoOnFromTheNumberBefore)
{
    SystemState state = MakeState(7);
    state.training.mostEdgeBlocks = state.model.blocks;
    state.edge.flops = 1e3 * state.clusters[0].devices[0].flops;
    const Ptr<Controller> controller = MakeController("dssda");
    const RoundPlan first = controller->Decide(state);
    const RoundPlan second = controller->Decide(state);
    EXPECT_EQ(CountEdgeBlocks(second), CountEdgeBlocks(first));
    EXPECT_LE(second.plannedLatencyS, first.plannedLatencyS * (1 + 1e-9));
    // Until they cost too much
    state.edge.flops = 1e-6 * state.clusters[0].devices[0].flops;
    EXPECT_EQ(CountEdgeBlocks(controller->Decide(state)), 0U);
}

TEST(EdgeBlocks, StayThereWhenAClusterIsCutAnew)
{
    uint32_t replanned = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed)
    {
        SystemState state = MakeSystem(seed);
        const auto edgeBlocks = static_cast<uint32_t>(1 + seed % (state.model.blocks - 1));
        state.training.mostEdgeBlocks = edgeBlocks;
        RoundPlan plan = MakeController("random")->Decide(WithoutEdgeBlocks(state, edgeBlocks));
        PutBlocksOnEdge(state, edgeBlocks, plan);
        ClusterPlan cluster = plan.clusters[0];
        const NodeIndex lost = cluster.chains[0].stages[1].node;
        if (!ReplanCluster(state, plan, 0, {lost}, cluster).empty())
        {
            continue;
        }
        ++replanned;
        for (const auto& stage : cluster.chains[0].stages)
        {
            EXPECT_NE(stage.node, lost);
        }
        plan.clusters[0] = cluster;
        EXPECT_EQ(CountEdgeBlocks(plan), edgeBlocks) << seed;
    }
    EXPECT_GT(replanned, 10U);
}

} // namespace collapipe
} // namespace ns3
