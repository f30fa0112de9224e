/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-families.h"
#include "collapipe-sample-form.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// What BERT and DistilBERT call their parts
struct BertNames
{
    const char* family;                   //!< the family
    const char* prefix;                   //!< of all names
    bool hasSegments;                     //!< there may be a table of segments
    const char* layers;                   //!< blocks
    std::vector<const char*> projections; //!< query, key, value
    const char* output;                   //!< of the attention
    const char* inner;                    //!< first feed-forward layer
    const char* outer;                    //!< second
    const char* attentionNorm;            //!< of the attention's sum
    const char* feedForwardNorm;          //!< of the feed-forward layers' sum
    const char* pooler;                   //!< of a classification
    bool isPoolerNew;                     //!< no model has it before it learns a task
    const char* transform;                //!< of masked language
    const char* transformNorm;            //!< likewise
    const char* projection;               //!< likewise
    const char* projectionBias;           //!< likewise
    std::vector<std::string> targets;     //!< of adapters
};

/// @return those of BERT
BertNames
GetBertNames()
{
    return {"bert",
            "bert.",
            true,
            "encoder.layer.",
            {"attention.self.query", "attention.self.key", "attention.self.value"},
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
            "attention.output.LayerNorm",
            "output.LayerNorm",
            "bert.pooler.dense",
            false, // it was trained to tell whether sentences follow each other
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.decoder",
            "cls.predictions.bias",
            {"query", "value"}};
}

/// @return those of DistilBERT
BertNames
GetDistilBertNames()
{
    return {"distilbert",
            "distilbert.",
            false,
            "transformer.layer.",
            {"attention.q_lin", "attention.k_lin", "attention.v_lin"},
            "attention.out_lin",
            "ffn.lin1",
            "ffn.lin2",
            "sa_layer_norm",
            "output_layer_norm",
            "pre_classifier",
            true,
            "vocab_transform",
            "vocab_layer_norm",
            "vocab_projector",
            "vocab_projector.bias",
            {"q_lin", "v_lin"}};
}

/**
 * BERT (Devlin et al. 2019): an encoder with learnt position and segment embeddings and GELU. Let D
 * be the width, F the feed-forward width, V the vocabulary, T the positions, C the classes.
 *
 * - Embedding: table [V,D], positions [T,D], segments [2,D] (there may be none, as in DistilBERT),
 * a norm.
 * - Block: fused query, key, value [3D,D]; attention output [D,D]; feed-forward [F,D], [D,F]; norms
 *   of the attention and of the feed-forward layers. Linear layers are weight and bias.
 * - Head, of a pre-norm model first the norm of what the encoder gives. Classification: pooler
 *   [D,D], classifier [C,D]. Masked language: transform [D,D], norm, projection [V,D], which may be
 *   the embedding's table.
 *
 * DistilBERT (Sanh et al. 2019) is the same without segments, with ReLU in the pooler.
 *
 * An input is the begin token (BERT's [CLS]), a text, the end token (its [SEP]), and optionally a
 * second text with the end token; what comes after the first end token is segment 1. To predict
 * masked tokens, a model of one's own vocabulary has one token more than the pieces of its
 * tokenizer, the last: [MASK].
 */
class BertFamily : public ModelFamily
{
  public:
    /// @param names of its parts
    explicit BertFamily(BertNames names)
        : m_names(std::move(names))
    {
    }

    std::string GetName() const override
    {
        return m_names.family;
    }

    std::vector<ModelHead> GetHeads() const override
    {
        return {ModelHead::MASKED_LANGUAGE, ModelHead::CLASSIFICATION};
    }

    std::string Check(const ModelConfig& config) const override
    {
        if (config.sourceLength < GetLeastInput())
        {
            return "A BERT input has at least 3 tokens: its first and last have a meaning of their "
                   "own.";
        }
        if (config.GetPositions() < config.sourceLength)
        {
            return "The model knows " + std::to_string(config.GetPositions()) +
                   " positions, which is less than the tokens of a text.";
        }
        if (config.tiedProjection && config.head != ModelHead::MASKED_LANGUAGE)
        {
            return "A classifier has no projection that could share the embedding's table.";
        }
        if (config.edgeBlocks > 0)
        {
            return "A BERT's edge server holds its head and no blocks.";
        }
        return CheckActivation(config, {"gelu", "gelu_new", "relu", "silu"});
    }

    void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const override
    {
        const std::string name = std::string(m_names.prefix) + "embeddings.";
        link.AddTable(name + "word_embeddings.weight", config.vocabulary, config.tiedProjection);
        link.AddTable(name + "position_embeddings.weight", config.GetPositions());
        if (m_names.hasSegments && config.segments > 0)
        {
            link.AddTable(name + "token_type_embeddings.weight", config.segments);
        }
        link.AddNorm(name + "LayerNorm");
        link.AddLookups(2.0 * config.sourceLength * config.width);
    }

    void DescribeBlock(const ModelConfig& config,
                       uint32_t block,
                       LinkDescription& link) const override
    {
        const std::string name =
            std::string(m_names.prefix) + m_names.layers + std::to_string(block) + ".";
        const uint32_t width = config.width;
        const double rows = config.sourceLength;
        const double row = rows * width;
        LinearMap projection{{}, width, rows};
        for (const auto* module : m_names.projections)
        {
            projection.modules.emplace_back(name + module, width);
        }
        const LinearMap output{{{name + m_names.output, width}}, width, rows};
        const LinearMap inner{{{name + m_names.inner, config.feedForward}}, width, rows};
        const LinearMap outer{{{name + m_names.outer, width}}, config.feedForward, rows};
        link.AddLinear(projection);
        link.AddLinear(output);
        link.AddAttention(rows, rows, width);
        link.AddLinear(inner);
        link.AddLinear(outer);
        link.AddNorm(name + m_names.attentionNorm);
        link.AddNorm(name + m_names.feedForwardNorm);
        // Query, key and value, probabilities; the attention's result; both norms' inputs with mean
        // and reciprocal deviation; the activation's input and result
        link.Keep(3 * row + config.heads * rows * rows);
        link.KeepInput(row, projection);
        link.KeepInput(row, output);
        link.Keep(2 * rows * (width + 2.0));
        link.KeepInput(row, inner);
        link.Keep(rows * config.feedForward);
        if (GetActivation(config, "gelu") != "relu")
        {
            link.KeepInput(rows * config.feedForward, outer);
        }
        if (config.dropout > 0)
        {
            // The masks of both sums; a mask, and probabilities before and after
            link.Keep(2 * row + 2 * config.heads * rows * rows);
        }
    }

    void DescribeHead(const ModelConfig& config, LinkDescription& link) const override
    {
        const uint32_t width = config.width;
        if (config.preNorm)
        {
            link.AddNorm(std::string(m_names.prefix) + "encoder.norm");
        }
        if (config.head == ModelHead::CLASSIFICATION)
        {
            LinearMap pooler{{{m_names.pooler, width}}, width, 1};
            LinearMap classifier{{{"classifier", config.classes}}, width, 1};
            pooler.isTaskHead = m_names.isPoolerNew || config.newPooler;
            classifier.isTaskHead = true;
            link.AddLinear(pooler);
            link.AddLinear(classifier);
            return;
        }
        const double masked = CountMaskedTokens(config.sourceLength);
        link.AddLinear({{{m_names.transform, width}}, width, masked});
        link.AddNorm(m_names.transformNorm);
        LinearMap projection{{{m_names.projection, config.vocabulary}}, width, masked};
        projection.isTied = config.tiedProjection;
        projection.biasName = m_names.projectionBias;
        link.AddLinear(projection);
    }

    InitialValues GetInitialValues(const ModelConfig& config,
                                   const ParameterPlace& place) const override
    {
        constexpr uint32_t NARROWEST = 128; // of Turc et al. 2019
        const auto& shape = place.shape.shape;
        if (place.kind == ParameterKind::MATRIX && config.width < NARROWEST)
        {
            // There, with 0.02, next to nothing of the other tokens would reach the first one.
            return {InitialValues::UNIFORM, std::sqrt(6.0 / double(shape[0] + shape[1]))};
        }
        if (place.kind == ParameterKind::TABLE || place.kind == ParameterKind::MATRIX)
        {
            return {InitialValues::NORMAL, 0.02}; // Devlin et al. 2019
        }
        return {InitialValues::CONSTANT, place.kind == ParameterKind::NORM_WEIGHT ? 1.0 : 0.0};
    }

    std::vector<int32_t> GetInput(const ModelConfig& config, const Sample& sample) const override
    {
        std::vector<int32_t> tokens{config.special.begin};
        tokens.insert(tokens.end(), sample.source.begin(), sample.source.end());
        if (tokens.size() > config.sourceLength)
        {
            tokens.resize(config.sourceLength);
            tokens.back() = config.special.end;
        }
        return tokens;
    }

    std::size_t CountInput(const Sample& sample) const override
    {
        return sample.source.size() + 1;
    }

    uint32_t GetLeastInput() const override
    {
        return 3;
    }

    std::vector<NamedSize> GetSizes() const override
    {
        // Turc et al. 2019; nano and pico are the module's own
        return {{"tiny", 2, 128, 2, 512},
                {"mini", 4, 256, 4, 1024},
                {"small", 4, 512, 8, 2048},
                {"medium", 8, 512, 8, 2048},
                {"base", 12, 768, 12, 3072},
                {"nano", 8, 64, 4, 256},
                {"pico", 4, 32, 2, 64}};
    }

    std::vector<std::string> GetAdapterTargets() const override
    {
        return m_names.targets;
    }

    std::string GetForeignPrefix() const override
    {
        return m_names.prefix;
    }

  private:
    BertNames m_names; //!< of its parts
};

} // namespace

std::unique_ptr<ModelFamily>
MakeBertFamily()
{
    return std::make_unique<BertFamily>(GetBertNames());
}

std::unique_ptr<ModelFamily>
MakeDistilBertFamily()
{
    return std::make_unique<BertFamily>(GetDistilBertNames());
}

} // namespace collapipe
} // namespace ns3
