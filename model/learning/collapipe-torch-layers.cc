/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-layers.h"

#include "collapipe-random-key.h"

namespace ns3
{
namespace collapipe
{

TorchLayers::TorchLayers(const ModelConfig& config,
                         const PartRange& part,
                         const std::vector<at::Tensor>& parameters)
    : m_config(config),
      m_family(GetTorchFamily(config)),
      m_firstBlock(part.firstBlock)
{
    TorchParameterReader reader(config, part, parameters);
    if (part.embedding)
    {
        m_embedding = m_family.MakeInput(config, reader);
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        m_blocks.push_back(m_family.MakeBlock(config, reader));
    }
    if (part.decoder)
    {
        m_head = m_family.MakeHead(config, reader);
    }
}

TorchDropout
TorchLayers::GetDropout(const TrainingPosition& position) const
{
    return TorchDropout(m_config.dropout,
                        MakeRandomKey({position.stream, position.step}),
                        m_config.lora.dropout);
}

at::Tensor
TorchLayers::Embed(const at::Tensor& tokens,
                   const TorchRows& layout,
                   const TorchDropout& dropout) const
{
    return m_embedding->Forward(tokens, layout, dropout.At(TorchDropout::EMBEDDING_LINK));
}

at::Tensor
TorchLayers::Encode(at::Tensor rows,
                    const TorchRows& layout,
                    const at::Tensor& padding,
                    const TorchDropout& dropout) const
{
    const auto sequence = m_family.MakeSequence(m_config, layout.Trim(padding));
    for (size_t i = 0; i < m_blocks.size(); i++)
    {
        rows = m_blocks[i]->Forward(rows, layout, sequence, dropout.At(m_firstBlock + i));
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
    return m_head->Forward(memory, layout, padding, targets, m_config.labelSmoothing, dropout);
}

const TorchHead&
TorchLayers::GetHead() const
{
    return *m_head;
}

} // namespace collapipe
} // namespace ns3
