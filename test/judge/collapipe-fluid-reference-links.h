/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_REFERENCE_LINKS_H
#define COLLAPIPE_FLUID_REFERENCE_LINKS_H

#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-system-state.h"

#include <cstddef>
#include <limits>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// A link of the plan with all it needs
struct Radio
{
    std::size_t cluster{0};
    int pool{0}; //!< 0 uplink, 1 downlink, 2 + m
    PoolState medium;
    LinkState link;
    double share{1};
    double powerW{0};
    int priority{0};
    const LinkState* back{nullptr};
    int backPool{0};
    PoolState backMedium;
    NodeIndex from{0};
    NodeIndex to{0};
    bool ranked{true};     //!< subject to priorities
    bool inTurn{false};    //!< has one reservation with other links
    NodeIndex turnFrom{0}; //!< whose that is
    NodeIndex turnTo{0};   //!< and to whom; the edge server in a cell
    bool hasHop{false};    //!< that is a hop to or from the control unit
    double wireBps{std::numeric_limits<double>::infinity()};

    /// (5), (6): rate in bit/s with a share x of the medium, 0..1
    double RateBps(double x) const;

    /// What the whole medium would carry, whatever wire is behind it; 0 of a spectrum
    double WholeBps() const;

    /// Whether others have what it leaves of its share
    bool Competes() const;
};

/// Makes links of transfers from a state and a plan.
class Links
{
  public:
    Links(const SystemState& state, const RoundPlan& plan)
        : m_state(state),
          m_plan(plan)
    {
    }

    /// @return the link of a transfer, with the share, power and priority that it has in the plan
    Radio Make(std::size_t m, Phase phase, NodeIndex from, NodeIndex to) const;

    /// @return the state of a link between nodes of a cluster
    const LinkState* Find(std::size_t m, NodeIndex from, NodeIndex to) const;

    /// @return a pool by its number, as of Radio
    const PoolState& Medium(int pool) const;

  private:
    int PoolOf(std::size_t m, NodeIndex from, NodeIndex to) const;

    /// Where a relay is no shared medium, a link stays in its own pool
    int TakenPool(std::size_t m, const LinkState& link, NodeIndex from, NodeIndex to) const;

    /// Whether a link uses the one reservation that a reserved cell gives its node
    static bool IsReservedPool(const PoolState& pool);

    /// Whether a link is a wire's, behind a hop between the control unit and a device
    bool IsBehindHop(std::size_t m, NodeIndex from, NodeIndex to) const;

    /// Whether a link has one reservation of the cluster's medium with what is relayed
    bool HasHop(std::size_t m, NodeIndex from, NodeIndex to) const;

    void TakeHopShare(std::size_t m, Phase phase, Radio& radio) const;

    bool HasTurns(std::size_t m, NodeIndex from, NodeIndex to) const;

    void TakeNodeShare(std::size_t m, Phase phase, Radio& radio) const;

    /// What the control unit relays has a mean share of the cluster's own links, and no priority
    void TakeTurns(std::size_t m, Phase phase, Radio& radio) const;

    const SystemState& m_state;
    const RoundPlan& m_plan;
};

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_REFERENCE_LINKS_H */
