/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_LINKS_H
#define COLLAPIPE_CLUSTER_LINKS_H

#include "collapipe-system-state.h"

#include <cstddef>

namespace ns3
{
namespace collapipe
{

/**
 * Gives a cluster as many devices as another one has, and its links; what else is known of the
 * nodes stays.
 * @param from cluster whose links are copied
 * @param to cluster that gets them
 */
inline void
CopyLinks(const ClusterState& from, ClusterState& to)
{
    const auto copy = [](const DeviceState& source, DeviceState& target) {
        target.uplink = source.uplink;
        target.downlink = source.downlink;
    };
    to.d2d = from.d2d;
    to.d2dLinks = from.d2dLinks;
    to.devices.resize(from.devices.size());
    copy(from.controlUnit, to.controlUnit);
    for (std::size_t k = 0; k < from.devices.size(); ++k)
    {
        copy(from.devices[k], to.devices[k]);
    }
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_LINKS_H */
