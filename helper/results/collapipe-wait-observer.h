/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WAIT_OBSERVER_H
#define COLLAPIPE_WAIT_OBSERVER_H

#include "ns3/collapipe-run-applications.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Notices when a run has stopped: where for some simulated time no message has arrived and nobody
 * has computed, it says for whom the run waits. Once for each such time; it keeps no simulation
 * going.
 */
class WaitObserver
{
  public:
    /**
     * @param applications to watch
     * @param patience simulated time without any progress
     * @param warn called with a sentence
     */
    WaitObserver(const RunApplications& applications,
                 Time patience,
                 std::function<void(const std::string&)> warn);
    ~WaitObserver();

    WaitObserver(const WaitObserver&) = delete; // traces hold its address
    WaitObserver& operator=(const WaitObserver&) = delete;

    /// @return a sentence: for whom the run waits now
    std::string Describe() const;

  private:
    /// A node: number of its cluster, and its index there
    using NodeKey = std::pair<uint32_t, NodeIndex>;

    /// What tells a message under way from all others
    using MessageKey = std::
        tuple<MessageType, uint16_t, uint16_t, uint16_t, uint16_t, uint32_t, uint32_t, uint32_t>;

    /// @return a message's key
    static MessageKey GetKey(const MessageHeader& header);

    void Begin();
    void HandleTx(const MessageHeader& header, uint64_t bytes);
    void HandleRx(const MessageHeader& header, uint64_t bytes);
    void HandleEdgeRx(const MessageHeader& header, uint64_t bytes);
    void HandleCompute(Time start, Time duration);
    void HandlePlan(uint32_t cell, const SystemState& state, const RoundPlan& plan);
    void HandleRound(const RoundRecord& record);

    /// Something happens until then.
    void Progress(Time until);

    /// Looks whether something has happened.
    void Check();

    /// @return the nodes of a set that are not in another, by name; empty: none
    static std::string ListMissing(const std::set<NodeKey>& wanted, const std::set<NodeKey>& there);

    RunApplications m_applications;                 //!< watched
    Time m_patience;                                //!< without progress
    std::function<void(const std::string&)> m_warn; //!< whom to tell
    Time m_progress;                                //!< until when something happened
    EventId m_check;                                //!< next look
    uint32_t m_round{0};                            //!< rounds that have ended
    std::set<NodeKey> m_all;                        //!< nodes
    std::set<NodeKey> m_connected;                  //!< that have said hello
    std::set<NodeKey> m_reported;                   //!< in this round
    std::set<NodeKey> m_planned;                    //!< that have a part in this round
    /// Who holds which stage of this round, by cluster, chain and stage
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, NodeIndex> m_holders;
    std::set<NodeKey> m_ready;    //!< of these, that have their parameters
    std::set<NodeKey> m_uploaded; //!< of these, that have sent them back
    std::map<MessageKey, std::pair<Time, uint32_t>> m_underWay; //!< sent when, and how many
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WAIT_OBSERVER_H */
