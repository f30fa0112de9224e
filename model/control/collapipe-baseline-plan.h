/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BASELINE_PLAN_H
#define COLLAPIPE_BASELINE_PLAN_H

#include "collapipe-latency-model.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-plan.h"
#include "collapipe-radio-problem.h"
#include "collapipe-system-state.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param state the system
 * @return a plan without clusters: what all baselines have in common, and why there is no pipeline
 */
RoundPlan StartBaseline(const SystemState& state);

/**
 * Gives a plan whose chains are known equal shares and full power, and what it is planned to take.
 * @param state the system
 * @param plan the plan
 * @param enforceMemory whether it is infeasible where the memory (8) is too small
 */
void FinishBaseline(const SystemState& state, RoundPlan& plan, bool enforceMemory);

/**
 * @param state the system
 * @param choice segments and micro-batches of every cluster
 * @param edgeBlocks encoder blocks that the segments leave to the edge server
 * @return the baseline with them
 */
RoundPlan MakeBaseline(const SystemState& state,
                       const RoundChoice& choice,
                       uint32_t edgeBlocks = 0);

/**
 * @param blocks L
 * @param devices in chain order; at most L
 * @return L / K blocks for each, the first ones one more where there is a rest
 */
std::vector<Segment> CutEvenly(uint32_t blocks, const std::vector<NodeIndex>& devices);

/**
 * @param state the system
 * @param choice decided earlier; may be empty
 * @return whether there is a choice and all its devices still are
 */
bool IsUsable(const SystemState& state, const RoundChoice& choice);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BASELINE_PLAN_H */
