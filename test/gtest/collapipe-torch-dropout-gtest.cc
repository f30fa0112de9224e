/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Dropout's statistics and its independence of order and padding; rows without padding; the
// optimizer against LibTorch's; beam search against a search of everything.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-torch-beam-search.h"
#include "ns3/collapipe-torch-compat.h"
#include "ns3/collapipe-torch-layers.h"
#include "ns3/collapipe-torch-optimizer.h"
#include "ns3/collapipe-torch-support.h"
#include "ns3/collapipe-unsplit-trainer.h"

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

/// [b,T] uint8 with random ends of padding, none without a word
at::Tensor
MakeRandomPadding(int64_t samples, int64_t length, std::mt19937& random)
{
    auto padding = at::zeros({samples, length}, at::kByte);
    for (int64_t i = 0; i < samples; i++)
    {
        padding[i].slice(0, 1 + random() % length).fill_(1);
    }
    return padding;
}

/// All translations up to some length with their log-probabilities, by the training path
void
ListTranslations(const TorchLayers& layers,
                 const ModelConfig& config,
                 const Batch& batch,
                 std::vector<int32_t> prefix,
                 int64_t length,
                 std::vector<std::pair<double, std::vector<int32_t>>>& all)
{
    const auto tokens = ToTorch(batch.source);
    const auto padding = MakePadding(tokens);
    const TorchRows layout(padding, true, 0);
    const auto memory = layers.Encode(layers.Embed(tokens, layout), layout, padding);
    for (int32_t token = END_TOKEN; token < int32_t(config.vocabulary); token++)
    {
        auto longer = prefix;
        longer.push_back(token);
        const bool isFull = int64_t(longer.size()) == length;
        if (token != END_TOKEN && !isFull)
        {
            ListTranslations(layers, config, batch, longer, length, all);
            continue;
        }
        auto target = at::zeros({1, int64_t(config.targetLength) + 1}, at::kInt);
        target[0][0] = int32_t{BEGIN_TOKEN};
        for (size_t i = 0; i < longer.size(); i++)
        {
            target[0][i + 1] = longer[i];
        }
        const auto loss =
            layers.Decode(memory, layout, padding, target, TorchDropout()).item<double>();
        all.emplace_back(-loss, longer);
    }
}

/// Trains a step with and without rows for padding, with every head
void
CompareWithoutPadding(bool padLeft)
{
    for (const auto head :
         {ModelHead::TRANSLATION, ModelHead::CLASSIFICATION, ModelHead::MASKED_LANGUAGE})
    {
        auto config = MakeSmallConfig();
        config.head = head;
        config.padLeft = padLeft;
        config.dropout = 0.2;
        config.labelSmoothing = 0.1;
        config.preNorm = head == ModelHead::CLASSIFICATION;
        config.tiedProjection = head == ModelHead::TRANSLATION;
        auto skipping = config;
        skipping.skipPadding = true;
        auto samples = MakeSamples(config, 6, 8);
        for (size_t i = 0; i < samples.size(); i++)
        {
            samples[i].label = i % 2;
        }
        const auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, 4);
        UnsplitTrainer full(config, MakeSgd(0), parameters, {3, 0});
        UnsplitTrainer packed(skipping, MakeSgd(0), parameters, {3, 0});
        const double loss = full.Iterate(samples);
        EXPECT_NEAR(packed.Iterate(samples), loss, 1e-6 * loss);
        EXPECT_LT(
            GetRelativeError(FromTorch(at::cat({ToTorch(packed.GetGradients()[0]).flatten()})),
                             FromTorch(ToTorch(full.GetGradients()[0]).flatten())),
            1e-5);
        const auto a = packed.GetGradients();
        const auto b = full.GetGradients();
        for (size_t i = 0; i < a.size(); i++)
        {
            const double norm = ToTorch(b[i]).norm().item<double>();
            EXPECT_LT((ToTorch(a[i]) - ToTorch(b[i])).norm().item<double>(), 1e-5 * norm + 1e-7)
                << i;
        }
    }
}

} // namespace

TEST(TorchDropout, DropsTheShareThatItShouldAndKeepsTheMean)
{
    const TorchRows layout(20, 30);
    for (const double rate : {0.1, 0.3, 0.75})
    {
        const auto result =
            TorchDropout(rate, 5).Apply(at::ones({600, 257}), layout, TorchDropout::ATTENTION);
        const double count = 600.0 * 257;
        const double dropped = result.eq(0).sum().item<int64_t>() / count;
        EXPECT_NEAR(dropped, rate, 4 * std::sqrt(rate * (1 - rate) / count));
        EXPECT_NEAR(result.mean().item<double>(), 1, 4 * std::sqrt(rate / (1 - rate) / count));
        // Neighbouring columns and rows are independent
        const auto lost = result.eq(0).to(at::kFloat);
        const auto columns = (lost.slice(1, 1) * lost.slice(1, 0, -1)).mean().item<double>();
        const auto rows = (lost.slice(0, 1) * lost.slice(0, 0, -1)).mean().item<double>();
        EXPECT_NEAR(columns, rate * rate, 0.01);
        EXPECT_NEAR(rows, rate * rate, 0.01);
    }
}

TEST(TorchDropout, GoesByNameAndNotByOrder)
{
    const TorchDropout dropout(0.5, 9);
    const auto run = [&](const TorchDropout& d, const TorchRows& layout, TorchDropout::Site site) {
        return d.Apply(at::ones({layout.GetCount(), 16}), layout, site);
    };
    const TorchRows all(4, 5);
    const auto whole = run(dropout, all, TorchDropout::ATTENTION);
    EXPECT_TRUE(at::equal(run(dropout, all, TorchDropout::ATTENTION), whole));
    // The third sample alone, as a micro-batch of its own
    EXPECT_TRUE(at::equal(run(dropout, TorchRows(1, 5, 2), TorchDropout::ATTENTION),
                          whole.slice(0, 10, 15)));
    // Only words, in the order of the grid
    std::mt19937 random(3);
    const auto padding = MakeRandomPadding(4, 5, random);
    const TorchRows words(padding, true, 0);
    EXPECT_TRUE(at::equal(run(dropout, words, TorchDropout::ATTENTION),
                          words.Pack(whole.view({4, 5, 16}))));
    // Other places, links and keys: something else
    EXPECT_FALSE(at::equal(run(dropout, all, TorchDropout::FEED_FORWARD), whole));
    EXPECT_FALSE(at::equal(run(dropout.At(1), all, TorchDropout::ATTENTION), whole));
    EXPECT_FALSE(at::equal(run(TorchDropout(0.5, 8), all, TorchDropout::ATTENTION), whole));
    // Words that padding on the left precedes, in columns that are left out
    const TorchRows right(at::tensor({1, 1, 0, 0, 0, 1, 1, 1, 0, 0}, at::kByte).view({2, 5}),
                          true,
                          0);
    EXPECT_EQ(right.GetFirst(), 2);
    EXPECT_EQ(right.GetLength(), 3);
    EXPECT_TRUE(at::equal(run(dropout, right, TorchDropout::ATTENTION),
                          right.Pack(whole.slice(0, 0, 10).view({2, 5, 16}))));
    // Weights of attention: whatever the number of keys
    const auto weights = dropout.ApplyToProbabilities(at::ones({3, 2, 6, 6}), 0);
    EXPECT_TRUE(at::equal(dropout.ApplyToProbabilities(at::ones({3, 2, 4, 4}), 0),
                          weights.slice(2, 0, 4).slice(3, 0, 4)));
    EXPECT_TRUE(
        at::equal(dropout.ApplyToProbabilities(at::ones({1, 2, 6, 6}), 2), weights.slice(0, 2)));
    EXPECT_TRUE(at::equal(dropout.ApplyToProbabilities(at::ones({3, 2, 4, 4}), 0, 2),
                          weights.slice(2, 2).slice(3, 2)));
}

TEST(TorchRows, PackAndSpreadAreInvertible)
{
    std::mt19937 random(1);
    for (int trial = 0; trial < 20; trial++)
    {
        const int64_t samples = 1 + random() % 5;
        const int64_t length = 1 + random() % 9;
        const auto padding = MakeRandomPadding(samples, length, random);
        const TorchRows layout(padding, true, 0);
        const auto grid = at::randn({samples, length, 3});
        const auto rows = layout.Pack(grid);
        EXPECT_EQ(rows.size(0), padding.eq(0).sum().item<int64_t>());
        const auto words = padding.eq(0).unsqueeze(2).to(at::kFloat);
        EXPECT_TRUE(at::equal(layout.Unpack(rows), grid * words));
        EXPECT_TRUE(at::equal(layout.Collect(layout.Spread(rows)), rows));
        const auto first = layout.GetFirst();
        EXPECT_TRUE(
            at::equal(layout.Trim(padding), padding.slice(1, first, first + layout.GetLength())));
        EXPECT_EQ(layout.Trim(padding).eq(0).sum().item<int64_t>(), rows.size(0));
    }
}

TEST(TorchRows, SkippingPaddingChangesNothingOnEitherSide)
{
    for (const bool padLeft : {false, true})
    {
        CompareWithoutPadding(padLeft);
    }
}

TEST(TorchEmbedding, ATranslatorsTextsMayBePaddedOnTheLeft)
{
    auto config = MakeSmallConfig();
    config.labelSmoothing = 0.1;
    const auto backend = CreateObject<TorchBackend>();
    const auto parameters = backend->CreateParameters(config, 4);
    const auto samples = MakeSamples(config, 6, 8);
    UnsplitTrainer right(config, MakeSgd(0), parameters);
    const double loss = right.Iterate(samples);
    const auto texts = backend->Translate(config, parameters, samples, {2, 0.6});
    config.padLeft = true;
    for (const bool skipPadding : {false, true})
    {
        config.skipPadding = skipPadding;
        UnsplitTrainer left(config, MakeSgd(0), parameters);
        EXPECT_NEAR(left.Iterate(samples), loss, 1e-6 * loss);
        EXPECT_LT(GetRelativeError(left.GetGradients(), right.GetGradients()), 1e-5);
        EXPECT_EQ(backend->Translate(config, parameters, samples, {2, 0.6}), texts);
    }
}

TEST(TorchOptimizer, StepsAsLibTorchDoes)
{
    for (const std::string name : {"adam", "sgd"})
    {
        for (const double momentum : {0.0, 0.9})
        {
            OptimizerConfig config;
            config.name = name;
            config.momentum = momentum;
            config.learningRate = 0.02;
            const auto initial = at::randn({37, 5});
            const auto parameter = initial.clone().requires_grad_();
            const auto reference = initial.clone().requires_grad_();
            TorchOptimizer optimizer(config, {parameter});
            torch::optim::Adam adam(std::vector<at::Tensor>{reference},
                                    torch::optim::AdamOptions(0.02).betas({0.9, 0.98}).eps(1e-9));
            torch::optim::SGD sgd(std::vector<at::Tensor>{reference},
                                  torch::optim::SGDOptions(0.02).momentum(momentum));
            for (int step = 0; step < 12; step++)
            {
                const auto gradient = at::randn({37, 5});
                parameter.mutable_grad() = gradient.clone();
                reference.mutable_grad() = gradient.clone();
                optimizer.Step();
                name == "adam" ? adam.step() : sgd.step();
            }
            const auto moved = (reference - initial).norm().item<double>();
            EXPECT_GT(moved, 0.1);
            EXPECT_LT((parameter - reference).norm().item<double>(), 1e-5 * moved);
        }
    }
}

TEST(TorchBeamSearch, FindsWhatASearchOfEverythingFinds)
{
    auto config = MakeSmallConfig();
    config.vocabulary = 8;
    config.targetLength = 3;
    config.skipPadding = true;
    const torch::NoGradGuard guard;
    const auto samples = MakeSamples(config, 8, 21);
    const auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, 2);
    std::vector<at::Tensor> tensors;
    for (const auto& tensor : parameters.Gather(GetWhole(config)))
    {
        tensors.push_back(2 * ToTorch(tensor)); // sharper
    }
    const TorchLayers layers(config, GetWhole(config), tensors);
    const auto& decoder = dynamic_cast<const TorchDecoder&>(layers.GetHead());
    for (const double lengthPenalty : {0.0, 1.0})
    {
        for (const auto& sample : samples)
        {
            const auto batch = MakeBatch(config, std::vector<Sample>{sample});
            std::vector<std::pair<double, std::vector<int32_t>>> all;
            ListTranslations(layers, config, batch, {}, config.targetLength, all);
            const auto getWorth = [&](const auto& entry) {
                return entry.first / std::pow((5.0 + entry.second.size()) / 6, lengthPenalty);
            };
            const auto best =
                std::max_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
                    return getWorth(a) < getWorth(b);
                });
            const auto tokens = ToTorch(batch.source);
            const auto padding = MakePadding(tokens);
            const TorchRows layout(padding, true, 0);
            const auto memory = layers.Encode(layers.Embed(tokens, layout), layout, padding);
            // As wide as there are prefixes of two tokens: nothing gets lost
            TorchBeamSearch search(decoder, {30, lengthPenalty}, config.targetLength);
            const auto found = search.Run(memory, layout, padding).front();
            double foundWorth = -INFINITY;
            for (const auto& entry : all)
            {
                foundWorth = entry.second == found ? getWorth(entry) : foundWorth;
            }
            EXPECT_NEAR(foundWorth, getWorth(*best), 1e-4);
        }
    }
}

TEST(TorchBeamSearch, BatchesAndGreedyAgreeWithStepByStep)
{
    auto config = MakeSmallConfig();
    config.preNorm = true;
    config.tiedProjection = true;
    const auto backend = CreateObject<TorchBackend>();
    const auto samples = MakeSamples(config, 40, 5);
    const auto parameters = backend->CreateParameters(config, 6);
    for (const uint32_t beam : {1, 3})
    {
        const auto together = backend->Translate(config, parameters, samples, {beam, 0.6});
        for (size_t i = 0; i < samples.size(); i += 7)
        {
            const auto alone = backend->Translate(config, parameters, {samples[i]}, {beam, 0.6});
            EXPECT_EQ(alone.front(), together[i]);
            EXPECT_LE(alone.front().size(), config.targetLength);
        }
    }
}
