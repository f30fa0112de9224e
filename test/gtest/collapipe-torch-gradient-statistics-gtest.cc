/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What stages tell of their gradients, and what the edge server makes of it.
 */

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-gradient-statistics.h"
#include "ns3/collapipe-learning-monitor.h"
#include "ns3/collapipe-torch-backend.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

double
GetSquares(const float* values, std::size_t count)
{
    return std::inner_product(values, values + count, values, 0.0);
}

double
GetSquares(const TensorList& tensors)
{
    double sum = 0;
    for (const auto& tensor : tensors)
    {
        sum += GetSquares(tensor.As<float>(), tensor.GetElementCount());
    }
    return sum;
}

/// @return random tensors of the shapes of a model's parameters
TensorList
MakeRandom(const ModelConfig& config, const PartRange& part, uint32_t seed)
{
    TensorList list;
    for (const auto& shape : GetParameterShapes(config, part))
    {
        list.push_back(MakeNormal(shape.shape, seed++ * 977 + 13));
    }
    return list;
}

} // namespace

TEST(GradientSketch, KeepsSquaredNorms)
{
    // Of many random vectors, most of whose elements are small: mean 1, deviation sqrt(2 / 256).
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    double sum = 0;
    double squares = 0;
    constexpr int VECTORS = 400;
    for (int i = 0; i < VECTORS; i++)
    {
        std::vector<float> values(3000);
        for (auto& value : values)
        {
            value = normal(random) * (random() % 50 == 0 ? 10 : 1);
        }
        std::vector<float> sketch(SKETCH_SIZE);
        AddToSketch(values.data(), values.size(), 0, sketch.data());
        const double ratio =
            GetSquares(sketch.data(), sketch.size()) / GetSquares(values.data(), values.size());
        sum += ratio;
        squares += ratio * ratio;
    }
    const double mean = sum / VECTORS;
    const double deviation = std::sqrt(squares / VECTORS - mean * mean);
    EXPECT_NEAR(mean, 1, 4 * std::sqrt(2.0 / SKETCH_SIZE / VECTORS));
    EXPECT_NEAR(deviation, std::sqrt(2.0 / SKETCH_SIZE), 0.02);
}

TEST(GradientSketch, DoesNotDependOnHowAGradientIsCut)
{
    const auto values = MakeNormal({1000}, 3);
    std::vector<float> whole(SKETCH_SIZE);
    AddToSketch(values.As<float>(), 1000, 0, whole.data());
    std::vector<float> pieces(SKETCH_SIZE);
    for (uint64_t first = 0, size = 1; first < 1000; first += size, size += 7)
    {
        size = std::min<uint64_t>(size, 1000 - first);
        AddToSketch(values.As<float>() + first, size, first, pieces.data());
    }
    for (uint32_t i = 0; i < SKETCH_SIZE; i++)
    {
        EXPECT_NEAR(pieces[i], whole[i], 1e-5);
    }
}

TEST(GradientSketch, OfPartsAreThoseOfTheModel)
{
    const auto config = MakeSmallConfig();
    ModelParameters gradients = CreateObject<TorchBackend>()->CreateParameters(config, 2);
    const auto whole =
        SketchGradients(config, GetWhole(config), gradients.Gather(GetWhole(config)));
    EXPECT_EQ(whole.size(), (config.encoderBlocks + 2) * SKETCH_SIZE);
    for (const auto& part : GetAllParts(config))
    {
        const auto sketch = SketchGradients(config, part, gradients.Gather(part));
        const uint32_t first = part.embedding         ? 0
                               : part.GetBlocks() > 0 ? part.firstBlock + 1
                                                      : config.encoderBlocks + 1;
        const auto begin = whole.begin() + first * SKETCH_SIZE;
        EXPECT_TRUE(std::equal(sketch.begin(), sketch.end(), begin));
    }
}

TEST(GradientStatistics, AreThoseOfTheMicroBatches)
{
    const auto config = MakeSmallConfig();
    const auto backend = CreateObject<TorchBackend>();
    const PartRange range{false, 1, 4, true};
    const auto parameters = backend->CreateParameters(config, 3).Gather(range);
    const auto train = [&](ModelPart& part, uint32_t microBatch, uint32_t seed) {
        part.Forward(microBatch, MakeInput(config, range, 2, seed));
        part.Backward(microBatch, {});
    };
    constexpr uint32_t COUNT = 5;
    double squares = 0;
    for (uint32_t i = 0; i < COUNT; i++)
    {
        const auto alone = backend->CreatePart(config, range, MakeSgd(0), parameters);
        train(*alone, 0, i);
        squares += alone->GetSquaredGradientNorm();
        EXPECT_NEAR(alone->GetSquaredGradientNorm(),
                    GetSquares(alone->ExportGradients()),
                    1e-5 * alone->GetSquaredGradientNorm());
    }
    const auto part = backend->CreatePart(config, range, MakeSgd(0), parameters);
    for (uint32_t i = 0; i < COUNT; i++)
    {
        train(*part, i, i);
    }
    const auto gradients = part->ExportGradients();
    part->ScaleGradients(0.25); // clipping comes after the statistics
    EXPECT_NEAR(GetSquares(part->ExportGradients()), GetSquares(gradients) / 16, 1e-6);
    part->Step();
    // Three iterations more are not watched.
    for (uint32_t iteration = 1; iteration < WATCHED_ITERATIONS; iteration++)
    {
        train(*part, 0, 100 + iteration);
        part->Step();
    }
    GradientStatistics statistics;
    ASSERT_EQ(DecodeStatistics(range, part->ExportStatistics(), statistics), "");
    EXPECT_EQ(statistics.watched, 1);
    EXPECT_NEAR(statistics.microBatchSquares, squares, 1e-5 * squares);
    EXPECT_NEAR(statistics.squaredNorm, GetSquares(gradients), 1e-5 * GetSquares(gradients));
    const auto sketch = SketchGradients(config, range, gradients);
    ASSERT_EQ(statistics.sketch.size(), sketch.size());
    for (std::size_t i = 0; i < sketch.size(); i++)
    {
        EXPECT_NEAR(statistics.sketch[i], sketch[i], 1e-6);
    }
}

TEST(GradientStatistics, OfAnotherShapeAreRefused)
{
    const PartRange range{false, 0, 2, false};
    GradientStatistics statistics;
    EXPECT_EQ(DecodeStatistics(range, EncodeStatistics(range, {}), statistics), "");
    EXPECT_NE(DecodeStatistics({false, 0, 1, false}, EncodeStatistics(range, {}), statistics), "");
    EXPECT_NE(DecodeStatistics(range, {}, statistics), "");
    EXPECT_EQ(DecodeStatistics(range, GetStatisticsShapes(range), statistics), "");
    EXPECT_EQ(statistics.watched, 0);
}

namespace
{

/**
 * Clusters with F_m(w) = L/2 |w - c_m|^2, whose stochastic gradients have independent noise.
 */
class QuadraticClusters
{
  public:
    static constexpr double SMOOTHNESS = 0.7;
    static constexpr double VARIANCE = 40;
    static constexpr double SPREAD = 0.05; //!< of an element of a centre
    static constexpr uint32_t CLUSTERS = 4;
    static constexpr uint32_t MICRO_BATCHES = 4;
    static constexpr uint32_t SIZE = 8;

    explicit QuadraticClusters(uint32_t seed)
        : m_random(seed)
    {
        const auto whole = GetWhole(m_config);
        m_weights = CreateObject<TorchBackend>()->CreateParameters(m_config, seed);
        for (uint32_t m = 0; m < CLUSTERS; m++)
        {
            m_centres.push_back(Flatten(MakeRandom(m_config, whole, 50 * seed + m)));
            for (auto& value : m_centres.back())
            {
                value *= SPREAD;
            }
        }
    }

    /// One round: every cluster tells its gradient at w; w takes a step along the mean.
    void RunRound(LearningMonitor& monitor, LearningState& learning)
    {
        const auto whole = GetWhole(m_config);
        auto weights = Flatten(m_weights.Gather(whole));
        std::vector<double> mean(weights.size());
        for (uint32_t m = 0; m < CLUSTERS; m++)
        {
            AddCluster(m, weights, mean, monitor);
        }
        monitor.EndRound(m_config, m_weights, learning);
        for (std::size_t i = 0; i < weights.size(); i++)
        {
            weights[i] -= static_cast<float>(0.8 * mean[i] / CLUSTERS);
        }
        m_weights.Scatter(whole, Unflatten(weights));
    }

    /// @return sum_m rho_m |grad F_m - grad F|^2
    double GetDivergence() const
    {
        double sum = 0;
        for (std::size_t i = 0; i < m_centres[0].size(); i++)
        {
            double mean = 0;
            double squares = 0;
            for (const auto& centre : m_centres)
            {
                mean += centre[i] / CLUSTERS;
                squares += static_cast<double>(centre[i]) * centre[i] / CLUSTERS;
            }
            sum += squares - mean * mean;
        }
        return SMOOTHNESS * SMOOTHNESS * sum;
    }

  private:
    static std::vector<float> Flatten(const TensorList& list)
    {
        std::vector<float> values;
        for (const auto& tensor : list)
        {
            values.insert(values.end(),
                          tensor.As<float>(),
                          tensor.As<float>() + tensor.GetElementCount());
        }
        return values;
    }

    TensorList Unflatten(const std::vector<float>& values) const
    {
        TensorList list;
        auto next = values.begin();
        for (const auto& shape : GetParameterShapes(m_config, GetWhole(m_config)))
        {
            const auto end = next + static_cast<std::ptrdiff_t>(shape.GetElementCount());
            list.push_back(
                TensorData::FromVector(DType::FLOAT32, shape.shape, std::vector<float>(next, end)));
            next = end;
        }
        return list;
    }

    void AddCluster(uint32_t cluster,
                    const std::vector<float>& weights,
                    std::vector<double>& mean,
                    LearningMonitor& monitor)
    {
        // Noise of an element of one micro-batch's mean gradient.
        std::normal_distribution<float> noise(
            0,
            static_cast<float>(std::sqrt(VARIANCE / SIZE / weights.size())));
        GradientStatistics statistics;
        statistics.watched = 1;
        std::vector<float> gradient(weights.size());
        for (uint32_t i = 0; i < MICRO_BATCHES; i++)
        {
            std::vector<float> part(weights.size());
            for (std::size_t k = 0; k < part.size(); k++)
            {
                const double exact = SMOOTHNESS * (weights[k] - m_centres[cluster][k]);
                part[k] = static_cast<float>((exact + noise(m_random)) / MICRO_BATCHES);
                gradient[k] += part[k];
            }
            statistics.microBatchSquares += GetSquares(part.data(), part.size());
        }
        statistics.squaredNorm = GetSquares(gradient.data(), gradient.size());
        for (std::size_t k = 0; k < mean.size(); k++)
        {
            mean[k] += gradient[k];
        }
        // As two stages' uploads, cut anew for every cluster.
        const auto sketch = SketchGradients(m_config, GetWhole(m_config), Unflatten(gradient));
        const uint32_t cut = 1 + cluster % (m_config.encoderBlocks - 1);
        const PartRange first{true, 0, cut, false};
        const PartRange second{false, cut, m_config.encoderBlocks, true};
        auto head = statistics;
        auto tail = statistics;
        const auto border = sketch.begin() + (cut + 1) * SKETCH_SIZE;
        head.sketch.assign(sketch.begin(), border);
        tail.sketch.assign(border, sketch.end());
        tail.microBatchSquares *= 0.25;
        tail.squaredNorm *= 0.25;
        head.microBatchSquares *= 0.75;
        head.squaredNorm *= 0.75;
        const LearningMonitor::ChainShare share{1.0 / CLUSTERS, MICRO_BATCHES, SIZE};
        EXPECT_EQ(monitor.Add({cluster, 0}, share, second, EncodeStatistics(second, tail)), "");
        EXPECT_EQ(monitor.Add({cluster, 0}, share, first, EncodeStatistics(first, head)), "");
    }

    ModelConfig m_config{MakeSmallConfig()};
    std::mt19937 m_random;
    ModelParameters m_weights;
    std::vector<std::vector<float>> m_centres;
};

} // namespace

TEST(LearningMonitor, RecoversTheConstantsOfQuadratics)
{
    double smoothness = 0;
    double variance = 0;
    double divergence = 0;
    double expected = 0;
    constexpr int RUNS = 6;
    for (uint32_t seed = 1; seed <= RUNS; seed++)
    {
        QuadraticClusters clusters(seed);
        LearningMonitor monitor;
        LearningState learning;
        for (int round = 0; round < 12; round++)
        {
            clusters.RunRound(monitor, learning);
        }
        smoothness += learning.smoothness / RUNS;
        variance += learning.gradientVariance / RUNS;
        divergence += learning.clusterDivergence / RUNS;
        expected += clusters.GetDivergence() / RUNS;
    }
    EXPECT_NEAR(variance, QuadraticClusters::VARIANCE, 0.1 * QuadraticClusters::VARIANCE);
    EXPECT_NEAR(smoothness, QuadraticClusters::SMOOTHNESS, 0.1 * QuadraticClusters::SMOOTHNESS);
    EXPECT_NEAR(divergence, expected, 0.1 * expected);
}

TEST(LearningMonitor, GoesOnFromAnExportedState)
{
    QuadraticClusters clusters(9);
    LearningMonitor monitor;
    LearningState learning;
    for (int round = 0; round < 4; round++)
    {
        clusters.RunRound(monitor, learning);
    }
    LearningMonitor other;
    ASSERT_EQ(other.ImportState(monitor.ExportState()), "");
    auto copy = clusters;
    LearningState learningOfOther = learning;
    clusters.RunRound(monitor, learning);
    copy.RunRound(other, learningOfOther);
    EXPECT_EQ(learning.smoothness, learningOfOther.smoothness);
    EXPECT_EQ(learning.gradientVariance, learningOfOther.gradientVariance);
    EXPECT_EQ(learning.clusterDivergence, learningOfOther.clusterDivergence);
    EXPECT_NE(other.ImportState({}), "");
}

TEST(LearningMonitor, LearnsNothingWhereNothingIsComputed)
{
    const auto config = MakeSmallConfig();
    LearningMonitor monitor;
    LearningState learning{0.1, 2, 3, 4};
    const auto whole = GetWhole(config);
    EXPECT_EQ(monitor.Add({0, 0}, {1, 2, 2}, whole, GetStatisticsShapes(whole)), "");
    monitor.EndRound(config, {}, learning);
    EXPECT_EQ(learning.smoothness, 2);
    EXPECT_EQ(learning.gradientVariance, 3);
    EXPECT_EQ(learning.clusterDivergence, 4);
}
