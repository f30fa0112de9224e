/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message.h"

#include <zlib.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Writes numbers in network byte order
class ByteWriter
{
  public:
    explicit ByteWriter(uint8_t* bytes)
        : m_next(bytes)
    {
    }

    /**
     * @tparam T an unsigned type, which gives the width
     * @param value the number
     */
    template <typename T>
    void Write(T value)
    {
        for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8)
        {
            *m_next++ = static_cast<uint8_t>(value >> shift);
        }
    }

  private:
    uint8_t* m_next;
};

/// Reads numbers in network byte order
class ByteReader
{
  public:
    explicit ByteReader(const uint8_t* bytes)
        : m_next(bytes)
    {
    }

    /// @return the next number of this width
    template <typename T>
    T Read()
    {
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
        {
            value = static_cast<T>(static_cast<uint64_t>(value) << 8 | *m_next++);
        }
        return value;
    }

  private:
    const uint8_t* m_next;
};

constexpr uint32_t CHECKED_HEADER_BYTES = wire::HEADER_BYTES - 4;

} // namespace

std::string
ToString(MessageType type)
{
    switch (type)
    {
    case MessageType::HELLO:
        return "hello";
    case MessageType::STATE_REQUEST:
        return "state-request";
    case MessageType::STATE_REPORT:
        return "state-report";
    case MessageType::SEGMENT_ASSIGNMENT:
        return "segment-assignment";
    case MessageType::READY:
        return "ready";
    case MessageType::START:
        return "start";
    case MessageType::ACTIVATION:
        return "activation";
    case MessageType::TARGETS:
        return "targets";
    case MessageType::GRADIENT:
        return "gradient";
    case MessageType::PARAMETER_UPLOAD:
        return "parameter-upload";
    case MessageType::SEGMENT_PARAMETERS:
        return "segment-parameters";
    case MessageType::CELL_MODEL:
        return "cell-model";
    case MessageType::CELL_REPORT:
        return "cell-report";
    case MessageType::CELL_START:
        return "cell-start";
    case MessageType::CELL_LOSS:
        return "cell-loss";
    case MessageType::GRADIENT_NORM:
        return "gradient-norm";
    case MessageType::CLIP_FACTOR:
        return "clip-factor";
    case MessageType::HEARTBEAT:
        return "heartbeat";
    case MessageType::PEER_LOST:
        return "peer-lost";
    case MessageType::REPLICA:
        return "replica";
    case MessageType::REPLICA_STORED:
        return "replica-stored";
    case MessageType::SNAPSHOT_REQUEST:
        return "snapshot-request";
    case MessageType::SNAPSHOT:
        return "snapshot";
    case MessageType::LEAVE:
        return "leave";
    case MessageType::TABLE_GRADIENT:
        return "table-gradient";
    case MessageType::CREDIT:
        return "credit";
    case MessageType::BASE_WEIGHTS:
        return "base-weights";
    case MessageType::PARAMETER_REQUEST:
        return "parameter-request";
    case MessageType::STAGE_GRADIENTS:
        return "stage-gradients";
    }
    return "unknown";
}

TensorData
MakeScalar(double value)
{
    return TensorData::FromVector(DType::FLOAT64, {1}, std::vector<double>{value});
}

std::string
ReadScalar(const TensorList& tensors, double& value)
{
    if (tensors.size() != 1 || tensors[0].IsVirtual() || tensors[0].dtype != DType::FLOAT64 ||
        tensors[0].shape != std::vector<uint32_t>{1})
    {
        return "must be one float64 value";
    }
    value = *tensors[0].As<double>();
    return "";
}

namespace wire
{

HeaderBytes
EncodeHeader(const MessageHeader& header)
{
    HeaderBytes bytes;
    ByteWriter writer(bytes.data());
    writer.Write<uint32_t>(MAGIC);
    writer.Write<uint8_t>(VERSION);
    writer.Write<uint8_t>(static_cast<uint8_t>(header.type));
    writer.Write<uint16_t>(header.flags);
    writer.Write<uint32_t>(header.runId);
    writer.Write<uint16_t>(header.cluster);
    writer.Write<uint16_t>(header.node);
    writer.Write<uint16_t>(header.chain);
    writer.Write<uint16_t>(header.stage);
    writer.Write<uint32_t>(header.round);
    writer.Write<uint32_t>(header.iteration);
    writer.Write<uint32_t>(header.microBatch);
    writer.Write<uint16_t>(header.firstBlock);
    writer.Write<uint16_t>(header.lastBlock);
    writer.Write<uint16_t>(header.tensorCount);
    writer.Write<uint16_t>(header.attempt);
    writer.Write<uint64_t>(header.payloadBytes);
    writer.Write<uint32_t>(header.payloadCrc);
    writer.Write<uint32_t>(crc32_z(0, bytes.data(), CHECKED_HEADER_BYTES));
    return bytes;
}

std::string
DecodeHeader(const HeaderBytes& bytes, MessageHeader& header)
{
    ByteReader reader(bytes.data());
    if (reader.Read<uint32_t>() != MAGIC)
    {
        return "the stream does not continue with a message: its magic number is wrong";
    }
    const auto version = reader.Read<uint8_t>();
    if (version != VERSION)
    {
        return "the message has protocol version " + std::to_string(version) +
               ", this program speaks version " + std::to_string(VERSION);
    }
    const auto crc = ByteReader(bytes.data() + CHECKED_HEADER_BYTES).Read<uint32_t>();
    if (crc != crc32_z(0, bytes.data(), CHECKED_HEADER_BYTES))
    {
        return "the message's head is damaged: its CRC-32 does not match";
    }
    header.type = static_cast<MessageType>(reader.Read<uint8_t>());
    header.flags = reader.Read<uint16_t>();
    header.runId = reader.Read<uint32_t>();
    header.cluster = reader.Read<uint16_t>();
    header.node = reader.Read<uint16_t>();
    header.chain = reader.Read<uint16_t>();
    header.stage = reader.Read<uint16_t>();
    header.round = reader.Read<uint32_t>();
    header.iteration = reader.Read<uint32_t>();
    header.microBatch = reader.Read<uint32_t>();
    header.firstBlock = reader.Read<uint16_t>();
    header.lastBlock = reader.Read<uint16_t>();
    header.tensorCount = reader.Read<uint16_t>();
    header.attempt = reader.Read<uint16_t>();
    header.payloadBytes = reader.Read<uint64_t>();
    header.payloadCrc = reader.Read<uint32_t>();
    if (ToString(header.type) == "unknown")
    {
        return "there is no message type " + std::to_string(static_cast<int>(header.type));
    }
    if ((header.flags & ~(FLAG_VIRTUAL | FLAG_SEALED)) != 0)
    {
        return "the message has flags that this program does not know";
    }
    if (header.payloadBytes > MAX_PAYLOAD_BYTES)
    {
        return "the message announces a payload of " + std::to_string(header.payloadBytes) +
               " bytes, more than any message may have";
    }
    return "";
}

std::vector<uint8_t>
EncodeDescriptors(const TensorList& tensors)
{
    std::vector<uint8_t> bytes(DESCRIPTOR_BYTES * tensors.size());
    ByteWriter writer(bytes.data());
    for (const auto& tensor : tensors)
    {
        writer.Write<uint8_t>(static_cast<uint8_t>(tensor.dtype));
        writer.Write<uint8_t>(static_cast<uint8_t>(tensor.shape.size()));
        writer.Write<uint16_t>(0);
        for (uint32_t i = 0; i < MAX_RANK; ++i)
        {
            writer.Write<uint32_t>(i < tensor.shape.size() ? tensor.shape[i] : 0);
        }
    }
    return bytes;
}

std::string
DecodeDescriptors(const std::vector<uint8_t>& bytes,
                  const MessageHeader& header,
                  TensorList& tensors)
{
    ByteReader reader(bytes.data());
    tensors.clear();
    uint64_t total = 0;
    for (uint32_t t = 0; t < header.tensorCount; ++t)
    {
        TensorData tensor;
        tensor.dtype = static_cast<DType>(reader.Read<uint8_t>());
        const auto rank = reader.Read<uint8_t>();
        reader.Read<uint16_t>();
        if (GetElementSize(tensor.dtype) == 0 || rank > MAX_RANK)
        {
            return "tensor " + std::to_string(t) + " has an unknown element type or more than " +
                   std::to_string(MAX_RANK) + " dimensions";
        }
        uint64_t bytesOfTensor = GetElementSize(tensor.dtype);
        for (uint32_t i = 0; i < MAX_RANK; ++i)
        {
            const auto extent = reader.Read<uint32_t>();
            if (i < rank)
            {
                tensor.shape.push_back(extent);
                // Saturate: four extents can overflow 64 bits.
                bytesOfTensor = extent != 0 && bytesOfTensor > MAX_PAYLOAD_BYTES / extent
                                    ? MAX_PAYLOAD_BYTES + 1
                                    : bytesOfTensor * extent;
            }
        }
        total = Align(total) + bytesOfTensor;
        tensors.push_back(std::move(tensor));
    }
    if (total != header.payloadBytes)
    {
        return "the tensors take " + std::to_string(total) + " bytes, the message has " +
               std::to_string(header.payloadBytes);
    }
    return "";
}

uint64_t
Align(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint64_t
GetPayloadBytes(const TensorList& tensors)
{
    uint64_t total = 0;
    for (const auto& tensor : tensors)
    {
        total = Align(total) + tensor.GetByteSize();
    }
    return total;
}

} // namespace wire

uint64_t
GetWireBytes(const Message& message)
{
    return wire::HEADER_BYTES + wire::DESCRIPTOR_BYTES * message.tensors.size() +
           wire::GetPayloadBytes(message.tensors);
}

} // namespace collapipe
} // namespace ns3
