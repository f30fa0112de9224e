/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_ACTUATOR_H
#define COLLAPIPE_LTE_ACTUATOR_H

#include "collapipe-lte-scheduler.h"
#include "collapipe-radio-actuator.h"

#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-ue-net-device.h"

#include <array>
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
 * Sets shares, priorities and powers in LTE cells. A share is a UE's weight in the base station's
 * WeightedFfMacScheduler, hence a share of the resource blocks, and a priority one there; a power
 * is the UE's transmit power. With another scheduler shares and priorities cannot be set, with
 * closed-loop power control powers cannot; both then read as 0. The base station's power is fixed.
 *
 * A node's uplink is one radio with one share and one power, which its links use in turn, see
 * GetReservation(). Where links between nodes go through the network (attribute D2d), several links
 * of a node may be named in one phase: its uplink gets the largest of their shares, powers and
 * priorities, and its downlink the largest share, and the highest priority, of the links that end
 * at it. All these links then read that share back.
 *
 * A UE that connects to another cell takes its settings along.
 */
class LteActuator : public RadioActuator
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param device of a base station whose UEs are acted on
    void AddBaseStation(Ptr<LteEnbNetDevice> device);

    /**
     * @param cluster index
     * @param node within it; nodes are added in any order, each once
     * @param device its radio; the power it has now is its default
     */
    void AddNode(uint32_t cluster, NodeIndex node, Ptr<LteUeNetDevice> device);

    void ApplyLinks(uint32_t cluster,
                    const std::vector<LinkPlan>& links,
                    const std::string& reason) override;
    std::optional<LinkSetting> Read(uint32_t cluster, NodeIndex from, NodeIndex to) const override;

  protected:
    void DoDispose() override;

  private:
    /// Transmitter and receiver
    using Link = std::pair<NodeIndex, NodeIndex>;

    /// A node's radio, and what was asked of it
    struct Radio
    {
        Ptr<LteUeNetDevice> device;        //!< its radio
        double defaultPowerDbm{0};         //!< without a plan
        std::array<double, 2> share{};     //!< largest of its links, by direction; 0: none
        std::array<uint8_t, 2> priority{}; //!< highest of its links, by direction
        double powerW{0};                  //!< highest of its links; 0: default
    };

    /// A cluster's radios and the plan that holds
    struct Cluster
    {
        std::map<NodeIndex, Radio> radios;
        std::map<Link, LinkPlan> plan;
    };

    bool Carries(const Cluster& cluster, const Link& link) const;
    void JoinLinks(Cluster& cluster) const;
    void SetRadio(const Radio& radio);
    void Reconnect(uint32_t cluster, NodeIndex node, uint64_t imsi, uint16_t cell, uint16_t rnti);
    Ptr<WeightedFfMacScheduler> GetScheduler(const Radio& radio) const;
    LinkSetting ReadRadio(const Radio& radio, LteDirection direction) const;

    bool m_d2d{false};                                            //!< attribute
    std::map<uint16_t, Ptr<WeightedFfMacScheduler>> m_schedulers; //!< by cell; ours only
    std::map<uint32_t, Cluster> m_clusters;                       //!< by index
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_ACTUATOR_H */
