/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How the links of a FlowNetwork divide their media: shares, rates, and what radios do meanwhile

#include "collapipe-flow-media.h"

#include "ns3/collapipe-fluid-medium.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_CAPACITY = 0.05; //!< of a medium, that acknowledgements leave
constexpr double MIN_WEIGHT = 1e-6;     //!< of a link that was given none: it gets what is left

} // namespace

double
FlowNetwork::GetRateBps(const Link& link, double share) const
{
    const PoolState& pool = m_media[link.GetMedium()]->pool;
    return share > 0
               ? std::min(link.state.mostBps,
                          link.turn *
                              collapipe::GetRateBps(link.state.link, pool, share, GetPowerW(link)))
               : 0;
}

void
FlowNetwork::Divide(Medium& medium)
{
    Advance(medium);
    for (Link* link : medium.active)
    {
        link->turn = 1;
    }
    if (medium.pool.mode == SharingMode::DEDICATED)
    {
        for (Link* link : medium.active)
        {
            link->nominal = 1;
        }
    }
    else if (IsWorkConserving(medium.pool))
    {
        DivideByWeight(medium);
    }
    else
    {
        DivideReserved(medium);
    }
}

void
FlowNetwork::DivideByWeight(Medium& medium)
{
    uint8_t highest = 0;
    for (const Link* link : medium.active)
    {
        highest = std::max(highest, link->setting.priority);
    }
    std::vector<MediumUser> users;
    for (const Link* link : medium.active)
    {
        MediumUser user;
        user.weight = std::max(MIN_WEIGHT, link->setting.weight);
        const bool waits = medium.pool.priorities && link->setting.isSet && link->config.weighed;
        user.priority = waits ? link->setting.priority : highest;
        // Where rate is in proportion to the share, more of it than fills the wire is of no use
        const bool isLimited =
            medium.pool.mode == SharingMode::AIRTIME && std::isfinite(link->state.mostBps);
        user.cap =
            isLimited
                ? link->state.mostBps /
                      collapipe::GetRateBps(link->state.link, medium.pool, 1, GetPowerW(*link))
                : 1;
        users.push_back(user);
    }
    DivideMedium(users, 1);
    for (std::size_t i = 0; i < users.size(); ++i)
    {
        medium.active[i]->nominal = users[i].share;
    }
}

void
FlowNetwork::DivideReserved(Medium& medium)
{
    /// A reservation: of a radio, or of a link that has its own
    struct Holder
    {
        bool isSet{false};     //!< by an actuator, for any of its links
        double share{0};       //!< the largest of them
        std::size_t active{0}; //!< links that use it in turn
    };

    std::map<std::pair<const void*, const void*>, Holder> holders; // never in this order
    const auto find = [&holders](const Link& link) -> Holder& {
        const void* sender = PeekPointer(link.config.holder.first);
        return holders[{sender ? sender : &link, PeekPointer(link.config.holder.second)}];
    };
    for (const Link* link : medium.links)
    {
        if (link->setting.isSet)
        {
            Holder& holder = find(*link);
            holder.isSet = true;
            holder.share = std::max(holder.share, link->setting.weight);
        }
    }
    double used = 0;
    double others = 0; // without a share: they take what is left
    for (const Link* link : medium.active)
    {
        Holder& holder = find(*link);
        used += holder.active == 0 ? holder.share : 0;
        ++holder.active;
        others += holder.isSet ? 0 : 1;
    }
    // Clusters are not all in one phase: shares of those that send may be more than there is
    const double rest = others > 0 ? std::max(LEAST_CAPACITY, 1 - used) : 0;
    const double scale = 1 / std::max(1.0, used + rest);
    for (Link* link : medium.active)
    {
        const Holder& holder = find(*link);
        link->nominal = scale * (holder.isSet ? holder.share : rest / others);
        link->turn = holder.isSet ? 1 / static_cast<double>(holder.active) : 1;
    }
}

/// What the links of a medium take of others: acknowledgements, and second halves of ways
void
FlowNetwork::SetLoads(Medium& medium)
{
    std::map<std::size_t, double> loads;
    for (Link* link : medium.active)
    {
        const double rate = GetRateBps(*link, link->nominal);
        const std::size_t relay = link->state.relayMedium;
        if (relay != FlowLinkState::NO_MEDIUM && IsWorkConserving(m_media[relay]->pool))
        {
            const LinkState& down = link->state.relay;
            loads[relay] +=
                rate / collapipe::GetRateBps(down, m_media[relay]->pool, 1, down.maxPowerW);
        }
        const double ratio = link->state.link.acknowledgementRatio;
        const auto back = ratio > 0 ? m_links.find({link->to, link->from}) : m_links.end();
        if (back == m_links.end())
        {
            continue;
        }
        const std::size_t way = back->second->GetMedium();
        if (IsWorkConserving(m_media[way]->pool))
        {
            const LinkState& whole = back->second->state.link;
            loads[way] +=
                ratio * rate / collapipe::GetRateBps(whole, m_media[way]->pool, 1, whole.maxPowerW);
        }
    }
    for (std::size_t i = 0; i < m_media.size(); ++i)
    {
        const auto now = loads.find(i);
        const auto before = m_media[i]->loads.find(medium.number);
        const double is = now == loads.end() ? 0 : now->second;
        const double was = before == m_media[i]->loads.end() ? 0 : before->second;
        if (is != was)
        {
            m_media[i]->loads[medium.number] = is;
            m_media[i]->stale = true;
        }
    }
}

void
FlowNetwork::SetRates(Medium& medium)
{
    Advance(medium);
    medium.dirty = medium.stale = false;
    double loads = 0;
    for (const auto& [cause, load] : medium.loads)
    {
        loads += load;
    }
    const double capacity = std::max(LEAST_CAPACITY, 1 - loads);
    double nextS = std::numeric_limits<double>::infinity();
    for (Link* link : medium.active)
    {
        link->share = link->nominal * capacity;
        link->rateBps = IsUp(*link) ? GetRateBps(*link, link->share) : 0;
        SetUse(*link, link->rateBps > 0 ? link->share : 0);
        m_rateTrace(link->from, link->to, link->turn * link->share, link->rateBps);
        const double each = link->rateBps / static_cast<double>(link->active.size());
        for (const Flow* flow : link->active)
        {
            nextS = std::min(nextS, each > 0 ? flow->leftBits / each : nextS);
        }
    }
    Simulator::Remove(medium.next);
    constexpr double NEVER_S = 1e9;
    if (nextS < NEVER_S)
    {
        medium.next = Simulator::Schedule(NanoSeconds(std::ceil(nextS * 1e9)),
                                          &FlowNetwork::HandleCarried,
                                          this,
                                          medium.number);
    }
}

void
FlowNetwork::SetUse(Link& link, double share)
{
    const PoolState& pool = m_media[link.GetMedium()]->pool;
    // As GetAirTimeS(): whoever has frequencies of his own sends all the time
    const double duty = link.state.onAir * link.turn *
                        (pool.mode == SharingMode::AIRTIME ? share
                         : share > 0                       ? 1
                                                           : 0);
    double relayed = duty;
    if (link.state.relayMedium != FlowLinkState::NO_MEDIUM)
    {
        const LinkState& down = link.state.relay;
        const double whole =
            collapipe::GetRateBps(down, m_media[link.state.relayMedium]->pool, 1, down.maxPowerW);
        relayed = std::min(1.0, link.rateBps / whole);
    }
    Charge(link, duty, relayed);
    ChargeAcknowledging(link,
                        std::min(relayed, link.rateBps * link.state.acknowledging.secondsPerBit));
}

/// The receiver sends acknowledgements, and the sender receives them.
void
FlowNetwork::ChargeAcknowledging(Link& link, double part)
{
    const double more = part - link.acknowledging;
    if (more == 0)
    {
        return;
    }
    link.acknowledging = part;
    if (link.config.receiver)
    {
        link.config.receiver->Change(more, more * link.state.acknowledging.powerW, 0);
    }
    if (link.config.sender)
    {
        link.config.sender->Change(0, 0, more);
    }
}

void
FlowNetwork::Charge(Link& link, double sending, double relayed)
{
    const double radiatedW = sending * GetPowerW(link);
    const double sent = sending - link.sending;
    const double radiated = radiatedW - link.radiatedW;
    const double received = relayed - link.receiving;
    link.sending = sending;
    link.radiatedW = radiatedW;
    link.receiving = relayed;
    if (sent == 0 && radiated == 0 && received == 0)
    {
        return;
    }
    if (link.config.sender)
    {
        link.config.sender->Change(sent, radiated, 0);
    }
    const auto& stations = m_media[link.GetMedium()]->stations;
    for (const auto& station : stations)
    {
        if (station != link.config.sender)
        {
            station->Change(0, 0, received);
        }
    }
    if (stations.empty() && link.config.receiver)
    {
        link.config.receiver->Change(0, 0, received);
    }
}

} // namespace collapipe
} // namespace ns3
