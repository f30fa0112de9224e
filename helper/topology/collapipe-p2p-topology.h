/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_P2P_TOPOLOGY_H
#define COLLAPIPE_P2P_TOPOLOGY_H

#include "collapipe-topology.h"

#include "ns3/error-model.h"
#include "ns3/net-device-container.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Point-to-point links between every two nodes of a cluster, and from every node to the edge
 * server. Nothing is shared and no queue drops, so times follow from rates and delays alone. A rate
 * of 10^15 b/s or more with delay 0 makes the links ideal: packets take no time.
 */
class P2pTopologyHelper : public TopologyHelper
{
  protected:
    void DoBuild() override;
    void DoFillLinks(SystemState& state) const override;
    void DoEnablePcap(const std::string& prefix) override;
    int64_t DoAssignStreams(int64_t stream) override;

  private:
    void BuildCluster(uint32_t cluster);

    NetDeviceContainer m_devices;                   //!< all link ends
    std::vector<Ptr<RateErrorModel>> m_errorModels; //!< of the links
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_P2P_TOPOLOGY_H */
