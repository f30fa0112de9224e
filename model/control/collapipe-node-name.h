/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NODE_NAME_H
#define COLLAPIPE_NODE_NAME_H

#include "collapipe-cluster-id.h"
#include "collapipe-plan.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * The one name of a node in tables, captures, timelines, figures and messages: `c0-cu` is the
 * control unit of the first cluster, `c0-d1` its second device, `es` the edge server. Clusters and
 * devices count from 0.
 * @param cluster the node's; of no meaning for the edge server
 * @param node CONTROL_UNIT, EDGE_SERVER, or k + 1 for device k
 * @return its name
 */
inline std::string
GetNodeName(ClusterId cluster, NodeIndex node)
{
    if (node == EDGE_SERVER)
    {
        return "es";
    }
    const std::string name = "c" + std::to_string(cluster.number);
    return node == CONTROL_UNIT ? name + "-cu" : name + "-d" + std::to_string(node - 1);
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NODE_NAME_H */
