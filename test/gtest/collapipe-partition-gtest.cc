/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Random numbers, splits and batches against closed forms and an independent shuffle.

#include "ns3/collapipe-partition.h"
#include "ns3/collapipe-text-files.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <vector>

using namespace ns3::collapipe;

namespace
{

/// Mean and variance of many values
struct Moments
{
    double mean{0};
    double variance{0};
};

template <typename Draw>
Moments
Measure(int count, Draw draw)
{
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < count; ++i)
    {
        const double value = draw();
        sum += value;
        squares += value * value;
    }
    const double mean = sum / count;
    return {mean, squares / count - mean * mean};
}

std::vector<uint32_t>
MakeGroups(uint32_t groups, uint32_t samplesEach)
{
    std::vector<uint32_t> result(groups * samplesEach);
    for (std::size_t i = 0; i < result.size(); ++i)
    {
        result[i] = static_cast<uint32_t>(i % groups);
    }
    return result;
}

/// @return whether the parts hold 0 .. size-1 once each
bool
CoverOnce(const std::vector<std::vector<uint32_t>>& parts, std::size_t size)
{
    std::vector<uint32_t> all;
    for (const auto& part : parts)
    {
        all.insert(all.end(), part.begin(), part.end());
    }
    std::sort(all.begin(), all.end());
    std::vector<uint32_t> expected(size);
    std::iota(expected.begin(), expected.end(), 0);
    return all == expected;
}

/// @return mean over groups of the sum of the squares of the clusters' shares
double
GetConcentration(const std::vector<std::vector<uint32_t>>& parts,
                 const std::vector<uint32_t>& groups)
{
    const auto counts = CountGroups(parts, groups);
    double sum = 0;
    for (std::size_t group = 0; group < counts[0].size(); ++group)
    {
        double total = 0;
        double squares = 0;
        for (const auto& cluster : counts)
        {
            total += cluster[group];
            squares += static_cast<double>(cluster[group]) * cluster[group];
        }
        sum += squares / (total * total);
    }
    return sum / counts[0].size();
}

} // namespace

TEST(CollapipePortableRandom, ShuffleIsFisherAndYatesWithTheStandardsEngine)
{
    std::mt19937_64 engine(42);
    std::vector<uint32_t> expected(1000);
    std::iota(expected.begin(), expected.end(), 0);
    auto shuffled = expected;
    for (std::size_t i = expected.size(); i > 1; --i)
    {
        std::swap(expected[i - 1], expected[engine() % i]);
    }
    PortableRandom(42).Shuffle(shuffled);
    EXPECT_EQ(shuffled, expected);
}

TEST(CollapipePortableRandom, IntegersStayBelowTheBoundWithoutBias)
{
    PortableRandom random(1);
    // A bound for which plain remainders would be below a third in half of all cases
    const uint64_t bound = 3ULL << 62;
    uint32_t low = 0;
    for (int i = 0; i < 30000; ++i)
    {
        const auto value = random.GetInteger(bound);
        ASSERT_LT(value, bound);
        low += value < bound / 3 ? 1 : 0;
    }
    EXPECT_NEAR(low / 30000.0, 1.0 / 3, 0.015);
    EXPECT_EQ(random.GetInteger(1), 0U);
}

TEST(CollapipePortableRandom, MomentsAreThoseOfTheDistributions)
{
    PortableRandom random(2);
    const auto uniform = Measure(100000, [&random] { return random.GetUniform(); });
    EXPECT_NEAR(uniform.mean, 0.5, 0.005);
    EXPECT_NEAR(uniform.variance, 1.0 / 12, 0.002);
    const auto normal = Measure(100000, [&random] { return random.GetNormal(); });
    EXPECT_NEAR(normal.mean, 0, 0.02);
    EXPECT_NEAR(normal.variance, 1, 0.03);
    for (const double shape : {0.1, 0.5, 1.0, 2.5, 30.0})
    {
        const auto gamma =
            Measure(200000, [&random, shape] { return std::exp(random.GetLogGamma(shape)); });
        // Standard errors: sqrt(shape / n), and shape * sqrt((2 + 6 / shape) / n) of the variance
        EXPECT_NEAR(gamma.mean, shape, 5 * std::sqrt(shape / 200000)) << shape;
        EXPECT_NEAR(gamma.variance, shape, 5 * shape * std::sqrt((2 + 6 / shape) / 200000))
            << shape;
    }
}

TEST(CollapipePortableRandom, GammaOfSmallShapeHasThePowerLawTail)
{
    // P(X < x) tends to x^a / Gamma(a+1): far below what exp() can hold, hence the logarithm
    PortableRandom random(3);
    const double shape = 0.001;
    uint32_t below = 0;
    for (int i = 0; i < 20000; ++i)
    {
        below += random.GetLogGamma(shape) < -1000 ? 1 : 0;
    }
    EXPECT_NEAR(below / 20000.0, std::exp(-1), 0.02);
}

TEST(CollapipePortableRandom, DirichletHasItsMeanAndVariance)
{
    PortableRandom random(4);
    for (const double alpha : {0.05, 0.5, 1.0, 10.0})
    {
        for (const uint32_t size : {2U, 5U})
        {
            const auto share = Measure(50000, [&random, alpha, size] {
                const auto shares = random.GetDirichlet(alpha, size);
                EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-12);
                return shares[size - 1];
            });
            const double mean = 1.0 / size;
            const double variance = mean * (1 - mean) / (size * alpha + 1);
            EXPECT_NEAR(share.mean, mean, 5 * std::sqrt(variance / 50000));
            EXPECT_NEAR(share.variance, variance, 0.05 * variance + 0.001);
        }
    }
}

TEST(CollapipePortableRandom, ExtremeConcentrationsAreFinite)
{
    PortableRandom random(5);
    for (const double alpha : {1e-300, 1e-9, 1e-4, 1e9, 1e300})
    {
        const auto shares = random.GetDirichlet(alpha, 7);
        EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-9) << alpha;
        EXPECT_EQ(*std::max_element(shares.begin(), shares.end()) > 0.99, alpha < 1) << alpha;
    }
}

TEST(CollapipePartition, RandomInstancesCoverEverySampleOnce)
{
    std::mt19937_64 random(6);
    for (int instance = 0; instance < 500; ++instance)
    {
        const auto clusters = static_cast<uint32_t>(1 + random() % 8);
        const auto minimum = static_cast<uint32_t>(1 + random() % 5);
        const auto size = clusters * minimum + random() % 200;
        std::vector<uint32_t> groups(size);
        std::generate(groups.begin(), groups.end(), [&random] { return random() % 12; });
        const double alpha = std::pow(10.0, static_cast<double>(random() % 7) - 3);
        const auto seed = random();
        const auto parts = PartitionSamples(groups, clusters, alpha, seed, minimum);
        ASSERT_EQ(parts.size(), clusters);
        EXPECT_TRUE(CoverOnce(parts, size));
        for (const auto& part : parts)
        {
            EXPECT_GE(part.size(), minimum);
            EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
        }
        EXPECT_EQ(parts, PartitionSamples(groups, clusters, alpha, seed, minimum));
    }
}

TEST(CollapipePartition, ConcentrationIsThatOfTheDirichletDistribution)
{
    // E[sum of squared shares] = (alpha + 1) / (M alpha + 1)
    const auto groups = MakeGroups(1000, 200);
    for (const double alpha : {0.05, 0.3, 1.0, 5.0, 100.0})
    {
        for (const uint32_t clusters : {2U, 6U})
        {
            const auto parts = PartitionSamples(groups, clusters, alpha, 7);
            EXPECT_NEAR(GetConcentration(parts, groups), (alpha + 1) / (clusters * alpha + 1), 0.03)
                << alpha << " over " << clusters;
        }
    }
}

TEST(CollapipePartition, IidPartsAreEqualInSizeAndMixture)
{
    const auto groups = MakeGroups(10, 1001);
    for (const double alpha : {0.0, -1.0, std::numeric_limits<double>::infinity()})
    {
        const auto parts = PartitionSamples(groups, 4, alpha, 8);
        EXPECT_TRUE(CoverOnce(parts, groups.size()));
        const auto counts = CountGroups(parts, groups);
        for (std::size_t i = 0; i < parts.size(); ++i)
        {
            EXPECT_NEAR(parts[i].size(), groups.size() / 4.0, 1);
            for (const auto count : counts[i])
            {
                EXPECT_NEAR(count, 1001 / 4.0, 70);
            }
        }
    }
}

TEST(CollapipePartition, SeedsDiffer)
{
    const auto groups = MakeGroups(5, 40);
    EXPECT_NE(PartitionSamples(groups, 3, 1, 1), PartitionSamples(groups, 3, 1, 2));
    EXPECT_NE(PartitionSamples(groups, 3, 0, 1), PartitionSamples(groups, 3, 0, 2));
}

TEST(CollapipePartition, ImpossibleSplitsAreRefused)
{
    EXPECT_THROW(PartitionSamples({0, 1}, 3, 1, 1), DataError);
    EXPECT_THROW(PartitionSamples({0, 1, 2, 3}, 2, 1, 1, 3), DataError);
    EXPECT_THROW(PartitionSamples({0, 1}, 0, 1, 1), DataError);
    EXPECT_THROW(PartitionSamples({}, 1, 1, 1), DataError);
    EXPECT_THROW(PartitionSamples({0, 1}, 2, std::nan(""), 1), DataError);
}

TEST(CollapipePartition, GroupsAreQuantilesTopicsOrLabels)
{
    std::vector<Sample> samples;
    for (uint32_t i = 0; i < 100; ++i)
    {
        Sample sample;
        sample.source.resize(i < 30 ? 5 : 10 + i);
        sample.topic = i % 2 ? 7 : 3;
        sample.label = static_cast<int32_t>(i % 3);
        samples.push_back(sample);
    }
    const auto length = GetSampleGroups(samples, SampleGrouping::LENGTH, 10);
    EXPECT_EQ(length[0], 0U);
    EXPECT_EQ(length[29], 0U);
    EXPECT_EQ(length[30], 1U);
    EXPECT_EQ(length[99], 7U);
    const auto topic = GetSampleGroups(samples, SampleGrouping::TOPIC);
    EXPECT_EQ(topic[0], 0U);
    EXPECT_EQ(topic[1], 1U);
    const auto label = GetSampleGroups(samples, SampleGrouping::LABEL);
    EXPECT_EQ(label[5], 2U);
    EXPECT_TRUE(GetSampleGroups({}, SampleGrouping::LENGTH).empty());
}

TEST(CollapipeSplit, NearDuplicatesHaveOneKey)
{
    const auto key = GetDuplicateKey("cannot open file");
    for (const auto* same : {"Cannot open file.",
                             "cannot  open \"file\" 17!",
                             "\u25ca: CANNOT open file \u25ca",
                             "- cannot open 2 file"})
    {
        EXPECT_EQ(GetDuplicateKey(same), key) << same;
    }
    EXPECT_NE(GetDuplicateKey("cannot open files"), key);
    EXPECT_NE(GetDuplicateKey("can not open file"), key);
    EXPECT_EQ(GetDuplicateKey("\u00c4\u0416\u03a9"), GetDuplicateKey("\u00e4\u0436\u03c9"));
    EXPECT_EQ(GetDuplicateKey("123"), "123");
}

TEST(CollapipeSplit, RandomInstancesAreDisjointAndOfTheWantedSize)
{
    std::mt19937_64 random(9);
    const std::vector<std::string> variants{"", ".", "!", " 12", " \u25ca"};
    for (int instance = 0; instance < 100; ++instance)
    {
        std::vector<std::string> texts;
        for (uint32_t i = 0; i < 500; ++i)
        {
            const auto letter = static_cast<char>('a' + random() % 26);
            const auto other = static_cast<char>('A' + random() % 26);
            const auto& variant = variants[random() % variants.size()];
            texts.push_back(std::string("say ") + letter + other + variant);
        }
        const auto seed = random();
        const auto parts = SplitTexts(texts, {0.1, 0.2}, seed);
        ASSERT_EQ(parts.size(), 3U);
        EXPECT_TRUE(CoverOnce(parts, texts.size()));
        EXPECT_NEAR(parts[1].size(), 50, 10);
        EXPECT_NEAR(parts[2].size(), 100, 10);
        std::set<std::string> seen;
        std::size_t keys = 0;
        for (const auto& part : parts)
        {
            std::set<std::string> own;
            for (const auto index : part)
            {
                own.insert(GetDuplicateKey(texts[index]));
            }
            keys += own.size();
            seen.insert(own.begin(), own.end());
        }
        EXPECT_EQ(seen.size(), keys);
        EXPECT_EQ(parts, SplitTexts(texts, {0.1, 0.2}, seed));
        EXPECT_NE(parts, SplitTexts(texts, {0.1, 0.2}, seed + 1));
    }
}

TEST(CollapipeSplit, TooFewTextsAreRefused)
{
    EXPECT_THROW(SplitTexts({"a", "b"}, {0.1, 0.1}, 1), DataError);
    EXPECT_THROW(SplitTexts({"same", "Same!", "same 2"}, {0.4}, 1), DataError);
    EXPECT_EQ(SplitTexts({"a", "b", "c"}, {0.1, 0.1}, 1).size(), 3U);
}

TEST(CollapipeBatchSampler, EveryEpochHasEverySampleOnce)
{
    for (const uint32_t batchSize : {1U, 3U, 10U, 25U})
    {
        BatchSampler sampler(10, batchSize, 11);
        std::vector<uint32_t> sequence;
        while (sequence.size() < 150)
        {
            const auto batch = sampler.GetNext();
            ASSERT_EQ(batch.size(), batchSize);
            sequence.insert(sequence.end(), batch.begin(), batch.end());
        }
        std::set<std::vector<uint32_t>> orders;
        for (std::size_t epoch = 0; epoch < 15; ++epoch)
        {
            const auto begin = sequence.begin() + 10 * epoch;
            const std::vector<uint32_t> order(begin, begin + 10);
            EXPECT_TRUE(CoverOnce({order}, 10));
            orders.insert(order);
        }
        EXPECT_GT(orders.size(), 12U);
        EXPECT_EQ(sampler.GetEpoch(), (sequence.size() + 9) / 10);
    }
}

TEST(CollapipeBatchSampler, SequenceDependsOnTheSeedAlone)
{
    BatchSampler one(100, 7, 1);
    BatchSampler same(100, 7, 1);
    BatchSampler other(100, 7, 2);
    BatchSampler sliced(100, 1, 1);
    bool differs = false;
    for (int i = 0; i < 50; ++i)
    {
        const auto batch = one.GetNext();
        EXPECT_EQ(batch, same.GetNext());
        differs = differs || batch != other.GetNext();
        for (const auto index : batch)
        {
            EXPECT_EQ(sliced.GetNext().at(0), index);
        }
    }
    EXPECT_TRUE(differs);
    EXPECT_THROW(BatchSampler(0, 1, 1), DataError);
    EXPECT_THROW(BatchSampler(1, 0, 1), DataError);
}
