/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// DSSDA against the judge on a sample of the instances of bench/judge.cc

#include "collapipe-judge-comparison.h"

#include <gtest/gtest.h>
#include <iostream>

namespace ns3
{
namespace collapipe
{
namespace judge
{
namespace
{

TEST(DssdaJudge, IsWithinThreePercentOnASample)
{
    constexpr uint64_t SAMPLE = 30;
    ComparisonSummary summary;
    for (uint64_t i = 0; i < SAMPLE; ++i)
    {
        summary.Add(Compare(17 * i));
    }
    summary.Print(std::cout);
    EXPECT_EQ(summary.CountMistakes(), 0u);
    EXPECT_GE(summary.CountWithin(0.01) + 1, summary.CountWithin(1e9));
    EXPECT_EQ(summary.CountWithin(0.03), summary.CountWithin(1e9));
}

TEST(DssdaJudge, IsWithinThreePercentWhereFrozenWeightsTravel)
{
    constexpr uint64_t SAMPLE = 20;
    ComparisonSummary summary;
    for (uint64_t i = 0; i < SAMPLE; ++i)
    {
        summary.Add(Compare(17 * i + 5, true));
    }
    summary.Print(std::cout);
    EXPECT_EQ(summary.CountMistakes(), 0u);
    EXPECT_GE(summary.CountWithin(0.01) + 1, summary.CountWithin(1e9));
    EXPECT_EQ(summary.CountWithin(0.03), summary.CountWithin(1e9));
}

TEST(DssdaJudge, IsWithinThreePercentWhereControlUnitsCollect)
{
    constexpr uint64_t SAMPLE = 20;
    ComparisonSummary summary;
    for (uint64_t i = 0; i < SAMPLE; ++i)
    {
        summary.Add(Compare(17 * i + 11, i % 4 == 0, UploadRule::COLLECTED));
    }
    summary.Print(std::cout);
    EXPECT_EQ(summary.CountMistakes(), 0u);
    EXPECT_GE(summary.CountWithin(0.01) + 1, summary.CountWithin(1e9));
    EXPECT_EQ(summary.CountWithin(0.03), summary.CountWithin(1e9));
}

} // namespace
} // namespace judge
} // namespace collapipe
} // namespace ns3
