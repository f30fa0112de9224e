/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Frozen weights that are sent: exactly those that a node has not had travel, whatever the cuts of
// the rounds are and whatever fails; what is learnt is what is learnt where they are installed.

#include "collapipe-base-run.h"

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
        AddTestCase(new ForecastTestCase(UploadPath::DIRECT));
        AddTestCase(new ForecastTestCase(UploadPath::COLLECTED));
    }
};

const BaseTestSuite g_baseTestSuite;

} // namespace
