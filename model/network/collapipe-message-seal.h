/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_SEAL_H
#define COLLAPIPE_MESSAGE_SEAL_H

#include "ns3/ipv4-address.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Seals the messages that go one way over a connection, so that only who knows the run's session
 * key can have sent them, here, in this order: HMAC-SHA256 (RFC 2104, FIPS 198-1) over the number
 * of the message on the connection, the way, the address that was called, head, descriptors and
 * payload, cut to 16 bytes. A recorded message sent again, over this connection or another one,
 * does not fit.
 */
class MessageSeal
{
  public:
    static constexpr std::size_t BYTES = 16; //!< of a seal on the wire

    /// A seal
    using Tag = std::array<uint8_t, BYTES>;

    /// Bytes in memory: where, and how many
    using Piece = std::pair<const uint8_t*, uint64_t>;

    /**
     * @param key of the run; empty: nothing is sealed
     * @param isFromCaller whether the messages go from the caller to the called
     * @param called address that was called
     */
    MessageSeal(std::vector<uint8_t> key, bool isFromCaller, Ipv4Address called);

    /// A seal that seals nothing
    MessageSeal() = default;

    /// @return whether messages are sealed
    bool IsOn() const;

    /**
     * Seals the next message.
     * @param pieces all of it in order, without what stands for zeros
     * @return its seal
     */
    Tag Next(const std::vector<Piece>& pieces);

    /// The next message is not looked at.
    void Skip();

    /// @return whether this program was built with a library that seals
    static bool IsAvailable();

    /**
     * @param seed of a run
     * @param run number of it
     * @return its session key; every node is dealt it at the start, out of band
     */
    static std::vector<uint8_t> MakeKey(uint64_t seed, uint64_t run);

  private:
    std::vector<uint8_t> m_key; //!< of the run; empty: off
    bool m_isFromCaller{false}; //!< the way
    uint32_t m_called{0};       //!< address that was called
    uint64_t m_count{0};        //!< messages so far
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_SEAL_H */
