/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Frozen weights that are sent, as the node sees it that is to hold them.

#include "collapipe-base-run.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/object-factory.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <functional>
#include <utility>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

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

class BaseNodeTestSuite : public TestSuite
{
  public:
    BaseNodeTestSuite()
        : TestSuite("collapipe-base-node", Type::UNIT)
    {
        AddTestCase(new NodeTestCase);
    }
};

const BaseNodeTestSuite g_baseNodeTestSuite;

} // namespace
