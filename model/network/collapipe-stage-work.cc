/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-work.h"

#include "collapipe-message-shapes.h"

#include "ns3/collapipe-model-family.h"

#include <algorithm>
#include <utility>

namespace ns3
{
namespace collapipe
{

void
SetStageWork(StageTask& task,
             const TrainingContext& context,
             const PartRange& range,
             uint32_t samples,
             bool recompute)
{
    const auto& model = context.model;
    task.forwardFlops = samples * GetForwardFlops(model, range);
    // Encoder blocks alone are computed again: what an embedding and a decoder gave is kept.
    const PartRange blocks{false, range.firstBlock, range.lastBlock, false};
    const double again = recompute && task.forwardFlops > 0
                             ? samples * GetForwardFlops(model, blocks) / task.forwardFlops
                             : 0;
    task.backwardFlops =
        (context.backwardRatio * GetBackwardShare(model, range) + again) * task.forwardFlops;
    task.isClipped = context.optimizer.clipNorm > 0;
    task.sharesTable = !GetTableGradientShapes(context, range).empty();
    // Where gradients are clipped, all wait for each other anyway
    const bool hasBackward = HasBackward(model, range);
    task.takesCredit = !task.isClipped && !hasBackward && task.stage + 1 < task.stages;
    task.givesCredit =
        !task.isClipped && hasBackward && task.stage > 0 && !GivesGradient(model, range);
    if (!hasBackward)
    {
        auto& actions = task.actions;
        actions.erase(
            std::remove_if(actions.begin(),
                           actions.end(),
                           [](const Action& action) { return action.kind == Action::BACKWARD; }),
            actions.end());
    }
}

void
SetShares(StageTask& task,
          const TrainingContext& context,
          const PartRange& range,
          uint32_t chain,
          std::vector<double> weights,
          DType dtype)
{
    if (weights.size() > 1 && !GetShareShapes(context, range).empty())
    {
        task.shares = GradientShares(std::move(weights), dtype);
        task.chain = chain;
    }
}

} // namespace collapipe
} // namespace ns3
