/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-adopted-topology.h"

#include "collapipe-route.h"
#include "collapipe-wifi-link.h"
#include "collapipe-wired-link.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/collapipe-airtime-queue-disc.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-wifi-actuator.h"
#include "ns3/csma-channel.h"
#include "ns3/csma-net-device.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/mobility-model.h"
#include "ns3/point-to-point-channel.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/pointer.h"
#include "ns3/propagation-loss-model.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-phy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeAdoptedTopology");

namespace
{

constexpr uint32_t ETHERNET_BYTES = 18; //!< of CsmaNetDevice, with its checksum
constexpr double DEFAULT_NOISE_DB = 7;  //!< ns-3's noise figure of a Wi-Fi receiver
constexpr uint32_t EDGE = EDGE_SERVER;  //!< of a link's end

/// @return a channel's attribute; null where it has none of that name
template <typename T>
Ptr<T>
GetPointer(Ptr<Object> object, const std::string& name)
{
    PointerValue value;
    return object->GetAttributeFailSafe(name, value) ? value.Get<T>() : nullptr;
}

/// @return linear power gain from one Wi-Fi radio to another
double
GetGain(Ptr<WifiNetDevice> from, Ptr<WifiNetDevice> to)
{
    const auto loss = GetPointer<PropagationLossModel>(from->GetChannel(), "PropagationLossModel");
    const auto here = from->GetNode()->GetObject<MobilityModel>();
    const auto there = to->GetNode()->GetObject<MobilityModel>();
    if (!loss || !here || !there)
    {
        return 1;
    }
    return std::pow(10, static_cast<double>(loss->CalcRxPower(0, here, there)) / 10);
}

/// @return a Wi-Fi link of a channel, from the radios as they are
LinkState
MakeLoneWifiLink(Ptr<WifiNetDevice> from,
                 Ptr<WifiNetDevice> to,
                 double powerDbm,
                 const PoolState& channel)
{
    DoubleValue noise(DEFAULT_NOISE_DB);
    to->GetPhy()->GetAttributeFailSafe("RxNoiseFigure", noise);
    return MakeWifiLink(GetGain(from, to), powerDbm, noise.Get(), channel);
}

/// @return a wire's rate in bit/s, without headers; 0 where it is none
double
GetWireRateBps(Ptr<NetDevice> device)
{
    DataRateValue rate;
    if (DynamicCast<PointToPointNetDevice>(device))
    {
        device->GetAttribute("DataRate", rate);
        return rate.Get().GetBitRate();
    }
    if (const auto channel = DynamicCast<CsmaChannel>(device->GetChannel()))
    {
        return channel->GetDataRate().GetBitRate();
    }
    return 0;
}

/// @return a wire's propagation delay
double
GetWireDelayS(Ptr<NetDevice> device)
{
    TimeValue delay;
    return device->GetChannel()->GetAttributeFailSafe("Delay", delay) ? delay.Get().GetSeconds()
                                                                      : 0;
}

/// @return the link over a path, the first or last hop of which is one of the cluster's Wi-Fi
LinkState
AddHop(const LinkState& path, LinkState hop)
{
    hop.fixedRateBps = path.fixedRateBps;
    hop.latencyS = path.latencyS;
    hop.relay = Relay::CONTROL_UNIT;
    return hop;
}

} // namespace

AdoptedTopologyHelper::AdoptedTopologyHelper(Ptr<Node> edgeServer,
                                             const NodeContainer& controlUnits,
                                             const std::vector<NodeContainer>& devices)
{
    NS_ABORT_MSG_IF(!edgeServer, "CollaPipe needs an edge server");
    NS_ABORT_MSG_IF(controlUnits.GetN() == 0 || controlUnits.GetN() != devices.size(),
                    "CollaPipe needs devices for each of its control units");
    std::set<Ptr<Node>> known{edgeServer};
    m_network.edgeServer = edgeServer;
    m_network.edgeAddress = FindAddress(edgeServer, controlUnits.Get(0));
    m_network.cells.push_back({Vector(), edgeServer, m_network.edgeAddress, nullptr});
    for (uint32_t m = 0; m < controlUnits.GetN(); ++m)
    {
        ClusterNetwork cluster;
        cluster.controlUnit = controlUnits.Get(m);
        cluster.devices.assign(devices[m].Begin(), devices[m].End());
        NS_ABORT_MSG_IF(cluster.devices.empty(),
                        "cluster " << m << " has no devices: give each control unit some");
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            NS_ABORT_MSG_IF(!known.insert(cluster.GetNode(i)).second,
                            "node " << cluster.GetNode(i)->GetId()
                                    << " is edge server, control unit or device more than once");
            cluster.addresses.push_back(
                FindAddress(cluster.GetNode(i), cluster.GetNode(i == 0 ? 1 : 0)));
        }
        cluster.edgeAddresses = cluster.addresses;
        m_network.clusters.push_back(cluster);
        m_radios.push_back(FindRadios(cluster));
    }
}

void
AdoptedTopologyHelper::SetDefaultLink(DataRate rate, Time latency)
{
    m_defaultRate = rate;
    m_defaultLatency = latency;
}

AdoptedTopologyHelper::Radios
AdoptedTopologyHelper::FindRadios(const ClusterNetwork& cluster)
{
    Radios radios;
    for (uint32_t i = 0; i < cluster.GetN(); ++i)
    {
        const auto device = FindDevice<WifiNetDevice>(cluster.GetNode(i));
        if (!device || (i > 0 && device->GetChannel() != radios.devices[0]->GetChannel()))
        {
            return {};
        }
        radios.devices.push_back(device);
        radios.powersDbm.push_back(static_cast<double>(device->GetPhy()->GetTxPowerEnd()));
    }
    return radios;
}

LinkState
AdoptedTopologyHelper::MakeRadioLink(const Radios& radios, uint32_t from, uint32_t to)
{
    return MakeLoneWifiLink(radios.devices[from],
                            radios.devices[to],
                            radios.powersDbm[from],
                            MakePool(radios.devices[from]));
}

LinkState
AdoptedTopologyHelper::MakePath(const LinkKey& key, Ptr<Node> from, Ipv4Address to) const
{
    LinkState link;
    link.fixedRateBps = std::numeric_limits<double>::infinity();
    for (const auto& hop : FindRoute(from, to))
    {
        const bool isEthernet = bool(DynamicCast<CsmaNetDevice>(hop.from));
        double rateBps = GetWireRateBps(hop.from) *
                         GetPayloadShare(isEthernet ? ETHERNET_BYTES : PPP_HEADER_BYTES);
        double latencyS = GetWireDelayS(hop.from);
        const auto sender = DynamicCast<WifiNetDevice>(hop.from);
        const auto receiver = DynamicCast<WifiNetDevice>(hop.to);
        if (sender && receiver)
        {
            const PoolState channel = MakePool(sender);
            const auto radio =
                MakeLoneWifiLink(sender,
                                 receiver,
                                 static_cast<double>(sender->GetPhy()->GetTxPowerEnd()),
                                 channel);
            rateBps = GetRateBps(radio, channel, 1, radio.maxPowerW);
            latencyS = radio.latencyS;
        }
        link.fixedRateBps = std::min(link.fixedRateBps, rateBps);
        link.latencyS += latencyS;
    }
    if (std::isfinite(link.fixedRateBps) && link.fixedRateBps > 0)
    {
        return link;
    }
    const auto known = m_goodputs.find(key);
    const bool wasUsed = known != m_goodputs.end() && known->second.seconds > 0;
    link.fixedRateBps = wasUsed ? known->second.bits / known->second.seconds
                                : static_cast<double>(m_defaultRate.GetBitRate());
    link.latencyS = wasUsed ? 0 : m_defaultLatency.GetSeconds();
    return link;
}

bool
AdoptedTopologyHelper::IsRelayed(const Radios& radios, uint32_t device, Ptr<Node> node) const
{
    if (radios.devices.empty() || FindDevice<WifiNetDevice>(m_network.edgeServer))
    {
        return false;
    }
    const auto route = FindRoute(node, m_network.edgeAddress);
    return route.size() > 1 && route.front().from == radios.devices[device] &&
           route.front().to == radios.devices[0];
}

PoolState
AdoptedTopologyHelper::MakePool(Ptr<WifiNetDevice> device)
{
    const auto widthMhz = static_cast<uint16_t>(device->GetPhy()->GetChannelWidth());
    const auto control = device->GetNode()->GetObject<TrafficControlLayer>();
    const auto disc = control
                          ? DynamicCast<AirtimeQueueDisc>(control->GetRootQueueDiscOnDevice(device))
                          : nullptr;
    // Without shares a channel is whose who sends
    const bool isReserved = disc && !disc->GetLedger()->IsWorkConserving();
    PoolState pool =
        MakeWifiPool(widthMhz, isReserved ? Sharing::RESERVED : Sharing::WORK_CONSERVING);
    pool.priorities = disc && !isReserved;
    return pool;
}

void
AdoptedTopologyHelper::DoFillLinks(SystemState& state) const
{
    state.uplink = state.downlink = {SharingMode::DEDICATED, 0};
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const ClusterNetwork& net = m_network.clusters[m];
        const Radios& radios = m_radios[m];
        ClusterState& cluster = state.clusters[m];
        const bool hasRadio = !radios.devices.empty();
        cluster.d2d = hasRadio ? MakePool(radios.devices[0]) : PoolState();
        for (uint32_t i = 0; i < net.GetN(); ++i)
        {
            DeviceState& node = i == 0 ? cluster.controlUnit : cluster.devices[i - 1];
            node.uplink = MakePath({m, i, EDGE}, net.GetNode(i), m_network.edgeAddress);
            node.downlink = MakePath({m, EDGE, i}, m_network.edgeServer, net.addresses[i]);
            if (i > 0 && IsRelayed(radios, i, net.GetNode(i)))
            {
                node.uplink = AddHop(node.uplink, MakeRadioLink(radios, i, 0));
                node.downlink = AddHop(node.downlink, MakeRadioLink(radios, 0, i));
            }
            for (uint32_t j = 0; j < net.GetN(); ++j)
            {
                if (i != j)
                {
                    cluster.d2dLinks[i][j] =
                        hasRadio ? MakeRadioLink(radios, i, j)
                                 : MakePath({m, i, j}, net.GetNode(i), net.addresses[j]);
                }
            }
        }
    }
}

Ptr<RadioActuator>
AdoptedTopologyHelper::CreateActuator() const
{
    // Where the edge server is not on the air itself, a control unit is the way there
    const auto edge = FindDevice<WifiNetDevice>(m_network.edgeServer);
    const auto actuator = CreateObjectWithAttributes<WifiActuator>("Gateway", BooleanValue(!edge));
    bool hasRadios = false;
    for (uint32_t m = 0; m < m_radios.size(); ++m)
    {
        for (uint32_t i = 0; i < m_radios[m].devices.size(); ++i)
        {
            actuator->AddNode(m, static_cast<NodeIndex>(i), m_radios[m].devices[i]);
            hasRadios = true;
        }
    }
    return hasRadios ? Ptr<RadioActuator>(actuator) : TopologyHelper::CreateActuator();
}

void
AdoptedTopologyHelper::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    for (uint32_t m = 0; m < m_radios.size(); ++m)
    {
        if (!m_radios[m].devices.empty())
        {
            m_probes.push_back(CreateObject<WifiLinkProbe>());
            m_probes.back()->Connect(monitors.at(m).monitor,
                                     monitors[m].cluster,
                                     m_radios[m].devices);
        }
    }
    // One cell: one monitor, which knows clusters as the network does
    monitors.at(0).monitor->TraceConnectWithoutContext(
        "Goodput",
        MakeCallback(&AdoptedTopologyHelper::HandleGoodput, this));
}

void
AdoptedTopologyHelper::HandleGoodput(const LinkId& link,
                                     Phase /* phase */,
                                     double bits,
                                     double seconds)
{
    auto& goodput = m_goodputs[{link.cluster, link.from, link.to}];
    goodput.bits += bits;
    goodput.seconds += seconds;
}

void
AdoptedTopologyHelper::DoBuild()
{
    NS_ABORT_MSG("this network was built already");
}

void
AdoptedTopologyHelper::DoEnablePcap(const std::string& /* prefix */)
{
    // Devices are the user's, with their own helpers' captures
}

int64_t
AdoptedTopologyHelper::DoAssignStreams(int64_t /* stream */)
{
    return 0; // likewise
}

} // namespace collapipe
} // namespace ns3
