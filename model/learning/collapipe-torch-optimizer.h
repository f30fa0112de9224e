/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_OPTIMIZER_H
#define COLLAPIPE_TORCH_OPTIMIZER_H

#include "collapipe-model-part.h"

#include <memory>
#include <torch/optim/optimizer.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: LibTorch's optimizer as OptimizerConfig names it, with its state as tensors in the order
 * of PartShapes::GetOptimizerState().
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
    OptimizerConfig m_config;                           //!< which one
    std::vector<at::Tensor> m_parameters;               //!< what it steps
    uint64_t m_steps;                                   //!< of the training so far
    std::unique_ptr<torch::optim::Optimizer> m_stepper; //!< LibTorch's
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_OPTIMIZER_H */
