/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_PART_H
#define COLLAPIPE_TORCH_PART_H

#include "collapipe-memory-account.h"
#include "collapipe-part-shapes.h"
#include "collapipe-torch-gradient-watch.h"
#include "collapipe-torch-layers.h"
#include "collapipe-torch-optimizer.h"
#include "collapipe-torch-tie.h"

#include <map>
#include <memory>
#include <torch/csrc/autograd/function.h> // an Edge of newer releases needs all of Node

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
     * @param account charged with all memory that the part takes
     */
    TorchPart(const ModelConfig& config,
              const PartRange& part,
              const OptimizerConfig& optimizer,
              const TensorList& parameters,
              const TensorList& state,
              const TrainingPosition& start,
              std::shared_ptr<MemoryAccount> account);

    void SetRecompute(bool recompute) override;
    TensorList Forward(uint32_t microBatch, TensorList input) override;
    TensorList Backward(uint32_t microBatch, TensorList gradient) override;
    void Step() override;
    double GetSquaredGradientNorm() const override;
    TensorList ExportTiedGradient() const override;
    void JoinTiedGradients(const TensorList& own, const TensorList& other) override;
    void ScaleGradients(double factor) override;
    TensorList ExportStatistics() const override;
    TensorList ExportGradients() const override;
    void ReplaceGradients(const TensorList& gradients) override;
    TensorList ExportParameters(bool withOptimizer) const override;
    MemoryReport GetMemory() const override;

  private:
    struct Pass;

    /**
     * Has the accumulated gradients looked at, once per iteration, before anything changes them:
     * then those of a table's two copies are joined, where the part holds both.
     */
    void Watch() const;

    /// Forward() without the account's settling.
    TensorList RunForward(uint32_t microBatch, TensorList input);

    /**
     * The forward pass.
     * @param pass with its inputs; gets the leaf whose gradient goes back
     * @return the part's output
     */
    at::Tensor Compute(Pass& pass) const;

    /**
     * @param pass the micro-batch's, which is let go of
     * @param gradient of Backward()
     * @return of Backward()
     */
    TensorList RunBackward(Pass pass, const TensorList& gradient);

    /// What is kept of a micro-batch between its passes
    struct Pass
    {
        uint32_t samples;            //!< its size
        uint32_t microBatch;         //!< its index
        at::Tensor first;            //!< tokens or hidden state; memory of the part's own
        at::Tensor padding;          //!< of the source
        at::Tensor targets;          //!< where the part has the decoder
        at::Tensor normaliser;       //!< likewise
        at::Tensor input;            //!< the leaf whose gradient goes back; undefined: tokens
        torch::autograd::Edge start; //!< where the backward pass begins
    };

    /**
     * @param pass gets the leaf whose gradient goes back
     * @param first of the part's input: tokens or hidden state; its memory is the part's own
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

    PartRange m_part;                         //!< the run of the model
    bool m_skipPadding;                       //!< compute on words only
    int32_t m_pad;                            //!< token that is padding
    bool m_recompute{false};                  //!< keep the blocks' input only
    uint64_t m_stream;                        //!< key of the random stream
    PartShapes m_shapes;                      //!< what goes in and out
    std::shared_ptr<MemoryAccount> m_account; //!< charged with all memory
    std::vector<at::Tensor> m_parameters;     //!< in chain order
    TorchLayers m_layers;                     //!< the modules
    TorchOptimizer m_optimizer;               //!< the optimizer
    mutable TorchGradientWatch m_watch;       //!< learns of the gradients
    mutable TorchTie m_tie;                   //!< of embedding and projection
    mutable bool m_isWatched{false};          //!< this iteration's gradients were looked at
    std::map<uint32_t, Pass> m_passes;        //!< micro-batches under way
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_PART_H */
