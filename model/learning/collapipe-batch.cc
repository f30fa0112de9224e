/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-batch.h"

#include "ns3/abort.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Writes one padded row.
 * @param tokens the sequence
 * @param length tokens of the row; the sequence is cut to it
 * @param vocabulary its pieces
 * @param row what to write to; holds PAD_TOKEN
 */
void
WriteRow(const std::vector<int32_t>& tokens, size_t length, int32_t vocabulary, int32_t* row)
{
    const size_t kept = std::min(tokens.size(), length);
    for (size_t i = 0; i < kept; i++)
    {
        NS_ABORT_MSG_IF(tokens[i] < 0 || tokens[i] >= vocabulary,
                        "Token " << tokens[i] << " outside the model's vocabulary of "
                                 << vocabulary);
        row[i] = tokens[i];
    }
    if (kept < tokens.size())
    {
        row[kept - 1] = END_TOKEN;
    }
}

} // namespace

uint64_t
CountLabelTokens(const ModelConfig& config, const std::vector<const Sample*>& samples)
{
    uint64_t count = 0;
    for (const Sample* sample : samples)
    {
        const auto& target = sample->target;
        const size_t kept = std::min<size_t>(target.size(), config.targetLength);
        const auto padding = std::count(target.begin(), target.begin() + kept, PAD_TOKEN);
        const bool padCut = kept < target.size() && target[kept - 1] == PAD_TOKEN;
        count += kept - padding + padCut;
    }
    return count;
}

Batch
MakeBatch(const ModelConfig& config, const std::vector<const Sample*>& samples)
{
    const uint32_t rows = samples.size();
    const uint32_t sourceLength = config.sourceLength;
    const uint32_t targetLength = config.targetLength + 1;
    std::vector<int32_t> source(size_t(rows) * sourceLength, PAD_TOKEN);
    std::vector<int32_t> target(size_t(rows) * targetLength, PAD_TOKEN);
    for (uint32_t i = 0; i < rows; i++)
    {
        int32_t* targetRow = target.data() + size_t(i) * targetLength;
        targetRow[0] = BEGIN_TOKEN;
        WriteRow(samples[i]->source,
                 sourceLength,
                 config.vocabulary,
                 source.data() + size_t(i) * sourceLength);
        WriteRow(samples[i]->target, config.targetLength, config.vocabulary, targetRow + 1);
    }
    Batch batch;
    batch.source = TensorData::FromVector(DType::INT32, {rows, sourceLength}, std::move(source));
    batch.target = TensorData::FromVector(DType::INT32, {rows, targetLength}, std::move(target));
    batch.labelTokens = CountLabelTokens(config, samples);
    return batch;
}

Batch
MakeBatch(const ModelConfig& config, const std::vector<Sample>& samples)
{
    std::vector<const Sample*> pointers;
    for (const auto& sample : samples)
    {
        pointers.push_back(&sample);
    }
    return MakeBatch(config, pointers);
}

} // namespace collapipe
} // namespace ns3
