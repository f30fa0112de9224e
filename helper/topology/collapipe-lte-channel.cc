/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-channel.h"

#include "ns3/abort.h"
#include "ns3/collapipe-node-name.h"
#include "ns3/constant-position-mobility-model.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FREQUENCY_HZ = 1.93e9;   //!< for free-space loss, both directions
constexpr double RB_BANDWIDTH_HZ = 180e3; //!< of a resource block

/*
 * Formula (5) fitted to what the standard's tables grant. The uplink's MCS follows from the SINR
 * over the granted resource blocks as LteLinkAdaptation has it, its transport block from the MCS
 * (3GPP TS 36.213 tables 7.2.3-1, 7.1.7.1-1 and 7.1.7.2.1-1). Those are steps: from 3 to 35 dB the
 * fit is within 21 % of them, 7 % in the mean. The downlink's CQI comes from ns-3's error model:
 * 100 resource blocks carry 75.4 Mb/s from about 22 dB on, and 39.2, 30.6, 15.8 and 7.2 Mb/s at
 * 15.5, 10.5, 5.5 and -0.5 dB (formula: 47.9, 29.9, 15.6 and 5.3).
 */
constexpr double UPLINK_SNR_GAP = 4;     //!< Gamma
constexpr double UPLINK_FIT = 0.59;      //!< e of transport blocks
constexpr double DOWNLINK_SNR_GAP = 2.5; //!< Gamma
constexpr double DOWNLINK_FIT = 0.677;   //!< e of transport blocks
/// S of the uplink: from 25 dB on a UE has CQI 15, and 75376 bits in 100 resource blocks
constexpr double UPLINK_MAX_SPECTRAL_EFFICIENCY = 75376e3 / (UPLINK_FIT * 18e6);
/// TCP's payload in segments of 1400 bytes, of the transport blocks of a flow that is backlogged
/// (measured in both directions: 0.957 to 0.962 with shares of 0.05 to 1 and 2.5 to 72.5 Mb/s)
constexpr double PAYLOAD = 0.96;
/// The same in a chain, whose links are about equally fast: a queue that has run empty waits for
/// the next scheduling request (measured: 0.75 to 0.96)
constexpr double CHAIN_PAYLOAD = 0.88;
/// What a message takes beside its payload: its own header and description, and the headers of a
/// segment of TCP of its own. For a target of 100 bytes that is more than the payload.
constexpr double MESSAGE_BITS = MESSAGE_HEAD_BITS + 8 * 56;
/// -2 dB: below, the base station takes a UE that uses the whole band for out of range (at -3 dB)
constexpr double UPLINK_MIN_SINR = 0.63;
constexpr double UPLINK_LATENCY_S = 0.0114;   //!< measured: scheduling request, grant, sending
constexpr double DOWNLINK_LATENCY_S = 0.0036; //!< measured: scheduling, sending

} // namespace

void
LteChannel::Build(Network& network, const TopologyConfig& config)
{
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
    NodeContainer nodes(m_baseStations);
    nodes.Add(m_ues);
    m_pathLoss = std::make_unique<PathLoss>(m_config.ltePathLoss, FREQUENCY_HZ, nodes);
    for (const LteDirection direction : {LteDirection::DOWNLINK, LteDirection::UPLINK})
    {
        m_models[static_cast<std::size_t>(direction)] = m_pathLoss->MakeModels();
    }
    network = m_network;
}

void
LteChannel::ChooseCells()
{
    for (uint32_t ue = 0; ue < m_ues.GetN(); ++ue)
    {
        m_homes[ue] = FindBestCell(m_ues.Get(ue));
    }
}

void
LteChannel::CreateBaseStations()
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
LteChannel::CreateUsers()
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

uint32_t
LteChannel::FindBestCell(Ptr<Node> node) const
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

uint32_t
LteChannel::GetIndex(Ptr<Node> node) const
{
    const auto at = std::find(m_ues.Begin(), m_ues.End(), node);
    NS_ABORT_MSG_IF(at == m_ues.End(), "Node " << node->GetId() << " has no LTE radio");
    return at - m_ues.Begin();
}

uint32_t
LteChannel::GetCell(Ptr<Node> node) const
{
    const uint32_t ue = GetIndex(node);
    return m_lookup ? m_lookup(ue) : m_homes[ue];
}

void
LteChannel::SetCellLookup(std::function<uint32_t(uint32_t)> lookup)
{
    m_lookup = std::move(lookup);
}

uint32_t
LteChannel::GetHome(uint32_t ue) const
{
    return m_homes.at(ue);
}

void
LteChannel::SetHome(uint32_t ue, uint32_t cell)
{
    m_homes.at(ue) = cell;
}

double
LteChannel::GetGain(Ptr<Node> node, uint32_t cell) const
{
    return m_pathLoss->GetGain(node, m_baseStations.Get(cell));
}

const NodeContainer&
LteChannel::GetUes() const
{
    return m_ues;
}

const NodeContainer&
LteChannel::GetBaseStations() const
{
    return m_baseStations;
}

const std::vector<Ptr<PropagationLossModel>>&
LteChannel::GetModels(LteDirection direction) const
{
    return m_models[static_cast<std::size_t>(direction)];
}

int64_t
LteChannel::AssignStreams(int64_t stream)
{
    return m_pathLoss->AssignStreams(stream);
}

std::string
LteChannel::DescribeNode(Ptr<const Node> node) const
{
    std::string name;
    uint32_t cell = 0;
    for (std::size_t m = 0; m < m_network.clusters.size(); ++m)
    {
        for (uint32_t i = 0; i < m_network.clusters[m].GetN(); ++i)
        {
            if (m_network.clusters[m].GetNode(i) == node)
            {
                name = GetNodeName(ClusterId(m), i);
                cell = m_network.clusters[m].cell;
            }
        }
    }
    for (const auto& user : m_network.users)
    {
        name = user.node == node ? user.name : name;
    }
    const double distance = CalculateDistance(node->GetObject<MobilityModel>()->GetPosition(),
                                              m_network.cells[cell].position);
    return name + ", " + std::to_string(std::lround(distance)) + " m from the base station,";
}

double
LteChannel::GetUplinkSnr(const LinkState& link) const
{
    const double noiseW = GetNoiseDensity(m_config.lteEnbNoiseFigureDb) * GetBandwidthHz();
    return link.maxPowerW * link.gain / noiseW;
}

bool
LteChannel::IsInReach(Ptr<Node> node) const
{
    return GetUplinkSnr(MakeUplink(node)) >= UPLINK_MIN_SINR;
}

double
LteChannel::GetFading(LteDirection direction, Ptr<Node> node) const
{
    if (!m_config.ltePathLoss.fading)
    {
        return 1;
    }
    Ptr<MobilityModel> ue = node->GetObject<MobilityModel>();
    Ptr<MobilityModel> cell = m_baseStations.Get(GetCell(node))->GetObject<MobilityModel>();
    return std::pow(10.0, GetModels(direction).back()->CalcRxPower(0, ue, cell) / 10);
}

std::string
LteChannel::CheckReach() const
{
    for (auto it = m_ues.Begin(); it != m_ues.End(); ++it)
    {
        const LinkState link = MakeUplink(*it);
        const double snr = GetUplinkSnr(link);
        if (snr < UPLINK_MIN_SINR)
        {
            std::ostringstream text;
            text << "the uplink of " << DescribeNode(*it) << " has a SINR of "
                 << 10 * std::log10(snr)
                 << " dB, too low for LTE: bring the clusters nearer to the base station, or lower "
                    "the path loss or the bandwidth";
            return text.str();
        }
    }
    return std::string();
}

double
LteChannel::GetUplinkInterference(uint32_t cell) const
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
LteChannel::GetDownlinkInterference(Ptr<Node> node, uint32_t cell) const
{
    double sum = 0;
    for (uint32_t other = 0; other < m_baseStations.GetN(); ++other)
    {
        sum += other == cell ? 0 : m_pathLoss->GetGain(node, m_baseStations.Get(other));
    }
    return sum * DbmToW(m_config.lteEnbPowerDbm) / GetBandwidthHz();
}

LinkState
LteChannel::MakeUplink(Ptr<Node> node, double fading) const
{
    const uint32_t cell = GetCell(node);
    LinkState link;
    link.gain = fading * m_pathLoss->GetGain(node, m_baseStations.Get(cell));
    link.efficiency = PAYLOAD * UPLINK_FIT;
    link.snrGap = UPLINK_SNR_GAP;
    link.noiseDensityWPerHz =
        GetNoiseDensity(m_config.lteEnbNoiseFigureDb) + GetUplinkInterference(cell);
    link.maxPowerW = DbmToW(m_config.lteUePowerDbm);
    link.overheadBits = MESSAGE_BITS;
    // However small its share, a UE spreads its power over one resource block at least
    const double mostSnr = link.maxPowerW * link.gain / (link.noiseDensityWPerHz * RB_BANDWIDTH_HZ);
    link.maxSpectralEfficiency =
        std::min(UPLINK_MAX_SPECTRAL_EFFICIENCY, std::log2(1 + mostSnr / UPLINK_SNR_GAP));
    link.latencyS = UPLINK_LATENCY_S + m_config.backhaulDelay.GetSeconds();
    return link;
}

LinkState
LteChannel::MakeDownlink(Ptr<Node> node, double fading) const
{
    const uint32_t cell = GetCell(node);
    LinkState link = MakeUplink(node, fading);
    link.efficiency = PAYLOAD * DOWNLINK_FIT;
    link.snrGap = DOWNLINK_SNR_GAP;
    link.maxSpectralEfficiency = std::log2(1 + DOWNLINK_MAX_SINR / DOWNLINK_SNR_GAP);
    link.noiseDensityWPerHz =
        GetNoiseDensity(m_config.lteUeNoiseFigureDb) + GetDownlinkInterference(node, cell);
    link.maxPowerW = DbmToW(m_config.lteEnbPowerDbm);
    link.latencyS = DOWNLINK_LATENCY_S + m_config.backhaulDelay.GetSeconds();
    const double noiseW = link.noiseDensityWPerHz * GetBandwidthHz();
    link.gain = std::min(link.gain, DOWNLINK_MAX_SINR * noiseW / link.maxPowerW);
    return link;
}

LinkState
LteChannel::MakeRelayed(Ptr<Node> node, double fading) const
{
    LinkState link = MakeUplink(node, fading);
    link.efficiency = CHAIN_PAYLOAD * UPLINK_FIT;
    link.latencyS = UPLINK_LATENCY_S + DOWNLINK_LATENCY_S;
    link.relay = Relay::BASE_STATION;
    return link;
}

bool
LteChannel::HasShares() const
{
    return m_config.lteScheduler == "ns3::collapipe::WeightedFfMacScheduler";
}

double
LteChannel::GetBandwidthHz() const
{
    return m_config.lteBandwidthRb * RB_BANDWIDTH_HZ;
}

PoolState
LteChannel::GetUplinkPool() const
{
    PoolState pool{SharingMode::FREQUENCY, GetBandwidthHz()};
    pool.sharing = m_config.sharing;
    pool.priorities = HasShares() && m_config.sharing == Sharing::WORK_CONSERVING;
    return pool;
}

PoolState
LteChannel::GetDownlinkPool() const
{
    // A resource block of the downlink has the same power however many go to a UE: that is (6)
    PoolState pool = GetUplinkPool();
    pool.mode = SharingMode::AIRTIME;
    return pool;
}

void
LteChannel::FillD2e(SystemState& state) const
{
    state.uplink = GetUplinkPool();
    state.downlink = GetDownlinkPool();
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
LteChannel::FillD2d(uint32_t cluster, ClusterState& state) const
{
    const ClusterNetwork& net = m_network.clusters[cluster];
    state.d2d = GetUplinkPool();
    state.d2d.priorities = false; // theirs are those of the uplink
    for (uint32_t i = 0; i < net.GetN(); ++i)
    {
        const LinkState link = MakeRelayed(net.GetNode(i));
        for (uint32_t j = 0; j < net.GetN(); ++j)
        {
            state.d2dLinks[i][j] = i == j ? LinkState() : link;
        }
    }
}

} // namespace collapipe
} // namespace ns3
