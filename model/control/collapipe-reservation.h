/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RESERVATION_H
#define COLLAPIPE_RESERVATION_H

#include "collapipe-transfers.h"

#include <map>
#include <tuple>
#include <utility>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Who has a share of a pool. A cell gives its resource blocks to UEs, not to links: where its media
 * are reserved, all links that a node sends over, to the edge server and, relayed by the base
 * station, to other nodes, have one reservation of the uplink. They use it in turn: a link that is
 * alone has all of it, n that are active together have each an n-th of the time. So the budget of
 * (11) counts a node once, and every link of the node has the node's share and power. Elsewhere a
 * link's share is its own: on Wi-Fi a link has an account of airtime, and in a work-conserving
 * medium a weight. What the control unit relays between a device and a wire has the reservation of
 * the hop between these two, in turn with what they send each other.
 */
struct Reservation
{
    Pool pool{Pool::D2D};         //!< of which it is a share, see GetBudget()
    std::size_t cluster{0};       //!< whose
    NodeIndex from{CONTROL_UNIT}; //!< transmitter; of the downlink the edge server
    NodeIndex to{CONTROL_UNIT};   //!< receiver; of the uplink the edge server, whoever receives

    /// @return the cluster whose pool it is; 0 for those that all clusters share
    std::size_t GetOwner() const
    {
        return pool == Pool::D2D ? cluster : 0;
    }

    /// @return whether this comes before the other, in any order
    bool operator<(const Reservation& other) const
    {
        return std::tie(pool, cluster, from, to) <
               std::tie(other.pool, other.cluster, other.from, other.to);
    }

    /// @return whether they are the same
    bool operator==(const Reservation& other) const
    {
        return std::tie(pool, cluster, from, to) ==
               std::tie(other.pool, other.cluster, other.from, other.to);
    }
};

/**
 * @param state the system
 * @param cluster m
 * @param from transmitter
 * @param to receiver
 * @return what a link has its share of the medium from, in any phase
 */
Reservation GetReservation(const SystemState& state,
                           std::size_t cluster,
                           NodeIndex from,
                           NodeIndex to);

/**
 * @param state the system
 * @param cluster m
 * @param from transmitter
 * @param to receiver
 * @return whether the link's reservation may have other links in the same phase
 */
bool IsPooled(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to);

/**
 * @param state the system
 * @return whether any link of it IsPooled(): times are then those of (16)
 */
bool IsPooled(const SystemState& state);

/**
 * What a plan gives a link: the largest share and the highest power and priority of those links of
 * the phase that use one reservation in turn, as its radio has them.
 *
 * @param state the system
 * @param cluster m
 * @param plan the cluster's plan
 * @param phase when
 * @param from transmitter
 * @param to receiver
 * @param link is set; left as it is where the plan does not name the link
 * @return whether the plan names it
 */
bool FindLinkPlan(const SystemState& state,
                  std::size_t cluster,
                  const ClusterPlan& plan,
                  Phase phase,
                  NodeIndex from,
                  NodeIndex to,
                  LinkPlan& link);

/// The shares that reservations have in every phase of a plan, each the largest of its links'
using ReservedShares = std::map<std::pair<Phase, Reservation>, double>;

/**
 * @param state the system
 * @param plan a plan
 * @return the reservations of all its links, those of dedicated pools included
 */
ReservedShares GetReservedShares(const SystemState& state, const RoundPlan& plan);

/// Sums of shares by phase, pool and its owner
using PoolShares = std::map<std::tuple<Phase, Pool, std::size_t>, double>;

/**
 * @param state the system
 * @param plan a plan
 * @return what its reservations take of every pool in every phase: at most 1 by (11)
 */
PoolShares SumShares(const SystemState& state, const RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RESERVATION_H */
