/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tensor-data.h"

#include <functional>
#include <numeric>

namespace ns3
{
namespace collapipe
{

uint32_t
GetElementSize(DType dtype)
{
    switch (dtype)
    {
    case DType::FLOAT64:
        return 8;
    case DType::FLOAT32:
    case DType::INT32:
        return 4;
    case DType::FLOAT16:
    case DType::BFLOAT16:
        return 2;
    case DType::UINT8:
    case DType::INT8:
        return 1;
    }
    return 0;
}

uint64_t
TensorData::GetElementCount() const
{
    return std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
}

uint64_t
TensorData::GetByteSize() const
{
    return GetElementCount() * GetElementSize(dtype);
}

TensorData
TensorData::MakeVirtual(DType dtype, std::vector<uint32_t> shape)
{
    TensorData tensor;
    tensor.dtype = dtype;
    tensor.shape = std::move(shape);
    return tensor;
}

uint64_t
GetByteSize(const TensorList& tensors)
{
    uint64_t bytes = 0;
    for (const auto& tensor : tensors)
    {
        bytes += tensor.GetByteSize();
    }
    return bytes;
}

} // namespace collapipe
} // namespace ns3
