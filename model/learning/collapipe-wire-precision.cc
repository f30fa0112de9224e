/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wire-precision.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr float INT8_LIMIT = 127;

uint32_t
ToBits(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

float
FromBits(uint32_t bits)
{
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

/// @return IEEE 754 binary16, rounded to nearest, ties to even
uint16_t
ToHalf(float value)
{
    const uint32_t bits = ToBits(value);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
    {
        return sign | 0x7e00; // not a number
    }
    if (magnitude >= 0x477ff000)
    {
        return sign | 0x7c00; // 65520 and more round to infinity
    }
    if (magnitude < 0x38800000)
    {
        // Subnormal: adding 0.5 has the hardware align and round the significand to units of 2^-24.
        return sign | static_cast<uint16_t>(ToBits(FromBits(magnitude) + 0.5f) - ToBits(0.5f));
    }
    const uint32_t odd = magnitude >> 13 & 1;
    return sign | static_cast<uint16_t>((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

float
FromHalf(uint16_t half)
{
    const uint32_t sign = (half & 0x8000U) << 16;
    const uint32_t magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00)
    {
        return FromBits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    }
    if (magnitude < 0x400)
    {
        const float value = static_cast<float>(magnitude) * 0x1p-24f;
        return sign ? -value : value;
    }
    return FromBits(sign | ((magnitude << 13) + 0x38000000));
}

/// @return the upper half of binary32, rounded to nearest, ties to even
uint16_t
ToBfloat(float value)
{
    const uint32_t bits = ToBits(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
    {
        return static_cast<uint16_t>(bits >> 16 | 0x40); // not a number stays none
    }
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float
FromBfloat(uint16_t half)
{
    return FromBits(static_cast<uint32_t>(half) << 16);
}

/// Converts all elements of a tensor.
template <typename To, typename From, typename Function>
TensorData
Convert(const TensorData& tensor, DType dtype, Function function)
{
    if (tensor.IsVirtual())
    {
        return TensorData::MakeVirtual(dtype, tensor.shape);
    }
    const auto* values = tensor.As<From>();
    std::vector<To> converted(tensor.GetElementCount());
    std::transform(values, values + converted.size(), converted.begin(), function);
    return TensorData::FromVector(dtype, tensor.shape, std::move(converted));
}

/// @return the scale of a tensor in INT8; not a number where an element is none, or infinite
float
GetScale(const TensorData& tensor)
{
    const auto* values = tensor.As<float>();
    float largest = 0;
    for (uint64_t i = 0; i < tensor.GetElementCount(); ++i)
    {
        const float magnitude = std::fabs(values[i]);
        largest = magnitude <= largest ? largest : magnitude;
        if (!std::isfinite(magnitude))
        {
            return NAN;
        }
    }
    return largest / INT8_LIMIT;
}

void
AppendInt8(TensorList& list, const TensorData& tensor)
{
    if (tensor.IsVirtual())
    {
        list.push_back(TensorData::MakeVirtual(DType::INT8, tensor.shape));
        list.push_back(TensorData::MakeVirtual(DType::FLOAT32, {1}));
        return;
    }
    const float scale = GetScale(tensor);
    const float inverse = scale > 0 ? 1 / scale : 0;
    list.push_back(Convert<int8_t, float>(tensor, DType::INT8, [inverse](float value) {
        const float scaled = std::nearbyint(value * inverse);
        return static_cast<int8_t>(
            std::isfinite(scaled) ? std::clamp(scaled, -INT8_LIMIT, INT8_LIMIT) : 0);
    }));
    list.push_back(TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{scale}));
}

} // namespace

bool
ParsePrecision(const std::string& name, DType& dtype)
{
    const std::pair<const char*, DType> names[] = {{"fp32", DType::FLOAT32},
                                                   {"fp16", DType::FLOAT16},
                                                   {"bf16", DType::BFLOAT16},
                                                   {"int8", DType::INT8}};
    for (const auto& [known, type] : names)
    {
        if (name == known)
        {
            dtype = type;
            return true;
        }
    }
    return false;
}

void
AppendEncoded(TensorList& list, const TensorData& tensor, DType dtype)
{
    NS_ABORT_MSG_IF(tensor.dtype != DType::FLOAT32, "only float32 tensors are rounded to be sent");
    switch (dtype)
    {
    case DType::FLOAT16:
        list.push_back(Convert<uint16_t, float>(tensor, dtype, ToHalf));
        return;
    case DType::BFLOAT16:
        list.push_back(Convert<uint16_t, float>(tensor, dtype, ToBfloat));
        return;
    case DType::INT8:
        AppendInt8(list, tensor);
        return;
    default:
        list.push_back(tensor);
    }
}

TensorData
TakeDecoded(const TensorList& list, std::size_t& position)
{
    NS_ABORT_MSG_IF(position >= list.size(), "a tensor is missing");
    const auto& tensor = list[position++];
    switch (tensor.dtype)
    {
    case DType::FLOAT32:
        return tensor;
    case DType::FLOAT16:
        return Convert<float, uint16_t>(tensor, DType::FLOAT32, FromHalf);
    case DType::BFLOAT16:
        return Convert<float, uint16_t>(tensor, DType::FLOAT32, FromBfloat);
    default:
        break;
    }
    NS_ABORT_MSG_IF(tensor.dtype != DType::INT8 || position >= list.size() ||
                        list[position].dtype != DType::FLOAT32 ||
                        list[position].GetElementCount() != 1,
                    "a tensor is of no type that stands for float32, or its scale is missing");
    const auto& scale = list[position++];
    const float factor = scale.IsVirtual() ? 0 : *scale.As<float>();
    return Convert<float, int8_t>(tensor, DType::FLOAT32, [factor](int8_t value) {
        return factor * static_cast<float>(value);
    });
}

TensorList
EncodeParameters(const TensorList& parameters, std::size_t count, DType dtype)
{
    TensorList list;
    for (std::size_t i = 0; i < parameters.size(); ++i)
    {
        AppendEncoded(list, parameters[i], i < count ? dtype : DType::FLOAT32);
    }
    return list;
}

TensorList
DecodeParameters(const TensorList& list, std::size_t count)
{
    TensorList parameters;
    std::size_t position = 0;
    while (parameters.size() < count)
    {
        parameters.push_back(TakeDecoded(list, position));
    }
    parameters.insert(parameters.end(), list.begin() + position, list.end());
    return parameters;
}

} // namespace collapipe
} // namespace ns3
