/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Nodes that compute at a part of their clock: time and energy as planned, on processors, in
// messages and in whole runs.

#include "collapipe-test-run.h"

#include "ns3/collapipe-clock-states.h"
#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-node-energy.h"
#include "ns3/double.h"
#include "ns3/test.h"

#include <cmath>
#include <random>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr double POWER_W = 5;

/**
 * @ingroup collapipe-tests
 * Pieces of work at clocks that change: each takes 1 / phi as long as at the full clock, with
 * s + (1 - s) phi^3 of the power, both by the clock at which it began.
 */
class WorkTestCase : public TestCase
{
  public:
    /// @param staticPart s
    explicit WorkTestCase(double staticPart)
        : TestCase("work at changing clocks, static part " + std::to_string(staticPart)),
          m_staticPart(staticPart)
    {
    }

  private:
    void DoRun() override
    {
        const auto node = CreateObject<Node>();
        const auto processor = CreateObject<Processor>();
        processor->SetAttribute("Overhead", TimeValue(MilliSeconds(2)));
        processor->SetAttribute("Workers", UintegerValue(2));
        processor->SetAttribute("StaticPart", DoubleValue(m_staticPart));
        NodeEnergy energy(node, processor, POWER_W, 0);
        std::mt19937_64 random(7);
        std::uniform_real_distribution<> draw(0.1, 1);
        double expectedS = 0;
        double expectedJ = 0;
        for (int piece = 0; piece < 100; ++piece)
        {
            const double clock = piece % 5 == 0 ? 1 : draw(random);
            const double flops = 1e8 * draw(random);
            // One at a time or two that overlap, and the clock changes while they run
            ScheduleCall(Seconds(0.6 * piece),
                         [this, processor, clock, flops, &expectedS, &expectedJ] {
                             processor->SetClock(clock);
                             processor->Run(
                                 flops,
                                 [] {},
                                 [] {});
                             const double tookS = (2e-3 + flops / 1e9) / clock;
                             expectedS += tookS;
                             expectedJ +=
                                 POWER_W * tookS *
                                 (m_staticPart + (1 - m_staticPart) * clock * clock * clock);
                         });
        }
        Simulator::Stop(Seconds(100));
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ_TOL(processor->GetBusyTime().GetSeconds(), expectedS, 1e-6, "time");
        NS_TEST_EXPECT_MSG_EQ_TOL(POWER_W * processor->GetFullPowerS(), expectedJ, 1e-6, "energy");
        NS_TEST_EXPECT_MSG_EQ_TOL(energy.Read().computeJ, expectedJ, 1e-6, "as metered");
        NS_TEST_EXPECT_MSG_EQ_TOL(energy.GetDrawnJ(), expectedJ, 1e-5 * expectedJ, "of the source");
        Simulator::Destroy();
    }

    double m_staticPart; //!< s
};

/**
 * @ingroup collapipe-tests
 * A run whose plan has clocks: every node computes for as long as planned, with the energy that is
 * planned.
 */
class RunTestCase : public TestCase
{
  public:
    RunTestCase()
        : TestCase("a round takes the time and the energy that its clocks say")
    {
    }

  private:
    void DoRun() override
    {
        TestRunConfig config;
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.segments = {{2, 1}, {1, 1, 1}};
        config.microBatches = {3, 2};
        config.iterations = 2;
        config.rounds = 2;
        config.notesGradients = false;
        config.profiles = {{"cu", 1e8, 1e-3, 1e12, POWER_W, 23},
                           {"device", 3e7, 2e-3, 1e12, POWER_W, 23}};
        for (auto& profile : config.profiles)
        {
            profile.clocks = {0.3, 0.6, 0.85};
            profile.staticPart = 0.25;
        }
        const std::vector<double> clocks{0.6, 0.3, 0.85, 1};
        RoundPlan plan;
        config.adaptPlan = [&](RoundPlan& decided) {
            for (auto& cluster : decided.clusters)
            {
                for (auto& stage : cluster.chains[0].stages)
                {
                    stage.clock = stage.node == EDGE_SERVER ? 1 : clocks[stage.node % 4];
                }
            }
            plan = decided;
        };
        TestRun run(config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        Check(run, plan, config.rounds);
    }

    void Check(const TestRun& run, const RoundPlan& plan, uint32_t rounds)
    {
        Instance instance;
        instance.state = run.GetApplications().loops[0]->GetSystemState();
        NS_TEST_ASSERT_MSG_EQ(instance.state.clusters[0].devices[0].clocks.size(), 3, "reported");
        NS_TEST_ASSERT_MSG_EQ(CheckPlan(instance.state, plan), "", "the plan");
        const Evaluation evaluation = EvaluatePlan(instance, plan);
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            const auto& chain = plan.clusters[m].chains[0];
            const double passes = double(rounds) * plan.localIterations * chain.microBatches;
            for (const auto& stage : chain.stages)
            {
                if (stage.node == EDGE_SERVER)
                {
                    continue;
                }
                const auto& node = evaluation.clusters[m].nodes[stage.node];
                const auto processor =
                    run.GetApplications().clusters[m][stage.node]->GetProcessor();
                const double plannedS = passes * (node.forwardS + node.backwardS);
                NS_TEST_EXPECT_MSG_EQ_TOL(processor->GetBusyTime().GetSeconds(),
                                          plannedS,
                                          1e-6 * plannedS,
                                          "time of node " << stage.node << " in cluster " << m);
                const double plannedJ = rounds * node.computeEnergyJ;
                NS_TEST_EXPECT_MSG_EQ_TOL(POWER_W * processor->GetFullPowerS(),
                                          plannedJ,
                                          1e-6 * plannedJ,
                                          "energy of node " << stage.node << " in cluster " << m);
            }
        }
    }
};

/**
 * @ingroup collapipe-tests
 * Reports and assignments with clocks come back as they were; senseless ones are refused.
 */
class MessagesTestCase : public TestCase
{
  public:
    MessagesTestCase()
        : TestCase("clocks in reports and assignments")
    {
    }

  private:
    void DoRun() override
    {
        StateReport report{1e9, 1e-3, 1e9, 5, 100, 10, 0.25, {0.5, 0.75}, {}};
        StateReport back;
        NS_TEST_EXPECT_MSG_EQ(DecodeReport(EncodeReport(report), back), "", "a good report");
        NS_TEST_EXPECT_MSG_EQ((back.clocks == report.clocks && back.staticPart == 0.25), true, "");
        for (const double clock : {0.0, 1.5, -1.0, std::nan(""), HUGE_VAL})
        {
            report.clocks = {0.5, clock};
            NS_TEST_EXPECT_MSG_NE(DecodeReport(EncodeReport(report), back), "", "clock " << clock);
        }
        report.clocks = std::vector<double>(MOST_CLOCKS + 1, 0.5);
        NS_TEST_EXPECT_MSG_NE(DecodeReport(EncodeReport(report), back), "", "too many");
        report.clocks = {0.5};
        report.staticPart = 1.5;
        NS_TEST_EXPECT_MSG_NE(DecodeReport(EncodeReport(report), back), "", "static part");

        StageAssignment assignment;
        assignment.stages = 2;
        assignment.plan.clock = 1.0 / 3;
        StageAssignment read;
        NS_TEST_EXPECT_MSG_EQ(DecodeAssignment(EncodeAssignment(assignment), read), "", "good");
        NS_TEST_EXPECT_MSG_EQ(read.plan.clock, 1.0 / 3, "the clock");
        for (const double clock : {0.0, 1.5, -1.0})
        {
            assignment.plan.clock = clock;
            NS_TEST_EXPECT_MSG_NE(DecodeAssignment(EncodeAssignment(assignment), read),
                                  "",
                                  "an assignment with clock " << clock);
        }
    }
};

/**
 * @ingroup collapipe-tests
 * Clocks.
 */
class ClockTestSuite : public TestSuite
{
  public:
    ClockTestSuite()
        : TestSuite("collapipe-clock", Type::UNIT)
    {
        AddTestCase(new WorkTestCase(0));
        AddTestCase(new WorkTestCase(0.3));
        AddTestCase(new RunTestCase);
        AddTestCase(new MessagesTestCase);
    }
};

ClockTestSuite g_clockTestSuite;

} // namespace
