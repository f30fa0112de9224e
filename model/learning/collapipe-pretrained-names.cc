/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The other half of collapipe-pretrained-config.h: models by name, and config.json written.

#include "collapipe-pretrained-config.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::ordered_json;

/**
 * @param name of a model
 * @return it in lower case
 */
std::string
ToLower(std::string name)
{
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return name;
}

/// google-research/bert, README ("uncased"); sizes of Turc et al. 2019
PretrainedConfig
MakeBert(uint32_t blocks, uint32_t width, uint32_t heads)
{
    PretrainedConfig config;
    config.family = PretrainedFamily::BERT;
    config.vocabulary = 30522;
    config.width = width;
    config.blocks = blocks;
    config.heads = config.keyValueHeads = heads;
    config.headWidth = width / heads;
    config.feedForward = 4 * width;
    config.positions = 512;
    config.segments = 2;
    config.activation = "gelu";
    config.normEpsilon = 1e-12;
    config.hiddenDropout = config.attentionDropout = 0.1;
    config.padToken = 0;
    return config;
}

/// Sanh et al. 2019; distilbert-base-uncased
PretrainedConfig
MakeDistilbert()
{
    auto config = MakeBert(6, 768, 12);
    config.family = PretrainedFamily::DISTILBERT;
    config.segments = 0;
    return config;
}

/// Radford et al. 2019; the smallest of its four
PretrainedConfig
MakeGpt2()
{
    auto config = MakeBert(12, 768, 12);
    config.family = PretrainedFamily::GPT2;
    config.vocabulary = 50257;
    config.positions = 1024;
    config.segments = 0;
    config.activation = "gelu_new";
    config.normEpsilon = 1e-5;
    config.beginToken = 50256;
    config.endTokens = {50256};
    config.padToken = -1;
    return config;
}

/// Zhang et al. 2022; facebook/opt-125m
PretrainedConfig
MakeOpt()
{
    auto config = MakeGpt2();
    config.family = PretrainedFamily::OPT;
    config.vocabulary = 50272;
    config.positions = 2048;
    config.activation = "relu";
    config.attentionDropout = 0;
    config.beginToken = 2;
    config.endTokens = {2};
    config.padToken = 1;
    return config;
}

/// What a model of Llama's kind differs by
struct LlamaSize
{
    uint32_t width;         //!< d_model
    uint32_t blocks;        //!< L
    uint32_t heads;         //!< of queries
    uint32_t keyValueHeads; //!< of keys and values
    uint32_t feedForward;   //!< inner width
    uint32_t vocabulary;    //!< tokens
    uint32_t positions;     //!< longest sequence
    double rotaryBase;      //!< theta
    bool tied;              //!< head and embedding
    int32_t beginToken;     //!< id
    int32_t endToken;       //!< id
};

PretrainedConfig
MakeLlama(const LlamaSize& size)
{
    PretrainedConfig config;
    config.family = PretrainedFamily::LLAMA;
    config.vocabulary = size.vocabulary;
    config.width = size.width;
    config.blocks = size.blocks;
    config.heads = size.heads;
    config.keyValueHeads = size.keyValueHeads;
    config.headWidth = size.width / size.heads;
    config.feedForward = size.feedForward;
    config.positions = size.positions;
    config.activation = "silu";
    config.normEpsilon = 1e-5;
    config.tied = size.tied;
    config.attentionBias = config.outputBias = config.feedForwardBias = false;
    config.rotaryBase = size.rotaryBase;
    config.beginToken = size.beginToken;
    config.endTokens = {size.endToken};
    return config;
}

/// Qwen2.5-0.5B
PretrainedConfig
MakeQwen()
{
    auto config = MakeLlama({896, 24, 14, 2, 4864, 151936, 32768, 1e6, true, 151643, 151643});
    config.family = PretrainedFamily::QWEN2;
    config.attentionBias = true;
    config.normEpsilon = 1e-6;
    return config;
}

/// Llama-3.2-1B
PretrainedConfig
MakeLlama32()
{
    auto config = MakeLlama({2048, 16, 32, 8, 8192, 128256, 131072, 5e5, true, 128000, 128001});
    config.rotaryScaling = {"llama3", 32, 1, 4, 8192};
    return config;
}

/// The names with their models; dimensions from the authors' own configurations
std::vector<std::pair<std::string, PretrainedConfig>>
ListNamedConfigs()
{
    return {{"bert-tiny", MakeBert(2, 128, 2)},
            {"bert-mini", MakeBert(4, 256, 4)},
            {"bert-small", MakeBert(4, 512, 8)},
            {"bert-medium", MakeBert(8, 512, 8)},
            {"bert-base", MakeBert(12, 768, 12)},
            {"distilbert", MakeDistilbert()},
            {"gpt2", MakeGpt2()},
            {"OPT-125M", MakeOpt()},
            {"SmolLM2-135M", MakeLlama({576, 30, 9, 3, 1536, 49152, 8192, 1e5, true, 0, 0})},
            {"SmolLM2-360M", MakeLlama({960, 32, 15, 5, 2560, 49152, 8192, 1e5, true, 0, 0})},
            {"TinyLlama-1.1B", MakeLlama({2048, 22, 32, 4, 5632, 32000, 2048, 1e4, false, 1, 2})},
            {"Qwen2.5-0.5B", MakeQwen()},
            {"Llama-3.2-1B", MakeLlama32()}};
}

/// @return the name of transformers' class that saves a model
std::string
GetArchitecture(PretrainedFamily family, PretrainedHead head)
{
    const bool isLanguage = head == PretrainedHead::LANGUAGE;
    const std::string classification = "ForSequenceClassification";
    switch (family)
    {
    case PretrainedFamily::BERT:
        return "Bert" + (isLanguage ? "ForMaskedLM" : classification);
    case PretrainedFamily::DISTILBERT:
        return "DistilBert" + (isLanguage ? "ForMaskedLM" : classification);
    case PretrainedFamily::GPT2:
        return "GPT2" + (isLanguage ? "LMHeadModel" : classification);
    case PretrainedFamily::OPT:
        return "OPT" + (isLanguage ? "ForCausalLM" : classification);
    case PretrainedFamily::LLAMA:
        return "Llama" + (isLanguage ? "ForCausalLM" : classification);
    case PretrainedFamily::QWEN2:
        return "Qwen2" + (isLanguage ? "ForCausalLM" : classification);
    }
    return {};
}

/// Writes the dimensions under the names of BERT, which OPT, Llama and Qwen2 share.
void
WriteHidden(const PretrainedConfig& config, Json& json)
{
    json["hidden_size"] = config.width;
    json["num_hidden_layers"] = config.blocks;
    json["num_attention_heads"] = config.heads;
    json["max_position_embeddings"] = config.positions;
}

void
WriteLlama(const PretrainedConfig& config, Json& json)
{
    WriteHidden(config, json);
    json["num_key_value_heads"] = config.keyValueHeads;
    json["intermediate_size"] = config.feedForward;
    json["head_dim"] = config.headWidth;
    json["hidden_act"] = config.activation;
    json["rms_norm_eps"] = config.normEpsilon;
    json["attention_dropout"] = config.attentionDropout;
    json["rope_theta"] = config.rotaryBase;
    if (config.family == PretrainedFamily::LLAMA)
    {
        json["attention_bias"] = config.attentionBias;
        json["mlp_bias"] = config.feedForwardBias;
    }
    else
    {
        json["use_sliding_window"] = false;
    }
    const auto& scaling = config.rotaryScaling;
    if (scaling.type == "default")
    {
        json["rope_scaling"] = nullptr;
        return;
    }
    json["rope_scaling"] = {{"rope_type", scaling.type}, {"factor", scaling.factor}};
    if (scaling.type == "llama3")
    {
        json["rope_scaling"]["low_freq_factor"] = scaling.lowFrequencyFactor;
        json["rope_scaling"]["high_freq_factor"] = scaling.highFrequencyFactor;
        json["rope_scaling"]["original_max_position_embeddings"] = scaling.originalPositions;
    }
}

void
WriteBert(const PretrainedConfig& config, Json& json)
{
    WriteHidden(config, json);
    json["intermediate_size"] = config.feedForward;
    json["hidden_act"] = config.activation;
    json["type_vocab_size"] = config.segments;
    json["layer_norm_eps"] = config.normEpsilon;
    json["hidden_dropout_prob"] = config.hiddenDropout;
    json["attention_probs_dropout_prob"] = config.attentionDropout;
    json["position_embedding_type"] = "absolute";
}

void
WriteDistilbert(const PretrainedConfig& config, Json& json)
{
    json["dim"] = config.width;
    json["n_layers"] = config.blocks;
    json["n_heads"] = config.heads;
    json["hidden_dim"] = config.feedForward;
    json["max_position_embeddings"] = config.positions;
    json["activation"] = config.activation;
    json["dropout"] = config.hiddenDropout;
    json["attention_dropout"] = config.attentionDropout;
}

void
WriteGpt2(const PretrainedConfig& config, Json& json)
{
    json["n_embd"] = config.width;
    json["n_layer"] = config.blocks;
    json["n_head"] = config.heads;
    json["n_inner"] = config.feedForward;
    json["n_positions"] = config.positions;
    json["n_ctx"] = config.positions;
    json["activation_function"] = config.activation;
    json["layer_norm_epsilon"] = config.normEpsilon;
    json["resid_pdrop"] = config.hiddenDropout;
    json["embd_pdrop"] = config.hiddenDropout;
    json["attn_pdrop"] = config.attentionDropout;
}

void
WriteOpt(const PretrainedConfig& config, Json& json)
{
    WriteHidden(config, json);
    json["ffn_dim"] = config.feedForward;
    json["word_embed_proj_dim"] = config.width;
    json["activation_function"] = config.activation;
    json["do_layer_norm_before"] = true;
    json["dropout"] = config.hiddenDropout;
    json["attention_dropout"] = config.attentionDropout;
}

void
WriteTokens(const PretrainedConfig& config, Json& json)
{
    if (config.beginToken >= 0)
    {
        json["bos_token_id"] = config.beginToken;
    }
    if (config.padToken >= 0)
    {
        json["pad_token_id"] = config.padToken;
    }
    if (config.endTokens.size() == 1)
    {
        json["eos_token_id"] = config.endTokens.front();
    }
    else if (!config.endTokens.empty())
    {
        json["eos_token_id"] = config.endTokens;
    }
}

} // namespace

std::vector<std::string>
GetNamedConfigNames()
{
    std::vector<std::string> names;
    for (const auto& named : ListNamedConfigs())
    {
        names.push_back(named.first);
    }
    return names;
}

bool
GetNamedConfig(const std::string& name, PretrainedConfig& config)
{
    for (const auto& [known, model] : ListNamedConfigs())
    {
        if (ToLower(known) == ToLower(name))
        {
            config = model;
            return true;
        }
    }
    return false;
}

std::string
FormatPretrainedConfig(const PretrainedConfig& config, PretrainedHead head)
{
    Json json;
    json["architectures"] = {GetArchitecture(config.family, head)};
    json["model_type"] = GetModelType(config.family);
    json["vocab_size"] = config.vocabulary;
    switch (config.family)
    {
    case PretrainedFamily::BERT:
        WriteBert(config, json);
        break;
    case PretrainedFamily::DISTILBERT:
        WriteDistilbert(config, json);
        break;
    case PretrainedFamily::GPT2:
        WriteGpt2(config, json);
        break;
    case PretrainedFamily::OPT:
        WriteOpt(config, json);
        break;
    case PretrainedFamily::LLAMA:
    case PretrainedFamily::QWEN2:
        WriteLlama(config, json);
        break;
    }
    json["initializer_range"] = config.initializerRange;
    json["tie_word_embeddings"] = config.tied;
    WriteTokens(config, json);
    if (head == PretrainedHead::CLASSIFICATION)
    {
        for (std::size_t i = 0; i < config.classes.size(); ++i)
        {
            json["id2label"][std::to_string(i)] = config.classes[i];
            json["label2id"][config.classes[i]] = i;
        }
    }
    json["torch_dtype"] = "float32";
    return json.dump(2) + "\n";
}

} // namespace collapipe
} // namespace ns3
