/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-families.h"
#include "collapipe-torch-family.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * The Transformer of Vaswani et al., "Attention Is All You Need".
 */
class TorchTransformer : public TorchFamily
{
  public:
    std::string GetName() const override
    {
        return "transformer";
    }

    std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchEmbedding>(config,
                                                reader,
                                                config.sourceLength,
                                                config.padLeft);
    }

    std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchEncoderBlock>(config, reader);
    }

    std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                        TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchDecoder>(config, reader);
    }
};

/**
 * The BERT of Devlin et al. 2019, and DistilBERT.
 */
class TorchBert : public TorchFamily
{
  public:
    /**
     * @param name of the family
     * @param hasSegments it may have a table of segments
     * @param pooling activation of a classifier's pooler
     */
    TorchBert(const char* name, bool hasSegments, TorchPooledClassifier::Pooling pooling)
        : m_name(name),
          m_hasSegments(hasSegments),
          m_pooling(pooling)
    {
    }

    std::string GetName() const override
    {
        return m_name;
    }

    std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        LearntEmbeddingParts parts;
        parts.positions = true;
        parts.segments = m_hasSegments && config.segments > 0;
        parts.norm = true;
        parts.end = config.special.end;
        return std::make_unique<TorchLearntEmbedding>(config, reader, parts);
    }

    std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        EncoderBlockStyle style;
        style.activation = ParseActivation(GetActivation(config, "gelu"));
        style.dropsProbabilities = true;
        return std::make_unique<TorchEncoderBlock>(config, reader, style);
    }

    std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                        TorchParameterReader& reader) const override
    {
        if (config.head == ModelHead::CLASSIFICATION)
        {
            return std::make_unique<TorchPooledClassifier>(config, reader, m_pooling);
        }
        return std::make_unique<TorchMaskedLanguageHead>(config, reader);
    }

  private:
    const char* m_name;                       //!< of the family
    bool m_hasSegments;                       //!< it may have a table of segments
    TorchPooledClassifier::Pooling m_pooling; //!< activation of the pooler
};

} // namespace

std::unique_ptr<TorchFamily>
MakeTorchTransformer()
{
    return std::make_unique<TorchTransformer>();
}

std::unique_ptr<TorchFamily>
MakeTorchBert()
{
    return std::make_unique<TorchBert>("bert", true, TorchPooledClassifier::TANH);
}

std::unique_ptr<TorchFamily>
MakeTorchDistilBert()
{
    return std::make_unique<TorchBert>("distilbert", false, TorchPooledClassifier::RELU);
}

} // namespace collapipe
} // namespace ns3
