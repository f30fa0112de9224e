/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-chain-order.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-plan-prices.h"
#include "ns3/collapipe-segment-planner.h"

#include <functional>
#include <gtest/gtest.h>
#include <set>
#include <tuple>

namespace ns3
{
namespace collapipe
{
namespace
{

using Visit = std::function<void(const std::vector<Segment>&)>;

/// All chains of distinct devices and positive blocks that sum to `left`
void
Enumerate(std::vector<Segment>& chain, std::size_t devices, uint32_t left, const Visit& visit)
{
    if (left == 0)
    {
        visit(chain);
        return;
    }
    for (std::size_t k = 0; k < devices; ++k)
    {
        const auto node = static_cast<NodeIndex>(k + 1);
        const auto same = [&](const Segment& s) { return s.node == node; };
        if (std::any_of(chain.begin(), chain.end(), same))
        {
            continue;
        }
        for (uint32_t l = 1; l <= left; ++l)
        {
            chain.push_back({node, l});
            Enumerate(chain, devices, left - l, visit);
            chain.pop_back();
        }
    }
}

bool
IsIncreasing(const std::vector<Segment>& chain)
{
    for (std::size_t s = 1; s < chain.size(); ++s)
    {
        if (chain[s].node < chain[s - 1].node)
        {
            return false;
        }
    }
    return true;
}

bool
Fits(const ClusterCosts& costs, const std::vector<Segment>& chain)
{
    uint32_t first = 0;
    for (std::size_t s = 0; s < chain.size(); ++s)
    {
        if (chain[s].blocks > costs.GetMemoryBlocks(chain[s].node - 1, chain.size() - s, first))
        {
            return false;
        }
        first += chain[s].blocks;
    }
    return true;
}

/// The sum that the dynamic programme minimises where no bottleneck binds
double
GetSum(const ClusterCosts& costs, const std::vector<Segment>& chain)
{
    double sum = 0;
    std::size_t from = 0;
    uint32_t first = 0;
    for (const auto& segment : chain)
    {
        const uint32_t last = first + segment.blocks;
        sum += costs.GetDeviceCost(segment.node - 1, segment.blocks);
        sum +=
            costs.GetBaseCost(segment.node - 1, last) - costs.GetBaseCost(segment.node - 1, first);
        first = last;
        sum += costs.GetHopCost(from, segment.node, ClusterCosts::NO_LIMIT);
        from = segment.node;
    }
    return sum + costs.GetHopCost(from, costs.GetDevices() + 1, ClusterCosts::NO_LIMIT);
}

ClusterCosts
MakeCosts(const Instance& instance, const MicroBatchPair& pair)
{
    const auto prices = GuessPrices(instance, 0, pair, 2, RadioFreedom());
    return {instance, 0, pair, prices, 1};
}

/// Schedule, and whether frozen weights are sent and first blocks take less memory
class ControlPlanner : public ::testing::TestWithParam<std::tuple<const char*, bool>>
{
  protected:
    /// @return a random instance of the parameters' kind
    static Instance Make(test::RandomInstance& random, test::RandomShape shape)
    {
        shape.schedule = std::get<0>(GetParam());
        Instance instance = random.Make(shape);
        if (std::get<1>(GetParam()))
        {
            random.AddBase(instance);
        }
        return instance;
    }
};

TEST_P(ControlPlanner, FindsTheLeastSumOfAllChains)
{
    SegmentPlanner planner;
    for (int i = 0; i < 150; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.devices = 2 + i % 3;
        shape.blocks = 5;
        const Instance instance = Make(random, shape);
        const ClusterCosts costs = MakeCosts(instance, {4, 1});
        double least = ClusterCosts::NO_LIMIT;
        std::vector<Segment> chain;
        Enumerate(chain, shape.devices, shape.blocks, [&](const std::vector<Segment>& segments) {
            least = Fits(costs, segments) ? std::min(least, GetSum(costs, segments)) : least;
        });
        double found = ClusterCosts::NO_LIMIT;
        for (const auto& rated : planner.Plan(costs, {}))
        {
            EXPECT_TRUE(Fits(costs, rated.segments)) << i;
            found = std::min(found, GetSum(costs, rated.segments));
        }
        EXPECT_EQ(std::isfinite(found), std::isfinite(least)) << i;
        if (std::isfinite(least))
        {
            EXPECT_NEAR(found, least, 1e-9 * least) << i;
        }
    }
}

TEST_P(ControlPlanner, FindsTheLeastSumAlongAnOrder)
{
    SegmentPlanner planner;
    const std::size_t devices = SegmentPlanner::SUBSET_DEVICES + 1;
    std::vector<std::size_t> order;
    for (std::size_t k = 0; k < devices; ++k)
    {
        order.push_back(k);
    }
    for (int i = 0; i < 30; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.devices = devices;
        shape.blocks = 4;
        const Instance instance = Make(random, shape);
        const ClusterCosts costs = MakeCosts(instance, {4, 1});
        double least = ClusterCosts::NO_LIMIT;
        std::vector<Segment> chain;
        Enumerate(chain, devices, shape.blocks, [&](const std::vector<Segment>& segments) {
            const bool counts = IsIncreasing(segments) && Fits(costs, segments);
            least = counts ? std::min(least, GetSum(costs, segments)) : least;
        });
        double found = ClusterCosts::NO_LIMIT;
        for (const auto& rated : planner.Plan(costs, order))
        {
            EXPECT_TRUE(Fits(costs, rated.segments) && IsIncreasing(rated.segments)) << i;
            found = std::min(found, GetSum(costs, rated.segments));
        }
        if (std::isfinite(least))
        {
            EXPECT_NEAR(found, least, 1e-9 * least) << i;
        }
    }
}

TEST_P(ControlPlanner, LargestChainHoldsAsMuchAsAnyChain)
{
    for (int i = 0; i < 200; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.devices = 2 + i % 3;
        shape.blocks = 5;
        shape.tightMemory = 1;
        const Instance instance = Make(random, shape);
        const MicroBatchPair pair{4, 2 * random.Count(1, 8)};
        const ClusterCosts costs = MakeCosts(instance, pair);
        bool any = false;
        std::vector<Segment> chain;
        Enumerate(chain, shape.devices, shape.blocks, [&](const std::vector<Segment>& segments) {
            any = any || Fits(costs, segments);
        });
        EXPECT_EQ(IsPairFeasible(instance.state, 0, pair), any) << i;
        if (any)
        {
            const ClusterChoice choice{CutLargestChain(instance.state, 0, pair), pair};
            EXPECT_TRUE(FitsMemory(instance.state, 0, choice)) << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Schedules,
                         ControlPlanner,
                         ::testing::Combine(::testing::Values("gpipe", "1f1b"), ::testing::Bool()));

TEST(ControlPlannerOrder, OrderHoldsEveryDeviceOnceAndKeepsTheChain)
{
    for (int i = 0; i < 50; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.devices = 9;
        const Instance instance = random.Make(shape);
        const ClusterCosts costs = MakeCosts(instance, {2, 2});
        const std::vector<Segment> chain{{7, 3}, {2, 4}, {5, 1}};
        const auto order = MakeChainOrder(costs, chain);
        EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 9U);
        EXPECT_EQ(order.size(), 9U);
        const auto at = [&](std::size_t k) {
            return std::find(order.begin(), order.end(), k) - order.begin();
        };
        EXPECT_TRUE(at(6) < at(1) && at(1) < at(4));
    }
}

TEST(ControlPlannerOrder, NeighboursAreValidChains)
{
    test::RandomInstance random(3);
    test::RandomShape shape;
    shape.devices = 5;
    shape.tightMemory = 0;
    const Instance instance = random.Make(shape);
    const ClusterCosts costs = MakeCosts(instance, {2, 2});
    const auto neighbours = ListNeighbours(costs, {{4, 3}, {2, 4}, {5, 1}});
    EXPECT_GT(neighbours.size(), 30U);
    for (const auto& segments : neighbours)
    {
        std::set<NodeIndex> nodes;
        uint32_t blocks = 0;
        for (const auto& segment : segments)
        {
            EXPECT_GT(segment.blocks, 0U);
            nodes.insert(segment.node);
            blocks += segment.blocks;
        }
        EXPECT_EQ(nodes.size(), segments.size());
        EXPECT_EQ(blocks, 8U);
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
