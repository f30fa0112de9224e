/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NS3_TOOLS_H
#define COLLAPIPE_NS3_TOOLS_H

#include "ns3/collapipe-topology.h"
#include "ns3/flow-monitor-helper.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{

class AnimationInterface;

namespace collapipe
{

/**
 * @ingroup collapipe
 * ns-3's own observers beside a run: FlowMonitor on the nodes with applications, and NetAnim on all
 * nodes. Neither changes what happens in the simulation.
 *
 * NetAnim's file takes some 150 bytes for every packet on every link. Beside the packets it holds
 * two counters of each node with an application, updated every tenth of a second: `packets sent`
 * and `packets received` (IPv4, as an end point).
 */
class Ns3Tools
{
  public:
    /// @param topology the network, built
    explicit Ns3Tools(const TopologyHelper& topology);
    ~Ns3Tools();

    Ns3Tools(const Ns3Tools&) = delete; // traces hold its address
    Ns3Tools& operator=(const Ns3Tools&) = delete;

    /// @param path of the XML file that Save() will write
    void EnableFlowMonitor(const std::string& path);

    /// @param path of the XML file that is written from now on until Save()
    void EnableNetAnim(const std::string& path);

    /**
     * Writes the flows and ends the animation, whose file is complete once this object is gone. To
     * be called after the simulation and before Simulator::Destroy; the object has to outlive that.
     */
    void Save();

  private:
    /// Packets of a node and the numbers of their counters
    struct PacketCount
    {
        uint64_t sent{0};     //!< IPv4 packets
        uint64_t received{0}; //!< IPv4 packets
    };

    /// NetAnim shows nodes at positions: gives one to those that have none.
    void PlaceRest() const;
    void DescribeNodes();
    void CountPackets();
    void UpdateCounters();

    NodeContainer m_nodes;             //!< with applications
    NodeContainer m_users;             //!< others who use the radios, and whom they talk to
    std::vector<std::string> m_names;  //!< of them
    std::vector<PacketCount> m_counts; //!< of them
    FlowMonitorHelper m_flowHelper;    //!< owns the monitor
    std::string m_flowPath;            //!< empty: no flows wanted
    std::unique_ptr<AnimationInterface> m_anim; //!< null: no animation wanted
    uint32_t m_sentCounter{0};                  //!< NetAnim's number
    uint32_t m_receivedCounter{0};              //!< NetAnim's number
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NS3_TOOLS_H */
