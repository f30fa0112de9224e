/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_GRADIENT_SHARES_H
#define COLLAPIPE_GRADIENT_SHARES_H

#include "ns3/collapipe-tensor-data.h"

#include <cstdint>
#include <map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The reduction by which chains that hold the same blocks step together: the first chain's stage
 * collects every chain's gradients and gives their mean, weighted by the chains' shares of the
 * cluster's data. Chains are added in their order, so that the result does not depend on the order
 * of arrival.
 */
class GradientShares
{
  public:
    /// Nothing to collect
    GradientShares() = default;

    /**
     * @param weights of the chains, in their order; they sum to 1
     * @param dtype in which gradients travel, and the mean is rounded to
     */
    GradientShares(std::vector<double> weights, DType dtype);

    /// @return how many chains step together; 0 where none do
    uint32_t GetChains() const;

    /**
     * @param gradients of a part, float32
     * @return them as they travel
     */
    TensorList Encode(const TensorList& gradients) const;

    /**
     * @param iteration local iteration
     * @param chain whose
     * @param gradients as they travel; once per chain and iteration
     */
    void Add(uint32_t iteration, uint32_t chain, TensorList gradients);

    /**
     * @param iteration local iteration
     * @return whether the gradients of all chains are there
     */
    bool IsComplete(uint32_t iteration) const;

    /**
     * Takes out what Add() brought; run the mean itself as a job.
     * @param iteration whose gradients are complete
     * @return every chain's, in their order
     */
    std::vector<TensorList> Take(uint32_t iteration);

    /**
     * @param shares every chain's gradients as they travel, in the chains' order
     * @return their weighted mean as it travels
     */
    TensorList GetMean(const std::vector<TensorList>& shares) const;

  private:
    std::vector<double> m_weights;                                 //!< of the chains
    DType m_dtype{DType::FLOAT32};                                 //!< in which they travel
    std::map<uint32_t, std::map<uint32_t, TensorList>> m_gathered; //!< by iteration and chain
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_GRADIENT_SHARES_H */
