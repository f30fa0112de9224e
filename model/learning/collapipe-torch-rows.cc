/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-rows.h"

#include "collapipe-random-key.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Values that 16 random bits have
constexpr uint32_t BIT_VALUES = 1U << 16;

/**
 * @param indices places in a grid
 * @return the same as LibTorch takes it
 */
at::Tensor
MakeIndex(const std::vector<int64_t>& indices)
{
    return at::tensor(indices, at::kLong);
}

} // namespace

TorchRows::TorchRows(int64_t samples, int64_t length, uint32_t firstSample)
    : m_samples(samples),
      m_full(length),
      m_first(0),
      m_length(length),
      m_firstSample(firstSample)
{
}

TorchRows::TorchRows(const at::Tensor& padding, bool skipPadding, uint32_t firstSample)
    : TorchRows(padding.size(0), padding.size(1), firstSample)
{
    // Where there is nothing to skip, rows lie as in the grid and need no copies.
    if (!skipPadding || !padding.any().item<bool>())
    {
        return;
    }
    m_all = false;
    int64_t first = m_full - 1;
    int64_t last = 0;
    const auto isPadding = padding.accessor<uint8_t, 2>();
    std::vector<int64_t> full;
    for (int64_t sample = 0; sample < m_samples; sample++)
    {
        for (int64_t position = 0; position < m_full; position++)
        {
            if (!isPadding[sample][position])
            {
                full.push_back(sample * m_full + position);
                first = std::min(first, position);
                last = std::max(last, position);
            }
        }
    }
    m_first = std::min(first, last);
    m_length = last + 1 - m_first;
    for (const auto place : full)
    {
        m_places.push_back(place / m_full * m_length + place % m_full - m_first);
    }
    m_fullIndex = MakeIndex(full);
    m_index = MakeIndex(m_places);
}

int64_t
TorchRows::GetSamples() const
{
    return m_samples;
}

int64_t
TorchRows::GetLength() const
{
    return m_length;
}

int64_t
TorchRows::GetFirst() const
{
    return m_first;
}

int64_t
TorchRows::GetCount() const
{
    return m_all ? m_samples * m_length : static_cast<int64_t>(m_places.size());
}

uint32_t
TorchRows::GetFirstSample() const
{
    return m_firstSample;
}

int64_t
TorchRows::GetPosition(int64_t row) const
{
    return m_first + (m_all ? row : m_places[row]) % m_length;
}

uint64_t
TorchRows::GetName(int64_t row) const
{
    const int64_t place = m_all ? row : m_places[row];
    const uint64_t sample = m_firstSample + place / m_length;
    return sample << 32 | static_cast<uint64_t>(m_first + place % m_length);
}

TorchRows
TorchRows::Select(const at::Tensor& rows) const
{
    TorchRows chosen(m_samples, m_length, m_firstSample);
    chosen.m_first = m_first;
    chosen.m_all = false;
    const auto index = rows.accessor<int64_t, 1>();
    for (int64_t i = 0; i < rows.size(0); i++)
    {
        chosen.m_places.push_back(m_all ? index[i] : m_places[index[i]]);
    }
    return chosen;
}

at::Tensor
TorchRows::Pack(const at::Tensor& grid) const
{
    const auto rows = grid.flatten(0, 1);
    return m_all ? rows : rows.index_select(0, m_fullIndex);
}

at::Tensor
TorchRows::Unpack(const at::Tensor& rows) const
{
    if (m_all)
    {
        return rows.view({m_samples, m_full, -1});
    }
    return at::zeros({m_samples * m_full, rows.size(1)}, rows.options())
        .index_copy(0, m_fullIndex, rows)
        .view({m_samples, m_full, -1});
}

at::Tensor
TorchRows::Spread(const at::Tensor& rows) const
{
    if (m_all)
    {
        return rows;
    }
    return at::zeros({m_samples * m_length, rows.size(1)}, rows.options())
        .index_copy(0, m_index, rows);
}

at::Tensor
TorchRows::Collect(const at::Tensor& grid) const
{
    return m_all ? grid : grid.index_select(0, m_index);
}

at::Tensor
TorchRows::Trim(const at::Tensor& grid) const
{
    return grid.slice(1, m_first, m_first + m_length);
}

TorchDropout::Rate::Rate(double share)
    : threshold(static_cast<uint32_t>(std::lround(share * BIT_VALUES))),
      scale(static_cast<float>(double(BIT_VALUES) / (BIT_VALUES - threshold)))
{
}

TorchDropout::TorchDropout(double rate, uint64_t key, double adapterRate)
    : m_rate(rate),
      m_adapterRate(adapterRate),
      m_key(key)
{
}

TorchDropout
TorchDropout::At(uint64_t link) const
{
    TorchDropout dropout(*this);
    dropout.m_key = MakeRandomKey({m_key, link});
    return dropout;
}

void
TorchDropout::Fill(const Rate& rate, uint64_t key, float* factors, int64_t count)
{
    KeyedRandom random(key);
    for (int64_t i = 0; i < count; i += 4)
    {
        uint64_t bits = random.GetNext();
        const int64_t end = std::min(i + 4, count);
        for (int64_t j = i; j < end; j++, bits >>= 16)
        {
            factors[j] = (bits & (BIT_VALUES - 1)) < rate.threshold ? 0 : rate.scale;
        }
    }
}

at::Tensor
TorchDropout::MakeFactors(const Rate& rate,
                          at::IntArrayRef sizes,
                          const TorchRows& layout,
                          uint64_t key)
{
    const auto factors = at::empty(sizes, at::kFloat);
    const int64_t columns = sizes[1];
    for (int64_t row = 0; row < sizes[0]; row++)
    {
        Fill(rate,
             Scramble(key ^ Scramble(layout.GetName(row))),
             factors.data_ptr<float>() + row * columns,
             columns);
    }
    return factors;
}

at::Tensor
TorchDropout::Apply(at::Tensor rows, const TorchRows& layout, Site site) const
{
    if (m_rate.threshold == 0)
    {
        return rows;
    }
    const auto factors = MakeFactors(m_rate, rows.sizes(), layout, MakeRandomKey({m_key, site}));
    return rows.mul_(factors.to(rows.scalar_type()));
}

at::Tensor
TorchDropout::ApplyToAdapter(const at::Tensor& rows, const TorchRows& layout, uint64_t name) const
{
    if (m_adapterRate.threshold == 0)
    {
        return rows;
    }
    const auto key = MakeRandomKey({m_key, ADAPTER, name});
    return rows * MakeFactors(m_adapterRate, rows.sizes(), layout, key).to(rows.scalar_type());
}

at::Tensor
TorchDropout::ApplyToProbabilities(const at::Tensor& probabilities,
                                   uint32_t firstSample,
                                   int64_t first) const
{
    if (m_rate.threshold == 0)
    {
        return probabilities;
    }
    const auto factors = at::empty(probabilities.sizes(), at::kFloat);
    const int64_t heads = probabilities.size(1);
    const int64_t queries = probabilities.size(2);
    const int64_t keys = probabilities.size(3);
    std::vector<float> drawn(first + keys); // as if no column had been left out
    for (int64_t row = 0; row < probabilities.size(0) * heads * queries; row++)
    {
        const uint64_t sample = firstSample + row / (heads * queries);
        const uint64_t head = row / queries % heads;
        const uint64_t query = first + row % queries;
        Fill(m_rate,
             MakeRandomKey({m_key, PROBABILITIES, sample, head, query}),
             drawn.data(),
             first + keys);
        std::copy_n(drawn.begin() + first, keys, factors.data_ptr<float>() + row * keys);
    }
    return probabilities * factors.to(probabilities.scalar_type());
}

} // namespace collapipe
} // namespace ns3
