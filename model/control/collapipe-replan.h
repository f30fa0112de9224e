/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_REPLAN_H
#define COLLAPIPE_REPLAN_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <set>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * Cuts a cluster's chain anew over the devices that are left, in mid-round: micro-batches, schedule
 * and what the cluster has of the shared pools stay, so that neither the samples of an iteration
 * nor the other clusters' links change; the segments are the best ones for these (StaticPipeline).
 *
 * Where devices train on their own data (several chains, or one that begins at a device), the
 * chains of nodes that are gone are left out and the others' shares of the data grow to 1.
 *
 * @param state of the system, as of the round's decision
 * @param round plan of the round
 * @param cluster index
 * @param absent nodes that are not to be used
 * @param plan of the cluster's last attempt; replaced where a new one is found
 * @return empty, or one sentence: why there is none
 */
std::string ReplanCluster(const SystemState& state,
                          const RoundPlan& round,
                          std::size_t cluster,
                          const std::set<NodeIndex>& absent,
                          ClusterPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_REPLAN_H */
