/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-analytic-backend.h"
#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-part-shapes.h"
#include "ns3/object-factory.h"

#include <gtest/gtest.h>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

TensorData
MakeFloats(std::vector<float> values)
{
    const uint32_t size = values.size();
    return TensorData::FromVector(DType::FLOAT32, {size}, std::move(values));
}

std::vector<int32_t>
GetTokens(const TensorData& tensor)
{
    return {tensor.As<int32_t>(), tensor.As<int32_t>() + tensor.GetElementCount()};
}

/// FLOPs of one row through all matrices, from the shapes: independent of the formula in the code
double
SumMatrixFlops(const TensorList& shapes)
{
    double flops = 0;
    for (const auto& tensor : shapes)
    {
        flops += tensor.shape.size() == 2 ? 2.0 * tensor.shape[0] * tensor.shape[1] : 0;
    }
    return flops;
}

} // namespace

TEST(ModelConfig, SaysWhatDoesNotFit)
{
    EXPECT_EQ(ModelConfig().Check(), "");
    EXPECT_EQ(MakeSmallConfig().Check(), "");
    const auto check = [](auto change) {
        ModelConfig config;
        change(config);
        return config.Check();
    };
    EXPECT_NE(check([](auto& c) { c.heads = 3; }).find("multiple"), std::string::npos);
    EXPECT_NE(check([](auto& c) { c.heads = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.width = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.vocabulary = 3; }).find("vocabulary"), std::string::npos);
    EXPECT_NE(check([](auto& c) { c.feedForward = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.encoderBlocks = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.decoderBlocks = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.sourceLength = 0; }), "");
    EXPECT_NE(check([](auto& c) { c.targetLength = 0; }), "");
}

TEST(ModelConfig, EncoderBlockFlopsByHand)
{
    ModelConfig config;
    config.width = 8;
    config.feedForward = 16;
    config.sourceLength = 4;
    // Per token 2 (4 D^2 + 2 D F) = 1024; scores and weighted sum 4 T^2 D = 512
    EXPECT_DOUBLE_EQ(GetForwardFlops(config, {false, 0, 1, false}), 4 * 1024 + 512);
    EXPECT_DOUBLE_EQ(GetForwardFlops(config, {false, 1, 4, false}), 3 * (4 * 1024 + 512));
}

TEST(ModelConfig, FlopsFollowFromTheMatrices)
{
    const auto config = MakeSmallConfig();
    const double width = config.width;
    const double source = config.sourceLength;
    const double target = config.targetLength;
    EXPECT_DOUBLE_EQ(GetForwardFlops(config, {true, 0, 0, false}), 2 * source * width);

    const PartRange block{false, 2, 3, false};
    EXPECT_DOUBLE_EQ(GetForwardFlops(config, block),
                     source * SumMatrixFlops(GetParameterShapes(config, block)) +
                         4 * source * source * width);

    // Every matrix of the decoder sees the target, but for the one of cross attention's key and
    // value, which sees the source, and the embedding, which is no product
    const PartRange decoder{false, 0, 0, true};
    const double table = 2 * config.vocabulary * width;
    const double keyValue = 2 * 2 * width * width * config.decoderBlocks;
    const double matrices = SumMatrixFlops(GetParameterShapes(config, decoder)) - table - keyValue;
    const double attention = 4 * target * (target + source) * width * config.decoderBlocks;
    EXPECT_DOUBLE_EQ(GetForwardFlops(config, decoder),
                     target * matrices + source * keyValue + attention + 2 * target * width);

    EXPECT_DOUBLE_EQ(GetForwardFlops(config, GetWhole(config)),
                     GetForwardFlops(config, {true, 0, 0, false}) +
                         4 * GetForwardFlops(config, block) + GetForwardFlops(config, decoder));
}

TEST(ModelConfig, EncoderBlockHasTheParametersOfThePaper)
{
    ModelConfig config;
    config.width = 512;
    config.heads = 8;
    config.feedForward = 2048;
    // Four projections, two feed-forward layers, two norms
    const uint64_t values = 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512;
    EXPECT_EQ(GetByteSize(GetParameterShapes(config, {false, 0, 1, false})), 4 * values);
}

TEST(ModelConfig, ShapesOfPartsAddUp)
{
    const auto config = MakeSmallConfig();
    TensorList joined;
    for (const PartRange& part : {PartRange{true, 0, 2, false},
                                  PartRange{false, 2, 3, false},
                                  PartRange{false, 3, 4, true}})
    {
        const auto shapes = GetParameterShapes(config, part);
        joined.insert(joined.end(), shapes.begin(), shapes.end());
    }
    EXPECT_TRUE(HaveEqualShapes(joined, GetParameterShapes(config, GetWhole(config))));
}

TEST(ModelConfigDeathTest, RejectsWhatIsNoPart)
{
    const auto config = MakeSmallConfig();
    EXPECT_DEATH(GetParameterShapes(config, {false, 0, 0, false}), "holds nothing");
    EXPECT_DEATH(GetParameterShapes(config, {true, 0, 0, true}), "between embedding and decoder");
    EXPECT_DEATH(GetParameterShapes(config, {true, 1, 2, false}), "after the embedding");
    EXPECT_DEATH(GetParameterShapes(config, {false, 0, 3, true}), "before the decoder");
    EXPECT_DEATH(GetParameterShapes(config, {false, 3, 5, false}), "within the model");
    EXPECT_DEATH(GetParameterShapes(config, {false, 2, 1, false}), "within the model");
}

TEST(ModelParameters, ScatterIsTheInverseOfGather)
{
    const auto config = MakeSmallConfig();
    const auto backend = CreateObject<AnalyticBackend>();
    auto parameters = backend->CreateParameters(config, 1);
    for (const auto& part : GetAllParts(config))
    {
        auto tensors = parameters.Gather(part);
        ASSERT_TRUE(HaveEqualShapes(tensors, GetParameterShapes(config, part)));
        for (size_t i = 0; i < tensors.size(); i++)
        {
            tensors[i] = MakeFloats({float(i)});
        }
        auto changed = parameters;
        changed.Scatter(part, tensors);
        EXPECT_TRUE(AreIdentical(changed.Gather(part), tensors));
        const bool first = part.embedding || part.firstBlock > 0 || part.GetBlocks() == 0;
        EXPECT_EQ(changed.blocks[0][0].IsVirtual(), first && !(part.embedding && part.GetBlocks()));
        EXPECT_EQ(changed.decoder[0].IsVirtual(), !part.decoder);
    }
}

TEST(ModelParametersDeathTest, ScatterWantsAsManyAsGatherGives)
{
    const auto config = MakeSmallConfig();
    auto parameters = CreateObject<AnalyticBackend>()->CreateParameters(config, 1);
    const PartRange part{false, 1, 3, false};
    auto tensors = parameters.Gather(part);
    tensors.push_back(tensors.back());
    EXPECT_DEATH(parameters.Scatter(part, tensors), "24 parameters, not 25");
    tensors.resize(23);
    EXPECT_DEATH(parameters.Scatter(part, tensors), "Too few");
    EXPECT_DEATH(parameters.Gather({false, 3, 5, false}), "of a model with 4");
}

TEST(Batch, PadsAndCuts)
{
    auto config = MakeSmallConfig();
    config.sourceLength = 4;
    config.targetLength = 3;
    const std::vector<Sample> samples{
        {{5, 6, END_TOKEN}, {7, END_TOKEN}},
        {{5, 6, 7, 8, 9, END_TOKEN}, {10, 11, 12, END_TOKEN}},
        {{5, 6, 7, END_TOKEN}, {8, 9, END_TOKEN}},
    };
    const auto batch = MakeBatch(config, samples);
    EXPECT_EQ(batch.source.dtype, DType::INT32);
    EXPECT_EQ(batch.source.shape, (std::vector<uint32_t>{3, 4}));
    EXPECT_EQ(batch.target.shape, (std::vector<uint32_t>{3, 4}));
    EXPECT_EQ(GetTokens(batch.source), (std::vector<int32_t>{5, 6, 3, 0, 5, 6, 7, 3, 5, 6, 7, 3}));
    EXPECT_EQ(GetTokens(batch.target),
              (std::vector<int32_t>{2, 7, 3, 0, 2, 10, 11, 3, 2, 8, 9, 3}));
    EXPECT_EQ(batch.labelTokens, 2u + 3u + 3u);
}

TEST(Batch, CountsTheLabelsThatItWrites)
{
    const auto config = MakeSmallConfig();
    const auto samples = MakeSamples(config, 40, 7);
    const auto batch = MakeBatch(config, samples);
    const auto tokens = GetTokens(batch.target);
    uint64_t labels = 0;
    for (size_t i = 0; i < tokens.size(); i++)
    {
        labels += i % (config.targetLength + 1) != 0 && tokens[i] != PAD_TOKEN;
    }
    EXPECT_EQ(batch.labelTokens, labels);
    EXPECT_LT(labels, samples.size() * config.targetLength);
}

TEST(Batch, PaddingInTheMiddleIsNoLabel)
{
    auto config = MakeSmallConfig();
    config.targetLength = 3;
    const std::vector<Sample> samples{{{END_TOKEN}, {7, PAD_TOKEN, END_TOKEN}},
                                      {{END_TOKEN}, {7, 8, PAD_TOKEN, END_TOKEN}}};
    // The second one's third token is padding until the cut makes it the end
    EXPECT_EQ(MakeBatch(config, samples).labelTokens, 2u + 3u);
}

TEST(BatchDeathTest, RejectsTokensOutsideTheVocabulary)
{
    const auto config = MakeSmallConfig();
    EXPECT_DEATH(MakeBatch(config, std::vector<Sample>{{{37}, {END_TOKEN}}}), "Token 37 outside");
    EXPECT_DEATH(MakeBatch(config, std::vector<Sample>{{{5}, {-1}}}), "Token -1 outside");
}

TEST(Average, IsTheWeightedMean)
{
    const auto mean = ComputeBackend::Average(
        {{MakeFloats({1, 2}), MakeFloats({3})}, {MakeFloats({5, -2}), MakeFloats({1})}},
        {0.25, 0.75});
    ASSERT_EQ(mean.size(), 2u);
    EXPECT_EQ(mean[0].shape, (std::vector<uint32_t>{2}));
    EXPECT_FLOAT_EQ(mean[0].As<float>()[0], 4);
    EXPECT_FLOAT_EQ(mean[0].As<float>()[1], -1);
    EXPECT_FLOAT_EQ(mean[1].As<float>()[0], 1.5);
}

TEST(Average, AccumulatesInDoublePrecision)
{
    // In float32 the small value would be lost beside the large one
    const auto mean =
        ComputeBackend::Average({{MakeFloats({1e8f})}, {MakeFloats({3})}, {MakeFloats({-1e8f})}},
                                {0.25, 0.5, 0.25});
    EXPECT_FLOAT_EQ(mean[0].As<float>()[0], 1.5);
}

TEST(Average, LeavesItsInputsAlone)
{
    const TensorList set{MakeFloats({1, 2})};
    ComputeBackend::Average({set, {MakeFloats({3, 4})}}, {0.5, 0.5});
    EXPECT_FLOAT_EQ(set[0].As<float>()[0], 1);
    EXPECT_TRUE(AreIdentical(ComputeBackend::Average({set}, {1}), set));
}

TEST(Average, VirtualStaysVirtual)
{
    const TensorList set{TensorData::MakeVirtual(DType::FLOAT32, {3, 2})};
    const auto mean = ComputeBackend::Average({set, set}, {0.5, 0.5});
    EXPECT_TRUE(HaveEqualShapes(mean, set));
    EXPECT_TRUE(mean[0].IsVirtual());
}

TEST(AverageDeathTest, RejectsSetsThatDoNotMatch)
{
    const TensorList set{MakeFloats({1, 2})};
    EXPECT_DEATH(ComputeBackend::Average({set, set}, {1}), "one weight per");
    EXPECT_DEATH(ComputeBackend::Average({}, {}), "one weight per");
    EXPECT_DEATH(ComputeBackend::Average({set, set}, {0.5, 0.6}), "sum to 1.1");
    EXPECT_DEATH(ComputeBackend::Average({set, {}}, {0.5, 0.5}), "different length");
    EXPECT_DEATH(ComputeBackend::Average({set, {MakeFloats({1})}}, {0.5, 0.5}), "different shape");
    EXPECT_DEATH(
        ComputeBackend::Average({set, {TensorData::MakeVirtual(DType::FLOAT32, {2})}}, {0.5, 0.5}),
        "Virtual");
}

TEST(AnalyticBackend, IsChosenByName)
{
    ObjectFactory factory("ns3::collapipe::AnalyticBackend");
    const auto backend = factory.Create<ComputeBackend>();
    ASSERT_TRUE(backend);
    EXPECT_FALSE(backend->IsComputing());
}

TEST(AnalyticBackend, EvaluatesToNothingButTheLabels)
{
    const auto config = MakeSmallConfig();
    const auto samples = MakeSamples(config, 9, 3);
    const auto backend = CreateObject<AnalyticBackend>();
    const auto result = backend->Evaluate(config, backend->CreateParameters(config, 1), samples);
    EXPECT_TRUE(std::isnan(result.loss));
    EXPECT_EQ(result.labelTokens, MakeBatch(config, samples).labelTokens);
}

TEST(AnalyticBackend, TensorsHaveNoBytes)
{
    const auto config = MakeSmallConfig();
    const auto backend = CreateObject<AnalyticBackend>();
    const PartRange range{false, 1, 3, false};
    const auto parameters = backend->CreateParameters(config, 1);
    const auto part = backend->CreatePart(config, range, {}, parameters.Gather(range));
    const auto output =
        part->Forward(4, PartShapes(config, {true, 0, 1, false}, {}).GetForwardOutput(3));
    const auto gradient = part->Backward(4, {output[0]});
    for (const auto& list :
         {output, gradient, part->ExportParameters(true), part->ExportGradients()})
    {
        for (const auto& tensor : list)
        {
            EXPECT_TRUE(tensor.IsVirtual());
        }
    }
}

TEST(AnalyticBackendDeathTest, HoldsItsUserToTheContract)
{
    const auto config = MakeSmallConfig();
    const auto backend = CreateObject<AnalyticBackend>();
    const PartRange range{false, 1, 3, false};
    const auto parameters = backend->CreateParameters(config, 1).Gather(range);
    const auto part = backend->CreatePart(config, range, {}, parameters);
    const auto input = PartShapes(config, range, {}).GetForwardOutput(3);
    EXPECT_DEATH(part->Forward(0, {}), "without samples");
    EXPECT_DEATH(part->Forward(0, {input[0]}), "1 tensors instead of 2");
    EXPECT_DEATH(part->Forward(0, {input[1], input[1]}), "instead of type 1 .3,11,16.");
    EXPECT_DEATH(part->Backward(0, {input[0]}), "without having gone forward");
    part->Forward(0, input);
    EXPECT_DEATH(part->Forward(0, input), "goes forward twice");
    EXPECT_DEATH(part->Backward(0, {}), "0 tensors instead of 1");
    OptimizerConfig optimizer;
    optimizer.name = "lion";
    EXPECT_DEATH(backend->CreatePart(config, range, optimizer, parameters), "use adam or sgd");
    EXPECT_DEATH(backend->CreatePart(config, range, {}, {parameters[0]}),
                 "1 tensors instead of 24");
}
