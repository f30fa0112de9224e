/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The laws of the virtual queues (12)

#include "ns3/collapipe-virtual-queues.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace test
{
namespace
{

TEST(VirtualQueues, FollowFormula12)
{
    VirtualQueues queues({2});
    queues.UpdateEnergy({{5, 1}}, {{3, 2}});
    EXPECT_EQ(queues.GetEnergyQueue(0, 0), 2);
    EXPECT_EQ(queues.GetEnergyQueue(0, 1), 0);
    queues.UpdateEnergy({{2, 4}}, {{3, 2}});
    EXPECT_EQ(queues.GetEnergyQueue(0, 0), 1);
    EXPECT_EQ(queues.GetEnergyQueue(0, 1), 2);
    queues.UpdateConvergence(0.5, 0.2);
    EXPECT_DOUBLE_EQ(queues.GetConvergenceQueue(), 0.3);
    EXPECT_DOUBLE_EQ(queues.GetLyapunov(), (1 + 4 + 0.09) / 2);
}

TEST(VirtualQueues, IgnoreWhatIsNotMeasuredOrNotLimited)
{
    VirtualQueues queues({3});
    queues.UpdateEnergy({{std::nan(""), 7}}, {{1, 0, 1}});
    queues.UpdateConvergence(1, 0);
    EXPECT_EQ(queues.GetLyapunov(), 0);
    EXPECT_EQ(queues.GetEnergyQueue(4, 4), 0);
}

TEST(VirtualQueues, FitKeepsQueuesOfNodesThatStay)
{
    SystemState state;
    state.clusters.resize(1);
    state.clusters[0].devices.resize(1);
    VirtualQueues queues;
    queues.Reset(state);
    queues.Set({{1, 2}}, 3);
    state.clusters[0].devices.resize(2);
    queues.Fit(state);
    EXPECT_EQ(queues.GetEnergyQueue(0, 1), 2);
    EXPECT_EQ(queues.GetEnergyQueue(0, 2), 0);
    queues.Reset(state);
    EXPECT_EQ(queues.GetLyapunov(), 0);
}

/// The excess of the time average is at most Q(T) / T, whatever the energies
TEST(VirtualQueues, BoundTheExcessOfTheAverage)
{
    std::mt19937_64 engine(1);
    for (int trial = 0; trial < 200; ++trial)
    {
        VirtualQueues queues({1});
        const double budget = 1 + static_cast<double>(engine() % 100) / 50;
        double sum = 0;
        const int rounds = 1 + static_cast<int>(engine() % 300);
        for (int t = 0; t < rounds; ++t)
        {
            const double energy = static_cast<double>(engine() % 400) / 100;
            sum += energy;
            queues.UpdateEnergy({{energy}}, {{budget}});
        }
        EXPECT_LE(sum / rounds - budget, queues.GetEnergyQueue(0, 0) / rounds + 1e-9);
    }
}

/// A policy that reacts to its queue is mean-rate stable, and then the constraint is met
TEST(VirtualQueues, StableQueueMeansConstraintMet)
{
    std::mt19937_64 engine(2);
    VirtualQueues queues({1});
    double sum = 0;
    const int rounds = 100000;
    double largest = 0;
    for (int t = 0; t < rounds; ++t)
    {
        // demand 3 on average, 0.5 when saving; budget 2
        const double demand = static_cast<double>(engine() % 600) / 100;
        const double energy = queues.GetEnergyQueue(0, 0) > 20 ? demand / 6 : demand;
        sum += energy;
        queues.UpdateEnergy({{energy}}, {{2}});
        largest = std::max(largest, queues.GetEnergyQueue(0, 0));
    }
    EXPECT_LT(largest, 30);
    EXPECT_LE(sum / rounds, 2 + largest / rounds);
    EXPECT_GT(sum / rounds, 1.9);
}

/// Without a reaction the queue grows like T, and the constraint is broken by its slope
TEST(VirtualQueues, UnstableQueueMeansConstraintBroken)
{
    VirtualQueues queues({1});
    for (int t = 0; t < 1000; ++t)
    {
        queues.UpdateEnergy({{3}}, {{2}});
    }
    EXPECT_DOUBLE_EQ(queues.GetEnergyQueue(0, 0) / 1000, 1);
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
