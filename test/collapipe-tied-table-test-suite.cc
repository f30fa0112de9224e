/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The table of token embeddings that is the projection to the vocabulary, too, and lies on two
// nodes: it has one value, its gradients travel once, and only where it is trained. And stages
// without a backward pass, which do not run away from the others.

#include "collapipe-test-run.h"

#include "ns3/collapipe-cluster-run.h"
#include "ns3/collapipe-early-inputs.h"
#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-parameter-layout.h"
#include "ns3/collapipe-wire-part.h"
#include "ns3/object-factory.h"
#include "ns3/test.h"

#include <algorithm>
#include <map>
#include <tuple>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr const char* TORCH = "ns3::collapipe::TorchBackend";
constexpr const char* ANALYTIC = "ns3::collapipe::AnalyticBackend";

/// @return a run of two clusters that trains a GPT-2 whose table is shared
TestRunConfig
MakeConfig(TrainedPart trained = TrainedPart::ALL)
{
    TestRunConfig config;
    config.segments = {{1, 2}, {2, 1}};
    config.iterations = 3;
    config.rounds = 2;
    config.optimizer.epsilon = 1e-3;
    config.adaptModel = [trained](ModelConfig& model) {
        model.family = "gpt2";
        model.head = ModelHead::CAUSAL_LANGUAGE;
        model.special.pad = -1;
        model.tiedProjection = true;
        model.trained = trained;
        model.trainedBlocks = trained == TrainedPart::LAST ? 1 : 0;
        model.lora.rank = trained == TrainedPart::ADAPTERS ? 2 : 0;
    };
    return config;
}

/// @return the parameter of a part that is a copy of the table
TensorData
GetTable(const ModelConfig& model, const PartRange& range, const ModelPart& part)
{
    const auto parameters = dynamic_cast<const WirePart&>(part).ExportSnapshot();
    std::size_t next = 0;
    for (const auto& place : GetParameterLayout(model, range))
    {
        if (place.isTied)
        {
            return parameters.at(next);
        }
        next += place.isTrained;
    }
    return {};
}

/**
 * At every step of every round both nodes have the same table.
 */
class OneValueTestCase : public TestCase
{
  public:
    OneValueTestCase(const std::string& name, const TestRunConfig& config)
        : TestCase("a shared table has one value: " + name),
          m_config(config)
    {
        m_config.backend = TORCH;
    }

  private:
    /// Cluster, round, iteration
    using Key = std::tuple<uint32_t, uint32_t, uint32_t>;

    void DoRun() override
    {
        TestRun run(m_config);
        m_model = &run.GetModelConfig();
        const auto& applications = run.GetApplications();
        for (const auto& edge : applications.edgeServers)
        {
            edge->TraceConnectWithoutContext("Flush",
                                             MakeCallback(&OneValueTestCase::RecordEdge, this));
        }
        for (uint32_t c = 0; c < applications.clusters.size(); ++c)
        {
            applications.clusters[c][CONTROL_UNIT]->TraceConnectWithoutContext(
                "Flush",
                MakeCallback(&OneValueTestCase::RecordControlUnit, this).Bind(c));
        }
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_ASSERT_MSG_EQ(run.GetFailures().size(), 0, "a node failed");
        const auto count = m_config.segments.size() * m_config.rounds * m_config.iterations;
        NS_TEST_ASSERT_MSG_EQ(m_embeddings.size(), count, "iterations of control units");
        NS_TEST_ASSERT_MSG_EQ(m_projections.size(), count, "iterations of edge servers");
        for (const auto& [key, table] : m_embeddings)
        {
            NS_TEST_ASSERT_MSG_EQ(AreSame({table}, {m_projections.at(key)}),
                                  true,
                                  "two values in cluster " << std::get<0>(key) << ", round "
                                                           << std::get<1>(key) << ", iteration "
                                                           << std::get<2>(key));
        }
        const auto& final = run.GetFinalParameters();
        const auto first = GetParameterLayout(*m_model, {true, 0, 0, false});
        const auto last = GetParameterLayout(*m_model, {false, 0, 0, true});
        const auto find = [](const std::vector<ParameterPlace>& places) {
            return std::find_if(places.begin(),
                                places.end(),
                                [](const auto& place) { return place.isTied; }) -
                   places.begin();
        };
        NS_TEST_ASSERT_MSG_EQ(
            AreSame({final.embedding.at(find(first))}, {final.decoder.at(find(last))}),
            true,
            "two values in the end");
    }

    void RecordEdge(uint32_t cluster, uint32_t round, uint32_t iteration, const ModelPart& part)
    {
        m_projections[{cluster, round, iteration}] = GetTable(*m_model, {false, 0, 0, true}, part);
    }

    void RecordControlUnit(uint32_t cluster,
                           uint32_t round,
                           uint32_t iteration,
                           const ModelPart& part)
    {
        m_embeddings[{cluster, round, iteration}] = GetTable(*m_model, {true, 0, 0, false}, part);
    }

    TestRunConfig m_config;
    const ModelConfig* m_model{nullptr};
    std::map<Key, TensorData> m_embeddings;
    std::map<Key, TensorData> m_projections;
};

/// @return how many of a run's messages are of a type, and whether all have this size in bytes
std::pair<std::size_t, bool>
Count(const std::vector<std::string>& messages, const std::string& type, uint64_t bytes)
{
    const auto is = [&type](const std::string& line) {
        return line.find(' ' + type + ' ') != std::string::npos;
    };
    const auto count = std::count_if(messages.begin(), messages.end(), is);
    const auto ending = ' ' + type + ' ' + std::to_string(bytes);
    const bool areAll = std::all_of(messages.begin(), messages.end(), [&](const auto& line) {
        return !is(line) || (line.size() > ending.size() &&
                             line.compare(line.size() - ending.size(), ending.size(), ending) == 0);
    });
    return {count, areAll};
}

/**
 * Both backends send the same messages at the same times, and as many as it takes.
 */
class MessagesTestCase : public TestCase
{
  public:
    /**
     * @param name of the case
     * @param config of the run
     * @param bytes of a table's gradient on the wire
     * @param tables how many of them travel
     * @param credits how many credits travel
     */
    MessagesTestCase(const std::string& name,
                     const TestRunConfig& config,
                     uint64_t bytes,
                     std::size_t tables,
                     std::size_t credits)
        : TestCase("gradients of tables, and credits: " + name),
          m_config(config),
          m_bytes(bytes),
          m_tables(tables),
          m_credits(credits)
    {
    }

  private:
    void DoRun() override
    {
        const auto analytic = GetMessages(ANALYTIC);
        NS_TEST_ASSERT_MSG_EQ(Count(analytic, "table-gradient", m_bytes).first,
                              m_tables,
                              "gradients of tables");
        NS_TEST_ASSERT_MSG_EQ(Count(analytic, "table-gradient", m_bytes).second,
                              true,
                              "their size");
        NS_TEST_ASSERT_MSG_EQ(Count(analytic, "credit", wire::HEADER_BYTES).first,
                              m_credits,
                              "credits");
        NS_TEST_ASSERT_MSG_EQ(Count(analytic, "credit", wire::HEADER_BYTES).second,
                              true,
                              "a credit is a head only");
        if (GetAnyBackend() == TORCH)
        {
            NS_TEST_ASSERT_MSG_EQ((GetMessages(TORCH) == analytic),
                                  true,
                                  "the backends send other messages, or at other times");
        }
    }

    std::vector<std::string> GetMessages(const std::string& backend)
    {
        auto config = m_config;
        config.backend = backend;
        TestRun run(config);
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        return run.GetMessages();
    }

    TestRunConfig m_config;
    uint64_t m_bytes;
    std::size_t m_tables;
    std::size_t m_credits;
};

/**
 * Whoever holds no backward pass is one iteration ahead of the others at most.
 */
class RunAheadTestCase : public TestCase
{
  public:
    RunAheadTestCase(const std::string& name, const TestRunConfig& config)
        : TestCase("stages without a backward pass do not run away: " + name),
          m_config(config)
    {
        m_config.segments = {{1, 1, 1}};
        m_config.iterations = 8;
        m_config.rounds = 1;
        m_config.edge = {2e5, 0, 1}; // far slower than the devices
    }

  private:
    void DoRun() override
    {
        TestRun run(m_config);
        const auto& applications = run.GetApplications();
        applications.edgeServers[0]->TraceConnectWithoutContext(
            "Flush",
            MakeCallback(&RunAheadTestCase::RecordEdge, this));
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_ASSERT_MSG_EQ(run.GetFailures().size(), 0, "a node failed");
        for (const auto& application : applications.GetAll())
        {
            NS_TEST_ASSERT_MSG_EQ(application->GetRefused(), 0, "messages were refused");
        }
        const auto& first = run.GetFlushTimes(0);
        NS_TEST_ASSERT_MSG_EQ(first.size(), m_config.iterations, "iterations");
        for (uint32_t i = 2; i < m_config.iterations; ++i)
        {
            NS_TEST_ASSERT_MSG_GT(first[i], m_edge[i - 2], "iteration " << i << " came early");
        }
        NS_TEST_ASSERT_MSG_LT(first[1], m_edge[0], "the first stage could have gone on");
    }

    void RecordEdge(uint32_t, uint32_t, uint32_t, const ModelPart&)
    {
        m_edge.push_back(Simulator::Now());
    }

    TestRunConfig m_config;
    std::vector<Time> m_edge;
};

/**
 * Gradients of tables that no member of the run sends.
 */
class RefusedTestCase : public TestCase
{
  public:
    RefusedTestCase()
        : TestCase("gradients of tables and credits out of place are refused, late ones skipped")
    {
    }

  private:
    /// @return the verdict of a cluster's run after a change to a good message
    MessageVerdict::Kind Check(const std::function<void(MessageHeader&, TensorList&)>& change) const
    {
        MessageHeader header;
        header.type = MessageType::TABLE_GRADIENT;
        header.round = 1;
        header.attempt = 1;
        header.node = CONTROL_UNIT;
        TensorList shapes{TensorData::MakeVirtual(DType::FLOAT32, {40, 16})};
        change(header, shapes);
        return m_run->Check(header, shapes).kind;
    }

    /// Makes a run of one cluster whose edge server holds the projection.
    void Make(TrainedPart trained)
    {
        m_run.reset();
        m_context = TrainingContext();
        m_context.model.vocabulary = 40;
        m_context.model.width = 16;
        m_context.model.heads = 2;
        m_context.model.feedForward = 32;
        m_context.model.sourceLength = 9;
        m_context.model.encoderBlocks = 2;
        MakeConfig(trained).adaptModel(m_context.model);
        m_context.backend = ObjectFactory(ANALYTIC).Create<ComputeBackend>();
        m_context.executor = std::make_shared<Executor>(0);
        ChainPlan chain;
        chain.microBatches = 2;
        chain.microBatchSize = 2;
        chain.stages = {{CONTROL_UNIT, true, 0, 0, false},
                        {1, false, 0, 2, false},
                        {EDGE_SERVER, false, 2, 2, true}};
        RoundPlan plan;
        plan.localIterations = 4;
        plan.clusters = {{{chain}, {}}};
        ClusterRun::Services services;
        services.context = &m_context;
        services.processor = CreateObject<Processor>();
        services.send = [](NodeIndex, const Message&) {};
        services.canSend = [] { return true; };
        services.onPhase = [](Phase, bool) {};
        m_run = std::make_unique<ClusterRun>(0,
                                             1,
                                             plan,
                                             1.0,
                                             ClusterAddresses(2),
                                             1,
                                             std::move(services));
        auto state = std::make_shared<ModelState>();
        state->parameters =
            FreezeParameters(m_context.model,
                             m_context.backend->CreateParameters(m_context.model, 1));
        m_run->Distribute(state);
    }

    void DoRun() override
    {
        const auto take = MessageVerdict::TAKE;
        const auto skip = MessageVerdict::SKIP;
        const auto refuse = MessageVerdict::REFUSE;
        const auto good = [](MessageHeader&, TensorList&) {};
        Make(TrainedPart::ALL);
        NS_TEST_EXPECT_MSG_EQ(Check(good), take, "a good one");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.iteration = 1; }), take, "the next one");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.iteration = 2; }), refuse, "too early");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.iteration = 0xffffffff; }),
                              refuse,
                              "no iteration");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.microBatch = 1; }),
                              refuse,
                              "of a micro-batch");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.attempt = 0; }), skip, "late");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.attempt = 2; }),
                              refuse,
                              "of no attempt");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.chain = 1; }), refuse, "of no chain");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) {
                                  h.node = 1;
                                  h.stage = 1;
                              }),
                              refuse,
                              "from a device in between");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto&) { h.node = 1; }),
                              refuse,
                              "from a device in the control unit's name");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto&, auto& t) {
                                  t[0].shape = {16, 40};
                              }),
                              refuse,
                              "another shape");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto&, auto& t) { t[0].dtype = DType::FLOAT64; }),
                              refuse,
                              "another type");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto&, auto& t) { t.clear(); }), refuse, "nothing");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto&, auto& t) { t.push_back(t[0]); }), refuse, "two");
        NS_TEST_EXPECT_MSG_EQ(Check([](auto& h, auto& t) {
                                  h.type = MessageType::CREDIT;
                                  t.clear();
                              }),
                              refuse,
                              "a credit that nobody needs");
        Message message;
        message.header.type = MessageType::TABLE_GRADIENT;
        message.header.round = 1;
        message.header.attempt = 1;
        message.tensors = {TensorData::MakeVirtual(DType::FLOAT32, {40, 16})};
        NS_TEST_EXPECT_MSG_EQ(m_run->HandleMessage(message), "", "it is taken");
        NS_TEST_EXPECT_MSG_EQ(Check(good), skip, "it is taken once");
        for (const auto trained : {TrainedPart::ADAPTERS, TrainedPart::HEAD, TrainedPart::LAST})
        {
            Make(trained);
            NS_TEST_EXPECT_MSG_EQ(Check(good), refuse, "the table is frozen");
        }
        m_run.reset();
        m_context = TrainingContext();
        Simulator::Destroy();
    }

    TrainingContext m_context;
    std::unique_ptr<ClusterRun> m_run;
};

/**
 * @ingroup collapipe-tests
 * Tables on two nodes, and stages without a backward pass.
 */
class TiedTableTestSuite : public TestSuite
{
  public:
    TiedTableTestSuite()
        : TestSuite("collapipe-tied-table", Type::UNIT)
    {
        AddTestCase(new RefusedTestCase);
        AddOneValue();
        AddMessages();
        for (const char* schedule : {"gpipe", "1f1b"})
        {
            auto config = MakeConfig(TrainedPart::HEAD);
            config.schedule = schedule;
            AddTestCase(new RunAheadTestCase(std::string("head, ") + schedule, config));
            config = MakeConfig(TrainedPart::LAST);
            config.schedule = schedule;
            AddTestCase(new RunAheadTestCase(std::string("last block, ") + schedule, config));
        }
    }

  private:
    void AddOneValue()
    {
        auto config = MakeConfig();
        AddTestCase(WithTorch(new OneValueTestCase("two clusters", config)));
        config.optimizer.clipNorm = 0.3;
        config.keepOptimizerState = true;
        config.schedule = "1f1b";
        AddTestCase(WithTorch(new OneValueTestCase("clipping, kept optimizers", config)));
        for (const auto& [name, dtype] : {std::pair{"fp16", DType::FLOAT16},
                                          std::pair{"bf16", DType::BFLOAT16},
                                          std::pair{"int8", DType::INT8}})
        {
            auto rounded = MakeConfig();
            rounded.precision = {dtype, dtype, dtype};
            AddTestCase(WithTorch(new OneValueTestCase(name, rounded)));
        }
        config = MakeConfig();
        config.network.cells = 2;
        AddTestCase(WithTorch(new OneValueTestCase("two cells", config)));
    }

    void AddMessages()
    {
        constexpr uint64_t BYTES = wire::HEADER_BYTES + wire::DESCRIPTOR_BYTES + 40 * 16 * 4;
        // Two ways, two clusters, two rounds of three iterations
        constexpr std::size_t TABLES = 2 * 2 * 2 * 3;
        // The last but one of three iterations begins without word from those behind, the last one
        // does not: one credit a cluster and round and hop
        constexpr std::size_t CREDITS = 2 * 2;
        AddTestCase(new MessagesTestCase("all", MakeConfig(), BYTES, TABLES, 0));
        auto config = MakeConfig();
        config.precision.gradients = DType::FLOAT16;
        AddTestCase(new MessagesTestCase("all, in fp16", config, BYTES - 40 * 16 * 2, TABLES, 0));
        config = MakeConfig();
        config.network.cells = 2;
        AddTestCase(new MessagesTestCase("all, two cells", config, BYTES, TABLES, 0));
        AddTestCase(new MessagesTestCase("head",
                                         MakeConfig(TrainedPart::HEAD),
                                         0,
                                         0,
                                         3 * CREDITS)); // over both devices
        // The last block lies on the second device
        AddTestCase(
            new MessagesTestCase("last block", MakeConfig(TrainedPart::LAST), 0, 0, 2 * CREDITS));
        // Adapters lie in the first block, too
        AddTestCase(
            new MessagesTestCase("adapters", MakeConfig(TrainedPart::ADAPTERS), 0, 0, CREDITS));
        config = MakeConfig(TrainedPart::HEAD);
        config.optimizer.clipNorm = 1;
        AddTestCase(new MessagesTestCase("head, clipped", config, 0, 0, 0));
    }
};

TiedTableTestSuite g_tiedTableTestSuite; //!< the suite

} // namespace
