/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-topology.h"

#include "collapipe-topology-error.h"
#include "collapipe-wifi-link.h"
#include "collapipe-wired-link.h"

#include "ns3/abort.h"
#include "ns3/channel.h"
#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-flow-actuator.h"
#include "ns3/collapipe-flow-socket.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/log.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeFlowTopology");

namespace
{

// Addresses as the EPC of ns-3 gives them
constexpr const char* UE_NETWORK = "7.0.0.0";
constexpr const char* UE_MASK = "255.0.0.0";
constexpr const char* UE_GATEWAY = "7.0.0.1";
constexpr const char* CORE_GATEWAY = "1.0.0.1";

/// Of the time in which the autocorrelation of fading falls to nothing, between two looks at it
constexpr double PARTS_OF_COHERENCE = 4;

/// @return the static routes of a node
Ptr<Ipv4StaticRouting>
GetRoutes(Ptr<Node> node)
{
    return Ipv4StaticRoutingHelper().GetStaticRouting(node->GetObject<Ipv4>());
}

/// @return index of a device's interface
uint32_t
GetInterface(Ptr<NetDevice> device)
{
    return device->GetNode()->GetObject<Ipv4>()->GetInterfaceForDevice(device);
}

} // namespace

TransportConfig
MakeTransport(Fidelity fidelity)
{
    TransportConfig transport;
    if (fidelity == Fidelity::FLOWS)
    {
        transport.socketFactory = FlowSocketFactory::GetTypeId().GetName();
        transport.endOfMessageFlags = FlowSocket::END_OF_MESSAGE;
    }
    return transport;
}

std::unique_ptr<TopologyHelper>
FlowTopologyHelper::Create(const std::string& name)
{
    const bool hasWifi = name == "wifi" || name == "hybrid";
    const bool hasLte = name == "lte" || name == "hybrid";
    return hasWifi || hasLte ? std::make_unique<FlowTopologyHelper>(hasWifi, hasLte) : nullptr;
}

FlowTopologyHelper::FlowTopologyHelper(bool hasWifi, bool hasLte)
    : m_hasWifi(hasWifi),
      m_hasLte(hasLte),
      m_flows(CreateObject<FlowNetwork>())
{
}

FlowTopologyHelper::~FlowTopologyHelper()
{
    m_flows->Dispose();
}

Ptr<FlowNetwork>
FlowTopologyHelper::GetFlowNetwork() const
{
    return m_flows;
}

// ---------------------------------------------------------------- building

void
FlowTopologyHelper::DoBuild()
{
    NS_LOG_FUNCTION(this);
    if (m_config.backgroundUsers > 0)
    {
        throw TopologyError("other users of a radio send packets, and there are none at the "
                            "fidelity flow; leave out --background or take --fidelity=packets");
    }
    if (m_hasLte)
    {
        BuildLte();
    }
    if (m_hasWifi)
    {
        BuildWifi();
    }
    m_hasLte ? void() : BuildBackhaul();
    const bool fades =
        (m_hasLte && m_config.ltePathLoss.fading) || (m_hasWifi && m_config.wifiPathLoss.fading);
    m_flows->SetChanging(fades || m_config.mobility != "none");
    if (fades)
    {
        // The autocorrelation of Jakes' model is J0(2 pi f t): first zero at 2.405
        const double coherenceS = 2.405 / (2 * M_PI * m_config.fadingDopplerHz);
        m_flows->SetAttribute("RefreshPeriod", TimeValue(Seconds(coherenceS / PARTS_OF_COHERENCE)));
    }
    m_flows->SetProvider([this](Ptr<Node> from, Ptr<Node> to) { return MakeLink(from, to); });
}

Ptr<FlowRadio>
FlowTopologyHelper::AddRadio(Ptr<Node> node, FlowRadioKind kind, Ipv4Address address, Ipv4Mask mask)
{
    auto radio = CreateObject<FlowRadio>();
    radio->SetKind(kind);
    radio->SetAddress(Mac48Address::Allocate());
    node->AddDevice(radio);
    AddInterface(node, radio, address, mask);
    return radio;
}

void
FlowTopologyHelper::BuildLte()
{
    m_lte.Build(m_network, m_config);
    const Ipv4Address first(UE_GATEWAY);
    uint32_t ue = 0;
    for (auto& cluster : m_network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            const Ipv4Address address(first.Get() + ++ue);
            const Ptr<Node> node = cluster.GetNode(i);
            const auto radio = AddRadio(node, FlowRadioKind::LTE, address, Ipv4Mask(UE_MASK));
            GetRoutes(node)->SetDefaultRoute(first, GetInterface(radio));
            cluster.edgeAddresses.push_back(address);
        }
        cluster.addresses = cluster.edgeAddresses;
    }
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        CellNetwork& cell = m_network.cells[c];
        cell.edgeAddress = Ipv4Address(Ipv4Address(CORE_GATEWAY).Get() + 1 + c);
        const auto wire =
            AddRadio(cell.edgeServer, FlowRadioKind::WIRE, cell.edgeAddress, Ipv4Mask::GetOnes());
        m_edgeWires[cell.edgeServer->GetId()] = wire;
        GetRoutes(cell.edgeServer)
            ->AddNetworkRouteTo(Ipv4Address(UE_NETWORK), Ipv4Mask(UE_MASK), GetInterface(wire));
        m_uplinks.push_back(m_flows->AddMedium(m_lte.GetUplinkPool()));
        m_downlinks.push_back(m_flows->AddMedium(m_lte.GetDownlinkPool()));
    }
}

void
FlowTopologyHelper::BuildWifi()
{
    m_wifi.resize(m_network.clusters.size());
    for (uint32_t m = 0; m < m_wifi.size(); ++m)
    {
        ClusterNetwork& cluster = m_network.clusters[m];
        m_wifi[m].Build(cluster, m, m_config);
        cluster.addresses.clear();
        std::vector<Ptr<FlowRadio>> stations;
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            const Ipv4Address address((10U << 24) | ((m + 1) << 16) | (i + 1));
            stations.push_back(AddRadio(cluster.GetNode(i),
                                        FlowRadioKind::WIFI,
                                        address,
                                        Ipv4Mask("255.255.0.0")));
            cluster.addresses.push_back(address);
        }
        m_channels.push_back(m_flows->AddMedium(m_wifi[m].GetPool(), stations));
    }
}

/// Where there is no LTE: wires from the control units to the edge servers
void
FlowTopologyHelper::BuildBackhaul()
{
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        CellNetwork& cell = m_network.cells[c];
        cell.edgeAddress = Ipv4Address(Ipv4Address("10.0.0.1").Get() + c);
        m_edgeWires[cell.edgeServer->GetId()] =
            AddRadio(cell.edgeServer, FlowRadioKind::WIRE, cell.edgeAddress, Ipv4Mask::GetOnes());
    }
    const Ipv4Mask mask("255.255.0.0");
    for (auto& cluster : m_network.clusters)
    {
        cluster.edgeAddresses = cluster.addresses;
        const CellNetwork& cell = m_network.cells[cluster.cell];
        const Ipv4Address gateway = cluster.addresses.front();
        const auto wire =
            AddRadio(cluster.controlUnit, FlowRadioKind::WIRE, gateway, Ipv4Mask::GetOnes());
        m_nodeWires[cluster.controlUnit->GetId()] = wire;
        GetRoutes(cluster.controlUnit)->AddHostRouteTo(cell.edgeAddress, GetInterface(wire));
        GetRoutes(cell.edgeServer)
            ->AddNetworkRouteTo(gateway.CombineMask(mask),
                                mask,
                                GetInterface(m_edgeWires.at(cell.edgeServer->GetId())));
        for (const auto& device : cluster.devices)
        {
            const auto radio = FindFlowRadio(device, FlowRadioKind::WIFI);
            GetRoutes(device)->AddHostRouteTo(cell.edgeAddress, gateway, GetInterface(radio));
        }
    }
}

void
FlowTopologyHelper::DoAttach()
{
    if (m_hasLte)
    {
        m_lte.ChooseCells();
    }
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        m_roles[m_network.cells[c].edgeServer->GetId()] = {c, EDGE_SERVER, false};
    }
    if (m_network.leadServer)
    {
        m_roles[m_network.leadServer->GetId()] = {0, EDGE_SERVER, true};
    }
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const ClusterNetwork& cluster = m_network.clusters[m];
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            const Ptr<Node> node = cluster.GetNode(i);
            m_roles[node->GetId()] = {m, static_cast<NodeIndex>(i), false};
            node->GetObject<MobilityModel>()->TraceConnectWithoutContext(
                "CourseChange",
                MakeCallback(&FlowTopologyHelper::HandleMove, this));
        }
    }
    const NodeContainer nodes = GetNodes();
    for (auto it = nodes.Begin(); it != nodes.End(); ++it)
    {
        auto factory = CreateObject<FlowSocketFactory>();
        factory->SetNetwork(m_flows);
        (*it)->AggregateObject(factory);
        m_flows->AddNode(*it);
    }
}

void
FlowTopologyHelper::HandleMove(Ptr<const MobilityModel> /* mobility */)
{
    m_flows->Remeasure();
}

// ---------------------------------------------------------------- cells

void
FlowTopologyHelper::UpdateCell(Ptr<Node> node)
{
    if (m_network.cells.size() == 1)
    {
        return;
    }
    const uint32_t ue = m_lte.GetIndex(node);
    const uint32_t best = m_lte.FindBestCell(node);
    const double margin = std::pow(10.0, m_config.lteHandoverMarginDb / 10);
    if (m_lte.GetGain(node, best) <= margin * m_lte.GetGain(node, m_lte.GetCell(node)))
    {
        m_better.erase(ue);
        return;
    }
    const auto known = m_better.emplace(ue, std::make_pair(best, Simulator::Now())).first;
    if (known->second.first != best)
    {
        known->second = {best, Simulator::Now()};
    }
    if (Simulator::Now() - known->second.second >= m_config.lteHandoverDelay)
    {
        HandOver(ue, best);
    }
}

void
FlowTopologyHelper::HandOver(uint32_t ue, uint32_t cell)
{
    if (m_lte.GetHome(ue) != cell)
    {
        m_lte.SetHome(ue, cell);
        m_better.erase(ue);
        ++m_handovers;
    }
}

uint32_t
FlowTopologyHelper::GetCell(uint32_t cluster, uint32_t node) const
{
    return m_hasLte ? m_lte.GetCell(m_network.clusters.at(cluster).GetNode(node))
                    : TopologyHelper::GetCell(cluster, node);
}

void
FlowTopologyHelper::ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell)
{
    if (!m_hasLte)
    {
        TopologyHelper::ScheduleHandover(when, cluster, node, cell);
        return;
    }
    const uint32_t ue = m_lte.GetIndex(m_network.clusters.at(cluster).GetNode(node));
    ScheduleCall(when, [this, ue, cell] {
        HandOver(ue, cell);
        m_flows->Remeasure();
    });
}

uint32_t
FlowTopologyHelper::GetHandovers() const
{
    return m_handovers;
}

// ---------------------------------------------------------------- seams

void
FlowTopologyHelper::DoFillLinks(SystemState& state) const
{
    if (m_hasLte)
    {
        m_lte.FillD2e(state);
    }
    for (uint32_t m = 0; m < state.clusters.size(); ++m)
    {
        m_hasWifi ? m_wifi[m].FillD2d(state.clusters[m]) : m_lte.FillD2d(m, state.clusters[m]);
    }
    if (!m_hasLte)
    {
        std::vector<const WifiChannel*> channels;
        for (const auto& channel : m_wifi)
        {
            channels.push_back(&channel);
        }
        FillRelayedLinks(channels,
                         m_config.backhaulRate.GetBitRate() * GetPayloadShare(PPP_HEADER_BYTES),
                         m_config.backhaulDelay,
                         state);
    }
}

Ptr<RadioActuator>
FlowTopologyHelper::CreateActuator() const
{
    auto actuator = CreateObject<FlowActuator>();
    actuator->SetNetwork(m_flows);
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const ClusterNetwork& cluster = m_network.clusters[m];
        std::vector<Ptr<Node>> nodes;
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            nodes.push_back(cluster.GetNode(i));
        }
        actuator->AddCluster(m, nodes, m_network.cells[cluster.cell].edgeServer);
    }
    return actuator;
}

void
FlowTopologyHelper::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const auto add = [&](NodeIndex from, NodeIndex to, double most) {
            const auto& monitor = monitors.at(m).monitor;
            m_meters[{m, from, to}] = {monitor,
                                       monitor->AddMeter({monitors[m].cluster, from, to}, most)};
        };
        const auto nodes = static_cast<NodeIndex>(m_network.clusters[m].GetN());
        for (NodeIndex i = 0; i < nodes; ++i)
        {
            if (m_hasLte)
            {
                add(i, EDGE_SERVER, std::numeric_limits<double>::infinity());
                add(EDGE_SERVER, i, LteChannel::DOWNLINK_MAX_SINR);
            }
            for (NodeIndex j = 0; m_hasWifi && j < nodes; ++j)
            {
                i == j ? void() : add(i, j, std::numeric_limits<double>::infinity());
            }
        }
    }
}

std::function<void(double, double)>
FlowTopologyHelper::MakeObserver(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    return [this, cluster, from, to](double sinr, double powerW) {
        const auto meter = m_meters.find({cluster, from, to});
        if (meter != m_meters.end())
        {
            meter->second.monitor->ObserveSinr(meter->second.number, sinr, powerW);
        }
    };
}

void
FlowTopologyHelper::DoEnablePcap(const std::string& /* prefix */)
{
    NS_ABORT_MSG("Flows are no packets: there is nothing to capture");
}

std::string
FlowTopologyHelper::DoCheckLinks() const
{
    std::string error = m_hasLte ? m_lte.CheckReach() : "";
    for (auto it = m_wifi.begin(); error.empty() && it != m_wifi.end(); ++it)
    {
        error = it->CheckReach();
    }
    return error;
}

int64_t
FlowTopologyHelper::DoAssignChannelStreams(int64_t stream)
{
    const int64_t first = stream;
    stream += m_hasLte ? m_lte.AssignStreams(stream) : 0;
    for (auto& channel : m_wifi)
    {
        stream += channel.AssignStreams(stream);
    }
    return stream - first;
}

int64_t
FlowTopologyHelper::DoAssignStreams(int64_t /* stream */)
{
    return 0;
}

} // namespace collapipe
} // namespace ns3
