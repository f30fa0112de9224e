/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-heads.h"

#include "collapipe-model-families.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param labels [b,U] int32; PAD_TOKEN is no label
 * @return where no label comes any more, [b,U] uint8
 */
at::Tensor
FindEnds(const at::Tensor& labels)
{
    const auto there = labels.ne(PAD_TOKEN).to(at::kInt);
    return there.flip({1}).cumsum(1).flip({1}).eq(0).to(at::kByte);
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

at::Tensor
SumCrossEntropies(const at::Tensor& logits, const at::Tensor& labels, double smoothing)
{
    return at::cross_entropy_loss(logits, labels, {}, at::Reduction::None, -100, smoothing)
        .sum(at::kDouble);
}

at::Tensor
SumClassLosses(const at::Tensor& logits, const at::Tensor& targets, double smoothing)
{
    const auto labels = targets.select(1, 1).to(at::kLong);
    const auto labelled = labels.ne(PAD_TOKEN).nonzero().flatten();
    // Class c travels as c + 1: PAD_TOKEN is no label
    return SumCrossEntropies(logits.index_select(0, labelled),
                             labels.index_select(0, labelled) - 1,
                             smoothing);
}

TorchFinalNorm::TorchFinalNorm(const ModelConfig& config, TorchParameterReader& reader)
{
    if (config.preNorm)
    {
        m_norm.emplace_back(config, reader);
    }
}

at::Tensor
TorchFinalNorm::Forward(const at::Tensor& rows) const
{
    return m_norm.empty() ? rows : m_norm.front().Forward(rows);
}

TorchDecoder::TorchDecoder(const ModelConfig& config, TorchParameterReader& reader)
    : m_heads(config.heads),
      m_skipPadding(config.skipPadding),
      m_memoryNorm(config, reader),
      m_embedding(config, reader, config.targetLength),
      m_blocks(MakeDecoderBlocks(config, reader)),
      m_outputNorm(config, reader),
      m_weight(config.tiedProjection ? m_embedding.GetTable() : reader.NextWeight()),
      m_bias(reader.Next())
{
}

at::Tensor
TorchDecoder::Generate(const at::Tensor& rows) const
{
    return m_weight.Multiply(rows, m_bias);
}

at::Tensor
TorchDecoder::Forward(const at::Tensor& memory,
                      const TorchRows& layout,
                      const at::Tensor& padding,
                      const at::Tensor& targets,
                      double labelSmoothing,
                      const TorchDropout& ofStep) const
{
    const auto dropout = ofStep.At(TorchDropout::HEAD_LINK);
    const auto labels = targets.slice(1, 1);
    const TorchRows own(FindEnds(labels), m_skipPadding, layout.GetFirstSample());
    const auto paddingMask = MakePaddingMask(layout.Trim(padding));
    const auto causalMask = MakeCausalMask(own.GetLength());
    const auto memoryRows = m_memoryNorm.Forward(memory);
    auto rows = m_embedding.Forward(targets.slice(1, 0, -1), own, dropout);
    for (size_t i = 0; i < m_blocks.size(); i++)
    {
        rows = m_blocks[i]
                   .Forward(rows, own, memoryRows, layout, causalMask, paddingMask, dropout.At(i));
    }
    rows = m_outputNorm.Forward(rows);
    // The generator is most of the decoder's work: spare it the positions without a label
    const auto rowLabels = own.Pack(labels).to(at::kLong);
    const auto labelled = rowLabels.ne(PAD_TOKEN).nonzero().flatten();
    return SumCrossEntropies(Generate(rows.index_select(0, labelled)),
                             rowLabels.index_select(0, labelled),
                             labelSmoothing);
}

TorchDecoder::State
TorchDecoder::Begin(const at::Tensor& memory,
                    const TorchRows& layout,
                    const at::Tensor& padding) const
{
    State state;
    state.past.resize(m_blocks.size());
    state.padding = MakePaddingMask(layout.Trim(padding));
    const auto rows = m_memoryNorm.Forward(memory);
    for (const auto& block : m_blocks)
    {
        state.memory.push_back(block.Project(rows, layout));
    }
    return state;
}

at::Tensor
TorchDecoder::Step(const at::Tensor& tokens, State& state) const
{
    auto rows = m_embedding.Step(tokens, state.position++);
    for (size_t i = 0; i < m_blocks.size(); i++)
    {
        rows = m_blocks[i].Step(rows, state.past[i], state.memory[i], state.padding);
    }
    return Generate(m_outputNorm.Forward(rows)).log_softmax(-1);
}

void
TorchDecoder::Select(State& state, const at::Tensor& index) const
{
    const auto select = [&](const at::Tensor& tensor) {
        const auto sizes = tensor.sizes().vec();
        return tensor.view({-1, m_heads, sizes[1], sizes[2]})
            .index_select(0, index)
            .view({-1, sizes[1], sizes[2]});
    };
    for (auto& past : state.past)
    {
        past.keys = select(past.keys);
        past.values = select(past.values);
    }
}

TorchPooledClassifier::TorchPooledClassifier(const ModelConfig& config,
                                             TorchParameterReader& reader,
                                             Pooling pooling)
    : m_padLeft(config.padLeft),
      m_pooling(pooling),
      m_memoryNorm(config, reader),
      m_pooler(reader),
      m_classifier(reader)
{
}

at::Tensor
TorchPooledClassifier::Classify(const at::Tensor& memory,
                                const TorchRows& layout,
                                const at::Tensor& padding,
                                const TorchDropout& ofStep) const
{
    const auto dropout = ofStep.At(TorchDropout::HEAD_LINK);
    const auto grid = layout.Spread(memory).view({layout.GetSamples(), layout.GetLength(), -1});
    at::Tensor tokens = grid.select(1, 0);
    if (m_padLeft)
    {
        const auto places = layout.Trim(padding).to(at::kLong).sum(1) +
                            at::arange(grid.size(0), at::kLong) * grid.size(1);
        tokens = grid.flatten(0, 1).index_select(0, places);
    }
    const auto first = m_memoryNorm.Forward(tokens);
    const TorchRows one(layout.GetSamples(), 1, layout.GetFirstSample());
    const auto linear = m_pooler.Forward(first, one, dropout);
    const auto pooled = m_pooling == TANH ? linear.tanh() : linear.relu();
    // A copy, since the gradient takes the result, which dropout would write over
    const auto kept = dropout.Apply(pooled.clone(), one, TorchDropout::POOLER);
    return m_classifier.Forward(kept, one, dropout);
}

at::Tensor
TorchPooledClassifier::Forward(const at::Tensor& memory,
                               const TorchRows& layout,
                               const at::Tensor& padding,
                               const at::Tensor& targets,
                               double labelSmoothing,
                               const TorchDropout& dropout) const
{
    return SumClassLosses(Classify(memory, layout, padding, dropout), targets, labelSmoothing);
}

TorchMaskedLanguageHead::TorchMaskedLanguageHead(const ModelConfig& config,
                                                 TorchParameterReader& reader)
    : m_activation(ParseActivation(GetActivation(config, "gelu"))),
      m_memoryNorm(config, reader),
      m_transform(reader),
      m_norm(config, reader),
      m_projection(reader)
{
}

at::Tensor
TorchMaskedLanguageHead::Forward(const at::Tensor& memory,
                                 const TorchRows& layout,
                                 const at::Tensor& /* padding */,
                                 const at::Tensor& targets,
                                 double labelSmoothing,
                                 const TorchDropout& ofStep) const
{
    const auto labels = layout.Pack(targets.slice(1, 1)).to(at::kLong);
    const auto masked = labels.ne(PAD_TOKEN).nonzero().flatten();
    return SumCrossEntropies(Predict(memory, layout, masked, ofStep),
                             labels.index_select(0, masked),
                             labelSmoothing);
}

at::Tensor
TorchMaskedLanguageHead::Predict(const at::Tensor& memory,
                                 const TorchRows& layout,
                                 const at::Tensor& wanted,
                                 const TorchDropout& ofStep) const
{
    const auto dropout = ofStep.At(TorchDropout::HEAD_LINK);
    const auto own = layout.Select(wanted);
    const auto rows = m_memoryNorm.Forward(memory.index_select(0, wanted));
    const auto active = Activate(m_activation, m_transform.Forward(rows, own, dropout));
    return m_projection.Forward(m_norm.Forward(active), own, dropout);
}

} // namespace collapipe
} // namespace ns3
