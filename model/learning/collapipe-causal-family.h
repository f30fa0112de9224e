/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CAUSAL_FAMILY_H
#define COLLAPIPE_CAUSAL_FAMILY_H

#include "collapipe-model-families.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What decoder-only families have in common: tokens attend to those before them, the head may hold
 * the last blocks, and it predicts the next token or, from the last token, a class.
 */
class CausalFamily : public ModelFamily
{
  public:
    std::vector<ModelHead> GetHeads() const override;
    void DescribeHead(const ModelConfig& config, LinkDescription& link) const override;
    InitialValues GetInitialValues(const ModelConfig& config,
                                   const ParameterPlace& place) const override;
    std::vector<int32_t> GetInput(const ModelConfig& config, const Sample& sample) const override;
    bool IsCausal() const override;

  protected:
    /// @param link gets the norm behind the last block
    virtual void DescribeFinalNorm(LinkDescription& link) const = 0;

    /// @return name of the embedding's table in Hugging Face's files, without ".weight"
    virtual std::string GetTableName() const = 0;

    /**
     * @param config the model
     * @return whether its projection to the vocabulary is the embedding's table
     */
    static bool IsTied(const ModelConfig& config);
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CAUSAL_FAMILY_H */
