/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-radio-energy-fit.h"
#include "ns3/collapipe-uniform-pipeline-controller.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

/// What the radios of each cluster's nodes take, in J
using Energies = std::vector<std::vector<double>>;

/// Calls a function with every link of a state.
template <typename Function>
void
ForEachLink(SystemState& state, const Function& function)
{
    for (auto& cluster : state.clusters)
    {
        const auto nodes = static_cast<NodeIndex>(cluster.devices.size() + 1);
        for (NodeIndex i = 0; i < nodes; ++i)
        {
            auto& node = i == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[i - 1];
            function(node.uplink);
            function(node.downlink);
            for (NodeIndex j = 0; j < nodes; ++j)
            {
                function(cluster.d2dLinks[i][j]);
            }
        }
    }
}

/// A random system, whose radios take something for circuits and reception, and a plan for it
class RadioEnergyFitTest : public ::testing::TestWithParam<uint64_t>
{
  protected:
    RadioEnergyFitTest()
        : m_random(GetParam())
    {
        test::RandomShape shape;
        shape.clusters = m_random.Count(1, 3);
        shape.devices = m_random.Count(2, 5);
        shape.tightMemory = 0;
        shape.targets = false;
        m_state = m_random.Make(shape).state;
        // Messages of more than a packet, without which nothing is learnt of bands
        m_state.model.activationBits = m_random.Log(1e5, 1e7);
        m_state.model.targetBits = 0;
        m_state.model.blockParameterBits = m_random.Log(1e5, 1e7);
        m_state.model.embeddingParameterBits = m_random.Log(1e5, 1e7);
        ForEachLink(m_state, [this](LinkState& link) {
            link.circuitPowerW = m_random.Uniform(0, 1);
            link.amplifierEfficiency = m_random.Uniform(0.1, 1);
            link.receivePowerW = m_random.Uniform(0, 1);
            link.receiveJPerBit = m_random.Chance(0.5) ? m_random.Log(1e-10, 1e-8) : 0;
        });
        m_plan = CreateObject<UniformPipelineController>()->Decide(m_state);
    }

    void SetUp() override
    {
        ASSERT_EQ(m_plan.infeasible, "");
        for (const auto& cluster : Model(m_state))
        {
            ASSERT_GT(*std::max_element(cluster.begin(), cluster.end()), 0);
        }
    }

    /// @return (7') of the plan over a state's links
    Energies Model(const SystemState& state) const
    {
        Instance instance;
        instance.state = state;
        Energies energies;
        for (const auto& cluster : EvaluatePlan(instance, m_plan).clusters)
        {
            energies.emplace_back();
            for (const auto& node : cluster.nodes)
            {
                energies.back().push_back(node.radioEnergyJ);
            }
        }
        return energies;
    }

    /// Multiplies each node's by a factor of its own, between a half and two.
    void Disturb(Energies& energies)
    {
        for (auto& cluster : energies)
        {
            for (auto& joules : cluster)
            {
                joules *= m_random.Log(0.5, 2);
            }
        }
    }

    /// A node tells something where it takes a part of what the one does that takes most.
    static bool Tells(const std::vector<double>& cluster, std::size_t node)
    {
        return cluster[node] > 0.06 * *std::max_element(cluster.begin(), cluster.end());
    }

    test::RandomInstance m_random; //!< makes it
    SystemState m_state;           //!< the system
    RoundPlan m_plan;              //!< for it
};

/// Whatever the links turned out to be worth in the meantime
TEST_P(RadioEnergyFitTest, APlanThatIsRepeatedIsPlannedWithWhatItTook)
{
    SystemState now = m_state;
    ForEachLink(now, [this](LinkState& link) {
        link.efficiency *= m_random.Log(0.5, 2);
        link.fixedRateBps *= m_random.Log(0.5, 2);
        link.overheadBits *= m_random.Log(0.5, 2);
        link.overheadS *= m_random.Log(0.5, 2);
    });
    const auto modelled = Model(now);
    auto measured = modelled;
    Disturb(measured);
    RadioEnergyFit fit;
    fit.Observe(m_state, m_plan, measured);
    SystemState corrected = now;
    fit.Correct(corrected);
    const auto planned = Model(corrected);
    for (std::size_t m = 0; m < planned.size(); ++m)
    {
        for (std::size_t i = 0; i < planned[m].size(); ++i)
        {
            if (Tells(modelled[m], i))
            {
                EXPECT_NEAR(planned[m][i] / measured[m][i], 1, 1e-9) << m << ", " << i;
            }
        }
    }
    const auto time = [this](const SystemState& state) {
        Instance instance;
        instance.state = state;
        return EvaluatePlan(instance, m_plan).latencyS;
    };
    EXPECT_EQ(time(corrected), time(now));
}

/// One round alone misleads nobody, and what has changed for good is known after a few.
TEST_P(RadioEnergyFitTest, OneRoundAloneMisleadsNobody)
{
    const auto modelled = Model(m_state);
    RadioEnergyFit fit;
    auto wrong = modelled;
    Disturb(wrong);
    auto right = modelled;
    Disturb(right);
    SystemState state;
    for (const bool isRight : {false, false, true, true, false})
    {
        fit.Observe(m_state, m_plan, isRight ? right : wrong);
        state = m_state;
        fit.Correct(state);
    }
    const auto planned = Model(state);
    for (std::size_t m = 0; m < planned.size(); ++m)
    {
        for (std::size_t i = 0; i < planned[m].size(); ++i)
        {
            if (Tells(modelled[m], i))
            {
                EXPECT_NEAR(planned[m][i] / right[m][i], 1, 1e-9) << m << ", " << i;
            }
        }
    }
}

/// Of a cluster that did other work than planned, and of idle nodes, nothing is learnt.
TEST_P(RadioEnergyFitTest, NothingIsLearntOfOtherWork)
{
    auto measured = Model(m_state);
    for (std::size_t m = 0; m < measured.size(); ++m)
    {
        for (std::size_t i = 0; i < measured[m].size(); ++i)
        {
            // Greetings alone, of nodes without a part in the plan
            measured[m][i] = m == 0 || measured[m][i] > 0 ? 2 * measured[m][i] : 1e3;
        }
    }
    measured[0].clear();
    RadioEnergyFit fit;
    fit.Observe(m_state, m_plan, measured);
    SystemState state = m_state;
    fit.Correct(state);
    for (uint32_t m = 0; m < measured.size(); ++m)
    {
        const auto nodes = static_cast<NodeIndex>(state.clusters[m].devices.size() + 1);
        for (NodeIndex i = 0; i < nodes; ++i)
        {
            EXPECT_LE(fit.GetFactor(m, i), 2 + 1e-9) << "no idle node's";
            EXPECT_GE(fit.GetFactor(m, i), 1);
        }
    }
    if (measured.size() == 1)
    {
        EXPECT_EQ(Model(state), Model(m_state));
    }
}

/// A cell that has lost or got clusters meanwhile says nothing of the round before.
TEST_P(RadioEnergyFitTest, NothingIsLearntWhereNodesAreOthers)
{
    RadioEnergyFit fit;
    auto measured = Model(m_state);
    Disturb(measured);
    fit.Observe(m_state, m_plan, measured);
    SystemState other = m_state;
    other.clusters.push_back(other.clusters.front());
    other.clusters.front().devices.pop_back();
    fit.Correct(other);
    SystemState state = m_state;
    fit.Correct(state);
    EXPECT_EQ(Model(state), Model(m_state));
}

INSTANTIATE_TEST_SUITE_P(Random, RadioEnergyFitTest, ::testing::Range<uint64_t>(1, 101));

} // namespace
} // namespace collapipe
} // namespace ns3
