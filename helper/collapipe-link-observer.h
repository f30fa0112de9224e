/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_OBSERVER_H
#define COLLAPIPE_LINK_OBSERVER_H

#include "collapipe-helper.h"

#include "ns3/collapipe-link-monitor.h"

#include <map>
#include <tuple>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Listens to the applications and tells a LinkMonitor how long the links served each message: from
 * when it was handed to its connection, or from when the message before it had arrived where it
 * queued behind that one, until it had arrived.
 */
class LinkObserver
{
  public:
    /**
     * @param applications to listen to
     * @param cell whose edge server and clusters
     * @param monitor to tell, with the cell's clusters counted from 0; must outlive the run
     */
    LinkObserver(const RunApplications& applications, uint32_t cell, LinkMonitor& monitor);

    LinkObserver(const LinkObserver&) = delete; // traces hold its address
    LinkObserver& operator=(const LinkObserver&) = delete;

  private:
    /// What tells a message under way from all others
    using MessageKey = std::tuple<MessageType,
                                  uint16_t,
                                  uint16_t,
                                  uint16_t,
                                  uint16_t,
                                  uint32_t,
                                  uint32_t,
                                  uint32_t>;

    /// @return a message's key
    static MessageKey GetKey(const MessageHeader& header);

    /// Listens to a node.
    void Connect(Ptr<MessageApplication> application, NodeIndex node);

    void HandleTx(const MessageHeader& header, uint64_t bytes);
    void HandleRx(NodeIndex receiver, const MessageHeader& header, uint64_t bytes);
    void HandlePlan(const SystemState& state, const RoundPlan& plan);
    void HandleRound(const RoundRecord& record);

    LinkMonitor& m_monitor;               //!< to tell
    std::vector<uint32_t> m_clusters;     //!< their numbers
    std::map<MessageKey, Time> m_sent;    //!< messages under way
    std::map<LinkId, Time> m_lastArrival; //!< by link
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_OBSERVER_H */
