/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pretrained-weights.h"

#include "collapipe-text-files.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
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

constexpr const char* WHOLE = "model.safetensors";            //!< all weights
constexpr const char* INDEX = "model.safetensors.index.json"; //!< where they are
constexpr std::size_t NAMED = 5;                              //!< missing tensors that are named

/// @return what transformers puts before the names of a family's layers
std::string
GetPrefix(PretrainedFamily family)
{
    switch (family)
    {
    case PretrainedFamily::BERT:
        return "bert.";
    case PretrainedFamily::DISTILBERT:
        return "distilbert.";
    case PretrainedFamily::GPT2:
        return "transformer.";
    default:
        return "model.";
    }
}

bool
EndsWith(const std::string& text, const std::string& end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

template <typename T>
std::string
FormatShape(const std::vector<T>& shape)
{
    std::string text = "[";
    for (const auto extent : shape)
    {
        text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return text + "]";
}

/**
 * @param index of shards, its text
 * @param path of it
 * @return names of the files and of the tensors in each
 * @throws DataError where it is no such index
 */
std::map<std::string, std::vector<std::string>>
ParseIndex(const std::string& index, const std::string& path)
{
    const auto json = ParseBoundedJson<nlohmann::json>(index, false);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object() ||
        json["weight_map"].empty())
    {
        throw DataError("'" + path + "' is no index of weights: it has no weight_map.");
    }
    std::map<std::string, std::vector<std::string>> files;
    for (const auto& [name, file] : json["weight_map"].items())
    {
        const auto text = file.is_string() ? file.get<std::string>() : std::string();
        if (text.empty() || text != fs::path(text).filename() || text == "." || text == "..")
        {
            throw DataError("'" + path + "': the tensor '" + name +
                            "' is said to be in something that is no file of the folder.");
        }
        files[text].push_back(name);
    }
    return files;
}

} // namespace

PretrainedWeights::PretrainedWeights(const std::string& folder, PretrainedFamily family)
    : m_folder(folder),
      m_family(family)
{
    const auto whole = (fs::path(folder) / WHOLE).string();
    const auto index = (fs::path(folder) / INDEX).string();
    std::error_code error;
    if (fs::exists(whole, error))
    {
        Open(whole);
    }
    else if (fs::exists(index, error))
    {
        OpenShards(folder, index);
    }
    else
    {
        const bool isPickled = fs::exists(fs::path(folder) / "pytorch_model.bin", error);
        throw DataError("'" + folder + "' has no " + WHOLE + " and no " + INDEX +
                        (isPickled ? "; save the model with safe_serialization=True, since "
                                     "pytorch_model.bin is a program and is not run."
                                   : "."));
    }
}

void
PretrainedWeights::Open(const std::string& path)
{
    m_files.emplace_back(path);
    for (const auto& entry : m_files.back().GetHead().entries)
    {
        const auto name = Simplify(entry.name);
        if (!m_places.emplace(name, std::make_pair(m_files.size() - 1, entry.name)).second)
        {
            throw DataError("'" + m_folder + "': the tensor '" + entry.name + "' comes twice.");
        }
    }
}

void
PretrainedWeights::OpenShards(const std::string& folder, const std::string& index)
{
    for (const auto& [file, names] : ParseIndex(ReadFileBytes(index), index))
    {
        const auto path = (fs::path(folder) / file).string();
        std::error_code error;
        if (!fs::exists(path, error))
        {
            throw DataError("'" + path + "' is missing: the weights are in shards, and '" + INDEX +
                            "' names it.");
        }
        Open(path);
        for (const auto& name : names)
        {
            if (!m_files.back().Find(name))
            {
                throw DataError("'" + path + "' has no tensor '" + name + "', though '" + INDEX +
                                "' says so.");
            }
        }
    }
}

std::string
PretrainedWeights::Simplify(std::string name) const
{
    const auto prefix = GetPrefix(m_family);
    if (name.compare(0, prefix.size(), prefix) == 0)
    {
        name.erase(0, prefix.size());
    }
    for (const auto& [old, current] :
         {std::make_pair(".gamma", ".weight"), std::make_pair(".beta", ".bias")})
    {
        if (EndsWith(name, std::string("Norm") + old))
        {
            name = name.substr(0, name.size() - std::string(old).size()) + current;
        }
    }
    return name;
}

bool
PretrainedWeights::Contains(const std::string& name) const
{
    return m_places.count(Simplify(name)) > 0;
}

const SafetensorsEntry*
PretrainedWeights::Find(const PretrainedTensor& tensor) const
{
    const auto found = m_places.find(Simplify(tensor.name));
    return found == m_places.end() ? nullptr
                                   : m_files[found->second.first].Find(found->second.second);
}

bool
PretrainedWeights::Fits(const PretrainedTensor& tensor) const
{
    const auto* entry = Find(tensor);
    return entry && std::equal(entry->shape.begin(),
                               entry->shape.end(),
                               tensor.shape.begin(),
                               tensor.shape.end());
}

void
PretrainedWeights::CheckEntry(const PretrainedTensor& tensor, const SafetensorsEntry& entry) const
{
    if (!std::equal(entry.shape.begin(),
                    entry.shape.end(),
                    tensor.shape.begin(),
                    tensor.shape.end()))
    {
        throw DataError("'" + m_folder + "': the tensor '" + entry.name + "' has the shape " +
                        FormatShape(entry.shape) + ", but by config.json it would be " +
                        FormatShape(tensor.shape) + ".");
    }
    const std::set<std::string> types{"F64", "F32", "F16", "BF16"};
    if (types.count(entry.type) == 0)
    {
        throw DataError("'" + m_folder + "': the tensor '" + entry.name + "' is of the type " +
                        entry.type + "; weights must be F32, F16, BF16 or F64.");
    }
}

TensorData
PretrainedWeights::Get(const PretrainedTensor& tensor) const
{
    const auto* entry = Find(tensor);
    if (!entry)
    {
        throw DataError("'" + m_folder + "' has no tensor '" + tensor.name + "'.");
    }
    CheckEntry(tensor, *entry);
    const auto& [file, name] = m_places.at(Simplify(tensor.name));
    auto data = m_files[file].Get(name);
    if (!IsFinite(data))
    {
        throw DataError("'" + m_folder + "': the tensor '" + name +
                        "' holds values that are no finite numbers.");
    }
    return data;
}

void
PretrainedWeights::Check(const std::vector<PretrainedTensor>& tensors) const
{
    std::string missing;
    std::size_t count = 0;
    for (const auto& tensor : tensors)
    {
        const auto* entry = Find(tensor);
        if (entry)
        {
            CheckEntry(tensor, *entry);
        }
        else if (!tensor.optional && ++count <= NAMED)
        {
            missing += (missing.empty() ? "'" : ", '") + tensor.name + "'";
        }
    }
    if (count > 0)
    {
        const auto more =
            count > NAMED ? " and " + std::to_string(count - NAMED) + " more" : std::string();
        throw DataError("'" + m_folder + "' has no " + (count == 1 ? "tensor " : "tensors ") +
                        missing + more + ".");
    }
}

} // namespace collapipe
} // namespace ns3
