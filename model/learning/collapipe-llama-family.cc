/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-causal-family.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Llama (Touvron et al. 2023) and what is alike (SmolLM, TinyLlama, Qwen2): RMSNorm before the
 * layers, rotary positions, keys and values that heads share, SwiGLU. Let D be the width, F the
 * feed-forward width, V the vocabulary, E the width of all heads' queries, G that of all keys, C
 * the classes.
 *
 * - Embedding: table [V,D].
 * - Block: norm; fused query, key, value [E+2G,D]; attention output [D,E]; norm; fused gate and
 *   value of the feed-forward layers [2F,D]; their output [D,F]. Norms have no bias; linear layers
 *   have one where the model says so.
 * - Head: the edge server's blocks; norm; projection [V,D] or classifier [C,D], without bias.
 */
class LlamaFamily : public CausalFamily
{
  public:
    std::string GetName() const override
    {
        return "llama";
    }

    std::string Check(const ModelConfig& config) const override
    {
        if (config.GetHeadWidth() % 2 != 0)
        {
            return "Rotary positions need heads of an even width.";
        }
        if (!(config.rotaryBase > 0) || !(config.rotaryStretch.factor > 0))
        {
            return "The base and the stretching of rotary positions must be positive.";
        }
        return CheckActivation(config, {"silu"});
    }

    void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const override
    {
        link.AddTable("model.embed_tokens.weight", config.vocabulary, IsTied(config));
        link.AddLookups(double(config.sourceLength) * config.width);
    }

    void DescribeBlock(const ModelConfig& config,
                       uint32_t block,
                       LinkDescription& link) const override
    {
        const std::string name = "model.layers." + std::to_string(block) + ".";
        const uint32_t width = config.width;
        const uint32_t queries = config.heads * config.GetHeadWidth();
        const uint32_t keys = config.GetKeyValueHeads() * config.GetHeadWidth();
        const uint32_t inner = config.feedForward;
        const double rows = config.sourceLength;
        LinearMap projection{{{name + "self_attn.q_proj", queries},
                              {name + "self_attn.k_proj", keys},
                              {name + "self_attn.v_proj", keys}},
                             width,
                             rows,
                             config.queryBias};
        LinearMap output{{{name + "self_attn.o_proj", width}}, queries, rows, config.outputBias};
        LinearMap gate{{{name + "mlp.gate_proj", inner}, {name + "mlp.up_proj", inner}},
                       width,
                       rows,
                       config.feedForwardBias};
        LinearMap down{{{name + "mlp.down_proj", width}}, inner, rows, config.feedForwardBias};
        link.AddNorm(name + "input_layernorm", false);
        link.AddLinear(projection);
        link.AddAttention(rows, rows, queries);
        link.AddLinear(output);
        link.AddNorm(name + "post_attention_layernorm", false);
        link.AddLinear(gate);
        link.AddLinear(down);
        link.Keep(2 * rows * (width + 1.0)); // norms' inputs and reciprocal root mean squares
        link.KeepInput(rows * width, projection);
        // Query, key, value; probabilities
        link.Keep(rows * (queries + 2.0 * keys) + config.heads * rows * rows);
        link.KeepInput(rows * queries, output);
        link.KeepInput(rows * width, gate);
        link.Keep(2 * rows * inner);
        link.KeepInput(rows * inner, down);
        if (config.dropout > 0)
        {
            link.Keep(2 * config.heads * rows * rows); // a mask, probabilities before and after
        }
    }

    std::vector<NamedSize> GetSizes() const override
    {
        return {{"nano", 8, 64, 4, 172}, {"tiny", 8, 128, 4, 344}, {"mini", 8, 256, 4, 688}};
    }

    std::vector<std::string> GetAdapterTargets() const override
    {
        return {"q_proj", "v_proj"};
    }

    std::string GetForeignPrefix() const override
    {
        return "model.";
    }

  protected:
    void DescribeFinalNorm(LinkDescription& link) const override
    {
        link.AddNorm("model.norm", false);
    }

    std::string GetTableName() const override
    {
        return "model.embed_tokens";
    }
};

} // namespace

std::unique_ptr<ModelFamily>
MakeLlamaFamily()
{
    return std::make_unique<LlamaFamily>();
}

} // namespace collapipe
} // namespace ns3
