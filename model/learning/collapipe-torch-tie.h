/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_TIE_H
#define COLLAPIPE_TORCH_TIE_H

#include "collapipe-parameter-layout.h"

#include <ATen/ATen.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: keeps a model's projection to the vocabulary and its embedding one table, though they
 * may lie on different nodes. Each holds a copy; before the optimizer steps, both copies get the
 * sum of the two gradients, so that they stay equal, as one tensor's would be.
 */
class TorchTie
{
  public:
    /**
     * @param config the model
     * @param part the run of it
     * @param parameters those of the part that are trained, in chain order
     */
    TorchTie(const ModelConfig& config,
             const PartRange& part,
             const std::vector<at::Tensor>& parameters);

    /// @return whether the part holds both copies
    bool HasBoth() const;

    /// Where the part holds both copies: gives both the sum, once per iteration.
    void Join();

    /// The iteration's gradients are used up.
    void EndIteration();

    /**
     * @return where the part holds one of the copies: its gradient, which is no gradient's copy;
     *         else an undefined tensor
     */
    at::Tensor GetGradient() const;

    /**
     * @param sum of the gradients of this part's copy and of the one that another part holds
     */
    void Set(const at::Tensor& sum);

    /**
     * @return what the projection's copy adds to the sum of all parameters' squared gradient norms,
     *         in which the embedding's copy counts already: after Join() or Set()
     */
    double GetSurplus() const;

  private:
    bool m_hasProjection;             //!< the last copy is the projection's
    std::vector<at::Tensor> m_copies; //!< none, one or both
    bool m_isJoined{false};           //!< in this iteration
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_TIE_H */
