/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_RADIO_H
#define COLLAPIPE_FLOW_RADIO_H

#include "ns3/error-model.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/queue.h"
#include "ns3/simple-channel.h"
#include "ns3/simple-net-device.h"

#include <cstdint>
#include <functional>

namespace ns3
{
namespace collapipe
{

/// What kind of interface a FlowRadio stands for
enum class FlowRadioKind : uint8_t
{
    WIRE, //!< no radio
    WIFI, //!< 802.11ax
    LTE,  //!< of a UE
};

/// How a radio is used at a moment; sums over the links that it serves
struct FlowUse
{
    double sending{0};   //!< part of the time that it is on the air, 0..1
    double radiatedW{0}; //!< mean radiated power: that of each link by its part of the time
    double receiving{0}; //!< part of the time that it receives, 0..1
};

/**
 * @ingroup collapipe
 * A node's interface in a network of flows: it has an address, can be taken down, and knows how its
 * radio is used. No packet goes through it; frames that it is given go nowhere.
 */
class FlowRadio : public SimpleNetDevice
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param kind of interface
    void SetKind(FlowRadioKind kind);

    /// @return the kind of interface
    FlowRadioKind GetKind() const;

    /**
     * The use changes, now.
     * @param sending what is added to FlowUse::sending
     * @param radiatedW what is added to FlowUse::radiatedW
     * @param receiving what is added to FlowUse::receiving
     */
    void Change(double sending, double radiatedW, double receiving);

    /// @return how it is used now
    const FlowUse& GetUse() const;

    /// @param callback called before the use changes
    void SetChangeCallback(std::function<void()> callback);

    bool Send(Ptr<Packet> packet, const Address& dest, uint16_t protocolNumber) override;

  protected:
    void DoDispose() override;

  private:
    FlowRadioKind m_kind{FlowRadioKind::WIRE}; //!< what it stands for
    FlowUse m_use;                             //!< now
    std::function<void()> m_change;            //!< who accounts for it
};

/**
 * @param node a node
 * @param kind of interface
 * @return its first interface of that kind; null where it has none
 */
Ptr<FlowRadio> FindFlowRadio(Ptr<Node> node, FlowRadioKind kind);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_RADIO_H */
