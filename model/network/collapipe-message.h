/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_H
#define COLLAPIPE_MESSAGE_H

#include "ns3/collapipe-tensor-data.h"

#include <array>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What a message is about. The values are those on the wire.
enum class MessageType : uint8_t
{
    HELLO = 1,              //!< first on every connection: who is calling
    STATE_REQUEST = 2,      //!< edge server asks every node for its state
    STATE_REPORT = 3,       //!< [R] float64; see StateReport; where frozen weights are sent, also
                            //!< [L+2] uint8: which the node has, see EncodeHeldBase()
    SEGMENT_ASSIGNMENT = 4, //!< the stage's description: JSON, uint8; see StageAssignment
    READY = 5,              //!< node has its parameters and its neighbour
    START = 6,              //!< edge server starts a chain's local iterations
    ACTIVATION = 7,         //!< hidden [b,T,D], see WirePrecision; padding [b,T] uint8
    TARGETS = 8,            //!< target tokens [b,U+1] int32, normaliser [1] float32
    GRADIENT = 9,           //!< d hidden [b,T,D], see WirePrecision
    // Where a control unit collects them, these go over it, with the stage whose they are
    PARAMETER_UPLOAD = 10,   //!< parameters in chain order, then GradientStatistics
    SEGMENT_PARAMETERS = 11, //!< edge server to node: the stage's parameters in chain order
    GRADIENT_NORM = 12,      //!< node to edge server: squared norm of its gradients, [1] float64
    CLIP_FACTOR = 13,        //!< edge server to node: what multiplies them, [1] float64
    // What recovery from failures takes; see RecoveryPolicy
    HEARTBEAT = 14,        //!< node to edge server: is alive; micro-batch field: passes done
    PEER_LOST = 15,        //!< node to edge server: cannot reach the node in the micro-batch field
    REPLICA = 16,          //!< stage to its neighbour: its state after so many local iterations
    REPLICA_STORED = 17,   //!< the neighbour to the edge server: has it
    SNAPSHOT_REQUEST = 18, //!< edge server to node: wants a state, its own or a replica
    SNAPSHOT = 19,         //!< the answer; without tensors: not there
    LEAVE = 20,            //!< node to edge server: says goodbye, its battery is empty
    // What a table that lies on two nodes takes, and stages without a backward pass
    TABLE_GRADIENT = 21, //!< between first and last stage: d table [V,D], see WirePrecision
    CREDIT = 22,         //!< to the stage before: so many local iterations are done behind it
    /// Edge server to node: frozen weights as they are held, see EncodeFrozen(); micro-batch field:
    /// of what, 0: the embedding, 1 + i: block i, 1 + L: the decoder
    BASE_WEIGHTS = 23,
    /// Node to the control unit that carries its parameters: it knows its stage and can take them
    PARAMETER_REQUEST = 24,
    /// Where chains step together: a stage's accumulated gradients in chain order, to the stage of
    /// the first chain that holds the same blocks; from that their weighted mean back
    STAGE_GRADIENTS = 25,
    // Between the edge servers of several cells and their lead; the cluster field holds the cell
    CELL_MODEL = 32,  //!< all parameters in chain order: a round's first, or a cell's average; of a
                      //!< table that embedding and projection share one copy
    CELL_REPORT = 33, //!< [1] float64: training samples in the cell; it is ready to plan
    CELL_START = 34,  //!< [1] float64: training samples in all cells; plan and begin
    CELL_LOSS = 35,   //!< [1] float64: the cell's training loss, nats per token; NaN: unknown
};

/**
 * @param type a message type
 * @return its name as in the documentation, for example "activation"; "unknown" where it is none
 */
std::string ToString(MessageType type);

/**
 * @ingroup collapipe
 * Head of every message. On the wire, in network byte order:
 *
 * | offset | size | field                                                          |
 * |--------|------|----------------------------------------------------------------|
 * | 0      | 4    | magic 0x436f4c50 ("CoLP")                                      |
 * | 4      | 1    | version, 1                                                     |
 * | 5      | 1    | type                                                           |
 * | 6      | 2    | flags; bit 0: payload stands for zeros, its CRC is 0;          |
 * |        |      | bit 1: 16 bytes of HMAC-SHA256 follow the payload              |
 * | 8      | 4    | run id                                                         |
 * | 12     | 2    | cluster                                                        |
 * | 14     | 2    | node of the sender within the cluster; 0xffff: edge server     |
 * | 16     | 2    | chain within the cluster                                       |
 * | 18     | 2    | stage of the sender                                            |
 * | 20     | 4    | round                                                          |
 * | 24     | 4    | local iteration                                                |
 * | 28     | 4    | micro-batch                                                    |
 * | 32     | 2    | first encoder block of the sender's part                       |
 * | 34     | 2    | one past its last encoder block                                |
 * | 36     | 2    | number of tensor descriptors                                   |
 * | 38     | 2    | attempt at the round, from 0; see RecoveryPolicy               |
 * | 40     | 8    | payload length in bytes                                        |
 * | 48     | 4    | CRC-32 of descriptors and payload                              |
 * | 52     | 4    | CRC-32 of the 52 bytes before                                  |
 *
 * Then the descriptors, 20 bytes each: type (1), rank (1), reserved (2), four extents (4 x 4,
 * unused ones 0). Then the payload: the tensors in order, each row-major and little-endian, each
 * begun at a multiple of 8 bytes from the payload's start. CRC-32 is that of IEEE 802.3, as in
 * zlib.
 */
struct MessageHeader
{
    MessageType type{MessageType::HELLO}; //!< what it is about
    uint16_t flags{0};                    //!< FLAG_VIRTUAL or 0
    uint32_t runId{0};                    //!< the run
    uint16_t cluster{0};                  //!< cluster index
    uint16_t node{0};                     //!< sender within the cluster
    uint16_t chain{0};                    //!< chain within the cluster
    uint16_t stage{0};                    //!< sender's stage
    uint32_t round{0};                    //!< round
    uint32_t iteration{0};                //!< local iteration
    uint32_t microBatch{0};               //!< micro-batch
    uint16_t firstBlock{0};               //!< first encoder block of the sender's part
    uint16_t lastBlock{0};                //!< one past its last encoder block
    uint16_t tensorCount{0};              //!< number of descriptors; set when encoding
    uint16_t attempt{0};                  //!< number of the try at the cluster's round
    uint64_t payloadBytes{0};             //!< payload length; set when encoding
    uint32_t payloadCrc{0};               //!< CRC-32 of descriptors and payload; set when encoding
};

/**
 * @param value any number
 * @return a [1] float64 tensor of it
 */
TensorData MakeScalar(double value);

/**
 * @param tensors of a message
 * @param value filled in
 * @return empty, or the rest of a sentence that says what is wrong: not one [1] float64 tensor with
 *         bytes
 */
std::string ReadScalar(const TensorList& tensors, double& value);

/// A head with its tensors
struct Message
{
    MessageHeader header; //!< the head
    TensorList tensors;   //!< the payload
};

namespace wire
{

constexpr uint32_t MAGIC = 0x436f4c50;             //!< "CoLP"
constexpr uint8_t VERSION = 1;                     //!< of the protocol
constexpr uint16_t FLAG_VIRTUAL = 1;               //!< the payload stands for zeros
constexpr uint16_t FLAG_SEALED = 2;                //!< a seal follows the payload; see MessageSeal
constexpr uint32_t HEADER_BYTES = 56;              //!< fixed head
constexpr uint32_t DESCRIPTOR_BYTES = 20;          //!< one tensor descriptor
constexpr uint32_t MAX_RANK = 4;                   //!< extents of a descriptor
constexpr uint32_t ALIGNMENT = 8;                  //!< of each tensor in the payload
constexpr uint64_t MAX_PAYLOAD_BYTES = 1ULL << 34; //!< longer ones are refused

/// A head in wire form
using HeaderBytes = std::array<uint8_t, HEADER_BYTES>;

/**
 * @param header the head
 * @return its wire form
 */
HeaderBytes EncodeHeader(const MessageHeader& header);

/**
 * @param bytes the wire form
 * @param header filled in
 * @return empty, or one sentence that says why this is no head
 */
std::string DecodeHeader(const HeaderBytes& bytes, MessageHeader& header);

/**
 * @param tensors at most 65535, of rank at most 4
 * @return the descriptors' wire form
 */
std::vector<uint8_t> EncodeDescriptors(const TensorList& tensors);

/**
 * @param bytes descriptors in wire form
 * @param header the head they came with
 * @param tensors filled with tensors without bytes
 * @return empty, or one sentence that says what is wrong: an unknown type, a rank above 4, sizes
 * that do not add up to the payload's length
 */
std::string DecodeDescriptors(const std::vector<uint8_t>& bytes,
                              const MessageHeader& header,
                              TensorList& tensors);

/**
 * @param bytes a size
 * @return the size rounded up to the alignment
 */
uint64_t Align(uint64_t bytes);

/**
 * @param tensors the tensors
 * @return length of their payload, alignment included, in bytes
 */
uint64_t GetPayloadBytes(const TensorList& tensors);

} // namespace wire

/**
 * @param message a message
 * @return its length on the wire in bytes: head, descriptors, payload
 */
uint64_t GetWireBytes(const Message& message);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_H */
