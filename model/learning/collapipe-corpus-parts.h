/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CORPUS_PARTS_H
#define COLLAPIPE_CORPUS_PARTS_H

/**
 * @file
 * @ingroup collapipe
 * Private: from texts to a tokenized corpus in three parts, whatever the task.
 */

#include "collapipe-corpus.h"

namespace ns3
{
namespace collapipe
{

/**
 * Cuts the text into its parts.
 * @param pairs all but those of validation files
 * @param options how to cut
 * @param corpus gets the parts; its validation part is already there where it has its own file
 * @throws DataError where the fractions make no sense or a part would be empty
 */
void SplitCorpus(std::vector<SentencePair> pairs, const CorpusOptions& options, Corpus& corpus);

/**
 * @param pairs cut to a random choice, in their order
 * @param maximum number of pairs; 0: all
 * @param seed for the choice
 */
void LimitPairs(std::vector<SentencePair>& pairs, uint64_t maximum, uint64_t seed);

/**
 * Trains the tokenizer on the training part, unless it is given, and encodes all parts.
 * @param options how to
 * @param topics of all pairs, in the order that they get
 * @param corpus with its text; gets the rest
 */
void TokenizeCorpus(const CorpusOptions& options,
                    const std::vector<std::string>& topics,
                    Corpus& corpus);

/**
 * @param pairs any
 * @return their distinct topics, sorted
 */
std::vector<std::string> ListTopics(const std::vector<SentencePair>& pairs);

/**
 * Makes classes of topics.
 * @param dataset whose samples get their topic for a label
 */
void LabelByTopic(Dataset& dataset);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CORPUS_PARTS_H */
