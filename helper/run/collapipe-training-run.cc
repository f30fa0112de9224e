/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-training-run.h"

#include "collapipe-actuator-choice.h"
#include "collapipe-background-results.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/collapipe-topology-error.h"
#include "ns3/config-store.h"
#include "ns3/config.h"
#include "ns3/log.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <chrono>
#include <sstream>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeTrainingRun");

namespace
{

constexpr int64_t BACKGROUND_STREAM = 50000; //!< after the applications', before the topology's

/**
 * @param rate share of packets lost on wires
 * @return the end of a sentence about a run that does not go on; empty where TCP makes them good
 */
std::string
DescribeLoss(double rate)
{
    constexpr double BEARABLE = 0.05; // a segment is lost seven times in a row once in 1e7
    std::ostringstream text;
    text << "; wires lose " << 100 * rate
         << " % of all packets (--packetErrorRate), which is more than TCP may make good";
    return rate > BEARABLE ? text.str() : "";
}

/// @return the configuration with the defaults of its task
RunConfig
Complete(RunConfig config)
{
    config.Complete();
    return config;
}

} // namespace

TrainingRun::TrainingRun(const RunConfig& config)
    : m_config(Complete(config)),
      m_progress(m_config.progress, m_config.rounds),
      m_setup(std::make_unique<TrainingSetup>(m_config, m_progress))
{
    if (!m_config.outputDir.empty())
    {
        m_output = std::make_unique<OutputDirectory>(m_config.outputDir);
    }
    ConfigStore store; // does what --ns3::ConfigStore::Mode says; nothing by default
    store.ConfigureDefaults();
    RngSeedManager::SetSeed(static_cast<uint32_t>(m_config.seed));
    RngSeedManager::SetRun(m_config.run);
    m_setup->Load();
    BuildNetwork();
    InstallApplications();
    StartBackground();
    StartTools();
    store.ConfigureAttributes();
}

TrainingRun::~TrainingRun()
{
    // Applications hold parts that compute on the executor's threads: they go before it.
    m_faults.reset();
    m_results.reset();
    m_background.reset();
    m_applications = RunApplications();
    Simulator::Destroy();
    m_tools.reset();
}

void
TrainingRun::BuildNetwork()
{
    m_progress.Step("building the network");
    if (m_config.topology == "p2p")
    {
        constexpr uint32_t HEADER_BYTES = 120; // TCP and IPv4 with all their options
        Config::SetDefault("ns3::PointToPointNetDevice::Mtu",
                           UintegerValue(std::max(1500U, m_config.segmentSize + HEADER_BYTES)));
    }
    m_topology = TopologyHelper::Create(m_config.topology, m_config.GetFidelity());
    if (!m_topology)
    {
        throw UserError("--fidelity=" + m_config.fidelity + ": the topology " + m_config.topology +
                        " has packets only; take --topology=wifi, lte or hybrid");
    }
    try
    {
        m_topology->Build(m_config.GetTopologyConfig());
    }
    catch (const TopologyError& error)
    {
        throw UserError(std::string("--topology=") + m_config.topology + ": " + error.what());
    }
    if (m_config.pcap && m_output)
    {
        try
        {
            m_topology->EnablePcap(m_output->GetPath("collapipe"));
        }
        catch (const TopologyError& error)
        {
            throw UserError(std::string("--pcap: ") + error.what());
        }
    }
}

std::string
TrainingRun::CheckController(const std::string& controller) const
{
    std::string infeasible;
    for (uint32_t cell = 0; cell < m_initialStates.size() && infeasible.empty(); ++cell)
    {
        const auto plan =
            m_setup->CreateController(controller, cell)->Decide(m_initialStates[cell]);
        infeasible = plan.infeasible.empty() ? CheckSamples(plan, cell) : plan.infeasible;
    }
    return infeasible;
}

std::string
TrainingRun::CheckSamples(const RoundPlan& plan, uint32_t cell) const
{
    const auto clusters = m_topology->GetNetwork().GetClusters(cell);
    for (uint32_t m = 0; m < plan.clusters.size(); ++m)
    {
        // Dealt out to its devices in turn
        const auto samples = m_setup->GetClusterData()[clusters[m].number].size();
        for (const auto& chain : plan.clusters[m].chains)
        {
            const NodeIndex first = chain.stages.front().node;
            if (first != CONTROL_UNIT && first != EDGE_SERVER && first > samples)
            {
                return GetNodeName(clusters[m], first) +
                       " would train on data of its own but has " + "none: its cluster's " +
                       std::to_string(samples) + " samples do not go round its " +
                       std::to_string(m_config.devices) +
                       " devices; use more data or fewer --devices";
            }
        }
    }
    return "";
}

void
TrainingRun::InstallApplications()
{
    CollaPipeHelper helper(m_setup->GetContext());
    m_setup->Configure(helper);
    helper.SetActuator(CreateActuator());
    // Before the parameters are there: a model that is too large may not fit into this machine.
    for (uint32_t cell = 0; cell < m_config.cells; ++cell)
    {
        m_initialStates.push_back(helper.GetInitialState(*m_topology, cell));
    }
    const auto infeasible = CheckController(m_config.controller);
    if (!infeasible.empty())
    {
        throw UserError(ExplainInfeasible(infeasible));
    }
    m_setup->SetModel(helper);
    m_applications = helper.Install(*m_topology);
    m_setup->Connect(m_applications);
    ConnectWarnings();
    StartFaults();
    m_results = std::make_unique<RunResults>(m_applications,
                                             m_output.get(),
                                             uint64_t{m_config.timelineSizeMb} * 1000000,
                                             m_config.timelineGzip);
    auto& recorder = m_results->GetRecorder();
    m_setup->GetCheckpoints().Connect(m_applications, m_setup->GetContext()->model, recorder);
    recorder.SetProgressCallback([this](double share) { m_progress.Update(share); });
    recorder.SetRowCallback([this](const RoundRow& row) { m_progress.EndRound(row); });
    m_results->WarnOfWaits([this](const std::string& warning) { m_progress.Warn(warning); });
    m_applications.leader->TraceConnectWithoutContext(
        "Finished",
        MakeCallback(static_cast<void (*)()>(&Simulator::Stop)));
}

std::string
TrainingRun::ExplainInfeasible(const std::string& reason) const
{
    if (reason.find("memory") == reason.npos)
    {
        return reason;
    }
    const auto share = std::to_string(m_config.memoryShare);
    const std::string limit =
        m_config.memoryShare > 0
            ? "--memoryShare=" + share.substr(0, share.find_last_not_of("0.") + 1) +
                  " limits what devices give; 0 is all that they have"
            : "--deviceProfiles says what devices have";
    const bool isFrozen = m_setup->GetContext()->model.trained != TrainedPart::ALL;
    const std::string less = isFrozen && m_config.learning.basePrecision == "fp32"
                                 ? "--basePrecision=bf16 or int8, "
                                 : "";
    return reason + " (" + limit + "; " + less +
           "--recompute=auto or a smaller --model needs less)";
}

Ptr<RadioActuator>
TrainingRun::CreateActuator() const
{
    const auto actuator = ChooseActuator(*m_topology, m_config.actuator);
    if (!actuator)
    {
        throw UserError("--actuator=" + m_config.actuator + ": the topology " + m_config.topology +
                        " has no such radio; take auto, none, or lte, wifi, hybrid where it has");
    }
    return actuator;
}

void
TrainingRun::ConnectWarnings()
{
    m_applications.meter->TraceConnectWithoutContext("Empty",
                                                     MakeCallback(&TrainingRun::HandleEmpty, this));
    for (const auto& loop : m_applications.loops)
    {
        loop->SetInfeasibleCallback([this](const std::string& reason) {
            m_stopReason = reason;
            Simulator::Stop();
        });
    }
}

void
TrainingRun::HandleEmpty(uint32_t cluster, NodeIndex node)
{
    m_progress.Warn("the battery of " + GetNodeName(ClusterId(cluster), node) +
                    " is empty: the next rounds do without it");
}

void
TrainingRun::StartFaults()
{
    ObjectFactory policy(RecoveryTypeName(m_config.recovery));
    for (const auto& edge : m_applications.edgeServers)
    {
        edge->SetRecovery(policy.Create<RecoveryPolicy>());
        edge->SetAttribute("Patience", TimeValue(Seconds(m_config.patienceS)));
    }
    // A lead has the attribute, too
    m_applications.leader->SetAttribute("Patience", TimeValue(Seconds(m_config.patienceS)));
    m_faults = std::make_unique<CollaPipeFaultHelper>(m_applications, m_topology->GetNetwork());
    try
    {
        m_faults->Install(FaultSchedule::Load(m_config.faults));
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--faults=" + m_config.faults + ": " + error.what());
    }
    m_faults->SetDeadline(Seconds(m_config.deadlineS), [this](const std::string& reason) {
        m_stopReason = reason + DescribeLoss(m_config.packetErrorRate);
        Simulator::Stop();
    });
}

void
TrainingRun::StartBackground()
{
    const auto traffic = BackgroundConfig::Parse(m_config.background);
    if (traffic.kinds.empty())
    {
        return;
    }
    const Network& network = m_topology->GetNetwork();
    m_background = std::make_unique<BackgroundTraffic>(traffic,
                                                       network.users,
                                                       network.usersStartAt,
                                                       network.readyAt);
    m_background->AssignStreams(BACKGROUND_STREAM);
}

void
TrainingRun::StartTools()
{
    if (!m_output)
    {
        return;
    }
    m_tools = std::make_unique<Ns3Tools>(*m_topology);
    if (m_config.flowMonitor)
    {
        m_tools->EnableFlowMonitor(m_output->GetPath("flows.xml"));
    }
    if (m_config.netAnim)
    {
        m_tools->EnableNetAnim(m_output->GetPath("netanim.xml"));
    }
}

void
TrainingRun::Run()
{
    Simulate();
    Save();
}

void
TrainingRun::Simulate()
{
    m_progress.Step("simulating");
    const auto start = std::chrono::steady_clock::now();
    SetInterruptHandler([] {
        Simulator::ScheduleWithContext(Simulator::NO_CONTEXT,
                                       Time(),
                                       static_cast<void (*)()>(&Simulator::Stop));
    });
    try
    {
        Simulator::Run();
    }
    catch (const TopologyError& error)
    {
        throw UserError(std::string("--topology=") + m_config.topology + ": " + error.what());
    }
    m_applications.leader->GetEvaluations();
    // What has ended is kept; a run beside this one need not be waited for
    SetInterruptHandler(StopChildProcess);
    if (m_background)
    {
        m_backgroundFlows = m_background->GetFlows();
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    m_progress.Finish();
    const auto table = m_faults->GetAccount().GetTable();
    if (!table.empty())
    {
        m_progress.Say(table);
    }
    if (m_background)
    {
        m_progress.Say(DescribeBackground(m_backgroundFlows) + '\n');
    }
    const bool isDone = GetRecorder().GetRounds().size() >= m_config.rounds;
    if (GetRecorder().GetRounds().empty() && !m_stopReason.empty())
    {
        throw UserError("no round has ended: " + m_stopReason);
    }
    if (GetInterruptSignal() != 0 && !isDone)
    {
        TellInterruption();
    }
    else if (!m_stopReason.empty())
    {
        m_progress.Warn("the run ended after round " +
                        std::to_string(GetRecorder().GetRounds().size()) + ": " + m_stopReason);
    }
    else if (!isDone)
    {
        throw UserError("the simulation ended in round " +
                        std::to_string(GetRecorder().GetRounds().size() + 1) +
                        " with nothing left to do; a node has lost its connection");
    }
    CompleteSummary(wall.count());
}

void
TrainingRun::TellInterruption()
{
    const auto rounds = GetRecorder().GetRounds().size();
    if (rounds == 0)
    {
        m_progress.Warn("interrupted before the first round had ended: there are no results");
        LeaveInterrupted();
    }
    m_summary.isInterrupted = true;
    m_progress.Warn("interrupted in round " + std::to_string(rounds + 1) + ": the " +
                    (rounds == 1 ? "round" : std::to_string(rounds) + " rounds") + " before it " +
                    (rounds == 1 ? "is" : "are") + " kept" +
                    (m_output ? " in " + m_output->GetFinalPath() : ""));
}

int
TrainingRun::GetExitStatus() const
{
    constexpr int NOT_SAVED = 2;
    return GetInterruptSignal() != 0             ? 128 + GetInterruptSignal()
           : m_setup->GetCheckpoints().IsSaved() ? 0
                                                 : NOT_SAVED;
}

void
TrainingRun::CompleteSummary(double wallS)
{
    const auto& model = m_applications.leader->GetModel();
    m_results->Complete(m_setup->GetContext()->model, m_summary);
    m_setup->Describe(m_summary);
    if (!m_summary.isInterrupted) // who interrupts a run does not want to wait
    {
        m_setup->Score(model, m_summary);
    }
    m_setup->Export(model);
    m_summary.wallS = wallS;
    m_summary.handovers = m_topology->GetHandovers();
    m_summary.failures = m_faults->GetAccount().GetUnexplained();
}

void
TrainingRun::Save()
{
    if (!m_output)
    {
        return;
    }
    m_tools->Save();
    if (!m_config.faults.empty())
    {
        m_faults->GetAccount().Write(m_output->GetPath("faults.csv"), m_faults->GetReplicaBytes());
    }
    if (m_background)
    {
        WriteBackground(m_output->GetPath("background.csv"), m_backgroundFlows);
    }
    m_background.reset();
    // Closes the captures, which the radios hold open; whoever holds applications holds radios.
    // What is left to ask for was copied before.
    m_faults.reset();
    m_results->Detach();
    for (const auto& loop : m_applications.loops)
    {
        loop->Dispose();
    }
    m_applications = RunApplications();
    Simulator::Destroy();
    m_topology.reset();
    m_tools.reset();
    m_results->WriteRows(m_summary);
    m_setup->GetCheckpoints().Restore(m_output->GetPath("rounds.csv"),
                                      m_output->GetPath("devices.csv"));
    m_results->WriteRest(m_summary);
    m_output->Commit();
}

std::string
TrainingRun::GetOutputPath(const std::string& name) const
{
    return m_output ? m_output->GetPath(name) : "";
}

void
TrainingRun::Warn(const std::string& warning)
{
    m_progress.Warn(warning);
}

const RunTotals&
TrainingRun::GetTotals() const
{
    return m_summary.totals;
}

const RunRecorder&
TrainingRun::GetRecorder() const
{
    return m_results->GetRecorder();
}

const RunSummary&
TrainingRun::GetSummary() const
{
    return m_summary;
}

const RunApplications&
TrainingRun::GetApplications() const
{
    return m_applications;
}

const TopologyHelper&
TrainingRun::GetTopology() const
{
    return *m_topology;
}

} // namespace collapipe
} // namespace ns3
