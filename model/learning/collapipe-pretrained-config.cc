/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pretrained-config.h"

#include "collapipe-text-files.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

/// Largest dimension that is believed
constexpr uint64_t LARGEST = 1U << 24;

constexpr std::pair<const char*, PretrainedFamily> MODEL_TYPES[] = {
    {"bert", PretrainedFamily::BERT},
    {"distilbert", PretrainedFamily::DISTILBERT},
    {"gpt2", PretrainedFamily::GPT2},
    {"opt", PretrainedFamily::OPT},
    {"llama", PretrainedFamily::LLAMA},
    {"qwen2", PretrainedFamily::QWEN2},
};

/// The fields of a config.json, with messages that name them
class Fields
{
  public:
    Fields(const std::string& text, std::string name)
        : m_name(std::move(name)),
          m_json(ParseBoundedJson<Json>(text, false))
    {
        if (!m_json.is_object())
        {
            throw DataError("'" + m_name + "' is no JSON object.");
        }
    }

    Fields(Json json, std::string name)
        : m_name(std::move(name)),
          m_json(std::move(json))
    {
    }

    [[noreturn]] void Refuse(const std::string& what) const
    {
        throw DataError("'" + m_name + "': " + what + ".");
    }

    /// @return the field, or null where it is missing or null
    const Json* Find(const char* name) const
    {
        const auto found = m_json.find(name);
        return found == m_json.end() || found->is_null() ? nullptr : &*found;
    }

    /// @return a whole number from 1 on
    uint32_t Dimension(const char* name, std::optional<uint32_t> byDefault = {}) const
    {
        if (!m_json.contains(name) && byDefault)
        {
            return *byDefault;
        }
        const auto* field = Find(name);
        if (!field)
        {
            Refuse(std::string(name) + (m_json.contains(name) ? " is null" : " is missing"));
        }
        const bool isFit = field->is_number_unsigned() && field->get<uint64_t>() >= 1 &&
                           field->get<uint64_t>() <= LARGEST;
        if (!isFit)
        {
            Refuse(std::string(name) + " must be a whole number from 1 to " +
                   std::to_string(LARGEST) + ", and is " + Shorten(*field));
        }
        return static_cast<uint32_t>(field->get<uint64_t>());
    }

    /// @return a whole number from 1 on; null says that the default is meant, too
    uint32_t OptionalDimension(const char* name, uint32_t byDefault) const
    {
        return Find(name) ? Dimension(name) : byDefault;
    }

    double Number(const char* name, double byDefault, double lowest, double highest) const
    {
        const auto field = m_json.value(name, Json(byDefault));
        const double value = field.is_number() ? field.get<double>() : NAN;
        if (!(value >= lowest && value <= highest))
        {
            Refuse(std::string(name) + " must be a number from " + Json(lowest).dump() + " to " +
                   Json(highest).dump() + ", and is " + Shorten(field));
        }
        return value;
    }

    /// @return true or false, which null stands for as it does in Python
    bool Flag(const char* name, bool byDefault) const
    {
        const auto field = m_json.value(name, Json(byDefault));
        if (!field.is_boolean() && !field.is_null())
        {
            Refuse(std::string(name) + " must be true or false, and is " + Shorten(field));
        }
        return field.is_boolean() && field.get<bool>();
    }

    std::string Text(const char* name, const std::string& byDefault) const
    {
        const auto field = m_json.value(name, Json(byDefault));
        if (!field.is_string())
        {
            Refuse(std::string(name) + " must be a text, and is " + Shorten(field));
        }
        return field.get<std::string>();
    }

    /// @return the texts of a list; absent or null: none
    std::vector<std::string> Texts(const char* name) const
    {
        std::vector<std::string> texts;
        const auto* field = Find(name);
        if (!field)
        {
            return texts;
        }
        for (const auto& text : field->is_array() ? *field : Json::array({nullptr}))
        {
            if (!text.is_string())
            {
                Refuse(std::string(name) + " must be a list of texts");
            }
            texts.push_back(text.get<std::string>());
        }
        return texts;
    }

    /// @return token ids: of a list or of a single number; absent: none
    std::vector<int32_t> Tokens(const char* name) const
    {
        std::vector<int32_t> ids;
        const auto* field = Find(name);
        if (!field)
        {
            return ids;
        }
        for (const auto& value : field->is_array() ? *field : Json::array({*field}))
        {
            if (!value.is_number_integer() || value.get<int64_t>() >= int64_t{LARGEST})
            {
                Refuse(std::string(name) + " must be a token id, and is " + Shorten(*field));
            }
            if (value.get<int64_t>() >= 0) // some files say "none" by -1
            {
                ids.push_back(static_cast<int32_t>(value.get<int64_t>()));
            }
        }
        return ids;
    }

    int32_t Token(const char* name) const
    {
        const auto ids = Tokens(name);
        return ids.empty() ? -1 : ids.front();
    }

    /// Refuses a field that has another value than the only one that is known.
    void RequireFlag(const char* name, bool only) const
    {
        if (Flag(name, only) != only)
        {
            Refuse(std::string(name) + "=" + (only ? "false" : "true") + " is not supported");
        }
    }

  private:
    /// @return a value as it may stand in a message
    static std::string Shorten(const Json& value)
    {
        if (value.is_structured())
        {
            return value.is_array() ? "a list" : "an object";
        }
        const auto text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
        return text.size() > 40 ? text.substr(0, 40) + "..." : text;
    }

    std::string m_name; //!< of the file
    Json m_json;        //!< its object
};

/**
 * @param fields of the file
 * @param names by which the activation goes, by architecture
 * @param byDefault where it is missing
 * @param config filled in
 */
void
ReadActivation(const Fields& fields,
               const char* name,
               const std::string& byDefault,
               PretrainedConfig& config)
{
    const auto text = fields.Text(name, byDefault);
    // Names of the same function
    static const std::map<std::string, std::string> known = {{"gelu", "gelu"},
                                                             {"gelu_python", "gelu"},
                                                             {"gelu_new", "gelu_new"},
                                                             {"gelu_pytorch_tanh", "gelu_new"},
                                                             {"gelu_fast", "gelu_new"},
                                                             {"relu", "relu"},
                                                             {"silu", "silu"},
                                                             {"swish", "silu"}};
    const auto found = known.find(text);
    if (found == known.end())
    {
        fields.Refuse("the activation " + std::string(name) + "=" + text +
                      " is not supported; take gelu, gelu_new, relu or silu");
    }
    config.activation = found->second;
}

void
ReadBert(const Fields& fields, PretrainedConfig& config)
{
    config.width = fields.Dimension("hidden_size");
    config.blocks = fields.Dimension("num_hidden_layers");
    config.heads = fields.Dimension("num_attention_heads");
    config.feedForward = fields.Dimension("intermediate_size");
    config.positions = fields.Dimension("max_position_embeddings", 512);
    config.segments = fields.Dimension("type_vocab_size", 2);
    config.normEpsilon = fields.Number("layer_norm_eps", 1e-12, 0, 1);
    config.hiddenDropout = fields.Number("hidden_dropout_prob", 0.1, 0, 0.999);
    config.attentionDropout = fields.Number("attention_probs_dropout_prob", 0.1, 0, 0.999);
    ReadActivation(fields, "hidden_act", "gelu", config);
    const auto positions = fields.Text("position_embedding_type", "absolute");
    if (positions != "absolute")
    {
        fields.Refuse("position_embedding_type=" + positions + " is not supported");
    }
    fields.RequireFlag("is_decoder", false);
    fields.RequireFlag("add_cross_attention", false);
}

void
ReadDistilbert(const Fields& fields, PretrainedConfig& config)
{
    config.width = fields.Dimension("dim", 768);
    config.blocks = fields.Dimension("n_layers", 6);
    config.heads = fields.Dimension("n_heads", 12);
    config.feedForward = fields.Dimension("hidden_dim", 4 * 768);
    config.positions = fields.Dimension("max_position_embeddings", 512);
    config.normEpsilon = 1e-12; // fixed in the architecture
    config.hiddenDropout = fields.Number("dropout", 0.1, 0, 0.999);
    config.attentionDropout = fields.Number("attention_dropout", 0.1, 0, 0.999);
    ReadActivation(fields, "activation", "gelu", config);
}

void
ReadGpt2(const Fields& fields, PretrainedConfig& config)
{
    config.width = fields.Dimension("n_embd");
    config.blocks = fields.Dimension("n_layer");
    config.heads = fields.Dimension("n_head");
    config.feedForward = fields.OptionalDimension("n_inner", 4 * config.width);
    config.positions = fields.Dimension("n_positions", fields.Dimension("n_ctx", 1024));
    config.normEpsilon = fields.Number("layer_norm_epsilon", 1e-5, 0, 1);
    config.hiddenDropout = fields.Number("resid_pdrop", 0.1, 0, 0.999);
    config.attentionDropout = fields.Number("attn_pdrop", 0.1, 0, 0.999);
    ReadActivation(fields, "activation_function", "gelu_new", config);
    fields.RequireFlag("scale_attn_weights", true);
    fields.RequireFlag("scale_attn_by_inverse_layer_idx", false);
    fields.RequireFlag("add_cross_attention", false);
}

void
ReadOpt(const Fields& fields, PretrainedConfig& config)
{
    config.width = fields.Dimension("hidden_size");
    config.blocks = fields.Dimension("num_hidden_layers");
    config.heads = fields.Dimension("num_attention_heads");
    config.feedForward = fields.Dimension("ffn_dim");
    config.positions = fields.Dimension("max_position_embeddings", 2048);
    config.normEpsilon = 1e-5; // fixed in the architecture
    config.hiddenDropout = fields.Number("dropout", 0.1, 0, 0.999);
    config.attentionDropout = fields.Number("attention_dropout", 0, 0, 0.999);
    ReadActivation(fields, "activation_function", "relu", config);
    fields.RequireFlag("do_layer_norm_before", true);
    fields.RequireFlag("_remove_final_layer_norm", false);
    fields.RequireFlag("enable_bias", true);
    fields.RequireFlag("layer_norm_elementwise_affine", true);
    if (fields.OptionalDimension("word_embed_proj_dim", config.width) != config.width)
    {
        fields.Refuse("a word_embed_proj_dim other than hidden_size is not supported");
    }
}

void
ReadRotaryScaling(const Fields& fields, const Json& json, PretrainedConfig& config)
{
    if (!json.is_object())
    {
        fields.Refuse("the scaling of rotary positions must be an object");
    }
    const Fields own(json, "rope_scaling");
    auto& scaling = config.rotaryScaling;
    config.rotaryBase = own.Number("rope_theta", config.rotaryBase, 1, 1e12);
    scaling.type = own.Text(own.Find("rope_type") ? "rope_type" : "type", "default");
    if (scaling.type == "default")
    {
        return;
    }
    if (scaling.type != "linear" && scaling.type != "llama3")
    {
        fields.Refuse("rotary positions scaled by '" + scaling.type +
                      "' are not supported; take default, linear or llama3");
    }
    scaling.factor = own.Number("factor", 1, 1, 1e6);
    scaling.lowFrequencyFactor = own.Number("low_freq_factor", 1, 1e-6, 1e6);
    scaling.highFrequencyFactor = own.Number("high_freq_factor", 4, 1e-6, 1e6);
    scaling.originalPositions = own.Dimension("original_max_position_embeddings", 8192);
    if (scaling.type == "llama3" && scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    {
        fields.Refuse("high_freq_factor must be more than low_freq_factor");
    }
}

void
ReadLlama(const Fields& fields, PretrainedConfig& config)
{
    const bool isQwen = config.family == PretrainedFamily::QWEN2;
    config.width = fields.Dimension("hidden_size");
    config.blocks = fields.Dimension("num_hidden_layers");
    config.heads = fields.Dimension("num_attention_heads");
    config.keyValueHeads = fields.OptionalDimension("num_key_value_heads", config.heads);
    config.feedForward = fields.Dimension("intermediate_size");
    config.positions = fields.Dimension("max_position_embeddings", isQwen ? 32768 : 2048);
    config.headWidth =
        fields.OptionalDimension("head_dim", std::max(config.width / config.heads, 1U));
    config.normEpsilon = fields.Number("rms_norm_eps", 1e-6, 0, 1);
    config.attentionBias = isQwen || fields.Flag("attention_bias", false);
    config.outputBias = !isQwen && config.attentionBias;
    config.feedForwardBias = !isQwen && fields.Flag("mlp_bias", false);
    config.rotaryBase = fields.Number("rope_theta", 10000, 1, 1e12);
    config.attentionDropout = fields.Number("attention_dropout", 0, 0, 0.999);
    for (const char* name : {"rope_scaling", "rope_parameters"})
    {
        if (const auto* scaling = fields.Find(name))
        {
            ReadRotaryScaling(fields, *scaling, config);
        }
    }
    ReadActivation(fields, "hidden_act", "silu", config);
    fields.RequireFlag("use_sliding_window", false);
    if (fields.Number("partial_rotary_factor", 1, 0, 1) != 1)
    {
        fields.Refuse("a partial_rotary_factor other than 1 is not supported");
    }
    if (config.headWidth % 2 != 0)
    {
        fields.Refuse("rotary positions need heads of even width");
    }
}

/// Reads id2label, whose keys are numbers as texts.
void
ReadClasses(const Fields& fields, PretrainedConfig& config)
{
    const auto* labels = fields.Find("id2label");
    if (!labels)
    {
        return;
    }
    if (!labels->is_object() || labels->size() > 100'000)
    {
        fields.Refuse("id2label must be an object of at most 100000 names");
    }
    config.classes.resize(labels->size());
    for (std::size_t i = 0; i < config.classes.size(); ++i)
    {
        const auto found = labels->find(std::to_string(i));
        if (found == labels->end() || !found->is_string())
        {
            fields.Refuse("id2label must name the classes from 0 on, and has no name of " +
                          std::to_string(i));
        }
        config.classes[i] = found->get<std::string>();
    }
}

/// Checks what must hold between the dimensions of any family.
void
CheckDimensions(const Fields& fields, PretrainedConfig& config)
{
    if (config.headWidth == 0)
    {
        config.headWidth = config.width / config.heads;
        config.keyValueHeads = config.heads;
    }
    const bool isGrouped =
        config.family == PretrainedFamily::LLAMA || config.family == PretrainedFamily::QWEN2;
    if (!isGrouped && config.width % config.heads != 0)
    {
        fields.Refuse("the width " + std::to_string(config.width) + " is no multiple of the " +
                      std::to_string(config.heads) + " heads");
    }
    if (config.heads % config.keyValueHeads != 0)
    {
        fields.Refuse("the " + std::to_string(config.heads) + " heads are no multiple of the " +
                      std::to_string(config.keyValueHeads) + " heads of keys and values");
    }
    auto tokens = config.endTokens;
    tokens.insert(tokens.end(), {config.beginToken, config.padToken});
    for (const auto token : tokens)
    {
        if (token >= static_cast<int64_t>(config.vocabulary))
        {
            fields.Refuse("the special token " + std::to_string(token) +
                          " is outside the vocabulary of " + std::to_string(config.vocabulary));
        }
    }
}

/// @return the family that a file names
PretrainedFamily
ReadFamily(const Fields& fields)
{
    const auto type = fields.Find("model_type") ? fields.Text("model_type", "") : "";
    for (const auto& [name, family] : MODEL_TYPES)
    {
        if (type == name)
        {
            return family;
        }
    }
    std::string known;
    for (const auto& name : GetPretrainedModelTypes())
    {
        known += (known.empty() ? "" : ", ") + name;
    }
    fields.Refuse((type.empty() ? std::string("it has no model_type")
                                : "the model_type '" + type + "' is unknown") +
                  "; known are " + known);
}

} // namespace

bool
PretrainedConfig::IsCausal() const
{
    return family != PretrainedFamily::BERT && family != PretrainedFamily::DISTILBERT;
}

bool
PretrainedConfig::IsRotary() const
{
    return family == PretrainedFamily::LLAMA || family == PretrainedFamily::QWEN2;
}

std::vector<std::string>
GetPretrainedModelTypes()
{
    std::vector<std::string> names;
    for (const auto& type : MODEL_TYPES)
    {
        names.emplace_back(type.first);
    }
    return names;
}

std::string
GetModelType(PretrainedFamily family)
{
    return std::find_if(std::begin(MODEL_TYPES),
                        std::end(MODEL_TYPES),
                        [family](const auto& type) { return type.second == family; })
        ->first;
}

PretrainedConfig
ParsePretrainedConfig(const std::string& text, const std::string& name)
{
    const Fields fields(text, name);
    PretrainedConfig config;
    config.family = ReadFamily(fields);
    config.vocabulary = fields.Dimension("vocab_size");
    // Llama's own default is not to tie; the others' is to.
    config.tied = fields.Flag("tie_word_embeddings", !config.IsRotary());
    config.beginToken = fields.Token("bos_token_id");
    config.padToken = fields.Token("pad_token_id");
    config.endTokens = fields.Tokens("eos_token_id");
    config.initializerRange = fields.Number("initializer_range", 0.02, 0, 10);
    switch (config.family)
    {
    case PretrainedFamily::BERT:
        ReadBert(fields, config);
        break;
    case PretrainedFamily::DISTILBERT:
        ReadDistilbert(fields, config);
        break;
    case PretrainedFamily::GPT2:
        ReadGpt2(fields, config);
        break;
    case PretrainedFamily::OPT:
        ReadOpt(fields, config);
        break;
    case PretrainedFamily::LLAMA:
    case PretrainedFamily::QWEN2:
        ReadLlama(fields, config);
        break;
    }
    if (const auto* quantization = fields.Find("quantization_config"))
    {
        static_cast<void>(quantization);
        fields.Refuse("weights that were quantised are not supported; take the model's fp32, fp16 "
                      "or bf16 weights");
    }
    config.architectures = fields.Texts("architectures");
    ReadClasses(fields, config);
    CheckDimensions(fields, config);
    return config;
}

PretrainedConfig
ReadPretrainedConfig(const std::string& path)
{
    return ParsePretrainedConfig(ReadFileBytes(path), path);
}

} // namespace collapipe
} // namespace ns3
