/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-dssda-controller.h"
#include "ns3/collapipe-exec-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/nstime.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

using Json = nlohmann::json;

Instance
MakeInstance(uint64_t seed, bool dedicated)
{
    test::RandomShape shape;
    shape.clusters = 2;
    shape.devices = 3;
    shape.dedicated = dedicated;
    return test::RandomInstance(seed).Make(shape);
}

/// @return DSSDA's plan for an instance, as JSON on one line
Json
MakePlan(const Instance& instance)
{
    const auto controller = CreateObject<DssdaController>();
    const auto plan = controller->Decide(instance.state);
    EXPECT_EQ(plan.infeasible, "");
    return Json::parse(FormatPlanJson(instance, plan, {}));
}

/// A file that goes when the test ends
class ScratchFile
{
  public:
    explicit ScratchFile(const std::string& text)
        : m_path(testing::TempDir() + "collapipe-exec-" + std::to_string(getpid()))
    {
        std::ofstream(m_path) << text;
    }

    ~ScratchFile()
    {
        std::remove(m_path.c_str());
    }

    const std::string m_path; //!< where it is
};

/// @return what a program's answer to a state comes to
RoundPlan
Decide(const std::string& command, const SystemState& state, double timeoutS = 20)
{
    const auto controller = CreateController("exec:" + command);
    controller->SetAttribute("Timeout", TimeValue(Seconds(timeoutS)));
    return controller->Decide(state);
}

/// @return whether this process has a child, be it one that has ended and nobody waited for
bool
HasChildren()
{
    return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

TEST(ExecController, PlansSurviveTheRoundTrip)
{
    for (uint64_t seed = 1; seed <= 20; ++seed)
    {
        const auto instance = MakeInstance(seed, seed % 2 == 0);
        const auto controller = CreateObject<DssdaController>();
        const auto plan = controller->Decide(instance.state);
        if (!plan.infeasible.empty())
        {
            continue;
        }
        const auto text = FormatPlanJson(instance, plan, {});
        RoundPlan read;
        ASSERT_EQ(ParsePlanJson(text, instance.state, read), "") << text;
        EXPECT_EQ(FormatPlanJson(instance, read, {}), text);
    }
}

TEST(ExecController, AProgramDecides)
{
    const auto instance = MakeInstance(2, true);
    const auto plan = MakePlan(instance);
    const ScratchFile file(plan.dump() + "\n");
    // It reads a line, and answers with the plan; a second one comes from the same process.
    const auto controller =
        CreateController("exec:sh -c 'while read line; do cat " + file.m_path + "; done'");
    for (int round = 1; round <= 3; ++round)
    {
        const auto answer = controller->Decide(instance.state);
        ASSERT_EQ(answer.infeasible, "");
        EXPECT_EQ(answer.clusters.size(), instance.state.clusters.size());
        EXPECT_DOUBLE_EQ(answer.plannedLatencyS, plan["latencyS"].get<double>());
    }
}

TEST(ExecController, ItGetsTheInstance)
{
    const auto instance = MakeInstance(3, true);
    const ScratchFile file("");
    const auto plan = Decide("tee " + file.m_path, instance.state); // its answer is the question
    EXPECT_NE(plan.infeasible.find("gave no plan that can be used"), std::string::npos);
    std::ifstream stream(file.m_path);
    std::string line;
    std::getline(stream, line);
    Instance read;
    ASSERT_EQ(ParseInstanceJson(line, read), "");
    EXPECT_EQ(read.state.model.blocks, instance.state.model.blocks);
    EXPECT_EQ(read.energyPrices.size(), instance.state.clusters.size());
    const auto dssda = CreateObject<DssdaController>();
    dssda->Decide(instance.state);
    EXPECT_GT(read.penaltyWeight, 0);
    EXPECT_DOUBLE_EQ(read.penaltyWeight, dssda->GetPenaltyWeight()); // V is no other where it asks
}

TEST(ExecController, QueuesMoveWithWhatIsMeasured)
{
    auto instance = MakeInstance(2, true);
    for (auto& cluster : instance.state.clusters)
    {
        cluster.devices[0].energyBudgetJ = 1;
    }
    const ScratchFile file(MakePlan(instance).dump() + "\n");
    const auto controller = DynamicCast<ExecController>(
        CreateController("exec:sh -c 'while read line; do cat " + file.m_path + "; done'"));
    ASSERT_EQ(controller->Decide(instance.state).infeasible, "");
    RoundMeasurement measurement;
    measurement.deviceEnergyJ.assign(2, std::vector<double>(4, 3));
    controller->Observe(measurement);
    EXPECT_DOUBLE_EQ(controller->GetQueues().GetEnergyQueue(0, 1), 2);
}

TEST(ExecController, WhatGoesWrongIsSaidInOneSentence)
{
    const auto instance = MakeInstance(2, true);
    auto plan = MakePlan(instance);
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "without an answer"},
        {"/no/such/program", "there is no such command"},
        {"sh -c 'exit 3'", "ended with status 3 without an answer"},
        {"sh -c 'read line; exit 3'", "ended with status 3 without an answer"},
        {"sh -c 'read line; kill -9 $$'", "was ended by signal 9"},
        {"sh -c 'read line; exec >&-; sleep 5'", "closed its output"},
        {"sh -c 'read line; echo nonsense'", "gave no plan that can be used"},
        {"sh -c 'read line; echo'", "gave no plan that can be used"},
        {"sh -c 'read line; echo []'", "must be an object"},
        {"sh -c 'read line; echo {}'", "clusters is missing"},
        {"head -c 300000000 /dev/zero", "MiB"},
    };
    for (const auto& [command, reason] : cases)
    {
        const auto answer = Decide(command, instance.state);
        EXPECT_NE(answer.infeasible.find(reason), std::string::npos)
            << command << ": " << answer.infeasible;
        EXPECT_EQ(answer.infeasible.find('\n'), std::string::npos) << command;
        EXPECT_TRUE(answer.clusters.empty()) << command;
        EXPECT_FALSE(HasChildren()) << command;
    }
}

TEST(ExecController, WhoIsSilentIsNotWaitedForAndReaped)
{
    const auto instance = MakeInstance(2, true);
    const auto start = std::chrono::steady_clock::now();
    const auto answer =
        Decide("sh -c 'trap \"\" TERM; sleep 60 & wait; sleep 60'", instance.state, 0.2);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    EXPECT_NE(answer.infeasible.find("did not answer within 0.2"), std::string::npos)
        << answer.infeasible;
    EXPECT_LT(time.count(), 20);
    EXPECT_FALSE(HasChildren());
}

TEST(ExecController, PlansAreCheckedLikeAnyOther)
{
    const auto instance = MakeInstance(2, true);
    const auto good = MakePlan(instance);
    const std::vector<std::pair<std::string, Json>> changes{
        {"/clusters/0/chains/0/stages/1/firstBlock", 1},
        {"/clusters/0/chains/0/stages/1/node", 77},
        {"/clusters/0/chains/0/stages/1/node", "nobody"},
        {"/clusters/0/chains/0/microBatches", 0},
        {"/clusters/0/chains/0/microBatches", 4e9},
        {"/clusters/0/chains/0/microBatches", 123},
        {"/clusters/0/chains/0/microBatchSize", -1},
        {"/clusters/0/chains", Json::array()},
        {"/clusters", Json::array()},
        {"/localIterations", 0},
        {"/localIterations", 2e9},
        {"/schedule", "no-such"},
        {"/schedule", "ns3::Object"},
        {"/latencyS", "soon"},
    };
    for (const auto& [pointer, value] : changes)
    {
        Json plan = good;
        plan[Json::json_pointer(pointer)] = value;
        RoundPlan read;
        EXPECT_NE(ParsePlanJson(plan.dump(), instance.state, read), "") << pointer << value;
    }
}

TEST(ExecController, LinksAndPredictionMayBeLeftOut)
{
    auto instance = MakeInstance(2, false);
    for (auto& cluster : instance.state.clusters)
    {
        for (auto& device : cluster.devices)
        {
            device.memoryBytes = 1e15; // whatever the draw: there is a plan
        }
    }
    auto json = MakePlan(instance);
    for (auto& cluster : json["clusters"])
    {
        cluster.erase("links");
    }
    json.erase("latencyS");
    RoundPlan plan;
    ASSERT_EQ(ParsePlanJson(json.dump(), instance.state, plan), "");
    EXPECT_FALSE(plan.clusters[0].links.empty());
    EXPECT_GT(plan.plannedLatencyS, 0);
}

} // namespace
} // namespace collapipe
} // namespace ns3
