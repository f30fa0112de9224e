/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Plans in which control units carry the parameters of their clusters

#include "collapipe-control-random.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-replan.h"
#include "ns3/collapipe-round-solver.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/collapipe-upload-path.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

/// Controllers whose chains begin at the control units
const std::vector<std::string> PIPELINES{"dssda",
                                         "uniform-pipeline",
                                         "static-pipeline",
                                         "random",
                                         "tuned-uniform-pipeline",
                                         "tuned-static-pipeline",
                                         "slowest-first-pipeline",
                                         "single-device",
                                         "dssda-uniform-segments",
                                         "dssda-fixed-micro-batches",
                                         "dssda-equal-bandwidth",
                                         "dssda-max-power",
                                         "dssda-full-clock"};

Instance
MakeInstance(uint64_t seed, UploadRule rule = UploadRule::COLLECTED)
{
    test::RandomShape shape;
    shape.clusters = 2;
    shape.tightMemory = 0;
    test::RandomInstance random(seed);
    Instance instance = random.Make(shape);
    instance.state.training.uploadRule = rule;
    if (seed % 3 == 0)
    {
        random.AddBase(instance);
    }
    return instance;
}

RoundPlan
Decide(const std::string& name, const SystemState& state)
{
    const auto controller = CreateController(name);
    controller->AssignStreams(5);
    return controller->Decide(state);
}

TEST(UploadPath, NamesAreThoseThatAreRead)
{
    for (const auto path : {UploadPath::DIRECT, UploadPath::COLLECTED})
    {
        UploadPath read{};
        EXPECT_TRUE(ParseUploadPath(ToString(path), read));
        EXPECT_EQ(read, path);
    }
    for (const auto rule : {UploadRule::DIRECT, UploadRule::COLLECTED, UploadRule::AUTO})
    {
        UploadRule read{};
        EXPECT_TRUE(ParseUploadRule(ToString(rule), read));
        EXPECT_EQ(read, rule);
    }
    UploadPath path = UploadPath::COLLECTED;
    EXPECT_FALSE(ParseUploadPath("auto", path));
    EXPECT_EQ(path, UploadPath::COLLECTED);
}

/// The last gradients are under way when the upload begins
TEST(UploadPath, GradientsKeepWhatTheTrainingGaveThem)
{
    for (uint64_t seed = 1; seed <= 30; ++seed)
    {
        const Instance instance = MakeInstance(seed);
        const RoundPlan plan = Decide("uniform-pipeline", instance.state);
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            ClusterState cluster = instance.state.clusters[m];
            const auto count = [&](Phase phase, bool isKept) {
                const auto settings = ListSettings(cluster, phase, plan.clusters[m]);
                return std::count_if(settings.begin(), settings.end(), [&](const LinkPlan& link) {
                    const auto& all = plan.clusters[m].links;
                    const bool isNamed =
                        std::any_of(all.begin(), all.end(), [&](const LinkPlan& own) {
                            return own.phase == phase && own.from == link.from &&
                                   own.to == link.to && own.share == link.share &&
                                   own.powerW == link.powerW;
                        });
                    EXPECT_EQ(link.phase, phase);
                    EXPECT_TRUE(isNamed || GetPool(link.from, link.to) != Pool::UPLINK);
                    return isKept != isNamed;
                });
            };
            std::set<std::pair<NodeIndex, NodeIndex>> expected;
            for (const auto& link : plan.clusters[m].links)
            {
                if (link.phase == Phase::TRAINING && GetPool(link.from, link.to) != Pool::UPLINK)
                {
                    expected.insert({link.from, link.to});
                }
            }
            for (const auto& link : plan.clusters[m].links)
            {
                if (link.phase == Phase::UPLOAD)
                {
                    expected.erase({link.from, link.to});
                }
            }
            EXPECT_EQ(count(Phase::DISTRIBUTION, true), 0);
            EXPECT_EQ(count(Phase::TRAINING, true), 0);
            EXPECT_EQ(count(Phase::UPLOAD, true), static_cast<long>(expected.size()));
            EXPECT_FALSE(expected.empty());
            EXPECT_GT(count(Phase::UPLOAD, false), 0);
            for (auto& links : cluster.d2dLinks)
            {
                for (auto& link : links)
                {
                    link.relay = Relay::BASE_STATION; // there a node has one reservation for all
                }
            }
            const auto isDown = [](const auto& link) { return link.first == EDGE_SERVER; };
            EXPECT_EQ(count(Phase::UPLOAD, true),
                      std::count_if(expected.begin(), expected.end(), isDown));
        }
    }
}

/// What the devices get and give goes over the control unit's own link too, and nothing else does
TEST(UploadPath, TheControlUnitCarriesTheWhole)
{
    for (uint64_t seed = 1; seed <= 30; ++seed)
    {
        const Instance instance = MakeInstance(seed);
        const RoundPlan plan = Decide("uniform-pipeline", instance.state);
        ASSERT_EQ(CheckPlan(instance.state, plan), "");
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            ClusterPlan direct = plan.clusters[m];
            direct.path = UploadPath::DIRECT;
            for (const Phase phase : {Phase::DISTRIBUTION, Phase::UPLOAD})
            {
                const bool up = phase == Phase::UPLOAD;
                double own = 0;
                double devices = 0;
                uint32_t parts = 0;
                for (const auto& t : ListTransfers(instance.state, m, direct))
                {
                    const NodeIndex node = up ? t.from : t.to;
                    const bool counts = t.phase == phase;
                    (node == CONTROL_UNIT ? own : devices) += counts ? t.bits : 0;
                    parts += counts ? 1 : 0;
                }
                double relayed = 0;
                for (const auto& t : ListTransfers(instance.state, m, plan.clusters[m]))
                {
                    const bool whole = GetPool(t.from, t.to) != Pool::D2D;
                    if (t.phase != phase)
                    {
                        continue;
                    }
                    EXPECT_EQ(up ? t.to : t.from, whole ? EDGE_SERVER : CONTROL_UNIT);
                    EXPECT_EQ(t.leg, whole == up ? 1 : 0);
                    EXPECT_EQ(t.messages, whole ? parts : 1);
                    EXPECT_TRUE(!whole || std::abs(t.bits / (own + devices) - 1) < 1e-12);
                    relayed += whole ? 0 : t.bits;
                }
                EXPECT_NEAR(relayed, devices, 1e-9 * devices);
            }
        }
    }
}

TEST(UploadPath, EveryPipelineCanBeCollected)
{
    for (const auto& name : PIPELINES)
    {
        for (uint64_t seed = 1; seed <= 6; ++seed)
        {
            const Instance instance = MakeInstance(seed);
            const RoundPlan plan = Decide(name, instance.state);
            ASSERT_EQ(CheckPlan(instance.state, plan), "") << name << seed;
            EXPECT_EQ(plan.clusters[0].path, UploadPath::COLLECTED) << name;
            EXPECT_NEAR(plan.plannedLatencyS,
                        EvaluatePlan(instance, plan).latencyS,
                        1e-9 * plan.plannedLatencyS)
                << name << seed;
        }
    }
    for (const std::string name : {"fedavg", "splitfed", "tuned-splitfed", "hasfl", "replicated"})
    {
        const RoundPlan plan = Decide(name, MakeInstance(1).state);
        EXPECT_NE(plan.infeasible.find("no control unit collects"), std::string::npos) << name;
    }
}

TEST(UploadPath, PlansKeepToTheRule)
{
    const Instance instance = MakeInstance(1);
    RoundPlan plan = Decide("uniform-pipeline", instance.state);
    plan.clusters[1].path = UploadPath::DIRECT;
    EXPECT_EQ(CheckPlan(instance.state, plan),
              "cluster 1 has the upload path direct where collected is asked for");
    SystemState either = instance.state;
    either.training.uploadRule = UploadRule::AUTO;
    SetEqualLinks(either, plan);
    EXPECT_EQ(CheckPlan(either, plan), "");
    // Whoever begins a chain elsewhere has nobody to collect its parameters
    SystemState direct = instance.state;
    direct.training.uploadRule = UploadRule::DIRECT;
    RoundPlan apart = Decide("fedavg", direct);
    ASSERT_EQ(apart.infeasible, "");
    apart.clusters[0].path = UploadPath::COLLECTED;
    EXPECT_NE(CheckPlan(either, apart).find("must then be the first stage"), std::string::npos);
}

TEST(UploadPath, PlansSurviveTheRoundTrip)
{
    for (uint64_t seed = 1; seed <= 10; ++seed)
    {
        const Instance instance = MakeInstance(seed);
        const RoundPlan plan = Decide("dssda", instance.state);
        ASSERT_EQ(plan.infeasible, "");
        const std::string text = FormatPlanJson(instance, plan, {});
        RoundPlan read;
        ASSERT_EQ(ParsePlanJson(text, instance.state, read), "");
        EXPECT_EQ(FormatPlanJson(instance, read, {}), text);
        std::string wrong = text;
        const std::string path = "\"collected\"";
        wrong.replace(wrong.find(path), path.size(), "\"by mail\"");
        EXPECT_EQ(ParsePlanJson(wrong, instance.state, read),
                  "clusters[0].uploadPath must be \"direct\" or \"collected\"");
    }
}

/// With two clusters, the best of the four ways to distribute the paths
TEST(UploadPath, OpenPathsAreTheBest)
{
    RoundSolver solver;
    uint32_t mixed = 0;
    uint32_t collected = 0;
    for (uint64_t seed = 1; seed <= 24; ++seed)
    {
        Instance instance = MakeInstance(seed, UploadRule::AUTO);
        const RoundSolution solution = solver.Solve(instance);
        ASSERT_EQ(CheckPlan(instance.state, solution.plan), "") << seed;
        const auto& clusters = solution.plan.clusters;
        mixed += clusters[0].path != clusters[1].path ? 1 : 0;
        collected += clusters[0].path == UploadPath::COLLECTED ? 1 : 0;
        const double most = solution.evaluation.objective - 2e-6 * solution.evaluation.latencyTerm;
        for (const UploadRule rule : {UploadRule::DIRECT, UploadRule::COLLECTED})
        {
            instance.state.training.uploadRule = rule;
            EXPECT_GE(solver.Solve(instance).evaluation.objective, most) << seed;
        }
        instance.state.training.uploadRule = UploadRule::AUTO;
        for (const SolverOptions& fewer :
             {SolverOptions{false, true, {true, true}}, SolverOptions{true, true, {false, true}}})
        {
            const RoundSolution other = solver.Solve(instance, fewer);
            EXPECT_TRUE(!other.plan.infeasible.empty() || other.evaluation.objective >= most)
                << seed;
        }
    }
    EXPECT_GT(mixed, 0U);
    EXPECT_GT(collected, 3U);
    EXPECT_LT(collected, 21U);
}

/// With many clusters no plan is worse than with one path for all, or than a plan at hand
TEST(UploadPath, OpenPathsAreNoWorseThanOneForAll)
{
    RoundSolver solver;
    for (const uint32_t clusters : {3U, 4U, 6U})
    {
        test::RandomShape shape;
        shape.clusters = clusters;
        shape.tightMemory = 0;
        Instance instance = test::RandomInstance(70 + clusters).Make(shape);
        double least = std::numeric_limits<double>::infinity();
        RoundPlan known;
        for (const UploadRule rule : {UploadRule::DIRECT, UploadRule::COLLECTED})
        {
            instance.state.training.uploadRule = rule;
            const RoundSolution solution = solver.Solve(instance);
            known = solution.evaluation.objective < least ? solution.plan : known;
            least = std::min(least, solution.evaluation.objective);
        }
        instance.state.training.uploadRule = UploadRule::AUTO;
        for (const bool isKnown : {false, true})
        {
            const RoundPlan* plan = isKnown ? &known : nullptr;
            const RoundSolution open = solver.Solve(instance, SolverOptions(), plan);
            EXPECT_LE(open.evaluation.objective, least + 2e-6 * open.evaluation.latencyTerm)
                << clusters;
        }
    }
}

/// A cluster that loses a device goes on as it had begun
TEST(UploadPath, ReplanningKeepsThePath)
{
    for (const UploadPath path : {UploadPath::DIRECT, UploadPath::COLLECTED})
    {
        Instance instance = MakeInstance(2, UploadRule::AUTO);
        instance.state.clusters[0].path = path;
        const RoundPlan plan = Decide("uniform-pipeline", instance.state);
        ASSERT_EQ(CheckPlan(instance.state, plan), "");
        ClusterPlan next = plan.clusters[0];
        ASSERT_EQ(ReplanCluster(instance.state, plan, 0, {2}, next), "");
        EXPECT_EQ(next.path, path);
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
