/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_OPTIMIZER_H
#define COLLAPIPE_TORCH_OPTIMIZER_H

#include "collapipe-model-part.h"

#include <ATen/ATen.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: the optimizer that OptimizerConfig names, in one pass over the memory per parameter:
 * stochastic gradient descent with momentum (Sutskever et al. 2013, as torch::optim::SGD has it),
 * or Adam (Kingma and Ba 2015).
 */
class TorchOptimizer
{
  public:
    /**
     * @param config which one; aborts on an unknown name
     * @param parameters what it steps; in chain order
     * @param steps of the training that came before
     */
    TorchOptimizer(const OptimizerConfig& config,
                   const std::vector<at::Tensor>& parameters,
                   uint64_t steps = 0);

    /// @return steps of the training that came before the next
    uint64_t GetSteps() const;

    /// Steps with the parameters' gradients and takes these away.
    void Step();

    /// Takes the parameters' gradients away.
    void DropGradients();

    /// @return a copy of the state
    TensorList ExportState() const;

    /**
     * @param state as ExportState() gave it
     */
    void ImportState(const TensorList& state);

  private:
    /// Steps one parameter with its gradient.
    void StepAdam(size_t index, float learningRate);

    /// Steps one parameter with its gradient.
    void StepSgd(size_t index, float learningRate);

    OptimizerConfig m_config;             //!< which one
    std::vector<at::Tensor> m_parameters; //!< what it steps
    uint64_t m_steps;                     //!< of the training so far
    uint64_t m_ownSteps{0};               //!< of this optimizer's state
    std::vector<at::Tensor> m_first;      //!< momentum, or Adam's first moments; empty: zeros
    std::vector<at::Tensor> m_second;     //!< Adam's second moments; empty: zeros
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_OPTIMIZER_H */
