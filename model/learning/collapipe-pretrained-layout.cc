/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Names and shapes of pretrained models' tensors, as transformers' classes save them.

#include "collapipe-pretrained-weights.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// Collects tensors in the order of the chain
class Layout
{
  public:
    /// Tensors that come next belong here.
    void Enter(PretrainedPlace place, uint32_t block = 0)
    {
        m_place = place;
        m_block = block;
    }

    void Add(const std::string& name, std::vector<uint32_t> shape, bool isOptional = false)
    {
        m_tensors.push_back({name, std::move(shape), m_place, m_block, isOptional});
    }

    /// A linear layer, [out, in]
    void AddLinear(const std::string& name,
                   uint32_t out,
                   uint32_t in,
                   bool hasBias = true,
                   bool isOptional = false)
    {
        Add(name + ".weight", {out, in}, isOptional);
        if (hasBias)
        {
            Add(name + ".bias", {out}, isOptional);
        }
    }

    /// GPT-2's form of a linear layer, [in, out]
    void AddConv1d(const std::string& name, uint32_t in, uint32_t out)
    {
        Add(name + ".weight", {in, out});
        Add(name + ".bias", {out});
    }

    void AddNorm(const std::string& name, uint32_t width)
    {
        Add(name + ".weight", {width});
        Add(name + ".bias", {width});
    }

    std::vector<PretrainedTensor> Take()
    {
        return std::move(m_tensors);
    }

  private:
    std::vector<PretrainedTensor> m_tensors;             //!< so far
    PretrainedPlace m_place{PretrainedPlace::EMBEDDING}; //!< of the next one
    uint32_t m_block{0};                                 //!< of the next one
};

void
AddBert(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    const auto d = config.width;
    layout.Add("bert.embeddings.word_embeddings.weight", {config.vocabulary, d});
    layout.Add("bert.embeddings.position_embeddings.weight", {config.positions, d});
    layout.Add("bert.embeddings.token_type_embeddings.weight", {config.segments, d});
    layout.AddNorm("bert.embeddings.LayerNorm", d);
    for (uint32_t i = 0; i < config.blocks; ++i)
    {
        layout.Enter(PretrainedPlace::BLOCK, i);
        const auto block = "bert.encoder.layer." + std::to_string(i) + ".";
        layout.AddLinear(block + "attention.self.query", d, d);
        layout.AddLinear(block + "attention.self.key", d, d);
        layout.AddLinear(block + "attention.self.value", d, d);
        layout.AddLinear(block + "attention.output.dense", d, d);
        layout.AddNorm(block + "attention.output.LayerNorm", d);
        layout.AddLinear(block + "intermediate.dense", config.feedForward, d);
        layout.AddLinear(block + "output.dense", d, config.feedForward);
        layout.AddNorm(block + "output.LayerNorm", d);
    }
    layout.Enter(PretrainedPlace::HEAD);
    if (head == PretrainedHead::CLASSIFICATION)
    {
        layout.AddLinear("bert.pooler.dense", d, d, true, true);
        layout.AddLinear("classifier", classes, d, true, true);
        return;
    }
    layout.AddLinear("cls.predictions.transform.dense", d, d);
    layout.AddNorm("cls.predictions.transform.LayerNorm", d);
    layout.Add("cls.predictions.bias", {config.vocabulary});
    if (!config.tied)
    {
        layout.Add("cls.predictions.decoder.weight", {config.vocabulary, d});
    }
}

void
AddDistilbert(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    const auto d = config.width;
    layout.Add("distilbert.embeddings.word_embeddings.weight", {config.vocabulary, d});
    layout.Add("distilbert.embeddings.position_embeddings.weight", {config.positions, d});
    layout.AddNorm("distilbert.embeddings.LayerNorm", d);
    for (uint32_t i = 0; i < config.blocks; ++i)
    {
        layout.Enter(PretrainedPlace::BLOCK, i);
        const auto block = "distilbert.transformer.layer." + std::to_string(i) + ".";
        layout.AddLinear(block + "attention.q_lin", d, d);
        layout.AddLinear(block + "attention.k_lin", d, d);
        layout.AddLinear(block + "attention.v_lin", d, d);
        layout.AddLinear(block + "attention.out_lin", d, d);
        layout.AddNorm(block + "sa_layer_norm", d);
        layout.AddLinear(block + "ffn.lin1", config.feedForward, d);
        layout.AddLinear(block + "ffn.lin2", d, config.feedForward);
        layout.AddNorm(block + "output_layer_norm", d);
    }
    layout.Enter(PretrainedPlace::HEAD);
    if (head == PretrainedHead::CLASSIFICATION)
    {
        layout.AddLinear("pre_classifier", d, d, true, true);
        layout.AddLinear("classifier", classes, d, true, true);
        return;
    }
    layout.AddLinear("vocab_transform", d, d);
    layout.AddNorm("vocab_layer_norm", d);
    layout.Add("vocab_projector.bias", {config.vocabulary});
    if (!config.tied)
    {
        layout.Add("vocab_projector.weight", {config.vocabulary, d});
    }
}

/// Adds the head of a decoder-only model: a projection, or a classifier of the last token.
void
AddCausalHead(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    if (head == PretrainedHead::CLASSIFICATION)
    {
        layout.AddLinear("score", classes, config.width, false, true);
    }
    else if (!config.tied)
    {
        layout.AddLinear("lm_head", config.vocabulary, config.width, false);
    }
}

void
AddGpt2(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    const auto d = config.width;
    layout.Add("transformer.wte.weight", {config.vocabulary, d});
    layout.Add("transformer.wpe.weight", {config.positions, d});
    for (uint32_t i = 0; i < config.blocks; ++i)
    {
        layout.Enter(PretrainedPlace::BLOCK, i);
        const auto block = "transformer.h." + std::to_string(i) + ".";
        layout.AddNorm(block + "ln_1", d);
        layout.AddConv1d(block + "attn.c_attn", d, 3 * d);
        layout.AddConv1d(block + "attn.c_proj", d, d);
        layout.AddNorm(block + "ln_2", d);
        layout.AddConv1d(block + "mlp.c_fc", d, config.feedForward);
        layout.AddConv1d(block + "mlp.c_proj", config.feedForward, d);
    }
    layout.Enter(PretrainedPlace::HEAD);
    layout.AddNorm("transformer.ln_f", d);
    AddCausalHead(config, head, classes, layout);
}

void
AddOpt(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    const auto d = config.width;
    layout.Add("model.decoder.embed_tokens.weight", {config.vocabulary, d});
    // Positions begin at 2 in this architecture.
    layout.Add("model.decoder.embed_positions.weight", {config.positions + 2, d});
    for (uint32_t i = 0; i < config.blocks; ++i)
    {
        layout.Enter(PretrainedPlace::BLOCK, i);
        const auto block = "model.decoder.layers." + std::to_string(i) + ".";
        layout.AddNorm(block + "self_attn_layer_norm", d);
        layout.AddLinear(block + "self_attn.q_proj", d, d);
        layout.AddLinear(block + "self_attn.k_proj", d, d);
        layout.AddLinear(block + "self_attn.v_proj", d, d);
        layout.AddLinear(block + "self_attn.out_proj", d, d);
        layout.AddNorm(block + "final_layer_norm", d);
        layout.AddLinear(block + "fc1", config.feedForward, d);
        layout.AddLinear(block + "fc2", d, config.feedForward);
    }
    layout.Enter(PretrainedPlace::HEAD);
    layout.AddNorm("model.decoder.final_layer_norm", d);
    AddCausalHead(config, head, classes, layout);
}

void
AddLlama(const PretrainedConfig& config, PretrainedHead head, uint32_t classes, Layout& layout)
{
    const auto d = config.width;
    const auto queries = config.heads * config.headWidth;
    const auto keys = config.keyValueHeads * config.headWidth;
    layout.Add("model.embed_tokens.weight", {config.vocabulary, d});
    for (uint32_t i = 0; i < config.blocks; ++i)
    {
        layout.Enter(PretrainedPlace::BLOCK, i);
        const auto block = "model.layers." + std::to_string(i) + ".";
        layout.Add(block + "input_layernorm.weight", {d});
        layout.AddLinear(block + "self_attn.q_proj", queries, d, config.attentionBias);
        layout.AddLinear(block + "self_attn.k_proj", keys, d, config.attentionBias);
        layout.AddLinear(block + "self_attn.v_proj", keys, d, config.attentionBias);
        layout.AddLinear(block + "self_attn.o_proj", d, queries, config.outputBias);
        layout.Add(block + "post_attention_layernorm.weight", {d});
        const bool hasBias = config.feedForwardBias;
        layout.AddLinear(block + "mlp.gate_proj", config.feedForward, d, hasBias);
        layout.AddLinear(block + "mlp.up_proj", config.feedForward, d, hasBias);
        layout.AddLinear(block + "mlp.down_proj", d, config.feedForward, hasBias);
    }
    layout.Enter(PretrainedPlace::HEAD);
    layout.Add("model.norm.weight", {d});
    AddCausalHead(config, head, classes, layout);
}

} // namespace

std::vector<PretrainedTensor>
ListPretrainedTensors(const PretrainedConfig& config, PretrainedHead head, uint32_t classes)
{
    Layout layout;
    switch (config.family)
    {
    case PretrainedFamily::BERT:
        AddBert(config, head, classes, layout);
        break;
    case PretrainedFamily::DISTILBERT:
        AddDistilbert(config, head, classes, layout);
        break;
    case PretrainedFamily::GPT2:
        AddGpt2(config, head, classes, layout);
        break;
    case PretrainedFamily::OPT:
        AddOpt(config, head, classes, layout);
        break;
    case PretrainedFamily::LLAMA:
    case PretrainedFamily::QWEN2:
        AddLlama(config, head, classes, layout);
        break;
    }
    return layout.Take();
}

} // namespace collapipe
} // namespace ns3
