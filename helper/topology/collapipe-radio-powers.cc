/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-powers.h"

#include "collapipe-wifi-link.h"

#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-flow-radio.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-node-energy.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/wifi-net-device.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Of its time in the medium a sender is on the air for this part at least: efficiencies are finite
constexpr double LEAST_PART = 0.01;

/// Sets the constants of one link after the other
class PowerSetter
{
  public:
    PowerSetter(const std::vector<ClusterNetwork>& clusters,
                uint32_t segmentBytes,
                SystemState& state)
        : m_clusters(clusters),
          m_segmentBytes(segmentBytes),
          m_state(state)
    {
    }

    void Run()
    {
        for (std::size_t m = 0; m < m_state.clusters.size(); ++m)
        {
            auto& cluster = m_state.clusters[m];
            for (NodeIndex a = 0; a <= cluster.devices.size(); ++a)
            {
                auto& node = a == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[a - 1];
                Set(m, a, EDGE_SERVER, node.uplink);
                Set(m, EDGE_SERVER, a, node.downlink);
                for (NodeIndex b = 0; b <= cluster.devices.size(); ++b)
                {
                    if (a != b)
                    {
                        Set(m, a, b, cluster.d2dLinks[a][b]);
                    }
                }
            }
        }
    }

  private:
    void Set(std::size_t m, NodeIndex from, NodeIndex to, LinkState& link) const
    {
        const PoolState& pool = GetPoolState(m_state, m, GetMedium(link, GetPool(from, to)));
        if (pool.mode == SharingMode::DEDICATED)
        {
            return;
        }
        const auto node = m_clusters[m].GetNode(from == EDGE_SERVER ? to : from);
        const bool isD2d = GetMedium(link, GetPool(from, to)) == Pool::D2D;
        const bool hasLte =
            FindDevice<LteUeNetDevice>(node) || FindFlowRadio(node, FlowRadioKind::LTE);
        const bool hasWifi =
            FindDevice<WifiNetDevice>(node) || FindFlowRadio(node, FlowRadioKind::WIFI);
        if (hasLte && !(isD2d && hasWifi))
        {
            SetPower(link, m_lte);
            SetReceived(m, to, link);
        }
        else if (hasWifi)
        {
            FlowRadioPower power = m_wifi;
            power.sendingPart = power.receivingPart =
                std::max(GetWifiOnAirPart(link, pool, m_segmentBytes), LEAST_PART);
            SetPower(link, power);
        }
    }

    /// What a UE receives it acknowledges; and where the cell relays it, it has the downlink's rate
    void SetReceived(std::size_t m, NodeIndex to, LinkState& link) const
    {
        if (to == EDGE_SERVER)
        {
            return;
        }
        const LinkState& down = GetNode(m_state.clusters[m], to).downlink;
        const double secondsPerBit = 1 / GetRateBps(down, m_state.downlink, 1, down.maxPowerW);
        const double sendingS = std::min(GetLteAcknowledgingS(m_segmentBytes), secondsPerBit);
        const double radiatedW = GetNode(m_state.clusters[m], to).uplink.maxPowerW;
        link.receiveJPerBit =
            sendingS * m_lte.sendingPart * (m_lte.circuitW + radiatedW / m_lte.paEfficiency);
        if (link.relay == Relay::BASE_STATION)
        {
            link.receiveJPerBit += link.receivePowerW * secondsPerBit;
            link.receivePowerW = 0;
        }
    }

    static void SetPower(LinkState& link, const FlowRadioPower& power)
    {
        link.circuitPowerW = power.circuitW * power.sendingPart;
        link.amplifierEfficiency = power.paEfficiency / power.sendingPart;
        link.receivePowerW = power.receiveW * power.receivingPart;
    }

    const std::vector<ClusterNetwork>& m_clusters; //!< the nodes
    uint32_t m_segmentBytes;                       //!< payload of a packet
    SystemState& m_state;                          //!< whose links are set
    FlowRadioPower m_wifi{GetWifiPower()};         //!< of a node's Wi-Fi radio
    FlowRadioPower m_lte{GetLtePower()};           //!< of its LTE radio
};

} // namespace

double
GetLteAcknowledgingS(uint32_t segmentBytes)
{
    constexpr double SUBFRAME_S = 1e-3;
    constexpr double SEGMENTS = 2;
    return SUBFRAME_S / (SEGMENTS * 8 * segmentBytes);
}

void
SetRadioPowers(const std::vector<ClusterNetwork>& clusters,
               uint32_t segmentBytes,
               SystemState& state)
{
    PowerSetter(clusters, segmentBytes, state).Run();
}

} // namespace collapipe
} // namespace ns3
