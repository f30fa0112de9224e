/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-channel.h"

#include "collapipe-wifi-link.h"

#include "ns3/collapipe-airtime-queue-disc.h"
#include "ns3/collapipe-link-model.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FREQUENCY_HZ = 5.2e9; //!< for free-space loss

/// A radio hop and a wire, the slower of which sets the rate
LinkState
AddWire(LinkState radio, const PoolState& pool, double wireBps, Time wireDelay)
{
    radio.fixedRateBps = std::min(GetRateBps(radio, pool, 1, radio.maxPowerW), wireBps);
    radio.latencyS += wireDelay.GetSeconds();
    radio.relay = Relay::CONTROL_UNIT;
    return radio;
}

} // namespace

void
FillRelayedLinks(const std::vector<const WifiChannel*>& channels,
                 double wireBps,
                 Time wireDelay,
                 SystemState& state)
{
    LinkState wire;
    wire.fixedRateBps = wireBps;
    wire.latencyS = wireDelay.GetSeconds();
    state.uplink = {SharingMode::DEDICATED, 0};
    state.downlink = state.uplink;
    for (uint32_t m = 0; m < channels.size(); ++m)
    {
        ClusterState& cluster = state.clusters[m];
        channels[m]->FillD2d(cluster);
        cluster.controlUnit.uplink = cluster.controlUnit.downlink = wire;
        for (uint32_t k = 0; k < cluster.devices.size(); ++k)
        {
            const LinkState& up = cluster.d2dLinks[k + 1][0];
            const LinkState& down = cluster.d2dLinks[0][k + 1];
            cluster.devices[k].uplink = AddWire(up, cluster.d2d, wireBps, wireDelay);
            cluster.devices[k].downlink = AddWire(down, cluster.d2d, wireBps, wireDelay);
        }
    }
}

void
WifiChannel::Build(const ClusterNetwork& cluster, uint32_t index, const TopologyConfig& config)
{
    m_config = config;
    m_index = index;
    m_cluster = cluster;
    for (uint32_t i = 0; i < cluster.GetN(); ++i)
    {
        m_nodes.Add(cluster.GetNode(i));
    }
    CreateUsers();
    m_pathLoss = std::make_unique<PathLoss>(config.wifiPathLoss, FREQUENCY_HZ, m_nodes);
    m_models = m_pathLoss->MakeModels();
}

void
WifiChannel::CreateUsers()
{
    if (m_config.backgroundUsers == 0)
    {
        return;
    }
    // They stand around the control unit, half way to the devices; the peer stands where it does.
    const Vector centre = m_cluster.controlUnit->GetObject<MobilityModel>()->GetPosition();
    Ptr<Node> peer = CreateUserNode(centre);
    NodeContainer nodes(peer);
    for (uint32_t i = 0; i < m_config.backgroundUsers; ++i)
    {
        const double angle = 2 * M_PI * (i + 0.5) / m_config.backgroundUsers;
        const double radius = std::max(TopologyConfig::MIN_DISTANCE_M, m_config.clusterRadiusM / 2);
        BackgroundUser user;
        user.name = "wifi" + std::to_string(m_index) + "-u" + std::to_string(i);
        user.peer = peer;
        user.node =
            CreateUserNode(centre + Vector(radius * std::cos(angle), radius * std::sin(angle), 0));
        nodes.Add(user.node);
        m_users.push_back(user);
    }
    m_nodes.Add(nodes);
}

const NodeContainer&
WifiChannel::GetNodes() const
{
    return m_nodes;
}

const std::vector<BackgroundUser>&
WifiChannel::GetUsers() const
{
    return m_users;
}

const std::vector<Ptr<PropagationLossModel>>&
WifiChannel::GetModels() const
{
    return m_models;
}

int64_t
WifiChannel::AssignStreams(int64_t stream)
{
    return m_pathLoss->AssignStreams(stream);
}

bool
WifiChannel::HasShares() const
{
    TypeId disc;
    return TypeId::LookupByNameFailSafe(m_config.wifiQueueDisc, &disc) &&
           (disc == AirtimeQueueDisc::GetTypeId() || disc.IsChildOf(AirtimeQueueDisc::GetTypeId()));
}

PoolState
WifiChannel::GetPool() const
{
    PoolState channel = MakeWifiPool(m_config.wifiChannelWidthMhz, m_config.sharing);
    channel.priorities = HasShares() && m_config.sharing == Sharing::WORK_CONSERVING;
    return channel;
}

LinkState
WifiChannel::MakeLink(Ptr<Node> from, Ptr<Node> to, double fading) const
{
    return MakeWifiLink(fading * m_pathLoss->GetGain(from, to),
                        m_config.wifiPowerDbm,
                        m_config.wifiNoiseFigureDb,
                        GetPool());
}

double
WifiChannel::GetFading(Ptr<Node> from, Ptr<Node> to) const
{
    if (!m_config.wifiPathLoss.fading)
    {
        return 1;
    }
    const double gainDb = m_models.back()->CalcRxPower(0,
                                                       from->GetObject<MobilityModel>(),
                                                       to->GetObject<MobilityModel>());
    return std::pow(10.0, gainDb / 10);
}

double
WifiChannel::GetReceivedDbm(Ptr<Node> from, Ptr<Node> to) const
{
    return m_config.wifiPowerDbm + 10 * std::log10(m_pathLoss->GetGain(from, to));
}

bool
WifiChannel::IsInReach(Ptr<Node> from, Ptr<Node> to) const
{
    return GetReceivedDbm(from, to) >= MIN_RX_POWER_DBM;
}

void
WifiChannel::FillD2d(ClusterState& state) const
{
    state.d2d = GetPool();
    for (uint32_t i = 0; i < m_cluster.GetN(); ++i)
    {
        for (uint32_t j = 0; j < m_cluster.GetN(); ++j)
        {
            if (i != j)
            {
                state.d2dLinks[i][j] = MakeLink(m_cluster.GetNode(i), m_cluster.GetNode(j));
            }
        }
    }
}

std::string
WifiChannel::CheckReach() const
{
    for (uint32_t i = 0; i < m_cluster.GetN(); ++i)
    {
        for (uint32_t j = 0; j < i; ++j)
        {
            const double powerDbm = GetReceivedDbm(m_cluster.GetNode(i), m_cluster.GetNode(j));
            if (powerDbm < MIN_RX_POWER_DBM)
            {
                std::ostringstream text;
                text << "two nodes of cluster " << m_index << " hear each other over Wi-Fi with "
                     << powerDbm << " dBm, " << MIN_RX_POWER_DBM
                     << " dBm are needed: lower the cluster radius or the path loss, or raise the "
                        "power";
                return text.str();
            }
        }
    }
    return std::string();
}

} // namespace collapipe
} // namespace ns3
