/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sample-form.h"

#include "collapipe-model-family.h"
#include "collapipe-random-key.h"

#include "ns3/abort.h"

#include <algorithm>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Aborts where a token is none of the model's.
void
CheckToken(const ModelConfig& config, int32_t token)
{
    NS_ABORT_MSG_IF(token < 0 || static_cast<uint32_t>(token) >= config.vocabulary,
                    "Token " << token << " outside the model's vocabulary of "
                             << config.vocabulary);
}

/**
 * @param config the model
 * @param token any
 * @return whether it may be masked
 */
bool
IsMaskable(const ModelConfig& config, int32_t token)
{
    const auto& special = config.special;
    return token == special.unknown ||
           (token != special.pad && token != special.begin && token != special.end);
}

/**
 * @param config the model
 * @param random where randomness comes from
 * @return any token that is not special, or rarely one that is
 */
int32_t
DrawToken(const ModelConfig& config, KeyedRandom& random)
{
    if (config.special.mask < 0)
    {
        return END_TOKEN + 1 + random.GetInteger(config.vocabulary - 2 - END_TOKEN);
    }
    return random.GetInteger(config.vocabulary); // as BERT's own program does
}

/**
 * Masks a text as BERT's pre-training does (Devlin et al. 2019, section 3.1): of the tokens chosen,
 * 80 % become [MASK], 10 % a random token, 10 % stay.
 * @param config the model
 * @param key of the random stream
 * @param row source tokens [T]; written to
 * @param labels of the positions [T]; gets the tokens that were masked
 */
void
MaskRow(const ModelConfig& config, uint64_t key, int32_t* row, int32_t* labels)
{
    std::vector<uint32_t> places;
    for (uint32_t i = 0; i < config.sourceLength; i++)
    {
        if (IsMaskable(config, row[i]))
        {
            places.push_back(i);
        }
    }
    KeyedRandom random(key);
    const uint32_t count = CountMaskedTokens(places.size());
    for (uint32_t i = 0; i < count; i++)
    {
        std::swap(places[i], places[i + random.GetInteger(places.size() - i)]);
        const uint32_t place = places[i];
        labels[place] = row[place];
        const double draw = random.GetUniform();
        if (draw < 0.8)
        {
            row[place] = GetMaskToken(config);
        }
        else if (draw < 0.9)
        {
            row[place] = DrawToken(config, random);
        }
    }
}

/**
 * @param config the model
 * @param sample a sample
 * @param row of labels [U], PAD_TOKEN all; gets the target
 */
void
WriteTarget(const ModelConfig& config, const Sample& sample, int32_t* row)
{
    const size_t kept = std::min<size_t>(sample.target.size(), config.targetLength);
    for (size_t i = 0; i < kept; i++)
    {
        CheckToken(config, sample.target[i]);
        row[i] = sample.target[i];
    }
    if (kept < sample.target.size())
    {
        row[kept - 1] = END_TOKEN;
    }
}

/**
 * @param config a language model
 * @param sample a sample; its target says which tokens are to be predicted: where it is empty, all
 *        but the first; else as many as the source has, negative where a token is none of them
 * @param read how many of its tokens the model reads
 * @param use called with a position and the label that stands there
 */
template <typename Function>
void
ForEachNext(const ModelConfig& config, const Sample& sample, size_t read, Function use)
{
    NS_ABORT_MSG_IF(!sample.target.empty() && sample.target.size() != sample.source.size(),
                    "A sample of a language model has " << sample.source.size() << " tokens and "
                                                        << sample.target.size() << " labels");
    const auto& labels = sample.target.empty() ? sample.source : sample.target;
    // A text may begin with a token that the family puts there
    const size_t shift = GetModelFamily(config).CountInput(sample) - sample.source.size();
    for (size_t i = 0; i + 1 < read; i++)
    {
        const size_t next = i + 1 - shift;
        if (next < labels.size() && labels[next] >= 0)
        {
            use(i, labels[next]);
        }
    }
}

/**
 * @param config the model
 * @param sample a sample
 * @return labels of a translation
 */
uint64_t
CountTarget(const ModelConfig& config, const Sample& sample)
{
    const auto& target = sample.target;
    const size_t kept = std::min<size_t>(target.size(), config.targetLength);
    const auto padding = std::count(target.begin(), target.begin() + kept, PAD_TOKEN);
    const bool padCut = kept < target.size() && target[kept - 1] == PAD_TOKEN;
    return kept - padding + padCut;
}

/**
 * @param config the model
 * @param sample a sample
 * @return how many of its tokens are masked
 */
uint64_t
CountMasked(const ModelConfig& config, const Sample& sample)
{
    const auto input = GetModelFamily(config).GetInput(config, sample);
    return CountMaskedTokens(std::count_if(input.begin(), input.end(), [&](int32_t token) {
        return IsMaskable(config, token);
    }));
}

} // namespace

uint32_t
CountMaskedTokens(uint32_t tokens)
{
    return tokens == 0 ? 0 : std::max<uint32_t>(1, (15 * tokens + 50) / 100);
}

int32_t
GetNoLabel(const ModelConfig& config)
{
    return IsLanguageModel(config) ? NO_LABEL : PAD_TOKEN;
}

bool
IsPadding(const ModelConfig& config, int32_t token)
{
    return config.special.pad < 0 ? token < 0 : token == config.special.pad;
}

int32_t
GetMaskToken(const ModelConfig& config)
{
    return config.special.mask < 0 ? static_cast<int32_t>(config.vocabulary) - 1
                                   : config.special.mask;
}

void
WriteSource(const ModelConfig& config, const Sample& sample, int32_t* row)
{
    const auto tokens = GetModelFamily(config).GetInput(config, sample);
    std::fill(row, row + config.sourceLength, config.special.pad);
    auto* target = config.padLeft ? row + config.sourceLength - tokens.size() : row;
    for (const auto token : tokens)
    {
        CheckToken(config, token);
        *target++ = token;
    }
}

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
        WriteTarget(config, sample, labels);
        return;
    case ModelHead::CLASSIFICATION:
        NS_ABORT_MSG_IF(sample.label >= static_cast<int32_t>(config.classes),
                        "Label " << sample.label << " in a model of " << config.classes
                                 << " classes");
        labels[0] = std::max(sample.label, -1) + 1; // 0 is no label
        return;
    case ModelHead::MASKED_LANGUAGE:
        MaskRow(config, key, source, labels);
        return;
    case ModelHead::CAUSAL_LANGUAGE:
        break;
    }
    const size_t read = GetModelFamily(config).GetInput(config, sample).size();
    const size_t first = config.padLeft ? config.sourceLength - read : 0;
    ForEachNext(config, sample, read, [&](size_t position, int32_t label) {
        CheckToken(config, label);
        labels[first + position] = label;
    });
}

uint64_t
CountLabels(const ModelConfig& config, const Sample& sample)
{
    switch (config.head)
    {
    case ModelHead::TRANSLATION:
        return CountTarget(config, sample);
    case ModelHead::CLASSIFICATION:
        return sample.label >= 0;
    case ModelHead::MASKED_LANGUAGE:
        return CountMasked(config, sample);
    case ModelHead::CAUSAL_LANGUAGE:
        break;
    }
    uint64_t count = 0;
    const size_t read = GetModelFamily(config).GetInput(config, sample).size();
    ForEachNext(config, sample, read, [&count](size_t, int32_t) { ++count; });
    return count;
}

void
FitToData(ModelConfig& config, uint32_t vocabulary, uint32_t classes)
{
    config.vocabulary = vocabulary;
    if (config.head == ModelHead::MASKED_LANGUAGE && config.special.mask < 0)
    {
        ++config.vocabulary; // [MASK]
    }
    if (config.head == ModelHead::CLASSIFICATION)
    {
        config.classes = classes;
    }
}

bool
IsTranslator(const ModelConfig& config)
{
    return config.head == ModelHead::TRANSLATION;
}

bool
IsClassifier(const ModelConfig& config)
{
    return config.head == ModelHead::CLASSIFICATION;
}

bool
IsLanguageModel(const ModelConfig& config)
{
    return config.head == ModelHead::CAUSAL_LANGUAGE;
}

uint32_t
ModelConfig::GetLabelLength() const
{
    switch (head)
    {
    case ModelHead::CLASSIFICATION:
        return 1;
    case ModelHead::MASKED_LANGUAGE:
    case ModelHead::CAUSAL_LANGUAGE:
        return sourceLength;
    case ModelHead::TRANSLATION:
        break;
    }
    return targetLength;
}

} // namespace collapipe
} // namespace ns3
