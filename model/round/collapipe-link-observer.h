/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_OBSERVER_H
#define COLLAPIPE_LINK_OBSERVER_H

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-edge-server.h"
#include "ns3/collapipe-link-monitor.h"
#include "ns3/collapipe-pool-clock.h"
#include "ns3/collapipe-stage-application.h"

#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Listens to the applications and tells a LinkMonitor how long the links served each message: from
 * when it was handed to its connection, or from when the message before it had arrived where it
 * queued behind that one, until it had arrived; and which share of its medium, or of the
 * reservation that it uses in turn with others, it had meanwhile. In a reserved medium a message
 * queues while the one before it is being sent, not while that one is on its way, and one that
 * comes when the shares of its phase have gone tells nothing.
 */
class LinkObserver
{
  public:
    /**
     * @param edge a cell's edge server
     * @param clusters the applications of its clusters, in its order
     */
    LinkObserver(Ptr<EdgeServerApplication> edge,
                 const std::vector<std::vector<Ptr<StageApplication>>>& clusters);

    LinkObserver(const LinkObserver&) = delete; // traces hold its address
    LinkObserver& operator=(const LinkObserver&) = delete;

    /// @param monitor to tell, with the cell's clusters counted from 0; null: none
    void SetMonitor(Ptr<LinkMonitor> monitor);

    /**
     * Messages go by another plan from now on.
     * @param round its number, from 1
     * @param plan of the round that begins
     */
    void BeginRound(uint32_t round, const RoundPlan& plan);

    /**
     * A cluster's links have the shares of another phase from now on.
     * @param cluster among the edge server's, from 0
     * @param phase that begins; the last messages of the one before may still be under way
     */
    void BeginPhase(uint32_t cluster, Phase phase);

    /**
     * @param round a round, from 1
     * @return since its nodes were first asked for their state, in s; 0 where they were not
     */
    double GetReportS(uint32_t round) const;

    /**
     * Between distribution and training every node says that it is ready, and the edge server tells
     * the first to start: small messages, which a plan does not count.
     * @param state the system
     * @param plan for it
     * @return how long that should take, in s, in the cluster where it is longest: as it was
     *         measured, or, where nothing was, the latencies of the links
     */
    double GetStartS(const SystemState& state, const RoundPlan& plan) const;

    /// @param record of the round that has ended
    void EndRound(const RoundRecord& record);

  private:
    /// What tells a message under way from all others
    using MessageKey = std::
        tuple<MessageType, uint16_t, uint16_t, uint16_t, uint16_t, uint32_t, uint32_t, uint32_t>;

    /// When a message was sent
    struct Sending
    {
        Time at;         //!< the time
        double clock{0}; //!< its medium's clock
        LinkId link;     //!< over which
    };

    /// What goes on on a link
    struct LinkUse
    {
        uint32_t underWay{0};   //!< messages
        double weight{0};       //!< share that the plan gave it
        uint8_t priority{0};    //!< likewise
        Time lastArrival;       //!< of the latest message
        double arrivalClock{0}; //!< its medium's clock then
    };

    /// Whom a link shares a medium with: all of a pool, or those of one reservation
    using ClockId = std::pair<LinkMonitor::PoolId, std::optional<Reservation>>;

    /// @return a link's medium
    ClockId GetClockId(const LinkId& link) const;

    /// @return a message's key
    static MessageKey GetKey(const MessageHeader& header);

    /// Listens to a node.
    void Connect(Ptr<MessageApplication> application);

    /// @return to whom the plan sends a message; the sender where it says nothing of it
    NodeIndex FindReceiver(uint32_t cluster, const MessageHeader& header) const;

    /// Parameters have come, or a chain's start.
    void ObserveStart(const MessageHeader& header);

    void HandleTx(const MessageHeader& header, uint64_t bytes);
    void HandleRx(const MessageHeader& header, uint64_t bytes);

    Ptr<LinkMonitor> m_monitor;                               //!< to tell; null: none
    std::vector<ClusterId> m_clusters;                        //!< of the edge server
    RoundPlan m_plan;                                         //!< of the current round
    std::map<std::pair<LinkId, Phase>, LinkPlan> m_decisions; //!< of it
    std::map<ClockId, PoolClock> m_clocks;                    //!< by medium
    std::map<uint32_t, Phase> m_phases;                       //!< by cluster
    std::map<LinkId, LinkUse> m_links;                        //!< that carried something
    std::map<MessageKey, Sending> m_sent;                     //!< messages under way
    uint32_t m_asked{0};                                      //!< latest round with requests
    Time m_askedAt;                                           //!< when the first was sent
    std::map<uint32_t, Time> m_delivered;                     //!< latest parameters, by cluster
    std::map<uint32_t, double> m_starts; //!< from there to the start in s, by cluster
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_OBSERVER_H */
