/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-application.h"

#include "collapipe-message-shapes.h"
#include "collapipe-stage-work.h"

#include "ns3/collapipe-batch.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
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

constexpr double RECALL_S = 1; //!< after a connection to the edge server was lost

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
    m_beat.Cancel();
    m_recall.Cancel();
    ForgetStage();
    m_batches.clear();
    m_peers.clear();
    m_spares.clear();
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
    CallServer();
    if (GetContext().heartbeat.IsStrictlyPositive())
    {
        m_beat = Simulator::Schedule(GetContext().heartbeat, &StageApplication::Beat, this);
    }
}

void
StageApplication::StopApplication()
{
    m_beat.Cancel();
    m_recall.Cancel();
    ForgetStage();
    m_peers.clear();
    m_spares.clear();
    MessageApplication::StopApplication();
}

void
StageApplication::Crash()
{
    m_beat.Cancel();
    m_recall.Cancel();
    ForgetStage();
    m_peers.clear();
    m_spares.clear();
    m_greetings.clear();
    m_assignment = StageAssignment();
    m_round = 0;
    m_attempt = 0;
    MessageApplication::Crash();
}

void
StageApplication::RunDown()
{
    if (IsUp())
    {
        SendToServer({MakeHeader(MessageType::LEAVE), {}});
        StopApplication();
    }
}

void
StageApplication::ForgetStage()
{
    m_runner.reset();
    m_part.reset();
    m_snapshots.clear();
    m_isAssigned = false;
}

uint64_t
StageApplication::GetSnapshotBytes() const
{
    uint64_t bytes = 0;
    for (const auto& [key, snapshot] : m_snapshots)
    {
        bytes += GetByteSize(snapshot.tensors);
    }
    return bytes;
}

std::string
StageApplication::DescribeWait() const
{
    if (!IsUp())
    {
        return "is down";
    }
    if (IsPaused())
    {
        return "stands still";
    }
    if (m_peers.count(EDGE_SERVER) == 0)
    {
        return "has no connection to the edge server";
    }
    if (!m_runner)
    {
        return m_round == 0 ? "waits for the edge server's first message"
                            : "waits for its stage of round " + std::to_string(m_round);
    }
    if (m_runner->IsFinished())
    {
        return "has sent its parameters";
    }
    return "is in local iteration " + std::to_string(m_runner->GetIteration()) + " of round " +
           std::to_string(m_round) + ", after " + std::to_string(m_runner->GetPasses()) + " passes";
}

void
StageApplication::CallServer()
{
    auto hello = MakeHeader(MessageType::HELLO);
    hello.iteration = m_calls++;
    m_peers[EDGE_SERVER] = Call(m_edgeAddress, hello, 0);
}

void
StageApplication::SendToServer(Message message)
{
    const auto server = m_peers.find(EDGE_SERVER);
    if (server != m_peers.end())
    {
        SendMessage(server->second, std::move(message));
    }
}

void
StageApplication::Beat()
{
    const Time period = GetContext().heartbeat;
    Time next = period;
    const auto server = m_peers.find(EDGE_SERVER);
    if (server != m_peers.end() && !IsPaused())
    {
        const Time since = Simulator::Now() - server->second->GetLastSent();
        if (since >= period)
        {
            auto header = MakeHeader(MessageType::HEARTBEAT);
            header.microBatch =
                m_runner ? static_cast<uint32_t>(m_runner->GetPasses()) : uint32_t{0};
            SendMessage(server->second, {header, {}});
        }
        else
        {
            next = period - since;
        }
    }
    m_beat = Simulator::Schedule(next, &StageApplication::Beat, this);
}

void
StageApplication::HandleClosed(Ptr<Connection> connection,
                               CloseReason reason,
                               const std::string& text)
{
    NS_LOG_INFO("node " << m_node << " of cluster " << m_cluster << ": " << text);
    const auto peer = std::find_if(m_peers.begin(), m_peers.end(), [&connection](const auto& each) {
        return each.second == connection;
    });
    if (peer == m_peers.end())
    {
        const auto spare =
            std::find_if(m_spares.begin(), m_spares.end(), [&connection](const auto& each) {
                return each.second == connection;
            });
        if (spare != m_spares.end())
        {
            m_spares.erase(spare);
        }
        return;
    }
    const NodeIndex node = peer->first;
    m_peers.erase(peer);
    const auto spare = m_spares.find(node);
    if (spare != m_spares.end())
    {
        m_peers[node] = spare->second;
        m_spares.erase(spare);
        return;
    }
    if (node == EDGE_SERVER)
    {
        m_recall = Simulator::Schedule(Seconds(RECALL_S), &StageApplication::CallServer, this);
        return;
    }
    const auto isOf = [node](const Neighbour& neighbour) { return neighbour.node == node; };
    if (m_runner && !m_runner->IsFinished() &&
        (isOf(m_assignment.previous) || isOf(m_assignment.next) || isOf(m_assignment.last) ||
         isOf(m_assignment.first)))
    {
        auto header = MakeHeader(MessageType::PEER_LOST);
        header.microBatch = node;
        header.iteration = static_cast<uint32_t>(reason);
        SendToServer({header, {}});
    }
}

MessageHeader
StageApplication::MakeHeader(MessageType type) const
{
    MessageHeader header;
    header.type = type;
    header.cluster = m_cluster;
    header.node = m_node;
    header.round = m_round;
    header.attempt = m_attempt;
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
        auto hello = MakeHeader(MessageType::HELLO);
        hello.iteration = m_calls++;
        peer = Call(neighbour.address, hello);
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

MessageVerdict
StageApplication::CheckMessage(Ptr<Connection> connection,
                               const MessageHeader& header,
                               const TensorList& shapes) const
{
    if (header.type == MessageType::HELLO)
    {
        return CheckHello(connection, header);
    }
    if (header.cluster != m_cluster)
    {
        return MessageVerdict::Refuse("a message of cluster " + std::to_string(header.cluster) +
                                      " came to a node of cluster " + std::to_string(m_cluster));
    }
    const auto server = m_peers.find(EDGE_SERVER);
    if (server != m_peers.end() && server->second == connection &&
        header.type != MessageType::ACTIVATION && header.type != MessageType::GRADIENT &&
        header.type != MessageType::TABLE_GRADIENT && header.type != MessageType::CREDIT)
    {
        return CheckFromServer(header, shapes);
    }
    return CheckFromPeer(connection, header, shapes);
}

bool
StageApplication::IsWith(const Ptr<Connection>& connection, NodeIndex node) const
{
    const auto peer = m_peers.find(node);
    const auto spare = m_spares.find(node);
    return (peer != m_peers.end() && peer->second == connection) ||
           (spare != m_spares.end() && spare->second == connection);
}

MessageVerdict
StageApplication::CheckHello(Ptr<Connection> connection, const MessageHeader& header) const
{
    if (header.cluster != m_cluster || header.node == m_node || header.node == EDGE_SERVER ||
        header.tensorCount > 0)
    {
        return MessageVerdict::Refuse("a stranger calls node " + std::to_string(m_node) +
                                      " of cluster " + std::to_string(m_cluster));
    }
    const auto greeting = m_greetings.find(header.node);
    if (IsWith(connection, header.node))
    {
        return MessageVerdict::Skip("it has said hello before");
    }
    for (const auto& [node, peer] : m_peers)
    {
        if (IsWith(connection, node))
        {
            return MessageVerdict::Refuse("a peer says hello in another node's name");
        }
    }
    if (greeting != m_greetings.end() && header.iteration <= greeting->second)
    {
        return MessageVerdict::Refuse("a hello was heard before");
    }
    return MessageVerdict::Take();
}

MessageVerdict
StageApplication::CheckFromServer(const MessageHeader& header, const TensorList& shapes) const
{
    const auto refuse = [&header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " " + why);
    };
    if (header.node != EDGE_SERVER || header.round < m_round)
    {
        return header.node == EDGE_SERVER ? MessageVerdict::Skip("its round is over")
                                          : refuse("in a node's name came from the edge server");
    }
    if (header.type == MessageType::STATE_REQUEST)
    {
        return shapes.empty() ? MessageVerdict::Take() : refuse("with tensors");
    }
    if (header.round != m_round)
    {
        return refuse("of a round that has not begun");
    }
    if (header.type == MessageType::SEGMENT_ASSIGNMENT)
    {
        if (header.attempt < m_attempt || (header.attempt == m_attempt && m_isAssigned))
        {
            return MessageVerdict::Skip("this attempt has its assignment");
        }
        return shapes.size() == 1 && shapes[0].dtype == DType::UINT8 &&
                       shapes[0].shape.size() == 1 &&
                       shapes[0].GetByteSize() <= MAX_ASSIGNMENT_BYTES
                   ? MessageVerdict::Take()
                   : refuse("is no description");
    }
    if (header.attempt != m_attempt || !m_isAssigned)
    {
        return header.attempt < m_attempt ? MessageVerdict::Skip("its attempt is over")
                                          : refuse("came before its assignment");
    }
    switch (header.type)
    {
    case MessageType::SEGMENT_PARAMETERS:
        if (m_runner)
        {
            return MessageVerdict::Skip("the stage has its parameters");
        }
        return AreParameters(GetContext(), ToPartRange(m_assignment.plan), shapes)
                   ? MessageVerdict::Take()
                   : refuse("has other shapes than the stage's parameters");
    case MessageType::START:
        if (!m_runner || m_assignment.stage > 0 || !shapes.empty())
        {
            return refuse("came to a stage that is not to be started");
        }
        return m_runner->IsStarted() ? MessageVerdict::Skip("the stage has started")
                                     : MessageVerdict::Take();
    case MessageType::CLIP_FACTOR:
        if (!m_runner || !AreAlike(shapes, {TensorData::MakeVirtual(DType::FLOAT64, {1})}))
        {
            return refuse("is no factor");
        }
        return m_runner->IsWaitingForFactor(header.iteration)
                   ? MessageVerdict::Take()
                   : MessageVerdict::Skip("its iteration does not wait for one");
    case MessageType::SNAPSHOT_REQUEST:
        return shapes.empty() ? MessageVerdict::Take() : refuse("with tensors");
    default:
        return refuse("came from the edge server to a node, which has no use for it");
    }
}

MessageVerdict
StageApplication::CheckFromPeer(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const
{
    if (!IsWith(connection, header.node))
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) +
                                      " came over a connection that is not its sender's");
    }
    if (std::tie(header.round, header.attempt) < std::tie(m_round, m_attempt))
    {
        return MessageVerdict::Skip("its attempt is over");
    }
    if (!m_runner || header.round != m_round || header.attempt != m_attempt ||
        header.chain != m_assignment.chain)
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of round " +
                                      std::to_string(header.round) + ", attempt " +
                                      std::to_string(header.attempt) +
                                      " came to a node without a stage in it");
    }
    // The first stage sends the targets; neighbours send the rest.
    const bool isFromPrevious = m_assignment.stage > 0 && header.node == m_assignment.previous.node;
    const bool isFromNext =
        m_assignment.stage + 1 < m_assignment.stages && header.node == m_assignment.next.node;
    const bool isLast = m_assignment.stage + 1 == m_assignment.stages;
    bool isExpected = false;
    auto input = StageRunner::Input::MAIN;
    switch (header.type)
    {
    case MessageType::ACTIVATION:
        isExpected = isFromPrevious && AreAlike(shapes, m_activation);
        break;
    case MessageType::TARGETS:
        isExpected = isLast && header.stage == 0 && AreAlike(shapes, m_targets);
        input = StageRunner::Input::TARGETS;
        break;
    case MessageType::GRADIENT:
        isExpected = isFromNext && !m_gradient.empty() && AreAlike(shapes, m_gradient);
        input = StageRunner::Input::GRADIENT;
        break;
    case MessageType::TABLE_GRADIENT:
        isExpected = IsFromOtherEnd(header) && !shapes.empty() && AreAlike(shapes, m_tableGradient);
        input = StageRunner::Input::TABLE;
        break;
    case MessageType::CREDIT:
        return isFromNext && shapes.empty()
                   ? m_runner->CheckCredit(header.iteration)
                   : MessageVerdict::Refuse("a credit has tensors, or is not from the next stage");
    case MessageType::REPLICA:
        return isFromPrevious || isFromNext
                   ? CheckReplica(header, shapes)
                   : MessageVerdict::Refuse("a replica came from a node that is no neighbour");
    default:
        break;
    }
    return isExpected ? m_runner->CheckInput(input, header.iteration, header.microBatch)
                      : MessageVerdict::Refuse("a " + ToString(header.type) + " came to node " +
                                               std::to_string(m_node) +
                                               ", whose stage takes none like it");
}

bool
StageApplication::IsFromOtherEnd(const MessageHeader& header) const
{
    const bool isLast = m_assignment.stage + 1 == m_assignment.stages;
    return isLast ? header.stage == 0 && header.node == m_assignment.first.node
                  : m_assignment.stage == 0 && header.stage + 1U == m_assignment.stages &&
                        header.node == m_assignment.last.node;
}

MessageVerdict
StageApplication::CheckReplica(const MessageHeader& header, const TensorList& shapes) const
{
    const auto period = GetContext().replicaPeriod;
    const auto& plan = m_assignment.plan;
    const bool isBefore = header.node == m_assignment.previous.node;
    const bool fits =
        isBefore ? header.stage + 1U == m_assignment.stage &&
                       header.firstBlock <= header.lastBlock && header.lastBlock == plan.firstBlock
                 : header.stage == m_assignment.stage + 1U && header.firstBlock == plan.lastBlock &&
                       header.firstBlock <= header.lastBlock &&
                       header.lastBlock <= GetContext().model.encoderBlocks;
    if (period == 0 || !fits || header.iteration == 0 || header.iteration % period != 0 ||
        header.iteration >= m_assignment.iterations)
    {
        return MessageVerdict::Refuse("a replica that no plan asks for");
    }
    if (m_snapshots.count({header.stage, header.iteration}) > 0)
    {
        return MessageVerdict::Skip("it was here before");
    }
    const PartRange range{header.stage == 0, header.firstBlock, header.lastBlock, false};
    return AreAlike(shapes, GetSnapshotShapes(GetContext(), range))
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("a replica has other shapes than its stage's state");
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
        HandleAssignment(connection, message);
        return;
    case MessageType::SEGMENT_PARAMETERS:
        HandleParameters(std::move(message));
        return;
    case MessageType::START:
        m_runner->Start();
        return;
    case MessageType::ACTIVATION:
        m_runner->ProvideInput(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TARGETS: {
        const auto error = CheckTargets(GetContext().model, message.tensors);
        if (!error.empty())
        {
            Refuse(connection, error);
            return;
        }
        m_runner->ProvideTargets(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    }
    case MessageType::GRADIENT:
        m_runner->ProvideGradient(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TABLE_GRADIENT:
        m_runner->ProvideTable(header.iteration, std::move(message.tensors));
        return;
    case MessageType::CREDIT:
        m_runner->ProvideCredit(header.iteration);
        if (m_assignment.stage > 0)
        {
            SendCredit(header.iteration); // on to the first stage
        }
        return;
    case MessageType::CLIP_FACTOR:
        HandleClipFactor(connection, message);
        return;
    case MessageType::REPLICA:
        HandleReplica(std::move(message));
        return;
    case MessageType::SNAPSHOT_REQUEST:
        HandleSnapshotRequest(header);
        return;
    default:
        return; // CheckMessage() takes no others
    }
}

void
StageApplication::HandleHello(Ptr<Connection> connection, const Message& message)
{
    auto& peer = m_peers[message.header.node];
    if (peer)
    {
        // Two nodes may call each other at the same time: each uses what it was called over
        auto& spare = m_spares[message.header.node];
        if (spare)
        {
            Disconnect(spare);
        }
        spare = peer;
    }
    peer = connection;
    m_greetings[message.header.node] = message.header.iteration;
    Acknowledge(connection);
}

void
StageApplication::HandleStateRequest(const Message& message)
{
    if (message.header.round != m_round)
    {
        m_round = message.header.round;
        m_attempt = 0;
        ForgetStage();
        if (m_batchRound != m_round)
        {
            m_batchRound = m_round;
            m_batches.clear();
        }
    }
    TimeValue overhead;
    GetProcessor()->GetAttribute("Overhead", overhead);
    StateReport report;
    report.flops = GetProcessor()->GetUsableFlops();
    report.overheadS = overhead.Get().GetSeconds();
    report.memoryBytes = ToReport(m_memoryBytes);
    report.computePowerW = m_computePowerW;
    report.batteryJ = ToReport(m_batteryJ);
    report.samples = m_samples;
    SendToServer({MakeHeader(MessageType::STATE_REPORT), {EncodeReport(report)}});
}

void
StageApplication::HandleAssignment(Ptr<Connection> connection, const Message& message)
{
    StageAssignment assignment;
    auto error = DecodeAssignment(message.tensors[0], assignment);
    error = error.empty() ? CheckAssignment(assignment, GetContext().model.encoderBlocks) : error;
    if (error.empty() && assignment.plan.node != m_node)
    {
        error = "a segment assignment for node " + std::to_string(assignment.plan.node) +
                " came to node " + std::to_string(m_node);
    }
    if (error.empty() && assignment.stage == 0 && !m_source)
    {
        error = "node " + std::to_string(m_node) + " of cluster " + std::to_string(m_cluster) +
                " is to be a first stage but holds no data";
    }
    if (!error.empty())
    {
        Refuse(connection, error);
        return;
    }
    ForgetStage();
    m_attempt = message.header.attempt;
    m_assignment = std::move(assignment);
    m_activation = GetActivationShapes(GetContext(), m_assignment.microBatchSize);
    m_targets = GetTargetShapes(GetContext(), m_assignment.microBatchSize);
    m_gradient =
        GetGradientShapes(GetContext(), m_assignment.microBatchSize, m_assignment.plan.lastBlock);
    m_tableGradient = GetTableGradientShapes(GetContext(), ToPartRange(m_assignment.plan));
    m_isAssigned = true;
}

void
StageApplication::HandleParameters(Message message)
{
    CreateRunner(std::move(message.tensors));
    if (m_assignment.stage + 1 < m_assignment.stages)
    {
        GetPeer(m_assignment.next);
    }
    SendToServer({MakeHeader(MessageType::READY), {}});
}

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
    auto position = GetPosition();
    position.step += m_assignment.firstIteration;
    m_part = std::make_shared<WirePart>(*context.backend,
                                        context.model,
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
StageApplication::HandleClipFactor(Ptr<Connection> connection, const Message& message)
{
    double factor = 1;
    const auto error = ReadScalar(message.tensors, factor);
    if (!error.empty() || !std::isfinite(factor))
    {
        Refuse(connection, "a clip factor " + (error.empty() ? "must be a number" : error));
        return;
    }
    m_runner->ProvideClipFactor(message.header.iteration, factor);
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
StageApplication::HandleReplica(Message message)
{
    const auto& received = message.header;
    Store(received.stage,
          received.iteration,
          {received.firstBlock, received.lastBlock, std::move(message.tensors)});
    auto header = MakeHeader(MessageType::REPLICA_STORED);
    header.stage = received.stage;
    header.iteration = received.iteration;
    SendToServer({header, {}});
}

void
StageApplication::HandleSnapshotRequest(const MessageHeader& header)
{
    auto answer = MakeHeader(MessageType::SNAPSHOT);
    answer.stage = header.stage;
    answer.iteration = header.iteration;
    const auto found = m_snapshots.find({header.stage, header.iteration});
    if (found == m_snapshots.end())
    {
        SendToServer({answer, {}});
        return;
    }
    answer.firstBlock = found->second.firstBlock;
    answer.lastBlock = found->second.lastBlock;
    SendToServer({answer, found->second.tensors});
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
    SendToServer({MakeHeader(MessageType::PARAMETER_UPLOAD), std::move(tensors)});
}

} // namespace collapipe
} // namespace ns3
