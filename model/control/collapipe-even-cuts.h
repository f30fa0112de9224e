/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EVEN_CUTS_H
#define COLLAPIPE_EVEN_CUTS_H

#include "collapipe-plan.h"
#include "collapipe-radio-problem.h"
#include "collapipe-system-state.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param cluster a cluster
 * @return its usable devices, the fastest first
 */
std::vector<NodeIndex> ListBySpeed(const ClusterState& cluster);

/**
 * @param state the system
 * @return by cluster every choice that fits: even cuts over its fastest devices, one to all of
 *         them, with every pair that is allowed; none where no cut fits
 */
std::vector<std::vector<ClusterChoice>> ListEvenChoices(const SystemState& state);

/**
 * With equal shares and full power.
 * @param state the system
 * @param choices of every cluster, not empty
 * @return the best that was found by changing one cluster's at a time
 */
RoundChoice ChooseBest(const SystemState& state,
                       const std::vector<std::vector<ClusterChoice>>& choices);

/**
 * @param state the system
 * @param plan of it
 * @return the plan with the cluster first that is planned to end last, wherever it shares a medium
 */
RoundPlan PutSlowestFirst(const SystemState& state, RoundPlan plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EVEN_CUTS_H */
