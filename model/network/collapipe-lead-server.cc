/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lead-server.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLeadServer");
NS_OBJECT_ENSURE_REGISTERED(CellServerApplication);
NS_OBJECT_ENSURE_REGISTERED(LeadServerApplication);

namespace
{

/// @return a number as the payload of a message
TensorList
EncodeNumber(double number)
{
    return {TensorData::FromVector(DType::FLOAT64, {1}, std::vector<double>{number})};
}

/// @return the number that such a payload holds
double
DecodeNumber(const TensorList& tensors)
{
    NS_ABORT_MSG_IF(tensors.size() != 1 || tensors[0].IsVirtual() ||
                        tensors[0].dtype != DType::FLOAT64 || tensors[0].GetElementCount() != 1,
                    "a message between lead and cell must hold one float64");
    return *tensors[0].As<double>();
}

} // namespace

// ---------------------------------------------------------------- cell

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
    m_lead = nullptr;
    EdgeServerApplication::DoDispose();
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
    m_lead = Call(m_leadAddress, MakeLeadHeader(MessageType::HELLO));
}

void
CellServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    if (connection != m_lead)
    {
        EdgeServerApplication::HandleMessage(connection, std::move(message));
        return;
    }
    switch (message.header.type)
    {
    case MessageType::CELL_MODEL:
        m_leadRound = message.header.round;
        SetModel(MakeModelState(GetContext().model, message.tensors));
        BeginRound();
        return;
    case MessageType::CELL_START:
        Decide(DecodeNumber(message.tensors));
        return;
    default:
        NS_ABORT_MSG("a " << ToString(message.header.type) << " message came from the lead to cell "
                          << m_cell << ", which has no use for it");
    }
}

void
CellServerApplication::HandleReported(double samples)
{
    SendMessage(m_lead, {MakeLeadHeader(MessageType::CELL_REPORT), EncodeNumber(samples)});
}

void
CellServerApplication::HandleAveraged(const RoundRecord& record)
{
    m_roundTrace(record);
    SendMessage(m_lead, {MakeLeadHeader(MessageType::CELL_LOSS), EncodeNumber(record.trainLoss)});
    SendMessage(m_lead,
                {MakeLeadHeader(MessageType::CELL_MODEL),
                 m_model->Gather(WholeModel(GetContext().model))});
}

// ---------------------------------------------------------------- lead

TypeId
LeadServerApplication::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::LeadServerApplication")
                            .SetParent<ModelServerApplication>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<LeadServerApplication>()
                            .AddAttribute("Cells",
                                          "Number of cells whose edge servers it leads.",
                                          UintegerValue(1),
                                          MakeUintegerAccessor(&LeadServerApplication::m_cellCount),
                                          MakeUintegerChecker<uint32_t>(1));
    return tid;
}

LeadServerApplication::LeadServerApplication() = default;
LeadServerApplication::~LeadServerApplication() = default;

void
LeadServerApplication::DoDispose()
{
    m_cells.clear();
    ModelServerApplication::DoDispose();
}

void
LeadServerApplication::StartApplication()
{
    NS_ABORT_MSG_IF(!m_model, "the lead server needs a model to begin with");
    ModelServerApplication::StartApplication();
    m_cells.resize(m_cellCount);
    m_missing = m_cellCount;
}

void
LeadServerApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const auto& header = message.header;
    NS_ABORT_MSG_IF(header.cluster >= m_cells.size() || header.round != m_record.round,
                    "a " << ToString(header.type) << " of round " << header.round << ", cell "
                         << header.cluster << " came to the lead server in round "
                         << m_record.round);
    Cell& cell = m_cells[header.cluster];
    switch (header.type)
    {
    case MessageType::HELLO:
        NS_ABORT_MSG_IF(cell.connection, "cell " << header.cluster << " says hello twice");
        cell.connection = connection;
        if (--m_missing == 0)
        {
            BeginRound();
        }
        return;
    case MessageType::CELL_REPORT:
        HandleReport(cell, message.tensors);
        return;
    case MessageType::CELL_LOSS:
        cell.loss = DecodeNumber(message.tensors);
        return;
    case MessageType::CELL_MODEL:
        cell.average = std::move(message.tensors);
        if (--m_missing == 0)
        {
            EndRound();
        }
        return;
    default:
        NS_ABORT_MSG("a " << ToString(header.type)
                          << " message came to the lead server, which has no use for it");
    }
}

void
LeadServerApplication::HandleWritable()
{
}

void
LeadServerApplication::Broadcast(MessageType type, const TensorList& tensors)
{
    for (std::size_t i = 0; i < m_cells.size(); ++i)
    {
        MessageHeader header;
        header.type = type;
        header.cluster = static_cast<uint16_t>(i);
        header.node = EDGE_SERVER;
        header.round = m_record.round;
        SendMessage(m_cells[i].connection, {header, tensors});
    }
}

void
LeadServerApplication::BeginRound()
{
    const uint32_t round = m_record.round + 1;
    m_record = RoundRecord();
    m_record.round = round;
    m_record.start = Simulator::Now();
    m_missing = m_cells.size();
    for (auto& cell : m_cells)
    {
        cell.samples = 0;
        cell.average.clear();
    }
    NS_LOG_INFO("round " << round << " begins at " << m_record.start.As(Time::S));
    Broadcast(MessageType::CELL_MODEL, m_model->Gather(WholeModel(GetContext().model)));
}

void
LeadServerApplication::HandleReport(Cell& cell, const TensorList& tensors)
{
    cell.samples = DecodeNumber(tensors);
    if (--m_missing > 0)
    {
        return;
    }
    double all = 0;
    for (const auto& each : m_cells)
    {
        all += each.samples;
    }
    m_missing = m_cells.size();
    m_record.planned = Simulator::Now();
    Broadcast(MessageType::CELL_START, EncodeNumber(all));
}

void
LeadServerApplication::EndRound()
{
    const auto whole = WholeModel(GetContext().model);
    double all = 0;
    for (const auto& cell : m_cells)
    {
        all += cell.samples;
    }
    Aggregator aggregator(GetContext().model);
    for (std::size_t i = 0; i < m_cells.size(); ++i)
    {
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
