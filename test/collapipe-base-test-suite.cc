/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Frozen weights that are sent: exactly those that a node has not had travel, whatever the cuts of
// the rounds are and whatever fails; what is learnt is what is learnt where they are installed.

#include "collapipe-test-run.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-interface-switch.h"
#include "ns3/collapipe-message.h"
#include "ns3/object-factory.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <tuple>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// Cluster, node, number of what was sent as a base-weights message has it
using Item = std::tuple<uint32_t, uint32_t, uint32_t>;

/// Blocks of each device, by round and cluster
using Cuts = std::vector<std::vector<std::vector<uint32_t>>>;

/// Decides one plan after the other
class SequenceController : public Controller
{
  public:
    explicit SequenceController(std::vector<RoundPlan> plans)
        : m_plans(std::move(plans))
    {
    }

    RoundPlan Decide(const SystemState& state) override
    {
        m_states.push_back(state);
        auto plan = m_plans.at(state.round - 1);
        plan.plannedLatencyS = PredictLatencyS(state, plan);
        return plan;
    }

    /// @return what it knew, by round
    const std::vector<SystemState>& GetStates() const
    {
        return m_states;
    }

  private:
    std::vector<RoundPlan> m_plans;
    std::vector<SystemState> m_states;
};

/// What is trained, and how the rest is held
struct BaseCase
{
    std::string name;                    //!< for messages
    TrainedPart trained;                 //!< adapters, last blocks, or the head
    DType base;                          //!< precision
    uint32_t trainedBlocks;              //!< of last blocks
    bool isWhole{false};                 //!< every device trains the whole model on its own
    std::string schedule{"gpipe"};       //!< of the chains
    UploadPath path{UploadPath::DIRECT}; //!< of the parameters
};

constexpr uint32_t BLOCKS = 5;

/// @return a small network of two clusters of three devices
TestRunConfig
MakeConfig(const BaseCase& base, const std::string& backend)
{
    TestRunConfig config;
    config.segments = {{2, 2, 1}, {0, 4, 1}};
    config.backend = backend;
    config.sendsBase = true;
    config.notesGradients = false;
    config.profiles = {{"slow", 1e6, 1e-3, 1e12, 5, 23}};
    config.schedule = base.schedule;
    config.path = base.path;
    config.adaptModel = [base](ModelConfig& model) {
        model.family = "gpt2";
        model.head = ModelHead::CAUSAL_LANGUAGE;
        model.special.pad = -1;
        model.tiedProjection = true;
        model.trained = base.trained;
        model.trainedBlocks = base.trainedBlocks;
        model.lora.rank = base.trained == TrainedPart::ADAPTERS ? 2 : 0;
        model.base = base.base;
    };
    return config;
}

/// A run whose cuts change from round to round, with all base weights noted that are sent
class BaseRun
{
  public:
    BaseRun(TestRunConfig config, const Cuts& cuts, bool isWhole = false)
        : m_run(Prepare(config, cuts)),
          m_plans(MakePlans(cuts, isWhole)),
          m_controller(CreateObject<SequenceController>(m_plans))
    {
        for (const auto& loop : m_run.GetApplications().loops)
        {
            loop->SetController(m_controller);
        }
        m_run.GetApplications().edgeServer->TraceConnectWithoutContext(
            "Tx",
            MakeCallback(&BaseRun::HandleTx, this));
        m_run.GetApplications().leader->TraceConnectWithoutContext(
            "Round",
            MakeCallback(&BaseRun::HandleRound, this));
    }

    TestRun& Get()
    {
        return m_run;
    }

    /// @return what was sent, in order
    const std::vector<Item>& GetSent() const
    {
        return m_sent;
    }

    /// @return bytes of these messages
    uint64_t GetBytes() const
    {
        return m_bytes;
    }

    const std::vector<RoundPlan>& GetPlans() const
    {
        return m_plans;
    }

    const std::vector<RoundRecord>& GetRecords() const
    {
        return m_records;
    }

    const std::vector<SystemState>& GetStates() const
    {
        return m_controller->GetStates();
    }

  private:
    static TestRunConfig Prepare(TestRunConfig config, const Cuts& cuts)
    {
        config.segments = cuts.front();
        config.rounds = cuts.size();
        return config;
    }

    std::vector<RoundPlan> MakePlans(const Cuts& cuts, bool isWhole) const
    {
        std::vector<RoundPlan> plans;
        for (const auto& round : cuts)
        {
            RoundPlan plan = m_run.GetPlan();
            for (uint32_t cluster = 0; cluster < round.size(); ++cluster)
            {
                auto& chains = plan.clusters[cluster].chains;
                if (isWhole)
                {
                    chains.assign(2, chains.front());
                    chains[0].stages = {{1, true, 0, BLOCKS, true}};
                    chains[1].stages = {{2, true, 0, BLOCKS, true}};
                    chains[0].dataShare = chains[1].dataShare = 0.5;
                    continue;
                }
                auto& stages = chains.front().stages;
                stages.erase(stages.begin() + 1, stages.end() - 1);
                uint32_t first = 0;
                for (uint32_t device = 0; device < round[cluster].size(); ++device)
                {
                    const uint32_t blocks = round[cluster][device];
                    if (blocks > 0)
                    {
                        stages.insert(
                            stages.end() - 1,
                            {static_cast<NodeIndex>(device + 1), false, first, first + blocks});
                        first += blocks;
                    }
                }
            }
            plans.push_back(plan);
        }
        return plans;
    }

    void HandleTx(const MessageHeader& header, uint64_t bytes)
    {
        if (header.type != MessageType::BASE_WEIGHTS)
        {
            return;
        }
        const auto& cluster = m_plans.at(header.round - 1).clusters.at(header.cluster);
        const auto node = cluster.chains.at(header.chain).stages.at(header.stage).node;
        m_sent.emplace_back(header.cluster, node, header.microBatch);
        m_bytes += bytes;
    }

    void HandleRound(const RoundRecord& record)
    {
        m_records.push_back(record);
    }

    TestRun m_run;
    std::vector<RoundPlan> m_plans;
    Ptr<SequenceController> m_controller;
    std::vector<Item> m_sent;
    uint64_t m_bytes{0};
    std::vector<RoundRecord> m_records;
};

/// @return whether both are the same to the last bit
bool
AreEqual(const TensorList& left, const TensorList& right)
{
    bool same = left.size() == right.size();
    for (std::size_t i = 0; same && i < left.size(); ++i)
    {
        same = left[i].GetByteSize() == right[i].GetByteSize() &&
               (left[i].IsVirtual() ||
                std::memcmp(left[i].data.get(), right[i].data.get(), left[i].GetByteSize()) == 0);
    }
    return same;
}

/// @return random cuts of all blocks, of so many rounds; some stay as they are
Cuts
MakeCuts(uint64_t seed, uint32_t rounds)
{
    std::mt19937_64 random(seed);
    Cuts cuts;
    for (uint32_t round = 0; round < rounds; ++round)
    {
        if (round > 0 && random() % 3 == 0)
        {
            cuts.push_back(cuts.back());
            continue;
        }
        cuts.emplace_back();
        for (uint32_t cluster = 0; cluster < 2; ++cluster)
        {
            std::vector<uint32_t> blocks(3, 0);
            for (uint32_t block = 0; block < BLOCKS; ++block)
            {
                ++blocks[random() % 3];
            }
            cuts.back().push_back(blocks);
        }
    }
    return cuts;
}

/// @return what a link's message takes on the wire, from the layout of messages
uint64_t
GetMessageBytes(const ModelConfig& model, uint32_t number)
{
    const PartRange link = number == 0       ? PartRange{true, 0, 0, false}
                           : number > BLOCKS ? PartRange{false, BLOCKS, BLOCKS, true}
                                             : PartRange{false, number - 1, number, false};
    uint64_t head = 56;
    uint64_t payload = 0;
    const auto add = [&](const TensorData& tensor) {
        head += 20;
        payload = (payload + 7) / 8 * 8 + tensor.GetByteSize();
    };
    for (const auto& stored : GetFrozenShapes(model, link))
    {
        add(stored.values);
        if (stored.values.dtype == DType::INT8)
        {
            add(stored.scales);
        }
    }
    return payload == 0 ? 0 : head + payload;
}

/**
 * Random sequences of cuts: each node is sent each part once, when it first needs it.
 */
class SequenceTestCase : public TestCase
{
  public:
    SequenceTestCase(const BaseCase& base, uint64_t seed)
        : TestCase("exactly the missing blocks travel: " + base.name + ", cuts " +
                   std::to_string(seed)),
          m_base(base),
          m_seed(seed)
    {
    }

  private:
    void DoRun() override
    {
        const auto sent = Run(GetAnyBackend(), true);
        const auto analytic = Run("ns3::collapipe::AnalyticBackend", true);
        NS_TEST_EXPECT_MSG_EQ((analytic.messages == sent.messages),
                              true,
                              "what computes nothing sends other messages, or at other times");
        const auto again = Run("ns3::collapipe::AnalyticBackend", true);
        NS_TEST_EXPECT_MSG_EQ((analytic.messages == again.messages), true, "not twice the same");
        const auto installed = Run(GetAnyBackend(), false);
        NS_TEST_EXPECT_MSG_EQ(AreEqual(sent.model, installed.model),
                              true,
                              "weights that were sent are not those that are installed");
    }

    /// What came of a run
    struct Result
    {
        std::vector<std::string> messages; //!< a line each
        TensorList model;                  //!< what was learnt
    };

    /// A simulation must be over before the next one begins.
    Result Run(const std::string& backend, bool sendsBase)
    {
        auto config = MakeConfig(m_base, backend);
        config.sendsBase = sendsBase;
        BaseRun run(config, MakeCuts(m_seed, 4), m_base.isWhole);
        run.Get().Run();
        NS_TEST_EXPECT_MSG_EQ(run.Get().IsFinished(), true, "the run did not end");
        if (sendsBase)
        {
            Check(run);
        }
        else
        {
            NS_TEST_EXPECT_MSG_EQ(run.GetSent().size(), 0, "what is installed is sent");
        }
        return {run.Get().GetMessages(),
                run.Get().GetFinalParameters().Gather({true, 0, BLOCKS, true})};
    }

    /// Against sets of its own
    void Check(BaseRun& run)
    {
        const auto& model = run.Get().GetModelConfig();
        std::set<Item> held;
        std::vector<Item> expected;
        uint64_t bytes = 0;
        for (std::size_t round = 0; round < run.GetPlans().size(); ++round)
        {
            CheckState(run.GetStates().at(round), held);
            for (uint32_t cluster = 0; cluster < 2; ++cluster)
            {
                for (const auto& chain : run.GetPlans()[round].clusters[cluster].chains)
                {
                    for (const auto& stage : chain.stages)
                    {
                        for (uint32_t number = stage.embedding ? 0 : stage.firstBlock + 1;
                             number <= stage.lastBlock + (stage.decoder ? 1 : 0) &&
                             stage.node != EDGE_SERVER;
                             ++number)
                        {
                            const uint64_t size = GetMessageBytes(model, number);
                            if (size > 0 && held.insert({cluster, stage.node, number}).second)
                            {
                                expected.emplace_back(cluster, stage.node, number);
                                bytes += size;
                            }
                        }
                    }
                }
            }
        }
        NS_TEST_EXPECT_MSG_EQ((run.GetSent() == expected), true, "others than the missing blocks");
        NS_TEST_EXPECT_MSG_EQ(run.GetBytes(), bytes, "bytes of these messages");
        NS_TEST_EXPECT_MSG_GT(bytes, 0, "the test sends nothing");
    }

    /// What the controller knows is what nodes have
    void CheckState(const SystemState& state, const std::set<Item>& held)
    {
        for (uint32_t cluster = 0; cluster < 2; ++cluster)
        {
            NS_TEST_EXPECT_MSG_EQ(state.clusters[cluster].controlUnit.heldBase.embedding,
                                  (held.count({cluster, CONTROL_UNIT, 0}) > 0),
                                  "the control unit's embedding");
            for (uint32_t device = 1; device <= 3; ++device)
            {
                const auto& known = state.clusters[cluster].devices[device - 1].heldBase;
                for (uint32_t block = 0; block < BLOCKS; ++block)
                {
                    NS_TEST_EXPECT_MSG_EQ(known.Count(block, block + 1),
                                          held.count({cluster, device, block + 1}),
                                          "block " << block << " of device " << device);
                }
            }
        }
    }

    BaseCase m_base;
    uint64_t m_seed;
};

/**
 * A node that reboots is sent what it needs again, and nobody else is; one that has lost no more
 * than its connection is not.
 */
class FaultTestCase : public TestCase
{
  public:
    FaultTestCase(const std::string& name,
                  uint32_t node,
                  bool isReboot,
                  double atS,
                  UploadPath path = UploadPath::DIRECT)
        : TestCase(name + " at " + std::to_string(atS) + " s, " + ToString(path)),
          m_path(path),
          m_node(node),
          m_isReboot(isReboot),
          m_at(Seconds(atS))
    {
    }

  private:
    void DoRun() override
    {
        const BaseCase base{"adapters", TrainedPart::ADAPTERS, DType::FLOAT32, 0};
        auto config = MakeConfig(base, "ns3::collapipe::AnalyticBackend");
        config.path = m_path;
        config.iterations = 6;
        config.replicaPeriod = 2;
        config.heartbeat = Seconds(1);
        config.patience = Seconds(5);
        BaseRun run(config, {{{2, 2, 1}, {0, 4, 1}}, {{2, 2, 1}, {0, 4, 1}}});
        const auto application = run.Get().GetApplications().clusters[0][m_node];
        const auto interfaces = std::make_shared<InterfaceSwitch>(application->GetNode());
        const bool isReboot = m_isReboot;
        Simulator::Schedule(m_at, [application, interfaces, isReboot] {
            if (isReboot)
            {
                interfaces->TakeDown();
                application->Crash();
                return;
            }
            application->Tamper(MessageApplication::Tampering::CORRUPT, Seconds(0), 1);
        });
        if (m_isReboot)
        {
            Simulator::Schedule(m_at + Seconds(20), [application, interfaces] {
                interfaces->BringUp();
                application->Reboot();
            });
        }
        run.Get().Run();
        NS_TEST_ASSERT_MSG_EQ(run.Get().IsFinished(), true, "the run did not end");
        NS_TEST_EXPECT_MSG_GT(run.Get().GetFailures().size(), 0, "nothing has failed");
        std::map<Item, int> counts;
        for (const auto& item : run.GetSent())
        {
            ++counts[item];
        }
        NS_TEST_EXPECT_MSG_EQ(counts.size(), 2 + 2 * BLOCKS, "kinds of what was sent");
        for (const auto& [item, count] : counts)
        {
            const bool isOfNode = std::get<0>(item) == 0 && std::get<1>(item) == m_node;
            NS_TEST_EXPECT_MSG_EQ(count,
                                  (isOfNode && m_isReboot ? 2 : 1),
                                  "number " << std::get<2>(item) << " to node "
                                            << std::get<1>(item));
        }
    }

    UploadPath m_path;
    uint32_t m_node;
    bool m_isReboot;
    Time m_at;
};

/**
 * Each cell's edge server sends its own nodes what they need, once; the lead sends nobody anything.
 */
class CellsTestCase : public TestCase
{
  public:
    CellsTestCase()
        : TestCase("edge servers of several cells send frozen weights to their own nodes")
    {
    }

  private:
    void DoRun() override
    {
        TensorList models[2];
        for (const bool sendsBase : {false, true})
        {
            const BaseCase base{"adapters", TrainedPart::ADAPTERS, DType::BFLOAT16, 0};
            auto config = MakeConfig(base, GetAnyBackend());
            config.sendsBase = sendsBase;
            config.topology = "hybrid";
            config.network.cells = 2;
            config.rounds = 2;
            TestRun run(config);
            run.Run();
            NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
            models[sendsBase] = run.GetFinalParameters().Gather({true, 0, BLOCKS, true});
            std::map<std::string, uint32_t> counts;
            for (const auto& line : run.GetMessages())
            {
                if (line.find(" base-weights ") != std::string::npos)
                {
                    const auto begin = line.find(' ') + 1;
                    ++counts[line.substr(begin, line.find(' ', begin) - begin)];
                }
            }
            NS_TEST_ASSERT_MSG_EQ(counts.size(), (sendsBase ? 2 : 0), "who sends frozen weights");
            for (const auto& [sender, count] : counts)
            {
                NS_TEST_EXPECT_MSG_EQ(count, 1 + BLOCKS, "sent by " << sender);
            }
        }
        NS_TEST_EXPECT_MSG_EQ(AreEqual(models[0], models[1]), true, "what was learnt");
    }
};

/// An edge server that says what it was told to as soon as somebody calls
class ScriptedServer : public MessageApplication
{
  public:
    std::vector<Message> script; //!< what it says
    bool isReady{false};         //!< it was told that the node is ready

  protected:
    MessageVerdict CheckMessage(Ptr<Connection> /* connection */,
                                const MessageHeader& /* header */,
                                const TensorList& /* shapes */) const override
    {
        return MessageVerdict::Take();
    }

    void HandleMessage(Ptr<Connection> connection, Message message) override
    {
        if (message.header.type == MessageType::HELLO && message.header.iteration == 0)
        {
            Acknowledge(connection);
            for (const auto& each : script)
            {
                SendMessage(connection, each);
            }
        }
        isReady |= message.header.type == MessageType::READY;
    }

    void HandleClosed(Ptr<Connection> /* connection */,
                      CloseReason /* reason */,
                      const std::string& /* text */) override
    {
    }

    void HandleWritable() override
    {
    }
};

/**
 * A device takes frozen weights of its stage that it has not had, once, and no others.
 */
class NodeTestCase : public TestCase
{
  public:
    NodeTestCase()
        : TestCase("a node takes no frozen weights that it does not wait for")
    {
    }

  private:
    /// What became of a script
    struct Outcome
    {
        bool isReady;     //!< the node has taken its stage
        uint64_t refused; //!< connections that it has closed
        uint64_t skipped; //!< messages that it has passed over
        HeldBase held;    //!< what it has
    };

    static Message Make(MessageType type, uint32_t number = 0, TensorList tensors = {})
    {
        Message message;
        message.header.type = type;
        message.header.node = EDGE_SERVER;
        message.header.round = 1;
        message.header.stage = 1;
        message.header.firstBlock = 1;
        message.header.lastBlock = 3;
        message.header.microBatch = number;
        message.tensors = std::move(tensors);
        return message;
    }

    /// @return frozen weights, as the edge server would send them
    Message Base(uint32_t number) const
    {
        const PartRange link = number == 0       ? PartRange{true, 0, 0, false}
                               : number > BLOCKS ? PartRange{false, BLOCKS, BLOCKS, true}
                                                 : PartRange{false, number - 1, number, false};
        return Make(MessageType::BASE_WEIGHTS,
                    number,
                    EncodeFrozen(GetFrozenShapes(m_context->model, link)));
    }

    /// Says all that makes a device hold blocks 1 and 2, after changes.
    Outcome Play(const std::function<void(std::vector<Message>&)>& change, bool sendsBase = true)
    {
        m_context->sendsBase = sendsBase;
        StageAssignment assignment;
        assignment.stage = 1;
        assignment.stages = 3;
        assignment.plan = {1, false, 1, 3, false};
        const PartRange range{false, 1, 3, false};
        std::vector<Message> script{
            Make(MessageType::STATE_REQUEST),
            Make(MessageType::SEGMENT_ASSIGNMENT, 0, {EncodeAssignment(assignment)}),
            Base(2),
            Base(3),
            Make(MessageType::SEGMENT_PARAMETERS, 0, GetParameterShapes(m_context->model, range))};
        change(script);
        TopologyConfig network;
        network.clusters = 1;
        network.devicesPerCluster = 1;
        const auto topology = TopologyHelper::Create("p2p");
        topology->Build(network);
        const auto& built = topology->GetNetwork();
        const auto server = CreateObject<ScriptedServer>();
        server->script = script;
        server->SetContext(m_context);
        built.cells[0].edgeServer->AddApplication(server);
        const auto device = CreateObject<DeviceApplication>();
        device->SetContext(m_context);
        device->SetAttribute("NodeIndex", UintegerValue(1));
        device->SetAttribute("EdgeAddress", Ipv4AddressValue(built.cells[0].edgeAddress));
        device->GetProcessor()->SetAttribute("Flops", DoubleValue(1e9));
        built.clusters[0].GetNode(1)->AddApplication(device);
        Simulator::Stop(Seconds(5));
        Simulator::Run();
        const Outcome outcome{server->isReady,
                              device->GetRefused(),
                              device->GetSkipped(),
                              device->GetHeldBase()};
        Simulator::Destroy();
        return outcome;
    }

    void ExpectRefused(const std::string& what,
                       const std::function<void(std::vector<Message>&)>& change,
                       bool sendsBase = true)
    {
        const auto outcome = Play(change, sendsBase);
        NS_TEST_EXPECT_MSG_EQ(outcome.isReady, false, "ready: " << what);
        NS_TEST_EXPECT_MSG_EQ(outcome.refused, 1, "not refused: " << what);
    }

    void DoRun() override
    {
        m_context = std::make_shared<TrainingContext>();
        auto& model = m_context->model;
        model.vocabulary = 40;
        model.width = 16;
        model.heads = 2;
        model.feedForward = 32;
        model.sourceLength = 9;
        model.encoderBlocks = BLOCKS;
        const BaseCase base{"adapters", TrainedPart::ADAPTERS, DType::INT8, 0};
        MakeConfig(base, "").adaptModel(model);
        m_context->backend =
            ObjectFactory("ns3::collapipe::AnalyticBackend").Create<ComputeBackend>();
        m_context->executor = std::make_shared<Executor>(0);

        const auto good = Play([](auto&) {});
        NS_TEST_EXPECT_MSG_EQ(good.isReady, true, "what it waits for makes it ready");
        NS_TEST_EXPECT_MSG_EQ((good.held == HeldBase{false, false, {{1, 3}}}), true, "it has that");
        const auto twice = Play([](auto& script) { script.insert(script.begin() + 3, script[2]); });
        NS_TEST_EXPECT_MSG_EQ(twice.isReady, true, "twice is once");
        NS_TEST_EXPECT_MSG_EQ(twice.skipped, 1, "the second time is passed over");

        ExpectRefused("parameters before the last block's",
                      [](auto& script) { script.erase(script.begin() + 3); });
        ExpectRefused("before the assignment",
                      [](auto& script) { std::swap(script[1], script[2]); });
        for (const uint32_t number : {0U, 1U, 4U, BLOCKS + 1, BLOCKS + 2, 0xffffffffU})
        {
            ExpectRefused("of what the stage does not hold, " + std::to_string(number),
                          [this, number](auto& script) {
                              script[3] = Base(std::min(number, BLOCKS + 1));
                              script[3].header.microBatch = number;
                          });
        }
        ExpectRefused("a tensor less", [](auto& script) { script[3].tensors.pop_back(); });
        ExpectRefused("a tensor more",
                      [](auto& script) { script[3].tensors.push_back(script[3].tensors.back()); });
        ExpectRefused("another type", [](auto& script) {
            script[3].tensors.front() =
                TensorData::MakeVirtual(DType::FLOAT64, script[3].tensors.front().shape);
        });
        ExpectRefused("nothing at all", [](auto& script) { script[3].tensors.clear(); });
        ExpectRefused(
            "where they are installed",
            [](auto&) {},
            false);
    }

    std::shared_ptr<TrainingContext> m_context;
};

/**
 * Planned rounds are as long as measured ones: the first, in which all frozen weights travel, and
 * later ones, in which some do or none.
 */
class ForecastTestCase : public TestCase
{
  public:
    explicit ForecastTestCase(UploadPath path)
        : TestCase("the forecast of distribution knows what travels, " + ToString(path)),
          m_path(path)
    {
    }

  private:
    void DoRun() override
    {
        const BaseCase base{"adapters", TrainedPart::ADAPTERS, DType::FLOAT32, 0};
        auto config = MakeConfig(base, "ns3::collapipe::AnalyticBackend");
        const auto adapt = config.adaptModel;
        config.path = m_path;
        config.adaptModel = [adapt](ModelConfig& model) {
            adapt(model);
            model.width = 64;
            model.feedForward = 256;
        };
        BaseRun run(config,
                    {{{2, 2, 1}, {0, 4, 1}},
                     {{2, 2, 1}, {0, 4, 1}},
                     {{1, 3, 1}, {0, 4, 1}},
                     {{0, 4, 1}, {3, 1, 1}}});
        run.Get().Run();
        NS_TEST_ASSERT_MSG_EQ(run.Get().IsFinished(), true, "the run did not end");
        std::vector<double> measured;
        for (std::size_t round = 0; round < run.GetRecords().size(); ++round)
        {
            const auto& record = run.GetRecords()[round];
            Instance instance;
            instance.state = run.GetStates()[round];
            const auto planned = EvaluatePlan(instance, run.GetPlans()[round]);
            double slowest = 0;
            double longest = 0;
            for (std::size_t m = 0; m < record.phases.size(); ++m)
            {
                slowest = std::max(slowest,
                                   (record.phases[m].distribution - record.planned).GetSeconds());
                // Nodes say that they are ready before training begins
                const auto& device = instance.state.clusters[m].devices.front();
                longest =
                    std::max(longest, planned.clusters[m].distributionS + device.uplink.latencyS);
            }
            measured.push_back(slowest);
            NS_TEST_EXPECT_MSG_EQ_TOL(longest / slowest,
                                      1,
                                      0.1,
                                      "round " << round + 1 << ": " << longest << " s planned, "
                                               << slowest << " s measured");
        }
        NS_TEST_EXPECT_MSG_GT(measured[0], 5 * measured[1], "the first round is no longer");
        NS_TEST_EXPECT_MSG_GT(measured[2], 1.5 * measured[1], "a block that moves takes no time");
        NS_TEST_EXPECT_MSG_LT(measured[2], measured[0], "one block takes as long as all");
    }

    UploadPath m_path;
};

class BaseTestSuite : public TestSuite
{
  public:
    BaseTestSuite()
        : TestSuite("collapipe-base", Type::UNIT)
    {
        for (const auto& base :
             {BaseCase{"adapters in fp32", TrainedPart::ADAPTERS, DType::FLOAT32, 0},
              BaseCase{"adapters in int8", TrainedPart::ADAPTERS, DType::INT8, 0},
              BaseCase{"adapters in fp16", TrainedPart::ADAPTERS, DType::FLOAT16, 0},
              BaseCase{"two blocks in bf16", TrainedPart::LAST, DType::BFLOAT16, 2},
              BaseCase{"the head", TrainedPart::HEAD, DType::FLOAT32, 0},
              BaseCase{"1F1B", TrainedPart::LAST, DType::INT8, 3, false, "1f1b"},
              BaseCase{"whole models", TrainedPart::ADAPTERS, DType::INT8, 0, true},
              BaseCase{"collected",
                       TrainedPart::ADAPTERS,
                       DType::INT8,
                       0,
                       false,
                       "gpipe",
                       UploadPath::COLLECTED}})
        {
            for (uint64_t seed = 1; seed <= 3; ++seed)
            {
                AddTestCase(new SequenceTestCase(base, seed));
            }
        }
        for (const double atS : {0.2, 4.0, 9.0})
        {
            AddTestCase(
                new FaultTestCase("a device that reboots has lost its blocks", 2, true, atS));
            AddTestCase(
                new FaultTestCase("a control unit that reboots has lost its table", 0, true, atS));
        }
        for (const double atS : {4.0, 9.0})
        {
            AddTestCase(
                new FaultTestCase("a device that calls anew has its blocks", 2, false, atS));
        }
        for (const double atS : {4.0, 9.0})
        {
            const auto path = UploadPath::COLLECTED;
            AddTestCase(
                new FaultTestCase("a device that reboots has lost its blocks", 2, true, atS, path));
            AddTestCase(new FaultTestCase("a control unit that reboots has lost its table",
                                          0,
                                          true,
                                          atS,
                                          path));
            AddTestCase(
                new FaultTestCase("a device that calls anew has its blocks", 2, false, atS, path));
        }
        AddTestCase(new CellsTestCase);
        AddTestCase(new NodeTestCase);
        AddTestCase(new ForecastTestCase(UploadPath::DIRECT));
        AddTestCase(new ForecastTestCase(UploadPath::COLLECTED));
    }
};

const BaseTestSuite g_baseTestSuite;

} // namespace
