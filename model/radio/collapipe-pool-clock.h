/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_POOL_CLOCK_H
#define COLLAPIPE_POOL_CLOCK_H

#include "ns3/nstime.h"

#include <cstdint>

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
 */
class PoolClock
{
  public:
    /**
     * A link begins to send.
     * @param weight its share
     * @param now the time
     */
    void Join(double weight, Time now);

    /**
     * A link has nothing left to send.
     * @param weight that it joined with
     * @param now the time
     */
    void Leave(double weight, Time now);

    /**
     * @param now the time
     * @return the clock's reading in s
     */
    double Read(Time now);

  private:
    Time m_last;           //!< latest reading
    double m_reading{0};   //!< then
    double m_weights{0};   //!< of those that send
    uint32_t m_senders{0}; //!< how many they are
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_POOL_CLOCK_H */
