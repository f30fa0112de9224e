/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_ENERGY_FIT_H
#define COLLAPIPE_RADIO_ENERGY_FIT_H

#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-system-state.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Learns what the radio of a node really consumes for each joule that (7') says. Links that are
 * fitted to the times of messages leave something out: subframes that are sent to ask for more,
 * retransmissions, what a gateway passes on, replicas. After each round, (7') of its plan over the
 * links as they are known *now* is compared with what was measured:
 *
 *     kappa = measured J / (7') in J
 *
 * and the median of the last rounds' is taken: single plans, with shares unlike all others, may be
 * far off. A node's sending and receiving powers are kappa times what its energy model charges, so
 * that plans which are repeated are planned with what they took. Who sent and received little in a
 * round, or mostly messages of a packet, tells nothing; devices that never told anything have the
 * mean of those that did.
 */
class RadioEnergyFit
{
  public:
    /**
     * A round has ended.
     * @param state on which it was decided
     * @param plan of it
     * @param measuredJ by cluster and node: what the radios took for traffic, in J; empty: the
     *        cluster's work was another one than planned
     */
    void Observe(const SystemState& state,
                 const RoundPlan& plan,
                 std::vector<std::vector<double>> measuredJ);

    /**
     * Takes the round that was observed last into the fit, and corrects the powers of all links.
     * @param state its links are what is known now, their powers what energy models charge
     */
    void Correct(SystemState& state);

    /**
     * @param cluster index
     * @param node within it
     * @return kappa
     */
    double GetFactor(uint32_t cluster, NodeIndex node) const;

  private:
    /// kappa of the last rounds, the latest last
    using Factors = std::vector<double>;

    /// Compares the round that was observed last with what (7') says over these links.
    void Compare(const SystemState& state);

    /// @return mean of the devices that were observed, in logarithms; 1 where there is none
    double GetMean() const;

    SystemState m_state;                          //!< of the round observed last
    RoundPlan m_plan;                             //!< likewise
    std::vector<std::vector<double>> m_measuredJ; //!< likewise; empty: it was compared
    std::map<std::pair<uint32_t, NodeIndex>, Factors> m_factors; //!< learnt
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_ENERGY_FIT_H */
