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

/// Queues that belong to `factor` times the V of a run
std::vector<double>
Scale(std::vector<double> queues, double factor)
{
    for (double& queue : queues)
    {
        queue *= factor;
    }
    return queues;
}

void
ExpectConstraintsMet(const LongRunResult& r, uint32_t rounds)
{
    for (std::size_t node = 0; node < r.energyJ.size(); ++node)
    {
        const double most = r.budgetJ[node] * (1 + r.finalQueue[node] / rounds);
        EXPECT_LE(r.energyJ[node], most * (1 + 1e-9)) << node;
        EXPECT_LE(r.energyJ[node], 1.02 * r.budgetJ[node]) << node;
    }
    EXPECT_LE(r.phi, 1.02 * r.phiTarget);
}

TEST(LongRun, MeetsEveryConstraintOnAverage)
{
    ExpectConstraintsMet(LongRun(1).Run(0.2, 800), 800);
    ExpectConstraintsMet(LongRun(2, true).Run(1, 8000), 8000);
}

TEST(LongRun, QueuesGrowAndLatencyFallsWithV)
{
    const uint32_t rounds = 160;
    const LongRunResult small = LongRun(1).Run(0.1, rounds);
    const LongRunResult middle = LongRun(1).Run(0.4, rounds, Scale(small.meanQueues, 4));
    const LongRunResult large = LongRun(1).Run(1.6, rounds, Scale(middle.meanQueues, 4));
    EXPECT_LT(middle.settledLatencyS, 0.95 * small.settledLatencyS);
    EXPECT_LT(large.settledLatencyS, 0.97 * middle.settledLatencyS);
    EXPECT_GT(large.queue, 2 * middle.queue);
    EXPECT_LT(large.queue, 6 * middle.queue);
}

/**
 * The gap is c / V and queues are q V + d: with every doubling of V the latency falls half as much
 * as with the doubling before, and queues grow twice as much. Terms of higher order in 1 / V, and
 * the noise of the average, are what the tolerance is for.
 */
TEST(LongRun, GapFallsAsOneOverVAndQueuesGrowAsV)
{
    std::vector<double> latencies;
    std::vector<double> queues;
    std::vector<double> start;
    for (const double v : {0.125, 0.25, 0.5, 1.0})
    {
        const LongRunResult r = LongRun(1, true).Run(v, 8000, start);
        latencies.push_back(r.settledLatencyS);
        queues.push_back(r.queue);
        start = Scale(r.meanQueues, 2);
    }
    for (std::size_t i = 0; i + 2 < latencies.size(); ++i)
    {
        const double fall = latencies[i] - latencies[i + 1];
        EXPECT_GT(fall, 0) << i;
        EXPECT_NEAR((latencies[i + 1] - latencies[i + 2]) / fall, 0.5, 0.1) << i;
        const double growth = (queues[i + 2] - queues[i + 1]) / (queues[i + 1] - queues[i]);
        EXPECT_NEAR(growth, 2, 0.1) << i;
    }
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
