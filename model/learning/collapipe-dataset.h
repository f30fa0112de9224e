/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DATASET_H
#define COLLAPIPE_DATASET_H

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A sentence and its translation, as text (UTF-8, white space folded).
 */
struct SentencePair
{
    std::string source;  //!< in the source language
    std::string target;  //!< in the target language
    std::string topic{}; //!< where it came from, e.g. a catalog's name; may be empty
};

/**
 * @ingroup collapipe
 * One training sample as token ids, unpadded, without begin token.
 */
struct Sample
{
    std::vector<int32_t> source; //!< source tokens; ends with END_TOKEN
    std::vector<int32_t> target; //!< target tokens; ends with END_TOKEN; empty in a classification
    int32_t label{-1};           //!< class of a classification, from 0; -1 in a translation
    uint32_t topic{0};           //!< index into Dataset::topics
};

/**
 * @ingroup collapipe
 * A tokenized corpus in three disjoint parts.
 */
struct Dataset
{
    std::vector<Sample> training;       //!< what the clusters hold
    std::vector<Sample> validation;     //!< evaluated after every round
    std::vector<Sample> test;           //!< evaluated at the end
    uint32_t vocabulary{0};             //!< pieces, the special tokens included
    std::string description;            //!< where the text came from, for the manifest
    std::vector<std::string> topics{};  //!< where samples came from; Sample::topic counts these
    std::vector<std::string> classes{}; //!< names of a classification's labels; empty in a
                                        //!< translation
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DATASET_H */
