/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-cell-server.h"

#include "collapipe-message-shapes.h"

#include "ns3/collapipe-tied-table.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(CellServerApplication);

namespace
{

/// Time after which a lost lead is called again
constexpr double RECALL_S = 1;

/// @return the number that a payload holds, as CheckMessage() has let through
double
ReadNumber(const TensorList& tensors)
{
    double value = 0;
    ReadScalar(tensors, value);
    return value;
}

} // namespace

TypeId
CellServerApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::CellServerApplication")
            .SetParent<EdgeServerApplication>()
            .SetGroupName("CollaPipe")
            .AddConstructor<CellServerApplication>()
            .AddAttribute("Cell",
                          "Index of the cell.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&CellServerApplication::m_cell),
                          MakeUintegerChecker<uint16_t>())
            .AddAttribute("LeadAddress",
                          "Where the lead server listens.",
                          Ipv4AddressValue(),
                          MakeIpv4AddressAccessor(&CellServerApplication::m_leadAddress),
                          MakeIpv4AddressChecker());
    return tid;
}

CellServerApplication::CellServerApplication() = default;
CellServerApplication::~CellServerApplication() = default;

void
CellServerApplication::DoDispose()
{
    m_recall.Cancel();
    m_beat.Cancel();
    m_lead = nullptr;
    EdgeServerApplication::DoDispose();
}

void
CellServerApplication::StopApplication()
{
    m_recall.Cancel();
    m_beat.Cancel();
    m_lead = nullptr;
    EdgeServerApplication::StopApplication();
}

void
CellServerApplication::Crash()
{
    m_recall.Cancel();
    m_beat.Cancel();
    m_lead = nullptr;
    EdgeServerApplication::Crash();
}

MessageHeader
CellServerApplication::MakeLeadHeader(MessageType type) const
{
    MessageHeader header;
    header.type = type;
    header.cluster = m_cell;
    header.node = EDGE_SERVER;
    header.round = m_leadRound;
    return header;
}

void
CellServerApplication::HandleConnected()
{
    if (!m_lead || !m_lead->IsOpen())
    {
        CallLead();
    }
}

void
CellServerApplication::CallLead()
{
    auto hello = MakeLeadHeader(MessageType::HELLO);
    hello.iteration = m_calls++;
    m_lead = Call(m_leadAddress, hello, 0);
    m_beat.Cancel();
    Beat();
}

void
CellServerApplication::Beat()
{
    const Time period = GetContext().heartbeat;
    if (!period.IsStrictlyPositive())
    {
        return;
    }
    Time next = period;
    if (m_lead && !IsPaused())
    {
        const Time since = Simulator::Now() - m_lead->GetLastSent();
        if (since >= period)
        {
            SendMessage(m_lead, {MakeLeadHeader(MessageType::HEARTBEAT), {}});
        }
        else
        {
            next = period - since;
        }
    }
    m_beat = Simulator::Schedule(next, &CellServerApplication::Beat, this);
}

void
CellServerApplication::HandleClosed(Ptr<Connection> connection,
                                    CloseReason reason,
                                    const std::string& text)
{
    if (connection != m_lead)
    {
        EdgeServerApplication::HandleClosed(connection, reason, text);
        return;
    }
    m_lead = nullptr;
    m_recall = Simulator::Schedule(Seconds(RECALL_S), &CellServerApplication::CallLead, this);
}

MessageVerdict
CellServerApplication::CheckMessage(Ptr<Connection> connection,
                                    const MessageHeader& header,
                                    const TensorList& shapes) const
{
    if (connection != m_lead)
    {
        return EdgeServerApplication::CheckMessage(connection, header, shapes);
    }
    if (header.node != EDGE_SERVER || header.cluster != m_cell || header.round < m_leadRound)
    {
        return MessageVerdict::Skip("it is for another cell or round");
    }
    const bool isModel =
        header.type == MessageType::CELL_MODEL && IsWholeModel(GetContext(), shapes);
    const bool isStart =
        header.type == MessageType::CELL_START && IsScalar(shapes) && header.round == m_leadRound;
    return isModel || isStart
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("a " + ToString(header.type) +
                                        " message came from the lead to cell " +
                                        std::to_string(m_cell) + ", which has no use for it");
}

void
CellServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    if (connection != m_lead)
    {
        EdgeServerApplication::HandleMessage(connection, std::move(message));
        return;
    }
    if (message.header.type == MessageType::CELL_MODEL)
    {
        AbandonRound(); // where the lead begins a round anew
        m_leadRound = message.header.round;
        const auto& model = GetContext().model;
        SetModel(MakeModelState(model, WithSecondTable(model, std::move(message.tensors))));
        BeginRound();
        return;
    }
    const double all = ReadNumber(message.tensors);
    if (!std::isfinite(all) || all <= 0)
    {
        Refuse(connection, "the lead speaks of " + std::to_string(all) + " samples");
        return;
    }
    Decide(all);
}

void
CellServerApplication::HandleReported(double samples)
{
    if (m_lead)
    {
        SendMessage(m_lead, {MakeLeadHeader(MessageType::CELL_REPORT), {MakeScalar(samples)}});
    }
}

void
CellServerApplication::HandleAveraged(const RoundRecord& record)
{
    m_roundTrace(record);
    if (!m_lead)
    {
        return; // on its return the lead begins the round anew, or has gone on without this cell
    }
    SendMessage(m_lead, {MakeLeadHeader(MessageType::CELL_LOSS), {MakeScalar(record.trainLoss)}});
    SendMessage(
        m_lead,
        {MakeLeadHeader(MessageType::CELL_MODEL), EncodeWholeModel(GetContext(), *m_model)});
}

} // namespace collapipe
} // namespace ns3
