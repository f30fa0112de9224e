/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_ACTUATOR_H
#define COLLAPIPE_WIFI_ACTUATOR_H

#include "collapipe-airtime-queue-disc.h"
#include "collapipe-power-control-wifi-manager.h"
#include "collapipe-radio-actuator.h"

#include "ns3/wifi-net-device.h"

#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Sets shares, priorities and powers of Wi-Fi links between the nodes of a cluster. A share is one
 * of the airtime of the cluster's channel, which the AirtimeQueueDisc of the transmitter keeps to,
 * as it does to the order that priorities say; a power is that of the data frames to one receiver,
 * which the PowerControlWifiManager puts into their TXVECTORs.
 *
 * A device with another queue disc has no shares and priorities: they read as 0. One with another
 * station manager has a single power for all receivers: the highest that the phase asks of it.
 *
 * Where the nodes reach the edge server through the control unit (attribute Gateway), a node's link
 * to or from the edge server is its Wi-Fi link to or from the control unit as far as power goes.
 * Where the channel's shares are reserved, both have one share, the larger of the plan's (see
 * GetReservation()); where it is work-conserving, what is relayed has neither share nor priority,
 * since its rate is not decided on this channel alone.
 */
class WifiActuator : public RadioActuator
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param cluster index
     * @param node within it; nodes are added in any order, each once
     * @param device its radio; the power it has now is its default
     */
    void AddNode(uint32_t cluster, NodeIndex node, Ptr<WifiNetDevice> device);

    void ApplyLinks(uint32_t cluster,
                    const std::vector<LinkPlan>& links,
                    const std::string& reason) override;
    std::optional<LinkSetting> Read(uint32_t cluster, NodeIndex from, NodeIndex to) const override;

    /**
     * Sets the largest channel width of data frames on a link. The channel itself stays as it is.
     * @param cluster index
     * @param from transmitter, with a PowerControlWifiManager
     * @param to receiver
     * @param widthMhz in MHz; 0: that of the channel
     */
    void SetMaxWidth(uint32_t cluster, NodeIndex from, NodeIndex to, uint16_t widthMhz);

    /**
     * @param cluster index
     * @param from transmitter
     * @param to receiver
     * @return what SetMaxWidth set, as the transmitter has it; 0: that of the channel
     */
    uint16_t GetMaxWidth(uint32_t cluster, NodeIndex from, NodeIndex to) const;

  protected:
    void DoDispose() override;

  private:
    /// Transmitter and receiver
    using Link = std::pair<NodeIndex, NodeIndex>;

    /// A node's radio
    struct Radio
    {
        Ptr<WifiNetDevice> device;            //!< its radio
        Mac48Address address;                 //!< by which others reach it
        Ptr<AirtimeQueueDisc> disc;           //!< null: no shares
        Ptr<PowerControlWifiManager> manager; //!< null: one power for all receivers
        double defaultPowerDbm{0};            //!< without a plan
    };

    /// A cluster's radios and what was asked of their links
    struct Cluster
    {
        std::map<NodeIndex, Radio> radios;  //!< by node
        std::map<Link, LinkSetting> wanted; //!< those named in this phase
    };

    /// @return whether a link of the plan decides the share of the Wi-Fi link that it goes over
    static bool Decides(const Cluster& cluster, const Link& link, NodeIndex from, NodeIndex to);
    std::optional<Link> Resolve(const Cluster& cluster, NodeIndex from, NodeIndex to) const;
    std::map<Link, LinkSetting> Combine(const Cluster& cluster,
                                        const std::vector<LinkPlan>& links) const;
    void SetLink(Cluster& cluster, const Link& link, const LinkSetting& setting);
    LinkSetting ReadLink(const Cluster& cluster, const Link& link) const;
    const Radio& GetRadio(uint32_t cluster, NodeIndex node) const;

    bool m_gateway{false};                  //!< attribute
    std::map<uint32_t, Cluster> m_clusters; //!< by index
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_ACTUATOR_H */
