/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-modules.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Added to the scores of masked keys
constexpr double MASKED_SCORE = -1e30;

/**
 * Splits fused projections into heads, with one copy.
 * @param rows [b T,n D]
 * @param samples b
 * @param fused n, how many projections lie side by side
 * @param heads h
 * @return n tensors [b h,T,D/h]
 */
std::vector<at::Tensor>
SplitHeads(const at::Tensor& rows, int64_t samples, int64_t fused, int64_t heads)
{
    const int64_t length = rows.size(0) / samples;
    const int64_t headWidth = rows.size(1) / (fused * heads);
    return rows.view({samples, length, fused, heads, headWidth})
        .permute({2, 0, 3, 1, 4})
        .contiguous()
        .view({fused, samples * heads, length, headWidth})
        .unbind(0);
}

/**
 * Scaled dot-product attention: softmax(Q K^T / sqrt(D/h) + mask) V.
 * @param query [b h,U,D/h]
 * @param key [b h,T,D/h]
 * @param value [b h,T,D/h]
 * @param mask broadcast to [b,h,U,T]
 * @param samples b
 * @return [b U,D]
 */
at::Tensor
Attend(const at::Tensor& query,
       const at::Tensor& key,
       const at::Tensor& value,
       const at::Tensor& mask,
       int64_t samples)
{
    const int64_t heads = query.size(0) / samples;
    const int64_t queries = query.size(1);
    const int64_t keys = key.size(1);
    const double scale = 1 / std::sqrt(double(query.size(2)));
    const auto scores = at::bmm(query, key.transpose(1, 2)).view({samples, heads, queries, keys});
    const auto probabilities = at::add(mask, scores, scale).softmax(-1);
    return at::bmm(probabilities.view({samples * heads, queries, keys}), value)
        .view({samples, heads, queries, -1})
        .transpose(1, 2)
        .reshape({samples * queries, -1});
}

/**
 * Vaswani et al., section 3.5: sin(p / 10000^(2i/D)) in columns 2i, the cosine in columns 2i + 1.
 * @param length number of positions p
 * @param width D
 * @return [length,D]
 */
at::Tensor
MakePositionalEncoding(int64_t length, int64_t width)
{
    auto encoding = at::empty({length, width}, at::kFloat);
    auto values = encoding.accessor<float, 2>();
    for (int64_t position = 0; position < length; position++)
    {
        for (int64_t column = 0; column < width; column++)
        {
            const double exponent = double(column - column % 2) / width;
            const double angle = position / std::pow(10000.0, exponent);
            values[position][column] = column % 2 == 0 ? std::sin(angle) : std::cos(angle);
        }
    }
    return encoding;
}

/**
 * @param config the model
 * @param reader gives the blocks' parameters
 * @return the decoder blocks
 */
std::vector<TorchDecoderBlock>
MakeDecoderBlocks(const ModelConfig& config, TorchParameterReader& reader)
{
    std::vector<TorchDecoderBlock> blocks;
    for (uint32_t i = 0; i < config.decoderBlocks; i++)
    {
        blocks.emplace_back(config, reader);
    }
    return blocks;
}

} // namespace

TorchParameterReader::TorchParameterReader(const std::vector<at::Tensor>& parameters)
    : m_parameters(parameters)
{
}

at::Tensor
TorchParameterReader::Next()
{
    return m_parameters.at(m_next++);
}

TorchLinear::TorchLinear(TorchParameterReader& reader)
    : m_weight(reader.Next()),
      m_bias(reader.Next())
{
}

at::Tensor
TorchLinear::Forward(const at::Tensor& rows) const
{
    return at::addmm(m_bias, rows, m_weight.t());
}

TorchResidualNorm::TorchResidualNorm(TorchParameterReader& reader)
    : m_weight(reader.Next()),
      m_bias(reader.Next())
{
}

at::Tensor
TorchResidualNorm::Forward(const at::Tensor& residual, at::Tensor update) const
{
    return at::layer_norm(update.add_(residual), m_weight.sizes(), m_weight, m_bias);
}

TorchFeedForward::TorchFeedForward(TorchParameterReader& reader)
    : m_inner(reader),
      m_outer(reader)
{
}

at::Tensor
TorchFeedForward::Forward(const at::Tensor& rows) const
{
    return m_outer.Forward(m_inner.Forward(rows).relu_());
}

TorchSelfAttention::TorchSelfAttention(int64_t heads, TorchParameterReader& reader)
    : m_heads(heads),
      m_projection(reader),
      m_output(reader)
{
}

at::Tensor
TorchSelfAttention::Forward(const at::Tensor& rows, int64_t samples, const at::Tensor& mask) const
{
    const auto split = SplitHeads(m_projection.Forward(rows), samples, 3, m_heads);
    return m_output.Forward(Attend(split[0], split[1], split[2], mask, samples));
}

TorchCrossAttention::TorchCrossAttention(int64_t heads, TorchParameterReader& reader)
    : m_heads(heads),
      m_query(reader),
      m_keyValue(reader),
      m_output(reader)
{
}

at::Tensor
TorchCrossAttention::Forward(const at::Tensor& rows,
                             const at::Tensor& memory,
                             int64_t samples,
                             const at::Tensor& mask) const
{
    const auto query = SplitHeads(m_query.Forward(rows), samples, 1, m_heads);
    const auto keyValue = SplitHeads(m_keyValue.Forward(memory), samples, 2, m_heads);
    return m_output.Forward(Attend(query[0], keyValue[0], keyValue[1], mask, samples));
}

TorchEmbedding::TorchEmbedding(const ModelConfig& config,
                               TorchParameterReader& reader,
                               int64_t length)
    : m_table(reader.Next()),
      m_positions(MakePositionalEncoding(length, config.width))
{
}

at::Tensor
TorchEmbedding::Forward(const at::Tensor& tokens) const
{
    const double scale = std::sqrt(double(m_table.size(1)));
    return at::add(m_positions.slice(0, 0, tokens.size(1)), at::embedding(m_table, tokens), scale);
}

TorchEncoderBlock::TorchEncoderBlock(const ModelConfig& config, TorchParameterReader& reader)
    : m_attention(config.heads, reader),
      m_feedForward(reader),
      m_attentionNorm(reader),
      m_outputNorm(reader)
{
}

at::Tensor
TorchEncoderBlock::Forward(const at::Tensor& rows, int64_t samples, const at::Tensor& mask) const
{
    const auto attended = m_attentionNorm.Forward(rows, m_attention.Forward(rows, samples, mask));
    return m_outputNorm.Forward(attended, m_feedForward.Forward(attended));
}

TorchDecoderBlock::TorchDecoderBlock(const ModelConfig& config, TorchParameterReader& reader)
    : m_selfAttention(config.heads, reader),
      m_crossAttention(config.heads, reader),
      m_feedForward(reader),
      m_selfNorm(reader),
      m_crossNorm(reader),
      m_outputNorm(reader)
{
}

at::Tensor
TorchDecoderBlock::Forward(const at::Tensor& rows,
                           const at::Tensor& memory,
                           int64_t samples,
                           const at::Tensor& causal,
                           const at::Tensor& padding) const
{
    const auto own = m_selfNorm.Forward(rows, m_selfAttention.Forward(rows, samples, causal));
    const auto attended =
        m_crossNorm.Forward(own, m_crossAttention.Forward(own, memory, samples, padding));
    return m_outputNorm.Forward(attended, m_feedForward.Forward(attended));
}

TorchDecoder::TorchDecoder(const ModelConfig& config, TorchParameterReader& reader)
    : m_embedding(config, reader, config.targetLength),
      m_blocks(MakeDecoderBlocks(config, reader)),
      m_generator(reader),
      m_causalMask(MakeCausalMask(config.targetLength))
{
}

at::Tensor
TorchDecoder::Forward(const at::Tensor& memory,
                      const at::Tensor& padding,
                      const at::Tensor& targets) const
{
    const int64_t samples = targets.size(0);
    const auto paddingMask = MakePaddingMask(padding);
    const auto memoryRows = memory.flatten(0, 1);
    auto rows = m_embedding.Forward(targets.slice(1, 0, -1)).flatten(0, 1);
    for (const auto& block : m_blocks)
    {
        rows = block.Forward(rows, memoryRows, samples, m_causalMask, paddingMask);
    }
    // The generator is most of the decoder's work: spare it the positions without a label
    const auto labels = targets.slice(1, 1).flatten().to(at::kLong);
    const auto labelled = labels.ne(PAD_TOKEN).nonzero().flatten();
    const auto logits = m_generator.Forward(rows.index_select(0, labelled));
    return at::cross_entropy_loss(logits, labels.index_select(0, labelled), {}, at::Reduction::None)
        .sum(at::kDouble);
}

TorchLayers::TorchLayers(const ModelConfig& config,
                         const PartRange& part,
                         const std::vector<at::Tensor>& parameters)
{
    TorchParameterReader reader(parameters);
    if (part.embedding)
    {
        m_embedding.emplace_back(config, reader, config.sourceLength);
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        m_blocks.emplace_back(config, reader);
    }
    if (part.decoder)
    {
        m_decoder.emplace_back(config, reader);
    }
}

at::Tensor
TorchLayers::Embed(const at::Tensor& tokens) const
{
    return m_embedding.front().Forward(tokens);
}

at::Tensor
TorchLayers::Encode(const at::Tensor& hidden, const at::Tensor& padding) const
{
    const auto mask = MakePaddingMask(padding);
    auto rows = hidden.flatten(0, 1);
    for (const auto& block : m_blocks)
    {
        rows = block.Forward(rows, hidden.size(0), mask);
    }
    return rows.view(hidden.sizes());
}

at::Tensor
TorchLayers::Decode(const at::Tensor& memory,
                    const at::Tensor& padding,
                    const at::Tensor& targets) const
{
    return m_decoder.front().Forward(memory, padding, targets);
}

at::Tensor
MakePadding(const at::Tensor& tokens)
{
    return tokens.eq(PAD_TOKEN).to(at::kByte);
}

at::Tensor
MakePaddingMask(const at::Tensor& padding)
{
    return padding.to(at::kFloat).mul_(MASKED_SCORE).unsqueeze(1).unsqueeze(1);
}

at::Tensor
MakeCausalMask(int64_t length)
{
    return at::full({length, length}, MASKED_SCORE, at::kFloat).triu_(1);
}

} // namespace collapipe
} // namespace ns3
