/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"
#include "collapipe-random-schedule.h"

#include "ns3/collapipe-baseline-controllers.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-memory-limits.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-round-solver.h"
#include "ns3/collapipe-side-by-side-controllers.h"
#include "ns3/collapipe-task-graph.h"
#include "ns3/collapipe-uniform-pipeline-controller.h"
#include "ns3/config.h"
#include "ns3/uinteger.h"

#include <gtest/gtest.h>

namespace ns3
{
namespace collapipe
{
namespace test
{

NS_OBJECT_ENSURE_REGISTERED(RandomSchedule);

} // namespace test

namespace
{

constexpr double CLOSE = 1e-9; //!< relative, where only rounding differs

const std::string RANDOM = "ns3::collapipe::test::RandomSchedule";

void
SetSeed(uint32_t seed)
{
    Config::SetDefault(RANDOM + "::Seed", UintegerValue(seed));
}

std::vector<ActionList>
GenerateAll(const Schedule& schedule, std::size_t stages, uint32_t microBatches)
{
    std::vector<ActionList> actions;
    for (uint32_t s = 0; s < stages; ++s)
    {
        actions.push_back(schedule.Generate(static_cast<uint32_t>(stages), s, microBatches));
    }
    return actions;
}

IterationTimes
DrawTimes(test::RandomInstance& random, bool targets)
{
    IterationTimes times;
    times.microBatches = random.Count(1, 9);
    times.targetS = targets ? random.Log(0.01, 2) : 0;
    times.targetLatencyS = targets ? random.Uniform(0, 2) : 0;
    const uint32_t stages = random.Count(1, 7);
    for (uint32_t s = 0; s < stages; ++s)
    {
        times.hops.push_back({random.Log(0.1, 3),
                              random.Log(0.1, 3),
                              random.Log(0.05, 3),
                              random.Log(0.05, 3),
                              random.Uniform(0, 0.5),
                              random.Uniform(0, 0.5)});
    }
    return times;
}

double
GetLengthS(const CriticalPath& path, const IterationTimes& times)
{
    double length = path.targets * times.targetS + (path.targets > 0 ? times.targetLatencyS : 0);
    for (std::size_t s = 0; s < times.hops.size(); ++s)
    {
        const HopTimes& hop = times.hops[s];
        const HopCounts& count = path.hops[s];
        length += count.forward * hop.forwardS + count.backward * hop.backwardS +
                  count.linkForward * hop.linkForwardS + count.linkBackward * hop.linkBackwardS +
                  count.latencyForward * hop.latencyForwardS +
                  count.latencyBackward * hop.latencyBackwardS;
    }
    return length;
}

/// Any schedule: time, longest path and micro-batches alive against a simulation by hand
TEST(TaskGraph, EqualsTheReferenceForAnySchedule)
{
    test::RandomInstance random(1);
    for (uint32_t i = 0; i < 1500; ++i)
    {
        SetSeed(i + 1);
        const IterationTimes times = DrawTimes(random, i % 2 == 0);
        const auto stages = static_cast<uint32_t>(times.hops.size());
        for (const std::string& name : {RANDOM, std::string("gpipe"), std::string("1f1b")})
        {
            const Ptr<const Schedule> schedule = GetSchedule(name);
            const auto actions = GenerateAll(*schedule, stages, times.microBatches);
            ASSERT_EQ(CheckSchedule(actions, times.microBatches), "") << name << i;
            const double expected = test::ScheduleReference(actions, times).Run();
            EXPECT_NEAR(TaskGraph(actions).GetTimeS(times), expected, CLOSE * expected);
            EXPECT_NEAR(schedule->GetIterationTimeS(times), expected, CLOSE * expected) << name;
            const CriticalPath path = schedule->GetCriticalPath(times);
            EXPECT_NEAR(path.lengthS, expected, CLOSE * expected) << name;
            EXPECT_NEAR(GetLengthS(path, times), expected, CLOSE * expected) << name;
            for (uint32_t s = 0; s < stages; ++s)
            {
                EXPECT_EQ(schedule->GetLiveMicroBatches(stages, s, times.microBatches),
                          test::ScheduleReference::CountAlive(actions[s]))
                    << name;
            }
        }
    }
}

/// What the schedules that offer more than the graph say of themselves
TEST(TaskGraph, OffersAreTrue)
{
    for (const std::string name : {"gpipe", "1f1b"})
    {
        const Ptr<const Schedule> schedule = GetSchedule(name);
        for (uint32_t stages = 1; stages <= 7; ++stages)
        {
            for (uint32_t n = 1; n <= 9; ++n)
            {
                EXPECT_EQ(CheckSchedule(GenerateAll(*schedule, stages, n), n), "");
                EXPECT_EQ(schedule->Check(stages, n), "");
                ASSERT_TRUE(schedule->IsLiveFromEnd());
                for (uint32_t s = 1; s < stages; ++s)
                {
                    EXPECT_EQ(schedule->GetLiveMicroBatches(stages, s, n),
                              schedule->GetLiveMicroBatches(stages + 3, s + 3, n));
                    EXPECT_LE(schedule->GetLiveMicroBatches(stages, s, n),
                              schedule->GetLiveMicroBatches(stages, s - 1, n));
                }
            }
        }
    }
}

TEST(TaskGraph, DeadlocksAndBadListsAreNamed)
{
    uint32_t stage = 0;
    const std::vector<ActionList> deadlock{ParseActions("0F0 0B0 0F1 0B1 0flush", stage),
                                           ParseActions("1F0 1F1 1B0 1B1 1flush", stage)};
    EXPECT_FALSE(TaskGraph(deadlock).IsComplete());
    EXPECT_NE(CheckSchedule(deadlock, 2), "");
}

/// A schedule that cannot run: each stage waits for what comes after
class StuckSchedule : public Schedule
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::collapipe::test::StuckSchedule")
                                .SetParent<Schedule>()
                                .AddConstructor<StuckSchedule>();
        return tid;
    }

    ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const override
    {
        // First forward and backward of each in turn, but at the last stage all forward first
        ActionList actions;
        const bool last = stage + 1 == stages;
        for (uint32_t i = 0; i < microBatches; ++i)
        {
            actions.push_back({Action::FORWARD, i});
            if (!last)
            {
                actions.push_back({Action::BACKWARD, i});
            }
        }
        for (uint32_t i = 0; i < microBatches && last; ++i)
        {
            actions.push_back({Action::BACKWARD, i});
        }
        actions.push_back({Action::FLUSH, 0});
        return actions;
    }
};

NS_OBJECT_ENSURE_REGISTERED(StuckSchedule);

RoundPlan
Decide(Controller& controller, const SystemState& state)
{
    return controller.Decide(state);
}

TEST(TaskGraph, PlannersRefuseWhatCannotRun)
{
    test::RandomInstance random(5);
    test::RandomShape shape;
    shape.tightMemory = 0;
    Instance instance = random.Make(shape);
    instance.state.training.schedule = "ns3::collapipe::test::StuckSchedule";
    instance.state.training.allowedPairs = {{2, 2}, {4, 1}};
    instance.state.training.fixedPair = {2, 8};
    RoundSolver solver;
    EXPECT_NE(solver.Solve(instance).plan.infeasible.find("wait for each other"),
              std::string::npos);
    const auto uniform = CreateObject<UniformPipelineController>();
    const auto split = CreateObject<SplitFedController>();
    const auto whole = CreateObject<RandomController>();
    for (Controller* controller : {static_cast<Controller*>(PeekPointer(uniform)),
                                   static_cast<Controller*>(PeekPointer(split)),
                                   static_cast<Controller*>(PeekPointer(whole))})
    {
        EXPECT_NE(Decide(*controller, instance.state).infeasible.find("wait for each other"),
                  std::string::npos);
    }
    // With one micro-batch it can run
    instance.state.training.allowedPairs = {{1, 4}, {2, 2}};
    const RoundSolution solution = solver.Solve(instance);
    ASSERT_EQ(solution.plan.infeasible, "");
    EXPECT_EQ(solution.choice[0].pair.count, 1U);
}

/// A plan's time and memory against those of the schedule's own actions
void
ExpectExact(const Instance& instance, const RoundPlan& plan, const std::string& who)
{
    EXPECT_EQ(CheckPlan(instance.state, plan), "") << who;
    const Evaluation evaluation = EvaluatePlan(instance, plan);
    const Ptr<const Schedule> schedule = GetSchedule(plan.schedule);
    const ModelProfile& model = instance.state.model;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        const ChainPlan& chain = plan.clusters[m].chains.front();
        const std::size_t stages = chain.stages.size();
        const auto actions = GenerateAll(*schedule, stages, chain.microBatches);
        const ClusterEvaluation& own = evaluation.clusters[m];
        IterationTimes times;
        times.microBatches = chain.microBatches;
        const double slowdown = GetEdgeSlowdown(instance.state.edge, plan.clusters.size());
        for (std::size_t s = 0; s < stages; ++s)
        {
            times.hops.push_back(
                GetStageTimes(instance.state, m, chain, chain.stages[s], slowdown));
            for (const auto& link : own.links)
            {
                if (link.phase != Phase::TRAINING || s + 1 == stages)
                {
                    continue;
                }
                if (link.from == chain.stages[s].node && link.to == chain.stages[s + 1].node)
                {
                    times.hops[s].linkForwardS = link.occupationS;
                    times.hops[s].latencyForwardS = link.latencyS;
                }
                if (link.to == chain.stages[s].node && link.from == chain.stages[s + 1].node)
                {
                    times.hops[s].linkBackwardS = link.occupationS;
                    times.hops[s].latencyBackwardS = link.latencyS;
                }
                if (link.from == CONTROL_UNIT && link.to == EDGE_SERVER && stages > 2)
                {
                    times.targetS = link.occupationS;
                    times.targetLatencyS = link.latencyS;
                }
            }
            if (s > 0 && s + 1 < stages)
            {
                const double live = test::ScheduleReference::CountAlive(actions[s]);
                const double bytes = chain.stages[s].GetBlocks() *
                                     (model.weightCopies * model.blockParameterBits / 8 +
                                      live * chain.microBatchSize * model.activationBytesPerBlock);
                const NodeIndex node = chain.stages[s].node;
                EXPECT_NEAR(own.nodes[node].memoryBytes, bytes, CLOSE * bytes) << who;
                EXPECT_LE(bytes,
                          instance.state.clusters[m].devices[node - 1].memoryBytes * (1 + 1e-9))
                    << who;
            }
        }
        const double expected = test::ScheduleReference(actions, times).Run();
        EXPECT_NEAR(own.iterationS, expected, CLOSE * expected) << who;
    }
}

/// 1,000 schedules of a user's: planned with their exact time and memory, by every controller
TEST(TaskGraph, AUsersScheduleIsPlannedExactly)
{
    RoundSolver solver;
    uint32_t planned = 0;
    for (uint32_t i = 0; i < 1000; ++i)
    {
        SetSeed(i + 1);
        test::RandomInstance random(i + 40);
        test::RandomShape shape;
        shape.clusters = 1 + i % 2;
        shape.devices = i % 100 == 0 ? 7 : 1 + i % 3;
        shape.blocks = 3 + i % 3;
        shape.microBatches = 1 + i % 4;
        shape.schedule = RANDOM;
        const Instance instance = random.Make(shape);
        const RoundSolution solution = solver.Solve(instance);
        bool fits = false;
        for (const auto& pair : instance.state.training.allowedPairs)
        {
            bool all = true;
            for (std::size_t m = 0; m < instance.state.clusters.size(); ++m)
            {
                all = all && IsPairFeasible(instance.state, m, pair);
            }
            fits = fits || all;
        }
        if (fits)
        {
            EXPECT_EQ(solution.plan.infeasible, "") << i;
        }
        if (solution.plan.infeasible.empty())
        {
            ++planned;
            ExpectExact(instance, solution.plan, "dssda " + std::to_string(i));
        }
        const auto fixed = CreateObject<StaticPipelineController>();
        const RoundPlan plan = fixed->Decide(instance.state);
        if (plan.infeasible.empty())
        {
            ExpectExact(instance, plan, "static-pipeline " + std::to_string(i));
        }
    }
    EXPECT_GT(planned, 600U);
}

/// The TypeId plans as the short name does
TEST(TaskGraph, ATypeIdIsPlannedLikeItsShortName)
{
    RoundSolver solver;
    for (uint64_t seed = 1; seed <= 40; ++seed)
    {
        test::RandomInstance random(seed);
        test::RandomShape shape;
        shape.schedule = "1f1b";
        Instance instance = random.Make(shape);
        const RoundSolution brief = solver.Solve(instance);
        instance.state.training.schedule = "ns3::collapipe::OneFOneBSchedule";
        const RoundSolution full = solver.Solve(instance);
        ASSERT_EQ(brief.plan.infeasible.empty(), full.plan.infeasible.empty());
        EXPECT_EQ(brief.evaluation.objective, full.evaluation.objective) << seed;
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
