/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-modules.h"

#include "ns3/abort.h"

#include <cmath>
#include <map>
#include <utility>

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
 * @param layout of the queries, for b
 * @param dropout of the weights
 * @return [b U,D]
 */
at::Tensor
Attend(const at::Tensor& query,
       const at::Tensor& key,
       const at::Tensor& value,
       const at::Tensor& mask,
       const TorchRows& layout,
       const TorchDropout& dropout = {})
{
    const int64_t samples = layout.GetSamples();
    const int64_t heads = query.size(0) / samples;
    const int64_t queries = query.size(1);
    const int64_t keys = key.size(1);
    const double scale = 1 / std::sqrt(double(query.size(2)));
    const auto scores = at::bmm(query, key.transpose(1, 2)).view({samples, heads, queries, keys});
    const auto probabilities =
        dropout.ApplyToProbabilities(at::add(mask, scores, scale).softmax(-1),
                                     layout.GetFirstSample(),
                                     layout.GetFirst());
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
 * @param tokens [b,T] int32
 * @param end behind the first one, segment 1 begins
 * @return segment of each, int32
 */
at::Tensor
GetSegments(const at::Tensor& tokens, int32_t end)
{
    const auto ends = tokens.eq(end).to(at::kInt);
    return (ends.cumsum(1, at::kInt) - ends).clamp_max_(1);
}

/**
 * @param layout positions
 * @param tokens [b,T] int32
 * @param countsTokens padding may stand before them: it is not counted
 * @param pad padding
 * @return of each row its place within its text [n] int64
 */
at::Tensor
GetPlaces(const TorchRows& layout, const at::Tensor& tokens, bool countsTokens, int32_t pad)
{
    if (countsTokens)
    {
        return layout.Pack(CountTokensBefore(MakePadding(tokens, pad)));
    }
    std::vector<int64_t> places(layout.GetCount());
    for (int64_t row = 0; row < layout.GetCount(); row++)
    {
        places[row] = layout.GetPosition(row);
    }
    return at::tensor(places, at::kLong);
}

} // namespace

TorchLinear::TorchLinear(TorchParameterReader& reader, bool hasBias)
    : m_weight(reader.NextWeight()),
      m_bias(hasBias ? reader.Next() : at::Tensor()),
      m_adapters(reader.NextAdapters()),
      m_adapterScale(reader.GetAdapterScale())
{
}

at::Tensor
TorchLinear::Forward(const at::Tensor& rows,
                     const TorchRows& layout,
                     const TorchDropout& dropout) const
{
    auto product = m_weight.Multiply(rows, m_bias);
    return m_adapters.empty() ? product : Adapt(std::move(product), rows, layout, dropout);
}

at::Tensor
TorchLinear::Forward(const at::Tensor& rows) const
{
    return Forward(rows, TorchRows(1, rows.size(0)));
}

at::Tensor
TorchLinear::Adapt(at::Tensor product,
                   const at::Tensor& rows,
                   const TorchRows& layout,
                   const TorchDropout& dropout) const
{
    for (const auto& adapter : m_adapters)
    {
        const auto input = dropout.ApplyToAdapter(rows, layout, adapter.name);
        const auto change = input.mm(adapter.down.t()).mm(adapter.up.t());
        product.narrow(1, adapter.firstRow, change.size(1)).add_(change, m_adapterScale);
    }
    return product;
}

TorchNorm::TorchNorm(const ModelConfig& config, TorchParameterReader& reader)
    : m_epsilon(config.normEpsilon),
      m_weight(reader.Next()),
      m_bias(reader.Next())
{
}

at::Tensor
TorchNorm::Forward(const at::Tensor& rows) const
{
    return at::layer_norm(rows, m_weight.sizes(), m_weight, m_bias, m_epsilon);
}

TorchResidual::TorchResidual(const ModelConfig& config, TorchParameterReader& reader)
    : m_preNorm(config.preNorm),
      m_norm(config, reader)
{
}

TorchActivation
ParseActivation(const std::string& name)
{
    const std::map<std::string, TorchActivation> known{{"relu", TorchActivation::RELU},
                                                       {"gelu", TorchActivation::GELU},
                                                       {"gelu_new", TorchActivation::GELU_TANH},
                                                       {"silu", TorchActivation::SILU}};
    const auto found = known.find(name);
    NS_ABORT_MSG_IF(found == known.end(), "There is no activation " << name << " here");
    return found->second;
}

at::Tensor
Activate(TorchActivation activation, at::Tensor inner)
{
    switch (activation)
    {
    case TorchActivation::RELU:
        return inner.relu_();
    case TorchActivation::GELU:
        return at::gelu(inner);
    case TorchActivation::GELU_TANH:
        return at::gelu(inner, "tanh");
    case TorchActivation::SILU:
        break;
    }
    return at::silu(inner);
}

TorchFeedForward::TorchFeedForward(TorchActivation activation, TorchParameterReader& reader)
    : m_activation(activation),
      m_inner(reader),
      m_outer(reader)
{
}

at::Tensor
TorchFeedForward::Forward(const at::Tensor& rows,
                          const TorchRows& layout,
                          const TorchDropout& dropout) const
{
    const auto active = Activate(m_activation, m_inner.Forward(rows, layout, dropout));
    return m_outer.Forward(active, layout, dropout);
}

TorchSelfAttention::TorchSelfAttention(int64_t heads, TorchParameterReader& reader)
    : m_heads(heads),
      m_projection(reader),
      m_output(reader)
{
}

at::Tensor
TorchSelfAttention::Forward(const at::Tensor& rows,
                            const TorchRows& layout,
                            const at::Tensor& mask,
                            const TorchDropout& dropout,
                            const TorchDropout& ofAdapters) const
{
    const auto grid = layout.Spread(m_projection.Forward(rows, layout, ofAdapters));
    const auto split = SplitHeads(grid, layout.GetSamples(), 3, m_heads);
    const auto attended = Attend(split[0], split[1], split[2], mask, layout, dropout);
    return m_output.Forward(layout.Collect(attended), layout, ofAdapters);
}

at::Tensor
TorchSelfAttention::Step(const at::Tensor& rows, TorchPast& past) const
{
    const TorchRows layout(rows.size(0), 1);
    const auto split = SplitHeads(m_projection.Forward(rows), rows.size(0), 3, m_heads);
    past.keys = past.keys.defined() ? at::cat({past.keys, split[1]}, 1) : split[1];
    past.values = past.values.defined() ? at::cat({past.values, split[2]}, 1) : split[2];
    const auto mask = at::zeros({1}, rows.options());
    return m_output.Forward(Attend(split[0], past.keys, past.values, mask, layout));
}

TorchCrossAttention::TorchCrossAttention(int64_t heads, TorchParameterReader& reader)
    : m_heads(heads),
      m_query(reader),
      m_keyValue(reader),
      m_output(reader)
{
}

TorchPast
TorchCrossAttention::Project(const at::Tensor& memory, const TorchRows& memoryLayout) const
{
    const auto grid = memoryLayout.Spread(m_keyValue.Forward(memory));
    const auto split = SplitHeads(grid, memoryLayout.GetSamples(), 2, m_heads);
    return {split[0], split[1]};
}

at::Tensor
TorchCrossAttention::Forward(const at::Tensor& rows,
                             const TorchRows& layout,
                             const at::Tensor& memory,
                             const TorchRows& memoryLayout,
                             const at::Tensor& mask) const
{
    const auto grid = layout.Spread(m_query.Forward(rows));
    const auto query = SplitHeads(grid, layout.GetSamples(), 1, m_heads);
    const auto past = Project(memory, memoryLayout);
    return m_output.Forward(layout.Collect(Attend(query[0], past.keys, past.values, mask, layout)));
}

at::Tensor
TorchCrossAttention::Step(const at::Tensor& rows,
                          const TorchPast& memory,
                          const at::Tensor& mask) const
{
    const TorchRows layout(rows.size(0), 1);
    const auto query = SplitHeads(m_query.Forward(rows), rows.size(0), 1, m_heads);
    return m_output.Forward(Attend(query[0], memory.keys, memory.values, mask, layout));
}

TorchEmbedding::TorchEmbedding(const ModelConfig& config,
                               TorchParameterReader& reader,
                               int64_t length,
                               bool countsTokens)
    : m_countsTokens(countsTokens),
      m_pad(config.special.pad),
      m_table(reader.NextWeight()),
      m_positions(MakePositionalEncoding(length, config.width)),
      m_scale(std::sqrt(double(config.width)))
{
}

at::Tensor
TorchEmbedding::Forward(const at::Tensor& tokens,
                        const TorchRows& layout,
                        const TorchDropout& dropout) const
{
    const auto places = GetPlaces(layout, tokens, m_countsTokens, m_pad);
    const auto positions = m_positions.index_select(0, places);
    const auto sum = at::add(positions, m_table.Select(layout.Pack(tokens)), m_scale);
    return dropout.Apply(sum, layout, TorchDropout::EMBEDDING);
}

at::Tensor
TorchEmbedding::Step(const at::Tensor& tokens, int64_t position) const
{
    return at::add(m_positions[position], m_table.Select(tokens), m_scale);
}

const TorchWeight&
TorchEmbedding::GetTable() const
{
    return m_table;
}

TorchLearntEmbedding::TorchLearntEmbedding(const ModelConfig& config,
                                           TorchParameterReader& reader,
                                           const LearntEmbeddingParts& parts)
    : m_parts(parts),
      m_countsTokens(config.padLeft),
      m_pad(config.special.pad),
      m_table(reader.NextWeight())
{
    if (parts.positions)
    {
        m_positions = reader.NextWeight();
    }
    if (parts.segments)
    {
        m_segments = reader.NextWeight();
    }
    if (parts.norm)
    {
        m_norms.emplace_back(config, reader);
    }
}

at::Tensor
TorchLearntEmbedding::Forward(const at::Tensor& tokens,
                              const TorchRows& layout,
                              const TorchDropout& dropout) const
{
    const auto words = m_pad < 0 ? tokens.clamp_min(0) : tokens;
    auto sum = m_table.Select(layout.Pack(words));
    if (m_parts.positions)
    {
        const auto places = GetPlaces(layout, tokens, m_countsTokens, m_pad);
        sum = at::add(m_positions.Select(places + m_parts.firstPosition), sum);
    }
    if (m_parts.segments)
    {
        sum = sum + m_segments.Select(layout.Pack(GetSegments(tokens, m_parts.end)));
    }
    if (m_parts.norm)
    {
        sum = m_norms.front().Forward(sum);
    }
    if (!m_parts.dropout)
    {
        return sum;
    }
    return dropout.Apply(sum, layout, TorchDropout::EMBEDDING);
}

TorchEncoderBlock::TorchEncoderBlock(const ModelConfig& config,
                                     TorchParameterReader& reader,
                                     const EncoderBlockStyle& style)
    : m_dropsProbabilities(style.dropsProbabilities),
      m_attention(config.heads, reader),
      m_feedForward(style.activation, reader),
      m_attentionResidual(config, reader),
      m_outputResidual(config, reader)
{
}

at::Tensor
TorchEncoderBlock::Forward(const at::Tensor& rows,
                           const TorchRows& layout,
                           const TorchSequence& sequence,
                           const TorchDropout& dropout) const
{
    const auto ofProbabilities = m_dropsProbabilities ? dropout : TorchDropout();
    const auto attend = [&](const at::Tensor& x) {
        return dropout.Apply(
            m_attention.Forward(x, layout, sequence.mask, ofProbabilities, dropout),
            layout,
            TorchDropout::ATTENTION);
    };
    const auto feed = [&](const at::Tensor& x) {
        return dropout.Apply(m_feedForward.Forward(x, layout, dropout),
                             layout,
                             TorchDropout::FEED_FORWARD);
    };
    return m_outputResidual.Forward(m_attentionResidual.Forward(rows, attend), feed);
}

TorchDecoderBlock::TorchDecoderBlock(const ModelConfig& config, TorchParameterReader& reader)
    : m_selfAttention(config.heads, reader),
      m_crossAttention(config.heads, reader),
      m_feedForward(TorchActivation::RELU, reader),
      m_selfResidual(config, reader),
      m_crossResidual(config, reader),
      m_outputResidual(config, reader)
{
}

at::Tensor
TorchDecoderBlock::Forward(const at::Tensor& rows,
                           const TorchRows& layout,
                           const at::Tensor& memory,
                           const TorchRows& memoryLayout,
                           const at::Tensor& causal,
                           const at::Tensor& padding,
                           const TorchDropout& dropout) const
{
    const auto attend = [&](const at::Tensor& x) {
        return dropout.Apply(m_selfAttention.Forward(x, layout, causal),
                             layout,
                             TorchDropout::ATTENTION);
    };
    const auto attendToMemory = [&](const at::Tensor& x) {
        return dropout.Apply(m_crossAttention.Forward(x, layout, memory, memoryLayout, padding),
                             layout,
                             TorchDropout::CROSS_ATTENTION);
    };
    const auto feed = [&](const at::Tensor& x) {
        return dropout.Apply(m_feedForward.Forward(x, layout), layout, TorchDropout::FEED_FORWARD);
    };
    const auto own = m_selfResidual.Forward(rows, attend);
    return m_outputResidual.Forward(m_crossResidual.Forward(own, attendToMemory), feed);
}

TorchPast
TorchDecoderBlock::Project(const at::Tensor& memory, const TorchRows& memoryLayout) const
{
    return m_crossAttention.Project(memory, memoryLayout);
}

at::Tensor
TorchDecoderBlock::Step(const at::Tensor& rows,
                        TorchPast& past,
                        const TorchPast& memory,
                        const at::Tensor& padding) const
{
    const auto attend = [&](const at::Tensor& x) { return m_selfAttention.Step(x, past); };
    const auto attendToMemory = [&](const at::Tensor& x) {
        return m_crossAttention.Step(x, memory, padding);
    };
    const TorchRows layout(rows.size(0), 1);
    const auto feed = [&](const at::Tensor& x) { return m_feedForward.Forward(x, layout); };
    const auto own = m_selfResidual.Forward(rows, attend);
    return m_outputResidual.Forward(m_crossResidual.Forward(own, attendToMemory), feed);
}

at::Tensor
MakePadding(const at::Tensor& tokens, int32_t pad)
{
    return (pad < 0 ? tokens.lt(0) : tokens.eq(pad)).to(at::kByte);
}

at::Tensor
CountTokensBefore(const at::Tensor& padding)
{
    const auto there = 1 - padding.to(at::kLong);
    return (there.cumsum(1) - there).clamp_min_(0);
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
