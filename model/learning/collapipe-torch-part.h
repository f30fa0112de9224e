/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_PART_H
#define COLLAPIPE_TORCH_PART_H

#include "collapipe-part-shapes.h"
#include "collapipe-torch-layers.h"
#include "collapipe-torch-optimizer.h"

#include <map>

namespace ns3
{
namespace collapipe
{

/**
 * Private: a part computed by LibTorch.
 */
class TorchPart : public ModelPart
{
  public:
    /**
     * @param config the model
     * @param part the run of it
     * @param optimizer its optimizer
     * @param parameters in chain order
     * @param state the optimizer's, or nothing
     * @param start where in the training it begins
     */
    TorchPart(const ModelConfig& config,
              const PartRange& part,
              const OptimizerConfig& optimizer,
              const TensorList& parameters,
              const TensorList& state,
              const TrainingPosition& start);

    TensorList Forward(uint32_t microBatch, TensorList input) override;
    TensorList Backward(uint32_t microBatch, TensorList gradient) override;
    void Step() override;
    TensorList ExportGradients() const override;
    TensorList ExportParameters(bool withOptimizer) const override;

  private:
    /// What is kept of a micro-batch between its passes
    struct Pass
    {
        uint32_t samples;  //!< its size
        at::Tensor input;  //!< the leaf whose gradient goes back; undefined after the embedding
        at::Tensor output; //!< where the backward pass begins
    };

    /**
     * @param pass gets the leaf whose gradient goes back
     * @param first of the part's input: tokens or hidden state
     * @param padding the source's, as LibTorch sees it
     * @param layout the rows to compute on
     * @param dropout of the step
     * @return what the part's last block, or else the embedding, gives: rows
     */
    at::Tensor RunEncoder(Pass& pass,
                          const at::Tensor& first,
                          const at::Tensor& padding,
                          const TorchRows& layout,
                          const TorchDropout& dropout) const;

    PartRange m_part;                     //!< the run of the model
    bool m_skipPadding;                   //!< compute on words only
    uint64_t m_stream;                    //!< key of the random stream
    PartShapes m_shapes;                  //!< what goes in and out
    std::vector<at::Tensor> m_parameters; //!< in chain order
    TorchLayers m_layers;                 //!< the modules
    TorchOptimizer m_optimizer;           //!< the optimizer
    std::map<uint32_t, Pass> m_passes;    //!< micro-batches under way
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_PART_H */
