/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The modules against those of torch::nn with the same weights, in float64, so that the difference
// is rounding and nothing else; and what automatic differentiation keeps of them.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-torch-compat.h"
#include "ns3/collapipe-torch-modules.h"
#include "ns3/collapipe-torch-support.h"
#include "ns3/collapipe-unsplit-trainer.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>
#include <torch/nn/functional/embedding.h>
#include <torch/nn/functional/linear.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/transformerlayer.h>
#include <torch/version.h>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

namespace F = torch::nn::functional;

const std::vector<std::string> ENCODER_NAMES{"self_attn.in_proj_weight",
                                             "self_attn.in_proj_bias",
                                             "self_attn.out_proj.weight",
                                             "self_attn.out_proj.bias",
                                             "linear1.weight",
                                             "linear1.bias",
                                             "linear2.weight",
                                             "linear2.bias",
                                             "norm1.weight",
                                             "norm1.bias",
                                             "norm2.weight",
                                             "norm2.bias"};

/// Where a decoder block's parameters are found in torch::nn: name, and rows of a fused projection
struct Slice
{
    std::string name;
    int part{-1}; // 0: the first D rows, 1: the rest, -1: all
};

const std::vector<Slice> DECODER_SLICES{{"self_attn.in_proj_weight"},
                                        {"self_attn.in_proj_bias"},
                                        {"self_attn.out_proj.weight"},
                                        {"self_attn.out_proj.bias"},
                                        {"multihead_attn.in_proj_weight", 0},
                                        {"multihead_attn.in_proj_bias", 0},
                                        {"multihead_attn.in_proj_weight", 1},
                                        {"multihead_attn.in_proj_bias", 1},
                                        {"multihead_attn.out_proj.weight"},
                                        {"multihead_attn.out_proj.bias"},
                                        {"linear1.weight"},
                                        {"linear1.bias"},
                                        {"linear2.weight"},
                                        {"linear2.bias"},
                                        {"norm1.weight"},
                                        {"norm1.bias"},
                                        {"norm2.weight"},
                                        {"norm2.bias"},
                                        {"norm3.weight"},
                                        {"norm3.bias"}};

at::Tensor
Cut(const at::Tensor& tensor, int part, int64_t width)
{
    return part < 0 ? tensor : part == 0 ? tensor.slice(0, 0, width) : tensor.slice(0, width);
}

double
GetError(const at::Tensor& actual, const at::Tensor& expected)
{
    return ((actual - expected).norm() / expected.norm()).item<double>();
}

at::Generator
MakeSeed(uint64_t seed)
{
    auto generator = at::detail::getDefaultCPUGenerator().clone();
    generator.set_current_seed(seed);
    return generator;
}

/// Random values for all parameters, biases and norms included, so that none goes untested.
std::vector<at::Tensor>
MakeRandomParameters(const TensorList& shapes, uint64_t seed, at::ScalarType type)
{
    auto generator = MakeSeed(seed);
    std::vector<at::Tensor> parameters;
    for (const auto& shape : shapes)
    {
        const std::vector<int64_t> extents(shape.shape.begin(), shape.shape.end());
        parameters.push_back(at::empty(extents, type).normal_(0, 0.3, generator).requires_grad_());
    }
    return parameters;
}

at::Tensor
MakeRandom(at::IntArrayRef shape, uint64_t seed)
{
    return at::empty(shape, at::kDouble).normal_(0, 1, MakeSeed(seed)).requires_grad_();
}

/// [b,T] uint8, row i has i positions of padding at its end.
at::Tensor
MakeStaircase(int64_t samples, int64_t length)
{
    const auto ends = length - at::arange(samples).unsqueeze(1);
    return at::arange(length).unsqueeze(0).ge(ends).to(at::kByte);
}

torch::nn::TransformerEncoderLayer
MakeReferenceEncoder(const ModelConfig& config, const std::vector<at::Tensor>& parameters)
{
    torch::nn::TransformerEncoderLayer layer(
        torch::nn::TransformerEncoderLayerOptions(config.width, config.heads)
            .dim_feedforward(config.feedForward)
            .dropout(0));
    layer->to(parameters[0].scalar_type());
    const torch::NoGradGuard guard;
    auto named = layer->named_parameters();
    for (size_t i = 0; i < ENCODER_NAMES.size(); i++)
    {
        named[ENCODER_NAMES[i]].copy_(parameters[i]);
    }
    return layer;
}

torch::nn::TransformerDecoderLayer
MakeReferenceDecoder(const ModelConfig& config, const std::vector<at::Tensor>& parameters)
{
    torch::nn::TransformerDecoderLayer layer(
        torch::nn::TransformerDecoderLayerOptions(config.width, config.heads)
            .dim_feedforward(config.feedForward)
            .dropout(0));
    layer->to(parameters[0].scalar_type());
    const torch::NoGradGuard guard;
    auto named = layer->named_parameters();
    for (size_t i = 0; i < DECODER_SLICES.size(); i++)
    {
        const auto& slice = DECODER_SLICES[i];
        Cut(named[slice.name], slice.part, config.width).copy_(parameters[i]);
    }
    return layer;
}

/// Shapes of one decoder block: the decoder's without table and generator.
TensorList
GetDecoderBlockShapes(ModelConfig config)
{
    config.decoderBlocks = 1;
    const auto shapes = GetParameterShapes(config, {false, 0, 0, true});
    return {shapes.begin() + 1, shapes.end() - 2};
}

at::Tensor
MakeNnCausalMask(int64_t length, at::ScalarType type)
{
    return at::full({length, length}, -INFINITY, type).triu_(1);
}

/// The type of totals in LibTorch's reports of memory
using Total = std::conditional_t<(TORCH_VERSION_MAJOR < 2), int64_t, size_t>;

/// Counts the bytes that LibTorch's allocator has given out on this thread.
class AllocationCounter : public c10::MemoryReportingInfoBase
{
  public:
    void reportMemoryUsage(void*, int64_t size, Total, Total, c10::Device) override
    {
        m_bytes += size;
    }

    bool memoryProfilingEnabled() const override
    {
        return true;
    }

    int64_t GetBytes() const
    {
        return m_bytes;
    }

  private:
    int64_t m_bytes{0};
};

/// Bytes that a part with some blocks holds between its passes.
double
MeasureKeptBytes(const ModelConfig& config, uint32_t blocks, uint32_t samples)
{
    const auto backend = CreateObject<TorchBackend>();
    const PartRange range{false, 0, blocks, false};
    const auto part =
        backend->CreatePart(config, range, {}, backend->CreateParameters(config, 1).Gather(range));
    const TensorList input{
        MakeNormal({samples, config.sourceLength, config.width}, 1),
        TensorData::FromVector(DType::UINT8,
                               {samples, config.sourceLength},
                               std::vector<uint8_t>(samples * config.sourceLength))};
    const auto counter = std::make_shared<AllocationCounter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
    part->Forward(0, input);
    return counter->GetBytes();
}

} // namespace

TEST(TorchModules, EncoderBlockEqualsThatOfTorchNn)
{
    const auto config = MakeSmallConfig();
    const int64_t samples = 5;
    const auto parameters =
        MakeRandomParameters(GetParameterShapes(config, {false, 0, 1, false}), 1, at::kDouble);
    auto reference = MakeReferenceEncoder(config, parameters);
    TorchParameterReader reader(parameters);
    const TorchEncoderBlock block(config, reader);

    const auto input = MakeRandom({samples, config.sourceLength, config.width}, 2);
    const auto referenceInput = input.detach().clone().requires_grad_();
    const auto padding = MakeStaircase(samples, config.sourceLength);
    const TorchRows layout(samples, config.sourceLength);
    const auto output =
        block.Forward(input.flatten(0, 1), layout, MakePaddingMask(padding)).view(input.sizes());
    const auto expected =
        reference->forward(referenceInput.transpose(0, 1), {}, padding.to(at::kBool))
            .transpose(0, 1);
    EXPECT_LT(GetError(output, expected), 1e-12);

    const auto gradient = MakeRandom(input.sizes(), 3).detach();
    output.backward(gradient);
    expected.backward(gradient);
    EXPECT_LT(GetError(input.grad(), referenceInput.grad()), 1e-12);
    auto named = reference->named_parameters();
    for (size_t i = 0; i < parameters.size(); i++)
    {
        EXPECT_LT(GetError(parameters[i].grad(), named[ENCODER_NAMES[i]].grad()), 1e-12)
            << ENCODER_NAMES[i];
    }
}

TEST(TorchModules, DecoderBlockEqualsThatOfTorchNn)
{
    const auto config = MakeSmallConfig();
    const int64_t samples = 5;
    const auto parameters = MakeRandomParameters(GetDecoderBlockShapes(config), 1, at::kDouble);
    auto reference = MakeReferenceDecoder(config, parameters);
    TorchParameterReader reader(parameters);
    const TorchDecoderBlock block(config, reader);

    const auto input = MakeRandom({samples, config.targetLength, config.width}, 2);
    const auto memory = MakeRandom({samples, config.sourceLength, config.width}, 3);
    const auto referenceInput = input.detach().clone().requires_grad_();
    const auto referenceMemory = memory.detach().clone().requires_grad_();
    const auto padding = MakeStaircase(samples, config.sourceLength);
    const auto output = block
                            .Forward(input.flatten(0, 1),
                                     TorchRows(samples, config.targetLength),
                                     memory.flatten(0, 1),
                                     TorchRows(samples, config.sourceLength),
                                     MakeCausalMask(config.targetLength),
                                     MakePaddingMask(padding))
                            .view(input.sizes());
    const auto expected = reference
                              ->forward(referenceInput.transpose(0, 1),
                                        referenceMemory.transpose(0, 1),
                                        MakeNnCausalMask(config.targetLength, at::kDouble),
                                        {},
                                        {},
                                        padding.to(at::kBool))
                              .transpose(0, 1);
    EXPECT_LT(GetError(output, expected), 1e-12);

    const auto gradient = MakeRandom(input.sizes(), 4).detach();
    output.backward(gradient);
    expected.backward(gradient);
    EXPECT_LT(GetError(input.grad(), referenceInput.grad()), 1e-12);
    EXPECT_LT(GetError(memory.grad(), referenceMemory.grad()), 1e-12);
    auto named = reference->named_parameters();
    for (size_t i = 0; i < parameters.size(); i++)
    {
        const auto& slice = DECODER_SLICES[i];
        const auto wanted = Cut(named[slice.name].grad(), slice.part, config.width);
        EXPECT_LT(GetError(parameters[i].grad(), wanted), 1e-12) << slice.name << slice.part;
    }
}

TEST(TorchModules, EmbeddingIsScaledAndPositioned)
{
    const auto config = MakeSmallConfig();
    const auto parameters =
        MakeRandomParameters(GetParameterShapes(config, {true, 0, 0, false}), 1, at::kFloat);
    TorchParameterReader reader(parameters);
    const TorchEmbedding embedding(config, reader, config.sourceLength);
    const auto tokens = at::tensor({7, 0, 9, 7}, at::kInt).view({2, 2});
    const auto hidden = embedding.Forward(tokens, TorchRows(2, 2)).view({2, 2, -1});
    const double width = config.width;
    const auto expect = [&](int row, int position, int column) {
        const double rate = std::pow(10000, -(column - column % 2) / width);
        const double encoding = column % 2 ? std::cos(position * rate) : std::sin(position * rate);
        const auto table = parameters[0][tokens[row][position].item<int>()][column].item<double>();
        EXPECT_NEAR(hidden[row][position][column].item<double>(),
                    std::sqrt(width) * table + encoding,
                    1e-6);
    };
    for (int column = 0; column < width; column++)
    {
        expect(0, 0, column);
        expect(0, 1, column);
        expect(1, 1, column);
    }
}

TEST(TorchModules, WholeModelEqualsOneOfTorchNn)
{
    const auto config = MakeSmallConfig();
    const PartRange whole = GetWhole(config);
    const auto samples = MakeSamples(config, 6, 4);
    const auto batch = MakeBatch(config, samples);
    auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, 9);
    UnsplitTrainer trainer(config, {}, parameters);
    const double loss = trainer.Iterate(samples);

    // The same by torch::nn, which puts the sequence first
    const auto tokens = ToTorch(batch.source).to(at::kLong);
    const auto targets = ToTorch(batch.target).to(at::kLong);
    const auto padding = tokens.eq(PAD_TOKEN);
    const auto embed = [&](const at::Tensor& table, const at::Tensor& indices) {
        const TensorList list{FromTorch(at::zeros_like(table))};
        const auto zeros = ToParameters(list);
        TorchParameterReader reader(zeros);
        const auto positions =
            TorchEmbedding(config, reader, indices.size(1))
                .Forward(indices.to(at::kInt), TorchRows(indices.size(0), indices.size(1)))
                .view({indices.size(0), indices.size(1), -1})
                .detach();
        return (F::embedding(indices, table) * std::sqrt(double(config.width)) + positions)
            .transpose(0, 1);
    };
    const auto all = ToParameters(parameters.Gather(whole));
    auto memory = embed(all[0], tokens);
    for (uint32_t i = 0; i < config.encoderBlocks; i++)
    {
        auto layer = MakeReferenceEncoder(config, ToParameters(parameters.blocks[i]));
        memory = layer->forward(memory, {}, padding);
    }
    const size_t decoder = all.size() - parameters.decoder.size();
    auto hidden = embed(all[decoder], targets.slice(1, 0, -1));
    for (uint32_t i = 0; i < config.decoderBlocks; i++)
    {
        const auto first = all.begin() + decoder + 1 + i * DECODER_SLICES.size();
        auto layer = MakeReferenceDecoder(config, {first, first + DECODER_SLICES.size()});
        hidden = layer->forward(hidden,
                                memory,
                                MakeNnCausalMask(config.targetLength, at::kFloat),
                                {},
                                {},
                                padding);
    }
    const auto logits = F::linear(hidden.transpose(0, 1), all[all.size() - 2], all.back());
    const auto expected = F::cross_entropy(
        logits.flatten(0, 1),
        targets.slice(1, 1).flatten(),
        F::CrossEntropyFuncOptions().ignore_index(PAD_TOKEN).reduction(torch::kMean));
    EXPECT_NEAR(loss, expected.item<double>(), 1e-6 * loss);

    expected.backward();
    const auto gradients = trainer.GetGradients();
    for (const size_t i : {size_t(0), decoder, all.size() - 2, all.size() - 1})
    {
        EXPECT_LT(GetRelativeError(gradients[i], FromTorch(all[i].grad())), 1e-5) << i;
    }
}

TEST(TorchModules, MaskedKeysGetNothingAndFullRowsNumbers)
{
    const auto padding = at::tensor({0, 1, 1, 1}, at::kByte).view({2, 2});
    const auto weights = at::add(MakePaddingMask(padding), at::randn({2, 1, 2, 2})).softmax(-1);
    EXPECT_EQ(weights[0][0][0][0].item<float>(), 1);
    EXPECT_EQ(weights[0][0][1][1].item<float>(), 0);
    EXPECT_EQ(weights[1][0][0][0].item<float>(), 0.5);
    const auto causal = at::softmax(MakeCausalMask(3), -1);
    EXPECT_EQ(causal[0][0].item<float>(), 1);
    EXPECT_EQ(causal[1][2].item<float>(), 0);
}

TEST(TorchModules, KeepAsManyBytesAsTheModelSays)
{
    struct Case
    {
        uint32_t width;
        uint32_t heads;
        uint32_t length;
        uint32_t samples;
        ModelHead head{ModelHead::TRANSLATION};
        bool preNorm{false};
        double dropout{0};
    };

    for (const auto& test : {Case{32, 4, 16, 3},
                             Case{64, 2, 40, 4},
                             Case{128, 8, 32, 2},
                             Case{64, 2, 40, 4, ModelHead::TRANSLATION, true, 0.1},
                             Case{32, 4, 48, 3, ModelHead::CLASSIFICATION},
                             Case{64, 4, 40, 2, ModelHead::MASKED_LANGUAGE, false, 0.1}})
    {
        ModelConfig config;
        config.head = test.head;
        config.preNorm = test.preNorm;
        config.dropout = test.dropout;
        config.width = test.width;
        config.heads = test.heads;
        config.feedForward = 4 * test.width;
        config.sourceLength = test.length;
        const double perBlock = (MeasureKeptBytes(config, 3, test.samples) -
                                 MeasureKeptBytes(config, 1, test.samples)) /
                                2;
        const double expected = test.samples * GetSavedActivationBytes(config);
        EXPECT_NEAR(perBlock, expected, 0.01 * expected);
        // A part as a whole: beside its blocks it has the output and the mask
        const double part = MeasureKeptBytes(config, 3, test.samples);
        EXPECT_NEAR(part, 3 * expected, 0.1 * 3 * expected);
    }
}

TEST(TorchSupport, TensorsShareTheirMemory)
{
    auto data = MakeNormal({2, 3}, 1);
    const auto* bytes = data.data.get();
    auto tensor = ToTorch(data);
    data = {};
    EXPECT_EQ(tensor.data_ptr(), bytes);
    const auto back = FromTorch(tensor);
    tensor.reset();
    EXPECT_EQ(back.data.get(), bytes);
    EXPECT_TRUE(AreIdentical({back}, {MakeNormal({2, 3}, 1)}));
}

TEST(TorchSupport, EveryTypeGoesThereAndBack)
{
    for (const auto type :
         {at::kFloat, at::kDouble, at::kInt, at::kByte, at::kHalf, at::kBFloat16, at::kChar})
    {
        const auto tensor = at::arange(6).view({3, 2}).to(type);
        const auto data = FromTorch(tensor.t());
        EXPECT_EQ(data.shape, (std::vector<uint32_t>{2, 3}));
        EXPECT_EQ(data.GetByteSize(), 6 * tensor.element_size());
        EXPECT_TRUE(at::equal(ToTorch(data), tensor.t()));
    }
    EXPECT_TRUE(
        at::equal(ToTorch(TensorData::MakeVirtual(DType::INT32, {2})), at::zeros({2}, at::kInt)));
}

TEST(TorchSupport, MisalignedBytesAreCopied)
{
    const auto values = MakeNormal({3}, 1);
    const auto buffer = std::make_shared<std::vector<uint8_t>>(13);
    std::copy(values.data.get(), values.data.get() + 12, buffer->begin() + 1);
    auto data = values;
    data.data = std::shared_ptr<const uint8_t>(buffer, buffer->data() + 1);
    const auto tensor = ToTorch(data);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 4, 0u);
    EXPECT_TRUE(at::equal(tensor, ToTorch(values)));
}
