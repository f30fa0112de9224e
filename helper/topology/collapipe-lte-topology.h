/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_TOPOLOGY_H
#define COLLAPIPE_LTE_TOPOLOGY_H

#include "collapipe-lte-access.h"
#include "collapipe-topology.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * LTE only: every device and control unit is a UE, the edge server stands behind the PGW, and nodes
 * of a cluster reach each other through the network.
 *
 * The state describes a D2D link by the sender's uplink. The D2D pools of all clusters and the
 * uplink pool are in truth one medium, as are the downlinks: that is not in the state, whose pools
 * are independent.
 */
class LteTopologyHelper : public TopologyHelper, public MonitoredRadios
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
    LteAccess m_access; //!< the cell
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_TOPOLOGY_H */
