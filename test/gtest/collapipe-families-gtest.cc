/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What families say of themselves: against the sizes that the models' authors publish, and against
// counts made by hand.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-parameter-layout.h"

#include <cmath>
#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

/// A model whose size its authors publish
struct PublishedModel
{
    const char* name;       //!< of the model
    const char* family;     //!< of it
    uint32_t width;         //!< D
    uint32_t blocks;        //!< L
    uint32_t heads;         //!< of queries
    uint32_t keyValueHeads; //!< of keys and values
    uint32_t feedForward;   //!< F
    uint32_t vocabulary;    //!< V
    uint32_t positions;     //!< learnt ones
    bool isTied;            //!< projection and embedding are one table
    bool queryBias;         //!< of Qwen2
    uint64_t parameters;    //!< a shared table counted once
};

const PublishedModel PUBLISHED[] = {
    {"gpt2", "gpt2", 768, 12, 12, 12, 3072, 50257, 1024, true, false, 124439808},
    {"OPT-125M", "opt", 768, 12, 12, 12, 3072, 50272, 2048, true, false, 125239296},
    {"SmolLM2-135M", "llama", 576, 30, 9, 3, 1536, 49152, 0, true, false, 134515008},
    {"SmolLM2-360M", "llama", 960, 32, 15, 5, 2560, 49152, 0, true, false, 361821120},
    {"TinyLlama-1.1B", "llama", 2048, 22, 32, 4, 5632, 32000, 0, false, false, 1100048384},
    {"Qwen2.5-0.5B", "llama", 896, 24, 14, 2, 4864, 151936, 0, true, true, 494032768},
    {"Llama-3.2-1B", "llama", 2048, 16, 32, 8, 8192, 128256, 0, true, false, 1235814400}};

/// @return a language model of these dimensions
ModelConfig
MakeConfig(const PublishedModel& model)
{
    ModelConfig config;
    config.family = model.family;
    config.head = ModelHead::CAUSAL_LANGUAGE;
    config.vocabulary = model.vocabulary;
    config.width = model.width;
    config.heads = model.heads;
    config.keyValueHeads = model.keyValueHeads;
    config.feedForward = model.feedForward;
    config.encoderBlocks = model.blocks;
    config.positions = model.positions;
    config.tiedProjection = model.isTied;
    config.queryBias = model.queryBias;
    config.sourceLength = 128;
    return config;
}

/// @return elements of all parameters, a table that is shared counted once
uint64_t
CountParameters(const ModelConfig& config)
{
    uint64_t count = 0;
    bool hasTied = false;
    for (const auto& place : GetParameterLayout(config, GetWhole(config)))
    {
        count += place.isTied && hasTied ? 0 : place.shape.GetElementCount();
        hasTied |= place.isTied;
    }
    return count;
}

/// @return a small model of a family
ModelConfig
MakeSmall(const std::string& family, ModelHead head = ModelHead::CAUSAL_LANGUAGE)
{
    auto config = MakeSmallConfig();
    config.family = family;
    config.head = head;
    config.keyValueHeads = family == "llama" ? 2 : 0;
    return config;
}

/// @return what one link holds that is trained, elements
uint64_t
CountTrained(const ModelConfig& config, const PartRange& part)
{
    uint64_t count = 0;
    for (const auto& shape : GetParameterShapes(config, part))
    {
        count += shape.GetElementCount();
    }
    return count;
}

} // namespace

TEST(ModelFamilies, HaveAsManyParametersAsTheirAuthorsSay)
{
    for (const auto& model : PUBLISHED)
    {
        EXPECT_EQ(CountParameters(MakeConfig(model)), model.parameters) << model.name;
    }
    // BERT-base without pooler, and its head for masked words: 85.05 M in blocks, 23.84 M before
    auto bert = MakeConfig(PUBLISHED[0]);
    bert.family = "bert";
    bert.head = ModelHead::MASKED_LANGUAGE;
    bert.vocabulary = 30522;
    bert.positions = 512;
    EXPECT_EQ(CountParameters(bert), 109514298U);
    bert.family = "distilbert";
    bert.encoderBlocks = 6;
    EXPECT_EQ(CountParameters(bert), 66985530U);
}

TEST(ModelFamilies, WorkIsThatOfTheMatrixProducts)
{
    // Kaplan et al. 2020: 2 FLOPs per weight and token, and 4 T D for every token's attention
    for (const auto& model : PUBLISHED)
    {
        const auto config = MakeConfig(model);
        double weights = 0;
        for (const auto& place : GetParameterLayout(config, {false, 0, 1, false}))
        {
            const bool isMatrix = place.kind == ParameterKind::MATRIX;
            weights += isMatrix ? static_cast<double>(place.shape.GetElementCount()) : 0;
        }
        const double tokens = config.sourceLength;
        const double products = 2 * weights * tokens;
        const double attention = 4 * tokens * tokens * config.heads * config.GetHeadWidth();
        const auto work = GetWork(config, {false, 0, 1, false});
        EXPECT_DOUBLE_EQ(work.forward, products + attention) << model.name;
        EXPECT_DOUBLE_EQ(work.weightGradient, products) << model.name;
        EXPECT_DOUBLE_EQ(work.inputGradient, products + 2 * attention) << model.name;
        EXPECT_EQ(GetBackwardShare(config, {false, 0, 1, false}), 1) << model.name;
        EXPECT_EQ(GetBackwardShare(config, GetWhole(config)), 1) << model.name;
    }
}

TEST(ModelFamilies, AdaptersAloneAreTrained)
{
    for (const auto& model : PUBLISHED)
    {
        auto config = MakeConfig(model);
        const double full = GetForwardFlops(config, {false, 0, 1, false});
        config.trained = TrainedPart::ADAPTERS;
        config.lora.rank = 8;
        const uint32_t keys = config.GetKeyValueHeads() * config.GetHeadWidth();
        const std::string family = model.family;
        const uint64_t elements =
            family == "gpt2" ? 8 * 4 * config.width : 8 * (2 * config.width + config.width + keys);
        EXPECT_EQ(CountTrained(config, {false, 2, 3, false}), elements) << model.name;
        EXPECT_EQ(CountTrained(config, {true, 0, 0, false}), 0U) << model.name;
        EXPECT_EQ(CountTrained(config, {false, 0, 0, true}), 0U) << model.name;
        const auto work = GetWork(config, {false, 1, 2, false});
        EXPECT_DOUBLE_EQ(work.forward, full + 2.0 * config.sourceLength * elements) << model.name;
        EXPECT_DOUBLE_EQ(work.weightGradient, 2.0 * config.sourceLength * elements) << model.name;
        const double share = GetBackwardShare(config, {false, 1, 2, false});
        EXPECT_GT(share, 0.5) << model.name;
        EXPECT_LT(share, 0.65) << model.name;
        config.lora.freezeA = true;
        EXPECT_LT(CountTrained(config, {false, 2, 3, false}), elements * 0.76) << model.name;
    }
}

TEST(ModelFamilies, NoGradientGoesBelowWhatIsTrained)
{
    for (const char* family : {"gpt2", "llama", "opt"})
    {
        auto config = MakeSmall(family);
        const uint32_t blocks = config.encoderBlocks;
        const PartRange embedding{true, 0, 0, false};
        const PartRange head{false, 0, 0, true};
        EXPECT_TRUE(HasBackward(config, embedding));
        EXPECT_TRUE(GivesGradient(config, {false, 0, 1, false}));
        EXPECT_FALSE(GivesGradient(config, embedding));

        config.trained = TrainedPart::ADAPTERS;
        config.lora.rank = 2;
        EXPECT_FALSE(HasBackward(config, embedding));
        EXPECT_TRUE(HasBackward(config, {false, 0, 1, false}));
        EXPECT_FALSE(GivesGradient(config, {false, 0, 1, false}));
        EXPECT_TRUE(GivesGradient(config, {false, 1, 2, false}));
        EXPECT_TRUE(GivesGradient(config, head));

        config.lora.rank = 0;
        config.trained = TrainedPart::LAST;
        config.trainedBlocks = 1;
        EXPECT_FALSE(HasBackward(config, {false, 0, blocks - 1, false}));
        EXPECT_EQ(GetBackwardShare(config, {false, 0, blocks - 1, false}), 0);
        EXPECT_TRUE(HasBackward(config, {false, blocks - 1, blocks, false}));
        EXPECT_FALSE(GivesGradient(config, {false, blocks - 1, blocks, false}));
        EXPECT_TRUE(GivesGradient(config, head));

        config.edgeBlocks = 1; // the last block is the edge server's now
        EXPECT_FALSE(HasBackward(config, {false, blocks - 1, blocks, false}));
        EXPECT_TRUE(HasBackward(config, head));
        EXPECT_FALSE(GivesGradient(config, head));

        config.trained = TrainedPart::HEAD;
        config.trainedBlocks = 0;
        EXPECT_TRUE(HasBackward(config, head));
        EXPECT_FALSE(GivesGradient(config, head));
        EXPECT_EQ(CountTrained(config, {false, 0, blocks, false}), 0U);
    }
}

TEST(ModelFamilies, RefuseInOneSentenceWhatDoesNotFit)
{
    const auto expect = [](ModelConfig config, const std::string& word) {
        const auto fault = config.Check();
        EXPECT_NE(fault.find(word), fault.npos) << "'" << fault << "' lacks '" << word << "'";
        EXPECT_EQ(fault.find('\n'), fault.npos);
    };
    EXPECT_EQ(MakeSmall("gpt2").Check(), "");
    EXPECT_EQ(MakeSmall("llama").Check(), "");
    auto config = MakeSmall("llama");
    config.keyValueHeads = 3;
    expect(config, "keys and values");
    config = MakeSmall("gpt2");
    config.positions = 5;
    expect(config, "positions");
    config = MakeSmall("gpt2");
    config.activation = "swish";
    expect(config, "gelu_new");
    config = MakeSmall("mamba");
    expect(config, "mamba");
    config = MakeSmall("gpt2", ModelHead::TRANSLATION);
    expect(config, "task");
    config = MakeSmall("gpt2");
    config.trained = TrainedPart::ADAPTERS;
    expect(config, "rank");
    config.lora.rank = 4;
    config.lora.targets = {"q_proj"};
    expect(config, "c_attn");
    config.lora.targets = {"c_attn", "c_fc"};
    EXPECT_EQ(config.Check(), "");
    config.trained = TrainedPart::LAST;
    config.trainedBlocks = 2;
    expect(config, "Adapters");
    config.lora.rank = 0;
    config.trainedBlocks = 9;
    expect(config, "at most");
}

TEST(FrozenWeights, AreHeldAsTheyAreToldTo)
{
    auto config = MakeSmall("llama");
    config.trained = TrainedPart::ADAPTERS;
    config.lora.rank = 2;
    const PartRange block{false, 1, 2, false};
    uint64_t matrices = 0;
    uint64_t rows = 0;
    uint64_t others = 0;
    for (const auto& place : GetParameterLayout(config, block))
    {
        const bool isMatrix = place.kind == ParameterKind::MATRIX;
        matrices += isMatrix ? place.shape.GetElementCount() : 0;
        rows += isMatrix ? place.shape.shape[0] : 0;
        others += !isMatrix && !place.isTrained ? place.shape.GetElementCount() : 0;
    }
    EXPECT_EQ(GetFrozenBytes(config, block), 4 * (matrices + others));
    config.base = DType::BFLOAT16;
    EXPECT_EQ(GetFrozenBytes(config, block), 2 * matrices + 4 * others);
    config.base = DType::FLOAT16;
    EXPECT_EQ(GetFrozenBytes(config, block), 2 * matrices + 4 * others);
    config.base = DType::INT8;
    EXPECT_EQ(GetFrozenBytes(config, block), matrices + 4 * rows + 4 * others);
}

TEST(FrozenWeights, ComeBackWithinTheirPrecision)
{
    const auto tensor = MakeNormal({7, 31}, 3);
    const std::pair<DType, double> cases[] = {{DType::FLOAT32, 0},
                                              {DType::FLOAT16, 1e-3},
                                              {DType::BFLOAT16, 4e-3},
                                              {DType::INT8, 1e-2}};
    for (const auto& [base, tolerance] : cases)
    {
        const auto stored = StoreTensor(tensor, true, base);
        EXPECT_EQ(stored.values.dtype, base);
        const double error = GetRelativeError(LoadTensor(stored), tensor);
        EXPECT_LE(error, tolerance);
        EXPECT_TRUE(base == DType::FLOAT32 || error > tolerance / 30);
        EXPECT_EQ(StoreTensor(tensor, false, base).values.dtype, DType::FLOAT32);
    }
    // Every row has a scale of its own: a large one does not swallow the others
    auto values = std::vector<float>{1e-3F, -2e-3F, 500.0F, 127.0F};
    const auto rows = TensorData::FromVector(DType::FLOAT32, {2, 2}, std::move(values));
    const auto back = LoadTensor(StoreTensor(rows, true, DType::INT8));
    EXPECT_NEAR(back.As<float>()[0], 1e-3, 1e-5);
    EXPECT_NEAR(back.As<float>()[1], -2e-3, 1e-8);
    EXPECT_NEAR(back.As<float>()[3], 127, 2);
}

TEST(SampleForm, NextTokensAreLabelled)
{
    auto config = MakeSmall("gpt2");
    config.sourceLength = 6;
    config.special.pad = -1;
    Sample sample;
    sample.source = {5, 0, 7, 8};
    auto batch = MakeBatch(config, std::vector<Sample>{sample});
    const auto row = [](const TensorData& tensor) {
        const auto* values = tensor.As<int32_t>();
        return std::vector<int32_t>(values, values + tensor.GetElementCount());
    };
    EXPECT_EQ(row(batch.source), (std::vector<int32_t>{5, 0, 7, 8, -1, -1}));
    EXPECT_EQ(row(batch.target), (std::vector<int32_t>{BEGIN_TOKEN, 0, 7, 8, -1, -1, -1}));
    EXPECT_EQ(batch.labelTokens, 3U);
    sample.target = {-100, -100, 7, 8}; // a prompt of two tokens
    config.padLeft = true;
    batch = MakeBatch(config, std::vector<Sample>{sample});
    EXPECT_EQ(row(batch.source), (std::vector<int32_t>{-1, -1, 5, 0, 7, 8}));
    EXPECT_EQ(row(batch.target), (std::vector<int32_t>{BEGIN_TOKEN, -1, -1, -1, 7, 8, -1}));
    EXPECT_EQ(batch.labelTokens, 2U);
    sample.source.resize(9, 4);
    sample.target.clear();
    batch = MakeBatch(config, std::vector<Sample>{sample});
    EXPECT_EQ(row(batch.source), (std::vector<int32_t>{5, 0, 7, 8, 4, 4})); // cut, no end token
    EXPECT_EQ(batch.labelTokens, 5U);
}
