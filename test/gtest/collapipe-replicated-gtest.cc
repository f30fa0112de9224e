/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Chains that step together: the mean of their gradients, their plans, and the time that the fluid
// model gives them.

#include "collapipe-control-makers.h"

#include "ns3/collapipe-early-inputs.h"
#include "ns3/collapipe-gradient-shares.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-replicated-choice.h"
#include "ns3/collapipe-reservation.h"
#include "ns3/collapipe-transfers.h"

#include <algorithm>
#include <gtest/gtest.h>
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

/// @return one tensor of two numbers
TensorList
MakeGradients(float a, float b)
{
    return {TensorData::FromVector(DType::FLOAT32, {2}, std::vector<float>{a, b})};
}

/// @return a random system of one cluster, its media of the kind
SystemState
MakeLone(uint64_t seed, Sharing sharing)
{
    SystemState state = MakeState(seed, 1);
    SetSharing(state, sharing);
    state.training.fixedPair = {4, 8};
    state.training.allowedPairs = {{4, 8}};
    return state;
}

/// @return two chains of one device each, which step together, the edge server behind them
RoundPlan
MakeTwins(const SystemState& state, uint32_t cut)
{
    RoundPlan plan;
    plan.localIterations = 3;
    ClusterPlan cluster;
    cluster.synchronous = true;
    for (const NodeIndex node : {1, 2})
    {
        ChainPlan chain;
        chain.stages = {{node, true, 0, cut, false},
                        {EDGE_SERVER, false, cut, state.model.blocks, true}};
        chain.microBatches = 2;
        chain.microBatchSize = 2;
        chain.dataShare = 0.5;
        cluster.chains.push_back(chain);
    }
    plan.clusters = {cluster};
    SetEqualLinks(state, plan);
    return plan;
}

} // namespace

TEST(GradientShares, MeanIsWeightedAndInTheChainsOrder)
{
    GradientShares shares({0.75, 0.25}, DType::FLOAT32);
    shares.Add(4, 1, MakeGradients(8, -4));
    EXPECT_FALSE(shares.IsComplete(4));
    EXPECT_FALSE(shares.IsComplete(3));
    shares.Add(5, 1, MakeGradients(1, 1)); // a chain may be an iteration ahead
    shares.Add(4, 0, MakeGradients(4, 4));
    ASSERT_TRUE(shares.IsComplete(4));
    const auto mean = shares.GetMean(shares.Take(4));
    ASSERT_EQ(mean.size(), 1U);
    EXPECT_EQ(mean[0].As<float>()[0], 5);
    EXPECT_EQ(mean[0].As<float>()[1], 2);
    EXPECT_FALSE(shares.IsComplete(4));
    EXPECT_FALSE(shares.IsComplete(5));
}

TEST(GradientShares, MeanIsRoundedAsItTravels)
{
    for (const auto dtype : {DType::BFLOAT16, DType::INT8})
    {
        GradientShares shares({0.5, 0.5}, dtype);
        const auto own = shares.Encode(MakeGradients(1.001F, 127));
        shares.Add(0, 0, own);
        shares.Add(0, 1, own);
        const auto mean = shares.GetMean(shares.Take(0));
        ASSERT_TRUE(AreSame(mean, own)); // what is rounded once is its own mean
    }
}

TEST(Replicated, ChainsThatAreNotCutAlikeAreRefused)
{
    const SystemState state = MakeLone(3, Sharing::RESERVED);
    RoundPlan plan = MakeTwins(state, 1);
    ASSERT_EQ(CheckPlan(state, plan), "");
    auto& stages = plan.clusters[0].chains[1].stages;
    ++stages[0].lastBlock;
    ++stages[1].firstBlock;
    EXPECT_NE(CheckPlan(state, plan).find("not cut alike"), std::string::npos);
    plan.clusters[0].synchronous = false;
    EXPECT_EQ(CheckPlan(state, plan), "");
}

/// Both chains compute; the second sends what it has to the first, which sends the mean back when
/// it has its own: of two chains alone in their media, a recurrence says when each goes on
TEST(Replicated, ReservedRoundFollowsTheRecurrenceOfTwoChains)
{
    uint32_t compared = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed)
    {
        const SystemState state = MakeLone(seed, Sharing::RESERVED);
        if (IsPooled(state))
        {
            continue;
        }
        const RoundPlan plan = MakeTwins(state, 1 + seed % state.model.blocks);
        ASSERT_EQ(CheckPlan(state, plan), "");
        Instance instance;
        instance.state = state;
        std::vector<double> computedS;
        for (std::size_t c = 0; c < 2; ++c)
        {
            RoundPlan alone = plan;
            alone.clusters[0].synchronous = false;
            alone.clusters[0].chains = {plan.clusters[0].chains[c]};
            auto own = instance;
            const double slowdown = GetEdgeSlowdown(state.edge, 2);
            own.state.edge.flops /= slowdown;
            own.state.edge.overheadS *= slowdown;
            computedS.push_back(EvaluatePlan(own, alone).clusters[0].iterationS);
        }
        const auto evaluation = EvaluatePlan(instance, plan).clusters[0];
        const auto sums = ListSums(state, plan.clusters[0]);
        ASSERT_EQ(sums.size(), 2U);
        std::vector<double> wayS;
        for (const auto& link : evaluation.links)
        {
            if (link.phase == Phase::TRAINING && link.from != EDGE_SERVER && link.to != EDGE_SERVER)
            {
                EXPECT_NEAR(link.bits, sums[wayS.size()].bits, 1e-9 * link.bits);
                wayS.push_back(link.occupationS + link.latencyS);
            }
        }
        ASSERT_EQ(wayS.size(), 2U);
        double first = 0;
        double second = 0;
        for (uint32_t i = 0; i < plan.localIterations; ++i)
        {
            first = std::max(first + computedS[0], second + computedS[1] + wayS[0]);
            second = first + wayS[1];
        }
        const double trainingS = plan.localIterations * evaluation.iterationS;
        EXPECT_NEAR(trainingS, second, 1e-9 * second) << seed;
        ++compared;
    }
    EXPECT_GE(compared, 10U);
}

TEST(Replicated, GradientsCostTimeAndEnergy)
{
    for (const auto sharing : {Sharing::RESERVED, Sharing::WORK_CONSERVING})
    {
        for (uint64_t seed = 1; seed <= 20; ++seed)
        {
            Instance instance;
            instance.state = MakeLone(seed, sharing);
            RoundPlan plan = MakeTwins(instance.state, 1);
            const auto with = EvaluatePlan(instance, plan);
            plan.clusters[0].synchronous = false;
            const auto without = EvaluatePlan(instance, plan);
            EXPECT_GT(with.latencyS, without.latencyS) << seed;
            EXPECT_GT(with.clusters[0].nodes[1].radioEnergyJ,
                      without.clusters[0].nodes[1].radioEnergyJ)
                << seed;
        }
    }
}

TEST(Replicated, PlansAreSoundAndUseSeveralChainsWhereThatIsQuicker)
{
    for (const auto sharing : {Sharing::RESERVED, Sharing::WORK_CONSERVING})
    {
        uint32_t several = 0;
        for (uint64_t seed = 1; seed <= 20; ++seed)
        {
            SystemState state = MakeState(seed);
            SetSharing(state, sharing);
            state.training.fixedPair = {4, 8};
            state.training.allowedPairs = {{4, 8}};
            state.edge.flops /= 100;
            auto& model = state.model; // adapters: little to send
            for (double* bits : {&model.blockParameterBits,
                                 &model.embeddingParameterBits,
                                 &model.decoderParameterBits,
                                 &model.activationBits,
                                 &model.gradientBits})
            {
                *bits /= 1000;
            }
            for (auto& cluster : state.clusters)
            {
                for (auto& device : cluster.devices)
                {
                    device.flops /= 20; // computing is what takes long
                }
            }
            const RoundPlan plan = MakeController("replicated")->Decide(state);
            ASSERT_EQ(CheckPlan(state, plan), "") << seed;
            uint32_t samples = 0;
            for (const auto& chain : plan.clusters[0].chains)
            {
                samples += chain.microBatches * chain.microBatchSize;
            }
            EXPECT_EQ(samples, 32U) << seed;
            for (const auto& cluster : plan.clusters)
            {
                several += cluster.chains.size() > 1 ? 1 : 0;
            }
        }
        EXPECT_GT(several, 10U);
    }
}

TEST(Replicated, EverySampleIsDealtOnce)
{
    for (const MicroBatchPair pair : {MicroBatchPair{4, 1}, MicroBatchPair{3, 7}, {1, 1}, {2, 2}})
    {
        SystemState state = MakeLone(4, Sharing::RESERVED);
        state.training.fixedPair = pair;
        state.training.allowedPairs = {pair};
        const auto plans = ReplicatedChoice(state, false).List(0);
        ASSERT_FALSE(plans.empty());
        for (const auto& plan : plans)
        {
            uint32_t samples = 0;
            double share = 0;
            for (const auto& chain : plan.chains)
            {
                const uint32_t own = chain.microBatches * chain.microBatchSize;
                samples += own;
                share += chain.dataShare;
                EXPECT_NEAR(chain.dataShare, double(own) / (pair.count * pair.size), 1e-12);
            }
            EXPECT_EQ(samples, pair.count * pair.size);
            EXPECT_NEAR(share, 1, 1e-12);
        }
    }
}

TEST(Replicated, MemoryThatHoldsNothingIsSaid)
{
    SystemState state = MakeLone(2, Sharing::RESERVED);
    for (auto& device : state.clusters[0].devices)
    {
        device.memoryBytes = 1;
    }
    const RoundPlan plan = MakeController("replicated")->Decide(state);
    EXPECT_NE(plan.infeasible.find("memory"), std::string::npos) << plan.infeasible;
}

TEST(Replicated, PlanSurvivesJson)
{
    Instance instance;
    instance.state = MakeLone(5, Sharing::WORK_CONSERVING);
    const RoundPlan plan = MakeTwins(instance.state, 1);
    const std::string text = FormatPlanJson(instance, plan, {});
    RoundPlan again;
    ASSERT_EQ(ParsePlanJson(text, instance.state, again), "");
    EXPECT_TRUE(again.clusters[0].synchronous);
    EXPECT_NEAR(PredictLatencyS(instance.state, again),
                PredictLatencyS(instance.state, plan),
                1e-12);
}

} // namespace collapipe
} // namespace ns3
