/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-layers.h"

#include "collapipe-random-key.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// Links of the chain that are no encoder blocks, for random streams
constexpr uint64_t EMBEDDING_LINK = UINT64_MAX;
constexpr uint64_t HEAD_LINK = UINT64_MAX - 1;

} // namespace

TorchLayers::TorchLayers(const ModelConfig& config,
                         const PartRange& part,
                         const std::vector<at::Tensor>& parameters)
    : m_dropout(config.dropout),
      m_labelSmoothing(config.labelSmoothing),
      m_firstBlock(part.firstBlock)
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
        m_head = MakeTorchHead(config, reader);
    }
}

TorchDropout
TorchLayers::GetDropout(const TrainingPosition& position) const
{
    return TorchDropout(m_dropout, MakeRandomKey({position.stream, position.step}));
}

at::Tensor
TorchLayers::Embed(const at::Tensor& tokens,
                   const TorchRows& layout,
                   const TorchDropout& dropout) const
{
    return m_embedding.front().Forward(tokens, layout, dropout.At(EMBEDDING_LINK));
}

at::Tensor
TorchLayers::Encode(at::Tensor rows,
                    const TorchRows& layout,
                    const at::Tensor& padding,
                    const TorchDropout& dropout) const
{
    const auto mask = MakePaddingMask(layout.Trim(padding));
    for (size_t i = 0; i < m_blocks.size(); i++)
    {
        rows = m_blocks[i].Forward(rows, layout, mask, dropout.At(m_firstBlock + i));
    }
    return rows;
}

at::Tensor
TorchLayers::Decode(const at::Tensor& memory,
                    const TorchRows& layout,
                    const at::Tensor& padding,
                    const at::Tensor& targets,
                    const TorchDropout& dropout) const
{
    return m_head->Forward(memory,
                           layout,
                           padding,
                           targets,
                           m_labelSmoothing,
                           dropout.At(HEAD_LINK));
}

const TorchHead&
TorchLayers::GetHead() const
{
    return *m_head;
}

} // namespace collapipe
} // namespace ns3
