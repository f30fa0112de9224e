/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-partition.h"

#include "collapipe-text-files.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Concentration below which a Dirichlet draw is one share of 1 anyway, and logarithms overflow
constexpr double SMALLEST_ALPHA = 1e-9;

/**
 * @param codePoint a letter
 * @return its lower case, for Latin, Greek and Cyrillic
 */
uint32_t
ToLower(uint32_t codePoint)
{
    const auto inside = [codePoint](uint32_t a, uint32_t b) {
        return codePoint >= a && codePoint <= b;
    };
    if (inside('A', 'Z') || inside(0xc0, 0xde) || inside(0x391, 0x3a9) || inside(0x410, 0x42f))
    {
        return codePoint + 0x20;
    }
    if (inside(0x400, 0x40f))
    {
        return codePoint + 0x50;
    }
    return inside(0x100, 0x137) || inside(0x14a, 0x177) ? codePoint | 1 : codePoint;
}

/**
 * @param size number of indices
 * @return 0 .. size-1
 */
std::vector<uint32_t>
MakeIndices(std::size_t size)
{
    std::vector<uint32_t> indices(size);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
}

/**
 * @param texts any
 * @return indices of texts with the same key, by key in order of first appearance
 */
std::vector<std::vector<uint32_t>>
GroupByKey(const std::vector<std::string>& texts)
{
    std::map<std::string, std::size_t> known;
    std::vector<std::vector<uint32_t>> groups;
    for (std::size_t i = 0; i < texts.size(); ++i)
    {
        const auto [entry, added] = known.try_emplace(GetDuplicateKey(texts[i]), groups.size());
        if (added)
        {
            groups.emplace_back();
        }
        groups[entry->second].push_back(static_cast<uint32_t>(i));
    }
    return groups;
}

/**
 * @param values any
 * @return rank of each among the distinct values
 */
std::vector<uint32_t>
RankDistinct(const std::vector<int64_t>& values)
{
    std::map<int64_t, uint32_t> ranks;
    for (const auto value : values)
    {
        ranks[value] = 0;
    }
    uint32_t next = 0;
    for (auto& [value, rank] : ranks)
    {
        rank = next++;
    }
    std::vector<uint32_t> result;
    for (const auto value : values)
    {
        result.push_back(ranks[value]);
    }
    return result;
}

/**
 * @param values any
 * @param quantiles number of quantiles
 * @return quantile of each; equal values are in the same
 */
std::vector<int64_t>
GetQuantiles(const std::vector<int64_t>& values, uint32_t quantiles)
{
    auto sorted = values;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int64_t> result;
    for (const auto value : values)
    {
        const auto below = std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
        result.push_back(below * static_cast<int64_t>(quantiles) /
                         static_cast<int64_t>(sorted.size()));
    }
    return result;
}

/**
 * Deals samples out by shares; the cut points are rounded, so every sample goes somewhere.
 * @param samples to deal out, in random order
 * @param shares of the parts; they sum to 1
 * @param parts to which the samples are added
 */
void
Deal(const std::vector<uint32_t>& samples,
     const std::vector<double>& shares,
     std::vector<std::vector<uint32_t>>& parts)
{
    double cumulative = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i)
    {
        cumulative += shares[i];
        const auto cut = static_cast<std::size_t>(std::lround(cumulative * samples.size()));
        const auto end = i + 1 == parts.size() ? samples.size() : std::min(cut, samples.size());
        parts[i].insert(parts[i].end(), samples.begin() + begin, samples.begin() + end);
        begin = end;
    }
}

/**
 * @param parts some of which may have too few samples
 * @param minimum fewest samples of a part; there are enough for all
 */
void
FillUp(std::vector<std::vector<uint32_t>>& parts, uint32_t minimum)
{
    const auto smaller = [](const auto& a, const auto& b) { return a.size() < b.size(); };
    for (auto& part : parts)
    {
        while (part.size() < minimum)
        {
            auto& largest = *std::max_element(parts.begin(), parts.end(), smaller);
            part.push_back(largest.back());
            largest.pop_back();
        }
    }
}

/**
 * @param groups of samples
 * @return samples of each group, ascending
 */
std::vector<std::vector<uint32_t>>
CollectMembers(const std::vector<uint32_t>& groups)
{
    const auto last = *std::max_element(groups.begin(), groups.end());
    std::vector<std::vector<uint32_t>> members(last + 1);
    for (std::size_t i = 0; i < groups.size(); ++i)
    {
        members[groups[i]].push_back(static_cast<uint32_t>(i));
    }
    return members;
}

} // namespace

PortableRandom::PortableRandom(uint64_t seed)
    : m_engine(seed)
{
}

uint64_t
PortableRandom::GetInteger(uint64_t bound)
{
    const uint64_t excess = std::numeric_limits<uint64_t>::max() % bound + 1;
    const uint64_t limit = std::numeric_limits<uint64_t>::max() - excess % bound;
    uint64_t value = m_engine();
    while (value > limit)
    {
        value = m_engine();
    }
    return value % bound;
}

double
PortableRandom::GetUniform()
{
    return (static_cast<double>(m_engine() >> 12) + 0.5) * 0x1p-52;
}

double
PortableRandom::GetNormal()
{
    while (true)
    {
        const double x = 2 * GetUniform() - 1;
        const double y = 2 * GetUniform() - 1;
        const double square = x * x + y * y;
        if (square < 1)
        {
            return x * std::sqrt(-2 * std::log(square) / square);
        }
    }
}

double
PortableRandom::GetLogGamma(double shape)
{
    if (shape < 1)
    {
        const double boosted = GetLogGamma(shape + 1);
        return boosted + std::log(GetUniform()) / shape;
    }
    const double d = shape - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    while (true)
    {
        const double x = GetNormal();
        const double root = 1 + c * x;
        const double v = root * root * root;
        if (v > 0 && std::log(GetUniform()) < 0.5 * x * x + d * (1 - v + std::log(v)))
        {
            return std::log(d * v);
        }
    }
}

std::vector<double>
PortableRandom::GetDirichlet(double alpha, uint32_t size)
{
    std::vector<double> shares(size);
    std::generate(shares.begin(), shares.end(), [this, alpha] {
        return GetLogGamma(std::max(alpha, SMALLEST_ALPHA));
    });
    const double largest = *std::max_element(shares.begin(), shares.end());
    double sum = 0;
    for (auto& share : shares)
    {
        share = std::exp(share - largest);
        sum += share;
    }
    for (auto& share : shares)
    {
        share /= sum;
    }
    return shares;
}

void
PortableRandom::Shuffle(std::vector<uint32_t>& indices)
{
    for (std::size_t i = indices.size(); i > 1; --i)
    {
        std::swap(indices[i - 1], indices[GetInteger(i)]);
    }
}

std::string
GetDuplicateKey(std::string_view text)
{
    std::string key;
    bool pending = false;
    for (std::size_t position = 0; position < text.size();)
    {
        const bool space = text[position] == ' ';
        const auto codePoint = NextCodePoint(text, position);
        if (codePoint != INVALID_CODE_POINT && IsLetter(codePoint))
        {
            key += pending && !key.empty() ? " " : "";
            AppendCodePoint(key, ToLower(codePoint));
            pending = false;
        }
        pending = pending || space;
    }
    return key.empty() ? std::string(text) : key;
}

std::vector<std::vector<uint32_t>>
SplitTexts(const std::vector<std::string>& texts,
           const std::vector<double>& fractions,
           uint64_t seed)
{
    const auto groups = GroupByKey(texts);
    auto order = MakeIndices(groups.size());
    PortableRandom(seed).Shuffle(order);
    std::vector<std::vector<uint32_t>> parts(fractions.size() + 1);
    std::vector<std::size_t> quotas{texts.size()};
    for (const auto fraction : fractions)
    {
        quotas.push_back(std::max(std::lround(fraction * texts.size()), 1L));
    }
    for (const auto group : order)
    {
        auto part = fractions.size();
        while (part > 0 && parts[part].size() + groups[group].size() > quotas[part])
        {
            --part;
        }
        parts[part].insert(parts[part].end(), groups[group].begin(), groups[group].end());
    }
    for (auto& part : parts)
    {
        if (part.empty())
        {
            throw DataError(std::to_string(texts.size()) + " sentences, " +
                            std::to_string(groups.size()) +
                            " of them distinct, are too few to split into " +
                            std::to_string(parts.size()) + " disjoint parts.");
        }
        std::sort(part.begin(), part.end());
    }
    return parts;
}

std::vector<uint32_t>
GetSampleGroups(const std::vector<Sample>& samples, SampleGrouping grouping, uint32_t quantiles)
{
    std::vector<int64_t> values;
    for (const auto& sample : samples)
    {
        values.push_back(grouping == SampleGrouping::LENGTH
                             ? static_cast<int64_t>(sample.source.size())
                             : (grouping == SampleGrouping::TOPIC ? int64_t{sample.topic}
                                                                  : int64_t{sample.label}));
    }
    return RankDistinct(grouping == SampleGrouping::LENGTH
                            ? GetQuantiles(values, std::max(quantiles, 1U))
                            : values);
}

std::vector<std::vector<uint32_t>>
PartitionSamples(const std::vector<uint32_t>& groups,
                 uint32_t clusters,
                 double alpha,
                 uint64_t seed,
                 uint32_t minimum)
{
    minimum = std::max(minimum, 1U);
    if (clusters == 0 || groups.size() < uint64_t{clusters} * minimum)
    {
        throw DataError(std::to_string(groups.size()) + " training samples cannot be split over " +
                        std::to_string(clusters) + " clusters with at least " +
                        std::to_string(minimum) + " each.");
    }
    if (std::isnan(alpha))
    {
        throw DataError("The Dirichlet concentration must be a number.");
    }
    const bool iid = alpha <= 0 || std::isinf(alpha);
    const std::vector<double> equal(clusters, 1.0 / clusters);
    PortableRandom random(seed);
    std::vector<std::vector<uint32_t>> parts(clusters);
    for (auto& members : CollectMembers(iid ? std::vector<uint32_t>(groups.size()) : groups))
    {
        random.Shuffle(members);
        Deal(members, iid ? equal : random.GetDirichlet(alpha, clusters), parts);
    }
    FillUp(parts, minimum);
    for (auto& part : parts)
    {
        std::sort(part.begin(), part.end());
    }
    return parts;
}

std::vector<std::vector<uint32_t>>
CountGroups(const std::vector<std::vector<uint32_t>>& parts, const std::vector<uint32_t>& groups)
{
    const auto count = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
    std::vector<std::vector<uint32_t>> counts;
    for (const auto& part : parts)
    {
        counts.emplace_back(count);
        for (const auto sample : part)
        {
            ++counts.back()[groups[sample]];
        }
    }
    return counts;
}

BatchSampler::BatchSampler(uint32_t samples, uint32_t batchSize, uint64_t seed)
    : m_order(MakeIndices(samples)),
      m_position(samples),
      m_batchSize(batchSize),
      m_random(seed)
{
    if (samples == 0 || batchSize == 0)
    {
        throw DataError("Batches of " + std::to_string(batchSize) + " samples cannot be made of " +
                        std::to_string(samples) + " samples.");
    }
}

std::vector<uint32_t>
BatchSampler::GetNext()
{
    std::vector<uint32_t> batch;
    while (batch.size() < m_batchSize)
    {
        if (m_position == m_order.size())
        {
            m_random.Shuffle(m_order);
            m_position = 0;
            ++m_epoch;
        }
        batch.push_back(m_order[m_position++]);
    }
    return batch;
}

uint64_t
BatchSampler::GetEpoch() const
{
    return m_epoch;
}

} // namespace collapipe
} // namespace ns3
