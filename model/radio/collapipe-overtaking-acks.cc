/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-overtaking-acks.h"

#include "ns3/ipv4-header.h"
#include "ns3/ipv4-queue-disc-item.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/tcp-header.h"

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint8_t TCP = 6; //!< protocol number, RFC 9293

/**
 * @param item of a queue
 * @param ip is set
 * @param tcp is set
 * @return whether it is a TCP segment over IPv4
 */
bool
Read(Ptr<const QueueDiscItem> item, Ipv4Header& ip, TcpHeader& tcp)
{
    const auto ipv4 = DynamicCast<const Ipv4QueueDiscItem>(item);
    if (!ipv4 || ipv4->GetHeader().GetProtocol() != TCP ||
        ipv4->GetHeader().GetFragmentOffset() > 0)
    {
        return false;
    }
    ip = ipv4->GetHeader();
    return item->GetPacket()->PeekHeader(tcp) > 0;
}

/// The way of a segment
std::tuple<uint32_t, uint32_t, uint16_t, uint16_t>
GetWay(const Ipv4Header& ip, const TcpHeader& tcp)
{
    return {ip.GetSource().Get(),
            ip.GetDestination().Get(),
            tcp.GetSourcePort(),
            tcp.GetDestinationPort()};
}

} // namespace

bool
OvertakingAcks::MayOvertake(Ptr<const QueueDiscItem> item)
{
    Ipv4Header ip;
    TcpHeader tcp;
    if (!Read(item, ip, tcp))
    {
        return true;
    }
    const bool isEmpty = item->GetPacket()->GetSize() == tcp.GetSerializedSize();
    return isEmpty && (tcp.GetFlags() & TcpHeader::FIN) == 0;
}

void
OvertakingAcks::Remember(Ptr<const QueueDiscItem> item)
{
    Ipv4Header ip;
    TcpHeader tcp;
    if (Read(item, ip, tcp) && (tcp.GetFlags() & TcpHeader::ACK) != 0)
    {
        const auto [newest, isNew] = m_newest.emplace(GetWay(ip, tcp), tcp.GetAckNumber());
        newest->second = newest->second < tcp.GetAckNumber() ? tcp.GetAckNumber() : newest->second;
    }
}

void
OvertakingAcks::Renew(Ptr<QueueDiscItem> item) const
{
    Ipv4Header ip;
    TcpHeader tcp;
    if (m_newest.empty() || !Read(item, ip, tcp))
    {
        return;
    }
    const auto newest = m_newest.find(GetWay(ip, tcp));
    if (newest == m_newest.end() || !(tcp.GetAckNumber() < newest->second))
    {
        return;
    }
    item->GetPacket()->RemoveHeader(tcp);
    tcp.SetAckNumber(newest->second);
    if (Node::ChecksumEnabled())
    {
        tcp.EnableChecksums();
        tcp.InitializeChecksum(ip.GetSource(), ip.GetDestination(), TCP);
    }
    item->GetPacket()->AddHeader(tcp);
}

void
OvertakingAcks::Forget()
{
    m_newest.clear();
}

} // namespace collapipe
} // namespace ns3
