/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Decoder-only families and what is trained of them: cut into parts against unsplit, with and
// without what should change nothing, and the memory that they take against what is planned.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-parameter-layout.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-unsplit-trainer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

constexpr double TOLERANCE = 1e-5;

/// @return a small model of a family, and what is trained of it
ModelConfig
MakeFamilyConfig(const std::string& family, const std::string& trained)
{
    auto config = MakeSmallConfig();
    config.family = family;
    config.head = ModelHead::CAUSAL_LANGUAGE;
    config.keyValueHeads = family == "llama" ? 2 : 0;
    config.tiedProjection = trained != "untied";
    config.special.pad = -1;
    if (family == "bert" || family == "distilbert")
    {
        config.head = ModelHead::MASKED_LANGUAGE;
        config.special.pad = PAD_TOKEN;
    }
    if (trained == "lora" || trained == "ffa")
    {
        config.trained = TrainedPart::ADAPTERS;
        config.lora.rank = 3;
        config.lora.freezeA = trained == "ffa";
        config.lora.dropout = 0.2;
    }
    if (trained == "last")
    {
        config.trained = TrainedPart::LAST;
        config.trainedBlocks = 2;
    }
    if (trained == "head")
    {
        config.trained = TrainedPart::HEAD;
    }
    return config;
}

/// @return samples that the model takes
std::vector<Sample>
MakeTexts(const ModelConfig& config, size_t count, uint32_t seed)
{
    auto samples = MakeSamples(config, count, seed);
    for (auto& sample : samples)
    {
        sample.target.clear();
        sample.source.resize(std::max<size_t>(sample.source.size(), 2), END_TOKEN);
        sample.label =
            static_cast<int32_t>(sample.source[0]) % static_cast<int32_t>(config.classes);
    }
    return samples;
}

/// Makes a model's parameters; adapters' B, which are zero at first, get values, too.
ModelParameters
CreateModel(ModelConfig& config, uint32_t seed)
{
    auto all = CreateObject<TorchBackend>()->CreateParameters(config, seed);
    const auto whole = GetWhole(config);
    auto list = all.Gather(whole);
    const auto layout = GetParameterLayout(config, whole);
    for (size_t i = 0; i < layout.size(); i++)
    {
        if (layout[i].kind == ParameterKind::ADAPTER_UP)
        {
            // Of the size of other weights, or they would swallow these
            const auto normal = MakeNormal(layout[i].shape.shape, seed + i);
            std::vector<float> values(normal.As<float>(),
                                      normal.As<float>() + normal.GetElementCount());
            for (auto& value : values)
            {
                value *= 0.1F;
            }
            list[i] = TensorData::FromVector(DType::FLOAT32, normal.shape, std::move(values));
        }
    }
    all.Scatter(whole, list);
    return FreezeParameters(config, all);
}

/// Parts of a chain, computed one after the other
class Chain
{
  public:
    Chain(const ModelConfig& config,
          const std::vector<uint32_t>& cuts,
          const OptimizerConfig& optimizer,
          const ModelParameters& parameters)
        : m_config(config)
    {
        const auto backend = CreateObject<TorchBackend>();
        std::vector<PartRange> ranges{{true, 0, 0, false}};
        uint32_t first = 0;
        for (const auto cut : cuts)
        {
            ranges.push_back({false, first, cut, false});
            first = cut;
        }
        ranges.push_back({false, first, config.encoderBlocks, true});
        for (const auto& range : ranges)
        {
            m_parts.push_back(
                backend->CreatePart(config, range, optimizer, parameters.Gather(range)));
            m_hasBackward.push_back(HasBackward(config, range));
        }
    }

    /// @return the loss of an iteration of micro-batches of two
    double Iterate(const std::vector<Sample>& samples)
    {
        const TrainingPosition position{0, m_steps};
        double loss = 0;
        std::vector<const Sample*> all;
        for (const auto& sample : samples)
        {
            all.push_back(&sample);
        }
        const auto labels = CountLabelTokens(m_config, all);
        for (uint32_t i = 0; 2 * i < samples.size(); i++)
        {
            const std::vector<const Sample*> few(all.begin() + 2 * i, all.begin() + 2 * i + 2);
            const auto batch = MakeBatch(m_config, few, position, 2 * i);
            TensorList tensors{batch.source};
            for (auto& part : m_parts)
            {
                if (part == m_parts.back())
                {
                    tensors.push_back(batch.target);
                    tensors.push_back(MakeNormaliser(labels));
                }
                tensors = part->Forward(i, tensors);
            }
            loss += *tensors[0].As<double>();
            tensors.clear();
            for (size_t p = m_parts.size(); p-- > 0 && m_hasBackward[p];)
            {
                tensors = m_parts[p]->Backward(i, tensors);
            }
            EXPECT_TRUE(tensors.empty());
        }
        const auto first = m_parts.front()->ExportTiedGradient();
        const auto last = m_parts.back()->ExportTiedGradient();
        EXPECT_EQ(first.size(), last.size());
        if (!first.empty())
        {
            m_parts.front()->JoinTiedGradients(first, last);
            m_parts.back()->JoinTiedGradients(last, first);
        }
        return loss;
    }

    void Step()
    {
        ++m_steps;
        for (auto& part : m_parts)
        {
            part->Step();
        }
    }

    TensorList GetParameters() const
    {
        TensorList list;
        for (const auto& part : m_parts)
        {
            const auto own = part->ExportParameters(false);
            list.insert(list.end(), own.begin(), own.end());
        }
        return list;
    }

    TensorList GetGradients() const
    {
        TensorList list;
        for (const auto& part : m_parts)
        {
            const auto own = part->ExportGradients();
            list.insert(list.end(), own.begin(), own.end());
        }
        return list;
    }

  private:
    ModelConfig m_config;
    std::vector<std::unique_ptr<ModelPart>> m_parts;
    std::vector<bool> m_hasBackward;
    uint64_t m_steps{0};
};

/// Family, and what is trained
class FamilyTraining : public ::testing::TestWithParam<std::tuple<std::string, std::string>>
{
};

} // namespace

TEST_P(FamilyTraining, CutAnywhereIsThatOfTheUnsplitModel)
{
    const auto& [family, trained] = GetParam();
    auto config = MakeFamilyConfig(family, trained);
    config.dropout = 0.1;
    const auto samples = MakeTexts(config, 6, 3);
    const auto parameters = CreateModel(config, 5);
    OptimizerConfig optimizer;
    optimizer.epsilon = 1e-3; // else rounding decides where a gradient is rounding only
    UnsplitTrainer unsplit(config, optimizer, parameters);
    Chain chain(config, {1, 3}, optimizer, parameters);
    const auto before = parameters.Gather(GetWhole(config));
    for (int i = 0; i < 3; i++)
    {
        const double loss = unsplit.Iterate(samples);
        EXPECT_NEAR(chain.Iterate(samples), loss, 1e-5 * loss);
        EXPECT_LT(GetRelativeError(chain.GetGradients(), unsplit.GetGradients()), TOLERANCE);
        unsplit.Step();
        chain.Step();
    }
    const auto after = unsplit.GetParameters().Gather(GetWhole(config));
    EXPECT_LT(GetRelativeError(chain.GetParameters(), after), TOLERANCE);
    EXPECT_GT(GetRelativeError(after, before), 100 * TOLERANCE);
}

TEST_P(FamilyTraining, PaddingChangesNothingOnEitherSide)
{
    const auto& [family, trained] = GetParam();
    auto config = MakeFamilyConfig(family, trained);
    config.lora.dropout = 0;
    config.positions = 40;
    auto texts = MakeTexts(config, 6, 4);
    for (auto& text : texts) // so that a longer model reads no more of them
    {
        text.source.resize(std::min<size_t>(text.source.size(), config.sourceLength - 1));
    }
    const auto parameters = CreateModel(config, 6);
    UnsplitTrainer usual(config, MakeSgd(0), parameters);
    const double loss = usual.Iterate(texts);
    for (const bool padLeft : {false, true})
    {
        for (const bool skipPadding : {false, true})
        {
            auto other = config;
            other.padLeft = padLeft;
            other.skipPadding = skipPadding;
            other.sourceLength += 5;
            UnsplitTrainer trainer(other, MakeSgd(0), parameters);
            EXPECT_NEAR(trainer.Iterate(texts), loss, 1e-5 * loss) << padLeft << skipPadding;
            EXPECT_LT(GetRelativeError(trainer.GetGradients(), usual.GetGradients()), TOLERANCE)
                << padLeft << skipPadding;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Torch,
    FamilyTraining,
    ::testing::Combine(::testing::Values("gpt2", "opt", "llama", "bert", "distilbert"),
                       ::testing::Values("all", "untied", "lora", "ffa", "last", "head")),
    [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

TEST(TorchFamilies, BlocksMayLieOnTheEdgeServer)
{
    for (const char* family : {"gpt2", "llama"})
    {
        auto config = MakeFamilyConfig(family, "all");
        config.dropout = 0.2;
        const auto samples = MakeTexts(config, 4, 8);
        const auto parameters = CreateModel(config, 2);
        UnsplitTrainer all(config, MakeSgd(0), parameters);
        const double loss = all.Iterate(samples);
        for (uint32_t blocks = 1; blocks <= 2; blocks++)
        {
            auto other = config;
            other.encoderBlocks -= blocks;
            other.edgeBlocks = blocks;
            const auto own = CreateModel(other, 2);
            EXPECT_TRUE(
                AreIdentical(own.Gather(GetWhole(other)), parameters.Gather(GetWhole(config))))
                << "initial weights go by the block, not by its holder";
            UnsplitTrainer trainer(other, MakeSgd(0), own);
            EXPECT_NEAR(trainer.Iterate(samples), loss, 1e-6 * loss);
            EXPECT_LT(GetRelativeError(trainer.GetGradients(), all.GetGradients()), TOLERANCE);
        }
    }
}

TEST(TorchFamilies, ATableThatIsSharedStaysOne)
{
    for (const char* family : {"gpt2", "llama", "bert"})
    {
        auto config = MakeFamilyConfig(family, "all");
        const auto samples = MakeTexts(config, 4, 9);
        UnsplitTrainer trainer(config, OptimizerConfig(), CreateModel(config, 3));
        for (int i = 0; i < 4; i++)
        {
            trainer.Iterate(samples);
            trainer.Step();
        }
        const auto parameters = trainer.GetParameters();
        const auto layout = GetParameterLayout(config, {false, 0, 0, true});
        size_t copies = 0;
        for (size_t i = 0; i < layout.size(); i++)
        {
            if (layout[i].isTied)
            {
                copies++;
                EXPECT_TRUE(AreIdentical({parameters.decoder[i]}, {parameters.embedding[0]}));
            }
        }
        EXPECT_EQ(copies, 1U);
    }
}

TEST(TorchFamilies, AdaptersAddWhatTheyShould)
{
    // W + alpha / r B A in W's place gives the same
    for (const char* family : {"gpt2", "llama", "bert"})
    {
        auto config = MakeFamilyConfig(family, "lora");
        config.lora.dropout = 0;
        const auto samples = MakeTexts(config, 4, 10);
        const auto trained = CreateModel(config, 4);
        const auto whole = GetWhole(config);
        const auto all = JoinParameters(config, trained).Gather(whole);
        auto plain = config;
        plain.lora = LoraConfig();
        plain.trained = TrainedPart::ALL;
        const auto layout = GetParameterLayout(config, whole);
        TensorList merged;
        for (size_t i = 0; i < layout.size(); i++)
        {
            const auto kind = layout[i].kind;
            if (kind != ParameterKind::ADAPTER_DOWN && kind != ParameterKind::ADAPTER_UP)
            {
                merged.push_back(all[i]);
                continue;
            }
            if (kind == ParameterKind::ADAPTER_DOWN)
            {
                continue;
            }
            // The matrix is two back where it has a bias, past the adapters before this one
            size_t matrix = merged.size() - 1;
            while (merged[matrix].shape.size() < 2)
            {
                matrix--;
            }
            const auto& weight = merged[matrix];
            const auto& down = all[i - 1];
            const auto& up = all[i];
            const uint64_t columns = weight.shape[1];
            std::vector<float> values(weight.As<float>(),
                                      weight.As<float>() + weight.GetElementCount());
            for (uint64_t row = 0; row < up.shape[0]; row++)
            {
                for (uint64_t column = 0; column < columns; column++)
                {
                    double sum = 0;
                    for (uint64_t r = 0; r < config.lora.rank; r++)
                    {
                        sum += double(up.As<float>()[row * config.lora.rank + r]) *
                               down.As<float>()[r * columns + column];
                    }
                    values[(layout[i].firstRow + row) * columns + column] +=
                        static_cast<float>(config.lora.alpha / config.lora.rank * sum);
                }
            }
            merged[matrix] =
                TensorData::FromVector(DType::FLOAT32, weight.shape, std::move(values));
        }
        ModelParameters parameters = CreateModel(plain, 1);
        parameters.Scatter(whole, merged);
        const double loss = UnsplitTrainer(config, MakeSgd(0), trained).Iterate(samples);
        EXPECT_NEAR(UnsplitTrainer(plain, MakeSgd(0), parameters).Iterate(samples),
                    loss,
                    1e-5 * loss)
            << family;
    }
}

TEST(TorchFamilies, AdaptersBeginAsIfTheyWereNotThere)
{
    auto config = MakeFamilyConfig("llama", "lora");
    auto plain = MakeFamilyConfig("llama", "all");
    const auto samples = MakeTexts(config, 4, 11);
    const auto backend = CreateObject<TorchBackend>();
    const auto all = backend->CreateParameters(config, 7);
    const auto trained = FreezeParameters(config, all);
    EXPECT_EQ(
        UnsplitTrainer(config, MakeSgd(0), trained).Iterate(samples),
        UnsplitTrainer(plain, MakeSgd(0), backend->CreateParameters(plain, 7)).Iterate(samples));
}

TEST(TorchFamilies, LessPreciseWeightsComputeWhatTheyHold)
{
    for (const auto base : {DType::FLOAT16, DType::BFLOAT16, DType::INT8})
    {
        auto config = MakeFamilyConfig("llama", "lora");
        config.base = base;
        const auto samples = MakeTexts(config, 4, 12);
        const auto trained = CreateModel(config, 8);
        // The same values in float32
        auto wide = config;
        const auto all = JoinParameters(config, trained);
        wide.base = DType::FLOAT32;
        const auto same = FreezeParameters(wide, all);
        UnsplitTrainer narrowTrainer(config, MakeSgd(0), trained);
        UnsplitTrainer wideTrainer(wide, MakeSgd(0), same);
        const double loss = wideTrainer.Iterate(samples);
        EXPECT_NEAR(narrowTrainer.Iterate(samples), loss, 1e-6 * loss);
        EXPECT_LT(GetRelativeError(narrowTrainer.GetGradients(), wideTrainer.GetGradients()),
                  TOLERANCE);
    }
}

TEST(TorchFamilies, DecoderOnlyModelsClassifyByTheirLastToken)
{
    for (const char* family : {"gpt2", "llama"})
    {
        auto config = MakeFamilyConfig(family, "all");
        config.head = ModelHead::CLASSIFICATION;
        config.classes = 3;
        auto samples = MakeTexts(config, 12, 13);
        const auto backend = CreateObject<TorchBackend>();
        UnsplitTrainer trainer(config, OptimizerConfig(), CreateModel(config, 9));
        for (int i = 0; i < 150; i++)
        {
            trainer.Iterate(samples);
            trainer.Step();
        }
        const auto classes = backend->Classify(config, trainer.GetParameters(), samples);
        for (size_t i = 0; i < samples.size(); i++)
        {
            EXPECT_EQ(classes[i], samples[i].label);
            // What comes before changes the class, what is padding does not
            auto longer = config;
            longer.padLeft = true;
            EXPECT_EQ(backend->Classify(longer, trainer.GetParameters(), {samples[i]}).front(),
                      classes[i]);
        }
    }
}

TEST(TorchFamilies, KeepAsMuchMemoryAsIsPlanned)
{
    std::mt19937 random(11);
    for (const char* family : {"gpt2", "opt", "llama", "bert"})
    {
        for (const char* trained : {"all", "lora", "ffa"})
        {
            for (const double dropout : {0.0, 0.1})
            {
                auto config = MakeFamilyConfig(family, trained);
                config.heads = 4;
                config.keyValueHeads = config.keyValueHeads > 0 ? 2 : 0;
                config.width = 8 * config.heads * (1 + random() % 3);
                config.feedForward = 16 + random() % 200;
                config.sourceLength = 8 + random() % 40;
                config.encoderBlocks = 4;
                const bool isGated = family == std::string("llama");
                config.activation = dropout > 0 && !isGated ? "silu" : ""; // or its own
                config.dropout = dropout;
                config.lora.dropout = dropout;
                const uint32_t size = 1 + random() % 5;
                const PartRange range{false, 1, 4, false};
                const auto parameters = CreateModel(config, 1);
                const auto backend = CreateObject<TorchBackend>();
                auto part = backend->CreatePart(config, range, {}, parameters.Gather(range));
                std::vector<uint8_t> padding(size * config.sourceLength);
                part->Forward(0,
                              {MakeNormal({size, config.sourceLength, config.width}, 2),
                               TensorData::FromVector(DType::UINT8,
                                                      {size, config.sourceLength},
                                                      std::move(padding))});
                const double planned = size * 3 * GetSavedActivationBytes(config);
                const auto kept = part->GetMemory().kept;
                EXPECT_NEAR(kept.Get(MemoryKind::ACTIVATIONS), planned, 0.03 * planned)
                    << family << ", " << trained << ", dropout " << dropout;
                EXPECT_EQ(kept.Get(MemoryKind::PARAMETERS),
                          GetByteSize(GetParameterShapes(config, range)) +
                              GetFrozenBytes(config, range));
            }
        }
    }
}

TEST(TorchFamilies, BelowWhatIsTrainedNothingIsKept)
{
    auto config = MakeFamilyConfig("llama", "last");
    const auto parameters = CreateModel(config, 1);
    const PartRange range{false, 0, 2, false};
    const auto backend = CreateObject<TorchBackend>();
    auto part = backend->CreatePart(config, range, {}, parameters.Gather(range));
    part->Forward(0, MakeInput(config, range, 3, 1));
    EXPECT_EQ(part->GetMemory().kept.Get(MemoryKind::ACTIVATIONS), 0U);
    EXPECT_EQ(part->GetMemory().kept.Get(MemoryKind::PARAMETERS), GetFrozenBytes(config, range));
}
