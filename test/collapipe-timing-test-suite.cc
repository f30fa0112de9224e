/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// On ideal links the simulated time of an iteration is that of the formulas, whichever backend
// computes.

#include "collapipe-random-schedule.h"
#include "collapipe-test-run.h"

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-pipeline-time.h"
#include "ns3/config.h"
#include "ns3/test.h"

#include <algorithm>
#include <random>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace ns3
{
namespace collapipe
{
namespace test
{

NS_OBJECT_ENSURE_REGISTERED(RandomSchedule);

} // namespace test
} // namespace collapipe
} // namespace ns3

namespace
{

/**
 * ns-3's TCP sends a nanosecond after it was asked to, and times are rounded to nanoseconds: that
 * often on the longest path through an iteration, at most.
 */
double
GetRoundingS(uint32_t stages, uint32_t microBatches)
{
    return 4e-9 * (stages + microBatches) * 2;
}

/// Links that take no time
TopologyConfig
MakeIdealNetwork()
{
    TopologyConfig network;
    network.p2pD2dRate = DataRate(1000000000000000000ULL);
    network.p2pD2eRate = DataRate(1000000000000000000ULL);
    network.p2pD2dDelay = Seconds(0);
    network.p2pD2eDelay = Seconds(0);
    return network;
}

/// Times of the stages of a run's chain in cluster 0, by formula (1)
StageTimes
GetStageTimes(const TestRunConfig& config, const TestRun& run)
{
    const auto state = run.GetState();
    const double size = config.microBatchSize;
    const auto time = [&](const double overheadS, double flops, double speed) {
        return StageTime{overheadS + size * flops / speed,
                         overheadS + size * state.model.backwardRatio * flops / speed};
    };
    const auto& cluster = state.clusters[0];
    StageTimes times{time(cluster.controlUnit.overheadS,
                          state.model.embeddingForwardFlops,
                          cluster.controlUnit.flops)};
    for (std::size_t device = 0; device < config.segments[0].size(); ++device)
    {
        times.push_back(time(cluster.devices[device].overheadS,
                             config.segments[0][device] * state.model.blockForwardFlops,
                             cluster.devices[device].flops));
    }
    times.push_back(time(state.edge.overheadS, state.model.decoderForwardFlops, state.edge.flops));
    return times;
}

/**
 * Heterogeneous stages on ideal links: what the schedule says of itself, which for a user's is the
 * longest path through its task graph, and what a simulation by hand says.
 */
class IterationTimeTestCase : public TestCase
{
  public:
    IterationTimeTestCase(const std::string& schedule, uint32_t segments, uint32_t microBatches)
        : TestCase("iteration time: " + schedule + ", " + std::to_string(segments) + " segments, " +
                   std::to_string(microBatches) + " micro-batches"),
          m_seed(100 * segments + microBatches)
    {
        std::mt19937_64 random(1000 * segments + microBatches);
        const auto draw = [&random](double low, double high) {
            return low + (high - low) * static_cast<double>(random() % 1000003) / 1000003;
        };
        m_config.backend = "ns3::collapipe::AnalyticBackend";
        m_config.schedule = schedule;
        m_config.network = MakeIdealNetwork();
        m_config.segments = {{}};
        m_config.microBatches = {microBatches};
        m_config.iterations = 3;
        m_config.edge = {draw(1e8, 1e10), draw(0, 1e-3), 1};
        m_config.profiles.push_back({"cu", draw(1e6, 1e8), draw(0, 1e-3), 1e12, 5, 23});
        for (uint32_t i = 0; i < segments; ++i)
        {
            m_config.segments[0].push_back(1 + random() % 3);
            m_config.profiles.push_back({"device", draw(1e8, 1e9), draw(0, 1e-3), 1e12, 5, 23});
        }
    }

  private:
    void DoRun() override
    {
        Config::SetDefault("ns3::collapipe::test::RandomSchedule::Seed", UintegerValue(m_seed));
        TestRun run(m_config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const auto stages = GetStageTimes(m_config, run);
        const auto count = static_cast<uint32_t>(stages.size());
        const uint32_t microBatches = m_config.microBatches[0];
        const std::vector<LinkTimes> links(count - 1);
        const auto schedule = GetSchedule(m_config.schedule);
        std::vector<ActionList> actions;
        for (uint32_t stage = 0; stage < count; ++stage)
        {
            actions.push_back(schedule->Generate(count, stage, microBatches));
        }
        const auto times = MakeIterationTimes(stages, links, microBatches);
        const double expected = schedule->GetIterationTimeS(times);
        NS_TEST_ASSERT_MSG_EQ_TOL(test::ScheduleReference(actions, times).Run(),
                                  expected,
                                  1e-9 * expected,
                                  "the schedule's own word");
        const auto& flushes = run.GetFlushTimes(0);
        for (uint32_t i = 1; i < m_config.iterations; ++i)
        {
            NS_TEST_ASSERT_MSG_EQ_TOL((flushes[i] - flushes[i - 1]).GetSeconds(),
                                      expected,
                                      GetRoundingS(count, microBatches),
                                      "time of iteration " << i);
        }
    }

    TestRunConfig m_config;
    uint32_t m_seed; //!< of a random schedule
};

/**
 * A uniform pipeline stands idle for (S-1)/(N+S-1) of its time.
 */
class BubbleTestCase : public TestCase
{
  public:
    BubbleTestCase(const std::string& schedule, uint32_t segments, uint32_t microBatches)
        : TestCase("bubble: " + schedule + ", " + std::to_string(segments) + " segments, " +
                   std::to_string(microBatches) + " micro-batches"),
          m_schedule(schedule),
          m_segments(segments),
          m_microBatches(microBatches)
    {
    }

  private:
    void DoRun() override
    {
        // Control unit and edge server take no time, so that S counts the devices' segments.
        TestRunConfig config;
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.schedule = m_schedule;
        config.network = MakeIdealNetwork();
        config.segments = {std::vector<uint32_t>(m_segments, 1)};
        config.microBatches = {m_microBatches};
        config.iterations = 2;
        config.edge = {1e18, 0, 1};
        config.profiles = {{"cu", 1e18, 0, 1e12, 5, 23}, {"device", 1e8, 0, 1e12, 5, 23}};
        TestRun run(config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const auto stage = GetStageTimes(config, run)[1];
        const double busyS = m_microBatches * (stage.forwardS + stage.backwardS);
        const auto& flushes = run.GetFlushTimes(0);
        const double totalS = (flushes[1] - flushes[0]).GetSeconds();
        const double expected = (m_segments - 1.0) / (m_microBatches + m_segments - 1.0);
        NS_TEST_ASSERT_MSG_EQ_TOL(1 - busyS / totalS,
                                  expected,
                                  GetRoundingS(m_segments + 2, m_microBatches) / totalS,
                                  "idle share of the time");
    }

    std::string m_schedule;
    uint32_t m_segments;
    uint32_t m_microBatches;
};

/**
 * Torch and Analytic send the same messages of the same sizes at the same times; so do two runs
 * with different numbers of threads.
 */
class SameMessagesTestCase : public TestCase
{
  public:
    SameMessagesTestCase(const std::string& topology, const std::string& schedule, bool isPlain)
        : TestCase("same messages from every backend: " + topology + ", " + schedule +
                   (isPlain ? "" : ", clipped, rounded, recomputed"))
    {
        if (!isPlain)
        {
            m_config.optimizer.clipNorm = 0.1;
            m_config.keepOptimizerState = true;
            m_config.precision = {DType::INT8, DType::FLOAT16, DType::BFLOAT16};
            m_config.recomputation = Recomputation::ALWAYS;
        }
        m_config.topology = topology;
        m_config.schedule = schedule;
        m_config.segments = {{2, 1, 1}, {1, 3, 0}};
        m_config.microBatches = {3, 2};
        m_config.iterations = 2;
        m_config.rounds = 2;
    }

  private:
    std::vector<std::string> GetMessages(const std::string& backend, unsigned threads)
    {
        m_config.backend = "ns3::collapipe::" + backend;
        m_config.threads = threads;
        TestRun run(m_config);
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        return run.GetMessages();
    }

    void DoRun() override
    {
        const auto analytic = GetMessages("AnalyticBackend", 0);
        for (const unsigned threads : {0, 1, 3})
        {
            const auto torch = GetMessages("TorchBackend", threads);
            NS_TEST_ASSERT_MSG_EQ(torch.size(), analytic.size(), "message counts differ");
            for (std::size_t i = 0; i < torch.size(); ++i)
            {
                NS_TEST_ASSERT_MSG_EQ(torch[i], analytic[i], "message " << i << " differs");
            }
        }
    }

    TestRunConfig m_config;
};

/**
 * Clipping over all segments costs an exchange with the edge server before every step, and the
 * latency model knows it.
 */
class ClippingTimeTestCase : public TestCase
{
  public:
    explicit ClippingTimeTestCase(const std::string& schedule)
        : TestCase("clipping costs an exchange: " + schedule)
    {
        m_config.backend = "ns3::collapipe::AnalyticBackend";
        m_config.schedule = schedule;
        m_config.network = MakeIdealNetwork();
        m_config.network.p2pD2eDelay = Seconds(0.01);
        m_config.segments = {{1, 2, 1}};
        m_config.microBatches = {4};
        m_config.iterations = 3;
    }

  private:
    /// @return time of an iteration in the simulation
    double Measure(double clipNorm)
    {
        m_config.optimizer.clipNorm = clipNorm;
        TestRun run(m_config);
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        m_exchangeS =
            GetClippingTimeS(run.GetState().clusters[0], run.GetPlan().clusters[0].chains[0]);
        const auto& flushes = run.GetFlushTimes(0);
        return (flushes[2] - flushes[1]).GetSeconds();
    }

    void DoRun() override
    {
        const double without = Measure(0);
        const double with = Measure(1);
        NS_TEST_ASSERT_MSG_EQ_TOL(m_exchangeS, 0.02, 1e-9, "the model's time of the exchange");
        NS_TEST_ASSERT_MSG_EQ_TOL(with - without, 0.02, 1e-6, "the simulation's");
    }

    TestRunConfig m_config;
    double m_exchangeS{0}; //!< by the model
};

/**
 * Computing activations again costs each device a forward pass per micro-batch, and nothing else.
 */
class RecomputationTimeTestCase : public TestCase
{
  public:
    RecomputationTimeTestCase()
        : TestCase("computing activations again costs a forward pass")
    {
    }

  private:
    void DoRun() override
    {
        TestRunConfig config;
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.network = MakeIdealNetwork();
        config.segments = {{2, 3, 1}};
        config.microBatches = {5};
        config.iterations = 2;
        config.edge = {1e10, 0, 1};
        config.profiles = {{"cu", 1e8, 0, 1e12, 5, 23}, {"device", 1e8, 1e-4, 1e12, 5, 23}};
        const auto measure = [&config](Recomputation recomputation, double& expectedS) {
            config.recomputation = recomputation;
            TestRun run(config);
            run.Run();
            auto stages = GetStageTimes(config, run);
            for (std::size_t s = 1; s + 1 < stages.size(); ++s)
            {
                const double passS = stages[s].forwardS - 1e-4; // without the overhead
                stages[s].backwardS += recomputation == Recomputation::ALWAYS ? passS : 0;
            }
            const std::vector<LinkTimes> links(stages.size() - 1);
            expectedS = GpipeIterationTime(stages, links, config.microBatches[0]);
            const auto& flushes = run.GetFlushTimes(0);
            return (flushes[1] - flushes[0]).GetSeconds();
        };
        double keptS = 0;
        double againS = 0;
        NS_TEST_ASSERT_MSG_EQ_TOL(measure(Recomputation::NEVER, keptS), keptS, 1e-6, "kept");
        NS_TEST_ASSERT_MSG_EQ_TOL(measure(Recomputation::ALWAYS, againS), againS, 1e-6, "again");
        NS_TEST_ASSERT_MSG_GT(againS, 1.1 * keptS, "it costs something");
    }
};

/**
 * Final weights do not depend on the number of threads.
 */
class SameWeightsTestCase : public TestCase
{
  public:
    SameWeightsTestCase()
        : TestCase("same weights whatever the thread count")
    {
    }

  private:
    static TensorList GetWeights(unsigned threads)
    {
        TestRunConfig config;
        config.segments = {{2, 1, 1}, {1, 3, 0}};
        config.microBatches = {3, 2};
        config.iterations = 3;
        config.rounds = 3;
        config.threads = threads;
        TestRun run(config);
        run.Run();
        return run.GetFinalParameters().Gather({true, 0, 4, true});
    }

    void DoRun() override
    {
        const auto reference = GetWeights(0);
        for (const unsigned threads : {1, 2, 5})
        {
            const auto weights = GetWeights(threads);
            for (std::size_t t = 0; t < weights.size(); ++t)
            {
                const bool same = std::equal(weights[t].As<uint8_t>(),
                                             weights[t].As<uint8_t>() + weights[t].GetByteSize(),
                                             reference[t].As<uint8_t>());
                NS_TEST_ASSERT_MSG_EQ(same, true, "tensor " << t << ", threads " << threads);
            }
        }
    }
};

/**
 * @ingroup collapipe-tests
 * Simulated time against formulas, and determinism.
 */
class TimingTestSuite : public TestSuite
{
  public:
    TimingTestSuite()
        : TestSuite("collapipe-timing", Type::UNIT)
    {
        for (const std::string schedule : {"gpipe", "1f1b"})
        {
            for (const uint32_t segments : {1, 2, 3, 5, 8})
            {
                for (const uint32_t microBatches : {1, 2, 3, 4, 7, 12})
                {
                    AddTestCase(new IterationTimeTestCase(schedule, segments, microBatches));
                    AddTestCase(new BubbleTestCase(schedule, segments, microBatches));
                }
            }
            AddTestCase(new ClippingTimeTestCase(schedule));
            for (const std::string topology : {"p2p", "hybrid"})
            {
                AddTestCase(WithTorch(new SameMessagesTestCase(topology, schedule, true)));
                AddTestCase(WithTorch(new SameMessagesTestCase(topology, schedule, false)));
            }
        }
        for (const uint32_t segments : {1, 2, 4, 6})
        {
            for (const uint32_t microBatches : {1, 2, 5, 9})
            {
                AddTestCase(new IterationTimeTestCase("ns3::collapipe::test::RandomSchedule",
                                                      segments,
                                                      microBatches));
            }
        }
        AddTestCase(new IterationTimeTestCase("ns3::collapipe::OneFOneBSchedule", 3, 5));
        AddTestCase(new RecomputationTimeTestCase());
        AddTestCase(WithTorch(new SameWeightsTestCase()));
    }
};

TimingTestSuite g_timingTestSuite; //!< the suite

} // namespace
