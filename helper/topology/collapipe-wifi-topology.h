/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_TOPOLOGY_H
#define COLLAPIPE_WIFI_TOPOLOGY_H

#include "collapipe-topology.h"
#include "collapipe-wifi-cluster.h"

#include "ns3/error-model.h"
#include "ns3/net-device-container.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Wi-Fi only: in each cluster 802.11ax ad hoc on its own channel; the control unit has a wired link
 * to the edge server and relays for its devices.
 *
 * So a device's way to the edge server is a D2D link to the control unit and the wire: the state
 * says of these links that the control unit relays them, so that they take airtime of the cluster's
 * D2D medium where that is work-conserving. Where shares are reserved the D2E pools are DEDICATED,
 * with the lower of both rates, and what they take of the D2D medium is not in the plan.
 */
class WifiTopologyHelper : public TopologyHelper, public MonitoredRadios
{
  public:
    Ptr<RadioActuator> CreateActuator() const override;
    void ConnectMonitors(const std::vector<ClusterMonitor>& monitors) override;

  protected:
    void DoBuild() override;
    void DoFillLinks(SystemState& state) const override;
    void DoEnablePcap(const std::string& prefix) override;
    std::string DoCheckLinks() const override;
    int64_t DoAssignChannelStreams(int64_t stream) override;
    int64_t DoAssignStreams(int64_t stream) override;

  private:
    void ConnectBackhaul(uint32_t cluster);

    std::vector<WifiCluster> m_clusters;            //!< their radios
    NetDeviceContainer m_backhaul;                  //!< ends of the wired links
    std::vector<Ptr<RateErrorModel>> m_errorModels; //!< of the wired links
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_TOPOLOGY_H */
