/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_OPTIONS_H
#define COLLAPIPE_RUN_OPTIONS_H

#include "collapipe-run-config.h"
#include "collapipe-run-option.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What is learnt by BERTs and language models: from scratch, in more steps, which start gently
inline const std::vector<std::string> BERTS{"classification", "mlm", "lm"};

/// A model of other people's (--pretrained, --config), which is fine-tuned: it has learnt before,
/// so that few and small steps are enough
inline const std::vector<std::string> FOREIGN{"foreign"};

/**
 * The table of options.
 * @param config whose values they are; conditions are those of its values as they are now
 * @return a row for every option, in the order of the help
 */
std::vector<RunOption> MakeOptions(RunConfig& config);

/**
 * Adds the options about nodes, links and radios.
 * @param config whose values they are
 * @param options where to add them
 */
void AddNetworkOptions(RunConfig& config, std::vector<RunOption>& options);

/**
 * Adds the options about what is learnt, from what, and how well.
 * @param config whose values they are
 * @param options where to add them
 */
void AddLearningOptions(RunConfig& config, std::vector<RunOption>& options);

/**
 * @param name short name of an LTE scheduler
 * @return its TypeId's name; any other name as it is
 */
std::string SchedulerTypeName(const std::string& name);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_OPTIONS_H */
