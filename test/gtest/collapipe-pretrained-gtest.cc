/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Pretrained models' folders in Hugging Face's form: config.json, names and shapes, shards.

#include "gtest/collapipe-temporary-folder.h"
#include "gtest/collapipe-test-data.h"

#include "ns3/collapipe-pretrained-weights.h"
#include "ns3/collapipe-text-files.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace ns3::collapipe;

namespace
{

/// @return what a call complains of; empty where it does not
std::string
Complain(const std::function<void()>& call)
{
    try
    {
        call();
    }
    catch (const DataError& error)
    {
        return error.what();
    }
    return "";
}

/// @return what the reader says of a config.json
std::string
ComplainOf(const nlohmann::json& json)
{
    return Complain([&] { ParsePretrainedConfig(json.dump(), "config.json"); });
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

const nlohmann::json LLAMA = {{"model_type", "llama"},
                              {"vocab_size", 11},
                              {"hidden_size", 8},
                              {"num_hidden_layers", 1},
                              {"num_attention_heads", 4},
                              {"num_key_value_heads", 2},
                              {"intermediate_size", 12},
                              {"tie_word_embeddings", false}};

/// @return a JSON object with one field changed
nlohmann::json
With(nlohmann::json json, const std::string& name, const nlohmann::json& value)
{
    json[name] = value;
    return json;
}

/// @return names and shapes, a line each
std::string
Describe(const PretrainedConfig& config, PretrainedHead head, uint32_t classes = 2)
{
    std::string text;
    for (const auto& tensor : ListPretrainedTensors(config, head, classes))
    {
        text += tensor.name;
        for (const auto extent : tensor.shape)
        {
            text += " " + std::to_string(extent);
        }
        text += "\n";
    }
    return text;
}

/// @return all tensors of a model with values that are their own
NamedTensors
MakeTensors(const PretrainedConfig& config, PretrainedHead head)
{
    NamedTensors tensors;
    for (const auto& place : ListPretrainedTensors(config, head))
    {
        auto tensor = TensorData::MakeVirtual(DType::FLOAT32, place.shape);
        std::vector<float> values(tensor.GetElementCount(), static_cast<float>(tensors.size()));
        tensors.emplace_back(
            place.name,
            TensorData::FromVector(DType::FLOAT32, place.shape, std::move(values)));
    }
    return tensors;
}

} // namespace

TEST(PretrainedConfig, ReadsEachArchitecturesOwnNames)
{
    const auto llama = ParsePretrainedConfig(LLAMA.dump(), "config.json");
    EXPECT_EQ(llama.family, PretrainedFamily::LLAMA);
    EXPECT_EQ(llama.headWidth, 2U);
    EXPECT_EQ(llama.keyValueHeads, 2U);
    EXPECT_FALSE(llama.attentionBias);
    EXPECT_FALSE(llama.tied);
    EXPECT_EQ(llama.normEpsilon, 1e-6);
    EXPECT_TRUE(llama.IsCausal() && llama.IsRotary());
    const auto qwen = ParsePretrainedConfig(With(LLAMA, "model_type", "qwen2").dump(), "c");
    EXPECT_TRUE(qwen.attentionBias);
    EXPECT_FALSE(qwen.outputBias);
    const auto gpt2 = ParsePretrainedConfig(
        R"({"model_type":"gpt2","vocab_size":50257,"n_embd":768,"n_layer":12,"n_head":12,
            "n_positions":1024,"n_inner":null,"bos_token_id":50256,"eos_token_id":50256})",
        "c");
    EXPECT_EQ(gpt2.feedForward, 3072U);
    EXPECT_EQ(gpt2.activation, "gelu_new");
    EXPECT_TRUE(gpt2.tied);
    EXPECT_EQ(gpt2.endTokens, std::vector<int32_t>{50256});
    EXPECT_EQ(gpt2.padToken, -1);
    const auto distilbert = ParsePretrainedConfig(
        R"({"model_type":"distilbert","vocab_size":30522,"dim":768,"n_layers":6,"n_heads":12,
            "hidden_dim":3072,"id2label":{"0":"NEGATIVE","1":"POSITIVE"}})",
        "c");
    EXPECT_EQ(distilbert.segments, 0U);
    EXPECT_EQ(distilbert.classes, (std::vector<std::string>{"NEGATIVE", "POSITIVE"}));
    EXPECT_FALSE(distilbert.IsCausal());
}

TEST(PretrainedConfig, ReadsRotaryScalingInBothOfItsPlaces)
{
    const nlohmann::json scaling = {{"rope_type", "llama3"},
                                    {"factor", 32.0},
                                    {"low_freq_factor", 1.0},
                                    {"high_freq_factor", 4.0},
                                    {"original_max_position_embeddings", 8192}};
    auto json = With(With(LLAMA, "rope_scaling", scaling), "rope_theta", 500000.0);
    const auto old = ParsePretrainedConfig(json.dump(), "c");
    EXPECT_EQ(old.rotaryScaling.factor, 32);
    EXPECT_EQ(old.rotaryBase, 500000);
    const auto now = ParsePretrainedConfig(
        With(LLAMA, "rope_parameters", With(scaling, "rope_theta", 500000.0)).dump(),
        "c");
    EXPECT_EQ(now.rotaryScaling.factor, 32);
    EXPECT_EQ(now.rotaryBase, 500000);
    EXPECT_SAYS(ComplainOf(With(LLAMA, "rope_scaling", {{"type", "yarn"}, {"factor", 4.0}})),
                "yarn");
}

TEST(PretrainedConfig, RefusesWhatItWouldComputeWrongly)
{
    ASSERT_EQ(ComplainOf(LLAMA), "");
    const auto unknown = ComplainOf(With(LLAMA, "model_type", "mamba"));
    EXPECT_SAYS(unknown, "'mamba' is unknown");
    for (const auto& known : GetPretrainedModelTypes())
    {
        EXPECT_SAYS(unknown, known);
    }
    auto without = LLAMA;
    without.erase("model_type");
    EXPECT_SAYS(ComplainOf(without), "no model_type");
    without = LLAMA;
    without.erase("hidden_size");
    EXPECT_SAYS(ComplainOf(without), "hidden_size is missing");
    for (const nlohmann::json& value : std::vector<
             nlohmann::json>{-1, 0, 1.5, "8", nlohmann::json::array(), 4'000'000'000, 1e300, true})
    {
        EXPECT_SAYS(ComplainOf(With(LLAMA, "num_hidden_layers", value)), "num_hidden_layers");
    }
    EXPECT_SAYS(ComplainOf(With(LLAMA, "num_key_value_heads", 3)), "no multiple");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "hidden_act", "quick_gelu")), "quick_gelu");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "eos_token_id", 11)), "outside the vocabulary");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "eos_token_id", {2, 12})), "outside the vocabulary");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "rms_norm_eps", -1)), "rms_norm_eps");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "quantization_config", {{"bits", 4}})), "quantised");
    EXPECT_SAYS(ComplainOf(With(LLAMA, "head_dim", 3)), "even width");
    EXPECT_SAYS(Complain([] { ParsePretrainedConfig("[1]", "c"); }), "no JSON object");
    EXPECT_SAYS(Complain([] { ParsePretrainedConfig(std::string(1'000'000, '['), "c"); }),
                "no JSON object");
    EXPECT_SAYS(Complain([] { ReadPretrainedConfig("/nonexistent/config.json"); }), "nonexistent");
}

TEST(PretrainedConfig, WrittenAndReadAgainIsTheSame)
{
    for (const auto& name : GetNamedConfigNames())
    {
        PretrainedConfig config;
        ASSERT_TRUE(GetNamedConfig(name, config)) << name;
        config.classes = {"no", "yes"};
        for (const auto head : {PretrainedHead::LANGUAGE, PretrainedHead::CLASSIFICATION})
        {
            const auto text = FormatPretrainedConfig(config, head);
            const auto read = ParsePretrainedConfig(text, name);
            EXPECT_EQ(FormatPretrainedConfig(read, head), text);
            EXPECT_EQ(Describe(read, head), Describe(config, head)) << name;
            EXPECT_EQ(read.rotaryBase, config.rotaryBase);
            EXPECT_EQ(read.rotaryScaling.type, config.rotaryScaling.type);
            EXPECT_EQ(read.endTokens, config.endTokens);
            EXPECT_EQ(read.normEpsilon, config.normEpsilon);
        }
    }
    PretrainedConfig config;
    EXPECT_FALSE(GetNamedConfig("gpt3", config));
    EXPECT_TRUE(GetNamedConfig("tinyllama-1.1b", config));
}

// The sizes that the models are known by, from their authors' words: parameters in all.
TEST(PretrainedConfig, NamedModelsHaveTheirKnownSizes)
{
    const std::pair<const char*, uint64_t> sizes[] = {{"gpt2", 124'439'808},
                                                      {"OPT-125M", 125'239'296},
                                                      {"SmolLM2-135M", 134'515'008},
                                                      {"SmolLM2-360M", 361'821'120},
                                                      {"TinyLlama-1.1B", 1'100'048'384},
                                                      {"Qwen2.5-0.5B", 494'032'768},
                                                      {"Llama-3.2-1B", 1'235'814'400}};
    for (const auto& [name, expected] : sizes)
    {
        PretrainedConfig config;
        ASSERT_TRUE(GetNamedConfig(name, config));
        uint64_t count = 0;
        for (const auto& tensor : ListPretrainedTensors(config, PretrainedHead::LANGUAGE))
        {
            count += TensorData::MakeVirtual(DType::FLOAT32, tensor.shape).GetElementCount();
        }
        EXPECT_EQ(count, expected) << name;
    }
}

// Written from the formats: what save_pretrained() of transformers' classes gives.
TEST(PretrainedLayout, NamesAndShapesAreTransformers)
{
    auto config = ParsePretrainedConfig(LLAMA.dump(), "c");
    EXPECT_EQ(Describe(config, PretrainedHead::LANGUAGE),
              "model.embed_tokens.weight 11 8\n"
              "model.layers.0.input_layernorm.weight 8\n"
              "model.layers.0.self_attn.q_proj.weight 8 8\n"
              "model.layers.0.self_attn.k_proj.weight 4 8\n"
              "model.layers.0.self_attn.v_proj.weight 4 8\n"
              "model.layers.0.self_attn.o_proj.weight 8 8\n"
              "model.layers.0.post_attention_layernorm.weight 8\n"
              "model.layers.0.mlp.gate_proj.weight 12 8\n"
              "model.layers.0.mlp.up_proj.weight 12 8\n"
              "model.layers.0.mlp.down_proj.weight 8 12\n"
              "model.norm.weight 8\n"
              "lm_head.weight 11 8\n");
    config = ParsePretrainedConfig(
        With(With(LLAMA, "model_type", "qwen2"), "tie_word_embeddings", true).dump(),
        "c");
    EXPECT_EQ(Describe(config, PretrainedHead::CLASSIFICATION, 3),
              "model.embed_tokens.weight 11 8\n"
              "model.layers.0.input_layernorm.weight 8\n"
              "model.layers.0.self_attn.q_proj.weight 8 8\n"
              "model.layers.0.self_attn.q_proj.bias 8\n"
              "model.layers.0.self_attn.k_proj.weight 4 8\n"
              "model.layers.0.self_attn.k_proj.bias 4\n"
              "model.layers.0.self_attn.v_proj.weight 4 8\n"
              "model.layers.0.self_attn.v_proj.bias 4\n"
              "model.layers.0.self_attn.o_proj.weight 8 8\n"
              "model.layers.0.post_attention_layernorm.weight 8\n"
              "model.layers.0.mlp.gate_proj.weight 12 8\n"
              "model.layers.0.mlp.up_proj.weight 12 8\n"
              "model.layers.0.mlp.down_proj.weight 8 12\n"
              "model.norm.weight 8\n"
              "score.weight 3 8\n");
    config = ParsePretrainedConfig(
        R"({"model_type":"gpt2","vocab_size":11,"n_embd":8,"n_layer":1,"n_head":2,"n_positions":5})",
        "c");
    EXPECT_EQ(Describe(config, PretrainedHead::LANGUAGE),
              "transformer.wte.weight 11 8\n"
              "transformer.wpe.weight 5 8\n"
              "transformer.h.0.ln_1.weight 8\n"
              "transformer.h.0.ln_1.bias 8\n"
              "transformer.h.0.attn.c_attn.weight 8 24\n"
              "transformer.h.0.attn.c_attn.bias 24\n"
              "transformer.h.0.attn.c_proj.weight 8 8\n"
              "transformer.h.0.attn.c_proj.bias 8\n"
              "transformer.h.0.ln_2.weight 8\n"
              "transformer.h.0.ln_2.bias 8\n"
              "transformer.h.0.mlp.c_fc.weight 8 32\n"
              "transformer.h.0.mlp.c_fc.bias 32\n"
              "transformer.h.0.mlp.c_proj.weight 32 8\n"
              "transformer.h.0.mlp.c_proj.bias 8\n"
              "transformer.ln_f.weight 8\n"
              "transformer.ln_f.bias 8\n");
    config = ParsePretrainedConfig(
        R"({"model_type":"bert","vocab_size":11,"hidden_size":8,"num_hidden_layers":1,
            "num_attention_heads":2,"intermediate_size":12,"max_position_embeddings":5})",
        "c");
    const std::string body = "bert.embeddings.word_embeddings.weight 11 8\n"
                             "bert.embeddings.position_embeddings.weight 5 8\n"
                             "bert.embeddings.token_type_embeddings.weight 2 8\n"
                             "bert.embeddings.LayerNorm.weight 8\n"
                             "bert.embeddings.LayerNorm.bias 8\n"
                             "bert.encoder.layer.0.attention.self.query.weight 8 8\n"
                             "bert.encoder.layer.0.attention.self.query.bias 8\n"
                             "bert.encoder.layer.0.attention.self.key.weight 8 8\n"
                             "bert.encoder.layer.0.attention.self.key.bias 8\n"
                             "bert.encoder.layer.0.attention.self.value.weight 8 8\n"
                             "bert.encoder.layer.0.attention.self.value.bias 8\n"
                             "bert.encoder.layer.0.attention.output.dense.weight 8 8\n"
                             "bert.encoder.layer.0.attention.output.dense.bias 8\n"
                             "bert.encoder.layer.0.attention.output.LayerNorm.weight 8\n"
                             "bert.encoder.layer.0.attention.output.LayerNorm.bias 8\n"
                             "bert.encoder.layer.0.intermediate.dense.weight 12 8\n"
                             "bert.encoder.layer.0.intermediate.dense.bias 12\n"
                             "bert.encoder.layer.0.output.dense.weight 8 12\n"
                             "bert.encoder.layer.0.output.dense.bias 8\n"
                             "bert.encoder.layer.0.output.LayerNorm.weight 8\n"
                             "bert.encoder.layer.0.output.LayerNorm.bias 8\n";
    EXPECT_EQ(Describe(config, PretrainedHead::CLASSIFICATION, 3),
              body + "bert.pooler.dense.weight 8 8\n"
                     "bert.pooler.dense.bias 8\n"
                     "classifier.weight 3 8\n"
                     "classifier.bias 3\n");
    EXPECT_EQ(Describe(config, PretrainedHead::LANGUAGE),
              body + "cls.predictions.transform.dense.weight 8 8\n"
                     "cls.predictions.transform.dense.bias 8\n"
                     "cls.predictions.transform.LayerNorm.weight 8\n"
                     "cls.predictions.transform.LayerNorm.bias 8\n"
                     "cls.predictions.bias 11\n");
    config = ParsePretrainedConfig(
        R"({"model_type":"distilbert","vocab_size":11,"dim":8,"n_layers":1,"n_heads":2,
            "hidden_dim":12,"max_position_embeddings":5})",
        "c");
    EXPECT_EQ(Describe(config, PretrainedHead::CLASSIFICATION, 3),
              "distilbert.embeddings.word_embeddings.weight 11 8\n"
              "distilbert.embeddings.position_embeddings.weight 5 8\n"
              "distilbert.embeddings.LayerNorm.weight 8\n"
              "distilbert.embeddings.LayerNorm.bias 8\n"
              "distilbert.transformer.layer.0.attention.q_lin.weight 8 8\n"
              "distilbert.transformer.layer.0.attention.q_lin.bias 8\n"
              "distilbert.transformer.layer.0.attention.k_lin.weight 8 8\n"
              "distilbert.transformer.layer.0.attention.k_lin.bias 8\n"
              "distilbert.transformer.layer.0.attention.v_lin.weight 8 8\n"
              "distilbert.transformer.layer.0.attention.v_lin.bias 8\n"
              "distilbert.transformer.layer.0.attention.out_lin.weight 8 8\n"
              "distilbert.transformer.layer.0.attention.out_lin.bias 8\n"
              "distilbert.transformer.layer.0.sa_layer_norm.weight 8\n"
              "distilbert.transformer.layer.0.sa_layer_norm.bias 8\n"
              "distilbert.transformer.layer.0.ffn.lin1.weight 12 8\n"
              "distilbert.transformer.layer.0.ffn.lin1.bias 12\n"
              "distilbert.transformer.layer.0.ffn.lin2.weight 8 12\n"
              "distilbert.transformer.layer.0.ffn.lin2.bias 8\n"
              "distilbert.transformer.layer.0.output_layer_norm.weight 8\n"
              "distilbert.transformer.layer.0.output_layer_norm.bias 8\n"
              "pre_classifier.weight 8 8\n"
              "pre_classifier.bias 8\n"
              "classifier.weight 3 8\n"
              "classifier.bias 3\n");
}

TEST(PretrainedWeights, ReadsAWholeFileAndShardsAlike)
{
    const auto config = ParsePretrainedConfig(LLAMA.dump(), "c");
    const auto tensors = MakeTensors(config, PretrainedHead::LANGUAGE);
    const TemporaryFolder whole;
    WriteSafetensors(whole.GetFile("model.safetensors"), tensors);
    const TemporaryFolder shards;
    nlohmann::json map;
    NamedTensors halves[2];
    for (std::size_t i = 0; i < tensors.size(); ++i)
    {
        halves[i % 2].push_back(tensors[i]);
        map[tensors[i].first] = i % 2 ? "b.safetensors" : "a.safetensors";
    }
    WriteSafetensors(shards.GetFile("a.safetensors"), halves[0]);
    WriteSafetensors(shards.GetFile("b.safetensors"), halves[1]);
    shards.Write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
    const auto layout = ListPretrainedTensors(config, PretrainedHead::LANGUAGE);
    for (const auto* folder : {&whole, &shards})
    {
        const PretrainedWeights weights(folder->GetPath(), config.family);
        weights.Check(layout);
        for (std::size_t i = 0; i < layout.size(); ++i)
        {
            EXPECT_EQ(weights.Get(layout[i]).As<float>()[0], static_cast<float>(i));
        }
    }
    std::filesystem::remove(shards.GetFile("b.safetensors"));
    EXPECT_SAYS(Complain([&] { PretrainedWeights(shards.GetPath(), config.family); }),
                "b.safetensors' is missing");
    WriteSafetensors(shards.GetFile("b.safetensors"), halves[0]);
    EXPECT_SAYS(Complain([&] { PretrainedWeights(shards.GetPath(), config.family); }),
                "comes twice");
    WriteSafetensors(shards.GetFile("b.safetensors"), {});
    EXPECT_SAYS(Complain([&] { PretrainedWeights(shards.GetPath(), config.family); }),
                "has no tensor");
    map["lm_head.weight"] = "../a.safetensors";
    shards.Write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
    EXPECT_SAYS(Complain([&] { PretrainedWeights(shards.GetPath(), config.family); }),
                "no file of the folder");
    shards.Write("model.safetensors.index.json", "{}");
    EXPECT_SAYS(Complain([&] { PretrainedWeights(shards.GetPath(), config.family); }),
                "weight_map");
}

TEST(PretrainedWeights, TakesNamesWithoutPrefixAndOfOldFiles)
{
    const auto config = ParsePretrainedConfig(
        R"({"model_type":"bert","vocab_size":11,"hidden_size":8,"num_hidden_layers":1,
            "num_attention_heads":2,"intermediate_size":12,"max_position_embeddings":5})",
        "c");
    auto tensors = MakeTensors(config, PretrainedHead::LANGUAGE);
    for (auto& tensor : tensors)
    {
        auto& name = tensor.first;
        name = name.substr(name.compare(0, 5, "bert.") == 0 ? 5 : 0);
        const auto norm = name.find("LayerNorm.");
        if (norm != std::string::npos)
        {
            name = name.substr(0, norm) + "LayerNorm." + (name.back() == 's' ? "beta" : "gamma");
        }
    }
    const TemporaryFolder folder;
    WriteSafetensors(folder.GetFile("model.safetensors"), tensors);
    const PretrainedWeights weights(folder.GetPath(), config.family);
    const auto layout = ListPretrainedTensors(config, PretrainedHead::LANGUAGE);
    for (std::size_t i = 0; i < layout.size(); ++i)
    {
        EXPECT_EQ(weights.Get(layout[i]).As<float>()[0], static_cast<float>(i)) << layout[i].name;
    }
    // A classifier begins afresh.
    weights.Check(ListPretrainedTensors(config, PretrainedHead::CLASSIFICATION, 3));
}

TEST(PretrainedWeights, RefusesWhatDoesNotFitByName)
{
    const auto config = ParsePretrainedConfig(LLAMA.dump(), "c");
    const auto layout = ListPretrainedTensors(config, PretrainedHead::LANGUAGE);
    const TemporaryFolder folder;
    EXPECT_SAYS(Complain([&] { PretrainedWeights(folder.GetPath(), config.family); }),
                "has no model.safetensors");
    folder.Write("pytorch_model.bin", "x");
    EXPECT_SAYS(Complain([&] { PretrainedWeights(folder.GetPath(), config.family); }),
                "safe_serialization");
    const auto complain = [&](const NamedTensors& tensors) {
        WriteSafetensors(folder.GetFile("model.safetensors"), tensors);
        return Complain([&] {
            const PretrainedWeights weights(folder.GetPath(), config.family);
            weights.Check(layout);
            for (const auto& tensor : layout)
            {
                weights.Get(tensor);
            }
        });
    };
    const auto tensors = MakeTensors(config, PretrainedHead::LANGUAGE);
    EXPECT_EQ(complain(tensors), "");
    auto broken = tensors;
    broken.erase(broken.begin() + 2);
    EXPECT_SAYS(complain(broken), "no tensor 'model.layers.0.self_attn.q_proj.weight'");
    EXPECT_SAYS(complain({}), "and 7 more");
    broken = tensors;
    broken[0].second.shape = {8, 11};
    EXPECT_SAYS(complain(broken), "[8, 11], but by config.json it would be [11, 8]");
    broken = tensors;
    broken[1].second = TensorData::FromVector(DType::INT32, {8}, std::vector<int32_t>(8));
    EXPECT_SAYS(complain(broken), "of the type I32");
    broken = tensors;
    std::vector<float> values(8);
    values[7] = NAN;
    broken[1].second = TensorData::FromVector(DType::FLOAT32, {8}, std::move(values));
    EXPECT_SAYS(complain(broken), "no finite numbers");
    broken = tensors;
    broken.emplace_back("layers.0.input_layernorm.weight", broken[1].second);
    EXPECT_SAYS(complain(broken), "comes twice");
}

// The real model beside the checkout, where it is there.
TEST(PretrainedWeights, ReadsARealModel)
{
    const auto folder = FindSharedData("stories260K");
    if (folder.empty())
    {
        GTEST_SKIP() << "stories260K is not there; COLLAPIPE_SHARED names the folder that holds it";
    }
    const auto config = ReadPretrainedConfig(folder + "/config.json");
    const PretrainedWeights weights(folder, config.family);
    const auto layout = ListPretrainedTensors(config, PretrainedHead::LANGUAGE);
    weights.Check(layout);
    uint64_t count = 0;
    for (const auto& tensor : layout)
    {
        count += weights.Get(tensor).GetElementCount();
    }
    EXPECT_EQ(count, 260'032U);
}
