/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pool-clock.h"

namespace ns3
{
namespace collapipe
{

void
PoolClock::Advance(Time now)
{
    for (auto level = m_levels.rbegin(); level != m_levels.rend(); ++level)
    {
        if (level->second.senders > 0)
        {
            level->second.reading += (now - m_last).GetSeconds() / level->second.weights;
            break;
        }
    }
    m_last = now;
}

double
PoolClock::Read(uint8_t priority, Time now)
{
    Advance(now);
    return m_levels[priority].reading;
}

void
PoolClock::Join(double weight, uint8_t priority, Time now)
{
    Advance(now);
    m_levels[priority].weights += weight;
    ++m_levels[priority].senders;
}

void
PoolClock::Leave(double weight, uint8_t priority, Time now)
{
    Advance(now);
    Level& level = m_levels[priority];
    --level.senders;
    level.weights = level.senders > 0 ? level.weights - weight : 0; // sums are not exact
}

} // namespace collapipe
} // namespace ns3
