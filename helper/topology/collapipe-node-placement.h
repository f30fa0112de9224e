/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NODE_PLACEMENT_H
#define COLLAPIPE_NODE_PLACEMENT_H

#include "collapipe-topology.h"

#include "ns3/vector.h"

#include <cstdint>
#include <istream>
#include <map>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Reads positions of nodes from a CSV file with the columns `node`, `x` and `y`, and `z` if heights
 * differ, in metres from the first base station. Nodes are called as everywhere: `es0` (the base
 * station and edge server of a cell), `c0-cu`, `c0-d1`.
 * @param path of the file
 * @return positions by name
 * @throws TopologyError where the file cannot be read, in a sentence that names the line
 */
std::map<std::string, Vector> ReadPositions(const std::string& path);

/**
 * The same from a stream.
 * @param file the file
 * @param path of it, for messages
 * @return positions by name
 * @throws TopologyError as above
 */
std::map<std::string, Vector> ReadPositions(std::istream& file, const std::string& path);

/**
 * @ingroup collapipe
 * Gives every node of a network its position and its movement.
 */
class NodePlacement
{
  public:
    /**
     * @param config says how
     * @param network its nodes get what is missing; they have no mobility models yet
     */
    NodePlacement(const TopologyConfig& config, Network& network);

    /**
     * Places all nodes.
     * @param stream first random stream
     * @return the next one
     * @throws TopologyError where a trace does not say where a node is, or positions name a node
     *         that there is not
     */
    int64_t Place(int64_t stream);

  private:
    void PlaceCells();
    void PlaceCluster(uint32_t cluster);
    void FollowTrace(const std::string& path);

    /**
     * Gives a node its position, and its movement: within the cluster's disc around its centre.
     * @param node the node
     * @param position where it stands or starts
     * @param centre of the cluster
     */
    void PlaceNode(Ptr<Node> node, const Vector& position, const Vector& centre);
    Vector DrawInDisc(const Vector& centre, double minRadiusM, double maxRadiusM);

    /**
     * @param name of a node
     * @param otherwise where it is if no position was given
     * @return where it is
     */
    Vector GetPosition(const std::string& name, const Vector& otherwise);

    const TopologyConfig& m_config;            //!< how
    Network& m_network;                        //!< whose nodes
    std::map<std::string, Vector> m_positions; //!< given, of nodes that are not placed yet
    int64_t m_stream{0};                       //!< next random stream
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NODE_PLACEMENT_H */
