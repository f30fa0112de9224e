/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-training-setup.h"

#include "collapipe-helper.h"
#include "collapipe-model-profile.h"
#include "collapipe-run-data.h"
#include "collapipe-suggestion.h"

#include "ns3/collapipe-flow-topology.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-pretrained-export.h"
#include "ns3/collapipe-pretrained-model.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/double.h"
#include "ns3/object-factory.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BACKWARD_RATIO = 2;

/// Streams of the applications; those of the topology begin at TopologyConfig::firstStream.
constexpr int64_t APPLICATION_STREAM = 1000;
constexpr int64_t CONTROLLER_STREAM = 900;
constexpr int64_t CONTROLLER_STREAMS = 2; //!< of each cell's

} // namespace

TrainingSetup::TrainingSetup(const RunConfig& config, Progress& progress)
    : m_config(config),
      m_progress(progress),
      m_checkpoints((config.Validate(), config))
{
    if (!m_checkpoints.GetNotice().empty())
    {
        m_progress.Warn(m_checkpoints.GetNotice());
    }
    m_checkpoints.SetFailureCallback([this](const std::string& text) { m_progress.Warn(text); });
}

void
TrainingSetup::Load()
{
    LoadData();
    CreateContext();
    WarnOfNewMaps();
    CheckExportable();
}

void
TrainingSetup::WarnOfNewMaps() const
{
    const auto pretrained = m_config.learning.GetPretrained();
    const auto maps =
        pretrained ? pretrained->ListNewMaps(m_context->model) : std::vector<std::string>();
    if (!maps.empty())
    {
        m_progress.Warn("--pretrained=" + m_config.learning.pretrained + " has no " +
                        JoinWords(maps) +
                        ": what is missing begins with random values, and is trained");
    }
}

void
TrainingSetup::CheckExportable() const
{
    const auto& folder = m_config.learning.exportDir;
    try
    {
        if (!folder.empty())
        {
            CheckExport(folder, m_context->model);
        }
    }
    catch (const DataError& error)
    {
        throw UserError("--export=" + folder + ": " + error.what());
    }
}

const RunConfig&
TrainingSetup::GetConfig() const
{
    return m_config;
}

RunCheckpoints&
TrainingSetup::GetCheckpoints()
{
    return m_checkpoints;
}

std::shared_ptr<const TrainingContext>
TrainingSetup::GetContext() const
{
    return m_context;
}

void
TrainingSetup::LoadData()
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
TrainingSetup::CreateContext()
{
    const bool computes = m_config.compute == "torch";
    ObjectFactory factory(computes ? "ns3::collapipe::TorchBackend"
                                   : "ns3::collapipe::AnalyticBackend");
    m_context = std::make_shared<TrainingContext>();
    m_context->model = collapipe::GetModelConfig(m_config, m_corpus);
    m_context->seed = m_config.seed;
    m_context->transport = MakeTransport(m_config.GetFidelity());
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
    m_context->heartbeat = Seconds(m_config.heartbeatS);
    m_context->replicaPeriod = m_config.replicaPeriod;
    const bool isWanted = m_config.authenticate == "auto" && !m_config.faults.empty();
    if (MessageSeal::IsAvailable() && (isWanted || m_config.authenticate == "on"))
    {
        m_context->transport.sessionKey = MessageSeal::MakeKey(m_config.seed, m_config.run);
    }
    m_context->runId = static_cast<uint32_t>(m_config.run);
    m_context->backwardRatio = BACKWARD_RATIO;
    m_context->keepOptimizerState = m_config.keepOptimizerState;
    m_context->sendsBase = m_config.learning.base == "distributed";
    m_context->precision = m_config.GetWirePrecision();
}

Ptr<Controller>
TrainingSetup::CreateController(const std::string& name, uint32_t cell) const
{
    auto controller = collapipe::CreateController(name);
    controller->AssignStreams(CONTROLLER_STREAM + CONTROLLER_STREAMS * cell);
    if (m_config.convergenceTarget > 0)
    {
        // Controllers that know no such requirement keep to the configured samples.
        controller->SetAttributeFailSafe("ConvergenceTarget",
                                         DoubleValue(m_config.convergenceTarget));
    }
    return controller;
}

std::vector<MicroBatchPair>
TrainingSetup::GetAllowedPairs() const
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
TrainingSetup::SetLimits(std::vector<DeviceProfile>& profiles) const
{
    const auto model = MakeModelProfile(*m_context);
    const MicroBatchPair pair{m_config.microBatches, m_config.microBatchSize};
    const auto whole = MakePipelineChain({{1, model.blocks}}, pair);
    // As if all blocks were trained: a device that cannot hold one trained block is of no use
    auto trained = model;
    trained.firstTrainedBlock = 0;
    trained.trainsEmbedding = true;
    const double limit =
        m_config.memoryShare * GetStageMemoryBytes(trained, DEFAULT_SCHEDULE, whole, 1);
    for (auto& profile : profiles)
    {
        profile.memoryBytes =
            limit > 0 ? std::min(profile.memoryBytes, limit) : profile.memoryBytes;
        profile.energyBudgetJ = m_config.energyBudgetJ;
    }
}

void
TrainingSetup::Configure(CollaPipeHelper& helper) const
{
    TrainingProfile training;
    training.localIterations = m_config.localIterations;
    training.fixedPair = {m_config.microBatches, m_config.microBatchSize};
    training.allowedPairs = GetAllowedPairs();
    training.schedule = m_config.schedule;
    ParseRecomputation(m_config.recompute, training.recomputation);
    ParseUploadRule(m_config.uploadPath, training.uploadRule);
    training.mostEdgeBlocks = m_config.offload;
    training.dataOnDevices = m_config.dataAt == "devices";
    helper.SetTraining(training);
    helper.SetRounds(m_config.rounds);
    helper.SetEdge(ParseEdgeProfile(m_config.edge).state);
    helper.SetBackgroundPrograms(m_config.backgroundPrograms);
    try
    {
        auto profiles = ParseDeviceProfiles(m_config.deviceProfiles);
        const bool isFrozen = m_context->model.trained != TrainedPart::ALL;
        for (auto& profile : profiles)
        {
            profile.flops = profile.GetFlops(isFrozen);
            if (profile.clocks.empty() && !m_config.clocks.empty())
            {
                profile.clocks = ParseClocks(m_config.clocks, ',');
                profile.staticPart = m_config.staticPart;
            }
        }
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
    helper.SetBattery(m_config.batteryJ);
    std::vector<Ptr<Controller>> controllers;
    for (uint32_t cell = 0; cell < m_config.cells; ++cell)
    {
        controllers.push_back(CreateController(m_config.controller, cell));
    }
    helper.SetControllers(controllers);
}

void
TrainingSetup::SetModel(CollaPipeHelper& helper) const
{
    helper.SetModel(m_checkpoints.CreateModel(*m_context, m_config.seed));
    m_scorer = std::make_unique<QualityScorer>(m_config.GetQualityPlan(),
                                               m_context->model,
                                               m_context->backend,
                                               m_corpus);
}

void
TrainingSetup::Connect(const RunApplications& applications) const
{
    applications.AssignStreams(APPLICATION_STREAM);
    applications.leader->SetScorer(
        [scorer = m_scorer.get()](uint32_t round, const ModelParameters& parameters) {
            return scorer->IsDue(round) ? scorer->ScoreValidation(parameters) : QualityScore();
        });
}

void
TrainingSetup::Describe(RunSummary& summary) const
{
    DescribeRun(m_config, summary);
    summary.data = m_corpus.dataset.description;
    summary.vocabulary = m_corpus.dataset.vocabulary;
    summary.trainingSamples = m_corpus.dataset.training.size();
    summary.validationSamples = m_corpus.dataset.validation.size();
    summary.clusterSamples.clear();
    for (const auto& cluster : m_clusterData)
    {
        summary.clusterSamples.push_back(cluster.size());
    }
    summary.classes = m_corpus.dataset.classes;
    summary.warnings = m_corpus.warnings;
    summary.plannedRounds = m_config.rounds;
}

void
TrainingSetup::Score(const ModelState& model, RunSummary& summary) const
{
    m_scorer->Complete(model.parameters, summary.quality);
}

void
TrainingSetup::Export(const ModelState& model) const
{
    const auto& learning = m_config.learning;
    if (learning.exportDir.empty())
    {
        return;
    }
    PretrainedExport what;
    what.folder = learning.exportDir;
    what.merges = learning.merge;
    what.classes = m_corpus.dataset.classes;
    PretrainedConfig original;
    if (learning.IsForeign())
    {
        original = learning.GetForeignConfig();
        what.original = &original;
    }
    if (const auto pretrained = learning.GetPretrained())
    {
        what.base = std::filesystem::absolute(pretrained->GetFolder()).lexically_normal().string();
    }
    what.files = ListTokenizerFiles(m_corpus.tokenizer);
    try
    {
        WritePretrained(what, m_context->model, model.parameters);
    }
    catch (const DataError& error)
    {
        throw UserError("--export=" + learning.exportDir + ": " + error.what());
    }
    m_progress.Say("exported to " + learning.exportDir);
}

const std::vector<std::vector<const Sample*>>&
TrainingSetup::GetClusterData() const
{
    return m_clusterData;
}

} // namespace collapipe
} // namespace ns3
