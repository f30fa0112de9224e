/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What is on its way to a stage is computed from before it is there, and moves nothing in simulated
// time; jobs that nobody waits for come after those that somebody does.

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-stage-runner.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

/// Puts out its input and remembers the micro-batches that it saw.
class EchoPart : public ModelPart
{
  public:
    void SetRecompute(bool /* recompute */) override
    {
    }

    TensorList Forward(uint32_t microBatch, TensorList input) override
    {
        forward.push_back(microBatch);
        return input;
    }

    TensorList Backward(uint32_t microBatch, TensorList gradient) override
    {
        backward.push_back(microBatch);
        return gradient;
    }

    void Step() override
    {
    }

    double GetSquaredGradientNorm() const override
    {
        return 0;
    }

    void ScaleGradients(double /* factor */) override
    {
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

    std::vector<uint32_t> forward;  //!< micro-batches
    std::vector<uint32_t> backward; //!< likewise
};

TensorList
MakeTensors(float value)
{
    return {TensorData::FromVector(DType::FLOAT32, {2}, std::vector<float>{value, -value})};
}

/// A middle stage of three, two micro-batches, one iteration, one second of work each
class EarlyStage : public ::testing::Test
{
  protected:
    EarlyStage()
        : executor(0), // jobs run when they are waited for
          part(std::make_shared<EchoPart>()),
          processor(CreateObject<Processor>())
    {
        processor->SetAttribute("Flops", DoubleValue(1));
        StageTask task;
        task.stages = 3;
        task.stage = 1;
        task.actions = {{Action::FORWARD, 0},
                        {Action::FORWARD, 1},
                        {Action::BACKWARD, 0},
                        {Action::BACKWARD, 1},
                        {Action::FLUSH, 0}};
        task.forwardFlops = task.backwardFlops = 1;
        StageRunner::Callbacks callbacks;
        const auto note = [this](uint32_t, uint32_t microBatch, TensorList output) {
            ends.push_back(Simulator::Now().GetSeconds());
            values.push_back(output.front().As<float>()[0] + 10 * microBatch);
        };
        callbacks.onForward = callbacks.onBackward = note;
        callbacks.onFinished = [this] { finished = true; };
        runner = std::make_unique<StageRunner>(task, part, processor, executor, callbacks);
        header.round = 3;
        header.chain = 1;
        runner->TakeEarly(early, header);
        runner->Start();
    }

    ~EarlyStage() override
    {
        runner.reset();
        Simulator::Destroy();
    }

    void Offer(MessageType type, uint32_t microBatch, float value, uint32_t stage = 1)
    {
        auto head = header;
        head.type = type;
        head.microBatch = microBatch;
        early.Offer(head, stage, MakeTensors(value));
    }

    /// Messages arrive at 10, 20, 30 and 40 s.
    void ScheduleArrivals()
    {
        for (uint32_t i = 0; i < 2; ++i)
        {
            ScheduleCall(Seconds(10 * (i + 1)),
                         [this, i] { runner->ProvideInput(0, i, MakeTensors(1 + i)); });
            ScheduleCall(Seconds(10 * (i + 3)),
                         [this, i] { runner->ProvideGradient(0, i, MakeTensors(3 + i)); });
        }
    }

    Executor executor;
    EarlyInputs early;
    std::shared_ptr<EchoPart> part;
    Ptr<Processor> processor;
    MessageHeader header;
    std::vector<double> ends;  //!< of passes, simulated s
    std::vector<float> values; //!< put out
    bool finished{false};
    std::unique_ptr<StageRunner> runner;
};

TEST_F(EarlyStage, ComputesBeforeArrivalAndEndsWhenItWould)
{
    Offer(MessageType::ACTIVATION, 0, 1);
    Offer(MessageType::ACTIVATION, 1, 2);
    Offer(MessageType::GRADIENT, 0, 3);
    ScheduleArrivals();
    // The event at 11 s waits for the first job; the strand has the three shown ones by then.
    Simulator::Stop(Seconds(11.5));
    Simulator::Run();
    EXPECT_EQ(part->forward, (std::vector<uint32_t>{0}));
    EXPECT_EQ(ends, (std::vector<double>{11}));
    Simulator::Run();
    EXPECT_EQ(ends, (std::vector<double>{11, 21, 31, 41}));
    EXPECT_EQ(values, (std::vector<float>{1, 12, 3, 14}));
    EXPECT_EQ(part->backward, (std::vector<uint32_t>{0, 1}));
    EXPECT_TRUE(finished);
}

TEST_F(EarlyStage, IsTheSameWithoutShowing)
{
    ScheduleArrivals();
    Simulator::Run();
    EXPECT_EQ(ends, (std::vector<double>{11, 21, 31, 41}));
    EXPECT_EQ(values, (std::vector<float>{1, 12, 3, 14}));
}

TEST_F(EarlyStage, OtherStagesAndRoundsAreNotShown)
{
    Offer(MessageType::ACTIVATION, 0, 7, 2);
    header.round = 4;
    Offer(MessageType::ACTIVATION, 0, 8);
    header.round = 3;
    auto head = header;
    head.type = MessageType::ACTIVATION;
    early.Offer(head, 1, {TensorData::MakeVirtual(DType::FLOAT32, {2})});
    ScheduleArrivals();
    Simulator::Run();
    EXPECT_EQ(values, (std::vector<float>{1, 12, 3, 14}));
}

TEST_F(EarlyStage, IsGoneWithItsRunner)
{
    runner.reset();
    Offer(MessageType::ACTIVATION, 0, 1);
    EXPECT_TRUE(part->forward.empty());
}

TEST_F(EarlyStage, PassesOverWhatIsNotWhatWasSent)
{
    Offer(MessageType::ACTIVATION, 0, 1);
    Offer(MessageType::GRADIENT, 0, 3);
    ScheduleCall(Seconds(5), [this] { runner->ProvideInput(0, 0, MakeTensors(6)); });
    ScheduleCall(Seconds(15), [this] { runner->ProvideGradient(0, 0, MakeTensors(7)); });
    ScheduleArrivals();
    Simulator::Run();
    EXPECT_EQ(ends, (std::vector<double>{11, 21, 31, 41})); // none began at 5 s or 15 s
    EXPECT_EQ(values, (std::vector<float>{1, 12, 3, 14}));
    EXPECT_TRUE(finished);
}

TEST(EarlyInputs, ComputeOnAThreadBeforeArrival)
{
    Executor executor(1);
    auto strand = executor.CreateStrand();
    EarlyInputs early;
    MessageHeader header;
    std::promise<float> computed;
    const auto held = early.Register(header, 2, [&](const MessageHeader&, const TensorList& list) {
        strand->Post([&computed, list] { computed.set_value(list[0].As<float>()[0]); });
    });
    early.Offer(header, 2, MakeTensors(4));
    EXPECT_EQ(computed.get_future().get(), 4);
}

TEST(EarlyInputs, SamenessIsThatOfAllBytes)
{
    EXPECT_TRUE(AreSame(MakeTensors(1), MakeTensors(1)));
    EXPECT_FALSE(AreSame(MakeTensors(1), MakeTensors(2)));
    EXPECT_FALSE(AreSame(MakeTensors(1), {}));
    auto shaped = MakeTensors(1);
    shaped[0].shape = {1, 2};
    EXPECT_FALSE(AreSame(MakeTensors(1), shaped));
    const TensorList nothing{TensorData::MakeVirtual(DType::FLOAT32, {2})};
    EXPECT_TRUE(AreSame(nothing, nothing));
    EXPECT_FALSE(AreSame(MakeTensors(1), nothing));
}

TEST(CollapipeExecutor, UrgentJobsComeFirst)
{
    Executor executor(1);
    auto gate = executor.CreateStrand();
    auto later = executor.CreateStrand(false);
    auto urgent = executor.CreateStrand();
    std::promise<void> open;
    auto opened = open.get_future();
    std::atomic<bool> begun{false};
    std::vector<std::string> order; // written by the one thread, read when it has ended
    gate->Post([&] {
        begun = true;
        opened.wait();
    });
    while (!begun)
    {
    }
    later->Post([&] { order.emplace_back("later"); });
    urgent->Post([&] { order.emplace_back("urgent"); });
    std::promise<void> ended;
    later->Post([&] { ended.set_value(); });
    open.set_value();
    ended.get_future().wait(); // not Strand::Wait(), which would help
    EXPECT_EQ(order, (std::vector<std::string>{"urgent", "later"}));
}

TEST(CollapipeExecutor, WaitersDoNotTakeWhatIsNotUrgent)
{
    Executor executor(1);
    auto strand = executor.CreateStrand();
    auto later = executor.CreateStrand(false);
    std::promise<void> open;
    auto opened = open.get_future();
    std::atomic<bool> begun{false};
    std::atomic<bool> took{false};
    const auto ticket = strand->Post([&] {
        begun = true;
        opened.wait();
    });
    while (!begun)
    {
    }
    const auto waiter = std::this_thread::get_id();
    const auto done = later->Post([&] { took = std::this_thread::get_id() == waiter; });
    std::thread opener([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        open.set_value();
    });
    strand->Wait(ticket); // a helping waiter would run the other job meanwhile
    EXPECT_FALSE(took);
    opener.join();
    later->Wait(done);
}

} // namespace
