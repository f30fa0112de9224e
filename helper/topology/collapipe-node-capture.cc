/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-node-capture.h"

#include "ns3/ipv4-header.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/packet.h"
#include "ns3/pcap-file-wrapper.h"
#include "ns3/simulator.h"
#include "ns3/trace-helper.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

namespace
{

/// The loopback interface of every stack
constexpr uint32_t LOOPBACK = 0;

/// Write one packet; sink of both trace sources
void
WritePacket(Ptr<PcapFileWrapper> file,
            const Ipv4Header& header,
            Ptr<const Packet> packet,
            uint32_t interface)
{
    if (interface == LOOPBACK)
    {
        return;
    }
    Ptr<Packet> whole = packet->Copy();
    whole->AddHeader(header);
    file->Write(Simulator::Now(), whole);
}

/// Link type of raw IP. The name that ns-3 has for it was deprecated for another in 3.49.
constexpr auto RAW_IP = static_cast<PcapHelper::DataLinkType>(101);

} // namespace

void
EnableNodeCapture(Ptr<Node> node, const std::string& fileName)
{
    Ptr<Ipv4L3Protocol> ip = node->GetObject<Ipv4L3Protocol>();
    PcapHelper pcap;
    Ptr<PcapFileWrapper> file = pcap.CreateFile(fileName, std::ios::out, RAW_IP);
    const auto sink = MakeBoundCallback(&WritePacket, file);
    ip->TraceConnectWithoutContext("SendOutgoing", sink);
    ip->TraceConnectWithoutContext("LocalDeliver", sink);
}

} // namespace collapipe
} // namespace ns3
