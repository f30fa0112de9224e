/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Chains that step together must train as one model does on all their samples.

#include "collapipe-test-run.h"

#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/test.h"

#include <algorithm>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// float32 rounding, accumulated in another order
constexpr double TOLERANCE = 1e-5;

constexpr uint32_t BLOCKS = 4;

/// @return a run of so many chains
TestRunConfig
MakeConfig(const std::string& topology, uint32_t chains)
{
    TestRunConfig config;
    config.topology = topology;
    config.segments = {std::vector<uint32_t>(2 * chains, 0)};
    config.segments[0][0] = BLOCKS;
    config.microBatches = {2};
    config.iterations = 4;
    config.rounds = 2;
    config.feedsDevices = true;
    config.notesGradients = false;
    config.optimizer.name = "sgd";
    config.optimizer.momentum = 0;
    config.optimizer.learningRate = 0.05;
    config.network.lteBandwidthRb = 25;
    config.adaptPlan = [chains](RoundPlan& plan) { MakeSynchronous(plan, chains, {1, 3}); };
    return config;
}

/**
 * With plain SGD a step along the mean of several gradients ends where the mean of the models ends
 * that have each made a step along one of them.
 */
class SynchronousParityTestCase : public TestCase
{
  public:
    SynchronousParityTestCase(const std::string& name, const TestRunConfig& config, uint32_t chains)
        : TestCase("chains that step together train as one model: " + name),
          m_config(config),
          m_chains(chains)
    {
    }

  private:
    /// @return a step along the mean of the gradients of some batches
    ModelParameters Step(const TestRun& run,
                         const ModelParameters& start,
                         std::size_t firstBatch) const
    {
        const PartRange whole{true, 0, BLOCKS, true};
        std::vector<TensorList> ends;
        for (std::size_t c = 0; c < m_chains; ++c)
        {
            UnsplitTrainer trainer(run.GetModelConfig(), m_config.optimizer, start);
            trainer.Iterate(run.GetBatches(0).at(firstBatch + c));
            trainer.Step();
            ends.push_back(trainer.GetParameters().Gather(whole));
        }
        ModelParameters mean = start;
        TensorList values;
        for (std::size_t t = 0; t < ends[0].size(); ++t)
        {
            std::vector<float> sums(ends[0][t].GetElementCount());
            for (std::size_t i = 0; i < sums.size(); ++i)
            {
                double sum = 0;
                for (const auto& end : ends)
                {
                    sum += end[t].As<float>()[i];
                }
                sums[i] = static_cast<float>(sum / static_cast<double>(m_chains));
            }
            values.push_back(
                TensorData::FromVector(DType::FLOAT32, ends[0][t].shape, std::move(sums)));
        }
        mean.Scatter(whole, values);
        return mean;
    }

    void DoRun() override
    {
        TestRun run(m_config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const std::size_t iterations = m_config.rounds * m_config.iterations;
        NS_TEST_ASSERT_MSG_EQ(run.GetBatches(0).size(),
                              iterations * m_chains,
                              "not every chain was fed in every iteration");
        const PartRange whole{true, 0, BLOCKS, true};
        ModelParameters expected = run.GetInitialParameters();
        for (std::size_t i = 0; i < iterations; ++i)
        {
            expected = Step(run, expected, i * m_chains);
        }
        const auto trained = run.GetFinalParameters().Gather(whole);
        NS_TEST_ASSERT_MSG_LT(GetRelativeDifference(trained, expected.Gather(whole)),
                              TOLERANCE,
                              "weights differ");
        NS_TEST_ASSERT_MSG_GT(
            GetRelativeDifference(trained, run.GetInitialParameters().Gather(whole)),
            100 * TOLERANCE,
            "nothing was learnt");
    }

    TestRunConfig m_config;
    uint32_t m_chains;
};

/**
 * Every stage but the edge server's sends its gradients once an iteration and gets the mean.
 */
class SynchronousMessagesTestCase : public TestCase
{
  public:
    explicit SynchronousMessagesTestCase(const std::string& topology)
        : TestCase("gradients go to the first chain and back: " + topology),
          m_topology(topology)
    {
    }

  private:
    void DoRun() override
    {
        constexpr uint32_t CHAINS = 3;
        const auto config = MakeConfig(m_topology, CHAINS);
        TestRun run(config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const auto& lines = run.GetMessages();
        const auto sent = std::count_if(lines.begin(), lines.end(), [](const auto& line) {
            return line.find(" stage-gradients ") != std::string::npos;
        });
        const uint32_t iterations = config.rounds * config.iterations;
        constexpr uint32_t STAGES = 2;
        NS_TEST_ASSERT_MSG_EQ(static_cast<uint32_t>(sent),
                              2 * (CHAINS - 1) * STAGES * iterations,
                              "so many shares and means were sent");
    }

    std::string m_topology;
};

class SynchronousTestSuite : public TestSuite
{
  public:
    SynchronousTestSuite()
        : TestSuite("collapipe-synchronous", Type::UNIT)
    {
        for (const std::string topology : {"p2p", "wifi", "hybrid"})
        {
            const uint32_t chains = topology == "p2p" ? 3 : 2;
            AddTestCase(WithTorch(
                new SynchronousParityTestCase(topology, MakeConfig(topology, chains), chains)));
            AddTestCase(new SynchronousMessagesTestCase(topology));
        }
        auto config = MakeConfig("p2p", 2);
        config.schedule = "1f1b";
        AddTestCase(WithTorch(new SynchronousParityTestCase("1f1b", config, 2)));
    }
};

SynchronousTestSuite g_synchronousTestSuite; //!< the suite

} // namespace
