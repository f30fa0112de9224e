/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Adapters in the form of Hugging Face's PEFT ("Checkpoint format" in its documentation): names of
// modules behind "base_model.model.", and the configuration's fields.

#include "collapipe-link-parameters.h"
#include "collapipe-pretrained-model.h"
#include "collapipe-text-files.h"
#include "collapipe-tokenizer-files.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* ADAPTER_CONFIG = "adapter_config.json";        //!< what they are
constexpr const char* ADAPTER_WEIGHTS = "adapter_model.safetensors"; //!< their values
const std::string PREFIX = "base_model.model.";                      //!< of all names
const std::string DOWN_END = ".lora_A.weight";                       //!< of A
constexpr uint32_t MOST_RANK = 1024;                                 //!< as --lora allows
constexpr uint32_t MOST_CLASSES = 100'000;                           //!< as config.json may have

bool
EndsWith(const std::string& text, const std::string& end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// @return whether a field asks for something
bool
IsSet(const Json& json, const char* name)
{
    const auto found = json.find(name);
    return found != json.end() && !found->is_null() && *found != Json(false) &&
           !((found->is_object() || found->is_array()) && found->empty());
}

} // namespace

bool
PretrainedAdapter::IsIn(const std::string& folder)
{
    std::error_code error;
    return fs::exists(fs::path(folder) / ADAPTER_CONFIG, error);
}

PretrainedAdapter::PretrainedAdapter(const std::string& folder)
    : m_folder(folder)
{
    ReadConfig((fs::path(folder) / ADAPTER_CONFIG).string());
    const auto path = (fs::path(folder) / ADAPTER_WEIGHTS).string();
    std::error_code error;
    if (!fs::exists(path, error))
    {
        throw DataError("'" + folder + "' has an " + ADAPTER_CONFIG + " and no " + ADAPTER_WEIGHTS +
                        ".");
    }
    m_file = std::make_unique<SafetensorsFile>(path);
    FindTargets();
    FindClasses();
}

void
PretrainedAdapter::ReadConfig(const std::string& path)
{
    const auto json = ParseTokenizerJson(ReadFileBytes(path), path);
    const auto refuse = [&path](const std::string& reason) {
        throw DataError("'" + path + "': " + reason + ".");
    };
    if (json.value("peft_type", Json()) != Json("LORA"))
    {
        refuse("only adapters of the peft_type LORA are known");
    }
    for (const char* name : {"use_dora",
                             "rank_pattern",
                             "alpha_pattern",
                             "layers_to_transform",
                             "layer_replication",
                             "use_qalora",
                             "lora_bias"})
    {
        if (IsSet(json, name))
        {
            refuse(std::string(name) + " is not known here");
        }
    }
    if (IsSet(json, "bias") && json["bias"] != Json("none"))
    {
        refuse("adapters with biases are not known here");
    }
    const auto rank = json.find("r");
    const auto alpha = json.find("lora_alpha");
    if (rank == json.end() || !rank->is_number_unsigned() || rank->get<uint64_t>() == 0 ||
        rank->get<uint64_t>() > MOST_RANK)
    {
        refuse("r must be a whole number from 1 to " + std::to_string(MOST_RANK));
    }
    if (alpha == json.end() || !alpha->is_number() || !(alpha->get<double>() > 0) ||
        !std::isfinite(alpha->get<double>()))
    {
        refuse("lora_alpha must be a positive number");
    }
    m_config.rank = rank->get<uint32_t>();
    // "Rank-stabilised" scaling is alpha over the root of the rank (Kalajdzievski 2023).
    m_config.alpha =
        alpha->get<double>() * (IsSet(json, "use_rslora") ? std::sqrt(m_config.rank) : 1);
    const auto base = json.find("base_model_name_or_path");
    m_base = base != json.end() && base->is_string() ? base->get<std::string>() : "";
    if (!m_base.empty() && fs::path(m_base).is_relative())
    {
        // As transformers takes it, from where the program runs; else from beside the adapters
        std::error_code error;
        const auto beside = fs::path(m_folder) / m_base;
        m_base = !fs::is_directory(m_base, error) && fs::is_directory(beside, error)
                     ? beside.string()
                     : m_base;
    }
}

void
PretrainedAdapter::FindTargets()
{
    std::set<std::string> targets;
    for (const auto& entry : m_file->GetHead().entries)
    {
        if (EndsWith(entry.name, DOWN_END))
        {
            const auto module = entry.name.substr(0, entry.name.size() - DOWN_END.size());
            targets.insert(module.substr(module.rfind('.') + 1)); // all of it where there is no dot
        }
    }
    if (targets.empty())
    {
        throw DataError("'" + m_file->GetName() + "' holds no adapters.");
    }
    m_config.targets.assign(targets.begin(), targets.end());
}

void
PretrainedAdapter::FindClasses()
{
    for (const char* name : {"classifier.weight", "score.weight"}) // of encoders, of others
    {
        const auto* entry = m_file->Find(PREFIX + name);
        if (!entry || entry->shape.size() != 2 || entry->shape.front() > MOST_CLASSES)
        {
            continue;
        }
        m_classes.resize(entry->shape.front());
        for (std::size_t i = 0; i < m_classes.size(); ++i)
        {
            m_classes[i] = std::to_string(i);
        }
    }
    // PEFT has no place for their names; what is exported here has them beside the tensors
    const auto& metadata = m_file->GetHead().metadata;
    const auto names = metadata.find(ADAPTER_CLASSES);
    const auto json =
        names == metadata.end() ? Json() : ParseBoundedJson<Json>(names->second, false);
    if (json.is_array() && json.size() == m_classes.size() &&
        std::all_of(json.begin(), json.end(), [](const Json& name) { return name.is_string(); }))
    {
        m_classes = json.get<std::vector<std::string>>();
        m_namesClasses = true;
    }
}

bool
PretrainedAdapter::NamesClasses() const
{
    return m_namesClasses;
}

const std::vector<std::string>&
PretrainedAdapter::GetClasses() const
{
    return m_classes;
}

const std::string&
PretrainedAdapter::GetBase() const
{
    return m_base;
}

const LoraConfig&
PretrainedAdapter::GetConfig() const
{
    return m_config;
}

bool
PretrainedAdapter::Contains(const std::string& name) const
{
    return m_file->Find(PREFIX + name) != nullptr;
}

void
PretrainedAdapter::Apply(const ModelConfig& config, ModelParameters& parameters) const
{
    std::set<std::string> taken;
    ForEachParameter(config, parameters, [&](const ParameterPlace& place, TensorData& tensor) {
        const auto name = PREFIX + place.sources.front().name;
        const auto* entry = m_file->Find(name);
        if (!entry && IsAdapter(place))
        {
            throw DataError("'" + m_folder + "' adapts some modules of one name and not '" +
                            place.sources.front().name + "'; all or none of them can be.");
        }
        if (!entry)
        {
            return;
        }
        auto values = m_file->Get(name);
        if (values.shape != place.shape.shape)
        {
            throw DataError("'" + m_folder + "': the tensor '" + name +
                            "' has a shape that is none of the model's.");
        }
        values = ToFloat32(values);
        if (!IsFinite(values))
        {
            throw DataError("'" + m_folder + "': the tensor '" + name +
                            "' holds values that are no finite numbers.");
        }
        tensor = std::move(values);
        taken.insert(name);
    });
    for (const auto& entry : m_file->GetHead().entries)
    {
        if (taken.count(entry.name) == 0)
        {
            throw DataError("'" + m_folder + "': the tensor '" + entry.name +
                            "' belongs to nothing in the model.");
        }
    }
}

} // namespace collapipe
} // namespace ns3
