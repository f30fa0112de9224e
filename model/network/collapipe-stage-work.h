/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_STAGE_WORK_H
#define COLLAPIPE_STAGE_WORK_H

#include "collapipe-message-application.h"
#include "collapipe-stage-runner.h"

namespace ns3
{
namespace collapipe
{

/**
 * Gives a stage's task the work of its passes, formula (1), and what it has to wait for between
 * them; takes backward passes out of it where nothing at or before the stage is trained: no
 * gradient comes that far.
 * @param task with its place in the chain and its actions
 * @param context of the run
 * @param range the run of the model that the stage holds
 * @param samples of a micro-batch
 * @param recompute whether the backward pass begins with running the forward pass again
 */
void SetStageWork(StageTask& task,
                  const TrainingContext& context,
                  const PartRange& range,
                  uint32_t samples,
                  bool recompute);

/**
 * Has a stage step together with those of other chains, where something of it is trained.
 * @param task that SetStageWork() has filled in
 * @param context of the run
 * @param range the run of the model that the stage holds
 * @param chain index of its chain
 * @param weights of all chains, in their order
 * @param dtype in which gradients go from chain to chain
 */
void SetShares(StageTask& task,
               const TrainingContext& context,
               const PartRange& range,
               uint32_t chain,
               std::vector<double> weights,
               DType dtype);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_STAGE_WORK_H */
