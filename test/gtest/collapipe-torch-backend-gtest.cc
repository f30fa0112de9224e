/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The Torch backend against its contract.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-analytic-backend.h"
#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/object-factory.h"

#include <gtest/gtest.h>
#include <thread>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

bool
AreFinite(const TensorList& list)
{
    for (const auto& tensor : list)
    {
        const auto* values = tensor.As<float>();
        if (!std::all_of(values, values + tensor.GetElementCount(), [](float value) {
                return std::isfinite(value);
            }))
        {
            return false;
        }
    }
    return true;
}

/// A few passes and steps of one part; what it computed.
TensorList
Exercise(const ModelConfig& config, const PartRange& range, uint32_t seed)
{
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, seed).Gather(range);
    const auto part = backend->CreatePart(config, range, {}, parameters);
    TensorList results;
    for (uint32_t i = 0; i < 6; i++)
    {
        const auto output = part->Forward(i, MakeInput(config, range, 3, seed + i));
        const auto back = part->Backward(i, range.decoder ? TensorList() : TensorList{output[0]});
        results.insert(results.end(), output.begin(), output.end());
        results.insert(results.end(), back.begin(), back.end());
        part->Step();
    }
    const auto state = part->ExportParameters(true);
    results.insert(results.end(), state.begin(), state.end());
    return results;
}

} // namespace

TEST(TorchBackend, EvaluatesManyBatchesAsOne)
{
    const auto config = MakeSmallConfig();
    const auto samples = MakeSamples(config, 101, 8);
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, 2);
    const auto result = backend->Evaluate(config, parameters, samples);
    EXPECT_EQ(result.labelTokens, MakeBatch(config, samples).labelTokens);
    UnsplitTrainer unsplit(config, {}, parameters);
    EXPECT_NEAR(result.loss, unsplit.Iterate(samples), 1e-5);
}

TEST(TorchBackend, PaddingIsNotLookedAt)
{
    const auto config = MakeSmallConfig();
    const PartRange range{false, 1, 4, true};
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, 3).Gather(range);
    const auto getLoss = [&](const TensorList& input) {
        const auto part = backend->CreatePart(config, range, {}, parameters);
        return *part->Forward(0, input)[0].As<double>();
    };
    const auto input = MakeInput(config, range, 4, 17);
    const auto change = [&](bool padded) {
        const auto count = input[0].GetElementCount();
        std::vector<float> hidden(input[0].As<float>(), input[0].As<float>() + count);
        for (size_t i = 0; i < hidden.size(); i++)
        {
            hidden[i] += bool(input[1].data.get()[i / config.width]) == padded ? 1 + i % 5 : 0;
        }
        auto changed = input;
        changed[0] = TensorData::FromVector(DType::FLOAT32, input[0].shape, std::move(hidden));
        return changed;
    };
    const double loss = getLoss(input);
    EXPECT_EQ(getLoss(change(true)), loss);
    EXPECT_GT(std::abs(getLoss(change(false)) - loss), 1e-3);
}

TEST(TorchBackend, RowOfPaddingOnlyGivesNumbers)
{
    const auto config = MakeSmallConfig();
    auto samples = MakeSamples(config, 3, 1);
    samples[1].source.clear();
    samples[2].target.clear();
    UnsplitTrainer trainer(config, {}, CreateObject<TorchBackend>()->CreateParameters(config, 4));
    EXPECT_TRUE(std::isfinite(trainer.Iterate(samples)));
    EXPECT_TRUE(AreFinite(trainer.GetGradients()));
}

TEST(TorchBackend, MicroBatchWithoutLabelsHasNoLoss)
{
    const auto config = MakeSmallConfig();
    const PartRange range{false, 0, 0, true};
    const auto backend = CreateObject<TorchBackend>();
    const auto part =
        backend->CreatePart(config, range, {}, backend->CreateParameters(config, 1).Gather(range));
    auto input = MakeInput(config, range, 2, 9);
    const std::vector<Sample> empty{{{END_TOKEN}, {}}, {{END_TOKEN}, {}}};
    input[2] = MakeBatch(config, empty).target;
    EXPECT_EQ(*part->Forward(0, input)[0].As<double>(), 0);
    const auto gradient = part->Backward(0, {});
    const auto* values = gradient[0].As<float>();
    EXPECT_TRUE(std::all_of(values, values + gradient[0].GetElementCount(), [](float value) {
        return value == 0;
    }));
}

TEST(TorchBackend, AnalyticShapesAreTorchShapes)
{
    const auto config = MakeSmallConfig();
    const auto torch = CreateObject<TorchBackend>();
    const auto analytic = CreateObject<AnalyticBackend>();
    const auto torchParameters = torch->CreateParameters(config, 1);
    const auto analyticParameters = analytic->CreateParameters(config, 1);
    for (const auto& optimizer : {OptimizerConfig(), MakeSgd(0), MakeSgd(0.9)})
    {
        for (const auto& range : GetAllParts(config))
        {
            auto a = torch->CreatePart(config, range, optimizer, torchParameters.Gather(range));
            auto b =
                analytic->CreatePart(config, range, optimizer, analyticParameters.Gather(range));
            const auto input = MakeInput(config, range, 3, 2);
            const auto output = a->Forward(1, input);
            EXPECT_TRUE(HaveEqualShapes(output, b->Forward(1, input)));
            const auto gradient = range.decoder ? TensorList() : TensorList{output[0]};
            EXPECT_TRUE(HaveEqualShapes(a->Backward(1, gradient), b->Backward(1, gradient)));
            EXPECT_TRUE(HaveEqualShapes(a->ExportGradients(), b->ExportGradients()));
            a->Step();
            b->Step();
            EXPECT_TRUE(HaveEqualShapes(a->ExportParameters(false), b->ExportParameters(false)));
            EXPECT_TRUE(HaveEqualShapes(a->ExportParameters(true), b->ExportParameters(true)));
            b = analytic->CreatePart(config, range, optimizer, a->ExportParameters(true));
            EXPECT_TRUE(HaveEqualShapes(a->ExportParameters(true), b->ExportParameters(true)));
        }
    }
}

TEST(TorchBackend, TrainingGoesOnFromExportedState)
{
    const auto config = MakeSmallConfig();
    const PartRange range = GetWhole(config);
    const auto backend = CreateObject<TorchBackend>();
    const auto initial = backend->CreateParameters(config, 6).Gather(range);
    for (const auto& optimizer : {OptimizerConfig(), MakeSgd(0), MakeSgd(0.9)})
    {
        for (uint32_t exportedAfter = 0; exportedAfter < 3; exportedAfter++)
        {
            const auto train = [&](ModelPart& part, uint32_t first, uint32_t last) {
                for (uint32_t i = first; i < last; i++)
                {
                    part.Forward(0, MakeInput(config, range, 3, i));
                    part.Backward(0, {});
                    part.Step();
                }
            };
            const auto kept = backend->CreatePart(config, range, optimizer, initial);
            train(*kept, 0, exportedAfter);
            const auto state = kept->ExportParameters(true);
            const auto renewed = backend->CreatePart(config, range, optimizer, state);
            EXPECT_TRUE(AreIdentical(renewed->ExportParameters(true), state));
            train(*kept, exportedAfter, 5);
            train(*renewed, exportedAfter, 5);
            EXPECT_TRUE(
                AreIdentical(renewed->ExportParameters(true), kept->ExportParameters(true)));
            EXPECT_FALSE(AreIdentical(state, kept->ExportParameters(true)));
        }
    }
}

TEST(TorchBackend, ExportsAreSnapshots)
{
    const auto config = MakeSmallConfig();
    const PartRange range{false, 0, 2, false};
    const auto backend = CreateObject<TorchBackend>();
    const auto initial = backend->CreateParameters(config, 6).Gather(range);
    const auto copy = backend->CreateParameters(config, 6).Gather(range);
    const auto part = backend->CreatePart(config, range, {}, initial);
    const auto before = part->ExportParameters(true);
    const auto output = part->Forward(0, MakeInput(config, range, 2, 1));
    part->Backward(0, {output[0]});
    const auto gradient = part->ExportGradients();
    const auto same = part->ExportGradients();
    part->Forward(0, MakeInput(config, range, 2, 2));
    part->Backward(0, {output[0]});
    EXPECT_TRUE(AreIdentical(gradient, same));
    EXPECT_FALSE(AreIdentical(gradient, part->ExportGradients()));
    part->Step();
    EXPECT_TRUE(AreIdentical(initial, copy));
    EXPECT_TRUE(AreIdentical({before.begin(), before.begin() + initial.size()}, initial));
    EXPECT_FALSE(AreIdentical(part->ExportParameters(false), initial));
}

TEST(TorchBackend, MessagesAreNotWrittenTo)
{
    const auto config = MakeSmallConfig();
    const auto backend = CreateObject<TorchBackend>();
    for (const PartRange& range : {PartRange{true, 0, 0, false}, PartRange{false, 1, 2, false}})
    {
        const auto part = backend->CreatePart(config,
                                              range,
                                              {},
                                              backend->CreateParameters(config, 1).Gather(range));
        const auto input = MakeInput(config, range, 2, 1);
        const auto output = part->Forward(0, input);
        const TensorList gradient{MakeNormal({2, config.sourceLength, config.width}, 3)};
        const TensorList same{MakeNormal({2, config.sourceLength, config.width}, 3)};
        part->Backward(0, gradient);
        part->Step();
        EXPECT_TRUE(AreIdentical(gradient, same));
        EXPECT_TRUE(AreIdentical(input, MakeInput(config, range, 2, 1)));
    }
}

TEST(TorchBackend, InitialValuesDependOnSeedAndBlockOnly)
{
    const auto config = MakeSmallConfig();
    auto longer = config;
    longer.encoderBlocks = 9;
    const auto backend = CreateObject<TorchBackend>();
    const auto some = backend->CreateParameters(config, 11);
    const auto more = backend->CreateParameters(longer, 11);
    EXPECT_TRUE(AreIdentical(some.embedding, more.embedding));
    EXPECT_TRUE(AreIdentical(some.decoder, more.decoder));
    for (uint32_t i = 0; i < config.encoderBlocks; i++)
    {
        EXPECT_TRUE(AreIdentical(some.blocks[i], more.blocks[i]));
        EXPECT_FALSE(AreIdentical(some.blocks[i], more.blocks[i + 1]));
    }
    const auto whole = GetWhole(config);
    EXPECT_TRUE(
        AreIdentical(backend->CreateParameters(config, 11).Gather(whole), some.Gather(whole)));
    const auto other = backend->CreateParameters(config, 11 + (1ULL << 32));
    EXPECT_FALSE(AreIdentical(other.blocks[0], some.blocks[0]));
    EXPECT_FALSE(AreIdentical(some.embedding, {some.decoder[0]}));
}

TEST(TorchBackend, InitialValuesHaveTheirDistributions)
{
    ModelConfig config;
    config.width = 128;
    config.feedForward = 512;
    const auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, 1);
    const auto check = [](const TensorData& tensor, double deviation, double most) {
        const auto* values = tensor.As<float>();
        double square = 0;
        double largest = 0;
        for (uint64_t i = 0; i < tensor.GetElementCount(); i++)
        {
            square += double(values[i]) * values[i];
            largest = std::max<double>(largest, std::abs(values[i]));
        }
        EXPECT_NEAR(std::sqrt(square / tensor.GetElementCount()), deviation, 0.02 * deviation);
        EXPECT_LE(largest, most);
    };
    // A uniform distribution's deviation is its bound over the square root of three
    const double bound = std::sqrt(6.0 / (128 + 512));
    check(parameters.blocks[2][4], bound / std::sqrt(3), bound);
    check(parameters.embedding[0], 1 / std::sqrt(128), 1);
    check(parameters.decoder[0], 1 / std::sqrt(128), 1);
    for (const size_t bias : {1, 3, 5, 7, 9, 11})
    {
        EXPECT_EQ(parameters.blocks[0][bias].As<float>()[5], 0);
    }
    EXPECT_EQ(parameters.blocks[0][8].As<float>()[5], 1);
    EXPECT_EQ(parameters.blocks[0][10].As<float>()[5], 1);
}

TEST(TorchBackend, ThreadsDoNotChangeResults)
{
    if (!CreateObject<TorchBackend>()->IsThreadSafe())
    {
        GTEST_SKIP() << "the BLAS cannot be used from several threads at once";
    }
    auto config = MakeSmallConfig();
    config.width = 64;
    config.feedForward = 128;
    const std::vector<PartRange> ranges{{true, 0, 1, false},
                                        {false, 0, 3, false},
                                        {false, 1, 3, false},
                                        {false, 3, 4, true},
                                        {true, 0, 4, true}};
    std::vector<TensorList> alone;
    for (size_t i = 0; i < ranges.size(); i++)
    {
        alone.push_back(Exercise(config, ranges[i], i));
    }
    for (int repetition = 0; repetition < 4; repetition++)
    {
        std::vector<TensorList> together(ranges.size());
        std::vector<std::thread> threads;
        for (size_t i = 0; i < ranges.size(); i++)
        {
            threads.emplace_back([&, i] { together[i] = Exercise(config, ranges[i], i); });
        }
        for (auto& thread : threads)
        {
            thread.join();
        }
        for (size_t i = 0; i < ranges.size(); i++)
        {
            EXPECT_TRUE(AreIdentical(together[i], alone[i])) << "part " << i;
        }
    }
}

TEST(TorchBackend, PassesMayBeOnDifferentThreads)
{
    const auto config = MakeSmallConfig();
    const auto range = GetWhole(config);
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, 1).Gather(range);
    const auto input = MakeInput(config, range, 3, 1);
    const auto here = backend->CreatePart(config, range, {}, parameters);
    here->Forward(0, input);
    here->Backward(0, {});
    const auto there = backend->CreatePart(config, range, {}, parameters);
    std::thread([&] { there->Forward(0, input); }).join();
    std::thread([&] { there->Backward(0, {}); }).join();
    EXPECT_TRUE(AreIdentical(there->ExportGradients(), here->ExportGradients()));
}

TEST(TorchBackend, IsChosenByName)
{
    ObjectFactory factory("ns3::collapipe::TorchBackend");
    const auto backend = factory.Create<ComputeBackend>();
    ASSERT_TRUE(backend);
    EXPECT_TRUE(backend->IsComputing());
}
