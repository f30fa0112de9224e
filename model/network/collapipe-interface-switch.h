/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_INTERFACE_SWITCH_H
#define COLLAPIPE_INTERFACE_SWITCH_H

#include "ns3/ipv4-address.h"
#include "ns3/ipv4-routing-table-entry.h"
#include "ns3/node.h"
#include "ns3/ptr.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Takes a node's network interfaces down and brings them up again with the static routes that they
 * had, which ns-3 forgets: what a crash, a reboot or a link that is down takes. What is down
 * neither sends nor receives; nobody is told.
 */
class InterfaceSwitch
{
  public:
    /// @param node whose interfaces
    explicit InterfaceSwitch(Ptr<Node> node);

    /// Takes all interfaces down, but for loopback.
    void TakeDown();

    /**
     * Takes the interface down over which the node reaches a peer; all peers that it reaches over
     * it are out of reach then, as over a radio.
     * @param peer address of the peer
     * @return whether there is a route to it
     */
    bool TakeDownTowards(Ipv4Address peer);

    /// Brings up what was taken down.
    void BringUp();

  private:
    /// A static route: the entry and its metric
    using Route = std::pair<Ipv4RoutingTableEntry, uint32_t>;

    /// Takes an interface down.
    void TakeDown(uint32_t interface);

    Ptr<Node> m_node;                              //!< whose interfaces
    std::map<uint32_t, std::vector<Route>> m_down; //!< by interface: its routes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_INTERFACE_SWITCH_H */
