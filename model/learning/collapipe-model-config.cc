/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-config.h"

#include "ns3/abort.h"

#include <algorithm>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param queries rows that attend
 * @param keys rows attended to
 * @param width D
 * @return FLOPs of scores and weighted sum, all heads
 */
double
GetAttentionFlops(double queries, double keys, double width)
{
    return 4 * queries * keys * width;
}

/**
 * @param config the model
 * @param rows tokens
 * @return FLOPs of a block without cross attention: projections, attention, feed-forward
 */
double
GetBlockFlops(const ModelConfig& config, double rows)
{
    const double width = config.width;
    return rows * (8 * width * width + 4 * width * config.feedForward) +
           GetAttentionFlops(rows, rows, width);
}

/**
 * @param config the model
 * @return FLOPs of one decoder block's cross attention, its projections included
 */
double
GetCrossAttentionFlops(const ModelConfig& config)
{
    const double width = config.width;
    return 4 * width * width * (double(config.targetLength) + config.sourceLength) +
           GetAttentionFlops(config.targetLength, config.sourceLength, width);
}

/**
 * @param config the model
 * @return FLOPs of target embedding, decoder blocks and generator; of BERT, of its head
 */
double
GetDecoderFlops(const ModelConfig& config)
{
    const double width = config.width;
    if (config.head == ModelHead::CLASSIFICATION)
    {
        return 2 * width * width + 2 * width * config.classes;
    }
    if (config.head == ModelHead::MASKED_LANGUAGE)
    {
        const double masked = CountMaskedTokens(config.sourceLength);
        return masked * (2 * width * width + 2 * width * config.vocabulary);
    }
    const double rows = config.targetLength;
    return 2 * rows * config.width +
           config.decoderBlocks * (GetBlockFlops(config, rows) + GetCrossAttentionFlops(config)) +
           2 * rows * config.width * config.vocabulary;
}

/**
 * Copies tensors from a position on and moves the position.
 * @param from the list
 * @param position where to begin; moved past the tensors read
 * @param to overwritten; its size says how many
 */
void
Take(const TensorList& from, size_t& position, TensorList& to)
{
    NS_ABORT_MSG_IF(from.size() - position < to.size(),
                    "Too few tensors for the part: " << from.size());
    for (auto& tensor : to)
    {
        tensor = from[position++];
    }
}

} // namespace

bool
ModelConfig::operator==(const ModelConfig& other) const
{
    const auto all = [](const ModelConfig& model) {
        return std::tie(model.vocabulary,
                        model.width,
                        model.heads,
                        model.feedForward,
                        model.encoderBlocks,
                        model.decoderBlocks,
                        model.sourceLength,
                        model.targetLength,
                        model.head,
                        model.classes,
                        model.preNorm,
                        model.tiedProjection);
    };
    return all(*this) == all(other);
}

std::string
ModelConfig::Check() const
{
    if (vocabulary <= END_TOKEN)
    {
        return "The vocabulary must hold more than the special tokens.";
    }
    if (heads == 0 || width == 0 || width % heads != 0)
    {
        return "The width must be a positive multiple of the number of heads.";
    }
    if (feedForward == 0)
    {
        return "The feed-forward width must be positive.";
    }
    if (encoderBlocks == 0 || (decoderBlocks == 0 && !IsBert()))
    {
        return "The model needs at least one encoder block and one decoder block.";
    }
    if (sourceLength == 0 || targetLength == 0)
    {
        return "Source and target length must be positive.";
    }
    if (IsBert() && sourceLength < 3)
    {
        return "A BERT input has at least 3 tokens: its first and last have a meaning of their own.";
    }
    if (head == ModelHead::CLASSIFICATION && classes < 2)
    {
        return "A classification needs at least two classes.";
    }
    if (!(dropout >= 0 && dropout < 1) || !(labelSmoothing >= 0 && labelSmoothing < 1))
    {
        return "Dropout and label smoothing must be at least 0 and less than 1.";
    }
    if (tiedProjection && IsBert())
    {
        return "Only a decoder can share its embedding with the projection: BERT's lies on another "
               "node.";
    }
    return "";
}

uint32_t
ModelConfig::GetLabelLength() const
{
    switch (head)
    {
    case ModelHead::CLASSIFICATION:
        return 1;
    case ModelHead::MASKED_LANGUAGE:
        return sourceLength;
    case ModelHead::TRANSLATION:
        break;
    }
    return targetLength;
}

uint32_t
CountMaskedTokens(uint32_t tokens)
{
    return tokens == 0 ? 0 : std::max<uint32_t>(1, (15 * tokens + 50) / 100);
}

TensorList
ModelParameters::Gather(const PartRange& part) const
{
    NS_ABORT_MSG_IF(part.firstBlock > part.lastBlock || part.lastBlock > blocks.size(),
                    "Blocks " << part.firstBlock << " to " << part.lastBlock << " of a model with "
                              << blocks.size());
    TensorList tensors;
    if (part.embedding)
    {
        tensors = embedding;
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        tensors.insert(tensors.end(), blocks[i].begin(), blocks[i].end());
    }
    if (part.decoder)
    {
        tensors.insert(tensors.end(), decoder.begin(), decoder.end());
    }
    return tensors;
}

void
ModelParameters::Scatter(const PartRange& part, const TensorList& tensors)
{
    NS_ABORT_MSG_IF(part.firstBlock > part.lastBlock || part.lastBlock > blocks.size(),
                    "Blocks " << part.firstBlock << " to " << part.lastBlock << " of a model with "
                              << blocks.size());
    size_t position = 0;
    if (part.embedding)
    {
        Take(tensors, position, embedding);
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        Take(tensors, position, blocks[i]);
    }
    if (part.decoder)
    {
        Take(tensors, position, decoder);
    }
    NS_ABORT_MSG_IF(position != tensors.size(),
                    "The part has " << position << " parameters, not " << tensors.size());
}

double
GetForwardFlops(const ModelConfig& config, const PartRange& part)
{
    double flops = part.GetBlocks() * GetBlockFlops(config, config.sourceLength);
    if (part.embedding)
    {
        flops += 2.0 * config.sourceLength * config.width;
    }
    if (part.decoder)
    {
        flops += GetDecoderFlops(config);
    }
    return flops;
}

double
GetSavedActivationBytes(const ModelConfig& config)
{
    const double rows = config.sourceLength;
    const double scores = config.heads * rows * rows;
    // Rows of width D: the block's input, query, key and value, the attention's result, both layer
    // norms' inputs and the feed-forward's input. One of width F, the activation's result, which is
    // also the second linear layer's input. Mean and reciprocal deviation of two norms.
    // Probabilities.
    double perRow = 8.0 * config.width + config.feedForward + 4;
    double perScore = 1;
    if (config.IsBert())
    {
        perRow += config.feedForward; // GELU's gradient takes its input, ReLU's its result
    }
    if (config.dropout > 0)
    {
        perRow += 2.0 * config.width;           // the masks of both sums
        perScore += 2.0 * config.IsBert();      // a mask, and probabilities before and after
    }
    return sizeof(float) * (rows * perRow + perScore * scores);
}

} // namespace collapipe
} // namespace ns3
