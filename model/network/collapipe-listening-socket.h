/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LISTENING_SOCKET_H
#define COLLAPIPE_LISTENING_SOCKET_H

#include "ns3/address.h"
#include "ns3/packet.h"
#include "ns3/ptr.h"
#include "ns3/socket.h"
#include "ns3/tcp-socket-base.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A TCP socket that listens, and hears calls alone. ns-3's own takes any segment for word of a
 * peer's window, and knows of none as long as nobody has called: where a segment of an old
 * connection comes to a node that has rebooted, it takes the window for closed and goes on to
 * probe it. In a build with assertions the next caller ends the simulation then, in others the
 * probe does, which is a byte of an empty buffer (TcpSocketBase of 3.37 to 3.46).
 *
 * Whom it accepts has a socket of ns-3's own.
 */
class ListeningSocket : public TcpSocketBase
{
  public:
    /**
     * Takes the place of a socket that was just created.
     * @param socket the socket, neither bound nor connected
     * @return a socket of this class with its attributes, or the socket itself where it is not
     * ns-3's own TCP
     */
    static Ptr<Socket> Replace(Ptr<Socket> socket);

  protected:
    void DoForwardUp(Ptr<Packet> packet, const Address& from, const Address& to) override;
    Ptr<TcpSocketBase> Fork() override;

  private:
    /// @param socket whose attributes it takes
    explicit ListeningSocket(const TcpSocketBase& socket);
};

} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_LISTENING_SOCKET_H
