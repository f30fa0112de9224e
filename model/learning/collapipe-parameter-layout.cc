/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-parameter-layout.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// Segments of a BERT input: first and second text
constexpr uint32_t TEXT_SEGMENTS = 2;

/**
 * Writes down the parameters of the pieces that models are made of.
 */
class LayoutWriter
{
  public:
    /**
     * @param config the model
     */
    explicit LayoutWriter(const ModelConfig& config)
        : m_config(config)
    {
    }

    /// The embedding that the control unit holds.
    void AddEmbedding()
    {
        const uint32_t width = m_config.width;
        Add(ParameterKind::TABLE, {m_config.vocabulary, width});
        if (m_config.IsBert())
        {
            Add(ParameterKind::TABLE, {m_config.sourceLength, width});
            Add(ParameterKind::TABLE, {TEXT_SEGMENTS, width});
            AddNorm();
        }
    }

    /// An encoder block.
    void AddEncoderBlock()
    {
        AddSelfAttention();
        AddFeedForward();
        AddNorm();
        AddNorm();
    }

    /// What the edge server holds.
    void AddHead()
    {
        if (m_config.preNorm)
        {
            AddNorm();
        }
        switch (m_config.head)
        {
        case ModelHead::TRANSLATION:
            AddDecoder();
            return;
        case ModelHead::CLASSIFICATION:
            AddLinear(m_config.width, m_config.width);
            AddLinear(m_config.classes, m_config.width);
            return;
        case ModelHead::MASKED_LANGUAGE:
            AddLinear(m_config.width, m_config.width);
            AddNorm();
            AddLinear(m_config.vocabulary, m_config.width);
            return;
        }
    }

    /// @return what was written
    std::vector<ParameterPlace> Take()
    {
        return std::move(m_places);
    }

  private:
    void Add(ParameterKind kind, std::vector<uint32_t> extents)
    {
        m_places.push_back({kind, TensorData::MakeVirtual(DType::FLOAT32, std::move(extents))});
    }

    void AddLinear(uint32_t outputs, uint32_t inputs)
    {
        Add(ParameterKind::MATRIX, {outputs, inputs});
        Add(ParameterKind::BIAS, {outputs});
    }

    void AddNorm()
    {
        Add(ParameterKind::NORM_WEIGHT, {m_config.width});
        Add(ParameterKind::BIAS, {m_config.width});
    }

    void AddSelfAttention()
    {
        AddLinear(3 * m_config.width, m_config.width);
        AddLinear(m_config.width, m_config.width);
    }

    void AddFeedForward()
    {
        AddLinear(m_config.feedForward, m_config.width);
        AddLinear(m_config.width, m_config.feedForward);
    }

    void AddDecoderBlock()
    {
        AddSelfAttention();
        AddLinear(m_config.width, m_config.width);
        AddLinear(2 * m_config.width, m_config.width);
        AddLinear(m_config.width, m_config.width);
        AddFeedForward();
        AddNorm();
        AddNorm();
        AddNorm();
    }

    void AddDecoder()
    {
        Add(ParameterKind::TABLE, {m_config.vocabulary, m_config.width});
        for (uint32_t i = 0; i < m_config.decoderBlocks; i++)
        {
            AddDecoderBlock();
        }
        if (m_config.preNorm)
        {
            AddNorm();
        }
        if (m_config.tiedProjection)
        {
            Add(ParameterKind::BIAS, {m_config.vocabulary});
        }
        else
        {
            AddLinear(m_config.vocabulary, m_config.width);
        }
    }

    const ModelConfig& m_config;          //!< the model
    std::vector<ParameterPlace> m_places; //!< so far
};

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

} // namespace

std::vector<ParameterPlace>
GetParameterLayout(const ModelConfig& config, const PartRange& part)
{
    const std::string configFault = config.Check();
    NS_ABORT_MSG_IF(!configFault.empty(), configFault);
    const std::string partFault = CheckPart(part, config.encoderBlocks);
    NS_ABORT_MSG_IF(!partFault.empty(), "Not a part of the model: " << partFault);
    LayoutWriter writer(config);
    if (part.embedding)
    {
        writer.AddEmbedding();
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        writer.AddEncoderBlock();
    }
    if (part.decoder)
    {
        writer.AddHead();
    }
    return writer.Take();
}

TensorList
GetParameterShapes(const ModelConfig& config, const PartRange& part)
{
    TensorList shapes;
    for (auto& place : GetParameterLayout(config, part))
    {
        shapes.push_back(std::move(place.shape));
    }
    return shapes;
}

} // namespace collapipe
} // namespace ns3
