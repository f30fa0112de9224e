/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_MONITOR_H
#define COLLAPIPE_LINK_MONITOR_H

#include "collapipe-link-fit.h"
#include "collapipe-sinr-statistics.h"

#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-reservation.h"
#include "ns3/collapipe-system-state.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

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

/// What a round told of a link, and what the monitor makes of all rounds so far
struct LinkReport
{
    LinkId link;          //!< which
    uint32_t round{0};    //!< from 1
    double sinr{0};       //!< mean of the radio's reports, linear, as though at full power over the
                          //!< pool's whole bandwidth; NaN where there were none
    double mcs{0};        //!< mean index over blocks or frames; NaN where none was sent
    double goodputBps{0}; //!< payload over the time in which the link served it; NaN: none
    double gain{0};       //!< g
    double efficiency{0}; //!< e
    double snrGap{0};     //!< Gamma, linear
    double delayS{0};     //!< d of formula (2)
};

/**
 * @ingroup collapipe
 * Learns from every round what the links are really worth, as a correction of what the topology
 * expects of them.
 *
 * - *Gain.* The radios report SINRs. Their effective mean over a round, at the power that was used,
 *   gives the gain that the round saw; how far that is from the expectation is tracked from round
 * to round (GainTracker).
 * - *Efficiency and delay.* A transfer of a bits, those of the message's overhead among
 *   them, takes D + rho a / r over an idle link; one that
 *   queued behind another ends rho a / r after it, where r is the rate (5) or (6) under the plan's
 *   share and power, at the gain that the same round saw: so goodput tells of e, and not of the
 *   channel, which the next round finds changed (TransferFit).
 * - *Waiting.* Stages that wait for each other wait for the latest: an iteration of random times is
 *   longer than one of their means. What it took beyond what the fitted links explain is spread
 *   over the latencies on its longest path; it adds to D.
 * - *Gap.* Gamma is that of several candidates that has forecast best what transfers take when
 * SINRs change (GapChoice); one for each pool.
 *
 *     g = g_expected gamma,   e = e_expected / rho,   delay = D
 *
 * Links that carried nothing take the mean of their pool. A round's observations enter at its end.
 *
 * Chosen by TypeId; who would learn otherwise derives from this class.
 */
class LinkMonitor : public Object
{
  public:
    /// A medium: each cluster has its own for D2D; the others count as of cluster 0
    using PoolId = std::pair<Pool, uint32_t>;

    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param link a link
     * @return its medium
     */
    static PoolId GetPoolId(const LinkId& link);

    /**
     * @param link a link of the state that was updated last
     * @return the medium that its transfers take: that of GetPoolId, unless somebody relays them
     */
    PoolId GetMediumId(const LinkId& link) const;

    /**
     * @param link a link of the state that was updated last
     * @return the reservation that it uses in turn with others; nothing where its share is its own
     */
    std::optional<Reservation> FindReservation(const LinkId& link) const;

    /**
     * @param link a link of the state that was updated last
     * @return whether its share is all that it gets of its medium
     */
    bool HasReservedMedium(const LinkId& link) const;

    /**
     * @param link a link of the state that was updated last
     * @return how long a message is on its way beside being sent, as the topology expects it
     */
    Time GetLatency(const LinkId& link) const;

    /**
     * Corrects a state's links by what was learnt, before the controller decides.
     * @param state its links hold what the topology expects
     */
    virtual void Update(SystemState& state);

    /**
     * Transfers that are observed from now on go by this plan.
     * @param round its number, from 1
     * @param plan of the round that begins
     */
    virtual void BeginRound(uint32_t round, const RoundPlan& plan);

    /**
     * A payload was transferred.
     * @param link which
     * @param phase when
     * @param bits of the message
     * @param seconds from its sending, or from the end of the transfer before it where it queued
     *        behind that one, to its arrival
     * @param queued whether it did
     * @param share of the pool that the link really had meanwhile, 0..1; of the reservation where
     *        it uses one in turn, see FindReservation()
     */
    virtual void ObserveTransfer(const LinkId& link,
                                 Phase phase,
                                 double bits,
                                 double seconds,
                                 bool queued,
                                 double share);

    /**
     * @param link one that a radio will report upon
     * @param maxSinr linear, beyond which its rate does not grow
     * @return its number, for ObserveSinr and ObserveMcs: radios report often
     */
    virtual uint32_t AddMeter(const LinkId& link,
                              double maxSinr = std::numeric_limits<double>::infinity());

    /**
     * The radio reported an SINR.
     * @param meter the link's number
     * @param sinr linear, over the pool's whole bandwidth
     * @param powerW transmit power over that bandwidth
     */
    virtual void ObserveSinr(uint32_t meter, double sinr, double powerW);

    /**
     * The radio sent a transport block or a frame.
     * @param meter the link's number
     * @param mcs index of its modulation and coding scheme
     */
    virtual void ObserveMcs(uint32_t meter, uint32_t mcs);

    /**
     * Others use a medium, too: what they take of it is in the states from the next round on.
     * @param pool the medium
     * @param take called at the end of each round: which part of it, 0..1, they had while the
     *        training had something to send, since the last call; NaN where it never had
     */
    virtual void AddOthers(const PoolId& pool, std::function<double()> take);

    /**
     * A cluster has ended its local iterations of the round.
     * @param cluster index
     * @param seconds that one took on average
     */
    virtual void ObserveIteration(uint32_t cluster, double seconds);

    /**
     * Takes the round's observations into the fits and reports on every link that has some.
     * @param latencyS how long the round took
     */
    virtual void EndRound(double latencyS);

    /**
     * Signature of the Sinr trace.
     * @param link which
     * @param sinr linear, over the pool's whole bandwidth
     * @param powerW transmit power over that bandwidth
     */
    typedef void (*SinrTracedCallback)(const LinkId& link, double sinr, double powerW);

    /**
     * Signature of the Mcs trace.
     * @param link which
     * @param mcs index
     */
    typedef void (*McsTracedCallback)(const LinkId& link, uint32_t mcs);

    /**
     * Signature of the Goodput trace.
     * @param link which
     * @param phase when
     * @param bits of the message
     * @param seconds in which the link served it
     */
    typedef void (*GoodputTracedCallback)(const LinkId& link,
                                          Phase phase,
                                          double bits,
                                          double seconds);

    /**
     * Signature of the Report trace.
     * @param report of a link at the end of a round
     */
    typedef void (*ReportTracedCallback)(const LinkReport& report);

    /**
     * Signature of the Forecast trace, fired where a controller predicts.
     * @param round its number, from 1
     * @param plannedS latency of the round as it was planned
     * @param measuredS as it was
     */
    typedef void (*ForecastTracedCallback)(uint32_t round, double plannedS, double measuredS);

  private:
    /// What is averaged over a round: link, phase, whether queued
    using TransferKind = std::tuple<LinkId, Phase, bool>;

    /// A fit for each candidate of Gamma
    using Fits = std::array<TransferFit, GapChoice::CANDIDATES>;

    /// Sums of a round's transfers
    struct Served
    {
        double bits{0};
        double seconds{0};
        double shareSeconds{0}; //!< of the share that the link really had
        uint32_t count{0};
    };

    /// What a link's radio reports
    struct Meter
    {
        LinkId link;         //!< which
        double maxSinr{0};   //!< beyond which its rate does not grow
        double maxPowerW{0}; //!< of the link; 0: the link is not known yet
        SinrStatistics sinr; //!< of this round, as though at full power; at most maxSinr
        double sinrSum{0};   //!< likewise, whatever the rate does
        uint64_t mcsSum{0};  //!< in this round
        uint64_t blocks{0};  //!< how many these were
        double seenRatio{1}; //!< gain of the latest round with reports over the expected one
        GainTracker gain;    //!< over all rounds
    };

    /// @return what the topology expects of a link; nullptr where there is none
    const LinkState* FindExpected(const LinkId& link) const;

    /// Who else uses a medium
    struct Others
    {
        std::function<double()> take; //!< reads what they had
        double seen{0};               //!< in the latest round that tells
        double part{0};               //!< mean over rounds, the latest counting most
        bool known{false};            //!< whether there was one
    };

    /// Takes what others had of the media in the round that ends.
    void UpdateOthers();

    /// Takes the round's reports of SINRs into the gains.
    void UpdateGains();

    /// Takes the round's transfers into the fits.
    void UpdateFits();

    /// Compares the round's iterations with what the fits say of them.
    void UpdateWaits();

    /// @return the state as the fits correct it, with such a wait in a cluster's links
    SystemState MakeFittedState(uint32_t cluster, double wait) const;

    /// @return whether reserved Wi-Fi is all that a cluster's transfers wait for
    bool HasReservedAirtime(uint32_t cluster) const;

    /**
     * Lets a radio link wait for more than its fit knows of.
     * @param id of the link
     * @param wait seconds of each latency; where HasReservedAirtime(), over the time on the air
     * @param link is changed
     */
    void AddWait(const LinkId& id, double wait, LinkState& link) const;

    /**
     * What (5) or (6) expect of a mean transfer at the gain that the round saw, with the plan's
     * power. In a reserved medium that goes by the plan's share; in a work-conserving one by the
     * share that the link really had: who ended early has left its share to the others, who must
     * not count as fast for that. Messages of a packet wait for no share in either.
     */
    double GetExpectedS(const TransferKind& kind, const Served& served, double gapFactor) const;

    /// @return whether a mean transfer is so small that schedulers let it pass at once
    static bool IsSmall(const Served& served);

    /// @return the meter that tells of a link's gain; nullptr where there is none
    const Meter* FindMeter(const LinkId& link) const;

    /// @return whether a link has a rate of its own, which nothing corrects
    bool IsWire(const LinkId& id) const;

    /// Corrects one link by what was learnt of its medium and itself.
    void CorrectByFit(const LinkId& id, LinkState& link) const;

    /// Corrects one link, waiting included.
    void Correct(const LinkId& id, LinkState& link) const;

    /// @return mean of a pool's fits under the Gamma chosen for it; known where there is one
    TransferFit GetPoolMean(const PoolId& pool) const;

    /// @return index of the Gamma chosen for a pool
    std::size_t GetGap(const PoolId& pool) const;

    /// Fires the Report trace for every link that was observed in this round.
    void Report() const;

    SystemState m_expected;                  //!< links as the topology expects them
    RoundPlan m_plan;                        //!< of the current round
    uint32_t m_round{0};                     //!< its number
    std::map<TransferKind, Served> m_served; //!< transfers of the current round
    std::vector<Meter> m_meters;             //!< by number
    std::map<LinkId, uint32_t> m_numbers;    //!< of the meters
    std::map<LinkId, Fits> m_fits;           //!< learnt
    std::map<PoolId, GapChoice> m_gaps;      //!< learnt
    std::map<uint32_t, double> m_iterations; //!< of the current round: seconds, by cluster
    std::map<uint32_t, double> m_waits;      //!< learnt, by cluster; see AddWait()
    std::map<PoolId, Others> m_others;       //!< learnt: who else uses the media

    TracedCallback<const LinkId&, double, double> m_sinrTrace;
    TracedCallback<const LinkId&, uint32_t> m_mcsTrace;
    TracedCallback<const LinkId&, Phase, double, double> m_goodputTrace;
    TracedCallback<const LinkReport&> m_reportTrace;
    TracedCallback<uint32_t, double, double> m_forecastTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_MONITOR_H */
