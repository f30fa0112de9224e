/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_GRADIENT_WATCH_H
#define COLLAPIPE_TORCH_GRADIENT_WATCH_H

#include "collapipe-gradient-statistics.h"

#include <ATen/ATen.h>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private.
 * @param tensor of float32
 * @return its squared Euclidean norm
 */
double GetSquaredNorm(const at::Tensor& tensor);

/**
 * Private: learns GradientStatistics from the backward passes of a part while they run. The
 * gradients of single micro-batches are seen before they are accumulated, in one of
 * WATCHED_ITERATIONS iterations; nothing is kept of them but their norm.
 */
class TorchGradientWatch
{
  public:
    /**
     * @param config the model
     * @param part the run of it
     * @param parameters leaves of automatic differentiation, in chain order
     */
    TorchGradientWatch(const ModelConfig& config,
                       const PartRange& part,
                       const std::vector<at::Tensor>& parameters);

    /**
     * To be called when an iteration's gradients are complete and as they are.
     * @param parameters that hold them
     */
    void EndIteration(const std::vector<at::Tensor>& parameters);

    /// @return what was learnt so far
    GradientStatistics Get() const;

  private:
    ModelConfig m_config;              //!< the model
    PartRange m_part;                  //!< the run of it
    uint32_t m_iteration{0};           //!< iterations ended
    std::shared_ptr<double> m_squares; //!< of this iteration's micro-batches; hooks hold it too
    std::shared_ptr<bool> m_watching;  //!< whether hooks look at gradients; they hold it too
    GradientStatistics m_sums;         //!< sums instead of means
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_GRADIENT_WATCH_H */
