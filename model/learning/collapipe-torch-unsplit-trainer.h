/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_UNSPLIT_TRAINER_H
#define COLLAPIPE_TORCH_UNSPLIT_TRAINER_H

#include "collapipe-compute-library.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Computes for an UnsplitTrainer with LibTorch.
 */
class TorchUnsplitTrainer : public UnsplitEngine
{
  public:
    /**
     * @param config the model
     * @param optimizer the optimizer
     * @param parameters initial parameters of the whole model
     * @param start where in the training this begins
     * @param optimizerState as GetOptimizerState() gave it; empty: a new optimizer
     */
    TorchUnsplitTrainer(const ModelConfig& config,
                        const OptimizerConfig& optimizer,
                        const ModelParameters& parameters,
                        const TrainingPosition& start,
                        const TensorList& optimizerState);
    ~TorchUnsplitTrainer() override;

    double Iterate(const std::vector<Sample>& samples) override;
    TensorList GetGradients() const override;
    void Step() override;
    TensorList GetOptimizerState() const override;
    ModelParameters GetParameters() const override;

  private:
    struct State;                   //!< what LibTorch knows
    std::unique_ptr<State> m_state; //!< all there is
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_UNSPLIT_TRAINER_H */
