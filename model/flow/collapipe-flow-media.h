/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_MEDIA_H
#define COLLAPIPE_FLOW_MEDIA_H

#include "collapipe-flow-network.h"

#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A direction of a connection
struct FlowNetwork::Flow
{
    Link* link{nullptr};     //!< over which it goes
    FlowUser* user{nullptr}; //!< whose it is
    bool isActive{false};    //!< has something to send
    double payloadPart{1};   //!< of the present transfer
    double leftBits{0};      //!< of it
    double reportedBits{0};  //!< of it, when its user was last told
    Time begun;              //!< the transfer, or what the user was last told
};

/// A directed link
struct FlowNetwork::Link
{
    uint32_t from{0};                                       //!< transmitter's node id
    uint32_t to{0};                                         //!< receiver's
    FlowLinkConfig config;                                  //!< how it was made
    FlowLinkState state;                                    //!< what it is worth
    std::size_t wire{FlowLinkState::NO_MEDIUM};             //!< its own medium, where it is a wire
    FlowSetting setting;                                    //!< weight, priority, power
    std::vector<std::pair<Ptr<Ipv4>, uint32_t>> interfaces; //!< that must be up
    std::vector<Flow*> active;                              //!< flows that have something to send
    double nominal{0};                                      //!< share without acknowledgements
    double turn{1};                                         //!< part of the time that it has that
    double share{0};                                        //!< of the medium now
    double rateBps{0};                                      //!< of all its flows now
    double sending{0};                                      //!< what its radios are charged with
    double radiatedW{0};                                    //!< likewise
    double receiving{0};                                    //!< likewise
    double acknowledging{0};                                //!< likewise
    uint64_t generation{0};                                 //!< of gains, when it was measured
    Time measured;                                          //!< when

    /// @return its medium
    std::size_t GetMedium() const
    {
        return wire != FlowLinkState::NO_MEDIUM ? wire : state.medium;
    }
};

/// What links share
struct FlowNetwork::Medium
{
    std::size_t number{0};                //!< its own
    PoolState pool;                       //!< how
    std::vector<Ptr<FlowRadio>> stations; //!< that hear all of it
    std::vector<Link*> links;             //!< all that have been used
    std::vector<Link*> active;            //!< those that have something to send
    std::map<std::size_t, double> loads;  //!< part taken before it is divided, by causing medium
    bool dirty{false};                    //!< the links that send have changed
    bool stale{false};                    //!< the loads have changed
    Time since;                           //!< the flows' bits are of this time
    EventId next;                         //!< a transfer ends
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_MEDIA_H */
