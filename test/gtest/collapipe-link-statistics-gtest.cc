/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-pool-clock.h"
#include "ns3/collapipe-sinr-statistics.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{

TEST(SinrStatistics, AConstantChannelIsItsOwnEffectiveSinr)
{
    SinrStatistics statistics;
    for (int i = 0; i < 1000; ++i)
    {
        statistics.Add(17.5);
    }
    EXPECT_NEAR(statistics.GetEffective(), 17.5, 1e-9);
    EXPECT_LT(statistics.GetVarianceDb2(), 1e-3);
}

TEST(SinrStatistics, TheEffectiveSinrCarriesWhatTheChannelDid)
{
    std::mt19937 random(3);
    std::exponential_distribution<double> fading(1);
    SinrStatistics statistics;
    double capacity = 0;
    constexpr int REPORTS = 1000;
    for (int i = 0; i < REPORTS; ++i)
    {
        const double sinr = 20 * fading(random);
        statistics.Add(sinr);
        capacity += std::log2(1 + sinr) / REPORTS;
    }
    EXPECT_NEAR(std::log2(1 + statistics.GetEffective()), capacity, 1e-9);
}

// The variance that one sequence of reports is said to have, against that of many sequences' means
TEST(SinrStatistics, KnowsHowSurelyAFadingChannelIsKnown)
{
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    for (const double correlation : {0.0, 0.5, 0.9})
    {
        double claimed = 0;
        double sum = 0;
        double squares = 0;
        constexpr int SEQUENCES = 400;
        for (int sequence = 0; sequence < SEQUENCES; ++sequence)
        {
            SinrStatistics statistics;
            double x = normal(random);
            for (int i = 0; i < 300; ++i)
            {
                x = correlation * x + std::sqrt(1 - correlation * correlation) * normal(random);
                statistics.Add(std::exp(3 + 0.3 * x));
            }
            const double db = 10 * std::log10(statistics.GetEffective());
            sum += db / SEQUENCES;
            squares += db * db / SEQUENCES;
            claimed += statistics.GetVarianceDb2() / SEQUENCES;
        }
        // 400 sequences give their variance to some 7 %, reports theirs of the correlation to less
        EXPECT_NEAR(claimed / (squares - sum * sum), 1, 0.3) << correlation;
    }
}

TEST(GainTracker, FollowsSureReportsAtOnceAndAveragesOthers)
{
    GainTracker sure;
    sure.Observe(3, 1e-4);
    sure.Observe(-10, 1e-4);
    EXPECT_NEAR(10 * std::log10(sure.GetRatio()), -10, 0.01);

    std::mt19937 random(9);
    std::normal_distribution<double> noise(4, 3);
    GainTracker unsure;
    double squares = 0;
    constexpr int ROUNDS = 2000;
    for (int i = 0; i < ROUNDS; ++i)
    {
        unsure.Observe(noise(random), 9);
        squares += i < 20 ? 0 : std::pow(10 * std::log10(unsure.GetRatio()) - 4, 2) / ROUNDS;
    }
    // Where nothing drifts, a filter of gain K leaves K / (2 - K) of the variance; here K = 0.28
    EXPECT_NEAR(squares / (9 * 0.28 / 1.72), 1, 0.25);
}

// A fluid that serves every sender by its weight, in small steps, against the clock
TEST(PoolClock, KnowsTheShareThatRandomSendersHad)
{
    std::mt19937 random(21);
    std::uniform_real_distribution<double> weight(0.05, 1);
    std::uniform_int_distribution<int> step(0, 999);
    for (int i = 0; i < 50; ++i)
    {
        struct Sender
        {
            double weight;
            uint8_t priority;
            int begin, end;
            double reading, share;
        };

        std::vector<Sender> senders(5);
        for (auto& sender : senders)
        {
            const int one = step(random);
            const int other = step(random);
            // Every other time all are alike
            const auto priority = static_cast<uint8_t>(i % 2 == 0 ? 0 : step(random) % 3);
            sender =
                {weight(random), priority, std::min(one, other), std::max(one, other) + 1, 0, 0};
        }
        PoolClock clock;
        for (int now = 0; now <= 1000; ++now)
        {
            for (auto& sender : senders)
            {
                if (sender.end == now)
                {
                    const double ticks =
                        clock.Read(sender.priority, MilliSeconds(now)) - sender.reading;
                    EXPECT_NEAR(sender.weight * ticks, sender.share, 1e-9);
                    clock.Leave(sender.weight, sender.priority, MilliSeconds(now));
                }
            }
            for (auto& sender : senders)
            {
                if (sender.begin == now)
                {
                    clock.Join(sender.weight, sender.priority, MilliSeconds(now));
                    sender.reading = clock.Read(sender.priority, MilliSeconds(now));
                }
            }
            const auto sends = [now](const Sender& sender) {
                return sender.begin <= now && now < sender.end;
            };
            int highest = 0;
            for (const auto& sender : senders)
            {
                highest = sends(sender) ? std::max<int>(highest, sender.priority) : highest;
            }
            double weights = 0;
            for (const auto& sender : senders)
            {
                weights += sends(sender) && sender.priority == highest ? sender.weight : 0;
            }
            for (auto& sender : senders)
            {
                const bool isServed = sends(sender) && sender.priority == highest;
                sender.share += isServed ? 1e-3 * sender.weight / weights : 0;
            }
        }
    }
}

} // namespace collapipe
} // namespace ns3
