/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-helper.h"

#include "collapipe-actuator-choice.h"
#include "collapipe-model-profile.h"
#include "collapipe-run-options.h"

#include "ns3/abort.h"
#include "ns3/collapipe-adopted-topology.h"
#include "ns3/collapipe-cluster-monitor.h"
#include "ns3/collapipe-sample-source.h"
#include "ns3/double.h"
#include "ns3/object-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Sets the speed of a node's processor.
void
SetProcessor(Ptr<Processor> processor, double flops, double overheadS, uint32_t workers)
{
    processor->SetAttribute("Flops", DoubleValue(flops));
    processor->SetAttribute("Overhead", TimeValue(Seconds(overheadS)));
    processor->SetAttribute("Workers", UintegerValue(workers));
}

/// What a topology says of the links of a cell
class TopologyExpectations : public LinkExpectations
{
  public:
    /**
     * @param topology that was built; must outlive this
     * @param clusters of the cell
     */
    TopologyExpectations(const TopologyHelper& topology, std::vector<ClusterId> clusters)
        : m_topology(topology),
          m_clusters(std::move(clusters))
    {
    }

    void FillLinks(SystemState& state) const override
    {
        m_topology.FillLinks(state, m_clusters);
    }

  private:
    const TopologyHelper& m_topology;        //!< the network
    const std::vector<ClusterId> m_clusters; //!< of the cell
};

} // namespace

CollaPipeHelper::CollaPipeHelper(std::shared_ptr<const TrainingContext> context)
    : m_context(std::move(context))
{
}

CollaPipeHelper::CollaPipeHelper(const RunConfig& config)
    : m_config(std::make_unique<RunConfig>(config))
{
    m_config->Complete();
    static const std::set<std::string>
        STOCK{"pcap", "flowMonitor", "netAnim", "compare", "save", "saveEvery", "load"};
    static const std::set<std::string> COMMON{"segmentSize", "tcpBuffer", "actuator"};
    for (const auto& option : MakeOptions(*m_config))
    {
        const bool isOfNetwork =
            option.group == OptionGroup::NETWORK || option.group == OptionGroup::RADIO;
        if (config.GetGiven().count(option.name) > 0 && COMMON.count(option.name) == 0 &&
            (isOfNetwork || STOCK.count(option.name) > 0))
        {
            throw UserError("--" + option.name +
                            ": this program's network is its own; leave the option out");
        }
    }
}

CollaPipeHelper::~CollaPipeHelper() = default;

void
CollaPipeHelper::SetAttribute(const std::string& name, const AttributeValue& value)
{
    m_settings.emplace_back(name, value.Copy());
}

void
CollaPipeHelper::SetControllerAttribute(const std::string& name, const AttributeValue& value)
{
    m_controllerSettings.emplace_back(name, value.Copy());
}

void
CollaPipeHelper::SetDefaultLink(DataRate rate, Time latency)
{
    m_defaultRate = rate;
    m_defaultLatency = latency;
}

void
CollaPipeHelper::EnableResults(const std::string& directory)
{
    m_results = directory;
}

void
CollaPipeHelper::SetController(Ptr<Controller> controller)
{
    m_controllers = {controller};
}

void
CollaPipeHelper::SetControllers(std::vector<Ptr<Controller>> controllers)
{
    m_controllers = std::move(controllers);
}

void
CollaPipeHelper::SetLinkMonitor(const std::string& name)
{
    m_linkMonitor = name;
}

void
CollaPipeHelper::SetActuator(Ptr<RadioActuator> actuator)
{
    m_actuator = actuator;
}

void
CollaPipeHelper::SetBattery(double batteryJ)
{
    m_batteryJ = batteryJ;
}

void
CollaPipeHelper::SetTraining(const TrainingProfile& training)
{
    m_training = training;
}

void
CollaPipeHelper::SetRounds(uint32_t rounds)
{
    m_rounds = rounds;
}

void
CollaPipeHelper::SetEdge(const EdgeState& edge)
{
    m_edge = edge;
}

void
CollaPipeHelper::SetProfiles(const DeviceProfile& controlUnit, std::vector<DeviceProfile> devices)
{
    m_controlUnit = controlUnit;
    m_devices = std::move(devices);
}

void
CollaPipeHelper::SetBackgroundPrograms(double programs)
{
    m_backgroundPrograms = programs;
}

void
CollaPipeHelper::SetData(std::vector<std::vector<const Sample*>> clusters, uint64_t seed)
{
    m_data = std::move(clusters);
    m_seed = seed;
}

void
CollaPipeHelper::SetValidation(const std::vector<Sample>* validation)
{
    m_validation = validation;
}

void
CollaPipeHelper::SetModel(ModelState model)
{
    m_model = std::move(model);
}

const DeviceProfile&
CollaPipeHelper::GetProfile(NodeIndex index) const
{
    return index == CONTROL_UNIT ? m_controlUnit : m_devices[(index - 1) % m_devices.size()];
}

SystemState
CollaPipeHelper::GetInitialState(const TopologyHelper& topology) const
{
    SystemState state;
    state.model = MakeModelProfile(*m_context);
    state.training = m_training;
    state.training.clipping = m_context->optimizer.clipNorm > 0;
    state.learning.stepSize = m_context->optimizer.learningRate;
    state.edge = m_edge;
    state.edge.queues = true; // as Processor has it
    topology.FillLinks(state);
    std::size_t samples = 0;
    for (const auto& cluster : m_data)
    {
        samples += cluster.size();
    }
    for (std::size_t cluster = 0; cluster < state.clusters.size(); ++cluster)
    {
        auto& target = state.clusters[cluster];
        target.weight = static_cast<double>(m_data[cluster].size()) / samples;
        for (NodeIndex index = 0; index <= target.devices.size(); ++index)
        {
            auto& node = index == CONTROL_UNIT ? target.controlUnit : target.devices[index - 1];
            const auto& profile = GetProfile(index);
            node.name = profile.name;
            node.flops = profile.flops;
            node.overheadS = profile.overheadS;
            node.memoryBytes = profile.memoryBytes;
            node.computePowerW = profile.computePowerW;
            node.clocks = profile.clocks;
            node.staticPart = profile.clocks.empty() ? 0 : profile.staticPart;
            node.energyBudgetJ = profile.energyBudgetJ;
        }
    }
    return state;
}

SystemState
CollaPipeHelper::GetInitialState(const TopologyHelper& topology, uint32_t cell) const
{
    auto state = GetInitialState(topology);
    std::vector<ClusterState> clusters;
    for (const auto cluster : topology.GetNetwork().GetClusters(cell))
    {
        clusters.push_back(state.clusters[cluster.number]);
    }
    state.clusters = std::move(clusters);
    return state;
}

RunApplications
CollaPipeHelper::Install(TopologyHelper& topology) const
{
    const auto& network = topology.GetNetwork();
    NS_ABORT_MSG_IF(m_devices.empty() || m_data.size() != network.clusters.size() ||
                        m_controllers.size() != network.cells.size(),
                    "CollaPipeHelper needs device profiles, data for each cluster, and a "
                    "controller for each cell");
    RunApplications applications;
    for (uint32_t cell = 0; cell < network.cells.size(); ++cell)
    {
        applications.edgeServers.push_back(InstallEdgeServer(network, cell));
    }
    applications.edgeServer = applications.edgeServers.front();
    applications.leader = applications.edgeServer;
    if (network.leadServer)
    {
        applications.leader = InstallLead(network);
    }
    SetLeader(applications.leader);
    for (uint32_t cluster = 0; cluster < network.clusters.size(); ++cluster)
    {
        applications.clusters.emplace_back();
        for (NodeIndex index = 0; index < network.clusters[cluster].GetN(); ++index)
        {
            applications.clusters.back().push_back(InstallNode(network, cluster, index));
        }
    }
    SetAttributes(applications);
    InstallLoops(topology, applications);
    InstallMonitors(topology, applications);
    const auto meter = CreateObject<NodeEnergyMeter>();
    meter->Install(applications.clusters, m_batteryJ);
    meter->Follow(applications.leader);
    applications.meter = meter;
    for (const auto& loop : applications.loops)
    {
        loop->SetEnergyMeter(meter);
    }
    return applications;
}

void
CollaPipeHelper::InstallLoops(const TopologyHelper& topology, RunApplications& applications) const
{
    const auto actuator = m_actuator ? m_actuator : topology.CreateActuator();
    for (uint32_t cell = 0; cell < applications.edgeServers.size(); ++cell)
    {
        const auto& edge = applications.edgeServers[cell];
        const auto& ids = edge->GetClusterIds();
        const auto loop = CreateObject<ControlLoop>();
        for (const auto& [name, value] : m_controllerSettings)
        {
            NS_ABORT_MSG_IF(!m_controllers[cell]->SetAttributeFailSafe(name, *value),
                            "the controller has no attribute " << name << " that takes this value");
        }
        loop->SetController(m_controllers[cell]);
        loop->SetSystemState(GetInitialState(topology, cell));
        loop->SetExpectations(CreateObject<TopologyExpectations>(topology, ids));
        loop->SetActuator(actuator);
        loop->Install(edge, applications.GetClusters(ids));
        applications.loops.push_back(loop);
    }
}

void
CollaPipeHelper::InstallMonitors(TopologyHelper& topology, RunApplications& applications) const
{
    if (m_linkMonitor.empty())
    {
        return;
    }
    std::vector<ClusterMonitor> byCluster(applications.clusters.size());
    for (const auto& loop : applications.loops)
    {
        const auto monitor = ObjectFactory(m_linkMonitor).Create<LinkMonitor>();
        loop->SetLinkMonitor(monitor);
        const auto& ids = loop->GetClusterIds();
        for (uint32_t m = 0; m < ids.size(); ++m)
        {
            byCluster[ids[m].number] = {monitor, m};
        }
    }
    if (auto* radios = dynamic_cast<MonitoredRadios*>(&topology))
    {
        radios->ConnectMonitors(byCluster);
    }
}

Ptr<EdgeServerApplication>
CollaPipeHelper::InstallEdgeServer(const Network& network, uint32_t cell) const
{
    Ptr<EdgeServerApplication> application = CreateObject<EdgeServerApplication>();
    if (network.leadServer)
    {
        application = CreateObject<CellServerApplication>();
        application->SetAttribute("Cell", UintegerValue(cell));
        application->SetAttribute("LeadAddress", Ipv4AddressValue(network.leadAddress));
    }
    const auto clusters = network.GetClusters(cell);
    application->SetContext(m_context);
    std::vector<ClusterAddresses> addresses;
    for (const auto cluster : clusters)
    {
        addresses.push_back(network.clusters[cluster.number].addresses);
    }
    application->SetClusters(addresses, clusters);
    SetProcessor(application->GetProcessor(), m_edge.flops, m_edge.overheadS, m_edge.workers);
    network.cells[cell].edgeServer->AddApplication(application);
    application->SetStartTime(network.readyAt);
    return application;
}

Ptr<LeadServerApplication>
CollaPipeHelper::InstallLead(const Network& network) const
{
    auto application = CreateObject<LeadServerApplication>();
    application->SetAttribute("Cells", UintegerValue(network.cells.size()));
    application->SetContext(m_context);
    network.leadServer->AddApplication(application);
    application->SetStartTime(network.readyAt);
    return application;
}

void
CollaPipeHelper::SetLeader(Ptr<ModelServerApplication> server) const
{
    server->SetAttribute("Rounds", UintegerValue(m_rounds));
    server->SetModel(m_model);
    server->SetValidation(m_validation);
}

Ptr<StageApplication>
CollaPipeHelper::InstallNode(const Network& network, uint32_t cluster, NodeIndex index) const
{
    Ptr<StageApplication> application;
    if (index == CONTROL_UNIT)
    {
        application = CreateObject<ControlUnitApplication>();
        application->SetData(MakeSampleSource(m_data[cluster], m_seed, cluster, index),
                             m_data[cluster].size());
    }
    else
    {
        application = CreateObject<DeviceApplication>();
        std::vector<const Sample*> share;
        const std::size_t devices = network.clusters[cluster].devices.size();
        for (std::size_t i = index - 1; i < m_data[cluster].size(); i += devices)
        {
            share.push_back(m_data[cluster][i]);
        }
        const auto samples = share.size();
        application->SetData(MakeSampleSource(std::move(share), m_seed, cluster, index), samples);
    }
    const auto& profile = GetProfile(index);
    application->SetContext(m_context);
    application->SetAttribute("Cluster", UintegerValue(cluster));
    application->SetAttribute("NodeIndex", UintegerValue(index));
    const auto& cell = network.cells[network.clusters[cluster].cell];
    application->SetAttribute("EdgeAddress", Ipv4AddressValue(cell.edgeAddress));
    application->SetAttribute("MemoryBytes", DoubleValue(profile.memoryBytes));
    application->SetAttribute("ComputePowerW", DoubleValue(profile.computePowerW));
    SetProcessor(application->GetProcessor(), profile.flops, profile.overheadS, 1);
    application->GetProcessor()->SetAttribute("StaticPart", DoubleValue(profile.staticPart));
    application->SetClocks(profile.clocks);
    if (m_backgroundPrograms > 0)
    {
        auto load = CreateObject<BackgroundLoad>();
        load->SetAttribute("MeanPrograms", DoubleValue(m_backgroundPrograms));
        application->GetProcessor()->SetBackgroundLoad(load);
    }
    network.clusters[cluster].GetNode(index)->AddApplication(application);
    application->SetStartTime(network.readyAt);
    return application;
}

void
CollaPipeHelper::SetAttributes(const RunApplications& applications) const
{
    for (const auto& [name, value] : m_settings)
    {
        bool isKnown = false;
        for (const auto& application : applications.GetAll())
        {
            isKnown |= application->SetAttributeFailSafe(name, *value);
        }
        NS_ABORT_MSG_IF(!isKnown,
                        "no CollaPipe application has an attribute " << name
                                                                     << " that takes this value");
    }
}

InstalledTraining
CollaPipeHelper::Install(Ptr<Node> edgeServer,
                         const NodeContainer& controlUnits,
                         const NodeContainer& devices)
{
    const uint32_t clusters = controlUnits.GetN();
    NS_ABORT_MSG_IF(clusters == 0 || devices.GetN() == 0 || devices.GetN() % clusters != 0,
                    devices.GetN() << " devices cannot be dealt out to " << clusters
                                   << " control units; give a NodeContainer for each of them");
    std::vector<NodeContainer> byCluster(clusters);
    for (uint32_t i = 0; i < devices.GetN(); ++i)
    {
        byCluster[i / (devices.GetN() / clusters)].Add(devices.Get(i));
    }
    return Install(edgeServer, controlUnits, byCluster);
}

InstalledTraining
CollaPipeHelper::Install(Ptr<Node> edgeServer,
                         const NodeContainer& controlUnits,
                         const std::vector<NodeContainer>& devices)
{
    NS_ABORT_MSG_IF(!m_config, "nodes of one's own need a CollaPipeHelper with a RunConfig");
    auto topology = std::make_unique<AdoptedTopologyHelper>(edgeServer, controlUnits, devices);
    topology->SetDefaultLink(m_defaultRate, m_defaultLatency);
    m_config->clusters = controlUnits.GetN();
    m_config->cells = 1;
    m_config->devices = 0;
    for (const auto& cluster : devices)
    {
        m_config->devices = std::max(m_config->devices, cluster.GetN());
    }
    m_config->outputDir = m_results;
    InstalledTraining training(*m_config, std::move(topology));
    const auto& setup = training.GetSetup();
    CollaPipeHelper helper(setup.GetContext());
    setup.Configure(helper);
    TakeSettings(helper);
    helper.m_actuator =
        m_actuator ? m_actuator : ChooseActuator(training.GetTopology(), m_config->actuator);
    if (!helper.m_actuator)
    {
        throw UserError("actuator " + m_config->actuator +
                        ": the nodes have no such radio; take auto, none or wifi");
    }
    if (m_controllers.empty()) // one of the user's own is not to be asked before its time
    {
        const auto state = helper.GetInitialState(training.GetTopology());
        const auto controller = setup.CreateController(m_config->controller, 0);
        const auto reason = controller->Decide(state).infeasible;
        if (!reason.empty())
        {
            throw UserError(reason);
        }
    }
    setup.SetModel(helper);
    training.Complete(helper.Install(training.GetTopology()));
    return training;
}

void
CollaPipeHelper::TakeSettings(CollaPipeHelper& helper) const
{
    helper.m_settings = m_settings;
    helper.m_controllerSettings = m_controllerSettings;
    helper.m_linkMonitor = m_linkMonitor;
    if (!m_controllers.empty())
    {
        helper.m_controllers = m_controllers;
    }
    if (!m_devices.empty())
    {
        helper.SetProfiles(m_controlUnit, m_devices);
    }
    if (m_edge.flops > 0)
    {
        helper.m_edge = m_edge;
    }
    helper.m_batteryJ = m_batteryJ > 0 ? m_batteryJ : helper.m_batteryJ;
}

} // namespace collapipe
} // namespace ns3
