/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SIDE_BY_SIDE_H
#define COLLAPIPE_SIDE_BY_SIDE_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * For baselines whose devices train side by side, each on its own share of the cluster's data.
 * @param state the system
 * @return a plan without clusters, as StartBaseline(); infeasible, too, where control units have to
 *         collect the parameters
 */
RoundPlan StartSideBySide(const SystemState& state);

/**
 * @param node a device
 * @param cut blocks on it; the edge server has the others and the decoder
 * @param blocks L
 * @return the two stages of a device's own chain
 */
std::vector<StagePlan> MakeSplitStages(NodeIndex node, uint32_t cut, uint32_t blocks);

/**
 * FedAvg's plan: every device has the whole model, and the fixed pair's samples are split evenly.
 * @param state the system
 * @param enforceMemory whether it is infeasible where the model does not fit (8)
 * @return the plan
 */
RoundPlan MakeFedAvgPlan(const SystemState& state, bool enforceMemory);

/**
 * SplitFed's plan: every device has the first blocks, and the fixed pair's samples are split
 * evenly.
 * @param state the system
 * @param cut blocks on every device
 * @param enforceMemory whether it is infeasible where the blocks do not fit (8)
 * @return the plan
 */
RoundPlan MakeSplitFedPlan(const SystemState& state, uint32_t cut, bool enforceMemory);

/**
 * @param state the system
 * @return half of the blocks, or as many as fit the smallest memory (8)
 */
uint32_t GetCommonCut(const SystemState& state);

/**
 * @param state the system
 * @param enforceMemory as MakeSplitFedPlan()
 * @return SplitFed's plan with the cut that is planned to take least time
 */
RoundPlan MakeTunedSplitFedPlan(const SystemState& state, bool enforceMemory);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SIDE_BY_SIDE_H */
