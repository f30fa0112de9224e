/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Memory as LibTorch really allocates it, against formula (8).
 */

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-model-profile.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-torch-memory.h"
#include "ns3/object-factory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <thread>
#include <tuple>

namespace ns3
{
namespace collapipe
{
namespace testing
{

namespace
{

/// @return a model whose parts all weigh something
ModelConfig
MakeMemoryConfig()
{
    ModelConfig config;
    config.vocabulary = 120;
    config.width = 32;
    config.heads = 4;
    config.feedForward = 96;
    config.encoderBlocks = 6;
    config.sourceLength = 24;
    config.targetLength = 17;
    return config;
}

/// How a stage of a chain trains
struct StageCase
{
    std::string schedule;      //!< gpipe or 1f1b
    OptimizerConfig optimizer; //!< of the stage
    ChainPlan chain;           //!< all of it
    uint32_t stage;            //!< which stage
    bool recompute{false};     //!< activations are computed again
};

/// @return the run of the model that a stage holds
PartRange
GetRange(const StageCase& run)
{
    const auto& plan = run.chain.stages[run.stage];
    return {plan.embedding, plan.firstBlock, plan.lastBlock, plan.decoder};
}

/// Trains a stage for three iterations. @return its memory
MemoryReport
Train(ModelConfig config, const StageCase& run)
{
    const auto range = GetRange(run);
    auto backend = CreateObject<TorchBackend>();
    const auto trained = FreezeParameters(config, backend->CreateParameters(config, 1));
    auto part = backend->CreatePart(config, range, run.optimizer, trained.Gather(range));
    part->SetRecompute(run.recompute);
    const auto actions = ObjectFactory(ScheduleTypeName(run.schedule))
                             .Create<Schedule>()
                             ->Generate(run.chain.stages.size(), run.stage, run.chain.microBatches);
    const uint32_t size = run.chain.microBatchSize;
    for (uint32_t iteration = 0; iteration < 3; ++iteration)
    {
        for (const auto& action : actions)
        {
            switch (action.kind)
            {
            case Action::FORWARD:
                part->Forward(action.microBatch, MakeInput(config, range, size, 1));
                break;
            case Action::BACKWARD:
                if (!HasBackward(config, range))
                {
                    break;
                }
                part->Backward(
                    action.microBatch,
                    range.decoder
                        ? TensorList()
                        : TensorList{MakeNormal({size, config.sourceLength, config.width}, 2)});
                break;
            default:
                part->Step();
            }
        }
    }
    return part->GetMemory();
}

/// @return a chain of control unit, devices with these blocks each, and edge server
ChainPlan
MakeChain(const std::vector<uint32_t>& blocks, uint32_t microBatches, uint32_t size)
{
    std::vector<Segment> segments;
    for (const auto count : blocks)
    {
        segments.push_back({static_cast<NodeIndex>(segments.size() + 1), count});
    }
    return MakePipelineChain(segments, {microBatches, size});
}

} // namespace

/// Optimizer, schedule, whether activations are computed again
class MemoryOfStages : public ::testing::TestWithParam<std::tuple<std::string, std::string, bool>>
{
};

TEST_P(MemoryOfStages, IsThatOfTheFormula)
{
    const auto config = MakeMemoryConfig();
    OptimizerConfig optimizer;
    optimizer.name = std::get<0>(GetParam()) == "adam" ? "adam" : "sgd";
    optimizer.momentum = std::get<0>(GetParam()) == "sgd" ? 0 : 0.9;
    const auto schedule = std::get<1>(GetParam());
    const bool recompute = std::get<2>(GetParam());
    const auto profile = MakeModelProfile(config, optimizer, 2);
    std::mt19937 random(3);
    for (uint32_t segments = 1; segments <= 6; ++segments)
    {
        std::vector<uint32_t> blocks(segments, 1);
        blocks[random() % segments] += config.encoderBlocks - segments;
        for (uint32_t microBatches = 1; microBatches <= 8; ++microBatches)
        {
            const auto chain = MakeChain(blocks, microBatches, 1 + random() % 4);
            const uint32_t stage = 1 + random() % segments;
            const auto report = Train(config, {schedule, optimizer, chain, stage, recompute});
            const double planned = GetStageMemoryBytes(profile, schedule, chain, stage, recompute);
            EXPECT_NEAR(report.kept.GetTotal(), planned, 0.1 * planned)
                << segments << " segments, " << microBatches << " micro-batches, stage " << stage
                << ", " << chain.stages[stage].GetBlocks() << " blocks";
            EXPECT_GE(report.peakBytes, report.kept.GetTotal());
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Torch,
                         MemoryOfStages,
                         ::testing::Combine(::testing::Values("sgd", "momentum", "adam"),
                                            ::testing::Values("gpipe", "1f1b"),
                                            ::testing::Bool()));

/// Schedule, whether activations are computed again, precision of what is frozen
class MemoryOfFrozenStages : public ::testing::TestWithParam<std::tuple<std::string, bool, DType>>
{
};

TEST_P(MemoryOfFrozenStages, IsThatOfTheFormula)
{
    const auto& [schedule, recompute, base] = GetParam();
    std::mt19937 random(5);
    int without = 0;
    int mixed = 0;
    for (int i = 0; i < 60; ++i)
    {
        auto config = MakeMemoryConfig();
        config.trainedBlocks = random() % (config.encoderBlocks + 1);
        config.trained = config.trainedBlocks > 0 ? TrainedPart::LAST : TrainedPart::HEAD;
        config.base = base;
        const auto profile = MakeModelProfile(config, OptimizerConfig(), 2);
        std::vector<uint32_t> blocks(1 + random() % 3, 1);
        for (auto left = config.encoderBlocks - blocks.size(); left > 0; --left)
        {
            ++blocks[random() % blocks.size()];
        }
        const auto chain = MakeChain(blocks, 1 + random() % 6, 1 + random() % 4);
        const uint32_t stage = 1 + random() % blocks.size();
        const auto report = Train(config, {schedule, OptimizerConfig(), chain, stage, recompute});
        const double planned = GetStageMemoryBytes(profile, schedule, chain, stage, recompute);
        const double kept = static_cast<double>(report.kept.GetTotal());
        const auto& plan = chain.stages[stage];
        EXPECT_NEAR(kept, planned, 0.1 * planned)
            << "blocks " << plan.firstBlock << " to " << plan.lastBlock << " of which the last "
            << config.trainedBlocks << " of all are trained, " << chain.microBatches
            << " micro-batches of " << chain.microBatchSize;
        const uint32_t trained = profile.CountTrained(plan.firstBlock, plan.lastBlock);
        mixed += trained > 0 && trained < plan.GetBlocks();
        if (trained == 0)
        {
            ++without;
            EXPECT_EQ(kept, planned) << "something is kept where nothing is trained";
        }
    }
    EXPECT_GT(without, 5);
    EXPECT_GT(mixed, 5);
}

INSTANTIATE_TEST_SUITE_P(Torch,
                         MemoryOfFrozenStages,
                         ::testing::Combine(::testing::Values("gpipe", "1f1b"),
                                            ::testing::Bool(),
                                            ::testing::Values(DType::FLOAT32, DType::INT8)));

TEST(TorchMemory, IsSplitByKind)
{
    const auto config = MakeMemoryConfig();
    const auto chain = MakeChain({2, 4}, 5, 3);
    const auto report = Train(config, {"gpipe", OptimizerConfig(), chain, 1});
    const uint64_t weights = 2 * GetByteSize(GetParameterShapes(config, {false, 0, 1, false}));
    EXPECT_EQ(report.kept.Get(MemoryKind::PARAMETERS), weights);
    // The kept memory is largest with all forward passes done and no gradient accumulated yet, or
    // after the first backward pass with one micro-batch less; Adam keeps two moments.
    EXPECT_EQ(report.kept.Get(MemoryKind::OPTIMIZER), 2 * weights);
    EXPECT_NEAR(report.kept.Get(MemoryKind::ACTIVATIONS) + report.kept.Get(MemoryKind::GRADIENTS),
                5 * 3 * 2 * GetSavedActivationBytes(config),
                weights);
}

TEST(TorchMemory, ActivationsAreThoseThatAutomaticDifferentiationKeeps)
{
    std::mt19937 random(11);
    for (int i = 0; i < 24; ++i)
    {
        auto config = MakeMemoryConfig();
        config.head = i % 2 ? ModelHead::CLASSIFICATION : ModelHead::TRANSLATION;
        config.preNorm = i / 2 % 2;
        config.dropout = i / 4 % 2 ? 0.1 : 0;
        config.heads = 1 << random() % 4;
        config.width = 8 * config.heads * (1 + random() % 3);
        config.feedForward = 16 + random() % 200;
        config.sourceLength = 3 + random() % 40;
        const uint32_t blocks = 1 + random() % 6;
        const uint32_t size = 1 + random() % 5;
        const PartRange range{false, 0, blocks, false};
        auto backend = CreateObject<TorchBackend>();
        auto part = backend->CreatePart(config,
                                        range,
                                        {},
                                        backend->CreateParameters(config, 1).Gather(range));
        part->Forward(0, MakeInput(config, range, size, i));
        const double expected = size * blocks * GetSavedActivationBytes(config);
        EXPECT_NEAR(part->GetMemory().kept.Get(MemoryKind::ACTIVATIONS), expected, 0.02 * expected)
            << (config.head == ModelHead::CLASSIFICATION ? "BERT" : "Transformer")
            << (config.preNorm ? ", pre-norm" : "") << (config.dropout > 0 ? ", dropout" : "");
    }
}

TEST(TorchMemory, OneForwardOneBackwardKeepsFewerActivationsThanGpipe)
{
    const auto config = MakeMemoryConfig();
    const auto chain = MakeChain({2, 2, 2}, 8, 2);
    const auto last = static_cast<uint32_t>(chain.stages.size() - 2);
    const auto get = [&](const std::string& schedule) {
        return Train(config, {schedule, MakeSgd(0), chain, last}).kept.Get(MemoryKind::ACTIVATIONS);
    };
    // The last device has min(N, 2) micro-batches alive instead of N = 8.
    EXPECT_NEAR(static_cast<double>(get("1f1b")) / get("gpipe"), 2.0 / 8, 0.02);
}

TEST(TorchMemory, OneOfFourDevicesNeedsLessThanHalfOfFedAvg)
{
    auto config = MakeMemoryConfig();
    config.encoderBlocks = 8;
    const auto chain = MakeChain({2, 2, 2, 2}, 4, 4);
    ChainPlan whole;
    whole.microBatches = 4;
    whole.microBatchSize = 4;
    whole.stages = {{1, true, 0, config.encoderBlocks, true}};
    const auto fedavg = Train(config, {"gpipe", OptimizerConfig(), whole, 0});
    for (uint32_t device = 1; device <= 4; ++device)
    {
        const auto own = Train(config, {"gpipe", OptimizerConfig(), chain, device});
        EXPECT_LT(2 * own.kept.GetTotal(), fedavg.kept.GetTotal());
        EXPECT_LT(2 * own.peakBytes, fedavg.peakBytes);
    }
}

TEST(TorchMemory, ComputingActivationsAgainChangesNoResult)
{
    for (const auto head : {ModelHead::TRANSLATION, ModelHead::CLASSIFICATION})
    {
        auto config = MakeMemoryConfig();
        config.head = head;
        config.dropout = 0.2;
        auto backend = CreateObject<TorchBackend>();
        const auto parameters = backend->CreateParameters(config, 3);
        for (const auto& range : {PartRange{false, 1, 4, false},
                                  PartRange{true, 0, 2, false},
                                  PartRange{false, 2, 6, true}})
        {
            if (range.decoder && config.head != ModelHead::TRANSLATION)
            {
                continue; // the samples made here have no labels
            }
            std::vector<TensorList> results;
            for (const bool recompute : {false, true})
            {
                auto part =
                    backend->CreatePart(config, range, {}, parameters.Gather(range), {7, 3});
                part->SetRecompute(recompute);
                results.emplace_back();
                const auto add = [&results](const TensorList& list) {
                    results.back().insert(results.back().end(), list.begin(), list.end());
                };
                for (uint32_t i = 0; i < 3; ++i)
                {
                    add(part->Forward(i, MakeInput(config, range, 2, i)));
                }
                for (uint32_t i = 0; i < 3; ++i)
                {
                    const auto hidden = MakeNormal({2, config.sourceLength, config.width}, i);
                    add(part->Backward(i, range.decoder ? TensorList() : TensorList{hidden}));
                }
                add(part->ExportGradients());
            }
            EXPECT_TRUE(AreIdentical(results[0], results[1]));
        }
    }
}

TEST(TorchMemory, IsGivenBackWhenAPartGoes)
{
    CreateObject<TorchBackend>();
    auto account = std::make_shared<MemoryAccount>();
    at::Tensor survivor;
    {
        const MemoryScope scope(account, MemoryKind::ACTIVATIONS);
        survivor = at::zeros({100}, at::kFloat);
        const auto gone = at::zeros({1000}, at::kFloat);
        EXPECT_EQ(account->GetUse().Get(MemoryKind::ACTIVATIONS), 4400u);
        const MemoryScope inner(nullptr, MemoryKind::ACTIVATIONS);
        const auto uncounted = at::zeros({50}, at::kFloat);
        EXPECT_EQ(account->GetUse().GetTotal(), 4400u);
    }
    EXPECT_EQ(account->GetUse().GetTotal(), 400u);
    // Another thread's allocations are nobody's, and what it frees is credited all the same.
    std::thread([&] {
        const auto other = at::zeros({10}, at::kFloat);
        survivor.reset();
    }).join();
    EXPECT_EQ(account->GetUse().GetTotal(), 0u);
    EXPECT_EQ(account->GetReport().peakBytes, 4400u);
}

TEST(TorchMemory, WhatIsHandedOverIsNoLongerCharged)
{
    CreateObject<TorchBackend>();
    auto account = std::make_shared<MemoryAccount>();
    const MemoryScope scope(account, MemoryKind::ACTIVATIONS);
    const auto alone = ReleaseToNetwork(at::full({3}, 7.0, at::kFloat));
    EXPECT_EQ(account->GetUse().GetTotal(), 0u);
    const auto kept = at::full({3}, 8.0, at::kFloat);
    const auto copy = ReleaseToNetwork(kept);
    EXPECT_EQ(account->GetUse().GetTotal(), 12u);
    EXPECT_NE(copy.As<float>(), kept.data_ptr<float>());
    EXPECT_EQ(alone.As<float>()[2], 7);
    EXPECT_EQ(copy.As<float>()[2], 8);
}

} // namespace testing
} // namespace collapipe
} // namespace ns3
