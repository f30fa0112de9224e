/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TENSOR_DATA_H
#define COLLAPIPE_TENSOR_DATA_H

#include <cstdint>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Element type of a tensor. The values are those on the wire.
 */
enum class DType : uint8_t
{
    FLOAT32 = 1,
    FLOAT64 = 2,
    INT32 = 3,
    UINT8 = 4,
    FLOAT16 = 5,
    BFLOAT16 = 6,
    INT8 = 7,
};

/**
 * @param dtype the element type
 * @return bytes of one element; 0 for a value that is no DType
 */
uint32_t GetElementSize(DType dtype);

/**
 * @ingroup collapipe
 * A tensor as the network sees it: type, shape and immutable contiguous bytes (row-major,
 * little-endian). The bytes are shared, never copied: a LibTorch tensor, a received message and
 * a message about to be sent can all be views of the same memory.
 *
 * A tensor without data is *virtual*: it has a size, and stands for zeros. The Analytic backend
 * works on these.
 */
struct TensorData
{
    DType dtype{DType::FLOAT32};         //!< element type
    std::vector<uint32_t> shape;         //!< extents; empty for a scalar
    std::shared_ptr<const uint8_t> data; //!< the bytes; null for a virtual tensor

    /// @return number of elements
    uint64_t GetElementCount() const;
    /// @return size in bytes
    uint64_t GetByteSize() const;

    /// @return whether the tensor has a size but no bytes
    bool IsVirtual() const
    {
        return !data;
    }

    /**
     * @param dtype the element type
     * @param shape the extents
     * @return a tensor without bytes
     */
    static TensorData MakeVirtual(DType dtype, std::vector<uint32_t> shape);

    /**
     * Takes over a vector's memory.
     * @tparam T the element's C++ type; must have the size of the DType's element
     * @param dtype the element type
     * @param shape the extents; their product must be the vector's size
     * @param values the elements
     * @return the tensor
     */
    template <typename T>
    static TensorData FromVector(DType dtype, std::vector<uint32_t> shape, std::vector<T>&& values);

    /**
     * @tparam T the element's C++ type
     * @return the elements; must not be called on a virtual tensor
     */
    template <typename T>
    const T* As() const
    {
        return reinterpret_cast<const T*>(data.get());
    }
};

/// Several tensors that belong together: an activation with its mask, the parameters of a block
using TensorList = std::vector<TensorData>;

/**
 * @param tensors the tensors
 * @return the sum of their sizes in bytes
 */
uint64_t GetByteSize(const TensorList& tensors);

template <typename T>
TensorData
TensorData::FromVector(DType dtype, std::vector<uint32_t> shape, std::vector<T>&& values)
{
    auto owner = std::make_shared<std::vector<T>>(std::move(values));
    TensorData tensor;
    tensor.dtype = dtype;
    tensor.shape = std::move(shape);
    tensor.data =
        std::shared_ptr<const uint8_t>(owner, reinterpret_cast<const uint8_t*>(owner->data()));
    return tensor;
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TENSOR_DATA_H */
