/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-batch.h"

#include "collapipe-random-key.h"
#include "collapipe-sample-form.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// What a random stream is for
constexpr uint64_t MASKING_STREAM = UINT64_MAX;

} // namespace

uint64_t
CountLabelTokens(const ModelConfig& config, const std::vector<const Sample*>& samples)
{
    uint64_t count = 0;
    for (const Sample* sample : samples)
    {
        count += CountLabels(config, *sample);
    }
    return count;
}

Batch
MakeBatch(const ModelConfig& config,
          const std::vector<const Sample*>& samples,
          const TrainingPosition& position,
          uint32_t firstSample)
{
    const uint32_t rows = samples.size();
    const uint32_t sourceLength = config.sourceLength;
    const uint32_t targetLength = config.GetLabelLength() + 1;
    std::vector<int32_t> source(size_t(rows) * sourceLength);
    std::vector<int32_t> target(size_t(rows) * targetLength, GetNoLabel(config));
    for (uint32_t i = 0; i < rows; i++)
    {
        int32_t* sourceRow = source.data() + size_t(i) * sourceLength;
        int32_t* targetRow = target.data() + size_t(i) * targetLength;
        targetRow[0] = BEGIN_TOKEN;
        WriteSource(config, *samples[i], sourceRow);
        const auto key =
            MakeRandomKey({position.stream, position.step, MASKING_STREAM, firstSample + i});
        WriteLabels(config, *samples[i], key, sourceRow, targetRow + 1);
    }
    Batch batch;
    batch.source = TensorData::FromVector(DType::INT32, {rows, sourceLength}, std::move(source));
    batch.target = TensorData::FromVector(DType::INT32, {rows, targetLength}, std::move(target));
    batch.labelTokens = CountLabelTokens(config, samples);
    return batch;
}

Batch
MakeBatch(const ModelConfig& config,
          const std::vector<Sample>& samples,
          const TrainingPosition& position)
{
    std::vector<const Sample*> pointers;
    for (const auto& sample : samples)
    {
        pointers.push_back(&sample);
    }
    return MakeBatch(config, pointers, position);
}

Batch
ReadBatch(const ModelConfig& config, const std::vector<const Sample*>& samples)
{
    const uint32_t rows = samples.size();
    std::vector<int32_t> source(size_t(rows) * config.sourceLength);
    for (uint32_t i = 0; i < rows; i++)
    {
        WriteSource(config, *samples[i], source.data() + size_t(i) * config.sourceLength);
    }
    Batch batch;
    batch.source =
        TensorData::FromVector(DType::INT32, {rows, config.sourceLength}, std::move(source));
    return batch;
}

} // namespace collapipe
} // namespace ns3
