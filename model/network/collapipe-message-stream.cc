/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message-stream.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cstdlib>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t MEMORY_ALIGNMENT = 64;
const uint8_t ZEROS[wire::ALIGNMENT] = {};

/**
 * @param tensors the tensors
 * @return whether none of them has bytes
 */
bool
AreVirtual(const TensorList& tensors)
{
    return !tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [](const auto& tensor) {
        return tensor.IsVirtual();
    });
}

} // namespace

MessageWriter::MessageWriter(Message message, MessageSeal* seal)
    : m_message(std::move(message)),
      m_descriptors(wire::EncodeDescriptors(m_message.tensors))
{
    auto& header = m_message.header;
    const bool isVirtual = AreVirtual(m_message.tensors);
    const bool isSealed = seal && seal->IsOn();
    header.flags = (isVirtual ? wire::FLAG_VIRTUAL : 0) | (isSealed ? wire::FLAG_SEALED : 0);
    header.tensorCount = m_message.tensors.size();
    header.payloadBytes = wire::GetPayloadBytes(m_message.tensors);

    AddPiece(m_header.data(), m_header.size());
    AddPiece(m_descriptors.data(), m_descriptors.size());
    if (isVirtual)
    {
        AddPiece(nullptr, header.payloadBytes);
    }
    else
    {
        uint64_t offset = 0;
        for (const auto& tensor : m_message.tensors)
        {
            AddPiece(ZEROS, wire::Align(offset) - offset);
            AddPiece(tensor.data.get(), tensor.GetByteSize());
            offset = wire::Align(offset) + tensor.GetByteSize();
        }
    }
    header.payloadCrc = isVirtual ? 0 : ComputeCrc();
    m_header = wire::EncodeHeader(header);
    if (isSealed)
    {
        AddSeal(*seal);
    }
}

void
MessageWriter::AddSeal(MessageSeal& seal)
{
    std::vector<MessageSeal::Piece> pieces;
    for (const auto& piece : m_pieces)
    {
        if (piece.data)
        {
            pieces.emplace_back(piece.data, piece.size);
        }
    }
    m_tag = seal.Next(pieces);
    AddPiece(m_tag.data(), m_tag.size());
}

void
MessageWriter::AddPiece(const uint8_t* data, uint64_t size)
{
    if (size > 0)
    {
        m_pieces.push_back({data, size});
        m_remaining += size;
    }
}

uint32_t
MessageWriter::ComputeCrc() const
{
    uint32_t crc = crc32_z(0, nullptr, 0);
    for (std::size_t i = 1; i < m_pieces.size(); ++i)
    {
        NS_ABORT_MSG_IF(!m_pieces[i].data,
                        "a message must have bytes for all of its tensors or for none");
        crc = crc32_z(crc, m_pieces[i].data, m_pieces[i].size);
    }
    return crc;
}

uint64_t
MessageWriter::GetRemaining() const
{
    return m_remaining;
}

void
MessageWriter::Corrupt()
{
    m_header[m_header.size() / 2] ^= 1;
}

Ptr<Packet>
MessageWriter::NextPacket(uint32_t maxBytes)
{
    const auto& piece = m_pieces[m_piece];
    const auto size = static_cast<uint32_t>(std::min<uint64_t>(maxBytes, piece.size - m_offset));
    auto packet = piece.data ? Create<Packet>(piece.data + m_offset, size) : Create<Packet>(size);
    m_offset += size;
    m_remaining -= size;
    if (m_offset == piece.size)
    {
        ++m_piece;
        m_offset = 0;
    }
    return packet;
}

MessageReader::MessageReader() = default;

void
MessageReader::SetCheck(MessageCheck check, uint32_t maxTensors)
{
    m_check = std::move(check);
    m_maxTensors = maxTensors;
}

void
MessageReader::SetSeal(MessageSeal seal)
{
    m_seal = std::move(seal);
}

bool
MessageReader::IsSealed() const
{
    return m_message.header.flags & wire::FLAG_SEALED;
}

void
MessageReader::CheckSeal()
{
    if (m_isSkipped)
    {
        m_seal.Skip();
        return;
    }
    std::vector<MessageSeal::Piece> pieces{{m_headerBytes.data(), m_headerBytes.size()},
                                           {m_descriptorBytes.data(), m_descriptorBytes.size()}};
    if (m_payload)
    {
        pieces.emplace_back(m_payload.get(), m_message.header.payloadBytes);
    }
    const auto expected = m_seal.Next(pieces);
    uint8_t difference = 0; // all of it, so that the time tells nothing
    for (std::size_t i = 0; i < expected.size(); ++i)
    {
        difference |= expected[i] ^ m_tag[i];
    }
    if (difference != 0)
    {
        m_error = "the seal of a " + ToString(m_message.header.type) +
                  " message is not that of a member of this run";
    }
}

MessageReader::Window
MessageReader::GetWindow()
{
    switch (m_state)
    {
    case HEADER:
        return {m_headerBytes.data() + m_filled, m_headerBytes.size() - m_filled};
    case DESCRIPTORS:
        return {m_descriptorBytes.data() + m_filled, m_descriptorBytes.size() - m_filled};
    case SEAL:
        return {m_tag.data() + m_filled, m_tag.size() - m_filled};
    case PAYLOAD:
        break;
    }
    return {m_payload ? m_payload.get() + m_filled : nullptr,
            m_message.header.payloadBytes - m_filled};
}

bool
MessageReader::Advance(uint64_t size, Message& message)
{
    const bool isLast = size == GetWindow().size;
    m_filled += size;
    return isLast && EndState(message);
}

bool
MessageReader::EndState(Message& message)
{
    m_filled = 0;
    switch (m_state)
    {
    case HEADER:
        m_error = wire::DecodeHeader(m_headerBytes, m_message.header);
        if (m_error.empty() && m_message.header.tensorCount > m_maxTensors)
        {
            m_error = "the message announces " + std::to_string(m_message.header.tensorCount) +
                      " tensors, no message of this run has more than " +
                      std::to_string(m_maxTensors);
        }
        if (m_error.empty() && IsSealed() != m_seal.IsOn())
        {
            m_error = m_seal.IsOn() ? "the message has no seal"
                                    : "the message has a seal, the run has none";
        }
        if (!m_error.empty())
        {
            return false;
        }
        m_descriptorBytes.resize(m_message.header.tensorCount * wire::DESCRIPTOR_BYTES);
        m_state = DESCRIPTORS;
        return m_descriptorBytes.empty() && EndState(message);
    case DESCRIPTORS:
        m_error = wire::DecodeDescriptors(m_descriptorBytes, m_message.header, m_message.tensors);
        Check();
        if (!m_error.empty())
        {
            return false;
        }
        BeginPayload();
        return m_error.empty() && m_message.header.payloadBytes == 0 && EndState(message);
    case PAYLOAD:
        if (IsSealed())
        {
            m_state = SEAL;
            return false;
        }
        break;
    case SEAL:
        CheckSeal();
        if (!m_error.empty())
        {
            return false;
        }
        break;
    }
    m_state = HEADER;
    return EndPayload(message);
}

void
MessageReader::Check()
{
    m_isSkipped = false;
    if (!m_error.empty() || !m_check)
    {
        return;
    }
    const auto check = m_check;
    auto verdict = check(m_message.header, m_message.tensors);
    m_isSkipped = verdict.kind == MessageVerdict::SKIP;
    if (verdict.kind == MessageVerdict::REFUSE)
    {
        m_error = std::move(verdict.reason);
    }
}

void
MessageReader::BeginPayload()
{
    m_state = PAYLOAD;
    m_payload.reset();
    const bool isVirtual = m_message.header.flags & wire::FLAG_VIRTUAL;
    if (!isVirtual && !m_isSkipped && m_message.header.payloadBytes > 0)
    {
        // Not a vector: it would write every byte once for nothing. Aligned as LibTorch aligns its
        // own memory, since kernels may add up in another order at another alignment.
        auto* bytes = static_cast<uint8_t*>(
            std::aligned_alloc(MEMORY_ALIGNMENT,
                               (m_message.header.payloadBytes + MEMORY_ALIGNMENT - 1) /
                                   MEMORY_ALIGNMENT * MEMORY_ALIGNMENT));
        if (!bytes)
        {
            m_error = "there is no memory for a message of " +
                      std::to_string(m_message.header.payloadBytes) + " bytes";
            return;
        }
        m_payload.reset(bytes, [](uint8_t* memory) { std::free(memory); });
    }
}

bool
MessageReader::EndPayload(Message& message)
{
    const auto& header = m_message.header;
    if (m_isSkipped)
    {
        m_message = Message();
        return false;
    }
    if (!(header.flags & wire::FLAG_VIRTUAL))
    {
        uint32_t crc = crc32_z(0, nullptr, 0);
        crc = crc32_z(crc, m_descriptorBytes.data(), m_descriptorBytes.size());
        if (m_payload)
        {
            crc = crc32_z(crc, m_payload.get(), header.payloadBytes);
        }
        if (crc != header.payloadCrc)
        {
            m_error = "the payload of a " + ToString(header.type) +
                      " message is damaged: its CRC-32 does not match";
            return false;
        }
        uint64_t offset = 0;
        for (auto& tensor : m_message.tensors)
        {
            offset = wire::Align(offset);
            tensor.data = std::shared_ptr<const uint8_t>(m_payload, m_payload.get() + offset);
            offset += tensor.GetByteSize();
        }
    }
    message = std::move(m_message);
    m_message = Message();
    m_payload.reset();
    return true;
}

const std::string&
MessageReader::GetError() const
{
    return m_error;
}

bool
MessageReader::IsIdle() const
{
    return m_state == HEADER && m_filled == 0;
}

} // namespace collapipe
} // namespace ns3
