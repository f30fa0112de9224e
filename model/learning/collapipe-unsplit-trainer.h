/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_UNSPLIT_TRAINER_H
#define COLLAPIPE_UNSPLIT_TRAINER_H

#include "collapipe-dataset.h"
#include "collapipe-model-part.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

class UnsplitEngine;

/**
 * @ingroup collapipe
 * The ordinary training loop without network, cuts or micro-batches: the whole model, one graph
 * of automatic differentiation over all samples of an iteration, one optimizer. What split training
 * is held to, in its results and in its speed.
 */
class UnsplitTrainer
{
  public:
    /**
     * @param config the model
     * @param optimizer the optimizer
     * @param parameters initial parameters of the whole model
     * @param start where in the training this begins
     * @param optimizerState as GetOptimizerState() gave it; empty: a new optimizer
     */
    UnsplitTrainer(const ModelConfig& config,
                   const OptimizerConfig& optimizer,
                   const ModelParameters& parameters,
                   const TrainingPosition& start = {},
                   const TensorList& optimizerState = {});
    ~UnsplitTrainer();

    /**
     * Forward and backward pass. The gradients of an earlier iteration are let go.
     * @param samples of one iteration
     * @return training loss: mean cross-entropy per label that is not padding, nats
     */
    double Iterate(const std::vector<Sample>& samples);

    /// @return the gradients of the last iteration in chain order; zeros after Step()
    TensorList GetGradients() const;

    /// Optimizer step with the last iteration's gradients, which are then zero.
    void Step();

    /// @return the optimizer's state, in the order of PartShapes::GetOptimizerState()
    TensorList GetOptimizerState() const;

    /// @return the parameters; a snapshot that later steps do not change
    ModelParameters GetParameters() const;

  private:
    std::unique_ptr<UnsplitEngine> m_engine; //!< what computes, with LibTorch
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_UNSPLIT_TRAINER_H */
