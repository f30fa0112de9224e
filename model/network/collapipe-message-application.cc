/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message-application.h"

#include "ns3/abort.h"
#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-random-key.h"
#include "ns3/collapipe-replay-backend.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <sstream>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeMessageApplication");
NS_OBJECT_ENSURE_REGISTERED(MessageApplication);

TrainingPosition
GetTrainingPosition(const TrainingContext& context,
                    uint32_t cluster,
                    uint32_t chain,
                    uint32_t round,
                    uint32_t iterations)
{
    return {MakeRandomKey({context.seed, cluster, chain}), uint64_t{round - 1} * iterations};
}

TypeId
MessageApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::MessageApplication")
            .SetParent<Application>()
            .SetGroupName("CollaPipe")
            .AddAttribute("Processor",
                          "The node's simulated processor.",
                          TypeId::ATTR_GET,
                          PointerValue(),
                          MakePointerAccessor(&MessageApplication::m_processor),
                          MakePointerChecker<Processor>())
            .AddAttribute("MaxStrangers",
                          "Connections of callers that have not said who they are; more are closed "
                          "at once.",
                          UintegerValue(64),
                          MakeUintegerAccessor(&MessageApplication::m_maxStrangers),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("Introduction",
                          "Time that a caller has to say who it is.",
                          TimeValue(Seconds(60)),
                          MakeTimeAccessor(&MessageApplication::m_introduction),
                          MakeTimeChecker(TimeStep(1)))
            .AddTraceSource("Refused",
                            "A connection was closed because of what came over it.",
                            MakeTraceSourceAccessor(&MessageApplication::m_refusedTrace),
                            "ns3::collapipe::MessageApplication::RefusedTracedCallback")
            .AddTraceSource("Skipped",
                            "A message was passed over: it is late, or was here before.",
                            MakeTraceSourceAccessor(&MessageApplication::m_skippedTrace),
                            "ns3::collapipe::MessageApplication::SkippedTracedCallback")
            .AddTraceSource("Tx",
                            "A message was handed to its connection.",
                            MakeTraceSourceAccessor(&MessageApplication::m_txTrace),
                            "ns3::collapipe::MessageApplication::MessageTracedCallback")
            .AddTraceSource("Rx",
                            "A message was received and checked.",
                            MakeTraceSourceAccessor(&MessageApplication::m_rxTrace),
                            "ns3::collapipe::MessageApplication::MessageTracedCallback")
            .AddTraceSource("Reception",
                            "A message was received: the time of its first byte; fired with Rx.",
                            MakeTraceSourceAccessor(&MessageApplication::m_receptionTrace),
                            "ns3::collapipe::MessageApplication::ReceptionTracedCallback")
            .AddTraceSource("Pass",
                            "A micro-batch's forward or backward pass has ended.",
                            MakeTraceSourceAccessor(&MessageApplication::m_passTrace),
                            "ns3::collapipe::MessageApplication::PassTracedCallback");
    return tid;
}

MessageApplication::MessageApplication()
    : m_processor(CreateObject<Processor>())
{
}

MessageApplication::~MessageApplication() = default;

void
MessageApplication::DoDispose()
{
    for (auto& connection : m_connections)
    {
        connection->Release();
    }
    m_connections.clear();
    ForgetStrangers();
    m_held.clear();
    m_listener = nullptr;
    m_processor->Dispose();
    m_context = nullptr;
    Application::DoDispose();
}

void
MessageApplication::SetContext(std::shared_ptr<const TrainingContext> context)
{
    m_context = std::move(context);
}

const TrainingContext&
MessageApplication::GetContext() const
{
    NS_ABORT_MSG_IF(!m_context,
                    "SetContext() must be called before a CollaPipe application starts");
    return *m_context;
}

Ptr<Processor>
MessageApplication::GetProcessor() const
{
    return m_processor;
}

uint64_t
MessageApplication::GetBytesSent() const
{
    uint64_t bytes = m_closedBytes;
    for (const auto& connection : m_connections)
    {
        bytes += connection->GetBytesSent();
    }
    return bytes;
}

uint64_t
MessageApplication::GetMessagesSent() const
{
    return m_messagesSent;
}

uint64_t
MessageApplication::GetRefused() const
{
    return m_refused;
}

uint64_t
MessageApplication::GetSkipped() const
{
    return m_skipped;
}

bool
MessageApplication::IsPaused() const
{
    return m_paused;
}

bool
MessageApplication::IsUp() const
{
    return m_up;
}

std::string
MessageApplication::DescribeWait() const
{
    return "";
}

void
MessageApplication::StartApplication()
{
    const auto& context = GetContext();
    // Parameters, at most three kinds of optimizer state, a scale for each, and some more; or
    // frozen weights and a scale for each.
    const auto whole = WholeModel(context.model);
    const std::size_t frozen = context.sendsBase ? GetFrozenShapes(context.model, whole).size() : 0;
    m_maxTensors = static_cast<uint32_t>(
        std::min<std::size_t>(8 * GetParameterShapes(context.model, whole).size() + 2 * frozen + 64,
                              std::numeric_limits<uint16_t>::max()));
    m_up = true;
    m_listener = Connection::Listen(GetNode(), context.transport, context.port);
    m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                  MakeCallback(&MessageApplication::HandleAccept, this));
}

void
MessageApplication::StopApplication()
{
    m_up = false;
    if (m_listener)
    {
        m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeNullCallback<void, Ptr<Socket>, const Address&>());
        m_listener->Close();
        m_listener = nullptr;
    }
    for (auto& connection : m_connections)
    {
        m_closedBytes += connection->GetBytesSent();
        connection->Close();
    }
    m_connections.clear();
    ForgetStrangers();
    m_held.clear();
    m_processor->Stop();
}

void
MessageApplication::Crash()
{
    MessageApplication::StopApplication();
    SetPaused(false);
}

void
MessageApplication::Reboot()
{
    if (!m_up)
    {
        StartApplication();
    }
}

void
MessageApplication::SetPaused(bool isPaused)
{
    m_paused = isPaused;
    m_processor->SetPaused(isPaused);
    while (!m_paused && !m_held.empty())
    {
        const auto next = std::move(m_held.front());
        m_held.pop_front();
        next();
    }
}

void
MessageApplication::Tamper(Tampering how, Time delay, uint32_t count)
{
    m_tampering = how;
    m_tamperingDelay = delay;
    m_tamperings = count;
}

void
MessageApplication::HandleAccept(Ptr<Socket> socket, const Address& /* from */)
{
    auto connection = Create<Connection>(socket, GetContext().transport);
    if (m_strangers.size() >= m_maxStrangers)
    {
        ++m_refused;
        m_refusedTrace("too many callers that have not said who they are");
        connection->Close();
        return;
    }
    Adopt(connection);
    m_strangers[connection] =
        Simulator::Schedule(m_introduction, &MessageApplication::ExpireStranger, this, connection);
}

void
MessageApplication::ExpireStranger(Ptr<Connection> connection)
{
    if (m_strangers.count(connection) > 0)
    {
        Refuse(connection, "a caller has not said who it is in the time given");
    }
}

void
MessageApplication::Acknowledge(Ptr<Connection> connection)
{
    const auto found = m_strangers.find(connection);
    if (found != m_strangers.end())
    {
        // The event holds the connection, with all that its peer has sent, also when cancelled
        Simulator::Remove(found->second);
        m_strangers.erase(found);
    }
}

void
MessageApplication::ForgetStrangers()
{
    for (auto& stranger : m_strangers)
    {
        Simulator::Remove(stranger.second); // as in Acknowledge()
    }
    m_strangers.clear();
}

void
MessageApplication::Adopt(Ptr<Connection> connection)
{
    m_connections.push_back(connection);
    auto* raw = PeekPointer(connection); // it is alive while it calls back
    connection->SetCheck(
        [this, raw](const MessageHeader& header, const TensorList& shapes) {
            auto verdict = Check(Ptr<Connection>(raw), header, shapes);
            if (verdict.kind == MessageVerdict::SKIP)
            {
                ++m_skipped;
                m_skippedTrace(header, verdict.reason);
            }
            return verdict;
        },
        m_maxTensors);
    connection->SetReceiveCallback([this](Ptr<Connection> from, Message message) {
        if (m_paused)
        {
            auto held = std::make_shared<Message>(std::move(message));
            m_held.push_back([this, from, held] { Receive(from, std::move(*held)); });
            return;
        }
        Receive(from, std::move(message));
    });
    connection->SetWritableCallback([this] {
        if (m_paused)
        {
            m_held.push_back([this] { HandleWritable(); });
            return;
        }
        HandleWritable();
    });
    connection->SetClosedCallback(
        [this](Ptr<Connection> closed, CloseReason reason, const std::string& text) {
            if (m_paused)
            {
                m_held.push_back([this, closed, reason, text] { Drop(closed, reason, text); });
                return;
            }
            Drop(closed, reason, text);
        });
}

MessageVerdict
MessageApplication::Check(Ptr<Connection> connection,
                          const MessageHeader& header,
                          const TensorList& shapes) const
{
    const auto& context = GetContext();
    if (header.runId != context.runId)
    {
        return MessageVerdict::Refuse("a message of run " + std::to_string(header.runId) +
                                      " came to an application of run " +
                                      std::to_string(context.runId));
    }
    const auto replay = DynamicCast<ReplayBackend>(context.backend);
    if ((header.flags & wire::FLAG_VIRTUAL) && context.backend->IsComputing() &&
        !(replay && replay->IsReplaying()))
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) +
                                      " message without bytes came to a run that computes");
    }
    if (header.type == MessageType::HELLO &&
        !context.callers->Allow(header, connection->GetPeerAddress()))
    {
        std::ostringstream address;
        address << connection->GetPeerAddress();
        return MessageVerdict::Refuse("node " + std::to_string(header.node) + " of cluster " +
                                      std::to_string(header.cluster) + " does not call from " +
                                      address.str());
    }
    return CheckMessage(connection, header, shapes);
}

void
MessageApplication::Receive(Ptr<Connection> connection, Message message)
{
    const auto& header = message.header;
    NS_LOG_LOGIC("received " << ToString(header.type) << " from node " << header.node
                             << " of cluster " << header.cluster);
    // Again: other connections may have brought something since the head was looked at.
    const auto verdict = Check(connection, header, message.tensors);
    if (verdict.kind == MessageVerdict::REFUSE)
    {
        Refuse(connection, verdict.reason);
        return;
    }
    if (verdict.kind == MessageVerdict::SKIP)
    {
        ++m_skipped;
        m_skippedTrace(header, verdict.reason);
        return;
    }
    const auto bytes = CountBytes(message);
    m_rxTrace(header, bytes);
    m_receptionTrace(header, bytes, connection->GetReceptionStart());
    HandleMessage(connection, std::move(message));
}

void
MessageApplication::Refuse(Ptr<Connection> connection, const std::string& reason)
{
    connection->Fail(CloseReason::PROTOCOL, reason);
}

void
MessageApplication::Disconnect(Ptr<Connection> connection)
{
    const auto found = std::find(m_connections.begin(), m_connections.end(), connection);
    if (found != m_connections.end())
    {
        m_closedBytes += connection->GetBytesSent();
        m_connections.erase(found);
    }
    Acknowledge(connection);
    connection->Close();
}

void
MessageApplication::Drop(Ptr<Connection> connection, CloseReason reason, const std::string& text)
{
    const auto found = std::find(m_connections.begin(), m_connections.end(), connection);
    if (found == m_connections.end())
    {
        return; // this application has closed it
    }
    m_closedBytes += connection->GetBytesSent();
    m_connections.erase(found);
    Acknowledge(connection);
    if (reason == CloseReason::PROTOCOL)
    {
        ++m_refused;
        m_refusedTrace(text);
    }
    HandleClosed(connection, reason, text);
}

Ptr<Connection>
MessageApplication::Call(Ipv4Address address, const MessageHeader& hello, uint32_t attempts)
{
    auto connection = Connection::Connect(GetNode(),
                                          InetSocketAddress(address, GetContext().port),
                                          GetContext().transport,
                                          attempts);
    Adopt(connection);
    GetContext().callers->Add(hello, GetNode());
    SendMessage(connection, {hello, {}});
    return connection;
}

uint64_t
MessageApplication::CountBytes(const Message& message) const
{
    return GetWireBytes(message) +
           (GetContext().transport.sessionKey.empty() ? 0 : MessageSeal::BYTES);
}

void
MessageApplication::SendMessage(Ptr<Connection> connection, Message message)
{
    message.header.runId = GetContext().runId;
    ++m_messagesSent;
    m_txTrace(message.header, CountBytes(message));
    const bool isTraining = message.header.type == MessageType::ACTIVATION ||
                            message.header.type == MessageType::GRADIENT ||
                            message.header.type == MessageType::TARGETS ||
                            message.header.type == MessageType::TABLE_GRADIENT ||
                            message.header.type == MessageType::STAGE_GRADIENTS ||
                            message.header.type == MessageType::CREDIT ||
                            message.header.type == MessageType::PARAMETER_UPLOAD;
    if (m_tamperings == 0 || !isTraining)
    {
        connection->Send(std::move(message));
        return;
    }
    --m_tamperings;
    Transmit(connection, std::move(message));
}

void
MessageApplication::Transmit(Ptr<Connection> connection, Message message)
{
    switch (m_tampering)
    {
    case Tampering::CORRUPT:
        connection->SendCorrupted(std::move(message));
        return;
    case Tampering::DUPLICATE:
        connection->Send(message);
        break;
    case Tampering::DELAY: {
        auto held = std::make_shared<Message>(std::move(message));
        Simulator::Schedule(m_tamperingDelay,
                            [connection, held] { connection->Send(std::move(*held)); });
        return;
    }
    case Tampering::NONE:
        break;
    }
    connection->Send(std::move(message));
}

} // namespace collapipe
} // namespace ns3
