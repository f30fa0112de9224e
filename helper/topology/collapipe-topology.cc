/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-topology.h"

#include "collapipe-flow-topology.h"
#include "collapipe-hybrid-topology.h"
#include "collapipe-lte-topology.h"
#include "collapipe-node-capture.h"
#include "collapipe-node-placement.h"
#include "collapipe-p2p-topology.h"
#include "collapipe-radio-powers.h"
#include "collapipe-topology-error.h"
#include "collapipe-wifi-topology.h"
#include "collapipe-wired-link.h"

#include "ns3/abort.h"
#include "ns3/collapipe-cluster-links.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/log.h"
#include "ns3/node-list.h"
#include "ns3/node.h"
#include "ns3/point-to-point-helper.h"

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <map>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

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

/**
 * Captures stay open, and ns-3 aborts where one cannot be opened.
 * @throws TopologyError where a capture of every node and device may be more than the process may
 * have open, whose limit is raised as far as may be
 */
void
CheckDescriptors()
{
    constexpr std::size_t OTHERS = 16; // results and data that are open meanwhile
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    std::size_t needed = OTHERS;
    for (auto node = NodeList::Begin(); node != NodeList::End(); ++node)
    {
        needed += 1 + (*node)->GetNDevices();
    }
    std::vector<int> files;
    for (int file = 0; files.size() < needed && file >= 0;)
    {
        file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        files.insert(files.end(), file >= 0 ? 1 : 0, file);
    }
    std::for_each(files.begin(), files.end(), close);
    if (files.size() < needed)
    {
        throw TopologyError("captures may need " + std::to_string(needed) +
                            " files at a time, and this process may open " +
                            std::to_string(files.size()) +
                            " more; raise the limit (ulimit -n), or do without captures");
    }
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

std::vector<ClusterId>
Network::GetClusters(uint32_t cell) const
{
    std::vector<ClusterId> found;
    for (uint32_t m = 0; m < clusters.size(); ++m)
    {
        if (clusters[m].cell == cell)
        {
            found.emplace_back(m);
        }
    }
    return found;
}

std::unique_ptr<TopologyHelper>
TopologyHelper::Create(const std::string& name, Fidelity fidelity)
{
    if (fidelity == Fidelity::FLOWS)
    {
        return FlowTopologyHelper::Create(name);
    }
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
    const int64_t stream = NodePlacement(m_config, m_network).Place(m_config.firstStream);
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
    AssignStreams(stream);
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
    SetRadioPowers(m_network.clusters, m_config.segmentBytes, state);
}

void
TopologyHelper::FillLinks(SystemState& state, const std::vector<ClusterId>& clusters) const
{
    SystemState all;
    FillLinks(all);
    state.uplink = all.uplink;
    state.downlink = all.downlink;
    state.clusters.resize(clusters.size());
    for (std::size_t i = 0; i < clusters.size(); ++i)
    {
        CopyLinks(all.clusters.at(clusters[i].number), state.clusters[i]);
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
    CheckDescriptors();
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
    // The channels come first, so that they do not depend on what radios and stacks draw
    stream += DoAssignChannelStreams(stream);
    stream += InternetStackHelper().AssignStreams(GetNodes(), stream);
    stream += DoAssignStreams(stream);
    for (auto& model : m_leadErrors)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

int64_t
TopologyHelper::DoAssignChannelStreams(int64_t /* stream */)
{
    return 0;
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
