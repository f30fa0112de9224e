/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WARM_UP_H
#define COLLAPIPE_WARM_UP_H

#include "ns3/ipv4-address.h"
#include "ns3/node.h"
#include "ns3/nstime.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/// One direction to warm up
struct WarmUpFlow
{
    Ptr<Node> from;      //!< sends
    Ptr<Node> to;        //!< receives
    Ipv4Address address; //!< by which from reaches to
};

/**
 * Send a few small UDP packets over every flow, one after the other, so that block acknowledgment
 * agreements, rate estimates and radio bearers exist before the first TCP segment. The packets go
 * to the discard port (9) and count as no application's traffic.
 * @param flows the flows, in the order of sending
 * @param start first packet
 * @param spacing between two packets
 * @return when all is over and the sockets are closed
 */
Time ScheduleWarmUp(const std::vector<WarmUpFlow>& flows, Time start, Time spacing);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WARM_UP_H */
