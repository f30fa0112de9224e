/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// DSSDA over many rounds of the model alone: constraints on average, and the trade between latency
// and queues; bench/tradeoff.cc is the long version

#include "collapipe-longrun.h"

#include <gtest/gtest.h>

namespace ns3
{
namespace collapipe
{
namespace test
{
namespace
{

TEST(LongRun, MeetsEveryConstraintOnAverage)
{
    const uint32_t rounds = 2000;
    const LongRunResult r = LongRun(1).Run(16, rounds);
    for (std::size_t node = 0; node < r.energyJ.size(); ++node)
    {
        EXPECT_LE(r.energyJ[node], r.budgetJ[node] + r.finalQueueJ[node] / rounds + 1e-9) << node;
        EXPECT_LE(r.energyJ[node], 1.02 * r.budgetJ[node]) << node;
    }
    EXPECT_LE(r.phi, 1.02 * r.phiTarget);
}

TEST(LongRun, QueuesGrowAndLatencyFallsWithV)
{
    const uint32_t rounds = 1000;
    const LongRunResult small = LongRun(1).Run(8, rounds);
    const LongRunResult middle = LongRun(1).Run(32, rounds);
    const LongRunResult large = LongRun(1).Run(128, rounds);
    EXPECT_LT(middle.settledLatencyS, 0.95 * small.settledLatencyS);
    EXPECT_LT(large.settledLatencyS, 0.97 * middle.settledLatencyS);
    EXPECT_GT(large.queue, 2 * middle.queue);
    EXPECT_LT(large.queue, 6 * middle.queue);
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
