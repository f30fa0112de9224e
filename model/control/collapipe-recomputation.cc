/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-recomputation.h"

#include "collapipe-pipeline-plan.h"
#include "collapipe-transfers.h"

namespace ns3
{
namespace collapipe
{

double
GetSegmentMemoryBytes(const ModelProfile& model,
                      const BlockRun& blocks,
                      uint32_t live,
                      uint32_t size,
                      bool recompute)
{
    const uint32_t trained = model.CountTrained(blocks.first, blocks.last);
    const double weights = trained * model.weightCopies * model.blockParameterBits / 8 +
                           model.GetFrozenBytes(blocks.first, blocks.last);
    const uint32_t backward = model.CountBackward(blocks.first, blocks.last);
    const double activations = size * model.activationBytesPerBlock * backward;
    if (recompute)
    {
        const double inputs = live * size * model.segmentInputBytes;
        return weights + activations + (backward > 0 ? inputs : 0);
    }
    return weights + live * activations;
}

bool
IsRecomputed(const SystemState& state,
             const DeviceState& device,
             const BlockRun& blocks,
             uint32_t live,
             uint32_t size)
{
    switch (state.training.recomputation)
    {
    case Recomputation::NEVER:
        return false;
    case Recomputation::ALWAYS:
        return blocks.last > blocks.first;
    case Recomputation::AUTO:
        break;
    }
    const double kept = GetSegmentMemoryBytes(state.model, blocks, live, size, false);
    return kept > device.memoryBytes * (1 + 1e-12) &&
           GetSegmentMemoryBytes(state.model, blocks, live, size, true) < kept;
}

bool
IsStageRecomputed(const SystemState& state,
                  std::size_t cluster,
                  const ChainPlan& chain,
                  std::size_t stage)
{
    const auto& plan = chain.stages[stage];
    if (plan.node == EDGE_SERVER || plan.GetBlocks() == 0)
    {
        return false;
    }
    if (plan.recompute || state.training.recomputation == Recomputation::NEVER)
    {
        return plan.recompute;
    }
    return IsRecomputed(state,
                        GetNode(state.clusters[cluster], plan.node),
                        {plan.firstBlock, plan.lastBlock},
                        GetLiveMicroBatches(state.training.schedule, chain, stage),
                        chain.microBatchSize);
}

void
MarkRecomputation(const SystemState& state, RoundPlan& plan)
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& chain : plan.clusters[m].chains)
        {
            for (std::size_t s = 0; s < chain.stages.size(); ++s)
            {
                chain.stages[s].recompute = IsStageRecomputed(state, m, chain, s);
            }
        }
    }
}

bool
ParseRecomputation(const std::string& name, Recomputation& recomputation)
{
    for (const auto value : {Recomputation::NEVER, Recomputation::ALWAYS, Recomputation::AUTO})
    {
        if (name == ToString(value))
        {
            recomputation = value;
            return true;
        }
    }
    return false;
}

std::string
ToString(Recomputation recomputation)
{
    switch (recomputation)
    {
    case Recomputation::NEVER:
        return "never";
    case Recomputation::ALWAYS:
        return "always";
    case Recomputation::AUTO:
        break;
    }
    return "auto";
}

} // namespace collapipe
} // namespace ns3
