/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Whole trainings over flows: they take the time that the planner's model says, and learn what runs
// over packets learn

#include "collapipe-test-run.h"

#include "ns3/collapipe-flow-topology.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/config.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <random>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// @return a training whose messages are large beside their heads
TestRunConfig
MakeConfig(const std::string& topology, Fidelity fidelity)
{
    TestRunConfig config;
    config.topology = topology;
    config.fidelity = fidelity;
    config.segments = {{2, 1, 1}, {1, 1, 2}};
    config.microBatches = {3, 2};
    config.iterations = 4;
    config.rounds = 2;
    config.backend = "ns3::collapipe::AnalyticBackend";
    config.profiles = {{"fast", 6e10, 1e-3, 1e12, 5, 23}, {"slower", 4e10, 2e-3, 1e12, 5, 23}};
    config.adaptModel = [](ModelConfig& model) {
        model.width = 256;
        model.heads = 4;
        model.feedForward = 512;
        model.sourceLength = 64;
    };
    return config;
}

/// The planner's model of a round and the round over flows are one
class FluidParityTestCase : public TestCase
{
  public:
    FluidParityTestCase(const std::string& topology, uint32_t seed)
        : TestCase(topology + ": as the planner's model, " + std::to_string(seed)),
          m_topology(topology),
          m_seed(seed)
    {
    }

  private:
    static constexpr double TOLERANCE = 0.01;
    /// Beside other clusters, whose nodes upload as soon as each of them has ended its training
    static constexpr double BESIDE_OTHERS = 0.03;

    /// Random shares that keep to their pools, priorities and powers for all that a plan sends
    static void DrawLinks(uint64_t seed, bool hasCell, RoundPlan& plan)
    {
        std::mt19937_64 random(seed);
        for (auto& cluster : plan.clusters)
        {
            std::vector<NodeIndex> nodes;
            for (const auto& stage : cluster.chains[0].stages)
            {
                nodes.push_back(stage.node);
            }
            const auto add = [&](Phase phase, NodeIndex from, NodeIndex to) {
                if (!hasCell && (from == EDGE_SERVER || to == EDGE_SERVER))
                {
                    return; // a wire, or relayed: nothing to decide
                }
                const double share = std::uniform_real_distribution<>(0.05, 0.1)(random);
                // Of 0.0398 W; the clusters' radius needs about a half of that
                const double power = std::uniform_real_distribution<>(0.025, 0.039)(random);
                const auto priority = static_cast<uint8_t>(random() % 2);
                const bool isDown = from == EDGE_SERVER; // whose power is nobody's to decide
                cluster.links.push_back({phase, from, to, share, isDown ? 19.95 : power, priority});
            };
            for (std::size_t s = 0; s + 1 < nodes.size(); ++s)
            {
                add(Phase::DISTRIBUTION, EDGE_SERVER, nodes[s]);
                add(Phase::TRAINING, nodes[s], nodes[s + 1]);
                add(Phase::TRAINING, nodes[s + 1], nodes[s]);
                add(Phase::UPLOAD, nodes[s], EDGE_SERVER);
            }
            add(Phase::TRAINING, nodes.front(), EDGE_SERVER);
        }
    }

    /// @return the state with what links are really worth: without TCP's start, which is apart
    static SystemState GetTruth(TestRun& run)
    {
        auto& topology = dynamic_cast<FlowTopologyHelper&>(run.GetTopology());
        const auto& network = topology.GetNetwork();
        const auto set = [&topology](LinkState& link, Ptr<Node> from, Ptr<Node> to) {
            const auto now = topology.GetFlowNetwork()->GetLinkState(from, to);
            link.efficiency = now.link.efficiency;
        };
        SystemState state = run.GetState();
        for (std::size_t m = 0; m < state.clusters.size(); ++m)
        {
            ClusterState& cluster = state.clusters[m];
            for (uint32_t i = 0; i < network.clusters[m].GetN(); ++i)
            {
                const auto node = network.clusters[m].GetNode(i);
                auto& own = i == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[i - 1];
                set(own.uplink, node, network.edgeServer);
                set(own.downlink, network.edgeServer, node);
                for (uint32_t j = 0; j < network.clusters[m].GetN(); ++j)
                {
                    if (i != j)
                    {
                        set(cluster.d2dLinks[i][j], node, network.clusters[m].GetNode(j));
                    }
                }
            }
        }
        return state;
    }

    void Check(double measuredS,
               double plannedS,
               const std::string& what,
               double tolerance = TOLERANCE)
    {
        NS_TEST_EXPECT_MSG_EQ_TOL(measuredS, plannedS, tolerance * plannedS, what);
    }

    void DoRun() override
    {
        // The model has no slow start
        Config::SetDefault("ns3::collapipe::FlowSocket::InitialCwnd", UintegerValue(1000000));
        std::mt19937_64 random(m_seed);
        auto config = MakeConfig(m_topology, Fidelity::FLOWS);
        config.run = m_seed;
        config.schedule = random() % 2 ? "gpipe" : "1f1b";
        config.microBatches = {1 + static_cast<uint32_t>(random() % 4),
                               1 + static_cast<uint32_t>(random() % 4)};
        config.network.clusterDistancesM = {20.0 + random() % 200, 20.0 + random() % 200};
        if (random() % 2)
        {
            config.segments.resize(1);
        }
        // On Wi-Fi alone the state's pools are one medium, and reserved shares of each say too much
        // of it
        const bool isReserved =
            m_topology == "hybrid" ? random() % 3 == 0 : m_topology == "lte" && m_seed % 3 == 0;
        config.network.sharing = isReserved ? Sharing::RESERVED : Sharing::WORK_CONSERVING;
        if (isReserved || random() % 2)
        {
            const uint64_t seed = random();
            const bool hasCell = m_topology != "wifi";
            config.adaptPlan = [seed, hasCell](RoundPlan& plan) { DrawLinks(seed, hasCell, plan); };
        }
        TestRun run(config);
        const auto state = GetTruth(run);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const auto& record = run.GetRounds().back(); // in the first, connections are new
        const FluidRound planned = FluidModel().Play(state, *record.plan);
        for (std::size_t m = 0; m < planned.clusters.size(); ++m)
        {
            const FluidCluster& model = planned.clusters[m];
            const PhaseTimes& phases = record.phases[m];
            // Nodes say that they are ready, which the model does not count
            const double readyS = state.clusters[m].controlUnit.uplink.latencyS;
            Check((phases.distribution - record.planned).GetSeconds() - readyS,
                  model.distributionS,
                  "distribution");
            Check(phases.GetIterationS(config.iterations),
                  model.edgePeriodS,
                  "an iteration",
                  planned.clusters.size() > 1 ? BESIDE_OTHERS : TOLERANCE);
            // Who has ended training uploads; in the model all wait for the last one
            const double totalS = (phases.upload - record.planned).GetSeconds() - 2 * readyS;
            // But with its node's reservation, which its last gradients have as well
            const double early = isReserved && m_topology == "lte" ? 0.05 : 0;
            NS_TEST_EXPECT_MSG_LT(totalS, model.totalS * (1 + TOLERANCE + early), "all");
            const double leastS = model.totalS - model.uploadS;
            NS_TEST_EXPECT_MSG_GT(totalS, leastS * (1 - TOLERANCE), "all but the upload");
        }
        Config::Reset();
    }

    std::string m_topology;
    uint32_t m_seed;
};

/// Equal seeds give equal runs, others do not
class RepeatedRunTestCase : public TestCase
{
  public:
    explicit RepeatedRunTestCase(const std::string& topology)
        : TestCase(topology + ": the same again"),
          m_topology(topology)
    {
    }

  private:
    std::vector<std::string> ListMessages(uint32_t number) const
    {
        auto config = MakeConfig(m_topology, Fidelity::FLOWS);
        config.run = number;
        config.network.mobility = "gauss-markov";
        config.network.ltePathLoss.fading = true;
        config.network.wifiPathLoss.fading = true;
        TestRun run(config);
        run.Run();
        return run.IsFinished() ? run.GetMessages() : std::vector<std::string>();
    }

    void DoRun() override
    {
        const auto first = ListMessages(1);
        NS_TEST_EXPECT_MSG_GT(first.size(), 0, "the run did not end");
        NS_TEST_EXPECT_MSG_EQ((ListMessages(1) == first), true, "another run");
        NS_TEST_EXPECT_MSG_EQ((ListMessages(2) == first), false, "the channel has no effect");
    }

    std::string m_topology;
};

/// What is learnt does not depend on what goes over the links
class FlowLearningTestCase : public TestCase
{
  public:
    explicit FlowLearningTestCase(const std::string& topology)
        : TestCase(topology + ": learns what packets learn"),
          m_topology(topology)
    {
    }

  private:
    TensorList Learn(Fidelity fidelity) const
    {
        TestRunConfig config;
        config.topology = m_topology;
        config.fidelity = fidelity;
        config.segments = {{2, 1}, {1, 2}};
        config.iterations = 2;
        config.rounds = 2;
        TestRun run(config);
        run.Run();
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        return run.IsFinished() ? run.GetFinalParameters().Gather(whole) : TensorList();
    }

    void DoRun() override
    {
        const auto packets = Learn(Fidelity::PACKETS);
        const auto flows = Learn(Fidelity::FLOWS);
        NS_TEST_ASSERT_MSG_EQ(packets.empty() || flows.empty(), false, "a run did not end");
        NS_TEST_EXPECT_MSG_EQ(GetRelativeDifference(flows, packets), 0, "other weights");
    }

    std::string m_topology;
};

/// How far flows are from packets: a round of the same plan, connections being in use
class FlowErrorTestCase : public TestCase
{
  public:
    FlowErrorTestCase(const std::string& topology, double distanceM, double tolerance)
        : TestCase(topology + ": as long as with packets, " + std::to_string(distanceM) + " m"),
          m_topology(topology),
          m_distanceM(distanceM),
          m_tolerance(tolerance)
    {
    }

  private:
    double Measure(Fidelity fidelity) const
    {
        auto config = MakeConfig(m_topology, fidelity);
        config.network.clusterDistanceM = m_distanceM;
        config.iterations = 2;
        config.adaptModel = [](ModelConfig& model) {
            model.width = 96;
            model.heads = 4;
            model.feedForward = 192;
            model.sourceLength = 32;
        };
        TestRun run(config);
        run.Run();
        const auto& rounds = run.GetRounds();
        return run.IsFinished() ? (rounds.back().end - rounds.back().start).GetSeconds() : -1;
    }

    void DoRun() override
    {
        const double packetsS = Measure(Fidelity::PACKETS);
        const double flowsS = Measure(Fidelity::FLOWS);
        NS_TEST_ASSERT_MSG_GT(packetsS, 0, "the run did not end");
        NS_TEST_EXPECT_MSG_EQ_TOL(flowsS, packetsS, m_tolerance * packetsS, "a round's time");
    }

    std::string m_topology;
    double m_distanceM;
    double m_tolerance;
};

/// A node that is out of reach for a while is missed, and the round ends when it is back
class FlowAwayTestCase : public TestCase
{
  public:
    explicit FlowAwayTestCase(const std::string& topology)
        : TestCase(topology + ": a node goes away and comes back"),
          m_topology(topology)
    {
    }

  private:
    double Measure(double awayS) const
    {
        auto config = MakeConfig(m_topology, Fidelity::FLOWS);
        config.patience = Seconds(100);
        TestRun run(config);
        const auto& network = run.GetTopology().GetNetwork();
        const auto mobility = network.clusters[0].devices[0]->GetObject<MobilityModel>();
        const Vector place = mobility->GetPosition();
        const Time when = network.readyAt + MilliSeconds(300);
        if (awayS > 0)
        {
            Simulator::Schedule(when, &MobilityModel::SetPosition, mobility, Vector(1e5, 0, 0));
            Simulator::Schedule(when + Seconds(awayS),
                                &MobilityModel::SetPosition,
                                mobility,
                                place);
        }
        run.Run();
        return run.IsFinished() ? run.GetRounds().back().end.GetSeconds() : -1;
    }

    void DoRun() override
    {
        constexpr double AWAY_S = 5;
        const double undisturbed = Measure(0);
        const double disturbed = Measure(AWAY_S);
        NS_TEST_EXPECT_MSG_GT(undisturbed, 0, "the run did not end");
        NS_TEST_EXPECT_MSG_GT(disturbed, undisturbed + AWAY_S - 2, "nobody missed the node");
        NS_TEST_EXPECT_MSG_LT(disturbed, undisturbed + 2 * AWAY_S + 3, "it was not found again");
    }

    std::string m_topology;
};

/// The suite
class FlowRunTestSuite : public TestSuite
{
  public:
    FlowRunTestSuite()
        : TestSuite("collapipe-flow-run", Type::UNIT)
    {
        for (const std::string topology : {"hybrid", "lte", "wifi"})
        {
            for (uint32_t seed = 1; seed <= 10; ++seed)
            {
                AddTestCase(new FluidParityTestCase(topology, seed));
            }
            const bool hasCell = topology != "wifi";
            for (const double distanceM :
                 hasCell ? std::vector<double>{50, 150} : std::vector{50.0})
            {
                // Wi-Fi's contention is in its constants only
                const double tolerance = hasCell ? 0.1 : 0.15;
                AddTestCase(new FlowErrorTestCase(topology, distanceM, tolerance));
            }
            AddTestCase(new RepeatedRunTestCase(topology));
            AddTestCase(WithTorch(new FlowLearningTestCase(topology)));
            AddTestCase(new FlowAwayTestCase(topology));
        }
    }
};

FlowRunTestSuite g_flowRunTestSuite; //!< registers the suite

} // namespace
