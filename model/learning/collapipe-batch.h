/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BATCH_H
#define COLLAPIPE_BATCH_H

#include "collapipe-dataset.h"
#include "collapipe-model-part.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Samples as the tensors that a model takes. Let b be the number of samples, T and U the model's
 * lengths of source and labels, see ModelPart.
 */
struct Batch
{
    TensorData source;       //!< source tokens [b,T] int32
    TensorData target;       //!< BEGIN_TOKEN and target tokens [b,U+1] int32
    uint64_t labelTokens{0}; //!< target tokens that are not padding, BEGIN_TOKEN not counted
};

/**
 * Counts the labels of samples without making tensors of them: an iteration's normaliser, which is
 * wanted before its micro-batches are.
 * @param config the model; its lengths cut
 * @param samples the samples
 * @return labels that are not padding after cutting
 */
uint64_t CountLabelTokens(const ModelConfig& config, const std::vector<const Sample*>& samples);

/**
 * Pads samples with PAD_TOKEN to the model's lengths. A longer sequence is cut, and its last token
 * that stays is replaced by END_TOKEN. Aborts on a token outside the vocabulary. For a model that
 * predicts masked tokens, masks some.
 * @param config the model
 * @param samples the samples, in the order of the rows
 * @param position where in the training this is: what is masked goes by it
 * @param firstSample number of the first sample within the iteration; likewise
 * @return the batch
 */
Batch MakeBatch(const ModelConfig& config,
                const std::vector<const Sample*>& samples,
                const TrainingPosition& position = {},
                uint32_t firstSample = 0);

/**
 * @param config the model
 * @param samples the samples, in the order of the rows
 * @param position where in the training this is
 * @return the batch
 */
Batch MakeBatch(const ModelConfig& config,
                const std::vector<Sample>& samples,
                const TrainingPosition& position = {});

/**
 * @param config the model
 * @param samples the samples, in the order of the rows
 * @return a batch without labels: sources as they stand, no token of them masked
 */
Batch ReadBatch(const ModelConfig& config, const std::vector<const Sample*>& samples);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BATCH_H */
