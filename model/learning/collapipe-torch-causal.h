/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_CAUSAL_H
#define COLLAPIPE_TORCH_CAUSAL_H

/**
 * @file
 * @ingroup collapipe
 * Private: the head of decoder-only families.
 */

#include "collapipe-torch-family.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A norm of any kind.
 */
class TorchAnyNorm
{
  public:
    virtual ~TorchAnyNorm() = default;

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    virtual at::Tensor Forward(const at::Tensor& rows) const = 0;
};

/**
 * The edge server's blocks, the last norm, and a projection: of every row to the vocabulary, or of
 * the last token's to classes.
 */
class TorchCausalHead : public TorchClassifyingHead
{
  public:
    /**
     * @param config the model
     * @param family makes the blocks
     * @param reader gives the parameters
     * @param makeNorm makes the last norm
     */
    template <typename MakeNorm>
    TorchCausalHead(const ModelConfig& config,
                    const TorchFamily& family,
                    TorchParameterReader& reader,
                    MakeNorm makeNorm)
        : m_config(config),
          m_family(family)
    {
        for (uint32_t i = 0; i < config.edgeBlocks; i++)
        {
            m_blocks.push_back(family.MakeBlock(config, reader));
        }
        m_norm = makeNorm(config, reader);
        m_projection = std::make_unique<TorchLinear>(reader, false);
    }

    at::Tensor Forward(const at::Tensor& memory,
                       const TorchRows& layout,
                       const at::Tensor& padding,
                       const at::Tensor& targets,
                       double labelSmoothing,
                       const TorchDropout& dropout) const override;

    at::Tensor Classify(const at::Tensor& memory,
                        const TorchRows& layout,
                        const at::Tensor& padding,
                        const TorchDropout& dropout) const override;

    /**
     * @param memory rows of what comes before [n,D]
     * @param layout what they stand for
     * @param padding of the source [b,T] uint8 (1 = padding)
     * @return of every row, logits of what comes next [n,V]
     */
    at::Tensor GetLogits(const at::Tensor& memory,
                         const TorchRows& layout,
                         const at::Tensor& padding) const;

  private:
    /// @return rows behind the blocks
    at::Tensor RunBlocks(at::Tensor rows,
                         const TorchRows& layout,
                         const at::Tensor& padding,
                         const TorchDropout& dropout) const;

    ModelConfig m_config;                              //!< the model
    const TorchFamily& m_family;                       //!< its family
    std::vector<std::unique_ptr<TorchBlock>> m_blocks; //!< the edge server's
    std::unique_ptr<TorchAnyNorm> m_norm;              //!< behind them
    std::unique_ptr<TorchLinear> m_projection;         //!< to the vocabulary or to classes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_CAUSAL_H */
