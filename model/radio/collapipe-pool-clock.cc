/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pool-clock.h"

namespace ns3
{
namespace collapipe
{

double
PoolClock::Read(Time now)
{
    if (m_senders > 0)
    {
        m_reading += (now - m_last).GetSeconds() / m_weights;
    }
    m_last = now;
    return m_reading;
}

void
PoolClock::Join(double weight, Time now)
{
    Read(now);
    m_weights += weight;
    ++m_senders;
}

void
PoolClock::Leave(double weight, Time now)
{
    Read(now);
    --m_senders;
    m_weights = m_senders > 0 ? m_weights - weight : 0; // sums are not exact
}

} // namespace collapipe
} // namespace ns3
