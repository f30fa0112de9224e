/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Peers that lie, repeat themselves or talk nonsense, to applications that are in the middle of a
// run: nothing of it crashes, hangs or takes memory, and the weights are those of a run without it.

#include "collapipe-attacker.h"

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-early-inputs.h"
#include "ns3/object-factory.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

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
                      AttackedKind kind = AttackedKind::TRANSLATION)
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
            TestRun run(MakeAttackedConfig(m_isSealed, m_kind));
            run.Run();
            undisturbed = GetWeights(run);
        }
        TestRun run(MakeAttackedConfig(m_isSealed, m_kind));
        const auto& applications = run.GetApplications();
        Attacker attacker(run.GetTopology().GetNetwork().clusters[1].GetNode(1), m_seed);
        for (uint32_t i = 0; i < m_count; ++i)
        {
            attacker.SendSomeTime(GetVictims(run, m_isSealed), attacker.MakeBytes());
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
    AttackedKind m_kind;
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
            TestRun run(MakeAttackedConfig(false, AttackedKind::TRANSLATION));
            run.Run();
            undisturbed = GetWeights(run);
        }
        TestRun run(MakeAttackedConfig(false, AttackedKind::TRANSLATION));
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

/// An application to which nobody is welcome, and which looks who holds a caller that it refused
class UnwelcomingApplication : public MessageApplication
{
  public:
    std::vector<CloseReason> reasons; //!< why callers were let go of, in order
    std::vector<uint32_t> holders;    //!< of each, beside the one that looks
    uint32_t sockets{0};              //!< that ended connections still had

  protected:
    MessageVerdict CheckMessage(Ptr<Connection> /* connection */,
                                const MessageHeader& header,
                                const TensorList& /* shapes */) const override
    {
        return header.type == MessageType::ACTIVATION ? MessageVerdict::Take()
                                                      : MessageVerdict::Refuse("nobody is welcome");
    }

    void HandleMessage(Ptr<Connection> /* connection */, Message /* message */) override
    {
    }

    void HandleClosed(Ptr<Connection> connection,
                      CloseReason reason,
                      const std::string& /* text */) override
    {
        reasons.push_back(reason);
        sockets += connection->GetPeerAddress() == Ipv4Address::GetAny() ? 0 : 1;
        ScheduleCall(Seconds(0), [this, connection] {
            holders.push_back(connection->GetReferenceCount() - 1);
        });
    }

    void HandleWritable() override
    {
    }
};

/**
 * Who is refused makes room for the next caller at once, and nobody holds the connection, with what
 * has come of a message, once its end was told: else a node would run out of memory that is called
 * again and again.
 */
class ReleaseTestCase : public TestCase
{
  public:
    ReleaseTestCase()
        : TestCase("callers that were refused are let go of")
    {
    }

  private:
    const Time INTRODUCTION{Seconds(5)};

    /// @return an application on the edge server
    Ptr<UnwelcomingApplication> Install(Ptr<Node> node) const
    {
        auto context = std::make_shared<TrainingContext>();
        context->backend =
            ObjectFactory("ns3::collapipe::AnalyticBackend").Create<ComputeBackend>();
        context->executor = std::make_shared<Executor>(0);
        const auto application = CreateObject<UnwelcomingApplication>();
        application->SetContext(context);
        application->SetAttribute("Introduction", TimeValue(INTRODUCTION));
        application->SetAttribute("MaxStrangers", UintegerValue(3));
        node->AddApplication(application);
        return application;
    }

    /// @return what callers say; the first two say too little, and have their time for more
    static std::vector<Bytes> MakeCalls()
    {
        Message message;
        message.header.type = MessageType::ACTIVATION;
        message.header.runId = 1;
        message.tensors = {TensorData::FromVector(DType::UINT8, {1000}, Bytes(1000))};
        auto half = Serialize(message);
        half.resize(half.size() / 2);
        std::vector<Bytes> calls{{}, half};
        message.header.type = MessageType::GRADIENT;
        const auto unwelcome = Serialize(message);
        message.header.runId = 2;
        const auto ofAnotherRun = Serialize(message);
        for (const auto& call : {unwelcome, ofAnotherRun, Bytes(1000, 7)})
        {
            calls.insert(calls.end(), 3, call);
        }
        return calls;
    }

    void DoRun() override
    {
        TopologyConfig config;
        config.clusters = 1;
        config.devicesPerCluster = 1;
        const auto topology = TopologyHelper::Create("p2p");
        topology->Build(config);
        const auto& network = topology->GetNetwork();
        const auto application = Install(network.edgeServer);
        Attacker attacker(network.clusters[0].GetNode(1), 1);
        const auto calls = MakeCalls();
        for (std::size_t i = 0; i < calls.size(); ++i)
        {
            // All within the time of the first
            ScheduleCall(Seconds(1 + 0.2 * static_cast<double>(i)),
                         [&, i] { attacker.Send(network.edgeAddress, calls[i]); });
        }
        Simulator::Stop(Seconds(5) + INTRODUCTION);
        Simulator::Run();
        const std::vector<CloseReason> refused(calls.size(), CloseReason::PROTOCOL);
        NS_TEST_EXPECT_MSG_EQ((application->reasons == refused), true, "no room for a caller");
        NS_TEST_EXPECT_MSG_EQ(application->sockets, 0, "sockets are held");
        const std::vector<uint32_t> none(calls.size(), 0);
        NS_TEST_EXPECT_MSG_EQ((application->holders == none), true, "connections are held");
        Simulator::Destroy();
    }
};

class HostilePeerTestSuite : public TestSuite
{
  public:
    HostilePeerTestSuite()
        : TestSuite("collapipe-hostile-peer", Type::UNIT)
    {
        AddTestCase(new ReleaseTestCase);
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
        for (const auto& [what, kind] :
             {std::pair{"a table on two nodes", AttackedKind::TABLE},
              std::pair{"stages that live on credit", AttackedKind::LAST},
              std::pair{"frozen weights that are sent", AttackedKind::BASE},
              std::pair{"chains that step together", AttackedKind::SYNCHRONOUS}})
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
