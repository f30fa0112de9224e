/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-cluster-run.h"

#include "ns3/abort.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the run of the model that a stage holds
PartRange
ToPartRange(const StagePlan& stage)
{
    return {stage.embedding, stage.firstBlock, stage.lastBlock, stage.decoder};
}

} // namespace

ClusterRun::ClusterRun(uint32_t cluster,
                       uint32_t round,
                       const RoundPlan& plan,
                       double weight,
                       const ClusterAddresses& addresses,
                       Services services)
    : m_cluster(cluster),
      m_round(round),
      m_iterations(plan.localIterations),
      m_schedule(plan.schedule),
      m_plan(plan.clusters[cluster]),
      m_weight(weight),
      m_addresses(addresses),
      m_services(std::move(services)),
      m_runners(m_plan.chains.size())
{
    for (const auto& chain : m_plan.chains)
    {
        m_clippers.emplace_back(m_services.context->optimizer, chain.stages.size());
    }
}

Neighbour
ClusterRun::GetNeighbour(uint32_t chain, uint32_t stage) const
{
    const auto& stages = m_plan.chains[chain].stages;
    if (stage >= stages.size() || stages[stage].node == EDGE_SERVER)
    {
        return {EDGE_SERVER, m_services.edgeAddress};
    }
    return {stages[stage].node, m_addresses[stages[stage].node]};
}

StageAssignment
ClusterRun::MakeAssignment(uint32_t chain, uint32_t stage) const
{
    const auto& plan = m_plan.chains[chain];
    StageAssignment assignment;
    assignment.chain = chain;
    assignment.stage = stage;
    assignment.stages = plan.stages.size();
    assignment.plan = plan.stages[stage];
    assignment.microBatches = plan.microBatches;
    assignment.microBatchSize = plan.microBatchSize;
    assignment.iterations = m_iterations;
    assignment.schedule = m_schedule;
    assignment.previous = GetNeighbour(chain, stage == 0 ? 0 : stage - 1);
    assignment.next = GetNeighbour(chain, stage + 1);
    assignment.last = GetNeighbour(chain, plan.stages.size() - 1);
    return assignment;
}

MessageHeader
ClusterRun::MakeHeader(MessageType type, uint32_t chain, uint32_t stage) const
{
    const auto& part = m_plan.chains[chain].stages[stage];
    MessageHeader header;
    header.type = type;
    header.cluster = m_cluster;
    header.node = EDGE_SERVER;
    header.round = m_round;
    header.chain = chain;
    header.stage = stage;
    header.firstBlock = part.firstBlock;
    header.lastBlock = part.lastBlock;
    return header;
}

void
ClusterRun::Distribute(const ModelState& model)
{
    m_services.onPhase(Phase::DISTRIBUTION);
    for (uint32_t chain = 0; chain < m_plan.chains.size(); ++chain)
    {
        const auto& stages = m_plan.chains[chain].stages;
        m_hasLoss &= stages.back().node == EDGE_SERVER;
        m_missingUploads += stages.size();
        for (uint32_t stage = 0; stage < stages.size(); ++stage)
        {
            if (stages[stage].node == EDGE_SERVER)
            {
                CreateRunner(chain, stage, model);
                continue;
            }
            const NodeIndex node = stages[stage].node;
            m_notReady.insert(node);
            m_services.send(node,
                            {MakeHeader(MessageType::SEGMENT_ASSIGNMENT, chain, stage),
                             {EncodeAssignment(MakeAssignment(chain, stage))}});
            m_services.send(node,
                            {MakeHeader(MessageType::SEGMENT_PARAMETERS, chain, stage),
                             EncodeModel(ToPartRange(stages[stage]), model)});
        }
    }
}

TensorList
ClusterRun::EncodeModel(const PartRange& range, const ModelState& model) const
{
    const auto& context = *m_services.context;
    return EncodeParameters(model.Gather(range),
                            GetParameterShapes(context.model, range).size(),
                            context.precision.parameters);
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
    task.actions =
        factory.Create<Schedule>()->Generate(plan.stages.size(), stage, plan.microBatches);
    task.forwardFlops = plan.microBatchSize * GetForwardFlops(context.model, range);
    task.backwardFlops = context.backwardRatio * task.forwardFlops;
    task.isClipped = context.optimizer.clipNorm > 0;
    auto precision = context.precision;
    precision.parameters = DType::FLOAT32; // the edge server's own do not travel
    m_runners[chain] = std::make_unique<StageRunner>(
        std::move(task),
        std::make_unique<WirePart>(
            *context.backend,
            context.model,
            range,
            context.optimizer,
            model.Gather(range),
            GetTrainingPosition(context, m_services.number, chain, m_round, m_iterations),
            precision),
        m_services.processor,
        *context.executor,
        MakeCallbacks(chain, stage));
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
            m_services.send(node, {header, std::move(tensors)});
        };
    };
    StageRunner::Callbacks callbacks;
    if (isLast)
    {
        callbacks.onForward = [this, share = plan.dataShare](uint32_t, uint32_t, TensorList loss) {
            const bool isKnown = !loss[0].IsVirtual();
            m_hasLoss &= isKnown;
            m_lossSum += isKnown ? share * *loss[0].As<double>() : 0;
        };
    }
    else
    {
        callbacks.onForward = sendTo(plan.stages[stage + 1].node, MessageType::ACTIVATION);
    }
    callbacks.onBackward = sendTo(plan.stages[stage - 1].node, MessageType::GRADIENT);
    callbacks.onPass = [this, chain, stage](uint32_t iteration, const Action& action, Time start) {
        m_services.onPass({m_cluster,
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
        m_services.onFlush(chain, iteration, part);
    };
    callbacks.onNorm = [this, chain, stage](uint32_t iteration, double squaredNorm) {
        AddNorm(chain, iteration, stage, squaredNorm);
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

StageRunner&
ClusterRun::GetRunner(uint32_t chain)
{
    NS_ABORT_MSG_IF(chain >= m_runners.size() || !m_runners[chain],
                    "a message for chain " << chain << " of cluster " << m_cluster
                                           << ", in which the edge server has no stage");
    return *m_runners[chain];
}

void
ClusterRun::HandleMessage(Message message)
{
    const MessageHeader header = message.header;
    switch (header.type)
    {
    case MessageType::READY:
        HandleReady(header.node);
        return;
    case MessageType::ACTIVATION:
        GetRunner(header.chain)
            .ProvideInput(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TARGETS:
        GetRunner(header.chain)
            .ProvideTargets(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::GRADIENT:
        GetRunner(header.chain)
            .ProvideGradient(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::PARAMETER_UPLOAD:
        AddUpload(header.chain, header.stage, std::move(message.tensors));
        return;
    case MessageType::GRADIENT_NORM:
        HandleNorm(message);
        return;
    default:
        NS_ABORT_MSG("a " << ToString(header.type)
                          << " message came to the edge server, which has no use for it");
    }
}

void
ClusterRun::HandleReady(NodeIndex node)
{
    m_notReady.erase(node);
    if (!m_notReady.empty())
    {
        return;
    }
    m_times.distribution = Simulator::Now();
    m_services.onPhase(Phase::TRAINING);
    for (uint32_t chain = 0; chain < m_plan.chains.size(); ++chain)
    {
        m_services.send(m_plan.chains[chain].stages[0].node,
                        {MakeHeader(MessageType::START, chain, 0), {}});
    }
}

void
ClusterRun::HandleNorm(const Message& message)
{
    const auto& header = message.header;
    double squaredNorm = 0;
    const auto error = ReadScalar(message.tensors, squaredNorm);
    NS_ABORT_MSG_IF(!error.empty(), "a gradient norm " << error);
    NS_ABORT_MSG_IF(header.chain >= m_clippers.size(),
                    "a gradient norm of chain " << header.chain << ", which is not there");
    AddNorm(header.chain, header.iteration, header.stage, squaredNorm);
}

void
ClusterRun::AddNorm(uint32_t chain, uint32_t iteration, uint32_t stage, double squaredNorm)
{
    if (!m_clippers[chain].Add(iteration, stage, squaredNorm))
    {
        return;
    }
    const double factor = m_clippers[chain].GetFactor();
    const auto& stages = m_plan.chains[chain].stages;
    for (uint32_t receiver = 0; receiver < stages.size(); ++receiver)
    {
        if (stages[receiver].node != EDGE_SERVER)
        {
            auto header = MakeHeader(MessageType::CLIP_FACTOR, chain, receiver);
            header.iteration = iteration;
            m_services.send(stages[receiver].node, {header, {MakeScalar(factor)}});
        }
    }
    if (m_runners[chain])
    {
        m_runners[chain]->ProvideClipFactor(iteration, factor);
    }
}

void
ClusterRun::AddUpload(uint32_t chain, uint32_t stage, TensorList tensors)
{
    NS_ABORT_MSG_IF(chain >= m_plan.chains.size() || stage >= m_plan.chains[chain].stages.size() ||
                        m_missingUploads == 0,
                    "an upload of stage " << stage << " of chain " << chain << " in cluster "
                                          << m_cluster << ", which has no such stage");
    const auto& plan = m_plan.chains[chain];
    const auto range = ToPartRange(plan.stages[stage]);
    NS_ABORT_MSG_IF(tensors.size() < STATISTICS_TENSORS, "an upload without gradient statistics");
    const auto statistics = tensors.end() - STATISTICS_TENSORS;
    const auto error = m_services.learning->Add(
        {m_cluster, chain},
        {m_weight * plan.dataShare, plan.microBatches, plan.microBatchSize},
        range,
        TensorList(statistics, tensors.end()));
    NS_ABORT_MSG_IF(!error.empty(), error);
    tensors.erase(statistics, tensors.end());
    const auto count = GetParameterShapes(m_services.context->model, range).size();
    m_services.aggregator->Add({m_cluster, chain},
                               m_weight * plan.dataShare,
                               range,
                               DecodeParameters(tensors, count));
    --m_missingUploads;
    if (!m_uploading)
    {
        m_uploading = true;
        m_times.backward = Simulator::Now();
        m_services.onPhase(Phase::UPLOAD);
    }
    if (m_missingUploads == 0)
    {
        m_times.upload = Simulator::Now();
        m_services.onFinished();
    }
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
    return m_lossSum;
}

bool
ClusterRun::HasLoss() const
{
    return m_hasLoss;
}

} // namespace collapipe
} // namespace ns3
