/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// BERT against a plain implementation of Devlin et al. 2019 in float64 and loops: losses, and, by
// differences along random directions, gradients. Masking against its definition.

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-parameter-layout.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-unsplit-trainer.h"

#include <gtest/gtest.h>
#include <map>
#include <tuple>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;

/// Parameters in float64, handed out in chain order
class PlainParameters
{
  public:
    explicit PlainParameters(const std::vector<Vector>& values)
        : m_values(&values)
    {
    }

    const Vector& Next()
    {
        return m_values->at(m_next++);
    }

  private:
    const std::vector<Vector>* m_values;
    std::size_t m_next{0};
};

Rows
PlainLinear(PlainParameters& parameters, const Rows& input, std::size_t outputs)
{
    const auto& weight = parameters.Next();
    const auto& bias = parameters.Next();
    Rows output;
    for (const auto& row : input)
    {
        Vector result(bias);
        for (std::size_t o = 0; o < outputs; ++o)
        {
            for (std::size_t i = 0; i < row.size(); ++i)
            {
                result[o] += weight[o * row.size() + i] * row[i];
            }
        }
        output.push_back(result);
    }
    return output;
}

Rows
PlainNorm(PlainParameters& parameters, const Rows& input)
{
    const auto& weight = parameters.Next();
    const auto& bias = parameters.Next();
    Rows output;
    for (const auto& row : input)
    {
        double mean = 0;
        double square = 0;
        for (const double x : row)
        {
            mean += x / row.size();
        }
        for (const double x : row)
        {
            square += (x - mean) * (x - mean) / row.size();
        }
        Vector result;
        for (std::size_t i = 0; i < row.size(); ++i)
        {
            result.push_back((row[i] - mean) / std::sqrt(square + 1e-5) * weight[i] + bias[i]);
        }
        output.push_back(result);
    }
    return output;
}

double
PlainGelu(double x)
{
    return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
}

Vector
PlainSoftmax(Vector scores)
{
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (auto& score : scores)
    {
        score = std::exp(score - largest);
        sum += score;
    }
    for (auto& score : scores)
    {
        score /= sum;
    }
    return scores;
}

/// One text at a time, without padding at all
class PlainBert
{
  public:
    PlainBert(const ModelConfig& config, const std::vector<Vector>& values)
        : m_config(config),
          m_parameters(values)
    {
    }

    /// Sum of the cross-entropies of the labels.
    double GetLoss(const int32_t* tokens, const int32_t* labels)
    {
        auto rows = Embed(tokens);
        for (uint32_t block = 0; block < m_config.encoderBlocks; ++block)
        {
            rows = RunBlock(rows);
        }
        if (m_config.preNorm)
        {
            rows = PlainNorm(m_parameters, rows);
        }
        return m_config.head == ModelHead::CLASSIFICATION ? Classify(rows, labels)
                                                          : PredictMasked(rows, labels);
    }

  private:
    Rows Embed(const int32_t* tokens)
    {
        const auto& table = m_parameters.Next();
        const auto& positions = m_parameters.Next();
        const auto& segments = m_parameters.Next();
        const std::size_t width = m_config.width;
        Rows rows;
        int segment = 0;
        for (uint32_t t = 0; t < m_config.sourceLength && tokens[t] != PAD_TOKEN; ++t)
        {
            Vector row(width);
            for (std::size_t i = 0; i < width; ++i)
            {
                row[i] = table[tokens[t] * width + i] + positions[t * width + i] +
                         segments[segment * width + i];
            }
            rows.push_back(row);
            segment = tokens[t] == END_TOKEN ? 1 : segment;
        }
        return PlainNorm(m_parameters, rows);
    }

    Rows Attend(const Rows& input)
    {
        const std::size_t width = m_config.width;
        const std::size_t headWidth = width / m_config.heads;
        const auto projected = PlainLinear(m_parameters, input, 3 * width);
        Rows attended(input.size(), Vector(width));
        for (std::size_t head = 0; head < m_config.heads; ++head)
        {
            const std::size_t first = head * headWidth;
            for (std::size_t q = 0; q < input.size(); ++q)
            {
                Vector scores(input.size());
                for (std::size_t k = 0; k < input.size(); ++k)
                {
                    for (std::size_t i = first; i < first + headWidth; ++i)
                    {
                        scores[k] += projected[q][i] * projected[k][width + i];
                    }
                    scores[k] /= std::sqrt(double(headWidth));
                }
                const auto weights = PlainSoftmax(scores);
                for (std::size_t k = 0; k < input.size(); ++k)
                {
                    for (std::size_t i = first; i < first + headWidth; ++i)
                    {
                        attended[q][i] += weights[k] * projected[k][2 * width + i];
                    }
                }
            }
        }
        return PlainLinear(m_parameters, attended, width);
    }

    Rows FeedForward(const Rows& input)
    {
        auto inner = PlainLinear(m_parameters, input, m_config.feedForward);
        for (auto& row : inner)
        {
            std::transform(row.begin(), row.end(), row.begin(), PlainGelu);
        }
        return PlainLinear(m_parameters, inner, m_config.width);
    }

    static Rows Add(Rows a, const Rows& b)
    {
        for (std::size_t r = 0; r < a.size(); ++r)
        {
            for (std::size_t i = 0; i < a[r].size(); ++i)
            {
                a[r][i] += b[r][i];
            }
        }
        return a;
    }

    /// The norms' parameters come last: the layers' are skipped over to read them first.
    Rows RunBlock(const Rows& input)
    {
        PlainParameters norms(m_parameters);
        for (int i = 0; i < 8; ++i)
        {
            norms.Next();
        }
        Rows output;
        if (m_config.preNorm)
        {
            const auto attended = Add(Attend(PlainNorm(norms, input)), input);
            output = Add(FeedForward(PlainNorm(norms, attended)), attended);
        }
        else
        {
            const auto attended = PlainNorm(norms, Add(Attend(input), input));
            output = PlainNorm(norms, Add(FeedForward(attended), attended));
        }
        m_parameters = norms;
        return output;
    }

    double Classify(const Rows& rows, const int32_t* labels)
    {
        auto pooled = PlainLinear(m_parameters, {rows.front()}, m_config.width);
        for (auto& x : pooled[0])
        {
            x = std::tanh(x);
        }
        const auto logits = PlainLinear(m_parameters, pooled, m_config.classes);
        return labels[0] == PAD_TOKEN ? 0 : -std::log(PlainSoftmax(logits[0])[labels[0] - 1]);
    }

    double PredictMasked(const Rows& rows, const int32_t* labels)
    {
        auto transformed = PlainLinear(m_parameters, rows, m_config.width);
        for (auto& row : transformed)
        {
            std::transform(row.begin(), row.end(), row.begin(), PlainGelu);
        }
        transformed = PlainNorm(m_parameters, transformed);
        const auto logits = PlainLinear(m_parameters, transformed, m_config.vocabulary);
        double loss = 0;
        for (std::size_t t = 0; t < rows.size(); ++t)
        {
            loss -= labels[t] == PAD_TOKEN ? 0 : std::log(PlainSoftmax(logits[t])[labels[t]]);
        }
        return loss;
    }

    ModelConfig m_config;
    PlainParameters m_parameters;
};

ModelConfig
MakeBertConfig(ModelHead head, bool preNorm)
{
    auto config = MakeSmallConfig();
    config.head = head;
    config.preNorm = preNorm;
    config.classes = 3;
    config.encoderBlocks = 2;
    return config;
}

std::vector<Sample>
MakeBertSamples(const ModelConfig& config, std::size_t count, uint32_t seed)
{
    ModelConfig text(config);
    text.vocabulary -= 1; // [MASK] is in no text
    auto samples = MakeSamples(text, count, seed);
    for (std::size_t i = 0; i < count; ++i)
    {
        auto& tokens = samples[i].source;
        if (i % 3 == 0 && tokens.size() > 3)
        {
            tokens[tokens.size() / 2] = END_TOKEN; // two texts
        }
        samples[i].label = static_cast<int32_t>((seed + i) % config.classes);
    }
    return samples;
}

double
GetPlainLoss(const ModelConfig& config,
             const std::vector<Vector>& values,
             const std::vector<Sample>& samples)
{
    const auto batch = MakeBatch(config, samples);
    double sum = 0;
    for (std::size_t i = 0; i < samples.size(); ++i)
    {
        sum += PlainBert(config, values)
                   .GetLoss(batch.source.As<int32_t>() + i * config.sourceLength,
                            batch.target.As<int32_t>() + i * (config.GetLabelLength() + 1) + 1);
    }
    return sum / batch.labelTokens;
}

/// Random values for all parameters, so that none goes untested
ModelParameters
MakeBertParameters(const ModelConfig& config, uint32_t seed)
{
    auto parameters = CreateObject<TorchBackend>()->CreateParameters(config, seed);
    auto list = parameters.Gather(GetWhole(config));
    for (auto& tensor : list)
    {
        auto values = MakeNormal(tensor.shape, ++seed);
        auto* bytes = const_cast<float*>(values.As<float>());
        std::for_each(bytes, bytes + values.GetElementCount(), [](float& x) { x *= 0.4F; });
        tensor = values;
    }
    parameters.Scatter(GetWhole(config), list);
    return parameters;
}

std::vector<Vector>
ToPlain(const TensorList& list)
{
    std::vector<Vector> values;
    for (const auto& tensor : list)
    {
        values.emplace_back(tensor.As<float>(), tensor.As<float>() + tensor.GetElementCount());
    }
    return values;
}

} // namespace

class Bert : public ::testing::TestWithParam<std::tuple<ModelHead, bool, bool>>
{
};

TEST_P(Bert, LossAndGradientsEqualThoseOfAPlainImplementation)
{
    const auto [head, preNorm, skipPadding] = GetParam();
    auto config = MakeBertConfig(head, preNorm);
    config.skipPadding = skipPadding;
    const auto samples = MakeBertSamples(config, 7, 5);
    const auto parameters = MakeBertParameters(config, 11);
    const auto values = ToPlain(parameters.Gather(GetWhole(config)));
    UnsplitTrainer trainer(config, MakeSgd(0), parameters);
    const double loss = trainer.Iterate(samples);
    EXPECT_NEAR(loss, GetPlainLoss(config, values, samples), 2e-5 * loss);

    const auto gradients = ToPlain(trainer.GetGradients());
    std::mt19937 random(17);
    std::normal_distribution<double> normal;
    const double step = 1e-6;
    for (std::size_t t = 0; t < values.size(); ++t)
    {
        auto ahead = values;
        auto behind = values;
        double expected = 0;
        double scale = 1e-3;
        for (std::size_t i = 0; i < values[t].size(); ++i)
        {
            const double direction = normal(random);
            ahead[t][i] += step * direction;
            behind[t][i] -= step * direction;
            expected += gradients[t][i] * direction;
            scale += std::abs(gradients[t][i] * direction);
        }
        const double slope =
            (GetPlainLoss(config, ahead, samples) - GetPlainLoss(config, behind, samples)) /
            (2 * step);
        EXPECT_NEAR(slope, expected, 1e-4 * scale) << "parameter " << t;
    }
}

INSTANTIATE_TEST_SUITE_P(Heads,
                         Bert,
                         ::testing::Combine(::testing::Values(ModelHead::CLASSIFICATION,
                                                              ModelHead::MASKED_LANGUAGE),
                                            ::testing::Bool(),
                                            ::testing::Bool()));

TEST(BertMasking, FollowsItsDefinition)
{
    auto config = MakeBertConfig(ModelHead::MASKED_LANGUAGE, false);
    config.vocabulary = 1000;
    config.sourceLength = 42;
    ModelConfig text(config);
    text.vocabulary = 999;
    std::mt19937 random(1);
    std::map<std::string, double> counts;
    double masked = 0;
    for (uint32_t i = 0; i < 400; ++i)
    {
        Sample sample;
        sample.source = MakeTokens(41, text.vocabulary, random);
        const auto batch = MakeBatch(config, {sample}, {7, i});
        const auto* tokens = batch.source.As<int32_t>();
        const auto* labels = batch.target.As<int32_t>() + 1;
        EXPECT_EQ(tokens[0], BEGIN_TOKEN);
        EXPECT_EQ(tokens[41], END_TOKEN);
        EXPECT_EQ(batch.labelTokens, CountMaskedTokens(40));
        EXPECT_EQ(labels[0], PAD_TOKEN);
        EXPECT_EQ(labels[41], PAD_TOKEN);
        uint64_t found = 0;
        for (std::size_t t = 1; t <= 40; ++t)
        {
            const int32_t original = sample.source[t - 1];
            if (labels[t] == PAD_TOKEN)
            {
                EXPECT_EQ(tokens[t], original);
                continue;
            }
            EXPECT_EQ(labels[t], original);
            ++found;
            ++masked;
            ++counts[tokens[t] == 999 ? "mask" : tokens[t] == original ? "same" : "random"];
        }
        EXPECT_EQ(found, batch.labelTokens);
    }
    EXPECT_EQ(masked, 400 * 6); // 15 % of 40
    // Three standard deviations of a binomial distribution
    EXPECT_NEAR(counts["mask"] / masked, 0.8, 3 * std::sqrt(0.8 * 0.2 / masked));
    EXPECT_NEAR(counts["same"] / masked, 0.1, 3 * std::sqrt(0.1 * 0.9 / masked) + 0.001);
    EXPECT_NEAR(counts["random"] / masked, 0.1, 3 * std::sqrt(0.1 * 0.9 / masked) + 0.001);
}

TEST(BertMasking, GoesByThePlaceInTheTraining)
{
    const auto config = MakeBertConfig(ModelHead::MASKED_LANGUAGE, false);
    const auto samples = MakeBertSamples(config, 6, 3);
    std::vector<const Sample*> pointers;
    for (const auto& sample : samples)
    {
        pointers.push_back(&sample);
    }
    const auto whole = MakeBatch(config, pointers, {1, 2});
    // Cut into micro-batches, it is masked as in one
    const auto second = MakeBatch(config, {pointers.begin() + 3, pointers.end()}, {1, 2}, 3);
    EXPECT_TRUE(std::equal(second.source.As<int32_t>(),
                           second.source.As<int32_t>() + second.source.GetElementCount(),
                           whole.source.As<int32_t>() + 3 * config.sourceLength));
    const auto later = MakeBatch(config, pointers, {1, 3});
    EXPECT_FALSE(AreIdentical({later.source}, {whole.source}));
    EXPECT_TRUE(AreIdentical({MakeBatch(config, pointers, {1, 2}).source}, {whole.source}));
}

TEST(BertLearning, LearnsToTellTwoLanguagesApart)
{
    // Two languages that share their words' letters: even tokens and odd ones, one in five wrong
    auto config = MakeBertConfig(ModelHead::CLASSIFICATION, false);
    config.classes = 2;
    config.dropout = 0.1;
    config.skipPadding = true;
    std::mt19937 random(2);
    const auto make = [&](std::size_t count) {
        std::vector<Sample> samples(count);
        for (auto& sample : samples)
        {
            sample.label = random() % 2;
            for (int i = 0; i < 8; ++i)
            {
                const int32_t noise = random() % 5 == 0;
                sample.source.push_back(4 + 2 * (random() % 14) + (sample.label ^ noise));
            }
            sample.source.push_back(END_TOKEN);
        }
        return samples;
    };
    const auto backend = CreateObject<TorchBackend>();
    OptimizerConfig optimizer;
    optimizer.learningRate = 3e-3;
    optimizer.warmupSteps = 20;
    UnsplitTrainer trainer(config, optimizer, backend->CreateParameters(config, 1));
    for (int i = 0; i < 150; ++i)
    {
        trainer.Iterate(make(16));
        trainer.Step();
    }
    const auto test = make(300);
    const auto classes = backend->Classify(config, trainer.GetParameters(), test);
    std::size_t right = 0;
    for (std::size_t i = 0; i < test.size(); ++i)
    {
        right += classes[i] == test[i].label;
    }
    EXPECT_GT(right,
              0.9 * test.size()); // a majority vote is right in 94 % (binomial, half of ties)
}
