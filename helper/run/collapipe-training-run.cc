/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-training-run.h"

#include "collapipe-actuator-choice.h"
#include "collapipe-run-data.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-topology-error.h"
#include "ns3/config-store.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <sstream>
#include <sys/resource.h>
#include <utility>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeTrainingRun");

namespace
{

/// Speed of the edge server's workers: 8 cores of a server processor with 512-bit SIMD, usable
constexpr double EDGE_FLOPS = 200e9;
constexpr double EDGE_OVERHEAD_S = 0.2e-3;
constexpr uint32_t EDGE_WORKERS = 4;
constexpr double BACKWARD_RATIO = 2;

/// Streams of the applications; those of the topology begin at TopologyConfig::firstStream.
constexpr int64_t APPLICATION_STREAM = 1000;
constexpr int64_t CONTROLLER_STREAM = 900;
constexpr int64_t CONTROLLER_STREAMS = 2; //!< of each cell's

/// @return the process's peak resident memory in bytes
uint64_t
GetPeakRss()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

/// @return CRC-32 of all parameters in chain order, as eight hexadecimal digits; empty if virtual
std::string
HashParameters(const ModelState& model, const ModelConfig& config)
{
    uint32_t crc = crc32_z(0, nullptr, 0);
    for (const auto& tensor : model.Gather({true, 0, config.encoderBlocks, true}))
    {
        if (tensor.IsVirtual())
        {
            return "";
        }
        crc = crc32_z(crc, tensor.data.get(), tensor.GetByteSize());
    }
    std::ostringstream text;
    text << std::hex << std::setw(8) << std::setfill('0') << crc;
    return text.str();
}

} // namespace

TrainingRun::TrainingRun(const RunConfig& config)
    : m_config(config),
      m_progress(config.progress, config.rounds),
      m_checkpoints((config.Validate(), config))
{
    if (!m_checkpoints.GetNotice().empty())
    {
        m_progress.Warn(m_checkpoints.GetNotice());
    }
    if (!m_config.outputDir.empty())
    {
        m_output = std::make_unique<OutputDirectory>(m_config.outputDir);
    }
    ConfigStore store; // does what --ns3::ConfigStore::Mode says; nothing by default
    store.ConfigureDefaults();
    RngSeedManager::SetSeed(static_cast<uint32_t>(m_config.seed));
    RngSeedManager::SetRun(m_config.run);
    LoadData();
    CreateContext();
    BuildNetwork();
    InstallApplications();
    StartTools();
    store.ConfigureAttributes();
}

TrainingRun::~TrainingRun()
{
    // Applications hold parts that compute on the executor's threads: they go before it.
    m_recorder.reset();
    m_control.reset();
    m_timeline.reset();
    m_applications = RunApplications();
    Simulator::Destroy();
    m_tools.reset();
}

void
TrainingRun::LoadData()
{
    m_progress.Step("reading sentences and training the tokenizer");
    m_corpus = LoadCorpus(m_config, m_checkpoints.GetTokenizer());
    constexpr std::size_t SHOWN = 5; // more would hide what matters
    const auto& warnings = m_corpus.warnings;
    for (std::size_t i = 0; i < std::min(SHOWN, warnings.size()); ++i)
    {
        m_progress.Warn(warnings[i]);
    }
    if (warnings.size() > SHOWN)
    {
        m_progress.Warn("there are " + std::to_string(warnings.size() - SHOWN) +
                        " more such warnings of the data; summary.json has them all");
    }
    m_checkpoints.CheckData(m_corpus);
    m_clusterData = PartitionData(m_config, m_corpus.dataset);
}

void
TrainingRun::CreateContext()
{
    const bool computes = m_config.compute == "torch";
    ObjectFactory factory(computes ? "ns3::collapipe::TorchBackend"
                                   : "ns3::collapipe::AnalyticBackend");
    m_context = std::make_shared<TrainingContext>();
    m_context->model = collapipe::GetModelConfig(m_config, m_corpus);
    m_context->seed = m_config.seed;
    m_context->transport.segmentBytes = m_config.segmentSize;
    m_context->transport.bufferBytes = m_config.tcpBufferMib > 0
                                           ? m_config.tcpBufferMib << 20
                                           : m_config.GetTopologyConfig().GetTransportBufferBytes();
    m_context->optimizer = m_config.GetOptimizerConfig();
    m_context->backend = m_checkpoints.Wrap(factory.Create<ComputeBackend>());
    const unsigned threads =
        m_config.threads > 0 ? m_config.threads : Executor::GetDefaultThreads();
    const bool isThreaded = computes && m_context->backend->IsThreadSafe();
    m_context->executor = std::make_shared<Executor>(isThreaded ? threads : 0);
    for (const auto& warning : m_context->backend->GetWarnings())
    {
        m_progress.Warn(warning);
    }
    m_context->runId = static_cast<uint32_t>(m_config.run);
    m_context->backwardRatio = BACKWARD_RATIO;
    m_context->keepOptimizerState = m_config.keepOptimizerState;
    m_context->precision = m_config.GetWirePrecision();
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
    m_topology = TopologyHelper::Create(m_config.topology);
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
        m_topology->EnablePcap(m_output->GetPath("collapipe"));
    }
}

Ptr<Controller>
TrainingRun::CreateController(const std::string& name, uint32_t cell) const
{
    ObjectFactory factory(ControllerTypeName(name));
    auto controller = factory.Create<Controller>();
    controller->AssignStreams(CONTROLLER_STREAM + CONTROLLER_STREAMS * cell);
    if (m_config.convergenceTarget > 0)
    {
        // Controllers that know no such requirement keep to the configured samples.
        controller->SetAttributeFailSafe("ConvergenceTarget",
                                         DoubleValue(m_config.convergenceTarget));
    }
    return controller;
}

std::string
TrainingRun::CheckController(const std::string& controller) const
{
    std::string infeasible;
    for (uint32_t cell = 0; cell < m_initialStates.size() && infeasible.empty(); ++cell)
    {
        const auto plan = CreateController(controller, cell)->Decide(m_initialStates[cell]);
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
        const auto samples = m_clusterData[clusters[m]].size(); // dealt out to its devices in turn
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

std::vector<MicroBatchPair>
TrainingRun::GetAllowedPairs() const
{
    const uint32_t configured = m_config.microBatches * m_config.microBatchSize;
    // Where the bound decides, so many quarters of the samples; else all of them.
    const std::vector<uint32_t> quarters = m_config.convergenceTarget > 0
                                               ? std::vector<uint32_t>{1, 2, 4, 8, 16}
                                               : std::vector<uint32_t>{4};
    std::vector<MicroBatchPair> pairs;
    uint32_t before = 0;
    for (const uint32_t share : quarters)
    {
        const uint32_t samples = std::max(1U, configured * share / 4);
        if (samples == std::exchange(before, samples))
        {
            continue; // so few that a quarter and a half are the same
        }
        for (uint32_t count = 1; count <= samples; ++count)
        {
            if (samples % count == 0)
            {
                pairs.push_back({count, samples / count});
            }
        }
    }
    return pairs;
}

void
TrainingRun::SetLimits(std::vector<DeviceProfile>& profiles) const
{
    const auto model = MakeModelProfile(*m_context);
    const MicroBatchPair pair{m_config.microBatches, m_config.microBatchSize};
    const auto whole = MakePipelineChain({{1, model.blocks}}, pair);
    const double limit =
        m_config.memoryShare * GetStageMemoryBytes(model, DEFAULT_SCHEDULE, whole, 1);
    for (auto& profile : profiles)
    {
        profile.memoryBytes =
            limit > 0 ? std::min(profile.memoryBytes, limit) : profile.memoryBytes;
        profile.energyBudgetJ = m_config.energyBudgetJ;
    }
}

void
TrainingRun::InstallApplications()
{
    CollaPipeHelper helper(m_context);
    TrainingProfile training;
    training.localIterations = m_config.localIterations;
    training.fixedPair = {m_config.microBatches, m_config.microBatchSize};
    training.allowedPairs = GetAllowedPairs();
    training.schedule = m_config.schedule;
    ParseRecomputation(m_config.recompute, training.recomputation);
    helper.SetTraining(training);
    helper.SetRounds(m_config.rounds);
    helper.SetEdge({EDGE_FLOPS, EDGE_OVERHEAD_S, EDGE_WORKERS});
    helper.SetBackgroundPrograms(m_config.backgroundPrograms);
    try
    {
        auto profiles = ParseDeviceProfiles(m_config.deviceProfiles);
        const auto controlUnit = profiles.front();
        SetLimits(profiles);
        helper.SetProfiles(controlUnit, profiles);
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--deviceProfiles=" + m_config.deviceProfiles + ": " + error.what());
    }
    helper.SetData(m_clusterData, m_config.seed);
    helper.SetValidation(&m_corpus.dataset.validation);
    m_scorer = std::make_unique<QualityScorer>(m_config.GetQualityPlan(),
                                               m_context->model,
                                               m_context->backend,
                                               m_corpus);
    std::vector<Ptr<Controller>> controllers;
    // Before the parameters are there: a model that is too large may not fit into this machine.
    for (uint32_t cell = 0; cell < m_config.cells; ++cell)
    {
        controllers.push_back(CreateController(m_config.controller, cell));
        m_initialStates.push_back(helper.GetInitialState(*m_topology, cell));
    }
    helper.SetControllers(controllers);
    helper.SetActuator(CreateActuator());
    helper.SetBattery(m_config.batteryJ);
    const auto infeasible = CheckController(m_config.controller);
    if (!infeasible.empty())
    {
        throw UserError(ExplainInfeasible(infeasible));
    }
    helper.SetModel(m_checkpoints.CreateModel(*m_context, m_config.seed));

    m_applications = helper.Install(*m_topology);
    m_applications.AssignStreams(APPLICATION_STREAM);
    m_applications.leader->SetScorer([this](uint32_t round, const ModelParameters& parameters) {
        return m_scorer->IsDue(round) ? m_scorer->ScoreValidation(parameters) : QualityScore();
    });
    ConnectWarnings();
    StartTimeline();
    m_control = std::make_unique<ControlRecorder>(m_applications.loops);
    m_recorder = std::make_unique<RunRecorder>(m_applications, m_topology->GetNetwork().readyAt);
    m_checkpoints.Connect(m_applications, m_context->model, *m_recorder);
    m_recorder->SetProgressCallback([this](double share) { m_progress.Update(share); });
    m_recorder->SetRowCallback([this](const RoundRow& row) { m_progress.EndRound(row); });
    m_applications.leader->TraceConnectWithoutContext(
        "Finished",
        MakeCallback(static_cast<void (*)()>(&Simulator::Stop)));
    for (const auto& application : m_applications.GetAll())
    {
        application->TraceConnectWithoutContext("Tx",
                                                MakeCallback(&TrainingRun::CountMessage, this));
    }
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
    return reason + " (" + limit + "; --recompute=auto or a smaller --model needs less)";
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
    m_progress.Warn("the battery of " + GetNodeName(cluster, node) +
                    " is empty: the next rounds do without it");
}

void
TrainingRun::StartTimeline()
{
    if (m_output && m_config.timelineSizeMb > 0)
    {
        m_timeline = std::make_unique<Timeline>(m_output->GetPath("timeline.json"),
                                                uint64_t{m_config.timelineSizeMb} * 1000000,
                                                m_applications);
    }
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
TrainingRun::CountMessage(const MessageHeader& header, uint64_t /* bytes */)
{
    ++m_messages[header.type];
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
    SetInterruptHandler({});
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    m_progress.Finish();
    const bool isDone = m_recorder->GetRounds().size() >= m_config.rounds;
    if (GetInterruptSignal() != 0 && !isDone)
    {
        TellInterruption();
    }
    else if (!m_stopReason.empty())
    {
        m_progress.Warn("the run ended after round " +
                        std::to_string(m_recorder->GetRounds().size()) + ": " + m_stopReason);
    }
    else if (!isDone)
    {
        throw UserError("the simulation ended in round " +
                        std::to_string(m_recorder->GetRounds().size() + 1) +
                        " with nothing left to do; a node has lost its connection");
    }
    CompleteSummary(wall.count());
}

void
TrainingRun::TellInterruption()
{
    const auto rounds = m_recorder->GetRounds().size();
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
    return m_summary.isInterrupted ? 128 + GetInterruptSignal() : 0;
}

void
TrainingRun::CompleteSummary(double wallS)
{
    DescribeRun(m_config, m_summary);
    m_summary.data = m_corpus.dataset.description;
    m_summary.vocabulary = m_corpus.dataset.vocabulary;
    m_summary.trainingSamples = m_corpus.dataset.training.size();
    m_summary.validationSamples = m_corpus.dataset.validation.size();
    for (const auto& cluster : m_clusterData)
    {
        m_summary.clusterSamples.push_back(cluster.size());
    }
    m_summary.classes = m_corpus.dataset.classes;
    m_summary.initialLoss = m_recorder->GetInitialLoss();
    m_summary.quality.untrained = m_recorder->GetInitialQuality();
    m_summary.quality.validation = m_recorder->GetRounds().back().quality;
    if (!m_summary.isInterrupted) // who interrupts a run does not want to wait
    {
        m_scorer->Complete(m_applications.leader->GetModel().parameters, m_summary.quality);
    }
    m_summary.warnings = m_corpus.warnings;
    m_summary.plannedRounds = m_config.rounds;
    m_summary.simulatedS = Simulator::Now().GetSeconds();
    m_summary.wallS = wallS;
    m_summary.handovers = m_topology->GetHandovers();
    m_summary.peakRssBytes = GetPeakRss();
    for (const auto& [type, count] : m_messages)
    {
        m_summary.messages[ToString(type)] = count;
    }
    m_summary.totals = ComputeTotals(m_summary.initialLoss,
                                     m_recorder->GetRounds(),
                                     m_recorder->GetDevices(),
                                     m_control->GetNodes());
    m_summary.parametersHash = HashParameters(m_applications.leader->GetModel(), m_context->model);
}

void
TrainingRun::Save()
{
    if (!m_output)
    {
        return;
    }
    m_tools->Save();
    // Closes the captures; what is left to ask for was copied before.
    m_applications = RunApplications();
    Simulator::Destroy();
    m_topology.reset();
    m_tools.reset();
    WriteRounds(m_output->GetPath("rounds.csv"), m_summary, m_recorder->GetRounds());
    WriteDevices(m_output->GetPath("devices.csv"), m_recorder->GetDevices());
    m_control->Write([this](const std::string& name) { return m_output->GetPath(name); });
    m_checkpoints.Restore(m_output->GetPath("rounds.csv"), m_output->GetPath("devices.csv"));
    if (m_timeline && !m_timeline->Close())
    {
        throw UserError("cannot write timeline.json; is the disk full?");
    }
    m_summary.files = m_output->ListNames();
    WriteSummary(m_output->GetPath("summary.json"), m_summary, m_recorder->GetRounds());
    m_output->CheckComplete();
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
    return *m_recorder;
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
