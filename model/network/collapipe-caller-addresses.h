/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CALLER_ADDRESSES_H
#define COLLAPIPE_CALLER_ADDRESSES_H

#include "collapipe-message.h"

#include "ns3/ipv4-address.h"
#include "ns3/node.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * From which addresses the nodes of a run call, so that nobody else is taken for one of them where
 * messages have no seals. A TCP connection cannot be opened from an address that is another's, as
 * the answers go there.
 */
class CallerAddresses
{
  public:
    /**
     * @param hello in whose name a node is about to call
     * @param node the node, which may call from each of its addresses
     */
    void Add(const MessageHeader& hello, Ptr<const Node> node);

    /**
     * @param hello in whose name somebody calls
     * @param from the address of the caller
     * @return whether it may be so: who has never called is known by no address yet
     */
    bool Allow(const MessageHeader& hello, Ipv4Address from) const;

  private:
    /// Cluster (or cell) and node
    using Name = std::pair<uint16_t, uint16_t>;

    std::map<Name, std::set<Ipv4Address>> m_addresses; //!< of who has called
};

} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_CALLER_ADDRESSES_H
