/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_DATA_H
#define COLLAPIPE_RUN_DATA_H

#include "collapipe-run-config.h"

#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-sample-source.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/// A tokenizer that is there already
struct GivenTokenizer
{
    std::string model;      //!< as Tokenizer::GetModel() gave it; empty: one is trained
    uint32_t vocabulary{0}; //!< its pieces
};

/**
 * @param config of a run
 * @param tokenizer to use
 * @return its data: text and tokens; the validation part as large as it is evaluated
 * @throws UserError where it cannot be read or makes no sense
 */
Corpus LoadCorpus(const RunConfig& config, const GivenTokenizer& tokenizer = {});

/**
 * @param config of a run
 * @param corpus its data
 * @return its model, which goes by the data in vocabulary and classes
 */
ModelConfig GetModelConfig(const RunConfig& config, const Corpus& corpus);

/**
 * @param config of a run
 * @param dataset its data; the pointers lead there
 * @return training samples by cluster
 * @throws UserError where there are too few
 */
std::vector<std::vector<const Sample*>> PartitionData(const RunConfig& config,
                                                      const Dataset& dataset);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_DATA_H */
