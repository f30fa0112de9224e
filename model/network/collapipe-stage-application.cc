/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-application.h"

#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
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

void
StageApplication::SetClocks(std::vector<double> clocks)
{
    m_clocks = std::move(clocks);
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
    m_requests.clear();
    ForgetBase();
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
        ForgetBase();
    }
}

void
StageApplication::ForgetStage()
{
    m_runner.reset();
    m_carrier.reset();
    m_part.reset();
    m_snapshots.clear();
    m_isAssigned = false;
}

void
StageApplication::ForgetBase()
{
    m_heldBase = HeldBase();
    m_base.reset();
}

uint64_t
StageApplication::GetBaseBytes() const
{
    return m_baseBytes;
}

const HeldBase&
StageApplication::GetHeldBase() const
{
    return m_heldBase;
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
    if (Needs(node))
    {
        auto header = MakeHeader(MessageType::PEER_LOST);
        header.microBatch = node;
        header.iteration = static_cast<uint32_t>(reason);
        SendToServer({header, {}});
    }
}

bool
StageApplication::Needs(NodeIndex node) const
{
    const auto isOf = [node](const Neighbour& neighbour) { return neighbour.node == node; };
    // Whether what was sent to a carrier has come there is not known here
    const bool isCarrier = m_isAssigned && isOf(m_assignment.carrier);
    const bool isTraining = m_runner && !m_runner->IsFinished();
    const auto& twins = m_assignment.twins;
    const bool isTwin = std::any_of(twins.begin(), twins.end(), [&isOf](const Twin& twin) {
        return isOf(twin.holder);
    });
    return isCarrier || (m_carrier && m_carrier->Knows(node)) ||
           (isTraining && (isTwin || isOf(m_assignment.previous) || isOf(m_assignment.next) ||
                           isOf(m_assignment.last) || isOf(m_assignment.first)));
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
    report.clocks = m_clocks;
    DoubleValue staticPart;
    GetProcessor()->GetAttribute("StaticPart", staticPart);
    report.staticPart = m_clocks.empty() ? 0 : staticPart.Get();
    TensorList tensors{EncodeReport(report)};
    if (GetContext().sendsBase)
    {
        tensors.push_back(EncodeHeldBase(m_heldBase, GetContext().model.encoderBlocks));
    }
    SendToServer({MakeHeader(MessageType::STATE_REPORT), std::move(tensors)});
}

} // namespace collapipe
} // namespace ns3
