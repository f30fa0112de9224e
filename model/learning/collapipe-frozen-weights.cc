/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-frozen-weights.h"

#include "collapipe-parameter-layout.h"
#include "collapipe-wire-precision.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Largest value of int8 that is used: symmetric
constexpr float INT8_MAXIMUM = 127;

/// @return whether a parameter is held in ModelConfig::base
bool
IsLarge(const ParameterPlace& place)
{
    return place.kind == ParameterKind::TABLE || place.kind == ParameterKind::MATRIX;
}

/// @return a matrix in int8 with a scale per row
StoredTensor
StoreRows(const TensorData& tensor)
{
    const uint32_t rows = tensor.shape.front();
    const uint64_t width = tensor.GetElementCount() / std::max(rows, 1U);
    StoredTensor stored;
    if (tensor.IsVirtual())
    {
        return {TensorData::MakeVirtual(DType::INT8, tensor.shape),
                TensorData::MakeVirtual(DType::FLOAT32, {rows})};
    }
    const auto* values = tensor.As<float>();
    std::vector<int8_t> bytes(tensor.GetElementCount());
    std::vector<float> scales(rows);
    for (uint64_t row = 0; row < rows; row++)
    {
        const float* first = values + row * width;
        float largest = 0;
        for (uint64_t i = 0; i < width; i++)
        {
            largest = std::max(largest, std::fabs(first[i]));
        }
        scales[row] = largest / INT8_MAXIMUM;
        for (uint64_t i = 0; i < width; i++)
        {
            const float units = largest > 0 ? first[i] / largest * INT8_MAXIMUM : 0;
            bytes[row * width + i] = static_cast<int8_t>(std::lrint(units));
        }
    }
    stored.values = TensorData::FromVector(DType::INT8, tensor.shape, std::move(bytes));
    stored.scales = TensorData::FromVector(DType::FLOAT32, {rows}, std::move(scales));
    return stored;
}

/// @return values of a matrix from int8 and a scale per row
TensorData
LoadRows(const StoredTensor& tensor)
{
    const auto& shape = tensor.values.shape;
    const uint64_t count = tensor.values.GetElementCount();
    const uint64_t width = count / std::max(shape.front(), 1U);
    const auto* bytes = tensor.values.As<int8_t>();
    const auto* scales = tensor.scales.As<float>();
    std::vector<float> values(count);
    for (uint64_t i = 0; i < count; i++)
    {
        values[i] = static_cast<float>(bytes[i]) * scales[i / width];
    }
    return TensorData::FromVector(DType::FLOAT32, shape, std::move(values));
}

/// Calls a function with a part that is a single link, and its lists in parameters of both kinds.
template <typename Function>
void
ForEachLink(const ModelConfig& config, Function function)
{
    function(PartRange{true, 0, 0, false});
    for (uint32_t block = 0; block < config.encoderBlocks; block++)
    {
        function(PartRange{false, block, block + 1, false});
    }
    function(PartRange{false, config.encoderBlocks, config.encoderBlocks, true});
}

/// @return the list of a link
template <typename Parameters>
auto&
GetList(Parameters& parameters, const PartRange& link)
{
    if (link.embedding)
    {
        return parameters.embedding;
    }
    return link.decoder ? parameters.decoder : parameters.blocks.at(link.firstBlock);
}

} // namespace

uint64_t
StoredTensor::GetByteSize() const
{
    return values.GetByteSize() + (scales.shape.empty() ? 0 : scales.GetByteSize());
}

FrozenWeights::List
FrozenWeights::Gather(const PartRange& part) const
{
    List list;
    const auto add = [&list](const List& own) { list.insert(list.end(), own.begin(), own.end()); };
    if (part.embedding)
    {
        add(embedding);
    }
    for (uint32_t block = part.firstBlock; block < part.lastBlock; block++)
    {
        add(blocks.at(block));
    }
    if (part.decoder)
    {
        add(decoder);
    }
    return list;
}

FrozenWeights::List&
FrozenWeights::GetLink(const PartRange& link)
{
    return GetList(*this, link);
}

StoredTensor
StoreTensor(const TensorData& tensor, bool isLarge, DType base)
{
    NS_ABORT_MSG_IF(tensor.dtype != DType::FLOAT32, "Only float32 parameters can be stored");
    if (!isLarge || base == DType::FLOAT32)
    {
        return {tensor, {}};
    }
    if (base == DType::INT8)
    {
        return StoreRows(tensor);
    }
    TensorList list;
    AppendEncoded(list, tensor, base);
    return {list.front(), {}};
}

TensorData
LoadTensor(const StoredTensor& tensor)
{
    if (tensor.values.dtype == DType::INT8)
    {
        return tensor.values.IsVirtual()
                   ? TensorData::MakeVirtual(DType::FLOAT32, tensor.values.shape)
                   : LoadRows(tensor);
    }
    std::size_t position = 0;
    return TakeDecoded({tensor.values}, position);
}

FrozenWeights::List
GetFrozenShapes(const ModelConfig& config, const PartRange& part)
{
    FrozenWeights::List list;
    for (const auto& place : GetParameterLayout(config, part))
    {
        if (!place.isTrained)
        {
            list.push_back(StoreTensor(place.shape, IsLarge(place), config.base));
        }
    }
    return list;
}

TensorList
EncodeFrozen(const FrozenWeights::List& list)
{
    TensorList tensors;
    for (const auto& stored : list)
    {
        tensors.push_back(stored.values);
        if (!stored.scales.shape.empty())
        {
            tensors.push_back(stored.scales);
        }
    }
    return tensors;
}

FrozenWeights::List
DecodeFrozen(const TensorList& tensors)
{
    FrozenWeights::List list;
    for (const auto& tensor : tensors)
    {
        // Nothing but the values of a matrix is int8, and its scales follow them
        if (!list.empty() && list.back().values.dtype == DType::INT8 &&
            list.back().scales.shape.empty())
        {
            list.back().scales = tensor;
            continue;
        }
        list.push_back({tensor, {}});
    }
    return list;
}

uint64_t
GetFrozenBytes(const ModelConfig& config, const PartRange& part)
{
    const auto list = GetFrozenShapes(config, part);
    return std::accumulate(
        list.begin(),
        list.end(),
        uint64_t{0},
        [](uint64_t sum, const StoredTensor& tensor) { return sum + tensor.GetByteSize(); });
}

ModelParameters
FreezeParameters(ModelConfig& config, const ModelParameters& all)
{
    auto frozen = std::make_shared<FrozenWeights>();
    ModelParameters trained;
    frozen->blocks.resize(config.encoderBlocks);
    trained.blocks.resize(config.encoderBlocks);
    ForEachLink(config, [&](const PartRange& link) {
        const auto layout = GetParameterLayout(config, link);
        const auto& tensors = GetList(all, link);
        NS_ABORT_MSG_IF(tensors.size() != layout.size(), "A model lacks parameters");
        for (std::size_t i = 0; i < layout.size(); i++)
        {
            if (layout[i].isTrained)
            {
                GetList(trained, link).push_back(tensors[i]);
            }
            else
            {
                GetList(*frozen, link)
                    .push_back(StoreTensor(tensors[i], IsLarge(layout[i]), config.base));
            }
        }
    });
    config.frozen = std::move(frozen);
    return trained;
}

ModelParameters
JoinParameters(const ModelConfig& config, const ModelParameters& trained)
{
    ModelParameters all;
    all.blocks.resize(config.encoderBlocks);
    ForEachLink(config, [&](const PartRange& link) {
        std::size_t nextTrained = 0;
        std::size_t nextFrozen = 0;
        for (const auto& place : GetParameterLayout(config, link))
        {
            GetList(all, link).push_back(
                place.isTrained ? GetList(trained, link).at(nextTrained++)
                                : LoadTensor(GetList(*config.frozen, link).at(nextFrozen++)));
        }
    });
    return all;
}

} // namespace collapipe
} // namespace ns3
