/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-topology.h"

#include "collapipe-hybrid-topology.h"
#include "collapipe-lte-topology.h"
#include "collapipe-node-capture.h"
#include "collapipe-p2p-topology.h"
#include "collapipe-topology-error.h"
#include "collapipe-wifi-topology.h"
#include "collapipe-wired-link.h"

#include "ns3/abort.h"
#include "ns3/box.h"
#include "ns3/config.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/gauss-markov-mobility-model.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/object-factory.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/pointer.h"
#include "ns3/position-allocator.h"
#include "ns3/random-variable-stream.h"
#include "ns3/random-waypoint-mobility-model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeTopology");

namespace
{

constexpr uint32_t IPV4_BYTES = 20; //!< header without options
constexpr uint32_t TCP_BYTES = 32;  //!< header with the timestamp option

/// The topologies by name
std::map<std::string, TopologyHelper::Factory>&
GetFactories()
{
    static std::map<std::string, TopologyHelper::Factory> factories{
        {"hybrid", [] { return std::make_unique<HybridTopologyHelper>(); }},
        {"lte", [] { return std::make_unique<LteTopologyHelper>(); }},
        {"p2p", [] { return std::make_unique<P2pTopologyHelper>(); }},
        {"wifi", [] { return std::make_unique<WifiTopologyHelper>(); }},
    };
    return factories;
}

/// A point on a circle
Vector
OnCircle(const Vector& centre, double radiusM, double turn)
{
    const double angle = 2 * M_PI * turn;
    return Vector(centre.x + radiusM * std::cos(angle),
                  centre.y + radiusM * std::sin(angle),
                  centre.z);
}

/**
 * @param cell an index
 * @return its place on a hexagonal grid of unit distance, counted ring by ring from the middle
 */
Vector
GetGridPlace(uint32_t cell)
{
    if (cell == 0)
    {
        return Vector(0, 0, 0);
    }
    uint32_t ring = 1;
    uint32_t step = cell - 1; // within the ring
    for (; step >= 6 * ring; ++ring)
    {
        step -= 6 * ring;
    }
    // From one corner of the ring towards the next
    const Vector corner = OnCircle(Vector(0, 0, 0), ring, (step / ring) / 6.0);
    return OnCircle(corner, step % ring, (step / ring + 2) / 6.0);
}

/// Makes what the network and its first cell say of the same servers agree
void
JoinFirstCell(Network& network)
{
    // A topology that knows of one cell only sets what is the network's
    CellNetwork& cell = network.cells.front();
    if (cell.edgeAddress != Ipv4Address())
    {
        network.edgeAddress = cell.edgeAddress;
        network.baseStation = cell.baseStation;
    }
    else
    {
        cell.edgeAddress = network.edgeAddress;
        cell.baseStation = network.baseStation;
    }
}

/// A node that stays
Ptr<MobilityModel>
MakeFixedPosition(const Vector& position)
{
    auto model = CreateObject<ConstantPositionMobilityModel>();
    model->SetPosition(position);
    return model;
}

/// Straight walks from point to point of a disc, with pauses of up to 10 s
Ptr<MobilityModel>
MakeWaypoints(const Vector& centre, double radiusM, double speedMps)
{
    auto points = CreateObject<UniformDiscPositionAllocator>();
    points->SetX(centre.x);
    points->SetY(centre.y);
    points->SetRho(radiusM);
    auto speed = CreateObject<UniformRandomVariable>();
    speed->SetAttribute("Min", DoubleValue(0.5 * speedMps));
    speed->SetAttribute("Max", DoubleValue(1.5 * speedMps));
    auto pause = CreateObject<UniformRandomVariable>();
    pause->SetAttribute("Max", DoubleValue(10));
    auto model = CreateObject<RandomWaypointMobilityModel>();
    model->SetAttribute("PositionAllocator", PointerValue(points));
    model->SetAttribute("Speed", PointerValue(speed));
    model->SetAttribute("Pause", PointerValue(pause));
    return model;
}

/// Correlated changes of speed and direction every second, turned back at the sides of a square
Ptr<MobilityModel>
MakeGaussMarkov(const Vector& centre, double radiusM, double speedMps)
{
    const Box bounds(centre.x - radiusM,
                     centre.x + radiusM,
                     centre.y - radiusM,
                     centre.y + radiusM,
                     centre.z,
                     centre.z);
    const auto makeUniform = [](double min, double max) {
        auto variable = CreateObject<UniformRandomVariable>();
        variable->SetAttribute("Min", DoubleValue(min));
        variable->SetAttribute("Max", DoubleValue(max));
        return variable;
    };
    auto model = CreateObject<GaussMarkovMobilityModel>();
    model->SetAttribute("Bounds", BoxValue(bounds));
    model->SetAttribute("Alpha", DoubleValue(0.85));
    model->SetAttribute("MeanVelocity", PointerValue(makeUniform(0.5 * speedMps, 1.5 * speedMps)));
    model->SetAttribute("MeanDirection", PointerValue(makeUniform(0, 2 * M_PI)));
    model->SetAttribute("MeanPitch", PointerValue(makeUniform(0, 0)));
    return model;
}

} // namespace

Ptr<Node>
ClusterNetwork::GetNode(uint32_t index) const
{
    return index == 0 ? controlUnit : devices.at(index - 1);
}

uint32_t
ClusterNetwork::GetN() const
{
    return devices.size() + 1;
}

std::vector<uint32_t>
Network::GetClusters(uint32_t cell) const
{
    std::vector<uint32_t> found;
    for (uint32_t m = 0; m < clusters.size(); ++m)
    {
        if (clusters[m].cell == cell)
        {
            found.push_back(m);
        }
    }
    return found;
}

std::unique_ptr<TopologyHelper>
TopologyHelper::Create(const std::string& name)
{
    const auto it = GetFactories().find(name);
    return it == GetFactories().end() ? nullptr : it->second();
}

void
TopologyHelper::Register(const std::string& name, Factory factory)
{
    GetFactories()[name] = std::move(factory);
}

std::vector<std::string>
TopologyHelper::GetNames()
{
    std::vector<std::string> names;
    for (const auto& [name, factory] : GetFactories())
    {
        names.push_back(name);
    }
    return names;
}

TopologyHelper::TopologyHelper() = default;
TopologyHelper::~TopologyHelper() = default;

Network
TopologyHelper::Build(const TopologyConfig& config)
{
    NS_LOG_FUNCTION(this);
    std::string error = config.Validate();
    if (!error.empty())
    {
        throw TopologyError(error);
    }
    NS_ABORT_MSG_IF(m_network.edgeServer, "A topology helper builds one network: create another");
    m_config = config;
    // The fading processes are made by their model, which hands on no attributes
    Config::SetDefault("ns3::JakesProcess::DopplerFrequencyHz",
                       DoubleValue(config.fadingDopplerHz));
    CreateNodes();
    PlaceNodes();
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(GetNodes());
    DoBuild();
    m_network.usersStartAt = m_network.readyAt;
    if (!m_network.users.empty())
    {
        m_network.readyAt += m_config.backgroundLead;
    }
    JoinFirstCell(m_network);
    ConnectLead();
    AssignStreams(m_positionStream);
    DoAttach();
    error = DoCheckLinks();
    if (!error.empty())
    {
        throw TopologyError(error);
    }
    return m_network;
}

void
TopologyHelper::CreateNodes()
{
    m_network.cells.resize(m_config.cells);
    for (auto& cell : m_network.cells)
    {
        cell.edgeServer = CreateObject<Node>();
    }
    m_network.edgeServer = m_network.cells.front().edgeServer;
    if (m_config.cells > 1)
    {
        m_network.leadServer = CreateObject<Node>();
    }
    m_network.clusters.resize(m_config.clusters);
    for (uint32_t m = 0; m < m_config.clusters; ++m)
    {
        ClusterNetwork& cluster = m_network.clusters[m];
        cluster.cell = m % m_config.cells;
        cluster.controlUnit = CreateObject<Node>();
        for (uint32_t k = 0; k < m_config.devicesPerCluster; ++k)
        {
            cluster.devices.push_back(CreateObject<Node>());
        }
    }
}

void
TopologyHelper::PlaceNodes()
{
    m_positionStream = m_config.firstStream;
    for (uint32_t c = 0; c < m_config.cells; ++c)
    {
        CellNetwork& cell = m_network.cells[c];
        const Vector place = GetGridPlace(c);
        cell.position =
            Vector(m_config.cellDistanceM * place.x, m_config.cellDistanceM * place.y, 0);
        cell.edgeServer->AggregateObject(MakeFixedPosition(cell.position));
    }
    if (m_network.leadServer)
    {
        m_network.leadServer->AggregateObject(MakeFixedPosition(Vector(0, 0, 0)));
    }
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        ClusterNetwork& cluster = m_network.clusters[m];
        const Vector middle = m_network.cells[cluster.cell].position;
        const double n = m_network.GetClusters(cluster.cell).size();
        const Vector centre =
            m_config.randomPositions
                ? DrawInDisc(middle,
                             TopologyConfig::MIN_DISTANCE_M,
                             m_config.cellRadiusM - m_config.clusterRadiusM)
                : OnCircle(middle, m_config.clusterDistanceM, m / m_config.cells / n);
        Place(cluster.controlUnit, centre, centre);
        const uint32_t k = cluster.devices.size();
        for (uint32_t i = 0; i < k; ++i)
        {
            Place(cluster.devices[i],
                  m_config.randomPositions
                      ? DrawInDisc(centre, TopologyConfig::MIN_DISTANCE_M, m_config.clusterRadiusM)
                      : OnCircle(centre, m_config.clusterRadiusM, double(i) / k),
                  centre);
        }
    }
}

void
TopologyHelper::Place(Ptr<Node> node, const Vector& position, const Vector& centre)
{
    Ptr<MobilityModel> model;
    if (m_config.mobility == "waypoint")
    {
        model = MakeWaypoints(centre, m_config.clusterRadiusM, m_config.speedMps);
    }
    else if (m_config.mobility == "gauss-markov")
    {
        model = MakeGaussMarkov(centre, m_config.clusterRadiusM, m_config.speedMps);
    }
    else
    {
        model = CreateObject<ConstantPositionMobilityModel>();
    }
    model->SetPosition(position);
    m_positionStream += model->AssignStreams(m_positionStream);
    node->AggregateObject(model);
}

void
TopologyHelper::ConnectLead()
{
    if (!m_network.leadServer)
    {
        return;
    }
    m_network.leadAddress = Ipv4Address("2.0.0.1");
    const LinkEnd lead{m_network.leadServer, m_network.leadAddress};
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        const Ipv4Address address(m_network.leadAddress.Get() + 1 + c);
        m_leadDevices.Add(ConnectWired({m_network.cells[c].edgeServer, address},
                                       lead,
                                       m_config.backhaulRate,
                                       m_config.backhaulDelay));
    }
    m_leadErrors = InstallPacketLoss(m_leadDevices, m_config.packetErrorRate);
}

Vector
TopologyHelper::DrawInDisc(const Vector& centre, double minRadiusM, double maxRadiusM)
{
    Ptr<UniformRandomVariable> uniform = CreateObject<UniformRandomVariable>();
    uniform->SetStream(m_positionStream++);
    const double min2 = minRadiusM * minRadiusM;
    const double max2 = std::max(min2, maxRadiusM * maxRadiusM);
    const double radius = std::sqrt(uniform->GetValue(min2, max2)); // uniform over the area
    return OnCircle(centre, radius, uniform->GetValue(0, 1));
}

void
TopologyHelper::FillLinks(SystemState& state) const
{
    NS_ABORT_MSG_IF(!m_network.edgeServer, "Build the topology before asking for its links");
    state.clusters.resize(m_network.clusters.size());
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        ClusterState& cluster = state.clusters[m];
        const uint32_t nodes = m_network.clusters[m].GetN();
        cluster.devices.resize(nodes - 1);
        cluster.d2dLinks.assign(nodes, std::vector<LinkState>(nodes));
    }
    DoFillLinks(state);
}

void
TopologyHelper::FillLinks(SystemState& state, const std::vector<uint32_t>& clusters) const
{
    SystemState all;
    FillLinks(all);
    state.uplink = all.uplink;
    state.downlink = all.downlink;
    state.clusters.resize(clusters.size());
    const auto copyLinks = [](DeviceState& to, const DeviceState& from) {
        to.uplink = from.uplink;
        to.downlink = from.downlink;
    };
    for (std::size_t i = 0; i < clusters.size(); ++i)
    {
        ClusterState& to = state.clusters[i];
        const ClusterState& from = all.clusters.at(clusters[i]);
        to.d2d = from.d2d;
        to.d2dLinks = from.d2dLinks;
        to.devices.resize(from.devices.size());
        copyLinks(to.controlUnit, from.controlUnit);
        for (std::size_t k = 0; k < from.devices.size(); ++k)
        {
            copyLinks(to.devices[k], from.devices[k]);
        }
    }
}

Ptr<RadioActuator>
TopologyHelper::CreateActuator() const
{
    return CreateObject<NoneActuator>();
}

uint32_t
TopologyHelper::GetCell(uint32_t cluster, uint32_t /* node */) const
{
    return m_network.clusters.at(cluster).cell;
}

void
TopologyHelper::ScheduleHandover(Time /* when */,
                                 uint32_t /* cluster */,
                                 uint32_t /* node */,
                                 uint32_t /* cell */)
{
    NS_ABORT_MSG("This topology has no radios that could be handed over between cells");
}

uint32_t
TopologyHelper::GetHandovers() const
{
    return 0;
}

void
TopologyHelper::EnablePcap(const std::string& prefix)
{
    const bool several = m_network.cells.size() > 1;
    for (uint32_t c = 0; c < m_network.cells.size(); ++c)
    {
        EnableNodeCapture(m_network.cells[c].edgeServer,
                          prefix + "-es" + (several ? std::to_string(c) : "") + ".pcap");
    }
    if (several)
    {
        EnableNodeCapture(m_network.leadServer, prefix + "-lead.pcap");
        PointToPointHelper().EnablePcap(prefix + "-backhaul", m_leadDevices, false);
    }
    for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
    {
        const ClusterNetwork& cluster = m_network.clusters[m];
        const std::string name = prefix + "-c" + std::to_string(m);
        EnableNodeCapture(cluster.controlUnit, name + "-cu.pcap");
        for (uint32_t k = 0; k < cluster.devices.size(); ++k)
        {
            EnableNodeCapture(cluster.devices[k], name + "-d" + std::to_string(k) + ".pcap");
        }
    }
    DoEnablePcap(prefix);
}

int64_t
TopologyHelper::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    stream += InternetStackHelper().AssignStreams(GetNodes(), stream);
    stream += DoAssignStreams(stream);
    for (auto& model : m_leadErrors)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

void
TopologyHelper::DoAttach()
{
}

std::string
TopologyHelper::DoCheckLinks() const
{
    return std::string();
}

const Network&
TopologyHelper::GetNetwork() const
{
    return m_network;
}

NodeContainer
TopologyHelper::GetNodes() const
{
    NodeContainer nodes;
    for (const auto& cell : m_network.cells)
    {
        nodes.Add(cell.edgeServer);
    }
    if (m_network.leadServer)
    {
        nodes.Add(m_network.leadServer);
    }
    for (const auto& cluster : m_network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            nodes.Add(cluster.GetNode(i));
        }
    }
    return nodes;
}

void
TopologyHelper::AddUsers(const std::vector<BackgroundUser>& users)
{
    m_network.users.insert(m_network.users.end(), users.begin(), users.end());
}

double
TopologyHelper::GetPayloadShare(uint32_t linkHeaderBytes) const
{
    const double payload = m_config.segmentBytes;
    return payload / (payload + TCP_BYTES + IPV4_BYTES + linkHeaderBytes);
}

} // namespace collapipe
} // namespace ns3
