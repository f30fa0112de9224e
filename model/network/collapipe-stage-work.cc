/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-work.h"

#include "ns3/abort.h"
#include "ns3/collapipe-parameter-layout.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return whether a part trains one of two copies of a table, whose gradients belong together
bool
TrainsLoneCopy(const ModelConfig& model, const PartRange& range)
{
    const auto layout = GetParameterLayout(model, range);
    return std::count_if(layout.begin(), layout.end(), [](const ParameterPlace& place) {
               return place.isTied && place.isTrained;
           }) == 1;
}

} // namespace

void
SetStageWork(StageTask& task,
             const TrainingContext& context,
             const PartRange& range,
             uint32_t samples,
             bool recompute)
{
    const auto& model = context.model;
    NS_ABORT_MSG_IF(TrainsLoneCopy(model, range),
                    "The embedding and the projection to the vocabulary are one table, which is "
                    "trained and lies on two nodes: no message carries its gradients. Freeze it "
                    "(adapters, last blocks, head) or give the projection a table of its own");
    task.forwardFlops = samples * GetForwardFlops(model, range);
    task.backwardFlops =
        (context.backwardRatio * GetBackwardShare(model, range) + recompute) * task.forwardFlops;
    if (!HasBackward(model, range))
    {
        auto& actions = task.actions;
        actions.erase(
            std::remove_if(actions.begin(),
                           actions.end(),
                           [](const Action& action) { return action.kind == Action::BACKWARD; }),
            actions.end());
    }
}

} // namespace collapipe
} // namespace ns3
