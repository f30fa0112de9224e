/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pretrained-export.h"

#include "collapipe-atomic-file.h"
#include "collapipe-frozen-weights.h"
#include "collapipe-link-parameters.h"
#include "collapipe-model-family.h"
#include "collapipe-pretrained-model.h"
#include "collapipe-text-files.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* MODEL = "model.safetensors";           //!< weights of a whole model
constexpr const char* ADAPTER = "adapter_model.safetensors"; //!< of adapters
const std::string ADAPTER_PREFIX = "base_model.model.";      //!< of PEFT's names
/// Among the metadata of what is written here, so that nothing else is ever overwritten
constexpr const char* PRODUCER = "producer";
constexpr const char* OURS = "collapipe"; //!< its value

/// @return the metadata of weights; transformers wants to know whose format they have
std::map<std::string, std::string>
GetMetadata()
{
    return {{"format", "pt"}, {PRODUCER, OURS}};
}

/// Adds to rows of a weight what an adapter adds to its map.
void
AddAdapter(std::vector<float>& weight,
           uint32_t firstRow,
           const TensorData& down,
           const TensorData& up,
           double scale)
{
    const uint32_t rank = down.shape.at(0);
    const uint64_t columns = down.shape.at(1);
    const uint32_t rows = up.shape.at(0);
    const auto* a = down.As<float>();
    const auto* b = up.As<float>();
    std::vector<double> sum(columns);
    for (uint32_t row = 0; row < rows; ++row)
    {
        std::fill(sum.begin(), sum.end(), 0);
        for (uint32_t i = 0; i < rank; ++i)
        {
            const double factor = scale * b[uint64_t{row} * rank + i];
            const auto* values = a + uint64_t{i} * columns;
            for (uint64_t column = 0; column < columns; ++column)
            {
                sum[column] += factor * values[column];
            }
        }
        auto* target = weight.data() + (uint64_t{firstRow} + row) * columns;
        for (uint64_t column = 0; column < columns; ++column)
        {
            target[column] = static_cast<float>(target[column] + sum[column]);
        }
    }
}

/// @return a list of the parameters of one link, adapters folded in
TensorList
MergeLink(const std::vector<ParameterPlace>& places, const TensorList& all, double scale)
{
    TensorList merged;
    std::size_t matrix = 0; // of `merged`; what adapters that follow belong to
    for (std::size_t i = 0; i < places.size(); ++i)
    {
        if (!IsAdapter(places[i]))
        {
            matrix = places[i].kind == ParameterKind::MATRIX ? merged.size() : matrix;
            merged.push_back(all[i]);
            continue;
        }
        auto& target = merged.at(matrix);
        std::vector<float> weight(target.As<float>(),
                                  target.As<float>() + target.GetElementCount());
        AddAdapter(weight, places[i + 1].firstRow, all[i], all[i + 1], scale);
        target = TensorData::FromVector(DType::FLOAT32, target.shape, std::move(weight));
        ++i;
    }
    return merged;
}

/// @return the model, all of which learns and nothing is adapted
ModelConfig
MakePlain(ModelConfig model)
{
    model.lora = {};
    model.trained = TrainedPart::ALL;
    model.frozen = nullptr;
    return model;
}

/// @return the rows of a parameter that are a tensor of a file, as they lie there
TensorData
CutRows(const ParameterPlace& place,
        const ForeignTensor& source,
        const TensorData& tensor,
        uint32_t firstRow)
{
    auto shape = place.shape.shape;
    const uint64_t columns =
        tensor.GetElementCount() / std::max<uint64_t>(shape.empty() ? 1 : shape.front(), 1);
    const auto* values = tensor.As<float>() + uint64_t{firstRow} * columns;
    const uint64_t count = source.rows * columns;
    std::vector<float> cut(values, values + count);
    shape.front() = source.rows;
    if (source.isTransposed)
    {
        std::swap(shape.front(), shape.back());
        for (uint64_t row = 0; row < source.rows; ++row)
        {
            for (uint64_t column = 0; column < columns; ++column)
            {
                cut[column * source.rows + row] = values[row * columns + column];
            }
        }
    }
    return TensorData::FromVector(DType::FLOAT32, shape, std::move(cut));
}

/**
 * @param model the model
 * @param parameters every parameter
 * @param isWanted says of a ParameterPlace whether it is written
 * @return the tensors of a file
 */
template <typename Predicate>
NamedTensors
ListTensors(const ModelConfig& model, const ModelParameters& parameters, Predicate isWanted)
{
    NamedTensors tensors;
    ForEachParameter(model, parameters, [&](const auto& place, const TensorData& tensor) {
        // Of a table that is the projection too, the first is written.
        const bool isRepeated = place.isTied && place.kind != ParameterKind::TABLE;
        if (!isWanted(place) || isRepeated)
        {
            return;
        }
        uint32_t row = 0;
        for (const auto& source : place.sources)
        {
            const bool isWhole = place.sources.size() == 1 && !source.isTransposed;
            tensors.emplace_back(source.name,
                                 isWhole ? tensor : CutRows(place, source, tensor, row));
            row += source.rows;
        }
    });
    return tensors;
}

/**
 * @param module with all words of its name
 * @param others modules that are not to be named
 * @return the fewest last words that none of the others ends with: PEFT goes by the end of names
 */
std::string
GetShortName(const std::string& module, const std::vector<std::string>& others)
{
    auto begin = module.rfind('.');
    while (begin != std::string::npos && begin > 0)
    {
        const auto name = module.substr(begin + 1);
        const bool isOfOthers =
            std::any_of(others.begin(), others.end(), [&name](const std::string& other) {
                return other.size() >= name.size() &&
                       other.compare(other.size() - name.size(), name.size(), name) == 0;
            });
        if (!isOfOthers)
        {
            return name;
        }
        begin = module.rfind('.', begin - 1);
    }
    return module;
}

/// @return adapter_config.json
std::string
FormatAdapterConfig(const ModelConfig& model, const std::string& base)
{
    const bool isClassifier = model.head == ModelHead::CLASSIFICATION;
    const bool isCausal = model.head == ModelHead::CAUSAL_LANGUAGE;
    bool isTransposed = false;
    std::set<std::string> targets;
    std::set<std::string> saved;
    std::vector<std::string> frozen; // modules
    const auto note = [&](const ParameterPlace& place) {
        const auto& name = place.sources.front().name;
        if (place.kind == ParameterKind::ADAPTER_DOWN)
        {
            const auto module = name.substr(0, name.rfind(".lora_A"));
            targets.insert(module.substr(module.rfind('.') + 1));
        }
        else if (place.isTrained && !IsAdapter(place))
        {
            saved.insert(GetShortName(name.substr(0, name.rfind('.')), frozen));
        }
    };
    const PartRange whole{true, 0, model.encoderBlocks, true};
    const auto layout = GetParameterLayout(model, whole);
    for (const auto& place : layout)
    {
        const auto& name = place.sources.front().name;
        if (!place.isTrained)
        {
            frozen.push_back(name.substr(0, name.rfind('.')));
        }
    }
    for (const auto& place : layout)
    {
        note(place);
        isTransposed = isTransposed || place.sources.front().isTransposed;
    }
    Json json;
    json["peft_type"] = "LORA";
    json["task_type"] = isClassifier ? Json("SEQ_CLS") : isCausal ? Json("CAUSAL_LM") : Json();
    json["base_model_name_or_path"] = base.empty() ? Json() : Json(base);
    json["r"] = model.lora.rank;
    json["lora_alpha"] = model.lora.alpha;
    json["lora_dropout"] = model.lora.dropout;
    json["target_modules"] = targets;
    json["modules_to_save"] = saved.empty() ? Json() : Json(saved);
    json["bias"] = "none";
    json["fan_in_fan_out"] = isTransposed;
    json["init_lora_weights"] = true;
    json["inference_mode"] = true;
    return json.dump(2) + "\n";
}

/// @return the model as a config.json has it
PretrainedConfig
MakeConfig(const PretrainedExport& what, const ModelConfig& model)
{
    auto config = what.original ? *what.original : MakePretrainedConfig(model);
    config.classes = what.classes;
    return config;
}

} // namespace

ModelParameters
MergeAdapters(const ModelConfig& model, const ModelParameters& trained)
{
    auto all = JoinParameters(model, trained);
    const double scale = model.lora.rank > 0 ? model.lora.alpha / model.lora.rank : 0;
    const auto merge = [&](const PartRange& link, TensorList& tensors) {
        tensors = MergeLink(GetParameterLayout(model, link), tensors, scale);
    };
    merge({true, 0, 0, false}, all.embedding);
    for (uint32_t block = 0; block < model.encoderBlocks; ++block)
    {
        merge({false, block, block + 1, false}, all.blocks[block]);
    }
    merge({false, model.encoderBlocks, model.encoderBlocks, true}, all.decoder);
    return all;
}

std::map<std::string, std::string>
ListTokenizerFiles(const Tokenizer& tokenizer)
{
    if (const auto& pretrained = tokenizer.GetPretrained())
    {
        return pretrained->GetFiles();
    }
    if (tokenizer.GetModel().empty())
    {
        return {};
    }
    // SentencePiece's own names of the special tokens, in the class that transformers reads such
    // models with.
    Json json;
    json["tokenizer_class"] = "LlamaTokenizer";
    json["legacy"] = false;
    json["add_bos_token"] = true;
    json["add_eos_token"] = false;
    json["pad_token"] = "<pad>";
    json["unk_token"] = "<unk>";
    json["bos_token"] = "<s>";
    json["eos_token"] = "</s>";
    return {{"tokenizer.model", tokenizer.GetModel()},
            {"tokenizer_config.json", json.dump(2) + "\n"}};
}

void
CheckExport(const std::string& folder, const ModelConfig& model)
{
    MakePretrainedConfig(model);
    std::error_code error;
    if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    {
        throw DataError("'" + folder + "' is a file.");
    }
    if (!fs::exists(folder, error) || fs::is_empty(folder, error))
    {
        return;
    }
    for (const char* name : {MODEL, ADAPTER})
    {
        const auto path = fs::path(folder) / name;
        if (fs::exists(path, error))
        {
            const SafetensorsFile file(path.string());
            const auto& metadata = file.GetHead().metadata;
            const auto producer = metadata.find(PRODUCER);
            if (producer != metadata.end() && producer->second == OURS)
            {
                return;
            }
        }
    }
    throw DataError("'" + folder +
                    "' holds something that was not exported by CollaPipe; it is "
                    "left as it is.");
}

void
WritePretrained(const PretrainedExport& what,
                const ModelConfig& model,
                const ModelParameters& trained)
{
    std::error_code error;
    fs::create_directories(what.folder, error);
    CheckExport(what.folder, model);
    const auto at = [&what](const std::string& name) {
        return (fs::path(what.folder) / name).string();
    };
    const bool isAdapter = model.lora.rank > 0 && !what.merges;
    // What an earlier export of the other kind left must not be taken for part of this one.
    const auto removeOld = [&](std::initializer_list<const char*> names) {
        for (const char* name : names)
        {
            fs::remove(at(name), error);
        }
    };
    for (const auto& [name, text] : what.files)
    {
        WriteFileAtomically(at(name), text);
    }
    if (isAdapter)
    {
        auto tensors = ListTensors(model, JoinParameters(model, trained), [](const auto& place) {
            return IsAdapter(place) || place.isTrained;
        });
        for (auto& named : tensors)
        {
            named.first = ADAPTER_PREFIX + named.first;
        }
        WriteFileAtomically(at("adapter_config.json"), FormatAdapterConfig(model, what.base));
        auto metadata = GetMetadata();
        if (model.head == ModelHead::CLASSIFICATION && !what.classes.empty())
        {
            metadata[ADAPTER_CLASSES] =
                Json(what.classes).dump(-1, ' ', false, Json::error_handler_t::replace);
        }
        WriteSafetensors(at(ADAPTER), tensors, metadata);
        removeOld({MODEL, "config.json"});
        return;
    }
    const auto plain = MakePlain(model);
    const auto merged = MergeAdapters(model, trained);
    WriteFileAtomically(
        at("config.json"),
        FormatPretrainedConfig(MakeConfig(what, model), GetPretrainedHead(model.head)));
    WriteSafetensors(at(MODEL),
                     ListTensors(plain, merged, [](const auto&) { return true; }),
                     GetMetadata());
    removeOld({ADAPTER, "adapter_config.json"});
}

} // namespace collapipe
} // namespace ns3
