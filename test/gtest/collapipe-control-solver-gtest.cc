/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-radio-allocator.h"
#include "ns3/collapipe-round-solver.h"

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <tuple>

namespace ns3
{
namespace collapipe
{
namespace
{

test::RandomShape
MakeShape(int number)
{
    test::RandomShape shape;
    shape.clusters = number % 4 == 0 ? 2 : 1;
    shape.devices = 2 + number % 4;
    shape.blocks = 3 + number % 6;
    shape.microBatches = 1 + number % 4;
    shape.dedicated = true;
    shape.schedule = number % 5 == 4 ? "1f1b" : "gpipe";
    return shape;
}

Instance
MakeInstance(int number)
{
    return test::RandomInstance(static_cast<uint64_t>(number + 1)).Make(MakeShape(number));
}

/// The constraints of (11) again, independently of CheckPlan()
void
ExpectConstraints(const Instance& instance, const RoundPlan& plan, int number)
{
    const SystemState& state = instance.state;
    const ModelProfile& model = state.model;
    ASSERT_EQ(plan.clusters.size(), state.clusters.size()) << number;
    std::map<std::tuple<int, std::size_t, Phase>, double> sums;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        ASSERT_EQ(plan.clusters[m].chains.size(), 1U) << number;
        const ChainPlan& chain = plan.clusters[m].chains[0];
        const auto& pairs = state.training.allowedPairs;
        EXPECT_TRUE(std::any_of(pairs.begin(), pairs.end(), [&](const MicroBatchPair& pair) {
            return pair.count == chain.microBatches && pair.size == chain.microBatchSize;
        })) << number;
        uint32_t blocks = 0;
        std::set<NodeIndex> nodes;
        const std::size_t stages = chain.stages.size();
        for (std::size_t s = 0; s < stages; ++s)
        {
            const StagePlan& stage = chain.stages[s];
            EXPECT_TRUE(nodes.insert(stage.node).second) << number;
            EXPECT_EQ(stage.firstBlock, blocks) << number;
            blocks = stage.lastBlock;
            if (stage.GetBlocks() > 0)
            {
                uint32_t live = chain.microBatches;
                live = plan.schedule == "1f1b" ? std::min<uint32_t>(live, stages - s) : live;
                const double bytes = stage.GetBlocks() *
                                     (model.weightCopies * model.blockParameterBits / 8 +
                                      live * chain.microBatchSize * model.activationBytesPerBlock);
                const auto& device = state.clusters[m].devices.at(stage.node - 1);
                EXPECT_LE(bytes, device.memoryBytes * (1 + 1e-9)) << number;
            }
        }
        EXPECT_EQ(blocks, model.blocks) << number;
        for (const auto& link : plan.clusters[m].links)
        {
            const int pool = link.to == EDGE_SERVER ? 0 : link.from == EDGE_SERVER ? 1 : 2;
            const PoolState& medium = pool == 0   ? state.uplink
                                      : pool == 1 ? state.downlink
                                                  : state.clusters[m].d2d;
            if (medium.mode != SharingMode::DEDICATED)
            {
                EXPECT_GT(link.share, 0) << number;
                EXPECT_GT(link.powerW, 0) << number;
                sums[{pool, pool == 2 ? m : 0, link.phase}] += link.share;
            }
        }
    }
    for (const auto& sum : sums)
    {
        EXPECT_LE(sum.second, 1 + 1e-9) << number;
    }
}

void
ExpectDescent(const RoundSolution& solution, int number)
{
    const double rounding = 1e-9 * solution.evaluation.latencyTerm;
    for (std::size_t s = 1; s < solution.history.size(); ++s)
    {
        EXPECT_LE(solution.history[s], solution.history[s - 1] + rounding) << number;
    }
    ASSERT_FALSE(solution.history.empty()) << number;
    EXPECT_NEAR(solution.history.back(), solution.evaluation.objective, rounding) << number;
}

TEST(ControlSolver, PlansSatisfyEveryConstraintAndTheObjectiveNeverRises)
{
    RoundSolver solver;
    int feasible = 0;
    const int instances = 2000;
    for (int i = 0; i < instances; ++i)
    {
        const Instance instance = MakeInstance(i);
        const RoundSolution solution = solver.Solve(instance);
        if (!solution.plan.infeasible.empty())
        {
            continue;
        }
        ++feasible;
        EXPECT_EQ(CheckPlan(instance.state, solution.plan), "") << i;
        ExpectConstraints(instance, solution.plan, i);
        ExpectDescent(solution, i);
        EXPECT_NEAR(solution.plan.plannedLatencyS, solution.evaluation.latencyS, 1e-12) << i;
    }
    EXPECT_GT(feasible, instances / 2);
    EXPECT_LT(feasible, instances * 19 / 20);
}

TEST(ControlSolver, OneInstanceGivesOnePlan)
{
    RoundSolver reused;
    for (int i = 0; i < 150; ++i)
    {
        const Instance instance = MakeInstance(i);
        const SolverReport report;
        RoundSolver fresh;
        const std::string first = FormatPlanJson(instance, reused.Solve(instance).plan, report);
        EXPECT_EQ(first, FormatPlanJson(instance, fresh.Solve(instance).plan, report)) << i;
    }
}

/// Units of time, data, energy, work and memory that are 2^k of the usual ones
class Units
{
  public:
    explicit Units(test::RandomInstance& random)
        : m_time(std::exp2(random.Count(0, 12)) / 64),
          m_bit(std::exp2(random.Count(0, 12)) / 64),
          m_joule(std::exp2(random.Count(0, 12)) / 64),
          m_work(std::exp2(random.Count(0, 12)) / 64),
          m_byte(std::exp2(random.Count(0, 12)) / 64)
    {
    }

    /// The same instance, in these units; (13) is left as it is
    Instance Convert(Instance instance) const
    {
        SystemState& state = instance.state;
        ConvertModel(state.model);
        state.edge.flops *= m_work / m_time;
        state.edge.overheadS *= m_time;
        for (PoolState* pool : {&state.uplink, &state.downlink})
        {
            pool->bandwidthHz /= m_time;
        }
        for (auto& cluster : state.clusters)
        {
            cluster.d2d.bandwidthHz /= m_time;
            Convert(cluster.controlUnit);
            for (auto& device : cluster.devices)
            {
                Convert(device);
            }
            for (auto& row : cluster.d2dLinks)
            {
                for (auto& link : row)
                {
                    Convert(link);
                }
            }
        }
        for (auto& queues : instance.energyPrices)
        {
            for (double& queue : queues)
            {
                queue /= m_joule;
            }
        }
        instance.penaltyWeight /= m_time;
        return instance;
    }

  private:
    void ConvertModel(ModelProfile& model) const
    {
        model.blockForwardFlops *= m_work;
        model.embeddingForwardFlops *= m_work;
        model.decoderForwardFlops *= m_work;
        model.activationBits *= m_bit;
        model.targetBits *= m_bit;
        model.blockParameterBits *= m_bit;
        model.embeddingParameterBits *= m_bit;
        model.weightCopies *= m_byte / m_bit;
        model.activationBytesPerBlock *= m_byte;
    }

    void Convert(DeviceState& device) const
    {
        device.flops *= m_work / m_time;
        device.overheadS *= m_time;
        device.memoryBytes *= m_byte;
        device.computePowerW *= m_joule / m_time;
        device.energyBudgetJ *= m_joule;
        Convert(device.uplink);
        Convert(device.downlink);
    }

    void Convert(LinkState& link) const
    {
        link.efficiency *= m_bit;
        link.noiseDensityWPerHz *= m_joule;
        link.maxPowerW *= m_joule / m_time;
        link.latencyS *= m_time;
        link.overheadBits *= m_bit;
        link.overheadS *= m_time;
        link.fixedRateBps *= m_bit / m_time;
    }

    double m_time;  //!< new seconds per second
    double m_bit;   //!< new bits per bit
    double m_joule; //!< new joules per joule
    double m_work;  //!< new operations per operation
    double m_byte;  //!< new bytes per byte
};

TEST(ControlSolver, ConsistentUnitsChangeNothing)
{
    RoundSolver solver;
    for (int i = 0; i < 400; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 77));
        const Instance instance = MakeInstance(i);
        const RoundSolution usual = solver.Solve(instance);
        const RoundSolution other = solver.Solve(Units(random).Convert(instance));
        ASSERT_EQ(usual.plan.infeasible.empty(), other.plan.infeasible.empty()) << i;
        if (!usual.plan.infeasible.empty())
        {
            continue;
        }
        EXPECT_NEAR(usual.evaluation.objective,
                    other.evaluation.objective,
                    1e-6 * usual.evaluation.latencyTerm)
            << i;
        for (std::size_t m = 0; m < usual.choice.size(); ++m)
        {
            ASSERT_EQ(usual.choice[m].segments.size(), other.choice[m].segments.size()) << i;
            EXPECT_EQ(usual.choice[m].pair.count, other.choice[m].pair.count) << i;
            for (std::size_t s = 0; s < usual.choice[m].segments.size(); ++s)
            {
                EXPECT_EQ(usual.choice[m].segments[s].node, other.choice[m].segments[s].node);
                EXPECT_EQ(usual.choice[m].segments[s].blocks, other.choice[m].segments[s].blocks);
            }
        }
    }
}

/// All chains of at most three devices
void
Enumerate(std::vector<Segment>& chain,
          NodeIndex devices,
          uint32_t left,
          const std::function<void()>& visit)
{
    if (left == 0)
    {
        visit();
        return;
    }
    for (NodeIndex node = 1; node <= devices; ++node)
    {
        if (std::none_of(chain.begin(), chain.end(), [&](auto& s) { return s.node == node; }))
        {
            for (uint32_t l = 1; l <= left; ++l)
            {
                chain.push_back({node, l});
                Enumerate(chain, devices, left - l, visit);
                chain.pop_back();
            }
        }
    }
}

TEST(ControlSolver, IsWithinOnePercentOfEnumeration)
{
    RoundSolver solver;
    RadioAllocator allocator;
    RadioProblem problem;
    int compared = 0;
    int off = 0;
    for (int i = 0; i < 120; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 5000));
        test::RandomShape shape = MakeShape(i);
        shape.clusters = 1;
        shape.devices = 3;
        shape.blocks = 5;
        shape.microBatches = 2;
        const Instance instance = random.Make(shape);
        const RoundSolution solution = solver.Solve(instance);
        double best = std::numeric_limits<double>::infinity();
        double scale = 0;
        RoundChoice choice(1);
        for (const auto& pair : instance.state.training.allowedPairs)
        {
            choice[0] = {{}, pair};
            Enumerate(choice[0].segments, 3, 5, [&]() {
                if (FitsMemory(instance.state, 0, choice[0]))
                {
                    BuildRadioProblem(instance, choice, RadioFreedom(), problem);
                    const double value = allocator.Solve(problem, 1e-7, best).objective;
                    scale = value < best ? value - problem.constant : scale;
                    best = std::min(best, value);
                }
            });
        }
        ASSERT_EQ(solution.plan.infeasible.empty(), std::isfinite(best)) << i;
        if (std::isfinite(best))
        {
            ++compared;
            const double excess = (solution.evaluation.objective - best) / std::abs(best);
            off += excess > 0.01 ? 1 : 0;
            EXPECT_LE(excess, 0.03) << i;
        }
    }
    EXPECT_GT(compared, 60);
    EXPECT_LE(off, compared / 100);
}

TEST(ControlSolver, InfeasibilityNamesTheConstraint)
{
    Instance instance = MakeInstance(1);
    for (auto& device : instance.state.clusters[0].devices)
    {
        device.memoryBytes = 1;
    }
    RoundSolver solver;
    EXPECT_NE(solver.Solve(instance).plan.infeasible.find("memory"), std::string::npos);
    instance = MakeInstance(1);
    instance.state.clusters[0].devices.clear();
    EXPECT_NE(solver.Solve(instance).plan.infeasible.find("no devices"), std::string::npos);
    instance = MakeInstance(1);
    instance.state.clusters[0].controlUnit.uplink.gain = 0;
    instance.state.uplink.mode = SharingMode::AIRTIME;
    EXPECT_NE(solver.Solve(instance).plan.infeasible.find("links"), std::string::npos);
}

TEST(ControlSolver, DeadLinksAreAvoided)
{
    RoundSolver solver;
    for (int i = 0; i < 200; ++i)
    {
        Instance instance = MakeInstance(4 * i + 1);
        auto& cluster = instance.state.clusters[0];
        if (cluster.d2d.mode == SharingMode::DEDICATED)
        {
            continue;
        }
        cluster.d2dLinks[0][1].gain = 0;
        cluster.d2dLinks[2][1].gain = 0;
        const RoundSolution solution = solver.Solve(instance);
        if (solution.plan.infeasible.empty())
        {
            const auto& segments = solution.choice[0].segments;
            EXPECT_NE(segments[0].node, 1) << i;
            EXPECT_TRUE(std::isfinite(solution.evaluation.objective)) << i;
        }
    }
}

TEST(ControlSolver, LargeInstancesGetValidPlans)
{
    RoundSolver solver;
    for (int i = 0; i < 12; ++i)
    {
        test::RandomInstance random(static_cast<uint64_t>(i + 1));
        test::RandomShape shape;
        shape.clusters = 1 + i % 4;
        shape.devices = 8 + i;
        shape.blocks = 12 + 3 * i;
        shape.schedule = i % 3 == 2 ? "1f1b" : "gpipe";
        const Instance instance = random.Make(shape);
        const RoundSolution solution = solver.Solve(instance);
        if (solution.plan.infeasible.empty())
        {
            EXPECT_EQ(CheckPlan(instance.state, solution.plan), "") << i;
            ExpectConstraints(instance, solution.plan, i);
        }
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
