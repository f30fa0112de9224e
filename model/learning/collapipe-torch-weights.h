/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_WEIGHTS_H
#define COLLAPIPE_TORCH_WEIGHTS_H

/**
 * @file
 * @ingroup collapipe
 * Private: weights as LibTorch computes with them, trained ones and frozen ones alike.
 */

#include "collapipe-frozen-weights.h"
#include "collapipe-parameter-layout.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A matrix or table, trained or not. What is frozen may be held in less than float32; it is
 * computed with in float32, and automatic differentiation keeps it as it is held.
 */
class TorchWeight
{
  public:
    TorchWeight() = default;

    /**
     * @param values [rows,columns]: float32 or float64, or what StoredTensor holds
     * @param scales of int8 values [rows]; else undefined
     */
    explicit TorchWeight(at::Tensor values, at::Tensor scales = {});

    /**
     * @param rows [n,columns]
     * @return rows W^T [n,rows]
     */
    at::Tensor Multiply(const at::Tensor& rows) const;

    /**
     * @param rows [n,columns]
     * @param bias [rows]; undefined: none
     * @return rows W^T + bias
     */
    at::Tensor Multiply(const at::Tensor& rows, const at::Tensor& bias) const;

    /**
     * @param indices of rows, any shape
     * @return these rows [...,columns]
     */
    at::Tensor Select(const at::Tensor& indices) const;

    /// @return the values in float32; a copy where they are held otherwise
    at::Tensor Get() const;

    /// @return the values as they are held
    const at::Tensor& GetStored() const;

    /// @return the scales of int8 values, or an undefined tensor
    const at::Tensor& GetScales() const;

  private:
    at::Tensor m_values; //!< as held
    at::Tensor m_scales; //!< of int8
};

/// A low-rank adapter on some outputs of a linear layer
struct TorchAdapter
{
    int64_t firstRow; //!< first output
    uint64_t name;    //!< the same in every cut; other adapters have others
    at::Tensor down;  //!< A [r,in]
    at::Tensor up;    //!< B [outputs,r]
};

/**
 * Hands out parameters in chain order, so that constructors read like the family's layout.
 */
class TorchParameterReader
{
  public:
    /**
     * @param parameters in chain order, all of them; there are no adapters
     */
    explicit TorchParameterReader(const std::vector<at::Tensor>& parameters);

    /**
     * @param config the model; what is frozen comes from it
     * @param part the run of it
     * @param trained parameters of the part that are trained, in chain order
     */
    TorchParameterReader(const ModelConfig& config,
                         const PartRange& part,
                         const std::vector<at::Tensor>& trained);

    /// @return the next parameter
    at::Tensor Next();

    /// @return the next parameter, which is a matrix or table
    TorchWeight NextWeight();

    /// @return adapters that come next
    std::vector<TorchAdapter> NextAdapters();

    /// @return by what adapters are multiplied: alpha / rank
    double GetAdapterScale() const;

  private:
    std::vector<TorchWeight> m_weights;   //!< all of them
    std::vector<ParameterPlace> m_places; //!< likewise; empty: no adapters
    double m_adapterScale{1};             //!< of all adapters
    size_t m_next{0};                     //!< which comes next
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_WEIGHTS_H */
