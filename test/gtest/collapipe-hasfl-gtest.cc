/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// HASFL-like plans against SplitFed's, and against all ways to split and cut in small systems.

#include "collapipe-control-makers.h"

#include "ns3/boolean.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-side-by-side.h"
#include "ns3/collapipe-split-choice.h"
#include "ns3/double.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using test::MakeController;
using test::MakeState;
using test::SetSharing;

/// @return samples of an iteration in a cluster
uint32_t
CountSamples(const ClusterPlan& plan)
{
    uint32_t samples = 0;
    for (const auto& chain : plan.chains)
    {
        samples += chain.microBatches * chain.microBatchSize;
    }
    return samples;
}

/// @return (4) of one chain of the first cluster, the edge server as slow as with all: its
/// distribution, and what follows
std::pair<double, double>
GetAloneS(const SystemState& state, const RoundPlan& even, const ChainPlan& chain)
{
    RoundPlan plan = even;
    plan.clusters[0].chains = {chain};
    const double slowdown = GetEdgeSlowdown(state.edge, even.clusters[0].chains.size());
    Instance instance;
    instance.state = state;
    instance.state.edge.workers = 1;
    instance.state.edge.flops /= slowdown;
    instance.state.edge.overheadS *= slowdown;
    const auto cluster = EvaluatePlan(instance, plan).clusters[0];
    return {cluster.distributionS, cluster.totalS - cluster.distributionS};
}

/// Every way to deal units to devices and to cut every device's model
class AllSplits
{
  public:
    AllSplits(const SystemState& state, const RoundPlan& even)
        : m_state(state),
          m_even(even)
    {
    }

    /**
     * @param count micro-batches of everybody; 0: as many as samples
     * @param units to be dealt
     * @return the shortest longest time of a device's chain alone
     */
    double Search(uint32_t count, uint32_t units)
    {
        m_count = count;
        m_leastS = std::numeric_limits<double>::infinity();
        Try(0, units, {0, 0});
        return m_leastS;
    }

  private:
    void Try(std::size_t device, uint32_t left, const std::pair<double, double>& slowestS)
    {
        const auto& chains = m_even.clusters[0].chains;
        if (device == chains.size())
        {
            const double timeS = slowestS.first + slowestS.second; // all wait for the parameters
            m_leastS = left == 0 ? std::min(m_leastS, timeS) : m_leastS;
            return;
        }
        for (uint32_t units = 1; units <= left; ++units)
        {
            ChainPlan chain = chains[device];
            chain.microBatches = m_count > 0 ? m_count : units;
            chain.microBatchSize = m_count > 0 ? units : 1;
            for (uint32_t cut = 1; cut <= m_state.model.blocks; ++cut)
            {
                chain.stages[0].lastBlock = chain.stages[1].firstBlock = cut;
                const auto ownS = GetAloneS(m_state, m_even, chain);
                Try(device + 1,
                    left - units,
                    {std::max(slowestS.first, ownS.first), std::max(slowestS.second, ownS.second)});
            }
        }
    }

    const SystemState& m_state; //!< the system
    const RoundPlan& m_even;    //!< SplitFed's plan
    uint32_t m_count{0};        //!< micro-batches of everybody; 0: as many as samples
    double m_leastS{0};         //!< so far
};

} // namespace

TEST(Hasfl, IsNeverPlannedWorseThanOneCutForAll)
{
    for (const auto sharing : {Sharing::RESERVED, Sharing::WORK_CONSERVING})
    {
        uint32_t better = 0;
        for (uint64_t seed = 1; seed <= 30; ++seed)
        {
            SystemState state = MakeState(seed);
            SetSharing(state, sharing);
            const RoundPlan one = MakeController("tuned-splitfed")->Decide(state);
            const RoundPlan own = MakeController("hasfl")->Decide(state);
            ASSERT_EQ(CheckPlan(state, own), "") << seed;
            EXPECT_LE(own.plannedLatencyS, one.plannedLatencyS) << seed;
            better += own.plannedLatencyS < 0.95 * one.plannedLatencyS ? 1 : 0;
        }
        EXPECT_GT(better, 10U); // devices differ: a cut and samples for each are worth something
    }
}

TEST(Hasfl, SplitsAndCutsAsTheBestOfAllWays)
{
    uint32_t compared = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed)
    {
        test::RandomShape shape;
        shape.clusters = 1;
        shape.devices = 2 + seed % 2;
        shape.tightMemory = 0;
        SystemState state = test::RandomInstance(seed).Make(shape).state;
        SetSharing(state, Sharing::RESERVED);
        state.model.blocks = 3;
        state.training.fixedPair = {2, 3};
        state.training.allowedPairs = {{2, 3}};
        const RoundPlan even = MakeSplitFedPlan(state, 1, false);
        ASSERT_EQ(even.infeasible, "");
        AllSplits all(state, even);
        const double bestS = std::min(all.Search(2, 3), all.Search(0, 6));
        const auto chains = SplitChoice(state, even, false).Choose(0, 6, true);
        ASSERT_FALSE(chains.empty());
        double distributionS = 0;
        double restS = 0;
        for (const auto& chain : chains)
        {
            const auto ownS = GetAloneS(state, even, chain);
            distributionS = std::max(distributionS, ownS.first);
            restS = std::max(restS, ownS.second);
        }
        EXPECT_NEAR(distributionS + restS, bestS, 1e-9 * bestS) << seed;
        ++compared;
    }
    EXPECT_EQ(compared, 40U);
}

TEST(Hasfl, ASlowDeviceGetsLessToDo)
{
    SystemState state = MakeState(1, 1);
    auto& devices = state.clusters[0].devices;
    state.training.fixedPair = {4, 8};
    state.training.allowedPairs = {{4, 8}};
    std::fill(devices.begin() + 1, devices.end(), devices.front());
    devices[1].flops /= 50;
    devices[1].overheadS *= 50;
    const RoundPlan plan = MakeController("hasfl")->Decide(state);
    ASSERT_EQ(plan.infeasible, "");
    EXPECT_EQ(CountSamples(plan.clusters[0]), 32U);
    const auto load = [&](NodeIndex node) {
        for (const auto& chain : plan.clusters[0].chains)
        {
            if (chain.stages.front().node == node)
            {
                return chain.microBatches * chain.microBatchSize * chain.stages.front().GetBlocks();
            }
        }
        return 0U;
    };
    EXPECT_LT(load(2), load(1));
}

TEST(Hasfl, SamplesGoByTheBound)
{
    SystemState state = MakeState(5, 1);
    state.training.fixedPair = {4, 4};
    state.training.allowedPairs = {{2, 2}, {4, 4}, {4, 8}, {8, 8}};
    state.learning = {1e-3, 10, 1, 0};
    // Where the slowest device has little to train and much to upload, others' samples cost no time
    state.model.blockParameterBits *= 1e-6;
    state.model.embeddingParameterBits *= 1e-6;
    const auto decide = [&state](double target) {
        const Ptr<Controller> controller = MakeController("hasfl");
        controller->SetAttribute("ConvergenceTarget", DoubleValue(target));
        return CountSamples(controller->Decide(state).clusters[0]);
    };
    Instance instance;
    instance.state = state;
    const RoundPlan plan = MakeController("hasfl")->Decide(state);
    EXPECT_EQ(CountSamples(plan.clusters[0]), 16U); // no target: those of the fixed pair
    const double phi = EvaluatePlan(instance, plan).phi;
    ASSERT_GT(phi, 0);
    // Noise that hardly matters is paid with few samples, noise that blocks the way with many
    EXPECT_EQ(decide(1e6 * phi), 4U);
    EXPECT_EQ(decide(1e-6 * phi), 64U);
    uint32_t before = 64;
    for (double target = 0.13 * phi; target < 100 * phi; target *= 2)
    {
        const uint32_t samples = decide(target);
        EXPECT_LE(samples, before) << target / phi;
        before = samples;
    }
    EXPECT_LT(before, 64U);
}

TEST(Hasfl, KeepsToMemoryUnlessTold)
{
    SystemState state = MakeState(2, 1);
    state.clusters[0].devices[0].memoryBytes = 1;
    const Ptr<Controller> controller = MakeController("hasfl");
    EXPECT_NE(controller->Decide(state).infeasible, "");
    controller->SetAttribute("EnforceMemory", BooleanValue(false));
    EXPECT_EQ(CheckPlan(state, controller->Decide(state)), "");
}

} // namespace collapipe
} // namespace ns3
