/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-causal.h"

#include "collapipe-sample-form.h"

namespace ns3
{
namespace collapipe
{

at::Tensor
TorchCausalHead::RunBlocks(at::Tensor rows,
                           const TorchRows& layout,
                           const at::Tensor& padding,
                           const TorchDropout& dropout) const
{
    if (m_blocks.empty())
    {
        return rows;
    }
    const auto sequence = m_family.MakeSequence(m_config, layout.Trim(padding));
    for (size_t i = 0; i < m_blocks.size(); i++)
    {
        const auto own = dropout.At(m_config.encoderBlocks + i);
        rows = m_blocks[i]->Forward(rows, layout, sequence, own);
    }
    return rows;
}

at::Tensor
TorchCausalHead::Forward(const at::Tensor& memory,
                         const TorchRows& layout,
                         const at::Tensor& padding,
                         const at::Tensor& targets,
                         double labelSmoothing,
                         const TorchDropout& dropout) const
{
    if (m_config.head == ModelHead::CLASSIFICATION)
    {
        return SumClassLosses(Classify(memory, layout, padding, dropout), targets, labelSmoothing);
    }
    const auto labels = layout.Pack(targets.slice(1, 1)).to(at::kLong);
    const auto labelled = labels.ne(NO_LABEL).nonzero().flatten();
    const auto rows = RunBlocks(memory, layout, padding, dropout).index_select(0, labelled);
    const auto place = dropout.At(TorchDropout::HEAD_LINK);
    const auto logits =
        m_projection->Forward(m_norm->Forward(rows), layout.Select(labelled), place);
    return SumCrossEntropies(logits, labels.index_select(0, labelled), labelSmoothing);
}

at::Tensor
TorchCausalHead::GetLogits(const at::Tensor& memory,
                           const TorchRows& layout,
                           const at::Tensor& padding) const
{
    const auto rows = RunBlocks(memory, layout, padding, TorchDropout());
    return m_projection->Forward(m_norm->Forward(rows), layout);
}

at::Tensor
TorchCausalHead::Classify(const at::Tensor& memory,
                          const TorchRows& layout,
                          const at::Tensor& padding,
                          const TorchDropout& dropout) const
{
    const auto rows = RunBlocks(memory, layout, padding, dropout);
    const auto there = 1 - layout.Trim(padding).to(at::kLong);
    // The last token: where most of the sample's tokens have come
    const auto last = (there * at::arange(1, there.size(1) + 1, at::kLong)).argmax(1);
    const auto first = at::arange(there.size(0), at::kLong) * there.size(1);
    const auto chosen = layout.Spread(rows).index_select(0, first + last);
    const TorchRows one(layout.GetSamples(), 1, layout.GetFirstSample());
    const auto place = dropout.At(TorchDropout::HEAD_LINK);
    return m_projection->Forward(m_norm->Forward(chosen), one, place);
}

} // namespace collapipe
} // namespace ns3
