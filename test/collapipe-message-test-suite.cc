/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The protocol: what is written is read again however the stream was segmented, and damage is
// noticed.

#include "ns3/collapipe-message-shapes.h"
#include "ns3/collapipe-message-stream.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

/// @return a message with random tensors of all types, possibly none, possibly empty ones
Message
MakeMessage(std::mt19937_64& random, bool isVirtual)
{
    constexpr DType TYPES[] =
        {DType::FLOAT32, DType::FLOAT64, DType::INT32, DType::UINT8, DType::FLOAT16, DType::INT8};
    Message message;
    auto& header = message.header;
    do
    {
        header.type = static_cast<MessageType>(random());
    } while (ToString(header.type) == "unknown");
    header.runId = random();
    header.cluster = random();
    header.node = random();
    header.chain = random();
    header.stage = random();
    header.round = random();
    header.iteration = random();
    header.microBatch = random();
    header.firstBlock = random();
    header.lastBlock = random();
    const auto tensors = isVirtual ? 1 + random() % 3 : random() % 4;
    for (uint32_t t = 0; t < tensors; ++t)
    {
        TensorData tensor = TensorData::MakeVirtual(TYPES[random() % 6], {});
        for (uint32_t i = random() % 5; i > 0; --i)
        {
            tensor.shape.push_back(random() % 12);
        }
        if (!isVirtual)
        {
            std::vector<uint8_t> bytes(tensor.GetByteSize() + 1);
            std::generate(bytes.begin(), bytes.end(), [&random] { return random(); });
            const auto shape = tensor.shape;
            tensor = TensorData::FromVector(tensor.dtype, shape, std::move(bytes));
        }
        message.tensors.push_back(tensor);
    }
    return message;
}

/// @return the message as one packet
Ptr<Packet>
Serialize(const Message& message)
{
    MessageWriter writer(message);
    auto packet = Create<Packet>();
    while (writer.GetRemaining() > 0)
    {
        packet->AddAtEnd(writer.NextPacket(1U << 20));
    }
    return packet;
}

/// @return the packet's bytes
std::vector<uint8_t>
ToBytes(Ptr<Packet> packet)
{
    std::vector<uint8_t> bytes(packet->GetSize());
    packet->CopyData(bytes.data(), bytes.size());
    return bytes;
}

/**
 * Reads bytes in pieces of random sizes.
 * @return the messages before the first error
 */
std::vector<Message>
Read(const std::vector<uint8_t>& bytes, std::mt19937_64& random, MessageReader& reader)
{
    std::vector<Message> messages;
    std::size_t next = 0;
    while (next < bytes.size() && reader.GetError().empty())
    {
        // One segment of the stream, which the windows cut further.
        const std::size_t segment = std::min<std::size_t>(bytes.size() - next, 1 + random() % 200);
        for (std::size_t end = next + segment; next < end && reader.GetError().empty();)
        {
            const auto window = reader.GetWindow();
            const auto size = std::min<uint64_t>(window.size, end - next);
            if (window.data)
            {
                std::copy_n(bytes.begin() + next, size, window.data);
            }
            Message message;
            if (reader.Advance(size, message))
            {
                messages.push_back(std::move(message));
            }
            next += size;
        }
    }
    return messages;
}

/// @return whether two messages say the same
bool
AreEqual(const Message& left, const Message& right)
{
    const auto& a = left.header;
    const auto& b = right.header;
    const bool sameHeader = a.type == b.type && a.runId == b.runId && a.cluster == b.cluster &&
                            a.node == b.node && a.chain == b.chain && a.stage == b.stage &&
                            a.round == b.round && a.iteration == b.iteration &&
                            a.microBatch == b.microBatch && a.firstBlock == b.firstBlock &&
                            a.lastBlock == b.lastBlock;
    return sameHeader && left.tensors.size() == right.tensors.size() &&
           std::equal(
               left.tensors.begin(),
               left.tensors.end(),
               right.tensors.begin(),
               [](const auto& x, const auto& y) {
                   const bool same = x.dtype == y.dtype && x.shape == y.shape;
                   return same &&
                          (x.IsVirtual() || y.IsVirtual() ||
                           std::equal(x.data.get(), x.data.get() + x.GetByteSize(), y.data.get()));
               });
}

/**
 * Streams of random messages in random segments.
 */
class SegmentationTestCase : public TestCase
{
  public:
    SegmentationTestCase()
        : TestCase("a stream is read whatever its segmentation")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937_64 random(1);
        std::set<MessageType> types;
        for (int repeat = 0; repeat < 300; ++repeat)
        {
            std::vector<Message> sent;
            std::vector<uint8_t> stream;
            for (int i = 0; i < 6; ++i)
            {
                sent.push_back(MakeMessage(random, random() % 4 == 0));
                types.insert(sent.back().header.type);
                const auto bytes = ToBytes(Serialize(sent.back()));
                NS_TEST_ASSERT_MSG_EQ(bytes.size(),
                                      GetWireBytes(sent.back()),
                                      "length on the wire");
                stream.insert(stream.end(), bytes.begin(), bytes.end());
            }
            MessageReader reader;
            const auto received = Read(stream, random, reader);
            NS_TEST_ASSERT_MSG_EQ(reader.GetError(), "", "no error");
            NS_TEST_ASSERT_MSG_EQ(reader.IsIdle(), true, "the stream has ended between messages");
            NS_TEST_ASSERT_MSG_EQ(received.size(), sent.size(), "number of messages");
            for (std::size_t i = 0; i < sent.size(); ++i)
            {
                NS_TEST_ASSERT_MSG_EQ(AreEqual(received[i], sent[i]), true, "message " << i);
            }
        }
        for (uint32_t type = 0; type < 256; ++type)
        {
            const auto known = static_cast<MessageType>(type);
            NS_TEST_ASSERT_MSG_EQ((types.count(known) > 0),
                                  (ToString(known) != "unknown"),
                                  "a type was left out: " << ToString(known));
        }
    }
};

/**
 * Any single damaged byte of a message is noticed, whichever it is, and nothing is delivered of it.
 */
class DamageTestCase : public TestCase
{
  public:
    DamageTestCase()
        : TestCase("every damaged byte is noticed")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937_64 random(2);
        for (int repeat = 0; repeat < 20; ++repeat)
        {
            const auto good = ToBytes(Serialize(MakeMessage(random, false)));
            for (std::size_t i = 0; i < good.size(); ++i)
            {
                auto bytes = good;
                bytes[i] ^= 1 + random() % 255;
                MessageReader reader;
                const auto received = Read(bytes, random, reader);
                NS_TEST_ASSERT_MSG_EQ(received.empty(), true, "byte " << i << " was damaged");
                NS_TEST_ASSERT_MSG_EQ(reader.GetError().empty(), false, "byte " << i);
            }
        }
    }
};

/**
 * Descriptors that do not fit their payload are refused, also where their CRCs are right.
 */
class DescriptorTestCase : public TestCase
{
  public:
    DescriptorTestCase()
        : TestCase("descriptors that do not fit are refused")
    {
    }

  private:
    /// Expects a reason for refusing descriptors with one changed byte.
    void ExpectRefusal(std::size_t offset, uint8_t value, const std::string& what)
    {
        TensorList tensors{TensorData::MakeVirtual(DType::FLOAT32, {2, 3})};
        MessageHeader header;
        header.tensorCount = 1;
        header.payloadBytes = wire::GetPayloadBytes(tensors);
        auto bytes = wire::EncodeDescriptors(tensors);
        TensorList decoded;
        NS_TEST_EXPECT_MSG_EQ(wire::DecodeDescriptors(bytes, header, decoded), "", "unchanged");
        bytes[offset] = value;
        NS_TEST_EXPECT_MSG_EQ(wire::DecodeDescriptors(bytes, header, decoded).empty(), false, what);
    }

    void DoRun() override
    {
        ExpectRefusal(0, 0, "no type");
        ExpectRefusal(0, 99, "an unknown type");
        ExpectRefusal(0, 2, "a type of another size");
        ExpectRefusal(1, 5, "a rank above 4");
        ExpectRefusal(7, 3, "another extent");
        ExpectRefusal(4, 255, "an enormous extent");
    }
};

/**
 * The loss at the end of an upload: none where nothing is computed or training has come to nothing,
 * and a reason for refusing what cannot be one.
 */
class LossTestCase : public TestCase
{
  public:
    LossTestCase()
        : TestCase("a training loss is told, and what cannot be one is refused")
    {
    }

  private:
    static constexpr double INF = std::numeric_limits<double>::infinity();

    /// Expects a loss that is taken, and its value.
    void ExpectLoss(const TensorData& tensor, double expected)
    {
        double loss = -1;
        NS_TEST_EXPECT_MSG_EQ(DecodeLoss(tensor, loss), "", "a loss is refused");
        NS_TEST_EXPECT_MSG_EQ((std::isnan(expected) ? std::isnan(loss) : loss == expected),
                              true,
                              loss << " instead of " << expected);
    }

    void ExpectRefusal(const TensorData& tensor)
    {
        double loss = -1;
        NS_TEST_EXPECT_MSG_NE(DecodeLoss(tensor, loss), "", "taken as " << loss);
        NS_TEST_EXPECT_MSG_EQ(std::isnan(loss), true, "a refused loss has a value");
    }

    void DoRun() override
    {
        for (const double loss : {0.0, 0.25, 11.5, std::numeric_limits<double>::max()})
        {
            ExpectLoss(EncodeLoss(loss, true), loss);
        }
        ExpectLoss(EncodeLoss(3, false), std::nan(""));
        ExpectLoss(EncodeLoss(std::nan(""), true), std::nan(""));
        ExpectLoss(EncodeLoss(INF, true), std::nan(""));
        ExpectRefusal(EncodeLoss(-INF, true));
        ExpectRefusal(EncodeLoss(-1e-300, true));
        ExpectRefusal(TensorData::FromVector(DType::FLOAT64, {2}, std::vector<double>{1, 1}));
        ExpectRefusal(TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{1}));
        ExpectRefusal(TensorData::FromVector(DType::FLOAT64, {}, std::vector<double>{1}));
        ExpectRefusal(TensorData::MakeVirtual(DType::UINT8, {1}));
    }
};

/**
 * @ingroup collapipe-tests
 * Messages on the wire.
 */
class MessageTestSuite : public TestSuite
{
  public:
    MessageTestSuite()
        : TestSuite("collapipe-message", Type::UNIT)
    {
        AddTestCase(new SegmentationTestCase);
        AddTestCase(new DamageTestCase);
        AddTestCase(new DescriptorTestCase);
        AddTestCase(new LossTestCase);
    }
};

MessageTestSuite g_messageTestSuite; //!< the suite

} // namespace
