/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lead-server.h"

#include "collapipe-message-shapes.h"

#include "ns3/abort.h"
#include "ns3/collapipe-tied-table.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLeadServer");
NS_OBJECT_ENSURE_REGISTERED(LeadServerApplication);

namespace
{

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
LeadServerApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::LeadServerApplication")
            .SetParent<ModelServerApplication>()
            .SetGroupName("CollaPipe")
            .AddConstructor<LeadServerApplication>()
            .AddAttribute("Cells",
                          "Number of cells whose edge servers it leads.",
                          UintegerValue(1),
                          MakeUintegerAccessor(&LeadServerApplication::m_cellCount),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("Deadline",
                          "How long a round waits for a cell that is not there "
                          "before the cell is left out of it.",
                          TimeValue(Seconds(300)),
                          MakeTimeAccessor(&LeadServerApplication::m_deadline),
                          MakeTimeChecker(Seconds(0)))
            .AddAttribute("Patience",
                          "A cell of which nothing was heard for longer counts as "
                          "failed; it is looked for once in a heartbeat.",
                          TimeValue(Seconds(30)),
                          MakeTimeAccessor(&LeadServerApplication::m_patience),
                          MakeTimeChecker(TimeStep(1)))
            .AddTraceSource("Failure",
                            "The edge server of a cell counts as failed.",
                            MakeTraceSourceAccessor(&LeadServerApplication::m_failureTrace),
                            "ns3::collapipe::LeadServerApplication::FailureTracedCallback")
            .AddTraceSource("Return",
                            "The edge server of a cell that had failed is back.",
                            MakeTraceSourceAccessor(&LeadServerApplication::m_returnTrace),
                            "ns3::collapipe::LeadServerApplication::ReturnTracedCallback")
            .AddTraceSource("LeftOut",
                            "A cell is left out of the round.",
                            MakeTraceSourceAccessor(&LeadServerApplication::m_leftOutTrace),
                            "ns3::collapipe::LeadServerApplication::LeftOutTracedCallback");
    return tid;
}

LeadServerApplication::LeadServerApplication() = default;
LeadServerApplication::~LeadServerApplication() = default;

void
LeadServerApplication::DoDispose()
{
    for (auto& cell : m_cells)
    {
        cell.deadline.Cancel();
    }
    m_watch.Cancel();
    m_cells.clear();
    ModelServerApplication::DoDispose();
}

void
LeadServerApplication::StartApplication()
{
    NS_ABORT_MSG_IF(!m_model, "the lead server needs a model to begin with");
    ModelServerApplication::StartApplication();
    m_cells.resize(m_cellCount);
    m_isConnecting = true;
    if (m_record.round > 0)
    {
        --m_record.round; // it was under way as the lead went down
    }
    if (GetContext().heartbeat.IsStrictlyPositive())
    {
        m_watch = Simulator::Schedule(GetContext().heartbeat, &LeadServerApplication::Watch, this);
    }
}

void
LeadServerApplication::Crash()
{
    for (auto& cell : m_cells)
    {
        cell.connection = nullptr;
        cell.deadline.Cancel();
    }
    m_watch.Cancel();
    ModelServerApplication::Crash();
}

void
LeadServerApplication::StopApplication()
{
    for (auto& cell : m_cells)
    {
        cell.connection = nullptr;
        cell.deadline.Cancel();
    }
    m_watch.Cancel();
    ModelServerApplication::StopApplication();
}

uint16_t
LeadServerApplication::FindCell(const Ptr<Connection>& connection) const
{
    return static_cast<uint16_t>(
        std::find_if(m_cells.begin(),
                     m_cells.end(),
                     [&connection](const auto& cell) { return cell.connection == connection; }) -
        m_cells.begin());
}

MessageVerdict
LeadServerApplication::CheckMessage(Ptr<Connection> connection,
                                    const MessageHeader& header,
                                    const TensorList& shapes) const
{
    const auto refuse = [&header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of cell " +
                                      std::to_string(header.cluster) + " " + why);
    };
    if (header.cluster >= m_cells.size() || header.node != EDGE_SERVER)
    {
        return refuse("comes to the lead server, which knows no such cell");
    }
    const auto& cell = m_cells[header.cluster];
    if (header.type == MessageType::HELLO)
    {
        const auto known = FindCell(connection);
        if (known < m_cells.size())
        {
            return known == header.cluster ? MessageVerdict::Skip("it has said hello before")
                                           : refuse("comes in another cell's name");
        }
        return !shapes.empty() || !IsNextHello(cell.hasGreeted, cell.greeting, header.iteration)
                   ? refuse("was heard before, or has a number beyond all calls")
                   : MessageVerdict::Take();
    }
    if (cell.connection != connection)
    {
        return refuse("comes over a connection that is not its own");
    }
    if (header.type == MessageType::HEARTBEAT)
    {
        return shapes.empty() ? MessageVerdict::Take() : refuse("has tensors");
    }
    if (header.round < m_record.round || m_isConnecting || cell.isGivenUp)
    {
        return MessageVerdict::Skip("its round is over");
    }
    if (header.round > m_record.round)
    {
        return refuse("is of a round that has not begun");
    }
    switch (header.type)
    {
    case MessageType::CELL_REPORT:
        return IsScalar(shapes) ? MessageVerdict::Take() : refuse("is no number");
    case MessageType::CELL_LOSS:
        return IsScalar(shapes) && m_isPlanned ? MessageVerdict::Take() : refuse("is out of place");
    case MessageType::CELL_MODEL:
        return !m_isPlanned || !IsWholeModel(GetContext(), shapes) ? refuse("is out of place")
               : cell.average.empty()                              ? MessageVerdict::Take()
                                      : MessageVerdict::Skip("it was here before");
    default:
        return refuse("comes to the lead server, which has no use for it");
    }
}

void
LeadServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const auto& header = message.header;
    const uint16_t index = header.cluster;
    Cell& cell = m_cells[index];
    switch (header.type)
    {
    case MessageType::HELLO:
        HandleHello(connection, header);
        return;
    case MessageType::HEARTBEAT:
        return; // that it came is all that it says
    case MessageType::CELL_REPORT: {
        const double samples = ReadNumber(message.tensors);
        if (!std::isfinite(samples) || samples <= 0)
        {
            Refuse(connection, "cell " + std::to_string(index) + " reports no samples");
            return;
        }
        if (m_isPlanned)
        {
            SendTo(index, MessageType::CELL_START, {MakeScalar(CountSamples())});
            return;
        }
        cell.samples = samples;
        break;
    }
    case MessageType::CELL_LOSS:
        cell.loss = ReadNumber(message.tensors);
        return;
    default:
        cell.average = WithSecondTable(GetContext().model, std::move(message.tensors));
        break;
    }
    Advance();
}

void
LeadServerApplication::HandleClosed(Ptr<Connection> connection,
                                    CloseReason reason,
                                    const std::string& text)
{
    const auto index = FindCell(connection);
    if (index >= m_cells.size())
    {
        return;
    }
    Fail(index, reason, text);
}

void
LeadServerApplication::HandleHello(Ptr<Connection> connection, const MessageHeader& header)
{
    const uint16_t index = header.cluster;
    Cell& cell = m_cells[index];
    if (cell.connection)
    {
        // It calls again, so it has lost the old one
        Fail(index, CloseReason::RESET, "cell " + std::to_string(index) + " calls anew");
    }
    const bool isBack = cell.hasGreeted || m_record.round > 0;
    cell.connection = connection;
    cell.greeting = header.iteration;
    cell.hasGreeted = true;
    cell.deadline.Cancel();
    Acknowledge(connection);
    if (isBack)
    {
        m_returnTrace(index, EDGE_SERVER);
    }
    if (m_isConnecting)
    {
        if (FindCell(nullptr) == m_cells.size())
        {
            BeginRound();
        }
    }
    else if (!cell.isGivenUp && cell.average.empty())
    {
        // It has lost what it had of the round
        cell.samples = m_isPlanned ? cell.samples : 0;
        SendTo(index, MessageType::CELL_MODEL, EncodeWholeModel(GetContext(), *m_model));
    }
}

void
LeadServerApplication::Fail(uint16_t index, CloseReason reason, const std::string& text)
{
    NS_LOG_INFO("cell " << index << " has failed: " << text);
    auto& cell = m_cells[index];
    const bool isMissing = !m_isConnecting && !cell.isGivenUp && cell.average.empty();
    NodeFailure failure;
    failure.cluster = index;
    failure.node = EDGE_SERVER;
    failure.reason = reason;
    failure.text = text;
    failure.round = m_record.round;
    failure.isNeeded = isMissing;
    if (const auto connection = cell.connection)
    {
        cell.lastHeard = connection->GetLastHeard();
        cell.connection = nullptr;
        Disconnect(connection);
    }
    failure.lastHeard = cell.lastHeard;
    m_failureTrace(failure);
    if (isMissing)
    {
        cell.deadline.Cancel();
        cell.deadline =
            Simulator::Schedule(m_deadline, &LeadServerApplication::GiveUp, this, index);
    }
}

void
LeadServerApplication::Watch()
{
    m_watch = Simulator::Schedule(GetContext().heartbeat, &LeadServerApplication::Watch, this);
    if (IsPaused())
    {
        return;
    }
    for (uint16_t i = 0; i < m_cells.size(); ++i)
    {
        const auto connection = m_cells[i].connection;
        if (connection && Simulator::Now() - connection->GetLastHeard() > m_patience)
        {
            Fail(i,
                 CloseReason::SILENT,
                 "nothing was heard of cell " + std::to_string(i) + " for " +
                     std::to_string(m_patience.GetSeconds()) + " s");
        }
    }
}

void
LeadServerApplication::GiveUp(uint16_t index)
{
    m_cells[index].isGivenUp = true;
    m_cells[index].samples = 0;
    m_leftOutTrace(m_record.round, index);
    Advance();
}

void
LeadServerApplication::HandleWritable()
{
}

std::string
LeadServerApplication::DescribeWait() const
{
    if (!IsUp())
    {
        return "the lead server is down";
    }
    std::string missing;
    for (std::size_t i = 0; i < m_cells.size(); ++i)
    {
        const auto& cell = m_cells[i];
        const bool isMissing =
            m_isConnecting
                ? !cell.connection
                : !cell.isGivenUp && (m_isPlanned ? cell.average.empty() : cell.samples <= 0);
        missing += isMissing ? (missing.empty() ? "" : ", ") + std::to_string(i) : "";
    }
    return "the lead server waits for " +
           std::string(m_isConnecting ? "a first call"
                       : m_isPlanned  ? "the average"
                                      : "the report") +
           " of cell " + missing;
}

void
LeadServerApplication::SendTo(uint16_t cell, MessageType type, const TensorList& tensors)
{
    if (!m_cells[cell].connection)
    {
        return;
    }
    MessageHeader header;
    header.type = type;
    header.cluster = cell;
    header.node = EDGE_SERVER;
    header.round = m_record.round;
    SendMessage(m_cells[cell].connection, {header, tensors});
}

void
LeadServerApplication::Broadcast(MessageType type, const TensorList& tensors)
{
    for (uint16_t i = 0; i < m_cells.size(); ++i)
    {
        if (!m_cells[i].isGivenUp)
        {
            SendTo(i, type, tensors);
        }
    }
}

void
LeadServerApplication::BeginRound()
{
    const uint32_t round = m_record.round + 1;
    m_record = RoundRecord();
    m_record.round = round;
    m_record.start = Simulator::Now();
    m_isConnecting = false;
    m_isPlanned = false;
    NS_LOG_INFO("round " << round << " begins at " << m_record.start.As(Time::S));
    for (uint16_t i = 0; i < m_cells.size(); ++i)
    {
        auto& cell = m_cells[i];
        cell.samples = 0;
        cell.average.clear();
        cell.isGivenUp = false;
        cell.deadline.Cancel();
        if (!cell.connection)
        {
            cell.deadline =
                Simulator::Schedule(m_deadline, &LeadServerApplication::GiveUp, this, i);
        }
    }
    Broadcast(MessageType::CELL_MODEL, EncodeWholeModel(GetContext(), *m_model));
}

double
LeadServerApplication::CountSamples() const
{
    double all = 0;
    for (const auto& cell : m_cells)
    {
        all += cell.isGivenUp ? 0 : cell.samples;
    }
    return all;
}

void
LeadServerApplication::Advance()
{
    const auto isMissing = [this](const Cell& cell) {
        return !cell.isGivenUp && (m_isPlanned ? cell.average.empty() : cell.samples <= 0);
    };
    if (std::any_of(m_cells.begin(), m_cells.end(), isMissing))
    {
        return;
    }
    if (CountSamples() <= 0)
    {
        --m_record.round; // nobody is left: the round begins anew
        BeginRound();
        return;
    }
    if (!m_isPlanned)
    {
        m_isPlanned = true;
        m_record.planned = Simulator::Now();
        Broadcast(MessageType::CELL_START, {MakeScalar(CountSamples())});
        return;
    }
    EndRound();
}

void
LeadServerApplication::EndRound()
{
    const auto whole = WholeModel(GetContext().model);
    const double all = CountSamples();
    Aggregator aggregator(GetContext().model);
    for (std::size_t i = 0; i < m_cells.size(); ++i)
    {
        if (m_cells[i].isGivenUp)
        {
            continue;
        }
        const double weight = m_cells[i].samples / all;
        aggregator.Add({static_cast<uint32_t>(i), 0}, weight, whole, m_cells[i].average);
        m_record.trainLoss += weight * m_cells[i].loss;
        m_cells[i].average.clear();
    }
    m_model = std::make_shared<const ModelState>(aggregator.Average());
    m_record.end = Simulator::Now();
    FinishRound(m_record);
}

} // namespace collapipe
} // namespace ns3
