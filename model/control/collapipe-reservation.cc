/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-reservation.h"

#include "collapipe-fluid-medium.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

Reservation
GetReservation(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to)
{
    const Pool budget = GetBudget(state, cluster, from, to);
    const auto hop = [budget](NodeIndex end) {
        return budget == Pool::D2D && end == EDGE_SERVER ? CONTROL_UNIT : end;
    };
    return {budget, cluster, hop(from), budget == Pool::UPLINK ? EDGE_SERVER : hop(to)};
}

bool
IsPooled(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to)
{
    const ClusterState& own = state.clusters[cluster];
    const Pool pool = GetPool(from, to);
    const Pool budget = GetBudget(state, cluster, from, to);
    if (pool != budget)
    {
        return true; // relayed: with the links between the nodes of its hop
    }
    if (pool == Pool::D2D)
    {
        // The other part of such a hop
        return (to == CONTROL_UNIT && GetBudget(state, cluster, from, EDGE_SERVER) == Pool::D2D) ||
               (from == CONTROL_UNIT && GetBudget(state, cluster, EDGE_SERVER, to) == Pool::D2D);
    }
    for (NodeIndex other = 0; pool == Pool::UPLINK && other < own.d2dLinks.size(); ++other)
    {
        if (other != from && GetBudget(state, cluster, from, other) == Pool::UPLINK)
        {
            return true;
        }
    }
    return false;
}

bool
IsPooled(const SystemState& state)
{
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        for (NodeIndex node = 0; node <= state.clusters[m].devices.size(); ++node)
        {
            if (IsPooled(state, m, node, EDGE_SERVER) || IsPooled(state, m, EDGE_SERVER, node))
            {
                return true;
            }
        }
    }
    return false;
}

bool
FindLinkPlan(const SystemState& state,
             std::size_t cluster,
             const ClusterPlan& plan,
             Phase phase,
             NodeIndex from,
             NodeIndex to,
             LinkPlan& link)
{
    const auto own = std::find_if(plan.links.begin(), plan.links.end(), [&](const LinkPlan& l) {
        return l.phase == phase && l.from == from && l.to == to;
    });
    if (own == plan.links.end())
    {
        return false;
    }
    link = *own;
    if (!IsPooled(state, cluster, from, to))
    {
        return true;
    }
    const Reservation reservation = GetReservation(state, cluster, from, to);
    const double most = FindLinkState(state.clusters[cluster], from, to)->maxPowerW;
    for (const auto& other : plan.links)
    {
        if (other.phase == phase &&
            GetReservation(state, cluster, other.from, other.to) == reservation)
        {
            link.share = std::max(link.share, other.share);
            link.powerW = std::max(link.powerW, std::min(other.powerW, most));
            link.priority = std::max(link.priority, other.priority);
        }
    }
    return true;
}

ReservedShares
GetReservedShares(const SystemState& state, const RoundPlan& plan)
{
    ReservedShares shares;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            double& share = shares[{link.phase, GetReservation(state, m, link.from, link.to)}];
            share = std::max(share, link.share);
        }
    }
    return shares;
}

PoolShares
SumShares(const SystemState& state, const RoundPlan& plan)
{
    PoolShares sums;
    ReservedShares shares;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            const Reservation own = GetReservation(state, m, link.from, link.to);
            double& share = shares[{link.phase, own}];
            sums[{link.phase, own.pool, own.GetOwner()}] += std::max(0.0, link.share - share);
            share = std::max(share, link.share);
        }
    }
    return sums;
}

} // namespace collapipe
} // namespace ns3
