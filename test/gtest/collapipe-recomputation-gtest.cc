/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Recomputation of activations as the planner sees it: memory down, time up by a forward pass.
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-round-solver.h"

#include <gtest/gtest.h>

using namespace ns3::collapipe;
using namespace ns3::collapipe::test;

namespace
{

/// @return a random instance whose segments have inputs worth keeping
Instance
MakeInstance(RandomInstance& random, const std::string& schedule, double tightMemory)
{
    RandomShape shape;
    shape.devices = random.Count(2, 4);
    shape.blocks = random.Count(4, 8);
    shape.schedule = schedule;
    shape.tightMemory = tightMemory;
    auto instance = random.Make(shape);
    // Of a single micro-batch nothing is gained.
    auto& pairs = instance.state.training.allowedPairs;
    pairs.erase(pairs.begin(), pairs.begin() + 4);
    instance.state.training.fixedPair = pairs.back();
    auto& model = instance.state.model;
    model.segmentInputBytes = model.activationBytesPerBlock * random.Uniform(0.02, 0.2);
    return instance;
}

/// @return whether all stages of a plan fit their devices' memory
bool
Fits(const Instance& instance, const RoundPlan& plan)
{
    return CheckMemory(instance.state, plan).empty();
}

std::size_t
CountRecomputed(const SystemState& state, const RoundPlan& plan)
{
    std::size_t count = 0;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& chain : plan.clusters[m].chains)
        {
            for (std::size_t s = 0; s < chain.stages.size(); ++s)
            {
                count += IsStageRecomputed(state, m, chain, s);
            }
        }
    }
    return count;
}

} // namespace

TEST(Recomputation, AddsAForwardPassToTheBackwardPass)
{
    RandomInstance random(1);
    for (int i = 0; i < 200; ++i)
    {
        auto instance = MakeInstance(random, i % 2 ? "gpipe" : "1f1b", 0);
        const auto choice = random.MakeChoice(instance);
        RoundPlan plan;
        plan.localIterations = instance.state.training.localIterations;
        plan.schedule = instance.state.training.schedule;
        plan.clusters = {{{MakePipelineChain(choice[0].segments, choice[0].pair)}, {}}};
        const auto kept = EvaluatePlan(instance, plan);
        instance.state.training.recomputation = Recomputation::ALWAYS;
        const auto again = EvaluatePlan(instance, plan);
        EXPECT_GT(again.latencyS, kept.latencyS);
        const auto& model = instance.state.model;
        const auto& chain = plan.clusters[0].chains[0];
        for (std::size_t s = 1; s + 1 < chain.stages.size(); ++s)
        {
            const auto& stage = chain.stages[s];
            const auto& before = kept.clusters[0].nodes[stage.node];
            const auto& after = again.clusters[0].nodes[stage.node];
            const auto& device = GetNode(instance.state.clusters[0], stage.node);
            const double pass =
                chain.microBatchSize * stage.GetBlocks() * model.blockForwardFlops / device.flops;
            EXPECT_EQ(after.forwardS, before.forwardS);
            EXPECT_NEAR(after.backwardS - before.backwardS, pass, 1e-9 * pass);
            const double live = GetLiveMicroBatches(plan.schedule, chain, s);
            const double saved = (live - 1) * chain.microBatchSize * stage.GetBlocks() *
                                     model.activationBytesPerBlock -
                                 live * chain.microBatchSize * model.segmentInputBytes;
            EXPECT_NEAR(before.memoryBytes - after.memoryBytes, saved, 1e-9 * before.memoryBytes);
        }
        // The control unit and the edge server keep what they have.
        EXPECT_EQ(again.clusters[0].nodes[0].backwardS, kept.clusters[0].nodes[0].backwardS);
    }
}

/// Row 14 of the list of faults: a device that trains a whole model computes its blocks again,
/// alone.
TEST(Recomputation, LeavesEmbeddingAndDecoderAlone)
{
    RandomInstance random(3);
    for (int i = 0; i < 50; ++i)
    {
        auto instance = MakeInstance(random, "gpipe", 0);
        const auto& model = instance.state.model;
        ChainPlan chain;
        chain.microBatches = 2;
        chain.microBatchSize = 3;
        chain.stages.push_back({1, true, 0, model.blocks, true});
        const auto kept = GetStageTimes(instance.state, 0, chain, chain.stages[0], 1);
        instance.state.training.recomputation = Recomputation::ALWAYS;
        const auto again = GetStageTimes(instance.state, 0, chain, chain.stages[0], 1);
        const auto& device = GetNode(instance.state.clusters[0], 1);
        const double pass =
            chain.microBatchSize * model.blocks * model.blockForwardFlops / device.flops;
        EXPECT_EQ(again.forwardS, kept.forwardS);
        EXPECT_NEAR(again.backwardS - kept.backwardS, pass, 1e-9 * pass);
        EXPECT_GT(model.embeddingForwardFlops + model.decoderForwardFlops, 0);
    }
}

/// @return the most blocks of a segment from a block on that fit, by (8) itself
uint32_t
CountFitting(const ModelProfile& model,
             double memoryBytes,
             uint32_t first,
             uint32_t live,
             uint32_t size,
             Recomputation mode)
{
    uint32_t most = 0;
    for (uint32_t blocks = 1; first + blocks <= model.blocks; ++blocks)
    {
        const BlockRun run{first, first + blocks};
        const bool keeps = memoryBytes >= GetSegmentMemoryBytes(model, run, live, size, false);
        const bool recomputes = memoryBytes >= GetSegmentMemoryBytes(model, run, live, size, true);
        const bool fits = mode == Recomputation::NEVER    ? keeps
                          : mode == Recomputation::ALWAYS ? recomputes
                                                          : keeps || recomputes;
        most = fits ? blocks : most;
    }
    return most;
}

TEST(Recomputation, LimitsOfBlocksAreThoseOfTheFormula)
{
    RandomInstance random(2);
    int between = 0;
    for (int i = 0; i < 600; ++i)
    {
        auto instance = MakeInstance(random, "gpipe", 1);
        if (i % 2 == 1)
        {
            random.AddBase(instance);
        }
        const auto& model = instance.state.model;
        const auto& device = instance.state.clusters[0].devices[0];
        const uint32_t live = random.Count(1, 6);
        const uint32_t size = random.Count(1, 6);
        const uint32_t first = i % 2 == 1 ? random.Count(0, model.blocks - 1) : 0;
        for (const auto mode : {Recomputation::NEVER, Recomputation::ALWAYS, Recomputation::AUTO})
        {
            const uint32_t most = CountFitting(model, device.memoryBytes, first, live, size, mode);
            const uint32_t found = GetMaxBlocks(model, device, first, size, live, mode);
            EXPECT_EQ(std::min(found, model.blocks - first), most);
            between += first < model.firstTrainedBlock && most > 0 && first + most < model.blocks;
        }
    }
    EXPECT_GT(between, 20); // segments that begin before the first trained block, and are limited
}

TEST(Recomputation, BlocksWithoutABackwardPassKeepTheirFrozenWeightsOnly)
{
    RandomInstance random(4);
    for (int i = 0; i < 100; ++i)
    {
        auto instance = MakeInstance(random, "gpipe", 1);
        random.AddBase(instance);
        auto& model = instance.state.model;
        model.trainsEmbedding = false;
        model.firstTrainedBlock = random.Count(0, model.blocks);
        const uint32_t first = random.Count(0, model.blocks);
        const uint32_t last = random.Count(first, model.blocks);
        const uint32_t live = random.Count(1, 6);
        const uint32_t size = random.Count(1, 6);
        double each = 0; // block by block, from the words of (8')
        bool isAnyTrained = false;
        for (uint32_t block = first; block < last; ++block)
        {
            const bool isTrained = block >= model.firstTrainedBlock;
            isAnyTrained |= isTrained;
            each += !isTrained ? model.untrainedBlockBytes
                               : model.frozenBlockBytes +
                                     model.weightCopies * model.blockParameterBits / 8 +
                                     live * size * model.activationBytesPerBlock;
        }
        const double kept = GetSegmentMemoryBytes(model, {first, last}, live, size, false);
        EXPECT_NEAR(kept, each, 1e-9 * each);
        if (!isAnyTrained)
        {
            EXPECT_EQ(GetSegmentMemoryBytes(model, {first, last}, live, size, true), kept);
        }
    }
}

/// Schedule
class RecomputationPlans : public ::testing::TestWithParam<std::string>
{
};

TEST_P(RecomputationPlans, AreMadeWhereMemoryBindsAndNowhereElse)
{
    RandomInstance random(3);
    RoundSolver solver;
    int rescued = 0;
    for (int i = 0; i < 60; ++i)
    {
        auto instance = MakeInstance(random, GetParam(), 0.7);
        const auto kept = solver.Solve(instance, {});
        instance.state.training.recomputation = Recomputation::AUTO;
        const auto chosen = solver.Solve(instance, {});
        if (!kept.plan.infeasible.empty())
        {
            if (chosen.plan.infeasible.empty())
            {
                ++rescued;
                EXPECT_TRUE(Fits(instance, chosen.plan));
                EXPECT_GT(CountRecomputed(instance.state, chosen.plan), 0u);
            }
            continue;
        }
        ASSERT_TRUE(chosen.plan.infeasible.empty());
        EXPECT_TRUE(Fits(instance, chosen.plan));
        // The plan without recomputation is still there to be chosen.
        EXPECT_LE(chosen.evaluation.objective,
                  kept.evaluation.objective + 0.01 * std::abs(kept.evaluation.objective));
        // What the solver optimised is what the plan costs.
        EXPECT_NEAR(EvaluatePlan(instance, chosen.plan).objective,
                    chosen.evaluation.objective,
                    1e-6 * std::abs(chosen.evaluation.objective));
    }
    EXPECT_GT(rescued, 0);
}

TEST_P(RecomputationPlans, WithRoomForAllAreThoseWithout)
{
    RandomInstance random(4);
    RoundSolver solver;
    for (int i = 0; i < 20; ++i)
    {
        auto instance = MakeInstance(random, GetParam(), 0);
        for (auto& device : instance.state.clusters[0].devices)
        {
            device.memoryBytes = 1e18;
        }
        const auto kept = solver.Solve(instance, {});
        instance.state.training.recomputation = Recomputation::AUTO;
        const auto chosen = solver.Solve(instance, {});
        EXPECT_EQ(chosen.evaluation.objective, kept.evaluation.objective);
        EXPECT_EQ(CountRecomputed(instance.state, chosen.plan), 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Schedules, RecomputationPlans, ::testing::Values("gpipe", "1f1b"));

TEST(Recomputation, HasNames)
{
    for (const auto mode : {Recomputation::NEVER, Recomputation::ALWAYS, Recomputation::AUTO})
    {
        auto parsed = Recomputation::NEVER;
        EXPECT_TRUE(ParseRecomputation(ToString(mode), parsed));
        EXPECT_EQ(parsed, mode);
    }
    auto parsed = Recomputation::NEVER;
    EXPECT_FALSE(ParseRecomputation("sometimes", parsed));
}
