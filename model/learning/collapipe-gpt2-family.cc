/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-causal-family.h"

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

/// What GPT-2 and OPT call their parts, and what else they differ in
struct Gpt2Names
{
    const char* family;                   //!< the family
    const char* prefix;                   //!< of all names
    const char* table;                    //!< embedding
    const char* positions;                //!< table of positions
    uint32_t firstPosition;               //!< row of the first one
    const char* layers;                   //!< blocks
    const char* attentionNorm;            //!< before the attention
    std::vector<const char*> projections; //!< query, key, value: one or three
    const char* output;                   //!< of the attention
    const char* feedForwardNorm;          //!< before the feed-forward layers
    const char* inner;                    //!< first feed-forward layer
    const char* outer;                    //!< second
    const char* lastNorm;                 //!< behind the last block
    bool isTransposed;                    //!< weights are [in,out] there
    const char* activation;               //!< of the feed-forward layers
    std::vector<std::string> targets;     //!< of adapters
};

/// @return those of GPT-2
Gpt2Names
GetGpt2Names()
{
    return {"gpt2",
            "transformer.",
            "transformer.wte",
            "transformer.wpe",
            0,
            "transformer.h.",
            "ln_1",
            {"attn.c_attn"},
            "attn.c_proj",
            "ln_2",
            "mlp.c_fc",
            "mlp.c_proj",
            "transformer.ln_f",
            true,
            "gelu_new",
            {"c_attn"}};
}

/// @return those of OPT
Gpt2Names
GetOptNames()
{
    return {"opt",
            "model.",
            "model.decoder.embed_tokens",
            "model.decoder.embed_positions",
            OPT_FIRST_POSITION,
            "model.decoder.layers.",
            "self_attn_layer_norm",
            {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
            "self_attn.out_proj",
            "final_layer_norm",
            "fc1",
            "fc2",
            "model.decoder.final_layer_norm",
            false,
            "relu",
            {"q_proj", "v_proj"}};
}

/**
 * GPT-2 (Radford et al. 2019): learnt positions, norms before the layers, GELU in its tanh form, a
 * projection that is the embedding's table. Let D be the width, F the feed-forward width, V the
 * vocabulary, P the positions, C the classes.
 *
 * OPT (Zhang et al. 2022) is the same with ReLU, and two rows of positions more.
 *
 * - Embedding: table [V,D], positions [P,D].
 * - Block: norm, fused query, key, value [3D,D], attention output [D,D], norm, feed-forward [F,D],
 *   [D,F]. Linear layers are weight and bias.
 * - Head: the edge server's blocks; norm; projection [V,D] or classifier [C,D], without bias.
 */
class Gpt2Family : public CausalFamily
{
  public:
    /// @param names of its parts
    explicit Gpt2Family(Gpt2Names names)
        : m_names(std::move(names))
    {
    }

    std::string GetName() const override
    {
        return m_names.family;
    }

    std::string Check(const ModelConfig& config) const override
    {
        if (config.GetPositions() < config.sourceLength)
        {
            return "The model knows " + std::to_string(config.GetPositions()) +
                   " positions, which is less than the tokens of a text.";
        }
        if (config.GetKeyValueHeads() != config.heads ||
            config.GetHeadWidth() * config.heads != config.width)
        {
            return "A GPT-2 has as many keys and values as queries, and heads that share its "
                   "width.";
        }
        return CheckActivation(config, {"gelu_new", "gelu", "relu", "silu"});
    }

    void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const override
    {
        link.AddTable(GetTableName() + ".weight", config.vocabulary, IsTied(config));
        link.AddTable(std::string(m_names.positions) + ".weight",
                      config.GetPositions() + m_names.firstPosition);
        link.AddLookups(2.0 * config.sourceLength * config.width);
    }

    void DescribeBlock(const ModelConfig& config,
                       uint32_t block,
                       LinkDescription& link) const override
    {
        const std::string name = m_names.layers + std::to_string(block) + ".";
        const uint32_t width = config.width;
        const double rows = config.sourceLength;
        const auto map = [&](const char* module, uint32_t outputs, uint32_t inputs) {
            return LinearMap{{{name + module, outputs}}, inputs, rows, true, m_names.isTransposed};
        };
        auto projection = map("", 0, width);
        projection.modules.clear();
        for (const auto* module : m_names.projections)
        {
            const auto share = static_cast<uint32_t>(3 * width / m_names.projections.size());
            projection.modules.emplace_back(name + module, share);
        }
        const auto output = map(m_names.output, width, width);
        const auto inner = map(m_names.inner, config.feedForward, width);
        const auto outer = map(m_names.outer, width, config.feedForward);
        link.AddNorm(name + m_names.attentionNorm);
        link.AddLinear(projection);
        link.AddAttention(rows, rows, width);
        link.AddLinear(output);
        link.AddNorm(name + m_names.feedForwardNorm);
        link.AddLinear(inner);
        link.AddLinear(outer);
        const double row = rows * width;
        link.Keep(2 * rows * (width + 2.0)); // norms' inputs, mean and reciprocal deviation
        link.KeepInput(row, projection);
        link.Keep(3 * row + config.heads * rows * rows); // query, key, value; probabilities
        link.KeepInput(row, output);
        link.KeepInput(row, inner);
        link.Keep(rows * config.feedForward); // the activation's input, or ReLU's result
        if (GetActivation(config, m_names.activation) != "relu")
        {
            link.KeepInput(rows * config.feedForward, outer);
        }
        if (config.dropout > 0)
        {
            // The masks of both sums; a mask, and probabilities before and after
            link.Keep(2 * row + 2 * config.heads * rows * rows);
        }
    }

    InitialValues GetInitialValues(const ModelConfig& config,
                                   const ParameterPlace& place) const override
    {
        auto values = CausalFamily::GetInitialValues(config, place);
        const auto& name = place.sources.front().name;
        const bool isLast = name.find(std::string(m_names.output) + ".weight") != name.npos ||
                            name.find(std::string(m_names.outer) + ".weight") != name.npos;
        if (values.kind == InitialValues::NORMAL && isLast)
        {
            // What is added to the residual stream, section 2.3 of the paper
            values.scale /= std::sqrt(2.0 * config.GetAllBlocks());
        }
        return values;
    }

    std::vector<NamedSize> GetSizes() const override
    {
        return {{"nano", 8, 64, 4, 256},
                {"tiny", 8, 128, 2, 512},
                {"mini", 8, 256, 4, 1024},
                {"small", 12, 768, 12, 3072},
                {"medium", 24, 1024, 16, 4096},
                {"large", 36, 1280, 20, 5120},
                {"xl", 48, 1600, 25, 6400}};
    }

    std::vector<std::string> GetAdapterTargets() const override
    {
        return m_names.targets;
    }

    std::string GetForeignPrefix() const override
    {
        return m_names.prefix;
    }

  protected:
    void DescribeFinalNorm(LinkDescription& link) const override
    {
        link.AddNorm(m_names.lastNorm);
    }

    std::string GetTableName() const override
    {
        return m_names.table;
    }

  private:
    Gpt2Names m_names; //!< of its parts
};

} // namespace

std::unique_ptr<ModelFamily>
MakeGpt2Family()
{
    return std::make_unique<Gpt2Family>(GetGpt2Names());
}

std::unique_ptr<ModelFamily>
MakeOptFamily()
{
    return std::make_unique<Gpt2Family>(GetOptNames());
}

} // namespace collapipe
} // namespace ns3
