/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-test-run.h"

#include "ns3/abort.h"
#include "ns3/collapipe-flow-topology.h"
#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-sample-form.h"
#include "ns3/object-factory.h"
#include "ns3/rng-seed-manager.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace ns3
{
namespace collapipe
{
namespace tests
{

namespace
{

constexpr uint32_t SAMPLES = 24;

/// @return a sentence of random tokens that ends as it should
std::vector<int32_t>
MakeSentence(std::mt19937_64& random, uint32_t vocabulary, uint32_t maximum)
{
    std::vector<int32_t> tokens(1 + random() % maximum);
    for (auto& token : tokens)
    {
        token = static_cast<int32_t>(END_TOKEN + 1 + random() % (vocabulary - END_TOKEN - 1));
    }
    tokens.back() = END_TOKEN;
    return tokens;
}

/// @return parameters without values, with a place for each block
ModelParameters
MakePlaces(const ModelConfig& config)
{
    ModelParameters places;
    places.embedding = GetParameterShapes(config, {true, 0, 0, false});
    for (uint32_t block = 0; block < config.encoderBlocks; ++block)
    {
        places.blocks.push_back(GetParameterShapes(config, {false, block, block + 1, false}));
    }
    places.decoder = GetParameterShapes(config, {false, 0, 0, true});
    return places;
}

} // namespace

TestRun::TestRun(const TestRunConfig& config)
    : m_config(config),
      m_context(std::make_shared<TrainingContext>()),
      m_batches(config.segments.size()),
      m_next(config.segments.size(), 0),
      m_flushes(config.segments.size())
{
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(m_config.run);
    auto& model = m_context->model;
    model.vocabulary = 40;
    model.width = 16;
    model.heads = 2;
    model.feedForward = 32;
    model.decoderBlocks = 1;
    model.sourceLength = 9;
    model.targetLength = 7;
    model.encoderBlocks = 0;
    for (const auto blocks : m_config.segments.front())
    {
        model.encoderBlocks += blocks;
    }
    if (m_config.adaptModel)
    {
        m_config.adaptModel(model);
    }
    m_context->optimizer = m_config.optimizer;
    m_context->keepOptimizerState = m_config.keepOptimizerState;
    m_context->sendsBase = m_config.sendsBase;
    m_context->precision = m_config.precision;
    m_context->transport = MakeTransport(m_config.fidelity);
    m_context->transport.sessionKey = m_config.sessionKey;
    m_context->replicaPeriod = m_config.replicaPeriod;
    m_context->heartbeat = m_config.heartbeat;
    m_context->backend = ObjectFactory(m_config.backend).Create<ComputeBackend>();
    m_context->executor = std::make_shared<Executor>(m_config.threads);
    m_initial = FreezeParameters(m_context->model,
                                 m_context->backend->CreateParameters(model, m_config.seed));
    m_gradients.assign(m_config.segments.size(), MakePlaces(model));
    CreateData();
    Install();
}

TestRun::~TestRun()
{
    m_applications = RunApplications();
    Simulator::Destroy();
}

void
TestRun::CreateData()
{
    std::mt19937_64 random(m_config.seed);
    const auto& model = m_context->model;
    const auto makeSample = [&] {
        // Some sentences are longer than the model's lengths, most are shorter.
        Sample sample{MakeSentence(random, model.vocabulary - 1, model.sourceLength + 2),
                      MakeSentence(random, model.vocabulary - 1, model.targetLength + 2)};
        sample.label = static_cast<int32_t>(sample.source.size() % model.classes);
        if (IsLanguageModel(model))
        {
            sample.target.clear(); // all that follows the first token
            sample.source.push_back(END_TOKEN);
        }
        return sample;
    };
    for (uint32_t cluster = 0; cluster < m_config.segments.size(); ++cluster)
    {
        m_data.emplace_back();
        for (uint32_t i = 0; i < SAMPLES * (cluster + 1); ++i)
        {
            m_data.back().push_back(makeSample());
        }
    }
    m_validation.assign(3, makeSample());
}

RoundPlan
TestRun::MakePlan(const std::vector<ClusterId>& clusters) const
{
    RoundPlan plan;
    plan.localIterations = m_config.iterations;
    plan.schedule = m_config.schedule;
    for (const auto cluster : clusters)
    {
        ChainPlan chain;
        chain.microBatches = m_config.microBatches[cluster.number % m_config.microBatches.size()];
        chain.microBatchSize = m_config.microBatchSize;
        chain.stages.push_back({CONTROL_UNIT, true, 0, 0, false});
        uint32_t first = 0;
        const auto& segments = m_config.segments[cluster.number];
        for (std::size_t device = 0; device < segments.size(); ++device)
        {
            if (segments[device] > 0)
            {
                chain.stages.push_back({static_cast<NodeIndex>(device + 1),
                                        false,
                                        first,
                                        first + segments[device],
                                        false});
                first += segments[device];
            }
        }
        chain.stages.push_back({EDGE_SERVER, false, first, first, true});
        plan.clusters.push_back({{chain}, {}, m_config.path});
    }
    if (m_config.adaptPlan)
    {
        m_config.adaptPlan(plan);
    }
    return plan;
}

RoundPlan
TestRun::GetPlan() const
{
    return MakePlan(m_topology->GetNetwork().GetClusters(0));
}

SampleSource
TestRun::MakeSource(uint32_t cluster)
{
    return [this, cluster](uint32_t n) {
        std::vector<const Sample*> batch;
        m_batches[cluster].emplace_back();
        for (uint32_t i = 0; i < n; ++i)
        {
            batch.push_back(&m_data[cluster][m_next[cluster]++ % m_data[cluster].size()]);
            m_batches[cluster].back().push_back(*batch.back());
        }
        return batch;
    };
}

void
TestRun::Install()
{
    m_config.network.clusters = m_config.segments.size();
    m_config.network.devicesPerCluster = 0;
    for (const auto& segments : m_config.segments)
    {
        m_config.network.devicesPerCluster =
            std::max<uint32_t>(m_config.network.devicesPerCluster, segments.size());
    }
    m_topology = TopologyHelper::Create(m_config.topology, m_config.fidelity);
    m_topology->Build(m_config.network);

    if (m_config.profiles.empty())
    {
        m_config.profiles.push_back({"test", 1e9, 1e-4, 1e12, 5, 23});
    }
    CollaPipeHelper helper(m_context);
    std::vector<Ptr<Controller>> controllers;
    for (uint32_t cell = 0; cell < m_config.network.cells; ++cell)
    {
        controllers.push_back(CreateObject<FixedPlanController>(
            MakePlan(m_topology->GetNetwork().GetClusters(cell))));
    }
    helper.SetControllers(controllers);
    TrainingProfile training;
    training.localIterations = m_config.iterations;
    training.fixedPair = {m_config.microBatches.front(), m_config.microBatchSize};
    for (const auto count : m_config.microBatches)
    {
        training.allowedPairs.push_back({count, m_config.microBatchSize});
    }
    training.schedule = m_config.schedule;
    training.recomputation = m_config.recomputation;
    training.uploadRule =
        m_config.path == UploadPath::COLLECTED ? UploadRule::COLLECTED : UploadRule::DIRECT;
    helper.SetTraining(training);
    helper.SetRounds(m_config.rounds);
    helper.SetEdge(m_config.edge);
    // The first profile is the control unit's, the others the devices'.
    helper.SetProfiles(
        m_config.profiles.front(),
        m_config.profiles.size() == 1
            ? m_config.profiles
            : std::vector<DeviceProfile>(m_config.profiles.begin() + 1, m_config.profiles.end()));
    std::vector<std::vector<const Sample*>> data;
    for (const auto& cluster : m_data)
    {
        data.emplace_back();
        for (const auto& sample : cluster)
        {
            data.back().push_back(&sample);
        }
    }
    helper.SetData(data, m_config.seed);
    helper.SetValidation(&m_validation);
    helper.SetModel({m_initial, {}, {}});
    m_state = helper.GetInitialState(*m_topology);
    m_applications = helper.Install(*m_topology);
    m_applications.AssignStreams(1000);

    for (const auto& edge : m_applications.edgeServers)
    {
        edge->TraceConnectWithoutContext("Flush", MakeCallback(&TestRun::RecordEdgeFlush, this));
        edge->TraceConnectWithoutContext("Failure", MakeCallback(&TestRun::RecordFailure, this));
        edge->TraceConnectWithoutContext("Recovery", MakeCallback(&TestRun::RecordRecovery, this));
        edge->SetAttribute("Patience", TimeValue(m_config.patience));
        edge->SetRecovery(
            ObjectFactory(RecoveryTypeName(m_config.recovery)).Create<RecoveryPolicy>());
    }
    const auto leader = m_applications.leader;
    leader->TraceConnectWithoutContext("Round", MakeCallback(&TestRun::RecordRound, this));
    leader->TraceConnectWithoutContext("Finished", MakeCallback(&TestRun::RecordFinish, this));
    const auto servers = m_applications.GetServers();
    for (std::size_t i = 0; i < servers.size(); ++i)
    {
        const std::string name = servers.size() == 1 ? "es" : "es" + std::to_string(i);
        servers[i]->TraceConnectWithoutContext(
            "Tx",
            MakeCallback(&TestRun::RecordMessage, this).Bind(name));
    }
    for (uint32_t cluster = 0; cluster < m_applications.clusters.size(); ++cluster)
    {
        auto& nodes = m_applications.clusters[cluster];
        nodes[CONTROL_UNIT]->SetData(MakeSource(cluster), m_data[cluster].size());
        for (uint32_t node = 0; node < nodes.size(); ++node)
        {
            if (m_config.feedsDevices && node != CONTROL_UNIT)
            {
                nodes[node]->SetData(MakeSource(cluster), m_data[cluster].size());
            }
            const auto name = "c" + std::to_string(cluster) + "n" + std::to_string(node);
            nodes[node]->TraceConnectWithoutContext(
                "Flush",
                MakeCallback(&TestRun::RecordFlush, this).Bind(cluster).Bind(node));
            nodes[node]->TraceConnectWithoutContext(
                "Tx",
                MakeCallback(&TestRun::RecordMessage, this).Bind(name));
        }
    }
}

void
TestRun::Run()
{
    Simulator::Stop(Seconds(1000));
    Simulator::Run();
}

void
TestRun::RecordFlush(uint32_t cluster,
                     uint32_t node,
                     uint32_t round,
                     uint32_t iteration,
                     const ModelPart& part)
{
    if (node == CONTROL_UNIT)
    {
        m_flushes[cluster].push_back(Simulator::Now());
    }
    // Else the cut is another one
    if (m_config.notesGradients && round == 1 && iteration == 0 && m_recoveries.empty())
    {
        uint32_t first = 0;
        for (uint32_t device = 1; device < node; ++device)
        {
            first += m_config.segments[cluster][device - 1];
        }
        const uint32_t last =
            node == CONTROL_UNIT ? 0 : first + m_config.segments[cluster][node - 1];
        m_gradients[cluster].Scatter({node == CONTROL_UNIT, first, last, false},
                                     part.ExportGradients());
    }
}

void
TestRun::RecordEdgeFlush(uint32_t cluster,
                         uint32_t round,
                         uint32_t iteration,
                         const ModelPart& part)
{
    if (m_config.notesGradients && round == 1 && iteration == 0)
    {
        m_gradients[cluster].Scatter({false, 0, 0, true}, part.ExportGradients());
    }
}

void
TestRun::RecordMessage(std::string sender, const MessageHeader& header, uint64_t bytes)
{
    std::ostringstream line;
    line << Simulator::Now().GetTimeStep() << ' ' << sender << ' ' << ToString(header.type) << ' '
         << bytes;
    m_messages.push_back(line.str());
}

void
TestRun::RecordRound(const RoundRecord& record)
{
    m_losses.push_back(record.trainLoss);
    m_rounds.push_back(record);
}

void
TestRun::RecordFinish()
{
    m_finished = true;
    Simulator::Stop();
}

void
TestRun::RecordFailure(const NodeFailure& failure)
{
    m_failures.push_back(failure);
    m_failureTimes.push_back(Simulator::Now());
}

void
TestRun::RecordRecovery(const RecoveryRecord& record)
{
    m_recoveries.push_back(record);
}

const std::vector<NodeFailure>&
TestRun::GetFailures() const
{
    return m_failures;
}

const std::vector<Time>&
TestRun::GetFailureTimes() const
{
    return m_failureTimes;
}

const std::vector<RecoveryRecord>&
TestRun::GetRecoveries() const
{
    return m_recoveries;
}

TopologyHelper&
TestRun::GetTopology()
{
    return *m_topology;
}

const RunApplications&
TestRun::GetApplications() const
{
    return m_applications;
}

const ModelConfig&
TestRun::GetModelConfig() const
{
    return m_context->model;
}

const ModelParameters&
TestRun::GetInitialParameters() const
{
    return m_initial;
}

ModelParameters
TestRun::GetFinalParameters() const
{
    return m_applications.leader->GetModel().parameters;
}

TensorList
TestRun::GetFirstGradients(uint32_t cluster) const
{
    return m_gradients[cluster].Gather({true, 0, m_context->model.encoderBlocks, true});
}

const std::vector<std::vector<Sample>>&
TestRun::GetBatches(uint32_t cluster) const
{
    return m_batches[cluster];
}

const std::vector<Time>&
TestRun::GetFlushTimes(uint32_t cluster) const
{
    return m_flushes[cluster];
}

double
TestRun::GetWeight(uint32_t cluster) const
{
    double all = 0;
    for (const auto& data : m_data)
    {
        all += data.size();
    }
    return m_data[cluster].size() / all;
}

const std::vector<std::string>&
TestRun::GetMessages() const
{
    return m_messages;
}

bool
TestRun::IsFinished() const
{
    return m_finished;
}

SystemState
TestRun::GetState() const
{
    return m_state;
}

const std::vector<RoundRecord>&
TestRun::GetRounds() const
{
    return m_rounds;
}

const std::vector<double>&
TestRun::GetTrainLosses() const
{
    return m_losses;
}

void
MakeSynchronous(RoundPlan& plan, uint32_t chains, const std::vector<uint32_t>& ends)
{
    for (auto& cluster : plan.clusters)
    {
        const ChainPlan before = cluster.chains.front();
        const uint32_t blocks = before.stages.back().lastBlock;
        cluster = ClusterPlan();
        cluster.synchronous = true;
        for (uint32_t c = 0; c < chains; ++c)
        {
            ChainPlan chain = before;
            chain.stages.clear();
            chain.dataShare = 1.0 / chains;
            uint32_t next = 0;
            for (uint32_t s = 0; s < ends.size(); ++s)
            {
                const auto node = static_cast<NodeIndex>(1 + s * chains + c);
                chain.stages.push_back({node, s == 0, next, ends[s], false});
                next = ends[s];
            }
            chain.stages.push_back({EDGE_SERVER, false, next, blocks, true});
            cluster.chains.push_back(chain);
        }
    }
}

double
GetRelativeDifference(const TensorList& value, const TensorList& reference)
{
    NS_ABORT_MSG_IF(value.size() != reference.size(), "tensor lists of different lengths");
    std::vector<double> differences;
    std::vector<double> norms;
    for (std::size_t t = 0; t < value.size(); ++t)
    {
        double difference = 0;
        double norm = 0;
        for (uint64_t i = 0; i < value[t].GetElementCount(); ++i)
        {
            const double expected = reference[t].As<float>()[i];
            difference += std::pow(value[t].As<float>()[i] - expected, 2);
            norm += expected * expected;
        }
        differences.push_back(std::sqrt(difference));
        norms.push_back(std::sqrt(norm));
    }
    // The gradient of a key bias is zero in exact arithmetic: rounding has nothing to be relative
    // to.
    const double floor = 1e-6 * *std::max_element(norms.begin(), norms.end());
    double worst = 0;
    for (std::size_t t = 0; t < norms.size(); ++t)
    {
        // A NaN on either side must not pass for a small number.
        const double relative = differences[t] / std::max(norms[t], floor);
        worst = relative <= worst ? worst : relative;
    }
    return worst;
}

} // namespace tests
} // namespace collapipe
} // namespace ns3
