/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TIED_TABLE_H
#define COLLAPIPE_TIED_TABLE_H

#include "collapipe-model-config.h"

namespace ns3
{
namespace collapipe
{

/**
 * @file
 * @ingroup collapipe
 * The token embedding's table, where the projection to the vocabulary is the same one
 * (ModelConfig::tiedProjection) and it is trained. A model's parameters then hold it twice, at the
 * end of the embedding's node and at that of the head's, so that every part has what it computes
 * with; the two are equal to the last bit, and where the whole model travels, one of them does.
 */

/**
 * @param config the model
 * @param whole the whole model's parameters in chain order, and its optimizer's state or not
 * @return the same without the projection's copies; as given where there are none
 */
TensorList WithoutSecondTable(const ModelConfig& config, TensorList whole);

/**
 * The inverse of WithoutSecondTable(): the projection's copies are the embedding's.
 * @param config the model
 * @param single what that gave
 * @return the whole
 */
TensorList WithSecondTable(const ModelConfig& config, TensorList single);

/**
 * Gives a part's copy the value that the other one has after it has travelled, where the part's own
 * does not travel.
 * @param config the model
 * @param part the part
 * @param precision in which parameters travel
 * @param parameters of the part, and its optimizer's state or not
 */
void RoundTable(const ModelConfig& config,
                const PartRange& part,
                DType precision,
                TensorList& parameters);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TIED_TABLE_H */
