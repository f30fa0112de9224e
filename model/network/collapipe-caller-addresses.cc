/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-caller-addresses.h"

#include "ns3/ipv4.h"

namespace ns3
{
namespace collapipe
{

void
CallerAddresses::Add(const MessageHeader& hello, Ptr<const Node> node)
{
    const auto ip = node->GetObject<Ipv4>();
    auto& addresses = m_addresses[{hello.cluster, hello.node}];
    for (uint32_t interface = 0; ip && interface < ip->GetNInterfaces(); ++interface)
    {
        for (uint32_t i = 0; i < ip->GetNAddresses(interface); ++i)
        {
            addresses.insert(ip->GetAddress(interface, i).GetLocal());
        }
    }
}

bool
CallerAddresses::Allow(const MessageHeader& hello, Ipv4Address from) const
{
    const auto known = m_addresses.find({hello.cluster, hello.node});
    return known == m_addresses.end() || known->second.count(from) > 0;
}

} // namespace collapipe
} // namespace ns3
