/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-listening-socket.h"

#include "ns3/node.h"
#include "ns3/tcp-header.h"
#include "ns3/tcp-l4-protocol.h"

namespace ns3
{
namespace collapipe
{

ListeningSocket::ListeningSocket(const TcpSocketBase& socket)
    : TcpSocketBase(socket)
{
}

Ptr<Socket>
ListeningSocket::Replace(Ptr<Socket> socket)
{
    const auto base = DynamicCast<TcpSocketBase>(socket);
    const auto tcp = socket->GetNode()->GetObject<TcpL4Protocol>();
    if (!tcp || !base || base->GetInstanceTypeId() != TcpSocketBase::GetTypeId())
    {
        return socket;
    }
    const Ptr<TcpSocketBase> listening(new ListeningSocket(*base), false);
    tcp->RemoveSocket(base);
    tcp->AddSocket(listening);
    return listening;
}

void
ListeningSocket::DoForwardUp(Ptr<Packet> packet, const Address& from, const Address& to)
{
    TcpHeader header;
    packet->PeekHeader(header);
    if (m_state != LISTEN || (header.GetFlags() & TcpHeader::SYN))
    {
        TcpSocketBase::DoForwardUp(packet, from, to);
    }
}

Ptr<TcpSocketBase>
ListeningSocket::Fork()
{
    return {new TcpSocketBase(*this), false};
}

} // namespace collapipe
} // namespace ns3
