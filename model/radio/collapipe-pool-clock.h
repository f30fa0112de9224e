/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_POOL_CLOCK_H
#define COLLAPIPE_POOL_CLOCK_H

#include "ns3/nstime.h"

#include <cstdint>
#include <map>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What share of a medium a link really had. Shares are kept among links that have something to
 * send: a link of weight w has w over the sum of these at every moment. The clock advances by the
 * inverse of that sum, so that a link's mean share over some time is w times what the clock
 * advanced in it (the virtual time of weighted fair queueing: A. Demers, S. Keshav, S. Shenker,
 * Analysis and Simulation of a Fair Queueing Algorithm, 1989).
 *
 * Each priority has a clock of its own, which stands still while a higher one sends (15).
 */
class PoolClock
{
  public:
    /**
     * A link begins to send.
     * @param weight its share
     * @param priority the highest goes first
     * @param now the time
     */
    void Join(double weight, uint8_t priority, Time now);

    /**
     * A link has nothing left to send.
     * @param weight that it joined with
     * @param priority likewise
     * @param now the time
     */
    void Leave(double weight, uint8_t priority, Time now);

    /**
     * @param priority whose clock
     * @param now the time
     * @return the clock's reading in s
     */
    double Read(uint8_t priority, Time now);

  private:
    /// Links of one priority
    struct Level
    {
        double reading{0};   //!< latest
        double weights{0};   //!< of those that send
        uint32_t senders{0}; //!< how many they are
    };

    void Advance(Time now);

    Time m_last;                       //!< latest reading
    std::map<uint8_t, Level> m_levels; //!< by priority
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_POOL_CLOCK_H */
