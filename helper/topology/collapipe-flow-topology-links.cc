/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What FlowTopologyHelper tells its FlowNetwork of links

#include "collapipe-flow-topology.h"
#include "collapipe-radio-powers.h"
#include "collapipe-wifi-link.h"
#include "collapipe-wired-link.h"

#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-flow-socket.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/point-to-point-net-device.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * The constants of Wi-Fi links are fitted to what TCP gets through in a transfer of 4 MB over a new
 * connection. Its slow start is in them; flows have their own.
 * @param link with such constants; gets those of a connection that has been in use
 * @param pool its medium
 * @param roundTripS of the transfer
 */
void
TakeOutStart(LinkState& link, const PoolState& pool, double roundTripS)
{
    constexpr double FIT_BITS = 8 * 4e6;
    constexpr double FIT_WINDOW_BITS = 8 * 10 * 1400; // RFC 6928
    constexpr int STEPS = 8;                          // a fixed point: 1e-4 after four
    const double fittedBps = GetRateBps(link, pool, 1, link.maxPowerW);
    double rateBps = fittedBps;
    for (int i = 0; i < STEPS; ++i)
    {
        double windowBits = FIT_WINDOW_BITS;
        const double startS = GetSlowStartS(FIT_BITS, rateBps, roundTripS, windowBits);
        rateBps = FIT_BITS / std::max(FIT_BITS / fittedBps / 2, FIT_BITS / fittedBps - startS);
    }
    link.efficiency *= fittedBps > 0 ? rateBps / fittedBps : 1;
}

/// @return what a short message takes over a Wi-Fi link
double
GetHopS(const LinkState& link, const PoolState& pool)
{
    return link.latencyS + GetMessageOverheadBits(link, pool, link.maxPowerW) /
                               GetRateBps(link, pool, 1, link.maxPowerW);
}

} // namespace

// ---------------------------------------------------------------- links

FlowLinkConfig
FlowTopologyHelper::MakeLink(Ptr<Node> from, Ptr<Node> to)
{
    const auto sender = m_roles.find(from->GetId());
    const auto receiver = m_roles.find(to->GetId());
    if (sender == m_roles.end() || receiver == m_roles.end() || from == to)
    {
        return {};
    }
    const Role& a = sender->second;
    const Role& b = receiver->second;
    if (a.index == EDGE_SERVER && b.index == EDGE_SERVER)
    {
        return a.isLead || b.isLead ? MakeLeadLink(from, to) : FlowLinkConfig();
    }
    if (a.isLead || b.isLead)
    {
        return {};
    }
    if (b.index == EDGE_SERVER)
    {
        return m_hasLte ? MakeUplink(a.cluster, a.index)
                        : MakeBackhaulLink(a.cluster, a.index, true);
    }
    if (a.index == EDGE_SERVER)
    {
        return m_hasLte ? MakeDownlink(b.cluster, b.index)
                        : MakeBackhaulLink(b.cluster, b.index, false);
    }
    if (a.cluster != b.cluster)
    {
        return {};
    }
    return m_hasWifi ? MakeWifiLink(a.cluster, a.index, b.index)
                     : MakeRelayedLink(a.cluster, a.index, b.index);
}

FlowLinkConfig
FlowTopologyHelper::MakeWire(double rateBps, Time delay) const
{
    FlowLinkState state;
    state.link.fixedRateBps = rateBps * GetPayloadShare(PPP_HEADER_BYTES);
    state.link.latencyS = delay.GetSeconds();
    FlowLinkConfig config;
    config.measure = [state] { return state; };
    return config;
}

FlowLinkConfig
FlowTopologyHelper::MakeLeadLink(Ptr<Node> from, Ptr<Node> to)
{
    FlowLinkConfig config = MakeWire(m_config.backhaulRate.GetBitRate(), m_config.backhaulDelay);
    const Ptr<Node> edge = m_roles.at(from->GetId()).isLead ? to : from;
    const Ptr<NetDevice> device = FindDevice<PointToPointNetDevice>(edge);
    config.others = {device};
    const auto channel = device->GetChannel();
    for (std::size_t i = 0; i < channel->GetNDevices(); ++i)
    {
        config.others.push_back(channel->GetDevice(i));
    }
    return config;
}

FlowLinkConfig
FlowTopologyHelper::MakeWifiLink(uint32_t cluster, uint32_t from, uint32_t to)
{
    const Ptr<Node> sender = m_network.clusters[cluster].GetNode(from);
    const Ptr<Node> receiver = m_network.clusters[cluster].GetNode(to);
    const WifiChannel* channel = &m_wifi[cluster];
    FlowLinkConfig config;
    config.sender = FindFlowRadio(sender, FlowRadioKind::WIFI);
    config.receiver = FindFlowRadio(receiver, FlowRadioKind::WIFI);
    config.holder = {config.sender, config.receiver};
    config.measure =
        [channel, sender, receiver, segment = m_config.segmentBytes, medium = m_channels[cluster]] {
            FlowLinkState state;
            state.link = channel->MakeLink(sender, receiver, channel->GetFading(sender, receiver));
            const PoolState pool = channel->GetPool();
            state.onAir = GetWifiOnAirPart(state.link, pool, segment);
            TakeOutStart(state.link, pool, 2 * GetHopS(state.link, pool));
            state.medium = medium;
            state.inReach = channel->IsInReach(sender, receiver);
            return state;
        };
    config.observe = MakeObserver(cluster, from, to);
    return config;
}

FlowLinkConfig
FlowTopologyHelper::MakeBackhaulLink(uint32_t cluster, uint32_t node, bool isUp)
{
    const ClusterNetwork& net = m_network.clusters[cluster];
    const double rateBps = m_config.backhaulRate.GetBitRate();
    FlowLinkConfig config = MakeWire(rateBps, m_config.backhaulDelay);
    if (node != CONTROL_UNIT)
    {
        const double wireBps = config.measure().link.fixedRateBps;
        config = isUp ? MakeWifiLink(cluster, node, CONTROL_UNIT)
                      : MakeWifiLink(cluster, CONTROL_UNIT, node);
        // A reservation is one of the hop, whatever passes it
        config.weighed = m_config.sharing == Sharing::RESERVED;
        config.measure = [hop = config.measure, wireBps, delay = m_config.backhaulDelay] {
            FlowLinkState state = hop();
            state.mostBps = wireBps;
            state.link.latencyS += delay.GetSeconds();
            return state;
        };
    }
    config.others = {m_nodeWires.at(net.controlUnit->GetId()),
                     m_edgeWires.at(m_network.cells[net.cell].edgeServer->GetId())};
    return config;
}

FlowAcknowledging
FlowTopologyHelper::GetAcknowledging() const
{
    return {GetLteAcknowledgingS(m_config.segmentBytes), DbmToW(m_config.lteUePowerDbm)};
}

FlowLinkConfig
FlowTopologyHelper::MakeUplink(uint32_t cluster, uint32_t node)
{
    const ClusterNetwork& net = m_network.clusters[cluster];
    const Ptr<Node> ue = net.GetNode(node);
    FlowLinkConfig config;
    config.sender = FindFlowRadio(ue, FlowRadioKind::LTE);
    config.holder.first = config.sender;
    config.others = {m_edgeWires.at(m_network.cells[net.cell].edgeServer->GetId())};
    config.measure = [this, ue] {
        UpdateCell(ue);
        FlowLinkState state;
        state.link = m_lte.MakeUplink(ue, m_lte.GetFading(LteDirection::UPLINK, ue));
        state.acknowledging = GetAcknowledging();
        state.medium = m_uplinks[m_lte.GetCell(ue)];
        state.inReach = m_lte.IsInReach(ue);
        return state;
    };
    config.observe = MakeObserver(cluster, node, EDGE_SERVER);
    return config;
}

FlowLinkConfig
FlowTopologyHelper::MakeDownlink(uint32_t cluster, uint32_t node)
{
    const ClusterNetwork& net = m_network.clusters[cluster];
    const Ptr<Node> ue = net.GetNode(node);
    FlowLinkConfig config;
    config.receiver = FindFlowRadio(ue, FlowRadioKind::LTE);
    config.others = {m_edgeWires.at(m_network.cells[net.cell].edgeServer->GetId())};
    config.measure = [this, ue] {
        UpdateCell(ue);
        FlowLinkState state;
        state.link = m_lte.MakeDownlink(ue, m_lte.GetFading(LteDirection::DOWNLINK, ue));
        state.acknowledging = GetAcknowledging();
        state.medium = m_downlinks[m_lte.GetCell(ue)];
        state.inReach = m_lte.IsInReach(ue);
        return state;
    };
    config.observe = MakeObserver(cluster, EDGE_SERVER, node);
    return config;
}

FlowLinkConfig
FlowTopologyHelper::MakeRelayedLink(uint32_t cluster, uint32_t from, uint32_t to)
{
    const Ptr<Node> sender = m_network.clusters[cluster].GetNode(from);
    const Ptr<Node> receiver = m_network.clusters[cluster].GetNode(to);
    FlowLinkConfig config;
    config.sender = FindFlowRadio(sender, FlowRadioKind::LTE);
    config.holder.first = config.sender;
    config.receiver = FindFlowRadio(receiver, FlowRadioKind::LTE);
    config.measure = [this, sender, receiver] {
        UpdateCell(sender);
        UpdateCell(receiver);
        FlowLinkState state;
        state.link = m_lte.MakeRelayed(sender, m_lte.GetFading(LteDirection::UPLINK, sender));
        state.acknowledging = GetAcknowledging();
        state.medium = m_uplinks[m_lte.GetCell(sender)];
        state.relay =
            m_lte.MakeDownlink(receiver, m_lte.GetFading(LteDirection::DOWNLINK, receiver));
        state.relayMedium = m_downlinks[m_lte.GetCell(receiver)];
        state.inReach = m_lte.IsInReach(sender) && m_lte.IsInReach(receiver);
        return state;
    };
    config.observe = MakeObserver(cluster, from, EDGE_SERVER);
    return config;
}

} // namespace collapipe
} // namespace ns3
