/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Split training against unsplit training. Errors are relative, in Euclidean norm per tensor: see
// GetRelativeError().

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-unsplit-trainer.h"

#include <gtest/gtest.h>
#include <numeric>
#include <tuple>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

constexpr double TOLERANCE = 1e-5;

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

TEST(UnsplitTrainer, GradientsAreThoseOfTheLastIteration)
{
    const auto config = MakeSmallConfig();
    const auto samples = MakeSamples(config, 4, 1);
    UnsplitTrainer trainer(config, {}, CreateObject<TorchBackend>()->CreateParameters(config, 1));
    trainer.Iterate(samples);
    const auto gradients = trainer.GetGradients();
    trainer.Iterate(MakeSamples(config, 4, 2));
    EXPECT_FALSE(AreIdentical(trainer.GetGradients(), gradients));
    trainer.Iterate(samples);
    EXPECT_TRUE(AreIdentical(trainer.GetGradients(), gradients));
}

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
