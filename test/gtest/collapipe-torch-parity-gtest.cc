/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Split training against unsplit training, and the Torch backend against its contract. Errors are
// relative, in Euclidean norm per tensor: see GetRelativeError().

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-analytic-backend.h"
#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/object-factory.h"

#include <gtest/gtest.h>
#include <numeric>
#include <thread>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

constexpr double TOLERANCE = 1e-5;

OptimizerConfig
MakeSgd(double momentum)
{
    OptimizerConfig optimizer;
    optimizer.name = "sgd";
    optimizer.learningRate = 0.05;
    optimizer.momentum = momentum;
    return optimizer;
}

/// Cuts the chain of embedding, blocks and decoder at random places.
std::vector<PartRange>
CutAtRandom(const ModelConfig& config, size_t segments, std::mt19937& random)
{
    const uint32_t links = config.encoderBlocks + 2;
    std::vector<uint32_t> cuts(links - 1);
    std::iota(cuts.begin(), cuts.end(), 1);
    std::shuffle(cuts.begin(), cuts.end(), random);
    cuts.resize(segments - 1);
    cuts.push_back(links);
    std::sort(cuts.begin(), cuts.end());
    std::vector<PartRange> parts;
    uint32_t begin = 0;
    for (const uint32_t end : cuts)
    {
        PartRange part;
        part.embedding = begin == 0;
        part.decoder = end == links;
        part.firstBlock = std::max(begin, 1u) - 1;
        part.lastBlock = std::min(end, links - 1) - 1;
        parts.push_back(part);
        begin = end;
    }
    return parts;
}

/// A chain of parts that computes an iteration as a pipeline would.
class Chain
{
  public:
    Chain(const ModelConfig& config,
          const std::vector<PartRange>& ranges,
          const OptimizerConfig& optimizer,
          const ModelParameters& parameters)
        : m_config(config)
    {
        for (const auto& range : ranges)
        {
            m_parts.push_back(
                m_backend->CreatePart(config, range, optimizer, parameters.Gather(range)));
        }
    }

    /// All micro-batches forward, then all backward.
    double Iterate(const std::vector<Sample>& samples, size_t microBatches)
    {
        const auto normaliser = MakeNormaliser(MakeBatch(m_config, samples).labelTokens);
        const size_t size = samples.size() / microBatches;
        double loss = 0;
        for (size_t i = 0; i < microBatches; i++)
        {
            const auto begin = samples.begin() + i * size;
            loss += Forward(i, {begin, begin + size}, normaliser);
        }
        for (size_t i = 0; i < microBatches; i++)
        {
            TensorList gradient;
            for (auto part = m_parts.rbegin(); part != m_parts.rend(); part++)
            {
                gradient = (*part)->Backward(i, gradient);
            }
            EXPECT_TRUE(gradient.empty());
        }
        return loss;
    }

    void Step()
    {
        for (const auto& part : m_parts)
        {
            part->Step();
        }
    }

    TensorList GetGradients() const
    {
        return Join([](const ModelPart& part) { return part.ExportGradients(); });
    }

    TensorList GetParameters() const
    {
        return Join([](const ModelPart& part) { return part.ExportParameters(false); });
    }

  private:
    double Forward(size_t microBatch,
                   const std::vector<Sample>& samples,
                   const TensorData& normaliser)
    {
        const auto batch = MakeBatch(m_config, samples);
        TensorList activation{batch.source};
        for (const auto& part : m_parts)
        {
            if (part == m_parts.back())
            {
                activation.push_back(batch.target);
                activation.push_back(normaliser);
            }
            activation = part->Forward(microBatch, activation);
        }
        return *activation[0].As<double>();
    }

    template <typename Getter>
    TensorList Join(Getter get) const
    {
        TensorList joined;
        for (const auto& part : m_parts)
        {
            const auto list = get(*part);
            joined.insert(joined.end(), list.begin(), list.end());
        }
        return joined;
    }

    ModelConfig m_config;
    Ptr<TorchBackend> m_backend{CreateObject<TorchBackend>()};
    std::vector<std::unique_ptr<ModelPart>> m_parts;
};

/// Number of segments and of micro-batches
class SplitTraining : public ::testing::TestWithParam<std::tuple<size_t, size_t>>
{
};

std::string
NameSplit(const ::testing::TestParamInfo<SplitTraining::ParamType>& info)
{
    return std::to_string(std::get<0>(info.param)) + "Segments" +
           std::to_string(std::get<1>(info.param)) + "MicroBatches";
}

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

/// Input of Forward() for any part, with bytes.
TensorList
MakeInput(const ModelConfig& config, const PartRange& part, uint32_t samples, uint32_t seed)
{
    const auto batch = MakeBatch(config, MakeSamples(config, samples, seed));
    std::vector<uint8_t> padding(samples * config.sourceLength);
    for (size_t i = 0; i < padding.size(); i++)
    {
        padding[i] = batch.source.As<int32_t>()[i] == PAD_TOKEN;
    }
    TensorList input{batch.source};
    if (!part.embedding)
    {
        input = {MakeNormal({samples, config.sourceLength, config.width}, seed),
                 TensorData::FromVector(DType::UINT8,
                                        {samples, config.sourceLength},
                                        std::move(padding))};
    }
    if (part.decoder)
    {
        input.push_back(batch.target);
        input.push_back(MakeNormaliser(batch.labelTokens));
    }
    return input;
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

TEST_P(SplitTraining, GradientsEqualThoseOfTheUnsplitModel)
{
    const auto [segments, microBatches] = GetParam();
    const auto config = MakeSmallConfig();
    const uint32_t seed = 100 * segments + microBatches;
    std::mt19937 random(seed);
    const size_t size = 1 + random() % 3;
    const auto samples = MakeSamples(config, microBatches * size, seed);
    const auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, seed);

    UnsplitTrainer unsplit(config, MakeSgd(0), parameters);
    Chain chain(config, CutAtRandom(config, segments, random), MakeSgd(0), parameters);
    const double loss = unsplit.Iterate(samples);
    EXPECT_NEAR(chain.Iterate(samples, microBatches), loss, 1e-6 * loss);
    EXPECT_LT(GetRelativeError(chain.GetGradients(), unsplit.GetGradients()), TOLERANCE);

    unsplit.Step();
    chain.Step();
    const auto after = unsplit.GetParameters().Gather(GetWhole(config));
    EXPECT_LT(GetRelativeError(chain.GetParameters(), after), TOLERANCE);
    EXPECT_GT(GetRelativeError(after, parameters.Gather(GetWhole(config))), 100 * TOLERANCE);
    for (const auto& gradient : chain.GetGradients())
    {
        const auto* values = gradient.As<float>();
        EXPECT_EQ(std::count(values, values + gradient.GetElementCount(), 0.0f),
                  static_cast<long>(gradient.GetElementCount()));
    }
}

INSTANTIATE_TEST_SUITE_P(Parity,
                         SplitTraining,
                         ::testing::Combine(::testing::Range<size_t>(1, 7),
                                            ::testing::Range<size_t>(1, 9)),
                         NameSplit);

TEST(TorchBackend, TrainingLowersTheLoss)
{
    const auto config = MakeSmallConfig();
    const auto samples = MakeSamples(config, 12, 5);
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, 5);
    Chain chain(config, {{true, 0, 2, false}, {false, 2, 4, true}}, {}, parameters);
    UnsplitTrainer unsplit(config, {}, parameters);
    double loss = chain.Iterate(samples, 3);
    // Nothing has been learnt: about the entropy of the uniform distribution
    EXPECT_NEAR(loss, std::log(config.vocabulary), 1);
    EXPECT_NEAR(backend->Evaluate(config, parameters, samples).loss, loss, 1e-5);
    for (int i = 0; i < 150; i++)
    {
        chain.Step();
        loss = chain.Iterate(samples, 3);
        unsplit.Iterate(samples);
        unsplit.Step();
    }
    EXPECT_LT(loss, 0.5);
    EXPECT_NEAR(unsplit.Iterate(samples), loss, 0.1);
    const auto learnt = backend->Evaluate(config, unsplit.GetParameters(), samples);
    EXPECT_NEAR(learnt.loss, unsplit.Iterate(samples), 1e-5);
    EXPECT_EQ(learnt.labelTokens, MakeBatch(config, samples).labelTokens);
}

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

TEST(TorchBackend, MorePaddingChangesNothing)
{
    const auto config = MakeSmallConfig();
    auto wide = config;
    wide.sourceLength += 7;
    wide.targetLength += 5;
    auto samples = MakeSamples(config, 6, 12);
    for (auto& sample : samples)
    {
        sample.source.resize(std::min<size_t>(sample.source.size(), config.sourceLength));
        sample.target.resize(std::min<size_t>(sample.target.size(), config.targetLength));
    }
    const auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, 4);
    UnsplitTrainer narrowTrainer(config, {}, parameters);
    UnsplitTrainer wideTrainer(wide, {}, parameters);
    EXPECT_NEAR(narrowTrainer.Iterate(samples), wideTrainer.Iterate(samples), 1e-6);
    EXPECT_LT(GetRelativeError(wideTrainer.GetGradients(), narrowTrainer.GetGradients()),
              TOLERANCE);
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
