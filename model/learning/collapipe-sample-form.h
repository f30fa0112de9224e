/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SAMPLE_FORM_H
#define COLLAPIPE_SAMPLE_FORM_H

/**
 * @file
 * @ingroup collapipe
 * What samples look like as rows of tokens and labels, by what a model is to do.
 */

#include "collapipe-dataset.h"
#include "collapipe-model-config.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/// A label that is none where every id of the vocabulary may be one
constexpr int32_t NO_LABEL = -1;

/**
 * @param tokens of a text, other than those with a meaning of their own
 * @return how many of them are masked: 15 % as in BERT, at least one
 */
uint32_t CountMaskedTokens(uint32_t tokens);

/**
 * @param config a model
 * @return what stands where there is no label: PAD_TOKEN, or NO_LABEL in a language model
 */
int32_t GetNoLabel(const ModelConfig& config);

/**
 * @param config a model
 * @param token of a source row
 * @return whether it is padding
 */
bool IsPadding(const ModelConfig& config, int32_t token);

/**
 * @param config a model
 * @return the token that stands for a masked one
 */
int32_t GetMaskToken(const ModelConfig& config);

/**
 * Writes the source row of a sample. Aborts on a token outside the vocabulary.
 * @param config the model
 * @param sample a sample
 * @param row source tokens [T], written over
 */
void WriteSource(const ModelConfig& config, const Sample& sample, int32_t* row);

/**
 * Writes the labels of a sample. Aborts on one that the model cannot give.
 * @param config the model
 * @param sample a sample
 * @param key of the random stream for masking
 * @param source its source row [T]; masked where the model predicts what was masked
 * @param labels row of labels [U], of GetNoLabel() all
 */
void WriteLabels(const ModelConfig& config,
                 const Sample& sample,
                 uint64_t key,
                 int32_t* source,
                 int32_t* labels);

/**
 * @param config a model
 * @param sample a sample
 * @return its labels after cutting
 */
uint64_t CountLabels(const ModelConfig& config, const Sample& sample);

/**
 * Fits a model to what it is to learn from.
 * @param config the model
 * @param vocabulary pieces of the tokenizer, the special tokens included
 * @param classes of a classification
 */
void FitToData(ModelConfig& config, uint32_t vocabulary, uint32_t classes);

/**
 * @param config a model
 * @return whether it can translate
 */
bool IsTranslator(const ModelConfig& config);

/**
 * @param config a model
 * @return whether it can classify
 */
bool IsClassifier(const ModelConfig& config);

/**
 * @param config a model
 * @return whether it can continue a text
 */
bool IsLanguageModel(const ModelConfig& config);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SAMPLE_FORM_H */
