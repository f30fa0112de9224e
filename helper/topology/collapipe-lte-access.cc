/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-access.h"

#include "collapipe-preferred-default.h"
#include "collapipe-topology-error.h"
#include "collapipe-wired-link.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/collapipe-lte-actuator.h"
#include "ns3/double.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/log.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-enb-rrc.h"
#include "ns3/lte-spectrum-value-helper.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/lte-ue-rrc.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/simulator.h"
#include "ns3/spectrum-channel.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteAccess");

namespace
{

constexpr uint32_t DL_EARFCN = 100;   //!< band 1, 2120 MHz
constexpr uint32_t UL_EARFCN = 18100; //!< band 1, 1930 MHz
/// A bearer holds the windows of a node's connections: to the edge server and to its neighbours
constexpr uint32_t CONNECTIONS = 4;

/// Attachment, measured: 25 ms for 10 UEs, 55 ms for 100, 85 ms for 150
constexpr int64_t ATTACH_MS = 80;
constexpr int64_t ATTACH_MS_PER_UE = 1; //!< allowed for each
/// Messages of attachment share the band: below so many resource blocks they wait for each other
constexpr uint16_t WIDE_RB = 25;
constexpr int64_t NARROW_MS = 240; //!< allowed for each UE then, over the resource blocks

/// Periods of sounding that ns-3 knows, in ms; each gives room for so many UEs less one
constexpr std::array<uint16_t, 8> SRS_PERIODS{2, 5, 10, 20, 40, 80, 160, 320};

/// The shortest sounding period with room for a number of UEs
uint16_t
GetSrsPeriod(uint32_t ues)
{
    const auto it = std::upper_bound(SRS_PERIODS.begin(), SRS_PERIODS.end(), ues);
    if (it == SRS_PERIODS.end())
    {
        throw TopologyError("an LTE cell holds at most " + std::to_string(SRS_PERIODS.back() - 1) +
                            " nodes, not " + std::to_string(ues) +
                            ": use fewer clusters or devices, or more cells");
    }
    return *it;
}

/**
 * The RLC entities are made while UEs attach, by code that hands on no attributes: the only way
 * to their buffers is the defaults (--ns3::LteRlcUm::MaxTxBufferSize=BYTES sets another). With
 * ns-3's 10 KiB a cell collapses under TCP. They hold whatever TCP may have under way: a sender's
 * own system does not drop what it has just been handed, and where the last of a message is dropped
 * nothing comes behind it from which TCP would see that before its timer ends, after a second.
 *
 * @param transportBytes send buffer of a connection
 */
void
SetRlcDefaults(uint32_t transportBytes)
{
    const uint64_t bytes = uint64_t{CONNECTIONS} * transportBytes;
    const UintegerValue size(std::min<uint64_t>(bytes, std::numeric_limits<uint32_t>::max()));
    for (const std::string rlc : {"ns3::LteRlcUm", "ns3::LteRlcAm"})
    {
        PreferDefault(rlc, "MaxTxBufferSize", size);
        PreferDefault(rlc, "EnablePdcpDiscarding", BooleanValue(false));
    }
    PreferDefault("ns3::LteRlcAm", "TxOpportunityForRetxAlwaysBigEnough", BooleanValue(true));
}

} // namespace

void
LteAccess::Build(Network& network, const TopologyConfig& config)
{
    NS_LOG_FUNCTION(this);
    m_config = config;
    m_network = network;
    m_channel.Build(m_network, config);
    m_channel.SetCellLookup([this](uint32_t ue) { return FindCell(ue); });
    InstallRadios();
    ConnectCore();
    AssignAddresses();
    network = m_network;
}

void
LteAccess::Attach()
{
    m_channel.ChooseCells();
    for (uint32_t ue = 0; ue < m_ueDevices.GetN(); ++ue)
    {
        m_lte->Attach(m_ueDevices.Get(ue), m_enbDevices.Get(m_channel.GetHome(ue)));
    }
}

void
LteAccess::InstallRadios()
{
    SetRlcDefaults(m_config.GetTransportBufferBytes());
    m_lte = CreateObject<LteHelper>();
    m_epc = CreateObject<PointToPointEpcHelper>();
    m_lte->SetEpcHelper(m_epc);
    m_lte->SetSchedulerType(m_config.lteScheduler);
    if (m_channel.HasShares())
    {
        m_lte->SetSchedulerAttribute("WorkConserving",
                                     BooleanValue(m_config.sharing == Sharing::WORK_CONSERVING));
    }
    m_lte->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(m_config.lteBandwidthRb));
    m_lte->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(m_config.lteBandwidthRb));
    m_lte->SetEnbDeviceAttribute("DlEarfcn", UintegerValue(DL_EARFCN));
    m_lte->SetEnbDeviceAttribute("UlEarfcn", UintegerValue(UL_EARFCN));
    m_lte->SetUeDeviceAttribute("DlEarfcn", UintegerValue(DL_EARFCN));
    // The helper wants a model; this one loses nothing, and AddPropagation adds the real ones
    m_lte->SetPathlossModelType(LogDistancePropagationLossModel::GetTypeId());
    m_lte->SetPathlossModelAttribute("Exponent", DoubleValue(0));
    m_lte->SetPathlossModelAttribute("ReferenceLoss", DoubleValue(0));
    EnableHandover();
    m_enbDevices = m_lte->InstallEnbDevice(m_channel.GetBaseStations());
    m_ueDevices = m_lte->InstallUeDevice(m_channel.GetUes());
    m_lte->AddX2Interface(m_channel.GetBaseStations());
    AddPropagation();
    for (auto it = m_enbDevices.Begin(); it != m_enbDevices.End(); ++it)
    {
        TuneBaseStation(*it);
    }
    for (auto it = m_ueDevices.Begin(); it != m_ueDevices.End(); ++it)
    {
        TuneUe(*it);
    }
}

void
LteAccess::EnableHandover()
{
    if (m_network.cells.size() > 1)
    {
        m_lte->SetHandoverAlgorithmType("ns3::A3RsrpHandoverAlgorithm");
        m_lte->SetHandoverAlgorithmAttribute("Hysteresis",
                                             DoubleValue(m_config.lteHandoverMarginDb));
        m_lte->SetHandoverAlgorithmAttribute("TimeToTrigger", TimeValue(m_config.lteHandoverDelay));
    }
}

void
LteAccess::AddPropagation()
{
    for (const auto& model : m_channel.GetModels(LteDirection::DOWNLINK))
    {
        m_lte->GetDownlinkSpectrumChannel()->AddPropagationLossModel(model);
    }
    for (const auto& model : m_channel.GetModels(LteDirection::UPLINK))
    {
        m_lte->GetUplinkSpectrumChannel()->AddPropagationLossModel(model);
    }
}

void
LteAccess::TuneBaseStation(Ptr<NetDevice> device)
{
    Ptr<LteEnbNetDevice> enb = DynamicCast<LteEnbNetDevice>(device);
    // Any cell may come to serve all UEs
    enb->GetRrc()->SetAttribute("SrsPeriodicity",
                                UintegerValue(GetSrsPeriod(m_channel.GetUes().GetN())));
    enb->GetPhy()->SetAttribute("TxPower", DoubleValue(m_config.lteEnbPowerDbm));
    enb->GetPhy()->SetAttribute("NoiseFigure", DoubleValue(m_config.lteEnbNoiseFigureDb));
}

void
LteAccess::TuneUe(Ptr<NetDevice> device)
{
    Ptr<LteUeNetDevice> ue = DynamicCast<LteUeNetDevice>(device);
    ue->GetRrc()->TraceConnectWithoutContext("HandoverEndOk",
                                             MakeCallback(&LteAccess::CountHandover, this));
    Ptr<LteUePhy> phy = ue->GetPhy();
    phy->SetAttribute("EnableUplinkPowerControl", BooleanValue(m_config.lteUplinkPowerControl));
    phy->SetAttribute("TxPower", DoubleValue(m_config.lteUePowerDbm));
    phy->SetAttribute("NoiseFigure", DoubleValue(m_config.lteUeNoiseFigureDb));
}

void
LteAccess::ConnectCore()
{
    const LinkEnd gateway{m_epc->GetPgwNode(), Ipv4Address("1.0.0.1")};
    NetDeviceContainer devices;
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        CellNetwork& cell = m_network.cells[c];
        cell.edgeAddress = Ipv4Address(gateway.address.Get() + 1 + c);
        const NetDeviceContainer sgi = ConnectWired(gateway,
                                                    {cell.edgeServer, cell.edgeAddress},
                                                    m_config.backhaulRate,
                                                    m_config.backhaulDelay);
        devices.Add(sgi);
        Ptr<Ipv4> edgeIp = cell.edgeServer->GetObject<Ipv4>();
        Ipv4StaticRoutingHelper().GetStaticRouting(edgeIp)->AddNetworkRouteTo(
            Ipv4Address("7.0.0.0"), // of all UEs
            Ipv4Mask("255.0.0.0"),
            edgeIp->GetInterfaceForDevice(sgi.Get(1)));
    }
    m_errorModels = InstallPacketLoss(devices, m_config.packetErrorRate);
}

void
LteAccess::AssignAddresses()
{
    const Ipv4InterfaceContainer interfaces = m_epc->AssignUeIpv4Address(m_ueDevices);
    uint32_t ue = 0;
    for (auto& cluster : m_network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i, ++ue)
        {
            cluster.edgeAddresses.push_back(interfaces.GetAddress(ue));
            Ptr<Ipv4> ip = cluster.GetNode(i)->GetObject<Ipv4>();
            Ipv4StaticRoutingHelper().GetStaticRouting(ip)->SetDefaultRoute(
                m_epc->GetUeDefaultGatewayAddress(),
                ip->GetInterfaceForDevice(m_ueDevices.Get(ue)));
        }
    }
    for (std::size_t i = 0; i < m_network.users.size(); ++i, ++ue)
    {
        BackgroundUser& user = m_network.users[i];
        user.address = interfaces.GetAddress(ue);
        user.peerAddress = m_network.cells[i / m_config.backgroundUsers].edgeAddress;
        Ptr<Ipv4> ip = user.node->GetObject<Ipv4>();
        Ipv4StaticRoutingHelper().GetStaticRouting(ip)->SetDefaultRoute(
            m_epc->GetUeDefaultGatewayAddress(),
            ip->GetInterfaceForDevice(m_ueDevices.Get(ue)));
    }
}

const LteChannel&
LteAccess::GetChannel() const
{
    return m_channel;
}

int64_t
LteAccess::AssignChannelStreams(int64_t stream)
{
    return m_channel.AssignStreams(stream);
}

Time
LteAccess::WarmUp()
{
    const int64_t perUe =
        m_config.lteBandwidthRb < WIDE_RB ? NARROW_MS / m_config.lteBandwidthRb : ATTACH_MS_PER_UE;
    const Time attached = MilliSeconds(ATTACH_MS + perUe * m_channel.GetUes().GetN());
    Simulator::Schedule(attached, &LteAccess::CheckAttached, this);
    return ScheduleWarmUp(GetWarmUpFlows(), attached, MicroSeconds(500));
}

void
LteAccess::CheckAttached() const
{
    for (uint32_t ue = 0; ue < m_ueDevices.GetN(); ++ue)
    {
        Ptr<LteUeNetDevice> device = DynamicCast<LteUeNetDevice>(m_ueDevices.Get(ue));
        if (device->GetRrc()->GetState() != LteUeRrc::CONNECTED_NORMALLY)
        {
            std::ostringstream text;
            text << m_channel.DescribeNode(m_channel.GetUes().Get(ue))
                 << " did not attach to the LTE cell of " << m_config.lteBandwidthRb
                 << " resource blocks with " << m_channel.GetUes().GetN()
                 << " nodes in it: raise the bandwidth, use fewer devices or more cells, or bring "
                    "the clusters nearer to the base station";
            throw TopologyError(text.str());
        }
    }
}

std::vector<WarmUpFlow>
LteAccess::GetWarmUpFlows() const
{
    std::vector<WarmUpFlow> flows;
    for (const auto& cluster : m_network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            const Ptr<Node> node = cluster.GetNode(i);
            const CellNetwork& cell = m_network.cells[cluster.cell];
            flows.push_back({node, cell.edgeServer, cell.edgeAddress});
            flows.push_back({cell.edgeServer, node, cluster.edgeAddresses[i]});
        }
    }
    for (const auto& user : m_network.users)
    {
        flows.push_back({user.node, user.peer, user.peerAddress});
        flows.push_back({user.peer, user.node, user.address});
    }
    return flows;
}

uint32_t
LteAccess::GetCell(Ptr<Node> node) const
{
    return m_channel.GetCell(node);
}

uint32_t
LteAccess::FindCell(uint32_t ue) const
{
    const uint16_t id = DynamicCast<LteUeNetDevice>(m_ueDevices.Get(ue))->GetRrc()->GetCellId();
    for (uint32_t cell = 0; cell < m_enbDevices.GetN(); ++cell)
    {
        if (DynamicCast<LteEnbNetDevice>(m_enbDevices.Get(cell))->HasCellId(id))
        {
            return cell;
        }
    }
    return m_channel.GetHome(ue); // not yet attached
}

void
LteAccess::ScheduleHandover(Time when, Ptr<Node> node, uint32_t cell)
{
    Simulator::Schedule(when, &LteAccess::Handover, this, m_channel.GetIndex(node), cell);
}

void
LteAccess::Handover(uint32_t ue, uint32_t cell)
{
    const uint32_t source = FindCell(ue);
    if (source != cell)
    {
        m_lte->HandoverRequest(Time(0),
                               m_ueDevices.Get(ue),
                               m_enbDevices.Get(source),
                               m_enbDevices.Get(cell));
    }
}

void
LteAccess::CountHandover(uint64_t /* imsi */, uint16_t /* cell */, uint16_t /* rnti */)
{
    ++m_handovers;
}

uint32_t
LteAccess::GetHandovers() const
{
    return m_handovers;
}

Ptr<RadioActuator>
LteAccess::CreateActuator(bool d2d) const
{
    Ptr<LteActuator> actuator = CreateObjectWithAttributes<LteActuator>("D2d", BooleanValue(d2d));
    for (auto it = m_enbDevices.Begin(); it != m_enbDevices.End(); ++it)
    {
        actuator->AddBaseStation(DynamicCast<LteEnbNetDevice>(*it));
    }
    uint32_t ue = 0;
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        for (uint32_t i = 0; i < m_network.clusters[m].GetN(); ++i, ++ue)
        {
            actuator->AddNode(m, i, DynamicCast<LteUeNetDevice>(m_ueDevices.Get(ue)));
        }
    }
    return actuator;
}

void
LteAccess::ConnectMonitors(const std::vector<ClusterMonitor>& monitors)
{
    m_probe = CreateObject<LteLinkProbe>();
    for (auto it = m_enbDevices.Begin(); it != m_enbDevices.End(); ++it)
    {
        m_probe->AddBaseStation(DynamicCast<LteEnbNetDevice>(*it));
    }
    uint32_t ue = 0;
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        for (uint32_t i = 0; i < m_network.clusters[m].GetN(); ++i, ++ue)
        {
            m_probe->AddNode(DynamicCast<LteUeNetDevice>(m_ueDevices.Get(ue)),
                             monitors.at(m).monitor,
                             monitors[m].cluster,
                             i,
                             LteChannel::DOWNLINK_MAX_SINR);
        }
        if (m_config.backgroundUsers > 0)
        {
            m_probe->CountOthers(m_network.clusters[m].cell, monitors.at(m).monitor);
        }
    }
}

void
LteAccess::EnablePcap(const std::string& prefix)
{
    NodeContainer nodes(m_epc->GetPgwNode());
    nodes.Add(m_channel.GetBaseStations());
    for (auto it = nodes.Begin(); it != nodes.End(); ++it)
    {
        const Ptr<Node> node = *it;
        for (uint32_t i = 0; i < node->GetNDevices(); ++i)
        {
            if (DynamicCast<PointToPointNetDevice>(node->GetDevice(i)))
            {
                PointToPointHelper().EnablePcap(prefix, node->GetDevice(i), false);
            }
        }
    }
}

int64_t
LteAccess::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    NetDeviceContainer devices(m_enbDevices);
    devices.Add(m_ueDevices);
    stream += m_lte->AssignStreams(devices, stream);
    stream += AssignUserStreams(m_network.users, stream);
    for (auto& model : m_errorModels)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

} // namespace collapipe
} // namespace ns3
