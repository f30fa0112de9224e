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
#include "ns3/collapipe-node-name.h"
#include "ns3/constant-position-mobility-model.h"
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

constexpr uint32_t DL_EARFCN = 100;       //!< band 1, 2120 MHz
constexpr uint32_t UL_EARFCN = 18100;     //!< band 1, 1930 MHz
constexpr double FREQUENCY_HZ = 1.93e9;   //!< for free-space loss, both directions
constexpr double RB_BANDWIDTH_HZ = 180e3; //!< of a resource block
/// A bearer holds the windows of a node's connections: to the edge server and to its neighbours
constexpr uint32_t CONNECTIONS = 4;

/*
 * Formula (5) fitted to the TCP goodput of one UE with 4 MB in segments of 1400 bytes, 100 resource
 * blocks, 23 and 43 dBm. Uplink, SINR 27.8, 21.3, 12.3 and 3.3 dB: 58.6, 45.5, 23.3 and 6.9 Mb/s
 * (formula: 62.5, 45.5, 23.3, 6.9). Downlink, 19 dB: 53 Mb/s; at 28 dB and more 62.7 Mb/s, the
 * highest modulation. Losses are those of control symbols, reference signals, HARQ and headers.
 */
constexpr double UPLINK_EFFICIENCY = 0.44;   //!< e
constexpr double DOWNLINK_EFFICIENCY = 0.58; //!< e
constexpr double SNR_GAP = 2.5;              //!< Gamma, both directions
/**
 * S of the uplink. From 24 dB on a UE has CQI 15 (3GPP TS 36.213 table 7.2.3-1) and hence the
 * highest MCS of table 7.1.7.1-1: no more than the 58.6 Mb/s above, in the unit of the fitted e.
 */
constexpr double UPLINK_MAX_SPECTRAL_EFFICIENCY = 58.6e6 / (UPLINK_EFFICIENCY * 18e6);
/// The SINR beyond which the downlink gains nothing; its power, unlike the uplink's, is fixed
constexpr double DOWNLINK_MAX_SINR = 180;
/// -2 dB: below, the base station takes a UE that uses the whole band for out of range (at -3 dB)
constexpr double UPLINK_MIN_SINR = 0.63;
constexpr double UPLINK_LATENCY_S = 0.0114;   //!< measured: scheduling request, grant, sending
constexpr double DOWNLINK_LATENCY_S = 0.0036; //!< measured: scheduling, sending

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

/// @return a node by its name, and how far it is from its base station
std::string
DescribeNode(const Network& network, Ptr<const Node> node)
{
    std::string name;
    uint32_t cell = 0;
    for (std::size_t m = 0; m < network.clusters.size(); ++m)
    {
        for (uint32_t i = 0; i < network.clusters[m].GetN(); ++i)
        {
            if (network.clusters[m].GetNode(i) == node)
            {
                name = GetNodeName(m, i);
                cell = network.clusters[m].cell;
            }
        }
    }
    for (const auto& user : network.users)
    {
        name = user.node == node ? user.name : name;
    }
    const double distance = CalculateDistance(node->GetObject<MobilityModel>()->GetPosition(),
                                              network.cells[cell].position);
    return name + ", " + std::to_string(std::lround(distance)) + " m from the base station,";
}

} // namespace

void
LteAccess::Build(Network& network, const TopologyConfig& config)
{
    NS_LOG_FUNCTION(this);
    m_config = config;
    m_network = network;
    for (const auto& cluster : network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            m_ues.Add(cluster.GetNode(i));
            m_homes.push_back(cluster.cell); // until the channel is known
        }
    }
    CreateBaseStations();
    CreateUsers();
    InstallRadios();
    ConnectCore();
    AssignAddresses();
    network = m_network;
}

void
LteAccess::Attach()
{
    for (uint32_t ue = 0; ue < m_ueDevices.GetN(); ++ue)
    {
        m_homes[ue] = FindBestCell(m_ues.Get(ue));
        m_lte->Attach(m_ueDevices.Get(ue), m_enbDevices.Get(m_homes[ue]));
    }
}

uint32_t
LteAccess::FindBestCell(Ptr<Node> node) const
{
    uint32_t best = 0;
    for (uint32_t cell = 1; cell < m_baseStations.GetN(); ++cell)
    {
        if (m_pathLoss->GetGain(node, m_baseStations.Get(cell)) >
            m_pathLoss->GetGain(node, m_baseStations.Get(best)))
        {
            best = cell;
        }
    }
    return best;
}

void
LteAccess::CreateBaseStations()
{
    for (auto& cell : m_network.cells)
    {
        cell.baseStation = CreateObject<Node>();
        Ptr<ConstantPositionMobilityModel> position = CreateObject<ConstantPositionMobilityModel>();
        position->SetPosition(
            Vector(cell.position.x, cell.position.y, m_config.baseStationHeightM));
        cell.baseStation->AggregateObject(position);
        m_baseStations.Add(cell.baseStation);
    }
}

void
LteAccess::CreateUsers()
{
    // They stand around the base station at the clusters' distance, half way between two clusters.
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        const double turn =
            2 * M_PI * 0.5 / std::max<std::size_t>(1, m_network.GetClusters(c).size());
        for (uint32_t i = 0; i < m_config.backgroundUsers; ++i)
        {
            const double angle = turn + 2 * M_PI * i / m_config.backgroundUsers;
            const double radius = m_config.GetClusterDistanceM(i);
            BackgroundUser user;
            user.name = "lte" + std::to_string(c) + "-u" + std::to_string(i);
            user.peer = m_network.cells[c].edgeServer;
            user.node =
                CreateUserNode(m_network.cells[c].position +
                               Vector(radius * std::cos(angle), radius * std::sin(angle), 0));
            m_network.users.push_back(user);
            m_ues.Add(user.node);
            m_homes.push_back(c);
        }
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
    if (HasShares())
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
    m_enbDevices = m_lte->InstallEnbDevice(m_baseStations);
    m_ueDevices = m_lte->InstallUeDevice(m_ues);
    m_lte->AddX2Interface(m_baseStations);
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
    if (m_baseStations.GetN() > 1)
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
    NodeContainer nodes(m_baseStations);
    nodes.Add(m_ues);
    m_pathLoss = std::make_unique<PathLoss>(m_config.ltePathLoss, FREQUENCY_HZ, nodes);
    for (const auto& channel :
         {m_lte->GetDownlinkSpectrumChannel(), m_lte->GetUplinkSpectrumChannel()})
    {
        for (const auto& model : m_pathLoss->MakeModels())
        {
            channel->AddPropagationLossModel(model);
        }
    }
}

void
LteAccess::TuneBaseStation(Ptr<NetDevice> device)
{
    Ptr<LteEnbNetDevice> enb = DynamicCast<LteEnbNetDevice>(device);
    // Any cell may come to serve all UEs
    enb->GetRrc()->SetAttribute("SrsPeriodicity", UintegerValue(GetSrsPeriod(m_ues.GetN())));
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

Time
LteAccess::WarmUp()
{
    const int64_t perUe =
        m_config.lteBandwidthRb < WIDE_RB ? NARROW_MS / m_config.lteBandwidthRb : ATTACH_MS_PER_UE;
    const Time attached = MilliSeconds(ATTACH_MS + perUe * m_ues.GetN());
    Simulator::Schedule(attached, &LteAccess::CheckAttached, this);
    return ScheduleWarmUp(GetWarmUpFlows(), attached, MicroSeconds(500));
}

std::string
LteAccess::CheckReach() const
{
    for (auto it = m_ues.Begin(); it != m_ues.End(); ++it)
    {
        const LinkState link = MakeUplink(*it);
        const double noiseW = GetNoiseDensity(m_config.lteEnbNoiseFigureDb) * GetBandwidthHz();
        const double snr = link.maxPowerW * link.gain / noiseW;
        if (snr < UPLINK_MIN_SINR)
        {
            std::ostringstream text;
            text << "the uplink of " << DescribeNode(m_network, *it) << " has a SINR of "
                 << 10 * std::log10(snr)
                 << " dB, too low for LTE: bring the clusters nearer to the base station, or lower "
                    "the path loss or the bandwidth";
            return text.str();
        }
    }
    return std::string();
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
            text << DescribeNode(m_network, m_ues.Get(ue)) << " did not attach to the LTE cell of "
                 << m_config.lteBandwidthRb << " resource blocks with " << m_ues.GetN()
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
LteAccess::GetIndex(Ptr<Node> node) const
{
    const auto at = std::find(m_ues.Begin(), m_ues.End(), node);
    NS_ABORT_MSG_IF(at == m_ues.End(), "Node " << node->GetId() << " has no LTE radio");
    return at - m_ues.Begin();
}

uint32_t
LteAccess::GetCell(Ptr<Node> node) const
{
    const uint32_t ue = GetIndex(node);
    const uint16_t id = DynamicCast<LteUeNetDevice>(m_ueDevices.Get(ue))->GetRrc()->GetCellId();
    for (uint32_t cell = 0; cell < m_enbDevices.GetN(); ++cell)
    {
        if (DynamicCast<LteEnbNetDevice>(m_enbDevices.Get(cell))->HasCellId(id))
        {
            return cell;
        }
    }
    return m_homes[ue]; // not yet attached
}

void
LteAccess::ScheduleHandover(Time when, Ptr<Node> node, uint32_t cell)
{
    Simulator::Schedule(when, &LteAccess::Handover, this, GetIndex(node), cell);
}

void
LteAccess::Handover(uint32_t ue, uint32_t cell)
{
    const uint32_t source = GetCell(m_ues.Get(ue));
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

double
LteAccess::GetUplinkInterference(uint32_t cell) const
{
    if (m_baseStations.GetN() == 1)
    {
        return 0;
    }
    double sum = 0;
    std::vector<double> gains(m_baseStations.GetN(), 0);
    std::vector<uint32_t> counts(m_baseStations.GetN(), 0);
    for (auto it = m_ues.Begin(); it != m_ues.End(); ++it)
    {
        const uint32_t other = GetCell(*it);
        gains[other] += m_pathLoss->GetGain(*it, m_baseStations.Get(cell));
        ++counts[other];
    }
    for (uint32_t other = 0; other < gains.size(); ++other)
    {
        sum += other == cell || counts[other] == 0 ? 0 : gains[other] / counts[other];
    }
    return sum * DbmToW(m_config.lteUePowerDbm) / GetBandwidthHz();
}

double
LteAccess::GetDownlinkInterference(Ptr<Node> node, uint32_t cell) const
{
    double sum = 0;
    for (uint32_t other = 0; other < m_baseStations.GetN(); ++other)
    {
        sum += other == cell ? 0 : m_pathLoss->GetGain(node, m_baseStations.Get(other));
    }
    return sum * DbmToW(m_config.lteEnbPowerDbm) / GetBandwidthHz();
}

LinkState
LteAccess::MakeUplink(Ptr<Node> node) const
{
    const uint32_t cell = GetCell(node);
    LinkState link;
    link.gain = m_pathLoss->GetGain(node, m_baseStations.Get(cell));
    link.efficiency = UPLINK_EFFICIENCY;
    link.snrGap = SNR_GAP;
    link.maxSpectralEfficiency = UPLINK_MAX_SPECTRAL_EFFICIENCY;
    link.noiseDensityWPerHz =
        GetNoiseDensity(m_config.lteEnbNoiseFigureDb) + GetUplinkInterference(cell);
    link.maxPowerW = DbmToW(m_config.lteUePowerDbm);
    link.latencyS = UPLINK_LATENCY_S + m_config.backhaulDelay.GetSeconds();
    return link;
}

LinkState
LteAccess::MakeDownlink(Ptr<Node> node) const
{
    const uint32_t cell = GetCell(node);
    LinkState link = MakeUplink(node);
    link.efficiency = DOWNLINK_EFFICIENCY;
    link.maxSpectralEfficiency = std::log2(1 + DOWNLINK_MAX_SINR / SNR_GAP);
    link.noiseDensityWPerHz =
        GetNoiseDensity(m_config.lteUeNoiseFigureDb) + GetDownlinkInterference(node, cell);
    link.maxPowerW = DbmToW(m_config.lteEnbPowerDbm);
    link.latencyS = DOWNLINK_LATENCY_S + m_config.backhaulDelay.GetSeconds();
    const double noiseW = link.noiseDensityWPerHz * GetBandwidthHz();
    link.gain = std::min(link.gain, DOWNLINK_MAX_SINR * noiseW / link.maxPowerW);
    return link;
}

bool
LteAccess::HasShares() const
{
    return m_config.lteScheduler == "ns3::collapipe::WeightedFfMacScheduler";
}

double
LteAccess::GetBandwidthHz() const
{
    return m_config.lteBandwidthRb * RB_BANDWIDTH_HZ;
}

void
LteAccess::FillD2e(SystemState& state) const
{
    state.uplink = {SharingMode::FREQUENCY, GetBandwidthHz()};
    state.uplink.sharing = m_config.sharing;
    state.uplink.priorities = HasShares() && m_config.sharing == Sharing::WORK_CONSERVING;
    // A resource block of the downlink has the same power however many go to a UE: that is (6)
    state.downlink = state.uplink;
    state.downlink.mode = SharingMode::AIRTIME;
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const ClusterNetwork& net = m_network.clusters[m];
        ClusterState& cluster = state.clusters[m];
        cluster.controlUnit.uplink = MakeUplink(net.controlUnit);
        cluster.controlUnit.downlink = MakeDownlink(net.controlUnit);
        for (uint32_t k = 0; k < net.devices.size(); ++k)
        {
            cluster.devices[k].uplink = MakeUplink(net.devices[k]);
            cluster.devices[k].downlink = MakeDownlink(net.devices[k]);
        }
    }
}

void
LteAccess::FillD2d(uint32_t cluster, ClusterState& state) const
{
    const ClusterNetwork& net = m_network.clusters[cluster];
    state.d2d = {SharingMode::FREQUENCY, GetBandwidthHz()};
    state.d2d.sharing = m_config.sharing;
    for (uint32_t i = 0; i < net.GetN(); ++i)
    {
        LinkState link = MakeUplink(net.GetNode(i));
        link.latencyS = UPLINK_LATENCY_S + DOWNLINK_LATENCY_S;
        link.relay = Relay::BASE_STATION;
        for (uint32_t j = 0; j < net.GetN(); ++j)
        {
            state.d2dLinks[i][j] = i == j ? LinkState() : link;
        }
    }
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
                             DOWNLINK_MAX_SINR);
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
    nodes.Add(m_baseStations);
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
    stream += m_pathLoss->AssignStreams(stream);
    stream += AssignUserStreams(m_network.users, stream);
    for (auto& model : m_errorModels)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

} // namespace collapipe
} // namespace ns3
