/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-batch.h"

#include "collapipe-random-key.h"

#include "ns3/abort.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// What a random stream is for
constexpr uint64_t MASKING_STREAM = UINT64_MAX;

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

/**
 * @param token any
 * @return whether BERT may mask it
 */
bool
IsMaskable(int32_t token)
{
    return token > END_TOKEN || token == UNKNOWN_TOKEN;
}

/**
 * Masks a text as BERT's pre-training does (Devlin et al. 2019, section 3.1): of the tokens chosen,
 * 80 % become [MASK], 10 % a random token, 10 % stay.
 * @param config the model
 * @param key of the random stream
 * @param row source tokens [T]; written to
 * @param labels of the positions [T], PAD_TOKEN all; gets the tokens that were masked
 */
void
MaskRow(const ModelConfig& config, uint64_t key, int32_t* row, int32_t* labels)
{
    std::vector<uint32_t> places;
    for (uint32_t i = 0; i < config.sourceLength; i++)
    {
        if (IsMaskable(row[i]))
        {
            places.push_back(i);
        }
    }
    KeyedRandom random(key);
    const int32_t mask = config.vocabulary - 1;
    const uint32_t count = CountMaskedTokens(places.size());
    for (uint32_t i = 0; i < count; i++)
    {
        std::swap(places[i], places[i + random.GetInteger(places.size() - i)]);
        const uint32_t place = places[i];
        labels[place] = row[place];
        const double draw = random.GetUniform();
        if (draw < 0.8)
        {
            row[place] = mask;
        }
        else if (draw < 0.9)
        {
            row[place] = END_TOKEN + 1 + random.GetInteger(config.vocabulary - 2 - END_TOKEN);
        }
    }
}

/**
 * @param config the model
 * @param sample a sample
 * @param source row of source tokens [T], PAD_TOKEN all; written to
 */
void
WriteSource(const ModelConfig& config, const Sample& sample, int32_t* source)
{
    if (!config.IsBert())
    {
        WriteRow(sample.source, config.sourceLength, config.vocabulary, source);
        return;
    }
    source[0] = BEGIN_TOKEN;
    WriteRow(sample.source, config.sourceLength - 1, config.vocabulary, source + 1);
}

/**
 * @param config the model
 * @param sample a sample
 * @param key of the random stream for masking
 * @param source row of source tokens [T]; masked where the model predicts what was masked
 * @param labels row of labels [U], PAD_TOKEN all; written to
 */
void
WriteLabels(const ModelConfig& config,
            const Sample& sample,
            uint64_t key,
            int32_t* source,
            int32_t* labels)
{
    switch (config.head)
    {
    case ModelHead::TRANSLATION:
        WriteRow(sample.target, config.targetLength, config.vocabulary, labels);
        return;
    case ModelHead::CLASSIFICATION:
        NS_ABORT_MSG_IF(sample.label >= static_cast<int32_t>(config.classes),
                        "Label " << sample.label << " in a model of " << config.classes
                                 << " classes");
        labels[0] = std::max(sample.label, -1) + 1; // PAD_TOKEN is no label
        return;
    case ModelHead::MASKED_LANGUAGE:
        MaskRow(config, key, source, labels);
        return;
    }
}

/**
 * @param config the model
 * @param sample a sample
 * @return its labels
 */
uint64_t
CountLabels(const ModelConfig& config, const Sample& sample)
{
    if (config.head == ModelHead::CLASSIFICATION)
    {
        return sample.label >= 0;
    }
    if (config.head == ModelHead::MASKED_LANGUAGE)
    {
        const auto& source = sample.source;
        const size_t kept = std::min<size_t>(source.size(), config.sourceLength - 1);
        const size_t whole = kept < source.size() ? kept - 1 : kept; // END_TOKEN cuts
        return CountMaskedTokens(
            std::count_if(source.begin(), source.begin() + whole, IsMaskable));
    }
    const auto& target = sample.target;
    const size_t kept = std::min<size_t>(target.size(), config.targetLength);
    const auto padding = std::count(target.begin(), target.begin() + kept, PAD_TOKEN);
    const bool padCut = kept < target.size() && target[kept - 1] == PAD_TOKEN;
    return kept - padding + padCut;
}

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
    std::vector<int32_t> source(size_t(rows) * sourceLength, PAD_TOKEN);
    std::vector<int32_t> target(size_t(rows) * targetLength, PAD_TOKEN);
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

} // namespace collapipe
} // namespace ns3
