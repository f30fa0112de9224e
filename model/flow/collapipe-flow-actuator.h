/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_ACTUATOR_H
#define COLLAPIPE_FLOW_ACTUATOR_H

#include "collapipe-flow-network.h"

#include "ns3/collapipe-radio-actuator.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Gives the links of a FlowNetwork the shares, priorities and powers of a plan.
 *
 * Links that go over a control unit take turns with those of its medium: their weight is the mean
 * of the shares that the cluster's own links have in the phase, as the planner's model has it, and
 * their own share has no meaning.
 */
class FlowActuator : public RadioActuator
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param network to act on
    void SetNetwork(Ptr<FlowNetwork> network);

    /**
     * @param cluster index
     * @param nodes its nodes, control unit first
     * @param edgeServer that serves it
     */
    void AddCluster(uint32_t cluster, const std::vector<Ptr<Node>>& nodes, Ptr<Node> edgeServer);

    void ApplyLinks(uint32_t cluster,
                    const std::vector<LinkPlan>& links,
                    const std::string& reason) override;
    std::optional<LinkSetting> Read(uint32_t cluster, NodeIndex from, NodeIndex to) const override;

  protected:
    void DoDispose() override;

  private:
    /// A directed link of a cluster
    using Link = std::pair<NodeIndex, NodeIndex>;

    /// A cluster's nodes, and which of its links were set
    struct Cluster
    {
        std::vector<Ptr<Node>> nodes; //!< control unit first
        Ptr<Node> edgeServer;         //!< that serves it
        std::set<Link> set;           //!< links that are not at their defaults
    };

    /// @return a node of a cluster; null where there is none
    static Ptr<Node> GetNode(const Cluster& cluster, NodeIndex node);

    Ptr<FlowNetwork> m_network;             //!< to act on
    std::map<uint32_t, Cluster> m_clusters; //!< by number
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_ACTUATOR_H */
