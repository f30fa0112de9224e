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
    queues.UpdateEnergy({{6, 1}}, {{2, 2}});
    EXPECT_EQ(queues.GetEnergyQueue(0, 0), 2);
    EXPECT_EQ(queues.GetEnergyQueue(0, 1), 0);
    queues.UpdateEnergy({{1, 6}}, {{2, 2}});
    EXPECT_EQ(queues.GetEnergyQueue(0, 0), 1.5);
    EXPECT_EQ(queues.GetEnergyQueue(0, 1), 2);
    queues.UpdateConvergence(0.5, 0.2);
    EXPECT_DOUBLE_EQ(queues.GetConvergenceQueue(), 1.5);
    EXPECT_DOUBLE_EQ(queues.GetLyapunov(), (2.25 + 4 + 2.25) / 2);
}

/// Budgets and energies in another unit give the same queues, and prices in that unit
TEST(VirtualQueues, AreTheSameInEveryUnit)
{
    std::mt19937_64 engine(3);
    SystemState state;
    state.clusters.resize(1);
    state.clusters[0].devices.resize(3);
    for (int trial = 0; trial < 100; ++trial)
    {
        const double unit = std::exp2(static_cast<int>(engine() % 40) - 20);
        VirtualQueues queues({4});
        VirtualQueues others({4});
        SystemState other = state;
        std::vector<double> energies;
        for (int round = 0; round < 20; ++round)
        {
            const auto draw = [&engine] {
                return 0.1 + static_cast<double>(engine() % 1000) / 100;
            };
            energies = {draw(), draw(), draw(), draw()};
            for (std::size_t k = 0; k < 4; ++k)
            {
                auto& node =
                    k == 0 ? state.clusters[0].controlUnit : state.clusters[0].devices[k - 1];
                node.energyBudgetJ = round == 0 ? draw() : node.energyBudgetJ;
                auto& same =
                    k == 0 ? other.clusters[0].controlUnit : other.clusters[0].devices[k - 1];
                same.energyBudgetJ = unit * node.energyBudgetJ;
            }
            queues.UpdateEnergy({energies}, VirtualQueues::GetBudgets(state));
            for (double& energy : energies)
            {
                energy *= unit;
            }
            others.UpdateEnergy({energies}, VirtualQueues::GetBudgets(other));
        }
        const auto prices = queues.GetEnergyPrices(state);
        const auto otherPrices = others.GetEnergyPrices(other);
        for (std::size_t k = 0; k < 4; ++k)
        {
            EXPECT_EQ(queues.GetEnergyQueue(0, k), others.GetEnergyQueue(0, k));
            EXPECT_EQ(prices[0][k], unit * otherPrices[0][k]);
        }
        VirtualQueues back;
        back.SetPrices(state, prices, queues.GetConvergencePrice(0.3), 0.3);
        for (std::size_t k = 0; k < 4; ++k)
        {
            const double queue = queues.GetEnergyQueue(0, k);
            EXPECT_NEAR(back.GetEnergyQueue(0, k), queue, 1e-12 * (1 + queue));
        }
    }
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
        EXPECT_LE(sum / rounds / budget - 1, queues.GetEnergyQueue(0, 0) / rounds + 1e-9);
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
        const double energy = queues.GetEnergyQueue(0, 0) > 10 ? demand / 6 : demand;
        sum += energy;
        queues.UpdateEnergy({{energy}}, {{2}});
        largest = std::max(largest, queues.GetEnergyQueue(0, 0));
    }
    EXPECT_LT(largest, 15);
    EXPECT_LE(sum / rounds, 2 * (1 + largest / rounds));
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
    EXPECT_DOUBLE_EQ(queues.GetEnergyQueue(0, 0) / 1000, 0.5);
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
