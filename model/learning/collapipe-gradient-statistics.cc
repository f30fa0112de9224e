/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-gradient-statistics.h"

#include "collapipe-model-family.h"
#include "collapipe-random-key.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Elements that one hash serves, 16 bits each: 8 of them choose the place, one the sign
constexpr uint64_t PER_HASH = 4;
static_assert(SKETCH_SIZE == 256, "a place is chosen by 8 bits of a hash");

constexpr uint32_t NUMBERS = 3;

} // namespace

uint32_t
CountLinks(const PartRange& part)
{
    return part.embedding + part.GetBlocks() + part.decoder;
}

void
AddToSketch(const float* values, uint64_t count, uint64_t first, float* sketch)
{
    uint64_t hash = 0;
    for (uint64_t i = 0; i < count; ++i)
    {
        const uint64_t place = first + i;
        const uint64_t lane = place % PER_HASH;
        if (lane == 0 || i == 0)
        {
            hash = Scramble(place / PER_HASH);
        }
        const uint64_t bits = hash >> (16 * lane);
        sketch[bits & 0xff] += bits & 0x100 ? values[i] : -values[i];
    }
}

std::vector<float>
SketchGradients(const ModelConfig& config, const PartRange& part, const TensorList& gradients)
{
    std::vector<float> sketch(CountLinks(part) * SKETCH_SIZE);
    float* target = sketch.data();
    auto gradient = gradients.begin();
    const auto add = [&](const PartRange& link) {
        uint64_t first = 0;
        for (std::size_t i = GetParameterShapes(config, link).size(); i > 0; --i, ++gradient)
        {
            AddToSketch(gradient->As<float>(), gradient->GetElementCount(), first, target);
            first += gradient->GetElementCount();
        }
        target += SKETCH_SIZE;
    };
    if (part.embedding)
    {
        add({true, 0, 0, false});
    }
    for (uint32_t block = part.firstBlock; block < part.lastBlock; ++block)
    {
        add({false, block, block + 1, false});
    }
    if (part.decoder)
    {
        add({false, 0, 0, true});
    }
    return sketch;
}

TensorList
GetStatisticsShapes(const PartRange& part)
{
    return {TensorData::MakeVirtual(DType::FLOAT64, {NUMBERS}),
            TensorData::MakeVirtual(DType::FLOAT32, {CountLinks(part), SKETCH_SIZE})};
}

TensorList
EncodeStatistics(const PartRange& part, const GradientStatistics& statistics)
{
    auto sketch = statistics.sketch;
    sketch.resize(CountLinks(part) * SKETCH_SIZE);
    return {
        TensorData::FromVector(DType::FLOAT64,
                               {NUMBERS},
                               std::vector<double>{statistics.watched,
                                                   statistics.microBatchSquares,
                                                   statistics.squaredNorm}),
        TensorData::FromVector(DType::FLOAT32, {CountLinks(part), SKETCH_SIZE}, std::move(sketch))};
}

std::string
DecodeStatistics(const PartRange& part, const TensorList& tensors, GradientStatistics& statistics)
{
    const auto shapes = GetStatisticsShapes(part);
    const bool isGood =
        std::equal(tensors.begin(),
                   tensors.end(),
                   shapes.begin(),
                   shapes.end(),
                   [](const TensorData& left, const TensorData& right) {
                       return left.dtype == right.dtype && left.shape == right.shape;
                   });
    if (!isGood)
    {
        return "gradient statistics must be three float64 values and a float32 sketch of " +
               std::to_string(CountLinks(part)) + " links";
    }
    statistics = GradientStatistics();
    if (tensors[0].IsVirtual() || tensors[1].IsVirtual())
    {
        return "";
    }
    const auto* numbers = tensors[0].As<double>();
    statistics.watched = numbers[0];
    statistics.microBatchSquares = numbers[1];
    statistics.squaredNorm = numbers[2];
    const auto* values = tensors[1].As<float>();
    statistics.sketch.assign(values, values + tensors[1].GetElementCount());
    return "";
}

} // namespace collapipe
} // namespace ns3
