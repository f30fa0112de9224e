/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a plan may not be, and that no controller's plan is that

#include "collapipe-control-makers.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-transfers.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace
{

using test::CONTROLLER_NAMES;
using test::MakeController;
using test::MakeState;

/// Gives every radio link of the nodes a least power, of up to half of the highest
void
SetLeastPowers(SystemState& state, uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> part(0, 0.5);
    const auto set = [&](LinkState& link) { link.minPowerW = part(random) * link.maxPowerW; };
    for (auto& cluster : state.clusters)
    {
        set(cluster.controlUnit.uplink);
        for (auto& device : cluster.devices)
        {
            set(device.uplink);
        }
        for (auto& row : cluster.d2dLinks)
        {
            std::for_each(row.begin(), row.end(), set);
        }
    }
}

/// A plan that passes the check, to be broken
class ControlCheck : public ::testing::Test
{
  protected:
    ControlCheck()
        : m_state(MakeState(1)),
          m_plan(MakeController("uniform-pipeline")->Decide(m_state))
    {
    }

    void ExpectError(const std::string& part)
    {
        const std::string error = CheckPlan(m_state, m_plan);
        EXPECT_NE(error.find(part), std::string::npos) << error;
    }

    ChainPlan& Chain()
    {
        return m_plan.clusters[1].chains[0];
    }

    SystemState m_state; //!< two clusters
    RoundPlan m_plan;    //!< for it
};

TEST_F(ControlCheck, NamesTheBrokenConstraint)
{
    const RoundPlan good = m_plan;
    EXPECT_EQ(CheckPlan(m_state, m_plan), "");
    m_plan.clusters.pop_back();
    ExpectError("the plan has 1 clusters, the system 2");
    m_plan = good;
    Chain().stages[2].lastBlock += 1;
    ExpectError("cluster 1 does not cover the blocks in order");
    m_plan = good;
    Chain().stages[2].node = 1;
    ExpectError("cluster 1 uses device 0 more than once");
    m_plan = good;
    Chain().stages[2].node = 17;
    ExpectError("cluster 1 does not know device 16");
    m_plan = good;
    Chain().microBatches = 77;
    ExpectError("not an allowed pair");
    m_plan = good;
    Chain().dataShare = 0.5;
    ExpectError("data shares");
    m_plan = good;
    Chain().stages[0].embedding = false;
    ExpectError("must hold the embedding in its first");
    m_plan = good;
    m_state.clusters[1].devices[0].memoryBytes = 1;
    ExpectError("memory");
}

TEST_F(ControlCheck, NamesTheBrokenLink)
{
    const RoundPlan good = m_plan;
    auto& links = m_plan.clusters[1].links;
    links[0].share = 0;
    ExpectError("has a share outside (0, 1]");
    m_plan = good;
    links[0].powerW = std::nan("");
    ExpectError("has a power outside (0, pmax]");
    m_plan = good;
    links.back().powerW *= 1.01;
    ExpectError("has a power outside (0, pmax]");
    m_plan = good;
    links[0].share *= 1.5;
    ExpectError("sum to more than 1");
    m_plan = good;
    links.push_back(links[0]);
    ExpectError("names a link twice");
    m_plan = good;
    links[0].to = 40;
    ExpectError("is not in the system state");
}

TEST_F(ControlCheck, NamesALinkThatIsNotHeard)
{
    SetLeastPowers(m_state, 1);
    EXPECT_EQ(CheckPlan(m_state, m_plan), ""); // at full power
    auto& links = m_plan.clusters[1].links;
    const auto link = std::find_if(links.begin(), links.end(), [](const LinkPlan& own) {
        return own.from != EDGE_SERVER;
    });
    const double least = FindLinkState(m_state.clusters[1], link->from, link->to)->minPowerW;
    link->powerW = 0.99 * least;
    ExpectError("its receiver detects nothing");
    link->powerW = least;
    EXPECT_EQ(CheckPlan(m_state, m_plan), "");
}

/// Where energy is dear the best power may be less than what is heard
TEST(ControlLeastPower, NoControllerGivesLess)
{
    int atTheLeast = 0;
    for (const auto& name : CONTROLLER_NAMES)
    {
        for (uint64_t seed = 1; seed <= 12; ++seed)
        {
            SystemState state = MakeState(seed);
            SetLeastPowers(state, seed);
            for (const Sharing sharing : {Sharing::RESERVED, Sharing::WORK_CONSERVING})
            {
                test::SetSharing(state, sharing);
                const Ptr<Controller> controller = MakeController(name);
                RoundMeasurement measurement; // of a round that took far more than the budgets
                for (const auto& cluster : state.clusters)
                {
                    measurement.deviceEnergyJ.emplace_back(cluster.devices.size() + 1, 1e5);
                }
                controller->Decide(state);
                controller->Observe(measurement);
                const RoundPlan plan = controller->Decide(state);
                EXPECT_EQ(CheckPlan(state, plan), "") << name << seed;
                for (std::size_t m = 0; m < plan.clusters.size(); ++m)
                {
                    for (const auto& link : plan.clusters[m].links)
                    {
                        const double least =
                            FindLinkState(state.clusters[m], link.from, link.to)->minPowerW;
                        atTheLeast += least > 0 && link.powerW <= least * (1 + 1e-9) ? 1 : 0;
                    }
                }
            }
        }
    }
    EXPECT_GT(atTheLeast, 50); // else nothing is tested
}

} // namespace
} // namespace collapipe
} // namespace ns3
