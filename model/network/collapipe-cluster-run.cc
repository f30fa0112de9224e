/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-cluster-run.h"

#include "collapipe-message-shapes.h"
#include "collapipe-stage-work.h"

#include "ns3/abort.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-node-name.h"
#include "ns3/collapipe-tied-table.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <numeric>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeClusterRun");

double
PhaseTimes::GetIterationS(uint32_t iterations) const
{
    const Time last = lastFlush.IsStrictlyPositive() ? lastFlush : backward;
    const bool isRepeated = firstFlush.IsStrictlyPositive() && lastIteration > firstIteration;
    return isRepeated ? (last - firstFlush).GetSeconds() / (lastIteration - firstIteration)
                      : (last - distribution).GetSeconds() / (iterations - firstIteration);
}

ClusterRun::ClusterRun(uint32_t cluster,
                       uint32_t round,
                       const RoundPlan& plan,
                       double weight,
                       const ClusterAddresses& addresses,
                       uint16_t attempt,
                       Services services)
    : m_cluster(cluster),
      m_round(round),
      m_iterations(plan.localIterations),
      m_schedule(plan.schedule),
      m_plan(plan.clusters[cluster]),
      m_weight(weight),
      m_addresses(addresses),
      m_services(std::move(services)),
      m_attempt(attempt)
{
    Prepare(0);
}

void
ClusterRun::Prepare(uint32_t firstIteration)
{
    m_runners.clear();
    m_runners.resize(m_plan.chains.size());
    m_parts.assign(m_plan.chains.size(), nullptr);
    m_clippers.clear();
    for (const auto& chain : m_plan.chains)
    {
        m_clippers.emplace_back(m_services.context->optimizer, chain.stages.size(), firstIteration);
    }
    m_notReady.clear();
    m_uploading.clear();
    m_missingUploads = 0;
    m_uploads.clear();
    m_snapshots.clear();
    m_replicas.clear();
    m_hasLoss = true;
    m_losses.erase(
        std::remove_if(m_losses.begin(),
                       m_losses.end(),
                       [firstIteration](const auto& loss) { return loss.first >= firstIteration; }),
        m_losses.end());
    m_position = {};
    m_times = {};                  // phases are those of the attempt that ends the round
    m_activity = Simulator::Now(); // a new attempt has its time, and is no progress
}

MessageHeader
ClusterRun::MakeHeader(MessageType type, uint32_t chain, uint32_t stage) const
{
    const auto& part = m_plan.chains[chain].stages[stage];
    MessageHeader header;
    header.type = type;
    header.cluster = m_services.id.number;
    header.node = EDGE_SERVER;
    header.round = m_round;
    header.attempt = m_attempt;
    header.chain = chain;
    header.stage = stage;
    header.firstBlock = part.firstBlock;
    header.lastBlock = part.lastBlock;
    return header;
}

void
ClusterRun::Abandon()
{
    // Snapshots and replicas stay until it is known where the next attempt begins.
    m_running = false;
    m_runners.clear();
    m_runners.resize(m_plan.chains.size());
    m_notReady.clear();
    m_uploads.clear();
    ++m_attempt;
}

void
ClusterRun::Restart(ClusterPlan plan, Start start)
{
    m_plan = std::move(plan);
    m_start.iterations = start.iterations;
    Prepare(start.iterations);
    Distribute(std::move(start.model));
}

void
ClusterRun::GiveUp()
{
    m_running = false;
    m_givenUp = true;
    m_uploads.clear();
    m_times.isLeftOut = true;
    const Time now = Simulator::Now();
    for (auto* time : {&m_times.distribution, &m_times.backward, &m_times.upload})
    {
        *time = time->IsZero() ? now : *time;
    }
    m_services.onFinished();
}

void
ClusterRun::CreateRunner(uint32_t chain, uint32_t stage, const ModelState& model)
{
    NS_ABORT_MSG_IF(stage == 0, "the edge server holds no data and cannot be a first stage");
    NS_ABORT_MSG_IF(m_runners[chain], "the edge server can hold one stage of a chain only");
    const auto& context = *m_services.context;
    const auto& plan = m_plan.chains[chain];
    const auto range = ToPartRange(plan.stages[stage]);
    ObjectFactory factory(ScheduleTypeName(m_schedule));
    StageTask task;
    task.stages = plan.stages.size();
    task.stage = stage;
    task.iterations = m_iterations;
    task.firstIteration = m_start.iterations;
    task.actions =
        factory.Create<Schedule>()->Generate(plan.stages.size(), stage, plan.microBatches);
    SetStageWork(task, context, range, plan.microBatchSize, false);
    std::vector<double> weights;
    for (const auto& other : m_plan.chains)
    {
        weights.push_back(other.dataShare);
    }
    weights.resize(m_plan.synchronous ? weights.size() : 0);
    SetShares(task, context, range, chain, std::move(weights), DType::FLOAT32);
    auto precision = context.precision;
    precision.parameters = DType::FLOAT32; // the edge server's own do not travel
    auto parameters = model.Gather(range);
    if (task.sharesTable && m_start.iterations == 0)
    {
        // The first stage's copy does travel, and they have to be one; see EncodeModel()
        RoundTable(context.model, range, context.precision.parameters, parameters);
    }
    auto position =
        GetTrainingPosition(context, m_services.id.number, chain, m_round, m_iterations);
    position.step += m_start.iterations;
    m_parts[chain] = std::make_shared<WirePart>(*context.backend,
                                                context.model,
                                                range,
                                                context.optimizer,
                                                parameters,
                                                position,
                                                precision);
    m_runners[chain] = std::make_unique<StageRunner>(std::move(task),
                                                     m_parts[chain],
                                                     m_services.processor,
                                                     *context.executor,
                                                     MakeCallbacks(chain, stage));
    m_runners[chain]->TakeEarly(*context.earlyInputs,
                                MakeHeader(MessageType::ACTIVATION, chain, stage));
    m_runners[chain]->Start(); // it runs when its first activation comes
}

StageRunner::Callbacks
ClusterRun::MakeCallbacks(uint32_t chain, uint32_t stage)
{
    const auto& plan = m_plan.chains[chain];
    const bool isLast = stage + 1 == plan.stages.size();
    const auto sendTo = [this, chain, stage](NodeIndex node, MessageType type) {
        return [this, chain, stage, node, type](uint32_t iteration,
                                                uint32_t microBatch,
                                                TensorList tensors) {
            auto header = MakeHeader(type, chain, stage);
            header.iteration = iteration;
            header.microBatch = microBatch;
            m_services.context->earlyInputs->Offer(header,
                                                   type == MessageType::ACTIVATION ? stage + 1
                                                                                   : stage - 1,
                                                   tensors);
            m_services.send(node, {header, std::move(tensors)});
        };
    };
    StageRunner::Callbacks callbacks;
    if (isLast)
    {
        callbacks.onForward = [this, share = plan.dataShare](uint32_t iteration,
                                                             uint32_t /* microBatch */,
                                                             TensorList loss) {
            const bool isKnown = !loss[0].IsVirtual();
            m_hasLoss &= isKnown;
            m_losses.emplace_back(iteration, isKnown ? share * *loss[0].As<double>() : 0);
        };
    }
    else
    {
        callbacks.onForward = sendTo(plan.stages[stage + 1].node, MessageType::ACTIVATION);
    }
    callbacks.onBackward = sendTo(plan.stages[stage - 1].node, MessageType::GRADIENT);
    callbacks.onTable = [this, chain, stage](uint32_t iteration, TensorList gradient) {
        auto header = MakeHeader(MessageType::TABLE_GRADIENT, chain, stage);
        header.iteration = iteration;
        m_services.send(m_plan.chains[chain].stages[0].node, {header, std::move(gradient)});
    };
    callbacks.onShare = [this, chain](uint32_t iteration, TensorList gradients) {
        m_runners[0]->ProvideShare(iteration, chain, std::move(gradients));
    };
    callbacks.onMean = [this](uint32_t iteration, const TensorList& mean) {
        for (std::size_t other = 1; other < m_runners.size(); ++other)
        {
            m_runners[other]->ProvideMean(iteration, mean);
        }
    };
    callbacks.onPass = [this, chain, stage](uint32_t iteration, const Action& action, Time start) {
        m_services.onPass({m_services.id.number,
                           EDGE_SERVER,
                           m_round,
                           chain,
                           stage,
                           iteration,
                           action,
                           start,
                           Simulator::Now()});
    };
    callbacks.onFlush = [this, chain](uint32_t iteration, const ModelPart& part) {
        if (m_times.firstFlush.IsZero() || iteration == m_times.firstIteration)
        {
            m_times.firstFlush = Simulator::Now(); // of the chain that is the last to end it
            m_times.firstIteration = iteration;
        }
        m_times.lastFlush = Simulator::Now();
        m_times.lastIteration = std::max(m_times.lastIteration, iteration);
        m_services.onFlush(chain, iteration, part);
    };
    callbacks.onNorm = [this, chain, stage](uint32_t iteration, double squaredNorm) {
        AddNorm(chain, iteration, stage, squaredNorm);
    };
    callbacks.onStepped = [this, chain, stage](uint32_t iterations) {
        if (m_runners[chain]->GetTask().givesCredit && iterations + 1 < m_iterations)
        {
            SendCredit(chain, stage, iterations);
        }
        TakeSnapshot(chain, stage, iterations);
    };
    callbacks.canSend = m_services.canSend;
    callbacks.onFinished = [this, chain, stage] {
        const auto& part = m_runners[chain]->GetPart();
        auto tensors = part.ExportParameters(m_services.context->keepOptimizerState);
        const auto statistics = part.ExportStatistics();
        tensors.insert(tensors.end(), statistics.begin(), statistics.end());
        AddUpload(chain, stage, std::move(tensors));
    };
    return callbacks;
}

void
ClusterRun::SendCredit(uint32_t chain, uint32_t stage, uint32_t iterations)
{
    auto header = MakeHeader(MessageType::CREDIT, chain, stage);
    header.iteration = iterations;
    m_services.send(m_plan.chains[chain].stages[stage - 1].node, {header, {}});
}

void
ClusterRun::AddUpload(uint32_t chain, uint32_t stage, TensorList tensors)
{
    m_uploads.push_back({chain, stage, std::move(tensors)});
    --m_missingUploads;
    if (IsTrained(chain) && m_uploading.insert(chain).second)
    {
        const bool begins = m_uploading.size() == 1;
        m_times.backward = begins ? Simulator::Now() : m_times.backward;
        m_services.onPhase(Phase::UPLOAD, begins);
    }
    if (m_missingUploads == 0)
    {
        Finish();
    }
}

/// Who has no backward pass is done, and says so, long before the others: the upload's shares and
/// powers are not yet to be set then
bool
ClusterRun::IsTrained(uint32_t chain) const
{
    const auto& stages = m_plan.chains[chain].stages;
    return stages.back().node != EDGE_SERVER ||
           HasUpload(chain, static_cast<uint32_t>(stages.size()) - 1);
}

bool
ClusterRun::HasUpload(uint32_t chain, uint32_t stage) const
{
    return std::any_of(m_uploads.begin(), m_uploads.end(), [chain, stage](const auto& upload) {
        return upload.chain == chain && upload.stage == stage;
    });
}

void
ClusterRun::Finish()
{
    m_running = false;
    m_finished = true;
    m_times.upload = Simulator::Now();
    m_services.onFinished();
}

void
ClusterRun::Contribute(double weight)
{
    for (auto& upload : m_uploads)
    {
        auto& tensors = upload.tensors;
        const auto& plan = m_plan.chains[upload.chain];
        const auto range = ToPartRange(plan.stages[upload.stage]);
        const auto statistics = tensors.end() - STATISTICS_TENSORS;
        const auto error = m_services.learning->Add(
            {m_cluster, upload.chain},
            {weight * plan.dataShare, plan.microBatches, plan.microBatchSize},
            range,
            TensorList(statistics, tensors.end()));
        if (!error.empty())
        {
            NS_LOG_WARN(error);
        }
        tensors.erase(statistics, tensors.end());
        const auto count = GetParameterShapes(m_services.context->model, range).size();
        m_services.aggregator->Add({m_cluster, upload.chain},
                                   weight * plan.dataShare,
                                   range,
                                   DecodeParameters(tensors, count));
    }
    m_uploads.clear();
}

void
ClusterRun::TakeSnapshot(uint32_t chain, uint32_t stage, uint32_t iterations)
{
    const uint32_t period = m_services.context->replicaPeriod;
    if (period > 0 && iterations % period == 0 && iterations < m_iterations)
    {
        m_runners[chain]->Settle();
        auto& kept = m_snapshots[stage];
        kept[iterations] = m_parts[chain]->ExportSnapshot();
        kept.erase(kept.begin(), kept.lower_bound(iterations - std::min(iterations, 3 * period)));
    }
}

uint16_t
ClusterRun::GetAttempt() const
{
    return m_attempt;
}

bool
ClusterRun::IsRunning() const
{
    return m_running;
}

bool
ClusterRun::IsFinished() const
{
    return m_finished;
}

bool
ClusterRun::IsGivenUp() const
{
    return m_givenUp;
}

const ClusterPlan&
ClusterRun::GetPlan() const
{
    return m_plan;
}

ClusterPlan
ClusterRun::GetSettings() const
{
    return m_uploading.empty() ? m_plan : KeepTraining(m_plan, m_uploading);
}

std::set<NodeIndex>
ClusterRun::GetNeededNodes() const
{
    std::set<NodeIndex> nodes;
    for (uint32_t chain = 0; chain < m_plan.chains.size() && !m_finished && !m_givenUp; ++chain)
    {
        const auto& stages = m_plan.chains[chain].stages;
        for (uint32_t stage = 0; stage < stages.size(); ++stage)
        {
            if (stages[stage].node != EDGE_SERVER && !HasUpload(chain, stage))
            {
                nodes.insert(stages[stage].node);
            }
        }
    }
    if (IsCollected() && !nodes.empty())
    {
        nodes.insert(CONTROL_UNIT); // what others have sent it is lost with it
    }
    return nodes;
}

const ClusterRun::Start&
ClusterRun::GetStart() const
{
    return m_start;
}

const std::map<uint32_t, TensorList>&
ClusterRun::GetSnapshots(uint32_t stage) const
{
    static const std::map<uint32_t, TensorList> NONE;
    const auto found = m_snapshots.find(stage);
    return found == m_snapshots.end() ? NONE : found->second;
}

const std::map<uint32_t, std::set<uint32_t>>&
ClusterRun::GetReplicas() const
{
    return m_replicas;
}

void
ClusterRun::NoteReplica(uint32_t stage, uint32_t iterations)
{
    m_replicas[stage].insert(iterations);
}

uint32_t
ClusterRun::GetIteration() const
{
    uint32_t least = m_iterations;
    for (const auto& runner : m_runners)
    {
        least = runner ? std::min(least, runner->GetIteration()) : least;
    }
    return least;
}

void
ClusterRun::NoteProgress()
{
    m_progress = m_activity = Simulator::Now();
}

Time
ClusterRun::GetLastActivity() const
{
    return m_activity;
}

Time
ClusterRun::GetLastProgress() const
{
    return m_progress;
}

void
ClusterRun::SetReached(const Reached& reached)
{
    m_reached = reached;
}

const ClusterRun::Reached&
ClusterRun::GetReached() const
{
    return m_reached;
}

std::string
ClusterRun::DescribeWait() const
{
    const auto name = [this](NodeIndex node) { return GetNodeName(m_services.id, node); };
    const auto list = [&name](const std::set<NodeIndex>& nodes) {
        std::string text;
        for (const auto node : nodes)
        {
            text += (text.empty() ? "" : ", ") + name(node);
        }
        return text;
    };
    const std::string where = "cluster " + std::to_string(m_services.id.number);
    if (m_finished || m_givenUp)
    {
        return "";
    }
    if (!m_notReady.empty())
    {
        return where + " waits until " + list(m_notReady) + " has its parameters";
    }
    return where +
           (!m_uploading.empty() ? " waits for the upload of " : " is training and waits for ") +
           list(GetNeededNodes());
}

void
ClusterRun::Resume()
{
    for (auto& runner : m_runners)
    {
        if (runner)
        {
            runner->Resume();
        }
    }
}

const PhaseTimes&
ClusterRun::GetPhaseTimes() const
{
    return m_times;
}

double
ClusterRun::GetLossSum() const
{
    return std::accumulate(m_losses.begin(), m_losses.end(), 0.0, [](double sum, const auto& loss) {
        return sum + loss.second;
    });
}

bool
ClusterRun::HasLoss() const
{
    return m_hasLoss;
}

} // namespace collapipe
} // namespace ns3
