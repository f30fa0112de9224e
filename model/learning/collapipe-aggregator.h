/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_AGGREGATOR_H
#define COLLAPIPE_AGGREGATOR_H

#include "collapipe-model-config.h"

#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a round starts from and ends with: the parameters of the whole model and, where optimizers
 * live on from round to round, their state.
 */
struct ModelState
{
    ModelParameters parameters; //!< of the whole model
    std::vector<ModelParameters>
        optimizer;       //!< of each state kind (momentum; both moments), or none
    TensorList counters; //!< what an optimizer has once (Adam's step), or none

    /**
     * @param part the run of the model
     * @return what ComputeBackend::CreatePart() takes: its parameters in chain order, and the
     *         optimizer's state where there is any
     */
    TensorList Gather(const PartRange& part) const;
};

/**
 * @param config the model
 * @return the run that is the whole model
 */
PartRange WholeModel(const ModelConfig& config);

/**
 * @param config the model
 * @param tensors as ModelState::Gather() gives them for the whole model
 * @return the state from which they came; aborts where they are those of no such model
 */
ModelState MakeModelState(const ModelConfig& config, const TensorList& tensors);

/**
 * @ingroup collapipe
 * Federated averaging per block (McMahan et al., 2017): clusters may have cut the model
 * differently, so every contribution is taken apart into embedding, blocks and decoder first. The
 * result does not depend on the order in which contributions arrive.
 */
class Aggregator
{
  public:
    /// Cluster and chain within the cluster
    using ChainId = std::pair<uint32_t, uint32_t>;

    /**
     * @param config the model
     */
    explicit Aggregator(const ModelConfig& config);

    /**
     * @param chain whose part this is
     * @param weight of the chain; over all chains the weights sum to 1
     * @param part the run of the model
     * @param tensors as ModelPart::ExportParameters() gave them, with optimizer state or without
     */
    void Add(const ChainId& chain, double weight, const PartRange& part, const TensorList& tensors);

    /**
     * @return the weighted mean in order of the chains, in which a table that embedding and
     *         projection share is one; aborts where a chain lacks a part or the weights do not sum
     *         to 1
     */
    ModelState Average() const;

  private:
    friend ModelState MakeModelState(const ModelConfig& config, const TensorList& tensors);

    /// One chain's contribution
    struct Chain
    {
        double weight{0}; //!< of the chain
        ModelState state; //!< scattered from its stages
    };

    ModelConfig m_config;              //!< the model
    std::map<ChainId, Chain> m_chains; //!< contributions so far
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_AGGREGATOR_H */
