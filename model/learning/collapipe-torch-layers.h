/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_LAYERS_H
#define COLLAPIPE_TORCH_LAYERS_H

#include "collapipe-model-part.h"
#include "collapipe-torch-family.h"

namespace ns3
{
namespace collapipe
{

/**
 * Private: the modules of a run of the chain. Parts and the unsplit trainer are made of it.
 */
class TorchLayers
{
  public:
    /**
     * @param config the model
     * @param part the run wanted
     * @param parameters those that are trained, in chain order; used, not copied
     */
    TorchLayers(const ModelConfig& config,
                const PartRange& part,
                const std::vector<at::Tensor>& parameters);

    /**
     * @param position where in the training
     * @return the dropout of one step there
     */
    TorchDropout GetDropout(const TrainingPosition& position) const;

    /**
     * @param tokens [b,T] int32
     * @param layout the positions wanted
     * @param dropout of the step
     * @return hidden state, rows [n,D]; the part must have the embedding
     */
    at::Tensor Embed(const at::Tensor& tokens,
                     const TorchRows& layout,
                     const TorchDropout& dropout = {}) const;

    /**
     * Through all encoder blocks of the part.
     * @param rows hidden state [n,D]
     * @param layout what they stand for
     * @param padding [b,T] uint8 (1 = padding)
     * @param dropout of the step
     * @return hidden state, rows [n,D]
     */
    at::Tensor Encode(at::Tensor rows,
                      const TorchRows& layout,
                      const at::Tensor& padding,
                      const TorchDropout& dropout = {}) const;

    /**
     * @param memory rows [n,D]
     * @param layout what they stand for
     * @param padding [b,T] uint8 (1 = padding)
     * @param targets [b,U+1] int32
     * @param dropout of the step
     * @return training loss, of TorchHead::Forward(); the part must have the head
     */
    at::Tensor Decode(const at::Tensor& memory,
                      const TorchRows& layout,
                      const at::Tensor& padding,
                      const at::Tensor& targets,
                      const TorchDropout& dropout) const;

    /// @return the head; the part must have it
    const TorchHead& GetHead() const;

  private:
    ModelConfig m_config;                              //!< the model
    const TorchFamily& m_family;                       //!< its family
    uint32_t m_firstBlock;                             //!< index of the first encoder block
    std::unique_ptr<TorchInput> m_embedding;           //!< or null
    std::vector<std::unique_ptr<TorchBlock>> m_blocks; //!< in order
    std::unique_ptr<TorchHead> m_head;                 //!< or null
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_LAYERS_H */
