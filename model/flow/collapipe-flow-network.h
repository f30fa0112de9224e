/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_NETWORK_H
#define COLLAPIPE_FLOW_NETWORK_H

#include "collapipe-flow-radio.h"

#include "ns3/collapipe-system-state.h"
#include "ns3/event-id.h"
#include "ns3/ipv4-address.h"
#include "ns3/ipv4.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

class FlowSocket;

/// What a link's radios do for acknowledgements, beside what carries its bits; for their energy
struct FlowAcknowledging
{
    double secondsPerBit{0}; //!< on the air for each bit that is acknowledged; no more than it took
    double powerW{0};        //!< with which the receiver sends them
};

/// What a directed link is worth now
struct FlowLinkState
{
    static constexpr std::size_t NO_MEDIUM = std::numeric_limits<std::size_t>::max(); //!< a wire

    LinkState link;                                          //!< gain, latency, constants
    std::size_t medium{NO_MEDIUM};                           //!< shared; else link.fixedRateBps
    double mostBps{std::numeric_limits<double>::infinity()}; //!< of a wire behind the medium
    std::size_t relayMedium{NO_MEDIUM};                      //!< of the second half of the way
    LinkState relay;                                         //!< the second half
    FlowAcknowledging acknowledging;                         //!< by its radios
    double onAir{1}; //!< of the time that payload takes of the medium, with the sender on the air
    bool inReach{true}; //!< whether anything comes through
};

/// What a network of flows is told of a directed link when it is used for the first time
struct FlowLinkConfig
{
    std::function<FlowLinkState()> measure; //!< says what it is worth now; empty: there is none
    std::function<void(double, double)> observe; //!< told SINR (linear) and power (W); or empty
    Ptr<FlowRadio> sender;                       //!< whose radio sends; null: a mast
    Ptr<FlowRadio> receiver;                     //!< whose radio receives; null: a mast
    std::vector<Ptr<NetDevice>> others; //!< that must be up as well: wires, those of who relays
    bool weighed{true}; //!< a scheduler keeps its weight and priority; else it takes turns
    /// Whose reservation it has, where the medium is reserved: transmitter and, unless it is one
    /// for all receivers, receiver. Links with the same use it in turn (see GetReservation()); no
    /// transmitter: it has one of its own
    std::pair<Ptr<FlowRadio>, Ptr<FlowRadio>> holder;
};

/// What an actuator sets of a link
struct FlowSetting
{
    bool isSet{false};   //!< else it has weight 1 and waits for nobody
    double weight{1};    //!< w of (14), or the share where the medium is reserved
    uint8_t priority{0}; //!< of (15)
    double powerW{0};    //!< transmit power; 0: the link's largest
};

/// Who has bits carried
class FlowUser
{
  public:
    virtual ~FlowUser() = default;

    /// All bits of the present transfer have been sent.
    virtual void HandleCarried() = 0;

    /**
     * Some time has passed in which the transfer has progressed.
     * @param bits sent since the last call, or since the transfer's begin
     */
    virtual void HandleProgress(double bits) = 0;

    /// The link is down: nothing of the transfer goes on until it is begun again.
    virtual void HandleDown() = 0;
};

/**
 * @ingroup collapipe
 * Messages as flows over media. At any time, the links that have something to send divide their
 * medium by (14), (15) (DivideMedium()), or by reserved shares; rates follow from (5), (6)
 * (GetRateBps()); the flows of one link have equal parts of its rate. Nothing happens but when a
 * flow begins or ends, and, where nodes move or channels fade, at every RefreshPeriod while there
 * are flows.
 *
 * As the planner's FluidModel has it: acknowledgements and the second half of a way through a base
 * station take their part of their medium before it is divided, at the rates that links would have
 * without them, and leave at least a twentieth of it; where a medium is reserved, they do not
 * count. What a message takes beside its payload (LinkState::overheadBits) is for who sends it.
 *
 * Links are made when they are first used, by the provider.
 */
class FlowNetwork : public Object
{
  public:
    struct Flow; //!< a direction of a connection, a name for users

    /// Makes links by transmitter and receiver
    using Provider = std::function<FlowLinkConfig(Ptr<Node>, Ptr<Node>)>;

    /// Where a socket listens: node and port
    using Place = std::pair<uint32_t, uint16_t>;

    /// @return the TypeId
    static TypeId GetTypeId();
    FlowNetwork();
    ~FlowNetwork() override;

    /// @param provider makes links
    void SetProvider(Provider provider);

    /**
     * @param pool how it is shared
     * @param stations radios that hear all that is sent in it, and consume what receiving takes
     * @return its number
     */
    std::size_t AddMedium(const PoolState& pool, const std::vector<Ptr<FlowRadio>>& stations = {});

    /// @param changing whether gains change all the time, by movement or fading
    void SetChanging(bool changing);

    /// Gains have changed once, now: links are measured again.
    void Remeasure();

    /**
     * @param from transmitter
     * @param to receiver
     * @param setting from now on
     */
    void Set(Ptr<Node> from, Ptr<Node> to, const FlowSetting& setting);

    /**
     * @param from transmitter
     * @param to receiver
     * @return the setting now
     */
    FlowSetting Get(Ptr<Node> from, Ptr<Node> to);

    /**
     * @param from transmitter
     * @param to receiver
     * @return whether a scheduler keeps the link's weight and priority
     */
    bool IsWeighed(Ptr<Node> from, Ptr<Node> to);

    /// Transmitter and receiver
    using NodePair = std::pair<Ptr<Node>, Ptr<Node>>;

    /**
     * @param one a link
     * @param other a link
     * @return whether both have one reservation, one share and one power
     */
    bool IsPooled(const NodePair& one, const NodePair& other);

    /**
     * @param from transmitter
     * @param to receiver
     * @return power that it would send with; 0 where that is nobody's to decide
     */
    double GetPowerW(Ptr<Node> from, Ptr<Node> to);

    /**
     * @param from transmitter
     * @param to receiver
     * @return whether a link leads there
     */
    bool HasLink(Ptr<Node> from, Ptr<Node> to);

    /**
     * @param from transmitter
     * @param to receiver
     * @return what the link was worth when it was last looked at
     */
    FlowLinkState GetLinkState(Ptr<Node> from, Ptr<Node> to);

    // For sockets

    /**
     * @param from transmitter
     * @param to receiver
     * @param user who has bits carried
     * @return a new flow, to be closed by the user; null where no link leads there
     */
    Flow* Open(Ptr<Node> from, Ptr<Node> to, FlowUser* user);

    /// @param flow that ends
    void Close(Flow* flow);

    /**
     * Begin a transfer, or go on with one that was stopped; one at a time.
     * @param flow of the user
     * @param bits to be carried, all in all
     * @param payloadPart of them that is no overhead, in which nothing is on the air
     */
    void Begin(Flow* flow, double bits, double payloadPart = 1);

    /**
     * Stop a transfer.
     * @param flow of the user
     * @return bits that were not sent
     */
    double Stop(Flow* flow);

    /**
     * @param flow of a user
     * @return whether both ends are up and reach each other
     */
    bool IsUp(const Flow* flow);

    /**
     * @param flow of a user
     * @return d of (2)
     */
    double GetLatencyS(const Flow* flow) const;

    /**
     * @param flow of a user
     * @return bits that a message takes of the medium beside its own
     */
    double GetOverheadBits(const Flow* flow) const;

    /**
     * @param flow of a user that has begun a transfer
     * @return its rate in bit/s, as of now
     */
    double GetRateBps(const Flow* flow);

    /// @return the sockets that listen
    std::map<Place, FlowSocket*>& GetListeners();

    /**
     * @param address of a node
     * @return the node; null where it is nobody's
     */
    Ptr<Node> FindNode(Ipv4Address address) const;

    /**
     * @param node that has joined, with its addresses: they will be found
     */
    void AddNode(Ptr<Node> node);

    /// @return all bits carried so far, overhead included
    double GetCarriedBits() const;

    /**
     * Signature of the Rate trace.
     * @param from transmitter's node id
     * @param to receiver's node id
     * @param share of the medium
     * @param rateBps of the link
     */
    typedef void (*RateTracedCallback)(uint32_t from, uint32_t to, double share, double rateBps);

  protected:
    void DoDispose() override;

  private:
    struct Link;
    struct Medium;

    Link* FindLink(Ptr<Node> from, Ptr<Node> to);
    void Measure(Link& link);
    void Refresh(Link& link);
    void Observe(const Link& link) const;
    void Join(Link& link);
    void Leave(Link& link);
    bool IsUp(const Link& link) const;

    /// @return power that a link sends with
    double GetPowerW(const Link& link) const;

    /// @return rate of a link with a share of its medium
    double GetRateBps(const Link& link, double share) const;

    void Advance(Medium& medium);
    void ScheduleUpdate();
    void Update();
    void Divide(Medium& medium);
    void DivideReserved(Medium& medium);
    void DivideByWeight(Medium& medium);
    void SetLoads(Medium& medium);
    void SetRates(Medium& medium);
    void SetUse(Link& link, double share);
    void Charge(Link& link, double sending, double relayed);
    void ChargeAcknowledging(Link& link, double part);
    void HandleCarried(std::size_t medium);
    void Tick();
    void StartTicking();
    Time GetTick() const;

    Provider m_provider;                                                    //!< makes links
    std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Link>> m_links; //!< by node ids
    std::vector<std::unique_ptr<Medium>> m_media;                           //!< by number
    std::vector<std::unique_ptr<Flow>> m_flows;                             //!< that are open
    std::map<Place, FlowSocket*> m_listeners;                               //!< sockets
    std::map<Ipv4Address, Ptr<Node>> m_nodes;                               //!< by address
    bool m_changing{false};                                                 //!< gains
    uint64_t m_generation{0};                                               //!< of gains
    Time m_refreshPeriod;                                                   //!< attribute
    Time m_progressPeriod;                                                  //!< attribute
    EventId m_update;                                                       //!< rates are to be set
    EventId m_tick;                                                 //!< while there are flows
    std::size_t m_active{0};                                        //!< transfers
    double m_carriedBits{0};                                        //!< so far
    TracedCallback<uint32_t, uint32_t, double, double> m_rateTrace; //!< of a link
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_NETWORK_H */
