/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/collapipe-run-totals.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace ns3::collapipe;

namespace
{

/// @return rounds that took 2 s each, planned with these errors
std::vector<RoundRow>
MakeRounds(const std::vector<double>& errors)
{
    std::vector<RoundRow> rounds;
    for (const double error : errors)
    {
        rounds.emplace_back();
        rounds.back().latencyS = 2;
        rounds.back().plannedLatencyS = 2 * (1 + error);
    }
    return rounds;
}

} // namespace

TEST(RunTotals, PlannedErrorHasSign)
{
    const auto rounds = MakeRounds({-0.25, 0.5});
    EXPECT_DOUBLE_EQ(GetPlannedError(rounds[0]), -0.25);
    EXPECT_DOUBLE_EQ(GetPlannedError(rounds[1]), 0.5);
}

TEST(RunTotals, PlannedErrorMedianLeavesLearningOut)
{
    EXPECT_DOUBLE_EQ(GetPlannedErrorMedian(MakeRounds({9, 9, 9, 9, 9, -0.5, 0.25, 0.125})), 0.25);
    EXPECT_DOUBLE_EQ(GetPlannedErrorMedian(MakeRounds({9, 9, 9, 9, 9, -0.5, 0.25})), 0.375);
    EXPECT_DOUBLE_EQ(GetPlannedErrorMedian(MakeRounds({-0.5, 0.25, 0.25})), 0.25);
}

TEST(RunTotals, ControllersThatDoNotPredictHaveNoError)
{
    auto rounds = MakeRounds({0.25});
    rounds.front().plannedLatencyS = 0;
    EXPECT_TRUE(std::isnan(GetPlannedError(rounds.front())));
    EXPECT_TRUE(std::isnan(GetPlannedErrorMedian(rounds)));
    EXPECT_TRUE(std::isnan(GetPlannedErrorMedian({})));
}

TEST(RunTotals, FixedCostsAreNoWork)
{
    // Device 1 computes all of both rounds, half of it fixed costs; device 2 holds nothing.
    std::vector<DeviceRow> devices(5);
    std::vector<ControlNodeRow> decided(5);
    for (std::size_t i = 0; i < 4; ++i)
    {
        devices[i].round = decided[i].round = 1 + i / 2;
        devices[i].node = decided[i].node = 1 + i % 2;
        devices[i].flops = 100;
        devices[i].computeS = devices[i].node == 1 ? 2 : 0;
        decided[i].usefulFlops = devices[i].node == 1 ? 100 : 0;
    }
    // The control unit is no device.
    devices[4].round = decided[4].round = 1;
    devices[4].flops = decided[4].usefulFlops = 1e9;
    const RunTotals totals = ComputeTotals(0, MakeRounds({0, 0}), devices, decided);
    EXPECT_DOUBLE_EQ(totals.efficiencyUsed, 0.5);
    EXPECT_DOUBLE_EQ(totals.efficiencyAll, 0.25);
}

TEST(RunTotals, TimesAreInterpolatedBetweenRounds)
{
    RunTotals totals;
    totals.endS = {0, 10, 30};
    totals.validation = {4, 3, 1};
    totals.accuracy = {std::nan(""), 0.5, 0.9};
    EXPECT_DOUBLE_EQ(GetTimeToLossS(totals, 4), 0);
    EXPECT_DOUBLE_EQ(GetTimeToLossS(totals, 3.5), 5);
    EXPECT_DOUBLE_EQ(GetTimeToLossS(totals, 1.5), 25);
    EXPECT_TRUE(std::isnan(GetTimeToLossS(totals, 0.5)));
    EXPECT_TRUE(std::isnan(GetTimeToLossS(totals, std::nan(""))));
    // Before the first round it is unknown: at the latest, the first round's end
    EXPECT_DOUBLE_EQ(GetTimeToAccuracyS(totals, 0.25), 10);
    EXPECT_DOUBLE_EQ(GetTimeToAccuracyS(totals, 0.7), 20);
    EXPECT_TRUE(std::isnan(GetTimeToAccuracyS(totals, 0.95)));
}
