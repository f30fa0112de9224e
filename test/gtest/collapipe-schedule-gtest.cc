/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-executor.h"
#include "ns3/collapipe-pipeline-time.h"
#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <random>
#include <stdexcept>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

std::vector<ActionList>
Generate(const Schedule& schedule, uint32_t stages, uint32_t microBatches)
{
    std::vector<ActionList> actions;
    for (uint32_t stage = 0; stage < stages; ++stage)
    {
        actions.push_back(schedule.Generate(stages, stage, microBatches));
    }
    return actions;
}

/// Stages and links of random times
void
Draw(std::mt19937_64& random, uint32_t stages, StageTimes& times, std::vector<LinkTimes>& links)
{
    std::uniform_real_distribution<double> time(0.0, 1.0);
    times.clear();
    links.clear();
    for (uint32_t stage = 0; stage < stages; ++stage)
    {
        times.push_back({time(random), 2 * time(random)});
        if (stage > 0)
        {
            links.push_back({time(random), time(random), 0.1 * time(random), 0.1 * time(random)});
        }
    }
}

} // namespace

TEST(CollapipeSchedule, GpipeAsText)
{
    EXPECT_EQ(ToString(GpipeSchedule().Generate(3, 1, 2), 1), "1F0 1F1 1B0 1B1 1flush");
}

TEST(CollapipeSchedule, OneFOneBAsText)
{
    const OneFOneBSchedule schedule;
    EXPECT_EQ(ToString(schedule.Generate(3, 0, 4), 0), "0F0 0F1 0F2 0B0 0F3 0B1 0B2 0B3 0flush");
    EXPECT_EQ(ToString(schedule.Generate(3, 2, 2), 2), "2F0 2B0 2F1 2B1 2flush");
    EXPECT_EQ(ToString(schedule.Generate(5, 0, 2), 0), "0F0 0F1 0B0 0B1 0flush");
}

TEST(CollapipeSchedule, AllAreValidAndTextIsReadAgain)
{
    for (uint32_t stages = 1; stages <= 9; ++stages)
    {
        for (uint32_t microBatches = 1; microBatches <= 12; ++microBatches)
        {
            EXPECT_EQ(CheckSchedule(Generate(GpipeSchedule(), stages, microBatches), microBatches),
                      "");
            const auto actions = Generate(OneFOneBSchedule(), stages, microBatches);
            EXPECT_EQ(CheckSchedule(actions, microBatches), "");
            for (uint32_t stage = 0; stage < stages; ++stage)
            {
                uint32_t read = 0;
                EXPECT_EQ(ParseActions(ToString(actions[stage], stage), read), actions[stage]);
                EXPECT_EQ(read, stage);
            }
        }
    }
}

TEST(CollapipeSchedule, LiveMicroBatches)
{
    for (uint32_t stages = 1; stages <= 9; ++stages)
    {
        for (uint32_t microBatches = 1; microBatches <= 12; ++microBatches)
        {
            for (uint32_t stage = 0; stage < stages; ++stage)
            {
                EXPECT_EQ(
                    CountMicroBatchesAlive(GpipeSchedule().Generate(stages, stage, microBatches)),
                    microBatches);
                EXPECT_EQ(CountMicroBatchesAlive(
                              OneFOneBSchedule().Generate(stages, stage, microBatches)),
                          std::min(microBatches, stages - stage));
            }
        }
    }
}

TEST(CollapipeSchedule, MistakesAreNamed)
{
    const auto check = [](const std::vector<std::string>& texts, uint32_t microBatches) {
        std::vector<ActionList> actions;
        for (const auto& text : texts)
        {
            uint32_t stage = 0;
            actions.push_back(ParseActions(text, stage));
        }
        return CheckSchedule(actions, microBatches);
    };
    EXPECT_EQ(check({"0F0 0B0 0flush"}, 1), "");
    EXPECT_NE(check({"0F0 0B0"}, 1), "");
    EXPECT_NE(check({"0B0 0F0 0flush"}, 1), "");
    EXPECT_NE(check({"0F0 0F0 0B0 0flush"}, 1), "");
    EXPECT_NE(check({"0F0 0B0 0flush"}, 2), "");
    EXPECT_NE(check({"0F0 0B0 0F1 0B1 0flush", "1F0 1F1 1B0 1B1 1flush"}, 2), "");
    uint32_t stage = 0;
    for (const char* text : {"F0", "0X0", "0F", "0F-1", "0F0 1B0", "0Fx"})
    {
        EXPECT_THROW(ParseActions(text, stage), std::invalid_argument) << text;
    }
}

TEST(CollapipePipelineTime, FormulaThreeEqualsTheRecurrence)
{
    std::mt19937_64 random(3);
    for (int repeat = 0; repeat < 2000; ++repeat)
    {
        const uint32_t stages = 1 + random() % 8;
        const uint32_t microBatches = 1 + random() % 12;
        StageTimes times;
        std::vector<LinkTimes> links;
        Draw(random, stages, times, links);
        const auto timeline =
            ComputeTimeline(Generate(GpipeSchedule(), stages, microBatches), times, links);
        ASSERT_TRUE(timeline.completed);
        EXPECT_NEAR(timeline.totalS, GpipeIterationTime(times, links, microBatches), 1e-9);
    }
}

TEST(CollapipePipelineTime, OneFOneBIsBoundedByItsCriticalPaths)
{
    std::mt19937_64 random(4);
    for (int repeat = 0; repeat < 2000; ++repeat)
    {
        const uint32_t stages = 1 + random() % 8;
        const uint32_t microBatches = 1 + random() % 12;
        StageTimes times;
        std::vector<LinkTimes> links;
        Draw(random, stages, times, links);
        const auto total =
            ComputeTimeline(Generate(OneFOneBSchedule(), stages, microBatches), times, links)
                .totalS;
        // One micro-batch must pass through everything, and every stage do all of its work.
        double below = GpipeIterationTime(times, links, 1);
        double serial = below * microBatches;
        for (const auto& stage : times)
        {
            below = std::max(below, microBatches * (stage.forwardS + stage.backwardS));
        }
        EXPECT_GE(total, below - 1e-9);
        EXPECT_LE(total, serial + 1e-9);
    }
}

TEST(CollapipePipelineTime, UniformBubble)
{
    for (uint32_t stages = 1; stages <= 8; ++stages)
    {
        for (uint32_t microBatches = 1; microBatches <= 16; ++microBatches)
        {
            const StageTimes times(stages, {1.0, 2.0});
            const std::vector<LinkTimes> links(stages - 1);
            for (const auto& actions : {Generate(GpipeSchedule(), stages, microBatches),
                                        Generate(OneFOneBSchedule(), stages, microBatches)})
            {
                const double total = ComputeTimeline(actions, times, links).totalS;
                EXPECT_NEAR(1 - 3.0 * microBatches / total,
                            (stages - 1.0) / (microBatches + stages - 1.0),
                            1e-12);
            }
        }
    }
}

TEST(CollapipeExecutor, StrandsKeepTheirOrderOnAnyNumberOfThreads)
{
    for (unsigned threads = 0; threads <= 4; ++threads)
    {
        Executor executor(threads);
        std::vector<std::shared_ptr<Strand>> strands;
        std::vector<std::vector<int>> order(5);
        for (auto& sequence : order)
        {
            auto strand = executor.CreateStrand();
            for (int i = 0; i < 200; ++i)
            {
                strand->Post([&sequence, i] { sequence.push_back(i); });
            }
            strands.push_back(strand);
        }
        for (std::size_t s = 0; s < strands.size(); ++s)
        {
            strands[s]->Wait(200);
            ASSERT_EQ(order[s].size(), 200U);
            EXPECT_TRUE(std::is_sorted(order[s].begin(), order[s].end()));
        }
    }
}

TEST(CollapipeExecutor, WaitRethrowsAndLaterJobsAreSkipped)
{
    for (unsigned threads = 0; threads <= 2; ++threads)
    {
        Executor executor(threads);
        auto strand = executor.CreateStrand();
        std::atomic<bool> ran{false};
        const auto bad = strand->Post([] { throw std::runtime_error("no"); });
        const auto later = strand->Post([&ran] { ran = true; });
        EXPECT_THROW(strand->Wait(bad), std::runtime_error);
        EXPECT_THROW(strand->Wait(later), std::runtime_error);
        EXPECT_FALSE(ran);
    }
}

TEST(CollapipeExecutor, EndsWithJobsWaiting)
{
    for (unsigned threads = 0; threads <= 2; ++threads)
    {
        std::atomic<int> ran{0};
        {
            Executor executor(threads);
            auto strand = executor.CreateStrand();
            for (int i = 0; i < 100; ++i)
            {
                strand->Post([&ran] { ++ran; });
            }
        }
        EXPECT_LE(ran, 100);
    }
}
