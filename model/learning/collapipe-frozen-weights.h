/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FROZEN_WEIGHTS_H
#define COLLAPIPE_FROZEN_WEIGHTS_H

#include "collapipe-model-config.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A frozen parameter as it is held: what is no matrix and no table is float32; those are of
 * ModelConfig::base. INT8 is symmetric with a scale per row (an output channel, a word), max |x| /
 * 127.
 */
struct StoredTensor
{
    TensorData values; //!< of the parameter's shape
    TensorData scales; //!< float32, one per row; of INT8 only, else without elements

    /// @return bytes of both
    uint64_t GetByteSize() const;
};

/**
 * @ingroup collapipe
 * The frozen parameters of a whole model. Nobody writes to them, so all parts that hold the same
 * values share them, whatever device or cluster they belong to.
 */
class FrozenWeights
{
  public:
    /// Of a link, in the order of its layout
    using List = std::vector<StoredTensor>;

    /**
     * @param part the run wanted
     * @return its frozen parameters in chain order
     */
    List Gather(const PartRange& part) const;

    /**
     * @param link embedding, one block, or decoder
     * @return what is frozen of it, which may be changed; there is a place for each block
     */
    List& GetLink(const PartRange& link);

    List embedding;           //!< of the embedding
    std::vector<List> blocks; //!< of each block that devices hold
    List decoder;             //!< of the head
};

/**
 * @param tensor float32 values of a parameter
 * @param kind a matrix or table, or something else, which stays float32
 * @param base in which matrices and tables are held
 * @return the parameter as it is held
 */
StoredTensor StoreTensor(const TensorData& tensor, bool isLarge, DType base);

/**
 * @param tensor a parameter as it is held
 * @return its values in float32
 */
TensorData LoadTensor(const StoredTensor& tensor);

/**
 * @param config the model
 * @param part a part of it
 * @return what the part holds frozen, in chain order, without bytes
 */
FrozenWeights::List GetFrozenShapes(const ModelConfig& config, const PartRange& part);

/**
 * @param list frozen parameters
 * @return their tensors as they travel: of each the values and, of INT8, the scales behind them
 */
TensorList EncodeFrozen(const FrozenWeights::List& list);

/**
 * The inverse of EncodeFrozen().
 * @param tensors of the shapes that EncodeFrozen() gives
 * @return frozen parameters, which share the tensors' bytes
 */
FrozenWeights::List DecodeFrozen(const TensorList& tensors);

/**
 * @param config the model
 * @param part a part of it
 * @return bytes that the part holds frozen, as they are held: s_0 W_0 of formula (8')
 */
uint64_t GetFrozenBytes(const ModelConfig& config, const PartRange& part);

/**
 * Takes a whole model's parameters apart into those that are trained and those that are not.
 * @param config the model; gets the frozen ones
 * @param all every parameter, float32, in the order of GetParameterLayout() of every link
 * @return those that are trained
 */
ModelParameters FreezeParameters(ModelConfig& config, const ModelParameters& all);

/**
 * The inverse of FreezeParameters().
 * @param config the model, with the frozen ones
 * @param trained those that are trained
 * @return every parameter, float32
 */
ModelParameters JoinParameters(const ModelConfig& config, const ModelParameters& trained);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FROZEN_WEIGHTS_H */
