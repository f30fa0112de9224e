/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ROUND_DIRECTOR_H
#define COLLAPIPE_ROUND_DIRECTOR_H

#include "collapipe-assignment.h"

#include "ns3/collapipe-plan.h"
#include "ns3/object.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

struct RoundRecord;

/**
 * @ingroup collapipe
 * Whom an edge server asks what shall be done in a round, and whom it tells how that went; the
 * server itself only sends and receives. ControlLoop is one. Clusters are counted from 0, in the
 * order in which the edge server was given them.
 */
class RoundDirector : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * A node says what it can do, as it does before every round.
     * @param cluster index
     * @param node within it
     * @param report what it says
     */
    virtual void HandleReport(uint32_t cluster, NodeIndex node, const StateReport& report) = 0;

    /**
     * What the nodes will start from in the rounds that are decided from now on. The default
     * does nothing.
     * @param hasOptimizerState whether it is distributed with the parameters, as it is once there
     *        is an average of it
     */
    virtual void SetStart(bool hasOptimizerState);

    /**
     * All nodes have reported: what is to be done?
     * @param round from 1
     * @param weights rho of each cluster
     * @param isLast whether the run ends where there is none; else it is asked again, with other
     *        reports
     * @return the plan, checked; null: there is none
     */
    virtual std::shared_ptr<const RoundPlan> Decide(uint32_t round,
                                                    const std::vector<double>& weights,
                                                    bool isLast) = 0;

    /**
     * Nodes have failed in mid-round: how does a cluster go on without them?
     * @param cluster index
     * @param absent nodes that are not to be used
     * @param plan of the cluster's last attempt at the round; replaced where there is another one
     * @return empty, or one sentence: why there is none. The default has none
     */
    virtual std::string Replan(uint32_t cluster,
                               const std::set<NodeIndex>& absent,
                               ClusterPlan& plan);

    /**
     * A cluster enters a phase of the round that was decided last.
     * @param cluster index
     * @param phase that begins
     * @param plan of the cluster's attempt at the round
     */
    virtual void BeginPhase(uint32_t cluster, Phase phase, const ClusterPlan& plan) = 0;

    /**
     * All clusters have ended, their average is made.
     * @param record of the round
     */
    virtual void EndRound(const RoundRecord& record) = 0;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ROUND_DIRECTOR_H */
