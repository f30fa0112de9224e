/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_CELL_H
#define COLLAPIPE_WIFI_CELL_H

#include "collapipe-backlogged-flow.h"
#include "collapipe-datagram-flow.h"

#include "ns3/ampdu-subframe-header.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-topology.h"
#include "ns3/collapipe-wifi-actuator.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-ppdu.h"
#include "ns3/wifi-psdu.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/**
 * The Wi-Fi channel of one cluster, built as a topology builds it, with backlogged flows and
 * counters. Frames are counted where the PHYs send and receive them.
 */
class WifiCell
{
  public:
    /// Transmitter and receiver; 0 is the control unit
    using Link = std::pair<uint32_t, uint32_t>;

    /// What is counted for a link from the last call of ResetCounters on
    struct Counters
    {
        double airtimeS{0};   //!< of data frames
        uint32_t frames{0};   //!< data frames sent
        double leastW{1e9};   //!< least power of any
        double mostW{0};      //!< highest power of any
        double widestMhz{0};  //!< largest width of any
        double rateSum{0};    //!< of the PHY in bit/s, over the frames
        uint32_t received{0}; //!< MPDUs
        double snrDbSum{0};   //!< over these
        uint64_t bytes{0};    //!< that its flow delivered
    };

    /// @return a configuration of so many nodes, devices at equal distance from the control unit
    static TopologyConfig MakeConfig(uint32_t nodes, uint16_t widthMhz)
    {
        TopologyConfig config;
        config.clusters = 1;
        config.devicesPerCluster = nodes - 1;
        config.clusterRadiusM = 5;
        config.wifiPathLoss.shadowing = false;
        config.wifiChannelWidthMhz = widthMhz;
        return config;
    }

    /**
     * @param config what to build
     * @param topology wifi or hybrid
     */
    explicit WifiCell(const TopologyConfig& config, const std::string& topology = "wifi")
        : m_topology(TopologyHelper::Create(topology)),
          m_network(m_topology->Build(config)),
          m_actuator(m_topology->CreateActuator())
    {
        for (uint32_t node = 0; node < GetN(); ++node)
        {
            m_nodes[Mac48Address::ConvertFrom(GetDevice(node)->GetAddress())] = node;
        }
        for (uint32_t node = 0; node < GetN(); ++node)
        {
            const auto phy = GetDevice(node)->GetPhy();
            phy->TraceConnectWithoutContext("PhyTxPsduBegin",
                                            MakeCallback(&WifiCell::CountSent, this).Bind(node));
            phy->TraceConnectWithoutContext(
                "MonitorSnifferRx",
                MakeCallback(&WifiCell::CountReceived, this).Bind(node));
        }
    }

    ~WifiCell()
    {
        m_flows.clear();
        m_datagrams.clear();
        Simulator::Destroy();
    }

    WifiCell(const WifiCell&) = delete;
    WifiCell& operator=(const WifiCell&) = delete;

    /// @return what the topology expects of the links
    SystemState GetExpectations() const
    {
        SystemState state;
        m_topology->FillLinks(state);
        return state;
    }

    /// A backlogged flow over a link
    void AddFlow(const Link& link)
    {
        m_flows[link] =
            std::make_unique<BackloggedFlow>(GetNode(link.first),
                                             GetNode(link.second),
                                             m_network.clusters[0].addresses[link.second],
                                             FIRST_PORT + m_flows.size(),
                                             m_network.readyAt);
    }

    /// Datagrams that wait for a link at all times; its transmitter has an AirtimeQueueDisc
    void AddDatagrams(const Link& link)
    {
        const auto device = GetDevice(link.first);
        m_datagrams[link] = std::make_unique<DatagramFlow>(
            GetNode(link.first),
            GetNode(link.second),
            GetNode(link.first)->GetObject<TrafficControlLayer>()->GetRootQueueDiscOnDevice(device),
            GetDevice(link.second),
            m_network.clusters[0].addresses[link.second],
            FIRST_PORT + m_datagrams.size(),
            m_network.readyAt);
    }

    /// Simulates for some time; the first call until traffic may start, first
    void Run(Time duration)
    {
        const Time until = std::max(Simulator::Now(), m_network.readyAt) + duration;
        Simulator::Stop(until - Simulator::Now());
        Simulator::Run();
    }

    /// Counts from zero from now on
    void ResetCounters()
    {
        m_counters.clear();
        for (auto& [link, flow] : m_flows)
        {
            m_before[link] = flow->GetBytes();
        }
        for (auto& [link, flow] : m_datagrams)
        {
            m_before[link] = flow->GetBytes();
        }
    }

    /// @return what was counted
    Counters GetCounters(const Link& link) const
    {
        const auto it = m_counters.find(link);
        Counters counters = it == m_counters.end() ? Counters() : it->second;
        const auto before = m_before.find(link);
        counters.bytes = GetBytes(link) - (before == m_before.end() ? 0 : before->second);
        return counters;
    }

    /// Sets shares and powers of links; those not named have their defaults
    void Apply(const std::vector<LinkPlan>& links)
    {
        m_actuator->ApplyLinks(0, links, "test");
    }

    /// @return number of nodes
    uint32_t GetN() const
    {
        return m_network.clusters[0].GetN();
    }

    /// @return a node
    Ptr<Node> GetNode(uint32_t node) const
    {
        return m_network.clusters[0].GetNode(node);
    }

    /// @return a node's radio
    Ptr<WifiNetDevice> GetDevice(uint32_t node) const
    {
        return FindDevice<WifiNetDevice>(GetNode(node));
    }

    /// @return the topology's actuator
    Ptr<RadioActuator> GetActuator() const
    {
        return m_actuator;
    }

    /// @return media and links, as the topology expects them
    SystemState GetState() const
    {
        SystemState state;
        state.clusters.resize(1);
        state.clusters[0].devices.resize(GetN() - 1);
        m_topology->FillLinks(state);
        return state;
    }

    /// @return what was built
    const Network& GetNetwork() const
    {
        return m_network;
    }

  private:
    static constexpr uint16_t FIRST_PORT = 5000;

    uint64_t GetBytes(const Link& link) const
    {
        const auto flow = m_flows.find(link);
        const auto datagrams = m_datagrams.find(link);
        return (flow == m_flows.end() ? 0 : flow->second->GetBytes()) +
               (datagrams == m_datagrams.end() ? 0 : datagrams->second->GetBytes());
    }

    void CountSent(uint32_t node, WifiConstPsduMap psdus, WifiTxVector txVector, double powerW)
    {
        const Ptr<const WifiPsdu> psdu = psdus.begin()->second;
        const auto to = m_nodes.find(psdu->GetAddr1());
        if (to == m_nodes.end() || !psdu->GetHeader(0).IsQosData())
        {
            return;
        }
        Counters& counters = m_counters[{node, to->second}];
        ++counters.frames;
        counters.airtimeS +=
            WifiPhy::CalculateTxDuration(psdu, txVector, WIFI_PHY_BAND_5GHZ).GetSeconds();
        counters.leastW = std::min(counters.leastW, powerW);
        counters.mostW = std::max(counters.mostW, powerW);
        counters.widestMhz = std::max<double>(counters.widestMhz, txVector.GetChannelWidth());
        counters.rateSum += txVector.GetMode().GetDataRate(txVector);
    }

    void CountReceived(uint32_t node,
                       Ptr<const Packet> packet,
                       uint16_t /* frequencyMhz */,
                       WifiTxVector /* txVector */,
                       MpduInfo info,
                       SignalNoiseDbm power,
                       uint16_t /* staId */)
    {
        const Ptr<Packet> mpdu = packet->Copy();
        if (info.type != NORMAL_MPDU)
        {
            AmpduSubframeHeader subframe;
            mpdu->RemoveHeader(subframe);
        }
        WifiMacHeader header;
        mpdu->PeekHeader(header);
        const auto from = m_nodes.find(header.GetAddr2());
        const auto to = m_nodes.find(header.GetAddr1());
        if (header.IsQosData() && from != m_nodes.end() && to != m_nodes.end() &&
            to->second == node)
        {
            Counters& counters = m_counters[{from->second, node}];
            ++counters.received;
            counters.snrDbSum += power.signal - power.noise;
        }
    }

    std::unique_ptr<TopologyHelper> m_topology;
    Network m_network;
    Ptr<RadioActuator> m_actuator;
    std::map<Mac48Address, uint32_t> m_nodes;
    std::map<Link, Counters> m_counters;
    std::map<Link, uint64_t> m_before; //!< bytes at the last reset
    std::map<Link, std::unique_ptr<BackloggedFlow>> m_flows;
    std::map<Link, std::unique_ptr<DatagramFlow>> m_datagrams;
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_CELL_H */
