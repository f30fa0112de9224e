/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-reference-air.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{
namespace judge
{

void
Air::SetRates()
{
    std::vector<double> acks(2 + m_clusters, 0);
    for (const bool loaded : {false, true})
    {
        for (auto& one : sendings)
        {
            if (!one.radio.Competes())
            {
                one.share = one.radio.share * (1 - one.radio.medium.background);
                one.rate =
                    one.radio.RateBps(one.share) / (one.radio.inTurn ? CountTurns(one.radio) : 1);
                continue;
            }
            int highest = 0;
            for (const auto& other : sendings)
            {
                const bool same = other.radio.pool == one.radio.pool;
                highest = same ? std::max(highest, other.radio.priority) : highest;
            }
            double weights = 0;
            for (const auto& other : sendings)
            {
                const bool same = other.radio.pool == one.radio.pool &&
                                  (!other.radio.ranked || other.radio.priority == highest);
                weights += same ? other.radio.share : 0;
            }
            const double left = 1 - one.radio.medium.background;
            const double capacity =
                loaded ? std::max(0.05 * left, left - acks[one.radio.pool]) : left;
            const bool served = !one.radio.ranked || one.radio.priority == highest;
            one.share = served ? capacity * one.radio.share / weights : 0;
            one.rate = one.radio.RateBps(one.share);
        }
        if (!loaded)
        {
            for (const auto& one : sendings)
            {
                AddAcks(one, acks);
            }
        }
    }
}

double
Air::GetPowerW(const Sending& one) const
{
    if (one.radio.from == EDGE_SERVER)
    {
        return 0;
    }
    const bool airtime = one.radio.medium.mode == SharingMode::AIRTIME;
    const double turn = one.radio.inTurn ? 1 / CountTurns(one.radio) : 1;
    double air = one.rate > 0 ? turn * (airtime ? one.share : 1) : 0;
    if (one.radio.hasHop)
    {
        // A slower wire behind the hop leaves it silent for a part of its time
        Radio hop = one.radio;
        hop.wireBps = std::numeric_limits<double>::infinity();
        air = one.rate / hop.RateBps(airtime ? 1 : one.share);
    }
    const double radiated = one.radio.medium.mode == SharingMode::DEDICATED
                                ? one.radio.link.maxPowerW
                                : one.radio.powerW;
    return air * (one.radio.link.circuitPowerW + radiated / one.radio.link.amplifierEfficiency);
}

double
Air::CountTurns(const Radio& radio) const
{
    return static_cast<double>(
        std::count_if(sendings.begin(), sendings.end(), [&](const Sending& other) {
            return other.radio.inTurn && other.radio.cluster == radio.cluster &&
                   other.radio.turnFrom == radio.turnFrom && other.radio.turnTo == radio.turnTo;
        }));
}

void
Air::AddAcks(const Sending& one, std::vector<double>& acks) const
{
    const Radio& radio = one.radio;
    if (radio.Competes() && radio.link.relay == Relay::BASE_STATION && radio.pool == 0)
    {
        Radio second;
        second.medium = m_links.Medium(1);
        second.link = *m_links.Find(radio.cluster, EDGE_SERVER, radio.to);
        second.powerW = second.link.maxPowerW;
        acks[1] += second.Competes() ? one.rate / second.RateBps(1) : 0;
    }
    if (!radio.Competes() || radio.backMedium.mode == SharingMode::DEDICATED ||
        radio.backMedium.sharing == Sharing::RESERVED || radio.link.acknowledgementRatio <= 0)
    {
        return;
    }
    Radio back;
    back.medium = radio.backMedium;
    back.link = *radio.back;
    back.powerW = back.link.maxPowerW;
    acks[radio.backPool] += radio.link.acknowledgementRatio * one.rate / back.RateBps(1);
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
