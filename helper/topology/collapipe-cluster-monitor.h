/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_MONITOR_H
#define COLLAPIPE_CLUSTER_MONITOR_H

#include "ns3/collapipe-link-monitor.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Who learns what a cluster's links are worth.
 */
struct ClusterMonitor
{
    Ptr<LinkMonitor> monitor; //!< of the cluster's cell
    uint32_t cluster{0};      //!< index that it knows the cluster by
};

/**
 * @ingroup collapipe
 * A topology with radios that report what they measure.
 */
class MonitoredRadios
{
  public:
    virtual ~MonitoredRadios() = default;

    /**
     * Have the radios of the network built tell monitors of SINR and MCS.
     * @param monitors by cluster
     */
    virtual void ConnectMonitors(const std::vector<ClusterMonitor>& monitors) = 0;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_MONITOR_H */
