/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEARNING_GTEST_H
#define COLLAPIPE_LEARNING_GTEST_H

#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-sample-form.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace testing
{

/// @return a model small enough to train in milliseconds, with no two extents alike
inline ModelConfig
MakeSmallConfig()
{
    ModelConfig config;
    config.vocabulary = 37;
    config.width = 16;
    config.heads = 4;
    config.feedForward = 24;
    config.encoderBlocks = 4;
    config.decoderBlocks = 2;
    config.sourceLength = 11;
    config.targetLength = 9;
    return config;
}

/**
 * @param config a model
 * @return all of it
 */
inline PartRange
GetWhole(const ModelConfig& config)
{
    return {true, 0, config.encoderBlocks, true};
}

/**
 * @param length tokens wanted
 * @param vocabulary where they are from
 * @param random where randomness comes from
 * @return ordinary tokens, the last one END_TOKEN
 */
inline std::vector<int32_t>
MakeTokens(size_t length, uint32_t vocabulary, std::mt19937& random)
{
    std::uniform_int_distribution<int32_t> token(END_TOKEN + 1, vocabulary - 1);
    std::vector<int32_t> tokens(length);
    std::generate(tokens.begin(), tokens.end(), [&] { return token(random); });
    tokens.back() = END_TOKEN;
    return tokens;
}

/**
 * @param config a model
 * @param count how many
 * @param seed of the randomness
 * @return samples of random lengths, some too long for the model
 */
inline std::vector<Sample>
MakeSamples(const ModelConfig& config, size_t count, uint32_t seed)
{
    std::mt19937 random(seed);
    std::uniform_int_distribution<size_t> source(1, config.sourceLength + 2);
    std::uniform_int_distribution<size_t> target(1, config.targetLength + 2);
    std::vector<Sample> samples(count);
    for (auto& sample : samples)
    {
        sample.source = MakeTokens(source(random), config.vocabulary, random);
        sample.target = MakeTokens(target(random), config.vocabulary, random);
    }
    return samples;
}

/**
 * @param shape its extents
 * @param seed of the randomness
 * @return a float32 tensor of standard normal values
 */
inline TensorData
MakeNormal(const std::vector<uint32_t>& shape, uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(TensorData::MakeVirtual(DType::FLOAT32, shape).GetElementCount());
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return TensorData::FromVector(DType::FLOAT32, shape, std::move(values));
}

/**
 * @param value the number of label tokens of an iteration
 * @return what a decoder's input ends with
 */
inline TensorData
MakeNormaliser(uint64_t value)
{
    return TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{float(value)});
}

/**
 * @param momentum of the optimizer
 * @return stochastic gradient descent
 */
inline OptimizerConfig
MakeSgd(double momentum)
{
    OptimizerConfig optimizer;
    optimizer.name = "sgd";
    optimizer.learningRate = 0.05;
    optimizer.momentum = momentum;
    return optimizer;
}

/**
 * @param config a model
 * @param part a run of it
 * @param samples b
 * @param seed of the randomness
 * @return what the part's forward pass takes, with bytes
 */
inline TensorList
MakeInput(const ModelConfig& config, const PartRange& part, uint32_t samples, uint32_t seed)
{
    auto texts = MakeSamples(config, samples, seed);
    for (auto& text : texts)
    {
        if (IsLanguageModel(config))
        {
            text.target.clear(); // all that follows the first token
        }
    }
    const auto batch = MakeBatch(config, texts);
    std::vector<uint8_t> padding(samples * config.sourceLength);
    for (size_t i = 0; i < padding.size(); i++)
    {
        padding[i] = IsPadding(config, batch.source.As<int32_t>()[i]);
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

/**
 * @param a tensors
 * @param b tensors
 * @return whether types and shapes are the same
 */
inline bool
HaveEqualShapes(const TensorList& a, const TensorList& b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.dtype == y.dtype && x.shape == y.shape;
    });
}

/**
 * @param a tensors with bytes
 * @param b tensors with bytes
 * @return whether types, shapes and all bytes are the same
 */
inline bool
AreIdentical(const TensorList& a, const TensorList& b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.dtype == y.dtype && x.shape == y.shape &&
               std::equal(x.data.get(), x.data.get() + x.GetByteSize(), y.data.get());
    });
}

/**
 * @param actual a float32 tensor
 * @param expected another of its shape
 * @return the Euclidean norm of the difference over that of the expected tensor, in float64; the
 *         norm of the difference where the expected tensor is zero
 */
inline double
GetRelativeError(const TensorData& actual, const TensorData& expected)
{
    double difference = 0;
    double norm = 0;
    for (uint64_t i = 0; i < expected.GetElementCount(); i++)
    {
        const double value = expected.As<float>()[i];
        difference += std::pow(actual.As<float>()[i] - value, 2);
        norm += value * value;
    }
    return std::sqrt(norm > 0 ? difference / norm : difference);
}

/**
 * @param actual tensors
 * @param expected as many of the same shapes
 * @return the largest GetRelativeError()
 */
inline double
GetRelativeError(const TensorList& actual, const TensorList& expected)
{
    double worst = HaveEqualShapes(actual, expected) ? 0 : INFINITY;
    for (size_t i = 0; i < expected.size() && std::isfinite(worst); i++)
    {
        const double error = GetRelativeError(actual[i], expected[i]);
        worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
    }
    return worst;
}

/**
 * @param config a model
 * @return every part that it has
 */
inline std::vector<PartRange>
GetAllParts(const ModelConfig& config)
{
    const uint32_t blocks = config.encoderBlocks;
    std::vector<PartRange> parts{{true, 0, 0, false}, {false, 0, 0, true}, {true, 0, blocks, true}};
    for (uint32_t first = 0; first < blocks; first++)
    {
        for (uint32_t last = first + 1; last <= blocks; last++)
        {
            parts.push_back({false, first, last, false});
        }
        parts.push_back({true, 0, first + 1, false});
        parts.push_back({false, first, blocks, true});
    }
    return parts;
}

} // namespace testing
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LEARNING_GTEST_H */
