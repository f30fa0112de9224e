/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_STREAM_H
#define COLLAPIPE_MESSAGE_STREAM_H

#include "collapipe-message-seal.h"
#include "collapipe-message-verdict.h"

#include "ns3/packet.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A message on its way out: gives the wire bytes piece by piece, straight from the tensors' memory.
 */
class MessageWriter
{
  public:
    /**
     * @param message what to send; virtual tensors are sent as zeros
     * @param seal that it gets; null: none
     */
    explicit MessageWriter(Message message, MessageSeal* seal = nullptr);

    MessageWriter(const MessageWriter&) = delete; // pieces point into this object
    MessageWriter& operator=(const MessageWriter&) = delete;

    /// @return bytes not yet taken
    uint64_t GetRemaining() const;

    /// Flips a bit of the head. To be called before anything is taken.
    void Corrupt();

    /**
     * @param maxBytes at most so many bytes, > 0
     * @return the next bytes of the message; there must be some left
     */
    Ptr<Packet> NextPacket(uint32_t maxBytes);

  private:
    /// A run of bytes in memory, or of zeros where data is null
    struct Piece
    {
        const uint8_t* data; //!< where
        uint64_t size;       //!< how many
    };

    /// Adds a run of bytes, unless it is empty.
    void AddPiece(const uint8_t* data, uint64_t size);

    /// @return CRC-32 of descriptors and payload
    uint32_t ComputeCrc() const;

    /// Adds the message's seal.
    void AddSeal(MessageSeal& seal);

    Message m_message;                  //!< keeps the tensors' memory alive
    wire::HeaderBytes m_header;         //!< wire form of the head
    std::vector<uint8_t> m_descriptors; //!< wire form of the descriptors
    MessageSeal::Tag m_tag{};           //!< seal, where there is one
    std::vector<Piece> m_pieces;        //!< all bytes in order
    std::size_t m_piece{0};             //!< piece to take from next
    uint64_t m_offset{0};               //!< bytes taken of that piece
    uint64_t m_remaining{0};            //!< bytes not yet taken
};

/**
 * @ingroup collapipe
 * Puts messages together again from a byte stream, however it was segmented.
 *
 * Bytes are written straight to where they belong: ask GetWindow() where the next ones go, put them
 * there, and say so with Advance().
 */
class MessageReader
{
  public:
    MessageReader();

    /**
     * @param check asked about every message before memory is taken for its payload; one that it
     *        refuses is an error of the stream, one that it skips is read and never seen
     * @param maxTensors messages with more are errors; no memory is taken for their descriptors
     */
    void SetCheck(MessageCheck check, uint32_t maxTensors);

    /// @param seal that every message must have; off: none may have one
    void SetSeal(MessageSeal seal);

    /// Where the next bytes of the stream go
    struct Window
    {
        uint8_t* data; //!< null where the bytes are of no interest (zeros, or to be skipped)
        uint64_t size; //!< how many at most; never 0
    };

    /// @return the place for the next bytes; must not be called after an error
    Window GetWindow();

    /**
     * @param size number of bytes put into the window, at most its size
     * @param message filled in where this completes a message
     * @return whether this completed a message
     */
    bool Advance(uint64_t size, Message& message);

    /// @return empty, or one sentence that says what was wrong with the stream; it cannot go on
    /// then
    const std::string& GetError() const;

    /// @return whether the stream is between two messages
    bool IsIdle() const;

  private:
    /// What is being read
    enum State
    {
        HEADER,
        DESCRIPTORS,
        PAYLOAD,
        SEAL
    };

    /// Called when all bytes of the current state are there. @return whether a message is complete
    bool EndState(Message& message);

    /// Asks whether the message is welcome, once head and descriptors are known.
    void Check();

    /// Gets ready for its payload.
    void BeginPayload();

    /// @return whether the message has a seal
    bool IsSealed() const;

    /// Looks at the seal, which is there.
    void CheckSeal();

    /// Checks the payload and points the tensors into it. @return whether the message is good
    bool EndPayload(Message& message);

    State m_state{HEADER};                  //!< what is being read
    uint64_t m_filled{0};                   //!< bytes of it that are there
    wire::HeaderBytes m_headerBytes;        //!< head
    std::vector<uint8_t> m_descriptorBytes; //!< descriptors
    std::shared_ptr<uint8_t> m_payload;     //!< payload; null where it stands for zeros
    Message m_message;                      //!< the message being read
    MessageSeal m_seal;                     //!< what every message must have
    MessageSeal::Tag m_tag{};               //!< what this one has
    MessageCheck m_check;                   //!< decides on messages; empty: all are welcome
    uint32_t m_maxTensors{0xffff};          //!< of a message
    bool m_isSkipped{false};                //!< nobody wants the message being read
    std::string m_error;                    //!< what was wrong
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_STREAM_H */
