/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What the nodes of a cluster may say in a round, and what its run does with it.

#include "collapipe-cluster-run.h"
#include "collapipe-message-shapes.h"

#include "ns3/simulator.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

bool
ClusterRun::IsFromStage(const MessageHeader& header) const
{
    if (header.chain >= m_plan.chains.size() ||
        header.stage >= m_plan.chains[header.chain].stages.size())
    {
        return false;
    }
    const NodeIndex holder = m_plan.chains[header.chain].stages[header.stage].node;
    const bool isUpload = header.type == MessageType::PARAMETER_UPLOAD;
    return holder != EDGE_SERVER && header.node == (isUpload ? GetCarrier(holder) : holder);
}

MessageVerdict
ClusterRun::Check(const MessageHeader& header, const TensorList& shapes) const
{
    if (header.attempt < m_attempt || !m_running)
    {
        return MessageVerdict::Skip("its attempt is over");
    }
    const auto refuse = [&header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of node " +
                                      std::to_string(header.node) + " of cluster " +
                                      std::to_string(header.cluster) + " " + why);
    };
    if (header.attempt > m_attempt || !IsFromStage(header))
    {
        // The node may still be about to hear of its stage, with what it says of others.
        return header.type == MessageType::PEER_LOST ||
                       header.type == MessageType::REPLICA_STORED ||
                       header.type == MessageType::SNAPSHOT
                   ? MessageVerdict::Skip("its attempt is over")
                   : refuse("comes from no stage of its");
    }
    const auto& context = *m_services.context;
    const auto& chain = m_plan.chains[header.chain];
    const auto* runner = m_runners[header.chain].get();
    switch (header.type)
    {
    case MessageType::READY:
        return !shapes.empty()                     ? refuse("has tensors")
               : m_notReady.count(header.node) > 0 ? MessageVerdict::Take()
                                                   : MessageVerdict::Skip("it was ready before");
    case MessageType::ACTIVATION:
        return runner && header.stage + 2U == chain.stages.size() &&
                       AreAlike(shapes, GetActivationShapes(context, chain.microBatchSize))
                   ? runner->CheckInput(StageRunner::Input::MAIN,
                                        header.iteration,
                                        header.microBatch)
                   : refuse("comes where none like it is taken");
    case MessageType::TARGETS:
        return runner && header.stage == 0 &&
                       AreAlike(shapes, GetTargetShapes(context, chain.microBatchSize))
                   ? runner->CheckInput(StageRunner::Input::TARGETS,
                                        header.iteration,
                                        header.microBatch)
                   : refuse("comes where none like it is taken");
    case MessageType::GRADIENT:
        return runner && header.stage > 0 && chain.stages[header.stage - 1].node == EDGE_SERVER &&
                       !shapes.empty() &&
                       AreAlike(shapes,
                                GetGradientShapes(context,
                                                  chain.microBatchSize,
                                                  chain.stages[header.stage - 1].lastBlock))
                   ? runner->CheckInput(StageRunner::Input::GRADIENT,
                                        header.iteration,
                                        header.microBatch)
                   : refuse("comes where none like it is taken");
    case MessageType::TABLE_GRADIENT:
        return runner && header.stage == 0 && !shapes.empty() &&
                       AreAlike(shapes,
                                GetTableGradientShapes(context, ToPartRange(chain.stages.back())))
                   ? runner->CheckInput(StageRunner::Input::TABLE,
                                        header.iteration,
                                        header.microBatch)
                   : refuse("comes where none like it is taken");
    case MessageType::CREDIT:
        return runner && header.stage > 0 && chain.stages[header.stage - 1].node == EDGE_SERVER &&
                       shapes.empty()
                   ? runner->CheckCredit(header.iteration)
                   : refuse("comes where none is taken");
    case MessageType::PARAMETER_UPLOAD:
        return CheckUpload(header, shapes);
    case MessageType::GRADIENT_NORM:
        return context.optimizer.clipNorm > 0 &&
                       m_clippers[header.chain].Accepts(header.iteration, header.stage) &&
                       IsScalar(shapes)
                   ? MessageVerdict::Take()
                   : refuse("comes out of turn");
    default:
        return refuse("comes to the edge server, which has no use for it");
    }
}

MessageVerdict
ClusterRun::CheckUpload(const MessageHeader& header, const TensorList& shapes) const
{
    if (HasUpload(header.chain, header.stage))
    {
        return MessageVerdict::Skip("the stage's parameters are there");
    }
    const auto range = ToPartRange(m_plan.chains[header.chain].stages[header.stage]);
    return m_notReady.empty() && AreAlike(shapes, GetUploadShapes(*m_services.context, range))
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("an upload of stage " + std::to_string(header.stage) +
                                        " of cluster " + std::to_string(header.cluster) +
                                        " comes too early, or has other shapes than the stage");
}

std::string
ClusterRun::HandleMessage(Message message)
{
    const MessageHeader header = message.header;
    NoteMessage(header);
    switch (header.type)
    {
    case MessageType::READY:
        HandleReady(header.node);
        return "";
    case MessageType::ACTIVATION:
        m_runners[header.chain]->ProvideInput(header.iteration,
                                              header.microBatch,
                                              std::move(message.tensors));
        return "";
    case MessageType::TARGETS: {
        const auto error = CheckTargets(m_services.context->model, message.tensors);
        if (error.empty())
        {
            m_runners[header.chain]->ProvideTargets(header.iteration,
                                                    header.microBatch,
                                                    std::move(message.tensors));
        }
        return error;
    }
    case MessageType::GRADIENT:
        m_runners[header.chain]->ProvideGradient(header.iteration,
                                                 header.microBatch,
                                                 std::move(message.tensors));
        return "";
    case MessageType::TABLE_GRADIENT:
        m_runners[header.chain]->ProvideTable(header.iteration, std::move(message.tensors));
        return "";
    case MessageType::CREDIT:
        // The edge server is no first stage: on to the stage before its own
        m_runners[header.chain]->ProvideCredit(header.iteration);
        SendCredit(header.chain, header.stage - 1U, header.iteration);
        return "";
    case MessageType::PARAMETER_UPLOAD:
        return HandleUpload(message);
    case MessageType::GRADIENT_NORM:
        return HandleNorm(message);
    default:
        return "a message that nobody wants";
    }
}

void
ClusterRun::NoteMessage(const MessageHeader& header)
{
    m_activity = Simulator::Now();
    const uint32_t iteration = header.type == MessageType::READY ? 0
                               : header.type == MessageType::PARAMETER_UPLOAD
                                   ? m_iterations + 1
                                   : header.iteration + 1;
    if (iteration > m_position.first)
    {
        m_position = {iteration, 0};
    }
    ++m_position.second;
    if (m_position > m_reached)
    {
        m_reached = m_position;
        m_progress = m_activity;
    }
}

void
ClusterRun::HandleReady(NodeIndex node)
{
    m_notReady.erase(node);
    NoteBase(node);
    if (!m_notReady.empty())
    {
        return;
    }
    m_times.distribution = Simulator::Now();
    m_services.onPhase(Phase::TRAINING, true);
    for (uint32_t chain = 0; chain < m_plan.chains.size(); ++chain)
    {
        m_services.send(m_plan.chains[chain].stages[0].node,
                        {MakeHeader(MessageType::START, chain, 0), {}});
    }
}

std::string
ClusterRun::HandleNorm(const Message& message)
{
    const auto& header = message.header;
    double squaredNorm = 0;
    const auto error = ReadScalar(message.tensors, squaredNorm);
    if (!error.empty() || std::isnan(squaredNorm) || squaredNorm < 0)
    {
        return "a gradient norm " + (error.empty() ? "is negative or no number" : error);
    }
    AddNorm(header.chain, header.iteration, header.stage, squaredNorm);
    return "";
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

std::string
ClusterRun::HandleUpload(Message& message)
{
    const auto& chain = m_plan.chains[message.header.chain];
    if (chain.stages[message.header.stage].decoder)
    {
        double loss = 0;
        const auto error = DecodeLoss(message.tensors.back(), loss);
        if (!error.empty())
        {
            return "a training loss " + error;
        }
        message.tensors.pop_back();
        m_hasLoss &= std::isfinite(loss);
        // Iterations before the attempt's first are taken to have had the mean loss of the others.
        m_losses.emplace_back(m_iterations, chain.dataShare * loss * m_iterations);
    }
    AddUpload(message.header.chain, message.header.stage, std::move(message.tensors));
    return "";
}

} // namespace collapipe
} // namespace ns3
