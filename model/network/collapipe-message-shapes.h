/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_SHAPES_H
#define COLLAPIPE_MESSAGE_SHAPES_H

#include "collapipe-message-application.h"

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-held-base.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param shapes of a message that is coming in
 * @param expected what the plan lets its sender send
 * @return whether number, types and extents are the same
 */
bool AreAlike(const TensorList& shapes, const TensorList& expected);

/**
 * @param context of the run
 * @param samples of a micro-batch, b
 * @return the tensors of an activation message
 */
TensorList GetActivationShapes(const TrainingContext& context, uint32_t samples);

/**
 * @param context of the run
 * @param samples of a micro-batch, b
 * @return the tensors of a targets message
 */
TensorList GetTargetShapes(const TrainingContext& context, uint32_t samples);

/**
 * @param context of the run
 * @param samples of a micro-batch, b
 * @param lastBlock of the stage that takes it, exclusive
 * @return the tensors of a gradient message; none where nothing up to there is trained
 */
TensorList GetGradientShapes(const TrainingContext& context, uint32_t samples, uint32_t lastBlock);

/**
 * @param context of the run
 * @param part the run of the model
 * @return the tensors of a table-gradient message; none where the part does not train one of the
 *         two copies of a table
 */
TensorList GetTableGradientShapes(const TrainingContext& context, const PartRange& part);

/**
 * @param context of the run
 * @param part the run of the model
 * @return the tensors of a stage-gradients message; none where nothing of the part is trained
 */
TensorList GetShareShapes(const TrainingContext& context, const PartRange& part);

/**
 * @param context of the run
 * @param part the run of the model
 * @param shapes of a message that is coming in
 * @return whether a part can be made of it: parameters as they travel, or in float32, with the
 *         optimizer's state or without
 */
bool AreParameters(const TrainingContext& context, const PartRange& part, const TensorList& shapes);

/**
 * @param context of the run
 * @param part the run of the model
 * @return the tensors of a snapshot: parameters in float32 and the optimizer's state
 */
TensorList GetSnapshotShapes(const TrainingContext& context, const PartRange& part);

/**
 * @param context of the run
 * @param part the run of the model
 * @return the tensors of an upload: parameters, statistics and, of a part with the decoder, the
 *         mean loss of an iteration, [1] float64
 */
TensorList GetUploadShapes(const TrainingContext& context, const PartRange& part);

/**
 * @param config the model
 * @param range a run of it
 * @param held frozen weights that a node has
 * @return which others it needs to hold the run: numbers as a base-weights message has them, in
 *         chain order; without those of which nothing is frozen
 */
std::vector<uint32_t> ListMissingBase(const ModelConfig& config,
                                      const PartRange& range,
                                      const HeldBase& held);

/**
 * @param config the model
 * @param number as a base-weights message has it
 * @return embedding, one block, or decoder
 */
PartRange ToBaseLink(const ModelConfig& config, uint32_t number);

/**
 * A node gets frozen weights.
 * @param config the model
 * @param number as a base-weights message has it
 * @param held which it has; filled in
 */
void AddBaseLink(const ModelConfig& config, uint32_t number, HeldBase& held);

/**
 * @param config the model
 * @param number as a base-weights message has it
 * @return the tensors of that message; virtual where the model has no values
 */
TensorList GetBaseWeights(const ModelConfig& config, uint32_t number);

/**
 * @param shapes of a message
 * @return whether they are those of one number, see MakeScalar()
 */
bool IsScalar(const TensorList& shapes);

/**
 * @param context of the run
 * @param shapes of a message
 * @return whether they are those of the whole model, as it goes between lead and cells
 */
bool IsWholeModel(const TrainingContext& context, const TensorList& shapes);

/**
 * @param context of the run
 * @param model the model
 * @return the whole of it, as it goes between lead and cells
 */
TensorList EncodeWholeModel(const TrainingContext& context, const ModelState& model);

/**
 * @param loss mean training loss of an iteration, in nats per token; not to be read where nothing
 *             is computed
 * @param isKnown whether something is computed
 * @return it as it travels at the end of an upload
 */
TensorData EncodeLoss(double loss, bool isKnown);

/**
 * @param tensor at the end of an upload
 * @param loss filled in; NaN where nothing is computed, or where training has come to nothing
 * @return empty, or the rest of a sentence: why no device has such a loss
 */
std::string DecodeLoss(const TensorData& tensor, double& loss);

/**
 * @param stage of a plan
 * @return the run of the model that it holds
 */
PartRange ToPartRange(const StagePlan& stage);

/**
 * @param config the model
 * @param targets as they came in a targets message
 * @return empty, or one sentence: a token that is not in the vocabulary, a normaliser that is none
 */
std::string CheckTargets(const ModelConfig& config, const TensorList& targets);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_SHAPES_H */
