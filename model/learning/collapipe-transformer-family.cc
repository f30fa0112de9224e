/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-families.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * The encoder-decoder Transformer of Vaswani et al., "Attention Is All You Need". Let D be the
 * width, F the feed-forward width, V the vocabulary.
 *
 * - Embedding: table [V,D].
 * - Encoder block: fused query, key, value [3D,D]; attention output [D,D]; feed-forward [F,D],
 *   [D,F]; norms of the attention and of the feed-forward layers. Linear layers are weight and
 *   bias.
 * - Head, of a pre-norm model first the norm of what the encoder gives: table [V,D]; decoder
 * blocks: self attention as above, query [D,D], fused key and value [2D,D] and output [D,D] of the
 * cross attention, feed-forward, three norms; of a pre-norm model a norm; generator [V,D], or its
 * bias only where it shares the head's table.
 *
 * Other people's files have no one form of it; names are those that PyTorch's nn.Transformer gives.
 */
class TransformerFamily : public ModelFamily
{
  public:
    std::string GetName() const override
    {
        return "transformer";
    }

    std::vector<ModelHead> GetHeads() const override
    {
        return {ModelHead::TRANSLATION};
    }

    std::string Check(const ModelConfig& config) const override
    {
        if (config.decoderBlocks == 0)
        {
            return "The model needs at least one encoder block and one decoder block.";
        }
        if (config.edgeBlocks > 0)
        {
            return "A Transformer's edge server holds its decoder and no encoder blocks.";
        }
        return CheckActivation(config, {"relu"});
    }

    void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const override
    {
        link.AddTable("encoder.embedding.weight", config.vocabulary);
        link.AddLookups(2.0 * config.sourceLength * config.width);
    }

    void DescribeBlock(const ModelConfig& config,
                       uint32_t block,
                       LinkDescription& link) const override
    {
        const std::string name = "encoder.layers." + std::to_string(block) + ".";
        const double rows = config.sourceLength;
        const double width = config.width;
        const auto attention = AddSelfAttention(config, name, rows, link);
        const LinearMap inner{{{name + "linear1", config.feedForward}}, config.width, rows};
        const LinearMap outer{{{name + "linear2", config.width}}, config.feedForward, rows};
        link.AddLinear(inner);
        link.AddLinear(outer);
        link.AddNorm(name + "norm1");
        link.AddNorm(name + "norm2");
        // Query, key and value, probabilities; the attention's result
        link.Keep(3 * rows * width + config.heads * rows * rows);
        link.KeepInput(rows * width, attention.front());
        link.KeepInput(rows * width, attention.back());
        // Both norms' inputs with mean and reciprocal deviation
        link.Keep(2 * rows * (width + 2));
        // ReLU's gradient takes its result, which is the outer layer's input
        link.KeepInput(rows * width, inner);
        link.Keep(rows * config.feedForward);
        if (config.dropout > 0)
        {
            link.Keep(2 * rows * width); // the masks of both sums
        }
    }

    void DescribeHead(const ModelConfig& config, LinkDescription& link) const override
    {
        const double rows = config.targetLength;
        if (config.preNorm)
        {
            link.AddNorm("encoder.norm");
        }
        link.AddTable("decoder.embedding.weight", config.vocabulary);
        link.AddLookups(2 * rows * config.width);
        for (uint32_t i = 0; i < config.decoderBlocks; i++)
        {
            DescribeDecoderBlock(config, "decoder.layers." + std::to_string(i) + ".", link);
        }
        if (config.preNorm)
        {
            link.AddNorm("decoder.norm");
        }
        if (config.tiedProjection)
        {
            link.AddBias("generator.bias", config.vocabulary);
            link.AddProduct(2 * rows * config.width * config.vocabulary);
            return;
        }
        link.AddLinear({{{"generator", config.vocabulary}}, config.width, rows});
    }

    InitialValues GetInitialValues(const ModelConfig& /* config */,
                                   const ParameterPlace& place) const override
    {
        const auto& shape = place.shape.shape;
        switch (place.kind)
        {
        case ParameterKind::TABLE: // of unit variance after the scaling with sqrt(width)
            return {InitialValues::NORMAL, 1 / std::sqrt(double(shape[1]))};
        case ParameterKind::MATRIX: // Xavier (Glorot and Bengio 2010)
            return {InitialValues::UNIFORM, std::sqrt(6.0 / double(shape[0] + shape[1]))};
        default:
            break;
        }
        return {InitialValues::CONSTANT, place.kind == ParameterKind::NORM_WEIGHT ? 1.0 : 0.0};
    }

    std::vector<NamedSize> GetSizes() const override
    {
        return {{"nano", 8, 64, 4, 256},
                {"tiny", 8, 128, 2, 512},
                {"mini", 8, 256, 4, 1024},
                {"small", 8, 512, 8, 2048},
                {"base", 6, 512, 8, 2048},
                {"big", 6, 1024, 16, 4096},
                {"pico", 4, 32, 2, 64}};
    }

    std::vector<std::string> GetAdapterTargets() const override
    {
        return {"in_proj"};
    }

  private:
    /// @return the maps into and out of the attention
    static std::vector<LinearMap> AddSelfAttention(const ModelConfig& config,
                                                   const std::string& name,
                                                   double rows,
                                                   LinkDescription& link)
    {
        const uint32_t width = config.width;
        std::vector<LinearMap> maps{{{{name + "self_attn.in_proj", 3 * width}}, width, rows},
                                    {{{name + "self_attn.out_proj", width}}, width, rows}};
        link.AddLinear(maps.front());
        link.AddLinear(maps.back());
        link.AddAttention(rows, rows, width);
        return maps;
    }

    static void DescribeDecoderBlock(const ModelConfig& config,
                                     const std::string& name,
                                     LinkDescription& link)
    {
        const uint32_t width = config.width;
        const double rows = config.targetLength;
        const double memory = config.sourceLength;
        AddSelfAttention(config, name, rows, link);
        link.AddLinear({{{name + "multihead_attn.query", width}}, width, rows});
        link.AddLinear({{{name + "multihead_attn.key_value", 2 * width}}, width, memory});
        link.AddLinear({{{name + "multihead_attn.out_proj", width}}, width, rows});
        link.AddAttention(rows, memory, width);
        link.AddLinear({{{name + "linear1", config.feedForward}}, width, rows});
        link.AddLinear({{{name + "linear2", width}}, config.feedForward, rows});
        for (const char* norm : {"norm1", "norm2", "norm3"})
        {
            link.AddNorm(name + norm);
        }
    }
};

} // namespace

std::unique_ptr<ModelFamily>
MakeTransformerFamily()
{
    return std::make_unique<TransformerFamily>();
}

} // namespace collapipe
} // namespace ns3
