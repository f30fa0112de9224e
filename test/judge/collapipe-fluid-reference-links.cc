/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-reference-links.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

double
Radio::RateBps(double x) const
{
    if (medium.mode == SharingMode::DEDICATED)
    {
        return link.fixedRateBps;
    }
    if (x <= 0)
    {
        return 0;
    }
    const double hz = medium.bandwidthHz * (medium.mode == SharingMode::FREQUENCY ? x : 1);
    const double snr = powerW * link.gain / (link.snrGap * link.noiseDensityWPerHz * hz);
    const double bps = link.efficiency * x * medium.bandwidthHz *
                       std::min(link.maxSpectralEfficiency, std::log2(1 + snr));
    return std::min(bps, wireBps);
}

double
Radio::WholeBps() const
{
    if (medium.mode == SharingMode::FREQUENCY)
    {
        return 0; // what takes time takes airtime
    }
    Radio alone = *this;
    alone.wireBps = std::numeric_limits<double>::infinity();
    return alone.RateBps(1);
}

bool
Radio::Competes() const
{
    return medium.mode != SharingMode::DEDICATED && medium.sharing == Sharing::WORK_CONSERVING;
}

Radio
Links::Make(std::size_t m, Phase phase, NodeIndex from, NodeIndex to) const
{
    Radio radio;
    radio.cluster = m;
    radio.from = from;
    radio.to = to;
    radio.link = *Find(m, from, to);
    radio.pool = TakenPool(m, radio.link, from, to);
    radio.medium = Medium(radio.pool);
    radio.powerW = radio.link.maxPowerW;
    for (const auto& link : m_plan.clusters[m].links)
    {
        if (link.phase == phase && link.from == from && link.to == to)
        {
            radio.share = link.share;
            radio.powerW = link.powerW;
            radio.priority = radio.medium.priorities ? link.priority : 0;
        }
    }
    if (HasTurns(m, from, to))
    {
        TakeNodeShare(m, phase, radio);
    }
    if (HasHop(m, from, to))
    {
        TakeHopShare(m, phase, radio);
    }
    if (radio.pool != PoolOf(m, from, to) && radio.link.relay == Relay::CONTROL_UNIT)
    {
        TakeTurns(m, phase, radio);
    }
    radio.back = Find(m, to, from);
    radio.backPool = radio.back ? TakenPool(m, *radio.back, to, from) : PoolOf(m, to, from);
    radio.backMedium = Medium(radio.backPool);
    return radio;
}

const LinkState*
Links::Find(std::size_t m, NodeIndex from, NodeIndex to) const
{
    const auto& cluster = m_state.clusters[m];
    if (to == EDGE_SERVER)
    {
        return from == 0 ? &cluster.controlUnit.uplink : &cluster.devices[from - 1].uplink;
    }
    if (from == EDGE_SERVER)
    {
        return to == 0 ? &cluster.controlUnit.downlink : &cluster.devices[to - 1].downlink;
    }
    return &cluster.d2dLinks[from][to];
}

int
Links::PoolOf(std::size_t m, NodeIndex from, NodeIndex to) const
{
    return to == EDGE_SERVER ? 0 : from == EDGE_SERVER ? 1 : 2 + static_cast<int>(m);
}

int
Links::TakenPool(std::size_t m, const LinkState& link, NodeIndex from, NodeIndex to) const
{
    const int own = PoolOf(m, from, to);
    const int taken = link.relay == Relay::CONTROL_UNIT   ? 2 + static_cast<int>(m)
                      : link.relay == Relay::BASE_STATION ? 0
                                                          : own;
    Radio radio;
    radio.medium = Medium(taken);
    return radio.Competes() ? taken : own;
}

const PoolState&
Links::Medium(int pool) const
{
    return pool == 0   ? m_state.uplink
           : pool == 1 ? m_state.downlink
                       : m_state.clusters[pool - 2].d2d;
}

bool
Links::IsReservedPool(const PoolState& pool)
{
    return pool.mode != SharingMode::DEDICATED && pool.sharing == Sharing::RESERVED;
}

bool
Links::IsBehindHop(std::size_t m, NodeIndex from, NodeIndex to) const
{
    return (from == EDGE_SERVER || to == EDGE_SERVER) && IsReservedPool(m_state.clusters[m].d2d) &&
           Medium(PoolOf(m, from, to)).mode == SharingMode::DEDICATED &&
           Find(m, from, to)->relay == Relay::CONTROL_UNIT;
}

bool
Links::HasHop(std::size_t m, NodeIndex from, NodeIndex to) const
{
    return IsBehindHop(m, from, to) ||
           (from != EDGE_SERVER && to == CONTROL_UNIT && IsBehindHop(m, from, EDGE_SERVER)) ||
           (from == CONTROL_UNIT && to != EDGE_SERVER && IsBehindHop(m, EDGE_SERVER, to));
}

void
Links::TakeHopShare(std::size_t m, Phase phase, Radio& radio) const
{
    const auto end = [](NodeIndex node) { return node == EDGE_SERVER ? CONTROL_UNIT : node; };
    radio.inTurn = true;
    radio.hasHop = true;
    radio.turnFrom = end(radio.from);
    radio.turnTo = end(radio.to);
    radio.medium = m_state.clusters[m].d2d;
    const bool isWire = IsBehindHop(m, radio.from, radio.to);
    radio.wireBps = isWire ? radio.link.fixedRateBps : radio.wireBps;
    for (const auto& link : m_plan.clusters[m].links)
    {
        if (link.phase == phase && end(link.from) == radio.turnFrom && end(link.to) == radio.turnTo)
        {
            radio.share = std::max(radio.share, link.share);
            radio.powerW = std::max(radio.powerW, std::min(link.powerW, radio.link.maxPowerW));
        }
    }
}

bool
Links::HasTurns(std::size_t m, NodeIndex from, NodeIndex to) const
{
    const bool relayed = from != EDGE_SERVER && to != EDGE_SERVER &&
                         IsReservedPool(m_state.clusters[m].d2d) &&
                         Find(m, from, to)->relay == Relay::BASE_STATION;
    return IsReservedPool(m_state.uplink) && (relayed || to == EDGE_SERVER);
}

void
Links::TakeNodeShare(std::size_t m, Phase phase, Radio& radio) const
{
    radio.inTurn = true;
    radio.turnFrom = radio.from;
    radio.turnTo = EDGE_SERVER;
    for (const auto& link : m_plan.clusters[m].links)
    {
        if (link.phase == phase && link.from == radio.from && HasTurns(m, link.from, link.to))
        {
            radio.share = std::max(radio.share, link.share);
            radio.powerW = std::max(radio.powerW, std::min(link.powerW, radio.link.maxPowerW));
        }
    }
}

void
Links::TakeTurns(std::size_t m, Phase phase, Radio& radio) const
{
    std::vector<double> shares;
    for (const auto& link : m_plan.clusters[m].links)
    {
        if (link.phase == phase && link.from != EDGE_SERVER && link.to != EDGE_SERVER)
        {
            shares.push_back(link.share);
        }
    }
    radio.ranked = false;
    radio.share = 1;
    if (!shares.empty())
    {
        radio.share = 0;
        for (const double share : shares)
        {
            radio.share += share / static_cast<double>(shares.size());
        }
    }
    const double hopBps = radio.RateBps(1);
    radio.wireBps = radio.link.fixedRateBps < hopBps ? radio.link.fixedRateBps : radio.wireBps;
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
