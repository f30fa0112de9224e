/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a stage waits for between its passes: the gradient of the other copy of its table, and, at
// the first stage without a backward pass, word from those behind it.

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-stage-runner.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

TensorList
MakeTensors(float value)
{
    return {TensorData::FromVector(DType::FLOAT32, {2}, std::vector<float>{value, -value})};
}

/// Writes down what is asked of it; the gradient of its table is the number of the iteration.
class NotingPart : public ModelPart
{
  public:
    void SetRecompute(bool /* recompute */) override
    {
    }

    TensorList Forward(uint32_t /* microBatch */, TensorList input) override
    {
        return input;
    }

    TensorList Backward(uint32_t /* microBatch */, TensorList gradient) override
    {
        return gradient;
    }

    void Step() override
    {
        notes.emplace_back("step");
        ++m_steps;
    }

    double GetSquaredGradientNorm() const override
    {
        notes.emplace_back("norm");
        return 4;
    }

    TensorList ExportTiedGradient() const override
    {
        notes.emplace_back("table");
        return MakeTensors(m_steps);
    }

    void JoinTiedGradients(const TensorList& own, const TensorList& other) override
    {
        notes.push_back("join " + std::to_string(int(own[0].As<float>()[0])) + " and " +
                        std::to_string(int(other[0].As<float>()[0])));
    }

    void ScaleGradients(double /* factor */) override
    {
        notes.emplace_back("scale");
    }

    TensorList ExportStatistics() const override
    {
        return {};
    }

    TensorList ExportGradients() const override
    {
        return {};
    }

    void ReplaceGradients(const TensorList& /* gradients */) override
    {
    }

    TensorList ExportParameters(bool /* withOptimizer */) const override
    {
        return {};
    }

    mutable std::vector<std::string> notes; //!< in order

  private:
    float m_steps{0};
};

/// A stage of three with one micro-batch an iteration
class Stage : public ::testing::Test
{
  protected:
    Stage()
        : executor(0),
          part(std::make_shared<NotingPart>()),
          processor(CreateObject<Processor>())
    {
        processor->SetAttribute("Flops", DoubleValue(1));
        task.stages = 3;
        task.iterations = 6;
        task.forwardFlops = task.backwardFlops = 1;
        callbacks.onForward = callbacks.onBackward = [](uint32_t, uint32_t, TensorList) {};
        callbacks.onTable = [this](uint32_t iteration, TensorList) { told.push_back(iteration); };
        callbacks.onNorm = [this](uint32_t iteration, double) { norms.push_back(iteration); };
        callbacks.onIterationStart = [this](uint32_t iteration) {
            begun.push_back(iteration);
            runner->ProvideInput(iteration, 0, MakeTensors(1));
        };
        callbacks.onFinished = [this] { finished = true; };
    }

    ~Stage() override
    {
        runner.reset();
        Simulator::Destroy();
    }

    /// Makes the runner and has it run as far as it gets.
    void Begin()
    {
        runner = std::make_unique<StageRunner>(task, part, processor, executor, callbacks);
        runner->Start();
        Simulator::Run();
    }

    Executor executor;
    std::shared_ptr<NotingPart> part;
    Ptr<Processor> processor;
    StageTask task;
    StageRunner::Callbacks callbacks;
    std::vector<uint32_t> begun; //!< iterations
    std::vector<uint32_t> told;  //!< iterations whose table's gradient was handed on
    std::vector<uint32_t> norms; //!< likewise, norm
    bool finished{false};
    std::unique_ptr<StageRunner> runner;
};

/// The first stage, of which nothing is trained
class HeldStage : public Stage
{
  protected:
    HeldStage()
    {
        task.actions = {{Action::FORWARD, 0}, {Action::FLUSH, 0}};
        task.takesCredit = true;
    }
};

/// The first stage, which shares a table with the last one
class SharingStage : public Stage
{
  protected:
    SharingStage()
    {
        task.actions = {{Action::FORWARD, 0}, {Action::BACKWARD, 0}, {Action::FLUSH, 0}};
        task.sharesTable = true;
    }

    void Backward(uint32_t iteration)
    {
        runner->ProvideGradient(iteration, 0, MakeTensors(1));
        Simulator::Run();
    }

    /// @return the verdict on the other copy's gradient
    MessageVerdict::Kind Check(uint32_t iteration, uint32_t microBatch = 0) const
    {
        return runner->CheckInput(StageRunner::Input::TABLE, iteration, microBatch).kind;
    }
};

} // namespace

TEST_F(HeldStage, IsOneIterationAheadAtMost)
{
    Begin();
    EXPECT_EQ(begun, (std::vector<uint32_t>{0, 1}));
    for (uint32_t done = 1; done <= 4; ++done)
    {
        EXPECT_FALSE(finished);
        EXPECT_EQ(runner->CheckCredit(done).kind, MessageVerdict::TAKE);
        runner->ProvideCredit(done);
        Simulator::Run();
        EXPECT_EQ(begun.size(), done + 2);
    }
    EXPECT_TRUE(finished);
}

TEST_F(HeldStage, BelievesNoCreditBeyondWhatItHasDone)
{
    Begin();
    EXPECT_EQ(runner->GetIteration(), 2);
    EXPECT_EQ(runner->CheckCredit(3).kind, MessageVerdict::REFUSE);
    EXPECT_EQ(runner->CheckCredit(0xffffffff).kind, MessageVerdict::REFUSE);
    EXPECT_EQ(runner->CheckCredit(0).kind, MessageVerdict::SKIP);
    EXPECT_EQ(runner->CheckCredit(2).kind, MessageVerdict::TAKE); // the first is late
    runner->ProvideCredit(2);
    Simulator::Run();
    EXPECT_EQ(runner->CheckCredit(1).kind, MessageVerdict::SKIP);
    EXPECT_EQ(runner->CheckCredit(2).kind, MessageVerdict::SKIP);
    EXPECT_EQ(begun.size(), 4);
}

TEST_F(HeldStage, AnAttemptBeginsWithCreditForWhatWasDoneBefore)
{
    task.firstIteration = 3;
    Begin();
    EXPECT_EQ(begun, (std::vector<uint32_t>{3, 4}));
    runner->ProvideCredit(4);
    Simulator::Run();
    EXPECT_TRUE(finished);
}

TEST_F(HeldStage, OthersTakeNone)
{
    task.takesCredit = false;
    Begin();
    EXPECT_TRUE(finished);
    EXPECT_EQ(runner->CheckCredit(1).kind, MessageVerdict::REFUSE);
}

TEST_F(SharingStage, StepsWhenBothGradientsAreThere)
{
    Begin();
    Backward(0);
    EXPECT_EQ(told, (std::vector<uint32_t>{0}));
    EXPECT_EQ(part->notes, (std::vector<std::string>{"table"}));
    runner->ProvideTable(0, MakeTensors(7));
    EXPECT_EQ(part->notes, (std::vector<std::string>{"table", "join 0 and 7"}));
    runner->Settle();
    EXPECT_EQ(part->notes.back(), "step");
    Simulator::Run();

    runner->ProvideTable(1, MakeTensors(8)); // before its own is complete
    Simulator::Run();
    EXPECT_EQ(told.size(), 1);
    Backward(1);
    runner->Settle();
    EXPECT_EQ(told.size(), 2);
    EXPECT_EQ(part->notes,
              (std::vector<
                  std::string>{"table", "join 0 and 7", "step", "table", "join 1 and 8", "step"}));
}

TEST_F(SharingStage, TakesAGradientOnce)
{
    Begin();
    EXPECT_EQ(Check(0), MessageVerdict::TAKE);
    EXPECT_EQ(Check(0, 1), MessageVerdict::REFUSE);
    EXPECT_EQ(Check(2), MessageVerdict::REFUSE);
    runner->ProvideTable(0, MakeTensors(7));
    EXPECT_EQ(Check(0), MessageVerdict::SKIP);
    runner->ProvideTable(0, MakeTensors(9)); // passed over
    Backward(0);
    EXPECT_EQ(part->notes.at(1), "join 0 and 7");
    EXPECT_EQ(Check(0), MessageVerdict::SKIP);
    EXPECT_EQ(Check(1), MessageVerdict::TAKE);
}

TEST_F(SharingStage, TellsTheNormOfTheSum)
{
    task.isClipped = true;
    Begin();
    Backward(0);
    EXPECT_TRUE(norms.empty());
    runner->ProvideTable(0, MakeTensors(7));
    EXPECT_EQ(norms, (std::vector<uint32_t>{0}));
    runner->ProvideClipFactor(0, 0.5);
    runner->Settle();
    EXPECT_EQ(part->notes,
              (std::vector<std::string>{"table", "join 0 and 7", "norm", "scale", "step"}));
}

TEST_F(SharingStage, OthersTakeNone)
{
    task.sharesTable = false;
    Begin();
    EXPECT_EQ(Check(0), MessageVerdict::REFUSE);
    Backward(0);
    EXPECT_TRUE(told.empty());
    EXPECT_EQ(begun.size(), 2);
}
