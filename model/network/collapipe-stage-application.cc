/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-application.h"

#include "ns3/abort.h"
#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <limits>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeStageApplication");
NS_OBJECT_ENSURE_REGISTERED(StageApplication);
NS_OBJECT_ENSURE_REGISTERED(DeviceApplication);
NS_OBJECT_ENSURE_REGISTERED(ControlUnitApplication);

namespace
{

/// Stands for infinity in attributes, whose text form knows none.
constexpr double UNLIMITED = 1e300;

/// @return what is reported of an attribute
double
ToReport(double value)
{
    return value >= UNLIMITED ? std::numeric_limits<double>::infinity() : value;
}

} // namespace

TypeId
StageApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::StageApplication")
            .SetParent<MessageApplication>()
            .SetGroupName("CollaPipe")
            .AddAttribute("Cluster",
                          "Index of the node's cluster.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&StageApplication::m_cluster),
                          MakeUintegerChecker<uint16_t>())
            .AddAttribute("NodeIndex",
                          "Index within the cluster: 0 is the control unit, k + 1 is device k.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&StageApplication::m_node),
                          MakeUintegerChecker<uint16_t>())
            .AddAttribute("EdgeAddress",
                          "Address of the edge server.",
                          Ipv4AddressValue(),
                          MakeIpv4AddressAccessor(&StageApplication::m_edgeAddress),
                          MakeIpv4AddressChecker())
            .AddAttribute("MemoryBytes",
                          "Memory free for training, in bytes; 1e300: as much as one likes.",
                          DoubleValue(UNLIMITED),
                          MakeDoubleAccessor(&StageApplication::m_memoryBytes),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("ComputePowerW",
                          "Power while computing, in watts.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&StageApplication::m_computePowerW),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("BatteryJ",
                          "Energy left, in joules; 1e300: mains-powered.",
                          DoubleValue(UNLIMITED),
                          MakeDoubleAccessor(&StageApplication::m_batteryJ),
                          MakeDoubleChecker<double>(0))
            .AddTraceSource("Flush",
                            "An iteration's gradients are complete.",
                            MakeTraceSourceAccessor(&StageApplication::m_flushTrace),
                            "ns3::collapipe::StageApplication::FlushTracedCallback");
    return tid;
}

TypeId
DeviceApplication::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DeviceApplication")
                            .SetParent<StageApplication>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DeviceApplication>();
    return tid;
}

TypeId
ControlUnitApplication::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::ControlUnitApplication")
                            .SetParent<StageApplication>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<ControlUnitApplication>();
    return tid;
}

StageApplication::StageApplication() = default;
StageApplication::~StageApplication() = default;

void
StageApplication::DoDispose()
{
    m_runner.reset();
    m_peers.clear();
    m_source = nullptr;
    MessageApplication::DoDispose();
}

void
StageApplication::SetData(SampleSource source, uint64_t samples)
{
    m_source = std::move(source);
    m_samples = samples;
}

MemoryReport
StageApplication::GetMemory() const
{
    return m_runner ? m_runner->GetPart().GetMemory() : MemoryReport();
}

void
StageApplication::StartApplication()
{
    MessageApplication::StartApplication();
    m_peers[EDGE_SERVER] = Call(m_edgeAddress, MakeHeader(MessageType::HELLO));
}

MessageHeader
StageApplication::MakeHeader(MessageType type) const
{
    MessageHeader header;
    header.type = type;
    header.cluster = m_cluster;
    header.node = m_node;
    header.round = m_round;
    header.chain = m_assignment.chain;
    header.stage = m_assignment.stage;
    header.firstBlock = m_assignment.plan.firstBlock;
    header.lastBlock = m_assignment.plan.lastBlock;
    return header;
}

Ptr<Connection>
StageApplication::GetPeer(const Neighbour& neighbour)
{
    auto& peer = m_peers[neighbour.node];
    if (!peer)
    {
        peer = Call(neighbour.address, MakeHeader(MessageType::HELLO));
    }
    return peer;
}

void
StageApplication::HandleWritable()
{
    if (m_runner)
    {
        m_runner->Resume();
    }
}

void
StageApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const MessageHeader header = message.header;
    switch (header.type)
    {
    case MessageType::HELLO:
        HandleHello(connection, message);
        return;
    case MessageType::STATE_REQUEST:
        HandleStateRequest(message);
        return;
    case MessageType::SEGMENT_ASSIGNMENT:
        HandleAssignment(message);
        return;
    case MessageType::SEGMENT_PARAMETERS:
        HandleParameters(std::move(message));
        return;
    default:
        break;
    }
    NS_ABORT_MSG_IF(!m_runner || header.round != m_round,
                    "node " << m_node << " of cluster " << m_cluster << " got a "
                            << ToString(header.type) << " of round " << header.round
                            << " without a stage in that round");
    switch (header.type)
    {
    case MessageType::START:
        m_runner->Start();
        return;
    case MessageType::ACTIVATION:
        m_runner->ProvideInput(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TARGETS:
        m_runner->ProvideTargets(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::GRADIENT:
        m_runner->ProvideGradient(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::CLIP_FACTOR:
        HandleClipFactor(message);
        return;
    default:
        NS_ABORT_MSG("a " << ToString(header.type) << " message came to node " << m_node
                          << " of cluster " << m_cluster << ", which has no use for it");
    }
}

void
StageApplication::HandleHello(Ptr<Connection> connection, const Message& message)
{
    m_peers[message.header.node] = connection;
}

void
StageApplication::HandleStateRequest(const Message& message)
{
    m_round = message.header.round;
    m_runner.reset();
    TimeValue overhead;
    GetProcessor()->GetAttribute("Overhead", overhead);
    StateReport report;
    report.flops = GetProcessor()->GetUsableFlops();
    report.overheadS = overhead.Get().GetSeconds();
    report.memoryBytes = ToReport(m_memoryBytes);
    report.computePowerW = m_computePowerW;
    report.batteryJ = ToReport(m_batteryJ);
    report.samples = m_samples;
    SendMessage(m_peers[EDGE_SERVER],
                {MakeHeader(MessageType::STATE_REPORT), {EncodeReport(report)}});
}

void
StageApplication::HandleAssignment(const Message& message)
{
    NS_ABORT_MSG_IF(message.tensors.size() != 1, "a segment assignment must have one tensor");
    const auto error = DecodeAssignment(message.tensors[0], m_assignment);
    NS_ABORT_MSG_IF(!error.empty(), error);
    NS_ABORT_MSG_IF(m_assignment.plan.node != m_node,
                    "a segment assignment for node " << m_assignment.plan.node << " came to node "
                                                     << m_node);
}

void
StageApplication::HandleParameters(Message message)
{
    CreateRunner(std::move(message.tensors));
    if (m_assignment.stage + 1 < m_assignment.stages)
    {
        GetPeer(m_assignment.next);
    }
    SendMessage(m_peers[EDGE_SERVER], {MakeHeader(MessageType::READY), {}});
}

void
StageApplication::CreateRunner(TensorList parameters)
{
    const auto& context = GetContext();
    const auto& plan = m_assignment.plan;
    const PartRange range{plan.embedding, plan.firstBlock, plan.lastBlock, plan.decoder};
    ObjectFactory factory(ScheduleTypeName(m_assignment.schedule));
    StageTask task;
    task.stages = m_assignment.stages;
    task.stage = m_assignment.stage;
    task.iterations = m_assignment.iterations;
    task.actions = factory.Create<Schedule>()->Generate(m_assignment.stages,
                                                        m_assignment.stage,
                                                        m_assignment.microBatches);
    task.forwardFlops = m_assignment.microBatchSize * GetForwardFlops(context.model, range);
    task.backwardFlops = (context.backwardRatio + plan.recompute) * task.forwardFlops;
    task.isClipped = context.optimizer.clipNorm > 0;

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

    auto part = std::make_unique<WirePart>(*context.backend,
                                           context.model,
                                           range,
                                           context.optimizer,
                                           parameters,
                                           GetPosition(),
                                           context.precision);
    part->SetRecompute(plan.recompute);
    m_runner = std::make_unique<StageRunner>(std::move(task),
                                             std::move(part),
                                             GetProcessor(),
                                             *context.executor,
                                             std::move(callbacks));
    if (m_assignment.stage > 0)
    {
        m_runner->Start(); // it runs when its first activation comes
    }
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
    NS_ABORT_MSG_IF(!m_source,
                    "node " << m_node << " of cluster " << m_cluster
                            << " is a first stage but holds no data");
    const auto& config = GetContext().model;
    const uint32_t size = m_assignment.microBatchSize;
    const auto samples = m_source(m_assignment.microBatches * size);
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
    SendMessage(m_peers[EDGE_SERVER], {header, {MakeScalar(squaredNorm)}});
}

void
StageApplication::HandleClipFactor(const Message& message)
{
    double factor = 1;
    const auto error = ReadScalar(message.tensors, factor);
    NS_ABORT_MSG_IF(!error.empty(), "a clip factor " << error);
    m_runner->ProvideClipFactor(message.header.iteration, factor);
}

void
StageApplication::Upload()
{
    auto tensors = m_runner->GetPart().ExportParameters(GetContext().keepOptimizerState);
    const auto statistics = m_runner->GetPart().ExportStatistics();
    tensors.insert(tensors.end(), statistics.begin(), statistics.end());
    SendMessage(m_peers[EDGE_SERVER],
                {MakeHeader(MessageType::PARAMETER_UPLOAD), std::move(tensors)});
}

} // namespace collapipe
} // namespace ns3
