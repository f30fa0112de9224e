/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Split, pipelined, sent over links that lose packets and put together again, training must give
// what an ordinary loop over the unsplit model gives.

#include "collapipe-test-run.h"

#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/test.h"

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// float32 rounding, accumulated over micro-batches in another order than in one batch
constexpr double TOLERANCE = 1e-5;

/**
 * Gradients of one iteration equal those of the unsplit model on the same samples.
 */
class GradientParityTestCase : public TestCase
{
  public:
    GradientParityTestCase(const std::string& name, const TestRunConfig& config)
        : TestCase("gradients equal the unsplit model's: " + name),
          m_config(config)
    {
    }

  private:
    void DoRun() override
    {
        TestRun run(m_config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        for (uint32_t cluster = 0; cluster < m_config.segments.size(); ++cluster)
        {
            UnsplitTrainer trainer(run.GetModelConfig(),
                                   m_config.optimizer,
                                   run.GetInitialParameters());
            trainer.Iterate(run.GetBatches(cluster).front());
            NS_TEST_ASSERT_MSG_LT(
                GetRelativeDifference(run.GetFirstGradients(cluster), trainer.GetGradients()),
                TOLERANCE,
                "gradients of cluster " << cluster << " differ");
        }
    }

    TestRunConfig m_config;
};

/**
 * After several rounds the aggregated weights equal those of an ordinary FedAvg loop.
 */
class FedAvgParityTestCase : public TestCase
{
  public:
    FedAvgParityTestCase(const std::string& name, const TestRunConfig& config)
        : TestCase("weights equal an ordinary FedAvg loop's: " + name),
          m_config(config)
    {
    }

  private:
    /// @return the whole model's parameters after all rounds, and the mean losses by round
    TensorList RunLoop(const TestRun& run,
                       const OptimizerConfig& optimizer,
                       std::vector<double>& losses) const
    {
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        auto global = run.GetInitialParameters();
        for (uint32_t round = 0; round < m_config.rounds; ++round)
        {
            std::vector<TensorList> sets;
            std::vector<double> weights;
            losses.push_back(0);
            for (uint32_t cluster = 0; cluster < m_config.segments.size(); ++cluster)
            {
                UnsplitTrainer trainer(run.GetModelConfig(), optimizer, global);
                weights.push_back(run.GetWeight(cluster));
                for (uint32_t i = 0; i < m_config.iterations; ++i)
                {
                    const auto& batches = run.GetBatches(cluster);
                    losses.back() += weights.back() / m_config.iterations *
                                     trainer.Iterate(batches[round * m_config.iterations + i]);
                    trainer.Step();
                }
                sets.push_back(trainer.GetParameters().Gather(whole));
            }
            global.Scatter(whole, WeightedMean(sets, weights));
        }
        return global.Gather(whole);
    }

    /// The mean again, so that the reference does not share the code under test.
    static TensorList WeightedMean(const std::vector<TensorList>& sets,
                                   const std::vector<double>& weights)
    {
        TensorList mean;
        for (std::size_t t = 0; t < sets[0].size(); ++t)
        {
            std::vector<float> values(sets[0][t].GetElementCount());
            for (std::size_t i = 0; i < values.size(); ++i)
            {
                double sum = 0;
                for (std::size_t s = 0; s < sets.size(); ++s)
                {
                    sum += weights[s] * sets[s][t].As<float>()[i];
                }
                values[i] = static_cast<float>(sum);
            }
            mean.push_back(
                TensorData::FromVector(DType::FLOAT32, sets[0][t].shape, std::move(values)));
        }
        return mean;
    }

    void DoRun() override
    {
        TestRun run(m_config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        std::vector<double> losses;
        const auto expected = RunLoop(run, m_config.optimizer, losses);
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        NS_TEST_ASSERT_MSG_LT(
            GetRelativeDifference(run.GetFinalParameters().Gather(whole), expected),
            TOLERANCE,
            "weights differ");
        if (m_config.optimizer.clipNorm > 0)
        {
            auto unclipped = m_config.optimizer;
            unclipped.clipNorm = 0;
            std::vector<double> ignored;
            NS_TEST_ASSERT_MSG_GT(GetRelativeDifference(RunLoop(run, unclipped, ignored), expected),
                                  100 * TOLERANCE,
                                  "clipping changes nothing here");
        }
        for (uint32_t round = 0; round < m_config.rounds; ++round)
        {
            NS_TEST_ASSERT_MSG_EQ_TOL(run.GetTrainLosses()[round],
                                      losses[round],
                                      TOLERANCE * losses[round],
                                      "training loss of round " << round << " differs");
        }
    }

    TestRunConfig m_config;
};

/**
 * One cluster whose optimizers live on from round to round trains as if there were no rounds.
 */
class KeptOptimizerTestCase : public TestCase
{
  public:
    explicit KeptOptimizerTestCase(const std::string& optimizer)
        : TestCase("kept optimizers make rounds invisible: " + optimizer)
    {
        m_config.segments = {{1, 2}};
        m_config.iterations = 2;
        m_config.rounds = 3;
        m_config.keepOptimizerState = true;
        m_config.optimizer.name = optimizer;
        m_config.optimizer.epsilon = 1e-3; // as in the FedAvg cases
    }

  private:
    void DoRun() override
    {
        TestRun run(m_config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        UnsplitTrainer trainer(run.GetModelConfig(),
                               m_config.optimizer,
                               run.GetInitialParameters());
        for (const auto& batch : run.GetBatches(0))
        {
            trainer.Iterate(batch);
            trainer.Step();
        }
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        NS_TEST_ASSERT_MSG_LT(GetRelativeDifference(run.GetFinalParameters().Gather(whole),
                                                    trainer.GetParameters().Gather(whole)),
                              TOLERANCE,
                              "weights differ");
    }

    TestRunConfig m_config;
};

/**
 * @ingroup collapipe-tests
 * Split training against ordinary training.
 */
class ParityTestSuite : public TestSuite
{
  public:
    ParityTestSuite()
        : TestSuite("collapipe-parity", Type::UNIT)
    {
        AddGrid();
        AddRecomputation();
        AddLossyLinks();
        AddFedAvg();
    }

  private:
    /// Segments 1 to 6, micro-batches 1 to 8, both schedules
    void AddGrid()
    {
        for (const std::string schedule : {"gpipe", "1f1b"})
        {
            for (uint32_t segments = 1; segments <= 6; ++segments)
            {
                for (uint32_t microBatches = 1; microBatches <= 8; ++microBatches)
                {
                    TestRunConfig config;
                    config.schedule = schedule;
                    config.segments = {std::vector<uint32_t>(segments, 1)};
                    config.segments[0][segments / 2] += 6 - segments; // 6 blocks, unevenly
                    config.microBatches = {microBatches};
                    config.seed = 100 * segments + microBatches;
                    AddTestCase(WithTorch(new GradientParityTestCase(
                        schedule + ", " + std::to_string(segments) + " segments, " +
                            std::to_string(microBatches) + " micro-batches",
                        config)));
                }
            }
        }
    }

    /// Activations computed again instead of kept
    void AddRecomputation()
    {
        for (const std::string schedule : {"gpipe", "1f1b"})
        {
            TestRunConfig config;
            config.schedule = schedule;
            config.segments = {{2, 1, 3}};
            config.microBatches = {4};
            config.recomputation = Recomputation::ALWAYS;
            AddTestCase(WithTorch(new GradientParityTestCase(schedule + ", recomputed", config)));
        }
    }

    /// Packets lost on wires, frames lost on Wi-Fi, fading and HARQ on LTE
    void AddLossyLinks()
    {
        const std::pair<const char*, const char*> cases[] = {{"p2p", "gpipe"},
                                                             {"p2p", "1f1b"},
                                                             {"wifi", "gpipe"},
                                                             {"wifi", "1f1b"},
                                                             {"lte", "gpipe"},
                                                             {"hybrid", "1f1b"}};
        for (const auto& [topology, schedule] : cases)
        {
            TestRunConfig config;
            config.topology = topology;
            config.schedule = schedule;
            config.segments = {{1, 1}, {2, 0}};
            config.microBatches = {3, 2};
            config.network.packetErrorRate = 0.02;
            config.network.wifiFrameErrorRate = 0.1;
            config.network.lteBandwidthRb = 25;
            config.network.ltePathLoss.fading = true;
            AddTestCase(WithTorch(
                new GradientParityTestCase(std::string(schedule) + ", lossy " + topology, config)));
        }
    }

    void AddFedAvg()
    {
        for (const std::string optimizer : {"sgd", "adam"})
        {
            TestRunConfig config;
            config.segments = {{2, 1, 1}, {1, 3, 0}};
            config.microBatches = {2, 4};
            config.schedule = "1f1b";
            config.iterations = 3;
            config.rounds = 3;
            config.optimizer.name = optimizer;
            config.optimizer.learningRate = optimizer == "sgd" ? 0.05 : 1e-3;
            // Adam divides by the gradient's size: where that is rounding only, a larger epsilon
            // keeps the step from being rounding magnified.
            config.optimizer.epsilon = 1e-3;
            AddTestCase(WithTorch(new FedAvgParityTestCase(optimizer, config)));
            AddTestCase(WithTorch(new KeptOptimizerTestCase(optimizer)));
            for (const std::string schedule : {"gpipe", "1f1b"})
            {
                config.schedule = schedule;
                config.optimizer.clipNorm = 0.3;
                const auto name = optimizer + ", " + schedule + ", clipped";
                AddTestCase(WithTorch(new FedAvgParityTestCase(name, config)));
            }
        }
    }
};

ParityTestSuite g_parityTestSuite; //!< the suite

} // namespace
