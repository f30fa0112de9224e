/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The readers of what comes over connections: messages, and the assignments in them.

#include "collapipe-attacker.h"
#include "collapipe-fuzz-target.h"

#include "ns3/collapipe-assignment.h"
#include "ns3/collapipe-message-stream.h"

#include <algorithm>
#include <cstring>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

std::vector<Bytes>
MakeMessages()
{
    std::vector<Bytes> corpus;
    for (uint8_t type = 1; type < 40; ++type)
    {
        Message message;
        message.header.type = static_cast<MessageType>(type);
        message.header.runId = 1;
        if (ToString(message.header.type) == "unknown")
        {
            continue;
        }
        corpus.push_back(Serialize(message));
        message.tensors = {TensorData::FromVector(DType::FLOAT32, {2, 3}, std::vector<float>(6)),
                           TensorData::FromVector(DType::UINT8, {5}, std::vector<uint8_t>(5))};
        corpus.push_back(Serialize(message));
        message.tensors = {TensorData::MakeVirtual(DType::FLOAT32, {1, 1, 2})};
        corpus.push_back(Serialize(message));
    }
    return corpus;
}

void
ReadMessages(const Bytes& input)
{
    MessageReader reader;
    // As the applications do: small messages are welcome, some are passed over
    reader.SetCheck(
        [](const MessageHeader& header, const TensorList& /* shapes */) {
            return header.payloadBytes > 4096 ? MessageVerdict::Refuse("too much")
                   : header.round % 3 == 1    ? MessageVerdict::Skip("late")
                                              : MessageVerdict::Take();
        },
        64);
    for (std::size_t next = 0; next < input.size() && reader.GetError().empty();)
    {
        const auto window = reader.GetWindow();
        const auto size = std::min<uint64_t>(window.size, input.size() - next);
        if (window.data)
        {
            std::copy_n(input.begin() + next, size, window.data);
        }
        Message message;
        if (reader.Advance(size, message) && message.tensors.size() == 1)
        {
            StageAssignment assignment;
            DecodeAssignment(message.tensors[0], assignment);
            StateReport report;
            DecodeReport(message.tensors[0], report);
            double value = 0;
            ReadScalar(message.tensors, value);
        }
        next += size;
    }
}

std::vector<Bytes>
MakeAssignments()
{
    StageAssignment assignment;
    assignment.stage = 1;
    assignment.stages = 3;
    assignment.plan = {2, false, 0, 2, false};
    assignment.firstIteration = 0;
    const auto tensor = EncodeAssignment(assignment);
    return {{tensor.As<uint8_t>(), tensor.As<uint8_t>() + tensor.GetByteSize()}};
}

void
ReadAssignment(const Bytes& input)
{
    StageAssignment assignment;
    auto copy = input;
    const auto size = static_cast<uint32_t>(copy.size());
    if (DecodeAssignment(TensorData::FromVector(DType::UINT8, {size}, std::move(copy)), assignment)
            .empty())
    {
        CheckAssignment(assignment, 4);
    }
}

} // namespace

void
MendMessage(Bytes& input)
{
    if (input.size() < wire::HEADER_BYTES)
    {
        return;
    }
    wire::HeaderBytes head;
    std::copy_n(input.begin(), head.size(), head.begin());
    // Encoding again writes the checksum; what cannot be decoded for another reason stays.
    MessageHeader header;
    for (int attempt = 0; attempt < 2; ++attempt)
    {
        if (wire::DecodeHeader(head, header).empty())
        {
            break;
        }
        const auto type = head[5];
        MessageHeader rewritten;
        rewritten.type = static_cast<MessageType>(type);
        std::memcpy(&rewritten.runId, &head[8], 4);
        rewritten.tensorCount = static_cast<uint16_t>(head[36] << 8 | head[37]);
        for (int i = 0; i < 8; ++i)
        {
            rewritten.payloadBytes = rewritten.payloadBytes << 8 | head[40 + i];
        }
        rewritten.flags = static_cast<uint16_t>(head[6] << 8 | head[7]);
        head = wire::EncodeHeader(rewritten);
    }
    std::copy(head.begin(), head.end(), input.begin());
}

std::vector<Target>
GetMessageTargets()
{
    return {{"message", MakeMessages, MendMessage, ReadMessages},
            {"assignment", MakeAssignments, nullptr, ReadAssignment}};
}
