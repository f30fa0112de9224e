/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Peers that lie, repeat themselves or talk nonsense, to applications that are in the middle of a
// run: nothing of it crashes, hangs or takes memory, and the weights are those of a run without it.

#include "collapipe-test-run.h"

#include "ns3/collapipe-early-inputs.h"
#include "ns3/inet-socket-address.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <map>
#include <random>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr uint16_t PORT = 9000;

/// Bytes on a wire
using Bytes = std::vector<uint8_t>;

/// @return a message as it travels
Bytes
Serialize(const Message& message)
{
    MessageWriter writer(message);
    Bytes bytes;
    while (writer.GetRemaining() > 0)
    {
        const auto packet = writer.NextPacket(1U << 20);
        const auto begin = bytes.size();
        bytes.resize(begin + packet->GetSize());
        packet->CopyData(bytes.data() + begin, packet->GetSize());
    }
    return bytes;
}

/// Calls applications from a node of the run, and says what it likes.
class Attacker
{
  public:
    /**
     * @param node from which it calls
     * @param seed of what it says
     */
    Attacker(Ptr<Node> node, uint64_t seed)
        : m_node(node),
          m_random(seed)
    {
    }

    /// Opens a connection and sends bytes.
    void Send(Ipv4Address victim, const Bytes& bytes)
    {
        auto socket = Connection::CreateSocket(m_node, TransportConfig());
        m_sockets[socket] = bytes;
        socket->Bind();
        socket->SetConnectCallback(MakeCallback(&Attacker::HandleConnected, this),
                                   MakeNullCallback<void, Ptr<Socket>>());
        socket->Connect(InetSocketAddress(victim, PORT));
    }

    /// @return a head of any contents
    MessageHeader MakeHeader()
    {
        MessageHeader header;
        do
        {
            header.type = static_cast<MessageType>(m_random() % 40);
        } while (ToString(header.type) == "unknown");
        const auto small = [this] { return static_cast<uint16_t>(m_random() % 4); };
        header.runId = m_random() % 8 == 0 ? static_cast<uint32_t>(m_random()) : 1;
        header.cluster = small();
        header.node = m_random() % 4 == 0 ? EDGE_SERVER : small();
        header.chain = m_random() % 8 == 0 ? 0xffff : 0;
        header.stage = small();
        header.round = small();
        header.iteration = m_random() % 4 == 0 ? 0xffffffff : small();
        header.microBatch = m_random() % 4 == 0 ? 0xffffffff : small();
        header.firstBlock = small();
        header.lastBlock = small();
        header.attempt = m_random() % 4 == 0 ? 1 : 0;
        return header;
    }

    /// @return tensors of any shapes, small ones
    TensorList MakeTensors()
    {
        constexpr DType TYPES[] = {DType::FLOAT32, DType::FLOAT64, DType::INT32, DType::UINT8};
        TensorList tensors;
        for (auto count = m_random() % 4; count > 0; --count)
        {
            auto tensor = TensorData::MakeVirtual(TYPES[m_random() % 4], {});
            for (auto rank = m_random() % 4; rank > 0; --rank)
            {
                tensor.shape.push_back(m_random() % 9);
            }
            std::vector<uint8_t> bytes(tensor.GetByteSize() + 1);
            std::generate(bytes.begin(), bytes.end(), [this] { return m_random(); });
            tensors.push_back(TensorData::FromVector(tensor.dtype, tensor.shape, std::move(bytes)));
        }
        return tensors;
    }

    /// @return a hello in somebody's name, and a message after it; or damaged; or no message at all
    Bytes MakeBytes()
    {
        MessageHeader hello;
        hello.cluster = m_random() % 3;
        hello.node = m_random() % 4;
        hello.runId = 1;
        auto bytes = m_random() % 2 == 0 ? Serialize({hello, {}}) : Bytes();
        const auto message = Serialize({MakeHeader(), MakeTensors()});
        bytes.insert(bytes.end(), message.begin(), message.end());
        if (m_random() % 3 == 0)
        {
            for (auto flips = m_random() % 8; flips > 0; --flips)
            {
                bytes[m_random() % bytes.size()] ^= 1U << m_random() % 8;
            }
        }
        if (m_random() % 4 == 0)
        {
            bytes.resize(m_random() % bytes.size());
        }
        return bytes;
    }

    /// @return a random number
    uint64_t Draw()
    {
        return m_random();
    }

  private:
    void HandleConnected(Ptr<Socket> socket)
    {
        const auto& bytes = m_sockets[socket];
        if (!bytes.empty())
        {
            socket->Send(Create<Packet>(bytes.data(), bytes.size()));
        }
    }

    Ptr<Node> m_node;
    std::mt19937_64 m_random;
    std::map<Ptr<Socket>, Bytes> m_sockets; //!< with what each is to say
};

/// What a run trains
enum class Kind
{
    TRANSLATION, //!< a translation, all of it
    TABLE,       //!< a language model whose table lies on two nodes
    LAST,        //!< one of whose stages most live on credit
    BASE,        //!< the same, whose frozen weights are sent
};

/**
 * @param isSealed whether messages are sealed
 * @param kind what it trains
 * @return a small run of two clusters
 */
TestRunConfig
MakeConfig(bool isSealed, Kind kind)
{
    TestRunConfig config;
    if (kind != Kind::TRANSLATION)
    {
        config.adaptModel = [kind](ModelConfig& model) {
            model.family = "gpt2";
            model.head = ModelHead::CAUSAL_LANGUAGE;
            model.special.pad = -1;
            model.tiedProjection = true;
            model.trained = kind == Kind::TABLE ? TrainedPart::ALL : TrainedPart::LAST;
            model.trainedBlocks = kind == Kind::TABLE ? 0 : 1;
        };
        config.sendsBase = kind == Kind::BASE;
    }
    config.segments = {{1, 1}, {1, 1}};
    config.iterations = 4;
    config.rounds = 2;
    if (isSealed)
    {
        config.sessionKey = MessageSeal::MakeKey(1, 1);
    }
    config.profiles = {{"slow", 5e5, 1e-3, 1e12, 5, 23}};
    return config;
}

/// @return a run's weights
TensorList
GetWeights(TestRun& run)
{
    return run.GetFinalParameters().Gather({true, 0, run.GetModelConfig().encoderBlocks, true});
}

/**
 * Whatever strangers send, the run is the same.
 */
class StrangersTestCase : public TestCase
{
  public:
    /**
     * @param name of the case
     * @param seed of what is sent
     * @param count how many callers
     * @param isSealed whether the members' messages are sealed; devices are called then, too
     * @param kind what the run trains
     */
    StrangersTestCase(const std::string& name,
                      uint64_t seed,
                      uint32_t count,
                      bool isSealed,
                      Kind kind = Kind::TRANSLATION)
        : TestCase(name),
          m_seed(seed),
          m_count(count),
          m_isSealed(isSealed),
          m_kind(kind)
    {
    }

  private:
    void DoRun() override
    {
        TensorList undisturbed;
        {
            TestRun run(MakeConfig(m_isSealed, m_kind));
            run.Run();
            undisturbed = GetWeights(run);
        }
        TestRun run(MakeConfig(m_isSealed, m_kind));
        const auto& applications = run.GetApplications();
        const auto& network = run.GetTopology().GetNetwork();
        Attacker attacker(network.clusters[1].GetNode(1), m_seed);
        std::vector<Ipv4Address> victims{network.edgeAddress};
        if (m_isSealed)
        {
            victims.push_back(network.clusters[1].addresses[0]);
            victims.push_back(network.clusters[1].addresses[2]);
        }
        for (uint32_t i = 0; i < m_count; ++i)
        {
            const auto victim = victims[attacker.Draw() % victims.size()];
            const double atS = 1 + static_cast<double>(attacker.Draw() % 1000) / 100;
            const auto bytes = attacker.MakeBytes();
            Simulator::Schedule(Seconds(atS),
                                [&attacker, victim, bytes] { attacker.Send(victim, bytes); });
        }
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        uint64_t refused = 0;
        for (const auto& application : applications.GetAll())
        {
            refused += application->GetRefused();
        }
        NS_TEST_ASSERT_MSG_GT(refused, m_count / 10, "nothing of it is refused");
        NS_TEST_ASSERT_MSG_EQ(AreSame(GetWeights(run), undisturbed), true, "weights differ");
    }

    uint64_t m_seed;
    uint32_t m_count;
    bool m_isSealed;
    Kind m_kind;
};

/**
 * Without seals a node says hello in the names of others, with numbers higher than any of theirs:
 * it is known by its address, and nobody is locked out.
 */
class ImpostorTestCase : public TestCase
{
  public:
    ImpostorTestCase()
        : TestCase("a node calls in the names of others, without seals")
    {
    }

  private:
    void DoRun() override
    {
        TensorList undisturbed;
        {
            TestRun run(MakeConfig(false, Kind::TRANSLATION));
            run.Run();
            undisturbed = GetWeights(run);
        }
        TestRun run(MakeConfig(false, Kind::TRANSLATION));
        const auto& network = run.GetTopology().GetNetwork();
        Attacker attacker(network.clusters[1].GetNode(1), 1);
        uint64_t lies = 0;
        for (uint16_t cluster = 0; cluster < 2; ++cluster)
        {
            for (uint16_t node = 0; node < 3; ++node)
            {
                MessageHeader hello;
                hello.runId = 1;
                hello.cluster = cluster;
                hello.node = node;
                hello.iteration = 0xfffffff0;
                const auto bytes = Serialize({hello, {}});
                const bool isOwn = cluster == 1 && node == 1;
                for (const double atS : {0.5, 1.0, 2.0, 3.0})
                {
                    const auto send = [&attacker, bytes](Ipv4Address victim) {
                        return [&attacker, victim, bytes] { attacker.Send(victim, bytes); };
                    };
                    const auto peer = network.clusters[1].addresses[node == 0 ? 2 : 0];
                    if (!isOwn)
                    {
                        Simulator::Schedule(Seconds(atS), send(network.edgeAddress));
                        Simulator::Schedule(Seconds(atS), send(peer));
                        lies += 2;
                    }
                }
            }
        }
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        uint64_t refused = 0;
        for (const auto& application : run.GetApplications().GetAll())
        {
            refused += application->GetRefused();
        }
        NS_TEST_ASSERT_MSG_EQ(refused, lies, "every lie is refused, and nothing else");
        NS_TEST_ASSERT_MSG_EQ(AreSame(GetWeights(run), undisturbed), true, "weights differ");
    }
};

/**
 * What a message announces takes no memory before it is checked.
 */
class AnnouncementTestCase : public TestCase
{
  public:
    AnnouncementTestCase()
        : TestCase("a message that announces gigabytes, or 65535 tensors, takes no memory")
    {
    }

  private:
    void DoRun() override
    {
        uint32_t asked = 0;
        MessageReader reader;
        reader.SetCheck(
            [&asked](const MessageHeader&, const TensorList&) {
                ++asked;
                return MessageVerdict::Refuse("too much");
            },
            16);
        Message message;
        message.header.type = MessageType::ACTIVATION;
        message.tensors = {TensorData::MakeVirtual(DType::FLOAT32, {1U << 16, 1U << 16})};
        message.header.tensorCount = 1;
        message.header.payloadBytes = message.tensors[0].GetByteSize();
        const auto head = wire::EncodeHeader(message.header);
        const auto descriptors = wire::EncodeDescriptors(message.tensors);
        Feed(reader, {head.begin(), head.end()});
        Feed(reader, descriptors);
        NS_TEST_ASSERT_MSG_EQ(asked, 1, "nobody was asked");
        NS_TEST_ASSERT_MSG_EQ(reader.GetError(), "too much", "it was not refused");

        MessageReader other;
        other.SetCheck([](const MessageHeader&, const TensorList&) { return MessageVerdict(); },
                       16);
        message.header.tensorCount = 17;
        const auto many = wire::EncodeHeader(message.header);
        Feed(other, {many.begin(), many.end()});
        NS_TEST_ASSERT_MSG_EQ(other.GetError().empty(), false, "so many tensors are refused");
    }

    static void Feed(MessageReader& reader, const Bytes& bytes)
    {
        for (std::size_t next = 0; next < bytes.size() && reader.GetError().empty();)
        {
            const auto window = reader.GetWindow();
            const auto size = std::min<uint64_t>(window.size, bytes.size() - next);
            std::copy_n(bytes.begin() + next, size, window.data);
            Message message;
            reader.Advance(size, message);
            next += size;
        }
    }
};

/**
 * An assignment that no plan would make.
 */
class AssignmentTestCase : public TestCase
{
  public:
    AssignmentTestCase()
        : TestCase("assignments beyond reason are refused in a sentence")
    {
    }

  private:
    void DoRun() override
    {
        constexpr uint32_t BLOCKS = 4;
        StageAssignment good;
        good.stage = 1;
        good.stages = 3;
        good.plan = {2, false, 0, 2, false};
        NS_TEST_ASSERT_MSG_EQ(CheckAssignment(good, BLOCKS), "", "a good one is taken");
        auto bad = good;
        bad.microBatches = 4000000000U;
        NS_TEST_ASSERT_MSG_NE(CheckAssignment(bad, BLOCKS), "", "4e9 micro-batches");
        bad = good;
        bad.microBatches = bad.microBatchSize = 65536;
        NS_TEST_ASSERT_MSG_NE(CheckAssignment(bad, BLOCKS), "", "2^32 samples");
        bad = good;
        bad.plan.lastBlock = BLOCKS + 1;
        NS_TEST_ASSERT_MSG_NE(CheckAssignment(bad, BLOCKS), "", "blocks that are not there");
        bad = good;
        bad.schedule = "ns3::Node";
        NS_TEST_ASSERT_MSG_NE(CheckAssignment(bad, BLOCKS), "", "a schedule that is none");
        for (const std::string text : {"{}",
                                       "[",
                                       "{\"chain\":-1}",
                                       "{\"chain\":1e30}",
                                       "{\"chain\":0,\"stage\":0,\"stages\":1,\"node\":65536}"})
        {
            StageAssignment assignment;
            std::vector<uint8_t> bytes(text.begin(), text.end());
            const auto size = static_cast<uint32_t>(bytes.size());
            NS_TEST_ASSERT_MSG_NE(
                DecodeAssignment(TensorData::FromVector(DType::UINT8, {size}, std::move(bytes)),
                                 assignment),
                "",
                "taken: " << text);
        }
        const std::string nested(MAX_ASSIGNMENT_BYTES, '[');
        StageAssignment assignment;
        std::vector<uint8_t> bytes(nested.begin(), nested.end());
        NS_TEST_ASSERT_MSG_NE(
            DecodeAssignment(
                TensorData::FromVector(DType::UINT8, {MAX_ASSIGNMENT_BYTES}, std::move(bytes)),
                assignment),
            "",
            "nested brackets are taken");
    }
};

class HostilePeerTestSuite : public TestSuite
{
  public:
    HostilePeerTestSuite()
        : TestSuite("collapipe-hostile-peer", Type::UNIT)
    {
        AddTestCase(new ImpostorTestCase);
        AddTestCase(new AnnouncementTestCase);
        AddTestCase(new AssignmentTestCase);
        for (uint64_t seed = 1; seed <= 4; ++seed)
        {
            const auto name = "300 callers, seed " + std::to_string(seed);
            AddTestCase(new StrangersTestCase(name, seed, 300, false));
            if (MessageSeal::IsAvailable())
            {
                AddTestCase(new StrangersTestCase(name + ", sealed messages", seed, 300, true));
            }
        }
        AddTestCase(new StrangersTestCase("1000 callers", 5, 1000, false));
        for (const auto& [what, kind] : {std::pair{"a table on two nodes", Kind::TABLE},
                                         std::pair{"stages that live on credit", Kind::LAST},
                                         std::pair{"frozen weights that are sent", Kind::BASE}})
        {
            const auto name = std::string("300 callers, ") + what;
            AddTestCase(new StrangersTestCase(name, 6, 300, false, kind));
            if (MessageSeal::IsAvailable())
            {
                AddTestCase(new StrangersTestCase(name + ", sealed messages", 6, 300, true, kind));
            }
        }
    }
};

HostilePeerTestSuite g_hostilePeerTestSuite;

} // namespace
