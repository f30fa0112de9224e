/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message-application.h"

#include "ns3/abort.h"
#include "ns3/collapipe-random-key.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/trace-source-accessor.h"

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
    uint64_t bytes = 0;
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

void
MessageApplication::StartApplication()
{
    m_listener = Connection::CreateSocket(GetNode(), GetContext().transport);
    m_listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), GetContext().port));
    m_listener->Listen();
    m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                  MakeCallback(&MessageApplication::HandleAccept, this));
}

void
MessageApplication::StopApplication()
{
    if (m_listener)
    {
        m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeNullCallback<void, Ptr<Socket>, const Address&>());
        m_listener->Close();
        m_listener = nullptr;
    }
    for (auto& connection : m_connections)
    {
        connection->Close();
    }
    m_processor->Stop();
}

void
MessageApplication::HandleAccept(Ptr<Socket> socket, const Address& /* from */)
{
    Adopt(Create<Connection>(socket, GetContext().transport.queueLimitBytes));
}

void
MessageApplication::Adopt(Ptr<Connection> connection)
{
    m_connections.push_back(connection);
    connection->SetReceiveCallback([this](Ptr<Connection> from, Message message) {
        const auto& header = message.header;
        NS_LOG_LOGIC("received " << ToString(header.type) << " from node " << header.node
                                 << " of cluster " << header.cluster);
        NS_ABORT_MSG_IF(header.runId != GetContext().runId,
                        "a message of run " << header.runId << " came to an application of run "
                                            << GetContext().runId);
        m_rxTrace(header, GetWireBytes(message));
        m_receptionTrace(header, GetWireBytes(message), from->GetReceptionStart());
        HandleMessage(from, std::move(message));
    });
    connection->SetWritableCallback([this] { HandleWritable(); });
}

Ptr<Connection>
MessageApplication::Call(Ipv4Address address, const MessageHeader& hello)
{
    auto connection = Connection::Connect(GetNode(),
                                          InetSocketAddress(address, GetContext().port),
                                          GetContext().transport);
    Adopt(connection);
    SendMessage(connection, {hello, {}});
    return connection;
}

void
MessageApplication::SendMessage(Ptr<Connection> connection, Message message)
{
    message.header.runId = GetContext().runId;
    ++m_messagesSent;
    m_txTrace(message.header, GetWireBytes(message));
    connection->Send(std::move(message));
}

} // namespace collapipe
} // namespace ns3
