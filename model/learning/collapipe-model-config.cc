/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-config.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Appends the shape of a float32 parameter.
 * @param shapes the list
 * @param extents the extents
 */
void
Add(TensorList& shapes, std::vector<uint32_t> extents)
{
    shapes.push_back(TensorData::MakeVirtual(DType::FLOAT32, std::move(extents)));
}

/**
 * Appends weight and bias of a linear layer.
 * @param shapes the list
 * @param outputs its output width
 * @param inputs its input width
 */
void
AddLinear(TensorList& shapes, uint32_t outputs, uint32_t inputs)
{
    Add(shapes, {outputs, inputs});
    Add(shapes, {outputs});
}

/**
 * Appends what every block ends with: the feed-forward layers, then weight and bias of all norms.
 * @param shapes the list
 * @param config the model
 * @param norms the number of layer norms
 */
void
AddFeedForwardAndNorms(TensorList& shapes, const ModelConfig& config, uint32_t norms)
{
    AddLinear(shapes, config.feedForward, config.width);
    AddLinear(shapes, config.width, config.feedForward);
    for (uint32_t i = 0; i < 2 * norms; i++)
    {
        Add(shapes, {config.width});
    }
}

/**
 * Appends one encoder block: fused query, key and value; attention output; feed-forward; norms.
 * @param shapes the list
 * @param config the model
 */
void
AddEncoderBlock(TensorList& shapes, const ModelConfig& config)
{
    AddLinear(shapes, 3 * config.width, config.width);
    AddLinear(shapes, config.width, config.width);
    AddFeedForwardAndNorms(shapes, config, 2);
}

/**
 * Appends one decoder block: self attention as in the encoder; query, fused key and value, and
 * output of the cross attention; feed-forward; norms.
 * @param shapes the list
 * @param config the model
 */
void
AddDecoderBlock(TensorList& shapes, const ModelConfig& config)
{
    AddLinear(shapes, 3 * config.width, config.width);
    AddLinear(shapes, config.width, config.width);
    AddLinear(shapes, config.width, config.width);
    AddLinear(shapes, 2 * config.width, config.width);
    AddLinear(shapes, config.width, config.width);
    AddFeedForwardAndNorms(shapes, config, 3);
}

/**
 * Appends target embedding, decoder blocks and generator.
 * @param shapes the list
 * @param config the model
 */
void
AddDecoder(TensorList& shapes, const ModelConfig& config)
{
    Add(shapes, {config.vocabulary, config.width});
    for (uint32_t i = 0; i < config.decoderBlocks; i++)
    {
        AddDecoderBlock(shapes, config);
    }
    AddLinear(shapes, config.vocabulary, config.width);
}

/**
 * @param part a part
 * @param blocks L
 * @return what keeps it from being a run of the chain; empty where it is one
 */
std::string
CheckPart(const PartRange& part, uint32_t blocks)
{
    if (part.firstBlock > part.lastBlock || part.lastBlock > blocks)
    {
        return "its blocks do not lie within the model's";
    }
    if (part.GetBlocks() == 0 && part.embedding == part.decoder)
    {
        return part.embedding ? "all blocks are missing between embedding and decoder"
                              : "it holds nothing";
    }
    if (part.GetBlocks() > 0 && part.embedding && part.firstBlock > 0)
    {
        return "blocks are missing after the embedding";
    }
    if (part.GetBlocks() > 0 && part.decoder && part.lastBlock < blocks)
    {
        return "blocks are missing before the decoder";
    }
    return "";
}

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
 * @return FLOPs of target embedding, decoder blocks and generator
 */
double
GetDecoderFlops(const ModelConfig& config)
{
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
    if (encoderBlocks == 0 || decoderBlocks == 0)
    {
        return "The model needs at least one encoder block and one decoder block.";
    }
    if (sourceLength == 0 || targetLength == 0)
    {
        return "Source and target length must be positive.";
    }
    return "";
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

TensorList
GetParameterShapes(const ModelConfig& config, const PartRange& part)
{
    const std::string configFault = config.Check();
    NS_ABORT_MSG_IF(!configFault.empty(), configFault);
    const std::string partFault = CheckPart(part, config.encoderBlocks);
    NS_ABORT_MSG_IF(!partFault.empty(), "Not a part of the model: " << partFault);
    TensorList shapes;
    if (part.embedding)
    {
        Add(shapes, {config.vocabulary, config.width});
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        AddEncoderBlock(shapes, config);
    }
    if (part.decoder)
    {
        AddDecoder(shapes, config);
    }
    return shapes;
}

double
GetSavedActivationBytes(const ModelConfig& config)
{
    const double rows = config.sourceLength;
    // Rows of width D: the block's input, query, key and value, the attention's result, both layer
    // norms' inputs and the feed-forward's input. One of width F, ReLU's result, which is also the
    // second linear layer's input. Mean and reciprocal deviation of two norms. Probabilities.
    const double perRow = 8.0 * config.width + config.feedForward + 4;
    return sizeof(float) * (rows * perRow + config.heads * rows * rows);
}

} // namespace collapipe
} // namespace ns3
