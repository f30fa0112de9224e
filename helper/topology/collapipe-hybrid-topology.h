/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HYBRID_TOPOLOGY_H
#define COLLAPIPE_HYBRID_TOPOLOGY_H

#include "collapipe-lte-access.h"
#include "collapipe-topology.h"
#include "collapipe-wifi-cluster.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Wi-Fi and LTE in every node: 802.11ax ad hoc between the nodes of a cluster, LTE to the edge
 * server.
 */
class HybridTopologyHelper : public TopologyHelper, public MonitoredRadios
{
  public:
    Ptr<RadioActuator> CreateActuator() const override;
    void ConnectMonitors(const std::vector<ClusterMonitor>& monitors) override;
    uint32_t GetCell(uint32_t cluster, uint32_t node) const override;
    void ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell) override;
    uint32_t GetHandovers() const override;

  protected:
    void DoBuild() override;
    void DoAttach() override;
    void DoFillLinks(SystemState& state) const override;
    void DoEnablePcap(const std::string& prefix) override;
    std::string DoCheckLinks() const override;
    int64_t DoAssignChannelStreams(int64_t stream) override;
    int64_t DoAssignStreams(int64_t stream) override;

  private:
    LteAccess m_access;                  //!< the cell
    std::vector<WifiCluster> m_clusters; //!< their Wi-Fi
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_HYBRID_TOPOLOGY_H */
