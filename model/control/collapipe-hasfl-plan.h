/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HASFL_PLAN_H
#define COLLAPIPE_HASFL_PLAN_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

namespace ns3
{
namespace collapipe
{

/**
 * HASFL's plan: a cut and samples of its own for every device, with equal shares and full power.
 *
 * @param state the system
 * @param convergenceTarget phibar of (11); 0: none, and the samples of an iteration are those of
 * the fixed pair
 * @param enforceMemory whether only what fits the devices' memories (8) counts
 * @return the plan; no worse than MakeTunedSplitFedPlan()
 */
RoundPlan MakeHasflPlan(const SystemState& state, double convergenceTarget, bool enforceMemory);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_HASFL_PLAN_H */
