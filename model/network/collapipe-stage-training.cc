/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How a device or control unit trains its stage: the runner, the samples, the snapshots, the
// upload.

#include "collapipe-message-shapes.h"
#include "collapipe-stage-application.h"
#include "collapipe-stage-work.h"

#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"

namespace ns3
{
namespace collapipe
{

void
StageApplication::CreateRunner(TensorList parameters)
{
    const auto& context = GetContext();
    const auto& plan = m_assignment.plan;
    const auto range = ToPartRange(plan);
    ObjectFactory factory(ScheduleTypeName(m_assignment.schedule));
    StageTask task;
    task.stages = m_assignment.stages;
    task.stage = m_assignment.stage;
    task.iterations = m_assignment.iterations;
    task.firstIteration = m_assignment.firstIteration;
    task.actions = factory.Create<Schedule>()->Generate(m_assignment.stages,
                                                        m_assignment.stage,
                                                        m_assignment.microBatches);
    SetStageWork(task, context, range, m_assignment.microBatchSize, plan.recompute);
    std::vector<double> weights;
    for (const auto& twin : m_assignment.twins)
    {
        weights.push_back(twin.weight);
    }
    SetShares(task,
              context,
              range,
              m_assignment.chain,
              std::move(weights),
              context.precision.gradients);
    auto position = GetPosition();
    position.step += m_assignment.firstIteration;
    m_part = std::make_shared<WirePart>(*context.backend,
                                        GetModel(),
                                        range,
                                        context.optimizer,
                                        parameters,
                                        position,
                                        context.precision);
    m_part->SetRecompute(plan.recompute);
    m_lossSum = 0;
    m_runner = std::make_unique<StageRunner>(std::move(task),
                                             m_part,
                                             GetProcessor(),
                                             *context.executor,
                                             MakeCallbacks());
    m_runner->TakeEarly(*context.earlyInputs, MakeHeader(MessageType::ACTIVATION));
    if (m_assignment.stage > 0)
    {
        m_runner->Start(); // it runs when its first activation comes
    }
}

ModelConfig
StageApplication::GetModel() const
{
    auto model = GetContext().model;
    if (GetContext().sendsBase && model.frozen)
    {
        auto none = std::make_shared<FrozenWeights>();
        none->blocks.resize(model.encoderBlocks);
        model.frozen = m_base ? m_base : none;
    }
    return model;
}

StageRunner::Callbacks
StageApplication::MakeCallbacks()
{
    StageRunner::Callbacks callbacks;
    callbacks.onForward = [this](uint32_t iteration, uint32_t microBatch, TensorList output) {
        if (m_assignment.stage + 1 < m_assignment.stages)
        {
            SendOutput(MessageType::ACTIVATION,
                       m_assignment.next,
                       iteration,
                       microBatch,
                       std::move(output));
        }
        else
        {
            m_hasLoss = !output[0].IsVirtual();
            m_lossSum += m_hasLoss ? *output[0].As<double>() : 0;
        }
    };
    callbacks.onBackward = [this](uint32_t iteration, uint32_t microBatch, TensorList output) {
        if (m_assignment.stage > 0)
        {
            SendOutput(MessageType::GRADIENT,
                       m_assignment.previous,
                       iteration,
                       microBatch,
                       std::move(output));
        }
    };
    callbacks.onTable = [this](uint32_t iteration, TensorList gradient) {
        auto header = MakeHeader(MessageType::TABLE_GRADIENT);
        header.iteration = iteration;
        SendMessage(GetPeer(m_assignment.stage == 0 ? m_assignment.last : m_assignment.first),
                    {header, std::move(gradient)});
    };
    callbacks.onShare = [this](uint32_t iteration, TensorList gradients) {
        SendGradients(0, iteration, std::move(gradients));
    };
    callbacks.onMean = [this](uint32_t iteration, const TensorList& mean) {
        for (std::size_t chain = 1; chain < m_assignment.twins.size(); ++chain)
        {
            SendGradients(chain, iteration, mean);
        }
    };
    callbacks.onPass = [this](uint32_t iteration, const Action& action, Time start) {
        m_passTrace({m_cluster,
                     m_node,
                     m_round,
                     m_assignment.chain,
                     m_assignment.stage,
                     iteration,
                     action,
                     start,
                     Simulator::Now()});
    };
    callbacks.onFlush = [this](uint32_t iteration, const ModelPart& part) {
        m_flushTrace(m_round, iteration, part);
    };
    callbacks.onNorm = [this](uint32_t iteration, double squaredNorm) {
        SendNorm(iteration, squaredNorm);
    };
    if (m_assignment.stage == 0)
    {
        callbacks.onIterationStart = [this](uint32_t iteration) { FeedIteration(iteration); };
    }
    callbacks.canSend = [this] {
        for (const auto& [node, peer] : m_peers)
        {
            if (!peer->CanSend())
            {
                return false;
            }
        }
        return true;
    };
    callbacks.onFinished = [this] { Upload(); };
    callbacks.onStepped = [this](uint32_t iterations) {
        if (m_runner->GetTask().givesCredit && iterations + 1 < m_assignment.iterations)
        {
            SendCredit(iterations);
        }
        const auto period = GetContext().replicaPeriod;
        if (period > 0 && iterations % period == 0 && iterations < m_assignment.iterations)
        {
            TakeSnapshot(iterations);
        }
    };
    return callbacks;
}

void
StageApplication::SendGradients(std::size_t chain, uint32_t iteration, TensorList gradients)
{
    auto header = MakeHeader(MessageType::STAGE_GRADIENTS);
    header.iteration = iteration;
    SendMessage(GetPeer(m_assignment.twins[chain].holder), {header, std::move(gradients)});
}

void
StageApplication::SendCredit(uint32_t iterations)
{
    auto header = MakeHeader(MessageType::CREDIT);
    header.iteration = iterations;
    SendMessage(GetPeer(m_assignment.previous), {header, {}});
}

TrainingPosition
StageApplication::GetPosition() const
{
    return GetTrainingPosition(GetContext(),
                               m_cluster,
                               m_assignment.chain,
                               m_round,
                               m_assignment.iterations);
}

void
StageApplication::FeedIteration(uint32_t iteration)
{
    const auto& config = GetContext().model;
    const uint32_t size = m_assignment.microBatchSize;
    auto& samples = m_batches[{m_assignment.chain, iteration}];
    if (samples.size() != m_assignment.microBatches * size)
    {
        samples = m_source(m_assignment.microBatches * size);
    }
    const auto normaliser = static_cast<float>(CountLabelTokens(config, samples));
    auto position = GetPosition();
    position.step += iteration;
    for (uint32_t microBatch = 0; microBatch < m_assignment.microBatches; ++microBatch)
    {
        const auto begin = samples.begin() + microBatch * size;
        auto batch = MakeBatch(config,
                               std::vector<const Sample*>(begin, begin + size),
                               position,
                               microBatch * size);
        TensorList targets{
            std::move(batch.target),
            TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{normaliser})};
        if (m_assignment.stages == 1)
        {
            m_runner->ProvideTargets(iteration, microBatch, std::move(targets));
        }
        else
        {
            SendOutput(MessageType::TARGETS,
                       m_assignment.last,
                       iteration,
                       microBatch,
                       std::move(targets));
        }
        m_runner->ProvideInput(iteration, microBatch, {std::move(batch.source)});
    }
}

void
StageApplication::SendOutput(MessageType type,
                             const Neighbour& to,
                             uint32_t iteration,
                             uint32_t microBatch,
                             TensorList tensors)
{
    auto header = MakeHeader(type);
    header.iteration = iteration;
    header.microBatch = microBatch;
    const uint32_t stage = type == MessageType::ACTIVATION ? m_assignment.stage + 1
                           : type == MessageType::GRADIENT ? m_assignment.stage - 1
                                                           : m_assignment.stages - 1;
    GetContext().earlyInputs->Offer(header, stage, tensors);
    SendMessage(GetPeer(to), {header, std::move(tensors)});
}

void
StageApplication::SendNorm(uint32_t iteration, double squaredNorm)
{
    if (m_assignment.stages == 1)
    {
        m_runner->ProvideClipFactor(iteration, GetClipFactor(GetContext().optimizer, squaredNorm));
        return;
    }
    auto header = MakeHeader(MessageType::GRADIENT_NORM);
    header.iteration = iteration;
    SendToServer({header, {MakeScalar(squaredNorm)}});
}

void
StageApplication::TakeSnapshot(uint32_t iterations)
{
    m_runner->Settle();
    const auto& plan = m_assignment.plan;
    Snapshot snapshot{static_cast<uint16_t>(plan.firstBlock),
                      static_cast<uint16_t>(plan.lastBlock),
                      m_part->ExportSnapshot()};
    const bool hasNext =
        m_assignment.stage + 1 < m_assignment.stages && m_assignment.next.node != EDGE_SERVER;
    if (hasNext || m_assignment.stage > 0)
    {
        auto header = MakeHeader(MessageType::REPLICA);
        header.iteration = iterations;
        SendMessage(GetPeer(hasNext ? m_assignment.next : m_assignment.previous),
                    {header, snapshot.tensors});
    }
    Store(m_assignment.stage, iterations, std::move(snapshot));
}

void
StageApplication::Store(uint32_t stage, uint32_t iterations, Snapshot snapshot)
{
    const PartRange range{stage == 0, snapshot.firstBlock, snapshot.lastBlock, false};
    // Those that are complete everywhere are at most so old; stages that live on credit are ahead
    const uint32_t kept = HasBackward(GetContext().model, range) ? 3 : 4;
    m_snapshots[{stage, iterations}] = std::move(snapshot);
    const uint32_t age = kept * GetContext().replicaPeriod;
    if (iterations > age)
    {
        m_snapshots.erase(m_snapshots.lower_bound({stage, 0}),
                          m_snapshots.lower_bound({stage, iterations - age + 1}));
    }
}

void
StageApplication::Upload()
{
    auto tensors = m_runner->GetPart().ExportParameters(GetContext().keepOptimizerState);
    const auto statistics = m_runner->GetPart().ExportStatistics();
    tensors.insert(tensors.end(), statistics.begin(), statistics.end());
    if (m_assignment.plan.decoder)
    {
        const uint32_t iterations = m_assignment.iterations - m_assignment.firstIteration;
        tensors.push_back(EncodeLoss(m_lossSum / iterations, m_hasLoss));
    }
    Message message{MakeHeader(MessageType::PARAMETER_UPLOAD), std::move(tensors)};
    if (m_carrier)
    {
        m_carrier->AddUp(std::move(message));
        PassUp();
    }
    else if (m_assignment.carrier.node != EDGE_SERVER)
    {
        SendMessage(GetPeer(m_assignment.carrier), std::move(message));
    }
    else
    {
        SendToServer(std::move(message));
    }
}

} // namespace collapipe
} // namespace ns3
