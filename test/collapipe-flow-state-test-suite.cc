/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What planners are told of flows' links, and what is set of these: flows see the channel that
// packets see

#include "ns3/collapipe-topology.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

/// @return all that a state says of links and media, as text
std::string
DescribeLinks(const SystemState& state)
{
    std::ostringstream text;
    text.precision(17);
    const auto addPool = [&text](const PoolState& pool) {
        text << static_cast<int>(pool.mode) << " " << pool.bandwidthHz << " "
             << static_cast<int>(pool.sharing) << pool.priorities << " " << pool.background << "\n";
    };
    const auto addLink = [&text](const LinkState& link) {
        text << link.gain << " " << link.efficiency << " " << link.snrGap << " "
             << link.maxSpectralEfficiency << " " << link.noiseDensityWPerHz << " "
             << link.maxPowerW << " " << link.minPowerW << " " << link.latencyS << " "
             << link.overheadBits << " " << link.overheadS << " " << link.fixedRateBps << " "
             << link.circuitPowerW << " " << link.amplifierEfficiency << " " << link.receivePowerW
             << " " << link.receiveJPerBit << " " << link.acknowledgementRatio << " "
             << link.startupS << " " << static_cast<int>(link.relay) << "\n";
    };
    addPool(state.uplink);
    addPool(state.downlink);
    for (const auto& cluster : state.clusters)
    {
        addPool(cluster.d2d);
        addLink(cluster.controlUnit.uplink);
        addLink(cluster.controlUnit.downlink);
        for (const auto& device : cluster.devices)
        {
            addLink(device.uplink);
            addLink(device.downlink);
        }
        for (const auto& row : cluster.d2dLinks)
        {
            std::for_each(row.begin(), row.end(), addLink);
        }
    }
    return text.str();
}

/// One seed is one channel, at both fidelities
class EqualStateTestCase : public TestCase
{
  public:
    EqualStateTestCase(const std::string& topology, uint32_t seed)
        : TestCase(topology + ": the state of packets, " + std::to_string(seed)),
          m_topology(topology),
          m_seed(seed)
    {
    }

  private:
    TopologyConfig DrawConfig() const
    {
        std::mt19937_64 random(m_seed);
        TopologyConfig config;
        config.cells = 1 + random() % 2;
        config.clusters = config.cells + random() % 3;
        config.devicesPerCluster = 1 + random() % 5;
        config.randomPositions = random() % 2;
        config.ltePathLoss.shadowing = random() % 4 > 0;
        config.wifiPathLoss.shadowing = random() % 4 > 0;
        config.ltePathLoss.fading = config.wifiPathLoss.fading = random() % 2;
        config.lteBandwidthRb = random() % 2 ? 25 : 100;
        config.wifiChannelWidthMhz = random() % 2 ? 20 : 80;
        config.sharing = random() % 2 ? Sharing::RESERVED : Sharing::WORK_CONSERVING;
        return config;
    }

    std::string Describe(Fidelity fidelity) const
    {
        RngSeedManager::SetSeed(m_seed);
        RngSeedManager::SetRun(1);
        SystemState state;
        {
            auto topology = TopologyHelper::Create(m_topology, fidelity);
            topology->Build(DrawConfig());
            topology->FillLinks(state);
            Simulator::Destroy();
        }
        return DescribeLinks(state);
    }

    void DoRun() override
    {
        const auto packets = Describe(Fidelity::PACKETS);
        NS_TEST_EXPECT_MSG_EQ((Describe(Fidelity::FLOWS) == packets), true, "another channel");
        RngSeedManager::SetSeed(1);
    }

    std::string m_topology;
    uint32_t m_seed;
};

/**
 * Log-normal shadowing of LTE (--lteShadowing) has the standard deviation that is asked for: what a
 * link's gain differs by from the same place's without it.
 */
class ShadowingTestCase : public TestCase
{
  public:
    /// @param sigmaDb the standard deviation, in dB
    explicit ShadowingTestCase(double sigmaDb)
        : TestCase("lte: shadowing of " + std::to_string(std::lround(sigmaDb)) + " dB"),
          m_sigmaDb(sigmaDb)
    {
    }

  private:
    /// @return the uplinks' gains in dB; at each node of 4 clusters of 30 devices
    std::vector<double> GetGainsDb(bool isShadowed) const
    {
        TopologyConfig config;
        config.clusters = 4;
        config.devicesPerCluster = 30;
        config.clusterDistanceM = 40;
        config.lteBandwidthRb = 25;
        config.ltePathLoss.shadowing = isShadowed;
        config.ltePathLoss.shadowingSigmaDb = m_sigmaDb;
        auto topology = TopologyHelper::Create("lte", Fidelity::FLOWS);
        topology->Build(config);
        SystemState state;
        topology->FillLinks(state);
        Simulator::Destroy();
        std::vector<double> gains;
        for (const auto& cluster : state.clusters)
        {
            for (const auto& device : cluster.devices)
            {
                gains.push_back(10 * std::log10(device.uplink.gain));
            }
        }
        return gains;
    }

    void DoRun() override
    {
        const auto with = GetGainsDb(true);
        const auto without = GetGainsDb(false);
        const double count = static_cast<double>(with.size());
        double squares = 0;
        double sum = 0;
        for (std::size_t i = 0; i < with.size(); ++i)
        {
            squares += (with[i] - without[i]) * (with[i] - without[i]) / count;
            sum += (with[i] - without[i]) / count;
        }
        // Four standard errors of a mean and of a standard deviation
        NS_TEST_EXPECT_MSG_EQ_TOL(sum, 0, 4 * m_sigmaDb / std::sqrt(count), "mean");
        NS_TEST_EXPECT_MSG_EQ_TOL(std::sqrt(squares),
                                  m_sigmaDb,
                                  4 * m_sigmaDb / std::sqrt(2 * count),
                                  "standard deviation");
    }

    double m_sigmaDb; //!< in dB
};

/// What an actuator sets can be read back, and acts
class FlowActuationTestCase : public TestCase
{
  public:
    explicit FlowActuationTestCase(const std::string& topology)
        : TestCase(topology + ": shares, priorities and powers"),
          m_topology(topology)
    {
    }

  private:
    void CountChange(uint32_t /* cluster */,
                     NodeIndex /* from */,
                     NodeIndex /* to */,
                     const LinkSetting& /* before */,
                     const LinkSetting& /* after */,
                     const std::string& /* reason */)
    {
        ++m_changes;
    }

    void DoRun() override
    {
        TopologyConfig config;
        config.clusters = 2;
        config.devicesPerCluster = 2;
        auto topology = TopologyHelper::Create(m_topology, Fidelity::FLOWS);
        topology->Build(config);
        const auto actuator = topology->CreateActuator();
        actuator->TraceConnectWithoutContext(
            "Actuation",
            MakeCallback(&FlowActuationTestCase::CountChange, this));
        ClusterPlan plan;
        plan.links = {{Phase::TRAINING, CONTROL_UNIT, 1, 0.25, 0.01, 2},
                      {Phase::TRAINING, 1, 2, 0.75, 0.02, 1},
                      {Phase::UPLOAD, 2, 1, 0.5, 0.03, 0}};
        const auto original = *actuator->Read(1, CONTROL_UNIT, 1);
        actuator->Apply(ClusterId(1), Phase::TRAINING, plan);
        NS_TEST_EXPECT_MSG_EQ(m_changes, 2, "a change for each link");
        for (std::size_t i = 0; i < 2; ++i)
        {
            const auto& link = plan.links[i];
            const auto setting = actuator->Read(1, link.from, link.to);
            NS_TEST_ASSERT_MSG_EQ(setting.has_value(), true, "the link is there");
            NS_TEST_EXPECT_MSG_EQ(setting->share, link.share, "share");
            NS_TEST_EXPECT_MSG_EQ(setting->powerW, link.powerW, "power");
            NS_TEST_EXPECT_MSG_EQ(uint32_t{setting->priority}, uint32_t{link.priority}, "priority");
        }
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(0, CONTROL_UNIT, 1)->share, 0, "the other cluster");
        actuator->Apply(ClusterId(1), Phase::UPLOAD, plan);
        NS_TEST_EXPECT_MSG_EQ((*actuator->Read(1, CONTROL_UNIT, 1) == original), true, "default");
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(1, 2, 1)->share, 0.5, "of the next phase");
        NS_TEST_EXPECT_MSG_EQ(actuator->Read(1, 2, 2).has_value(), false, "no link");
        topology.reset();
        Simulator::Destroy();
    }

    std::string m_topology;
    uint32_t m_changes{0};
};

/// The suite
class FlowStateTestSuite : public TestSuite
{
  public:
    FlowStateTestSuite()
        : TestSuite("collapipe-flow-state", Type::UNIT)
    {
        AddTestCase(new ShadowingTestCase(3));
        AddTestCase(new ShadowingTestCase(8));
        for (const std::string topology : {"hybrid", "lte", "wifi"})
        {
            for (uint32_t seed = 1; seed <= 8; ++seed)
            {
                AddTestCase(new EqualStateTestCase(topology, seed));
            }
            AddTestCase(new FlowActuationTestCase(topology));
        }
    }
};

FlowStateTestSuite g_flowStateTestSuite; //!< registers the suite

} // namespace
