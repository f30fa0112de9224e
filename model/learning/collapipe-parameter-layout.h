/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PARAMETER_LAYOUT_H
#define COLLAPIPE_PARAMETER_LAYOUT_H

#include "collapipe-model-config.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/// What a parameter is for; its initial value follows from it
enum class ParameterKind
{
    TABLE,       //!< embedding table
    MATRIX,      //!< weight of a linear layer
    BIAS,        //!< of a linear layer or a layer norm
    NORM_WEIGHT, //!< of a layer norm
};

/**
 * @ingroup collapipe
 * One parameter tensor.
 */
struct ParameterPlace
{
    ParameterKind kind; //!< what it is for
    TensorData shape;   //!< float32, without bytes
};

/**
 * The parameters of a part in chain order, the one place where their order is fixed. Let D be the
 * width, F the feed-forward width, V the vocabulary, C the classes.
 *
 * - Embedding: table [V,D]; in BERT then positions [T,D], segments [2,D] and a norm.
 * - Encoder block: fused query, key, value [3D,D]; attention output [D,D]; feed-forward [F,D],
 *   [D,F]; norms of the attention and of the feed-forward layers. Linear layers are weight and
 *   bias.
 * - Decoder or head, of a pre-norm model: first the norm of what the encoder gives.
 *   - Translation: table [V,D]; decoder blocks: self attention as above, query [D,D], fused key and
 *     value [2D,D] and output [D,D] of the cross attention, feed-forward, three norms; of a
 *     pre-norm model a norm; generator [V,D], or its bias only where it shares the table.
 *   - Classification: pooler [D,D], classifier [C,D].
 *   - Masked language: transform [D,D], norm, projection [V,D].
 *
 * @param config the model; the program is aborted where it does not pass its Check()
 * @param part the part; the program is aborted where it is none
 * @return its parameters
 */
std::vector<ParameterPlace> GetParameterLayout(const ModelConfig& config, const PartRange& part);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PARAMETER_LAYOUT_H */
