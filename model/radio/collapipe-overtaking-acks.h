/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_OVERTAKING_ACKS_H
#define COLLAPIPE_OVERTAKING_ACKS_H

#include "ns3/ptr.h"
#include "ns3/queue-item.h"
#include "ns3/sequence-number.h"

#include <cstdint>
#include <map>
#include <tuple>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * TCP acknowledgments that are sent before data that were waiting, of the same connection and the
 * same way. ns-3's TCP drops a segment, payload and all, whose acknowledgment number is older than
 * one that it has seen: each segment that was overtaken would be sent twice, and the connection
 * would wait for a timeout. So what overtook them is written into the segments as they follow. That
 * is what the sender would have put into them had it made them now.
 */
class OvertakingAcks
{
  public:
    /**
     * @param item of a queue
     * @return whether it may go before others of its connection: it is no TCP segment, or one that
     *         takes up no sequence numbers or only that of a connection's begin
     */
    static bool MayOvertake(Ptr<const QueueDiscItem> item);

    /// @param item that was sent while others were waiting
    void Remember(Ptr<const QueueDiscItem> item);

    /// @param item that was waiting and is sent now; gets the newest acknowledgment
    void Renew(Ptr<QueueDiscItem> item) const;

    /// Nothing is waiting.
    void Forget();

  private:
    /// A connection, one way: addresses and ports
    using Way = std::tuple<uint32_t, uint32_t, uint16_t, uint16_t>;

    std::map<Way, SequenceNumber32> m_newest; //!< acknowledgment that was sent
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_OVERTAKING_ACKS_H */
