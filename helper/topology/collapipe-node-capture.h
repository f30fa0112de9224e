/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NODE_CAPTURE_H
#define COLLAPIPE_NODE_CAPTURE_H

#include "ns3/node.h"
#include "ns3/ptr.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Capture into one PCAP file (raw IP) every IPv4 packet that a node sends or receives as an end
 * point, over whichever interface. Packets that it relays are left out, so a capture counts a
 * node's own traffic once.
 * @param node the node; it has an Internet stack
 * @param fileName the file, overwritten
 */
void EnableNodeCapture(Ptr<Node> node, const std::string& fileName);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NODE_CAPTURE_H */
