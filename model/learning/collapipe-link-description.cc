/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-description.h"

#include "collapipe-model-family.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the last word of a dotted name
std::string
GetLastWord(const std::string& name)
{
    return name.substr(name.rfind('.') + 1); // npos + 1 is 0
}

} // namespace

void
Work::Add(const Work& other)
{
    forward += other.forward;
    inputGradient += other.inputGradient;
    weightGradient += other.weightGradient;
}

uint32_t
LinearMap::GetOutputs() const
{
    uint32_t outputs = 0;
    for (const auto& [name, count] : modules)
    {
        outputs += count;
    }
    return outputs;
}

LinkDescription::LinkDescription(const ModelConfig& config, const ChainLink& link)
    : m_config(config),
      m_link(link),
      m_isInBlock(link.kind == ChainLink::BLOCK),
      m_block(link.block),
      m_targets(config.lora.targets.empty() ? GetModelFamily(config).GetAdapterTargets()
                                            : config.lora.targets)
{
}

void
LinkDescription::BeginBlock(uint32_t block)
{
    m_isInBlock = true;
    m_block = block;
}

void
LinkDescription::EndBlock()
{
    m_isInBlock = false;
}

bool
LinkDescription::IsTrained(ParameterKind kind, bool isTaskHead, bool isTied) const
{
    const bool isAdapter = kind == ParameterKind::ADAPTER_DOWN || kind == ParameterKind::ADAPTER_UP;
    const bool isFree = kind != ParameterKind::ADAPTER_DOWN || !m_config.lora.freezeA;
    const bool isHead = m_link.kind == ChainLink::HEAD && !m_isInBlock && !isTied;
    switch (m_config.trained)
    {
    case TrainedPart::ALL:
        return isFree;
    case TrainedPart::ADAPTERS:
        return isAdapter ? isFree : isTaskHead;
    case TrainedPart::HEAD:
        return isHead;
    case TrainedPart::LAST:
        break;
    }
    return isHead || (m_isInBlock && m_block + m_config.trainedBlocks >= m_config.GetAllBlocks());
}

bool
LinkDescription::Add(ParameterKind kind,
                     std::vector<uint32_t> extents,
                     std::vector<ForeignTensor> sources,
                     bool isTaskHead,
                     bool isTied)
{
    ParameterPlace place;
    place.kind = kind;
    place.shape = TensorData::MakeVirtual(DType::FLOAT32, std::move(extents));
    place.sources = std::move(sources);
    place.isTrained = IsTrained(kind, isTaskHead, isTied);
    place.isTied = isTied;
    place.isInBlock = m_isInBlock;
    place.block = m_block;
    m_places.push_back(std::move(place));
    return m_places.back().isTrained;
}

void
LinkDescription::AddTable(const std::string& name, uint32_t rows, bool isTied)
{
    Add(ParameterKind::TABLE, {rows, m_config.width}, {{name, rows}}, false, isTied);
}

bool
LinkDescription::IsTarget(const std::string& module) const
{
    return m_config.lora.rank > 0 &&
           std::find(m_targets.begin(), m_targets.end(), GetLastWord(module)) != m_targets.end();
}

void
LinkDescription::AddLinear(const LinearMap& map)
{
    std::vector<ForeignTensor> weights;
    std::vector<ForeignTensor> biases;
    for (const auto& [name, outputs] : map.modules)
    {
        weights.push_back({name + ".weight", outputs, map.isTransposed});
        biases.push_back({map.biasName.empty() ? name + ".bias" : map.biasName, outputs, false});
        const auto word = GetLastWord(name);
        if (std::find(m_modules.begin(), m_modules.end(), word) == m_modules.end())
        {
            m_modules.push_back(word);
        }
    }
    const uint32_t outputs = map.GetOutputs();
    const double flops = 2 * map.rows * outputs * map.inputs;
    m_work.forward += flops;
    m_work.inputGradient += flops;
    if (Add(ParameterKind::MATRIX,
            {outputs, map.inputs},
            std::move(weights),
            map.isTaskHead,
            map.isTied))
    {
        m_work.weightGradient += flops;
    }
    if (map.hasBias)
    {
        Add(ParameterKind::BIAS, {outputs}, std::move(biases), map.isTaskHead);
    }
    AddAdapters(map);
}

void
LinkDescription::AddAdapters(const LinearMap& map)
{
    const uint32_t rank = m_config.lora.rank;
    uint32_t row = 0;
    for (const auto& [name, outputs] : map.modules)
    {
        if (IsTarget(name))
        {
            const double down = 2 * map.rows * rank * map.inputs;
            const double up = 2 * map.rows * rank * outputs;
            const bool learnsDown = Add(ParameterKind::ADAPTER_DOWN,
                                        {rank, map.inputs},
                                        {{name + ".lora_A.weight", rank}});
            const bool learnsUp = Add(ParameterKind::ADAPTER_UP,
                                      {outputs, rank},
                                      {{name + ".lora_B.weight", outputs}});
            m_places.back().firstRow = row;
            m_work.Add({down + up, down + up, learnsDown * down + learnsUp * up});
            m_keptValues += learnsUp ? map.rows * rank : 0;
            if (m_config.lora.dropout > 0)
            {
                // The factors, and what they leave of the input
                m_keptValues += map.rows * map.inputs * (1 + learnsDown);
            }
        }
        row += outputs;
    }
}

void
LinkDescription::AddNorm(const std::string& name, bool hasBias)
{
    const uint32_t width = m_config.width;
    Add(ParameterKind::NORM_WEIGHT, {width}, {{name + ".weight", width}});
    if (hasBias)
    {
        Add(ParameterKind::BIAS, {width}, {{name + ".bias", width}});
    }
}

void
LinkDescription::AddAttention(double queries, double keys, double width)
{
    const double flops = 4 * queries * keys * width;
    m_work.Add({flops, 2 * flops, 0}); // both factors of both products need a gradient
}

void
LinkDescription::AddProduct(double flops)
{
    m_work.Add({flops, flops, IsTrained(ParameterKind::TABLE, false, true) ? flops : 0});
}

void
LinkDescription::AddBias(const std::string& name, uint32_t width)
{
    Add(ParameterKind::BIAS, {width}, {{name, width}});
}

void
LinkDescription::AddLookups(double operations)
{
    const bool learns = IsTrained(ParameterKind::TABLE, false, true);
    m_work.Add({operations, 0, learns ? 2 * operations : 0});
}

void
LinkDescription::Keep(double values)
{
    m_keptValues += values;
}

bool
LinkDescription::NeedsInput(const LinearMap& map) const
{
    const auto learns = [this](const std::string& name) {
        return std::any_of(m_places.begin(), m_places.end(), [&name](const ParameterPlace& place) {
            return place.isTrained && place.sources.front().name == name;
        });
    };
    return std::any_of(map.modules.begin(), map.modules.end(), [&](const auto& module) {
        const auto& name = module.first;
        return learns(map.modules.front().first + ".weight") ||
               (m_config.lora.dropout == 0 && learns(name + ".lora_A.weight"));
    });
}

void
LinkDescription::KeepInput(double values, const LinearMap& map)
{
    KeepInput(values, std::vector<LinearMap>{map});
}

void
LinkDescription::KeepInput(double values, const std::vector<LinearMap>& maps)
{
    if (std::any_of(maps.begin(), maps.end(), [this](const auto& map) { return NeedsInput(map); }))
    {
        m_keptValues += values;
    }
}

const std::vector<ParameterPlace>&
LinkDescription::GetPlaces() const
{
    return m_places;
}

const Work&
LinkDescription::GetWork() const
{
    return m_work;
}

double
LinkDescription::GetKeptBytes() const
{
    return sizeof(float) * m_keptValues;
}

const std::vector<std::string>&
LinkDescription::GetModules() const
{
    return m_modules;
}

} // namespace collapipe
} // namespace ns3
