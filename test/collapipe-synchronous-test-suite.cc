/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Chains that step together must train as one model does on all their samples.

#include "collapipe-test-run.h"

#include "ns3/collapipe-early-inputs.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

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
 * With plain SGD the weights are those of one model that steps along the mean of the gradients of
 * all chains' samples, clipped where that is asked for.
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
    /// @return the mean of the gradients of some batches
    TensorList GetMean(const TestRun& run, const ModelParameters& at, std::size_t firstBatch) const
    {
        std::vector<TensorList> gradients;
        for (std::size_t c = 0; c < m_chains; ++c)
        {
            UnsplitTrainer trainer(run.GetModelConfig(), m_config.optimizer, at);
            trainer.Iterate(run.GetBatches(0).at(firstBatch + c));
            gradients.push_back(trainer.GetGradients());
        }
        TensorList mean;
        for (std::size_t t = 0; t < gradients[0].size(); ++t)
        {
            std::vector<float> values(gradients[0][t].GetElementCount());
            for (std::size_t i = 0; i < values.size(); ++i)
            {
                double sum = 0;
                for (const auto& own : gradients)
                {
                    sum += own[t].As<float>()[i];
                }
                values[i] = static_cast<float>(sum / static_cast<double>(m_chains));
            }
            mean.push_back(
                TensorData::FromVector(DType::FLOAT32, gradients[0][t].shape, std::move(values)));
        }
        return mean;
    }

    /// @return by what a gradient is multiplied
    double GetFactor(const TensorList& gradient) const
    {
        double sum = 0;
        for (const auto& tensor : gradient)
        {
            for (std::size_t i = 0; i < tensor.GetElementCount(); ++i)
            {
                sum += double(tensor.As<float>()[i]) * tensor.As<float>()[i];
            }
        }
        const double limit = m_config.optimizer.clipNorm;
        return limit > 0 ? std::min(1.0, limit / std::sqrt(sum)) : 1;
    }

    /// @return a step along the mean of the gradients of some batches; notes whether it was clipped
    ModelParameters Step(const TestRun& run, const ModelParameters& start, std::size_t firstBatch)
    {
        const PartRange whole{true, 0, BLOCKS, true};
        const auto mean = GetMean(run, start, firstBatch);
        const double factor = GetFactor(mean);
        m_clipped += factor < 1 ? 1 : 0;
        TensorList values;
        const auto before = start.Gather(whole);
        for (std::size_t t = 0; t < mean.size(); ++t)
        {
            std::vector<float> moved(mean[t].GetElementCount());
            for (std::size_t i = 0; i < moved.size(); ++i)
            {
                const double step = m_config.optimizer.learningRate * factor;
                moved[i] =
                    static_cast<float>(before[t].As<float>()[i] - step * mean[t].As<float>()[i]);
            }
            values.push_back(
                TensorData::FromVector(DType::FLOAT32, mean[t].shape, std::move(moved)));
        }
        ModelParameters end = start;
        end.Scatter(whole, values);
        return end;
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
        NS_TEST_ASSERT_MSG_EQ((m_clipped > 0),
                              (m_config.optimizer.clipNorm > 0),
                              "clipping has nothing to do here");
        NS_TEST_ASSERT_MSG_GT(
            GetRelativeDifference(trained, run.GetInitialParameters().Gather(whole)),
            100 * TOLERANCE,
            "nothing was learnt");
    }

    TestRunConfig m_config;
    uint32_t m_chains;
    std::size_t m_clipped{0}; //!< steps that were
};

/**
 * However gradients are rounded to travel, the copies of a stage stay one to the last bit.
 */
class EqualCopiesTestCase : public TestCase
{
  public:
    EqualCopiesTestCase(const std::string& name, DType precision)
        : TestCase("copies stay equal with gradients as " + name),
          m_precision(precision)
    {
    }

  private:
    void DoRun() override
    {
        constexpr uint32_t CHAINS = 2;
        auto config = MakeConfig("p2p", CHAINS);
        config.precision.gradients = m_precision;
        config.optimizer.clipNorm = 0.3;
        TestRun run(config);
        const auto& nodes = run.GetApplications().clusters[0];
        for (const NodeIndex node : {1, 2, 3, 4})
        {
            nodes[node]->TraceConnectWithoutContext(
                "Flush",
                MakeCallback(&EqualCopiesTestCase::Record, this).Bind(node));
        }
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const std::size_t count = config.rounds * config.iterations;
        for (const NodeIndex first : {1, 3}) // of the first chain; the next one is its twin
        {
            const auto& own = m_parameters[first];
            const auto& other = m_parameters[first + 1];
            NS_TEST_ASSERT_MSG_EQ(own.size(), count, "iterations of a stage");
            NS_TEST_ASSERT_MSG_EQ(other.size(), count, "iterations of its twin");
            for (std::size_t i = 0; i < count; ++i)
            {
                NS_TEST_ASSERT_MSG_EQ(AreSame(own[i], other[i]), true, "two values");
            }
            NS_TEST_ASSERT_MSG_EQ(AreSame(own.front(), own.back()), false, "nothing was learnt");
        }
    }

    void Record(NodeIndex node,
                uint32_t /* round */,
                uint32_t /* iteration */,
                const ModelPart& part)
    {
        auto tensors = part.ExportParameters(false);
        const auto gradients = part.ExportGradients();
        tensors.insert(tensors.end(), gradients.begin(), gradients.end());
        m_parameters[node].push_back(std::move(tensors));
    }

    DType m_precision;
    std::map<NodeIndex, std::vector<TensorList>> m_parameters; //!< and gradients, by iteration
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
        config.optimizer.clipNorm = 0.3;
        AddTestCase(WithTorch(new SynchronousParityTestCase("clipped", config, 2)));
        config.optimizer.clipNorm = 0;
        config.adaptModel = [](ModelConfig& model) {
            model.family = "gpt2";
            model.head = ModelHead::CAUSAL_LANGUAGE;
            model.special.pad = -1;
            model.tiedProjection = true;
        };
        AddTestCase(WithTorch(new SynchronousParityTestCase("a table on two nodes", config, 2)));
        for (const auto& [name, precision] : {std::pair{"fp32", DType::FLOAT32},
                                              std::pair{"bf16", DType::BFLOAT16},
                                              std::pair{"int8", DType::INT8}})
        {
            AddTestCase(WithTorch(new EqualCopiesTestCase(name, precision)));
        }
    }
};

SynchronousTestSuite g_synchronousTestSuite; //!< the suite

} // namespace
