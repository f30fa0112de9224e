/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_MONITOR_H
#define COLLAPIPE_LINK_MONITOR_H

#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-system-state.h"
#include "ns3/collapipe-transfers.h"

#include <cstdint>
#include <map>
#include <tuple>

namespace ns3
{
namespace collapipe
{

/// A directed link of a cluster
struct LinkId
{
    uint32_t cluster{0};          //!< index
    NodeIndex from{CONTROL_UNIT}; //!< transmitter
    NodeIndex to{CONTROL_UNIT};   //!< receiver

    /// Order, for maps
    bool operator<(const LinkId& other) const
    {
        return std::tie(cluster, from, to) < std::tie(other.cluster, other.from, other.to);
    }
};

/**
 * @ingroup collapipe
 * Learns from every round what the links are really worth, as a correction of what the topology
 * expects of them. A transfer of a bits, those of the message's overhead among them, takes D + rho
 * a / r over an idle link; one that queued behind another ends rho a / r after it, where r is the
 * rate (5) or (6) that the topology expects under the plan's share and power; and the SINR is gamma
 * times the expected one:
 *
 *     delay = D,   e = e_expected / rho,   g = g_expected gamma
 *
 * D and rho by least squares on relative errors over the mean transfers of the past rounds, whose
 * weight halves every round, with the expectation as a weak prior, so that a link on which all
 * payloads have one size is well posed. Links that carried nothing take the mean of their pool.
 */
class LinkMonitor
{
  public:
    /**
     * Corrects a state's links by what was learnt, before the controller decides.
     * @param state its links hold what the topology expects
     */
    void Update(SystemState& state);

    /**
     * Transfers that are observed from now on go by this plan.
     * @param plan of the round that begins
     */
    void BeginRound(const RoundPlan& plan);

    /**
     * A payload was transferred.
     * @param link which
     * @param phase when
     * @param bits of the message
     * @param seconds from its sending, or from the end of the transfer before it where it queued
     *        behind that one, to its arrival
     * @param queued whether it did
     */
    void ObserveTransfer(const LinkId& link, Phase phase, double bits, double seconds, bool queued);

    /**
     * The radio reported an SINR.
     * @param link which
     * @param sinr linear, over the pool's whole bandwidth
     * @param powerW transmit power over that bandwidth
     */
    void ObserveSinr(const LinkId& link, double sinr, double powerW);

    /// Takes the round's observations into the fits.
    void EndRound();

  private:
    /// What is averaged over a round: link, phase, whether queued
    using TransferKind = std::tuple<LinkId, Phase, bool>;

    /// Sums of a round
    struct Mean
    {
        double first{0};  //!< sum of bits, or of decibels
        double second{0}; //!< sum of seconds
        uint32_t count{0};
    };

    /// A link's fit: normal equations of relative errors, and what they give
    struct Fit
    {
        double a11{0}, a12{0}, a22{0}, b1{0}, b2{0};
        double delayS{0};   //!< D
        double slowness{1}; //!< rho
        bool known{false};  //!< has seen transfers
    };

    /// @return what the topology expects of a link; nullptr where there is none
    const LinkState* FindExpected(const LinkId& link) const;

    /// @return seconds per bit that the topology expects under the plan
    double GetExpectedSecondsPerBit(const LinkId& link, Phase phase) const;

    /// Adds a round's mean transfer to a link's normal equations.
    void AddObservation(Fit& fit, double expectedS, double measuredS, bool queued) const;

    /// Solves a link's normal equations.
    void Solve(Fit& fit, double expectedDelayS) const;

    /// Corrects one link.
    void Correct(const LinkId& id, LinkState& link, const Fit* poolMean) const;

    /// @return mean of the fits of a pool (of a cluster, where it is D2D); known where there is one
    Fit GetPoolMean(uint32_t cluster, Pool pool) const;

    SystemState m_expected;                //!< links as the topology expects them
    RoundPlan m_plan;                      //!< of the current round
    std::map<TransferKind, Mean> m_served; //!< transfers of the current round
    std::map<LinkId, Mean> m_sinrs;        //!< SINR over expectation, dB
    std::map<LinkId, Fit> m_fits;          //!< learnt
    std::map<LinkId, double> m_gainRatios; //!< learnt: gamma
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_MONITOR_H */
