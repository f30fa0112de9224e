/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Several cells: their edge servers average at a lead, radios interfere, nodes are handed over in
// mid-round, and none of it changes what is learnt.

#include "collapipe-test-run.h"

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-rrc.h"
#include "ns3/mobility-model.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <type_traits>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

// A cell counts its clusters from 0, the run counts all: neither number stands for the other
static_assert(!std::is_convertible_v<uint32_t, ClusterId>, "a ClusterId is made on purpose");
static_assert(!std::is_convertible_v<ClusterId, uint32_t>, "and is no index");

/// @return whether all bytes are equal
bool
AreEqual(const TensorList& left, const TensorList& right)
{
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](auto& a, auto& b) {
        return a.shape == b.shape && std::memcmp(a.data.get(), b.data.get(), a.GetByteSize()) == 0;
    });
}

/// @return two cells with two clusters each, three stages of encoder blocks at most
TestRunConfig
MakeConfig(const std::string& topology, const std::string& schedule)
{
    TestRunConfig config;
    config.topology = topology;
    config.schedule = schedule;
    config.segments = {{1, 1}, {2, 0}, {0, 2}, {1, 1}};
    config.microBatches = {3, 2};
    config.iterations = 3;
    config.rounds = 2;
    config.optimizer.name = "sgd";
    config.optimizer.learningRate = 0.05;
    config.network.cells = 2;
    config.network.lteBandwidthRb = 25;
    config.network.ltePathLoss.shadowing = false;
    config.network.wifiPathLoss.shadowing = false;
    return config;
}

/// @return all parameters after a run
TensorList
GetWeights(const TestRun& run)
{
    return run.GetFinalParameters().Gather(WholeModel(run.GetModelConfig()));
}

/**
 * The same plan, with one edge server over wires and with two cells over a radio between which a
 * node is handed over while it trains.
 */
class HandoverParityTestCase : public TestCase
{
  public:
    HandoverParityTestCase(const std::string& topology, const std::string& schedule)
        : TestCase("weights equal those over wires: " + topology + ", " + schedule),
          m_config(MakeConfig(topology, schedule))
    {
    }

  private:
    void DoRun() override
    {
        auto wired = m_config;
        wired.topology = "p2p";
        const auto expected = RunToEnd(wired);
        wired.network.cells = 1;
        const auto single = RunToEnd(wired);
        // An average of averages is rounded once more than a single one
        NS_TEST_EXPECT_MSG_LT(GetRelativeDifference(expected, single),
                              1e-6,
                              "two cells learn something else than one");

        TestRun run(m_config);
        m_run = &run;
        for (const auto& node : run.GetApplications().clusters[0])
        {
            node->TraceConnectWithoutContext(
                "Flush",
                MakeCallback(&HandoverParityTestCase::StartHandover, this));
        }
        const auto ue =
            FindDevice<LteUeNetDevice>(run.GetTopology().GetNetwork().clusters[0].devices[0]);
        ue->GetRrc()->TraceConnectWithoutContext(
            "HandoverEndOk",
            MakeCallback(&HandoverParityTestCase::EndHandover, this));
        run.GetApplications().leader->TraceConnectWithoutContext(
            "Round",
            MakeCallback(&HandoverParityTestCase::CheckRound, this));
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_ASSERT_MSG_EQ(m_checked, true, "no handover was checked");
        NS_TEST_EXPECT_MSG_EQ(AreEqual(GetWeights(run), expected), true, "weights differ");
    }

    /// @return weights after a run without handover
    TensorList RunToEnd(const TestRunConfig& config)
    {
        TestRun run(config);
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        return GetWeights(run);
    }

    /// A stage of cluster 0 has its first gradients: its first device, in mid-round, changes cells
    void StartHandover(uint32_t round, uint32_t /* iteration */, const ModelPart& /* part */)
    {
        if (m_begun.IsZero() && round == 1)
        {
            m_begun = Simulator::Now();
            m_run->GetTopology().ScheduleHandover(Time(0), 0, 1, 1);
        }
    }

    void EndHandover(uint64_t /* imsi */, uint16_t /* cell */, uint16_t /* rnti */)
    {
        // The next one brings it back: its own cell's base station is nearer
        if (m_ended.IsZero())
        {
            m_ended = Simulator::Now();
            NS_TEST_EXPECT_MSG_EQ(m_run->GetTopology().GetCell(0, 1), 1, "it is elsewhere");
        }
    }

    void CheckRound(const RoundRecord& record)
    {
        if (record.round == 1)
        {
            NS_TEST_EXPECT_MSG_GT(m_begun, record.start, "handover before the round");
            NS_TEST_EXPECT_MSG_GT(m_ended, m_begun, "no handover");
            NS_TEST_EXPECT_MSG_LT(m_ended, record.end, "handover after the round");
            NS_TEST_EXPECT_MSG_GT(m_run->GetTopology().GetHandovers(), 0, "none was counted");
            m_checked = true;
        }
    }

    TestRunConfig m_config;
    TestRun* m_run{nullptr};
    Time m_begun;
    Time m_ended;
    bool m_checked{false};
};

/**
 * Nodes that move about the edge between two cells are handed over by the cells themselves.
 */
class MovingTestCase : public TestCase
{
  public:
    MovingTestCase()
        : TestCase("nodes that move are handed over, and learn the same")
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig("lte", "1f1b");
        config.network.mobility = "gauss-markov";
        config.network.speedMps = 60;
        config.network.clusterDistanceM = 240;
        config.network.clusterRadiusM = 80;
        config.network.cellRadiusM = 400;
        config.iterations = 6;
        config.rounds = 1;
        TestRun run(config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_EXPECT_MSG_GT(run.GetTopology().GetHandovers(), 0, "nobody was handed over");
        config.topology = "p2p";
        TestRun wired(config);
        wired.Run();
        NS_TEST_EXPECT_MSG_EQ(AreEqual(GetWeights(run), GetWeights(wired)), true, "weights differ");
    }
};

/**
 * Sounding of two UEs in two cells at the same time: each base station hears the other's UE.
 */
class InterferenceTestCase : public TestCase
{
  public:
    explicit InterferenceTestCase(double cellDistanceM)
        : TestCase("cells interfere, base stations " +
                   std::to_string(static_cast<int>(cellDistanceM)) + " m apart"),
          m_cellDistanceM(cellDistanceM)
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config;
        config.cells = 2;
        config.clusters = 2;
        config.devicesPerCluster = 1;
        config.clusterRadiusM = 5;
        config.clusterDistanceM = 80;
        config.cellDistanceM = m_cellDistanceM;
        config.ltePathLoss.shadowing = false;
        config.lteBandwidthRb = 25;
        config.lteHandoverMarginDb = 15; // nobody leaves
        auto topology = TopologyHelper::Create("lte");
        const auto network = topology->Build(config);
        const auto enb = FindDevice<LteEnbNetDevice>(network.cells[0].baseStation);
        enb->GetPhy()->TraceConnectWithoutContext(
            "ReportUeSinr",
            MakeCallback(&InterferenceTestCase::Report, this));
        Simulator::Stop(network.readyAt + Seconds(0.2));
        Simulator::Run();
        for (uint32_t node = 0; node < 2; ++node)
        {
            const auto ue = FindDevice<LteUeNetDevice>(network.clusters[0].GetNode(node));
            const double expected = GetSinrDb(config, network, node);
            NS_TEST_EXPECT_MSG_EQ_TOL(m_sinrDb.at(ue->GetRrc()->GetRnti()),
                                      expected,
                                      0.5,
                                      "SINR of node " << node);
        }
        Simulator::Destroy();
    }

    void Report(uint16_t /* cell */, uint16_t rnti, double sinr, uint8_t /* carrier */)
    {
        m_sinrDb[rnti] = 10 * std::log10(sinr);
    }

    /// @return received power in W of a node of a cluster at the first base station
    static double GetPowerW(const Network& network, uint32_t cluster, uint32_t node)
    {
        const auto a = network.clusters[cluster].GetNode(node)->GetObject<MobilityModel>();
        const auto b = network.cells[0].baseStation->GetObject<MobilityModel>();
        // 23 dBm, free space to 1 m at 1.93 GHz, then the third power of the distance
        const double lossDb = 20 * std::log10(4 * M_PI * 1.93e9 / 299792458.0) +
                              30 * std::log10(a->GetDistanceFrom(b));
        return std::pow(10, (23 - 30 - lossDb) / 10);
    }

    /// @return what the first base station should see of a node of the first cluster
    static double GetSinrDb(const TopologyConfig& config, const Network& network, uint32_t node)
    {
        const double noiseW = 1.380649e-23 * 290 * std::pow(10, config.lteEnbNoiseFigureDb / 10) *
                              180e3 * config.lteBandwidthRb;
        return 10 *
               std::log10(GetPowerW(network, 0, node) / (noiseW + GetPowerW(network, 1, node)));
    }

    double m_cellDistanceM;
    std::map<uint16_t, double> m_sinrDb;
};

/**
 * Base stations on their grid: neighbours one distance apart, no two nearer; clusters dealt out.
 */
class GridTestCase : public TestCase
{
  public:
    GridTestCase()
        : TestCase("base stations on a hexagonal grid")
    {
    }

  private:
    void DoRun() override
    {
        TopologyConfig config;
        config.cells = 19;
        config.clusters = 40;
        config.devicesPerCluster = 1;
        config.cellDistanceM = 700;
        auto topology = TopologyHelper::Create("p2p");
        const auto network = topology->Build(config);
        std::size_t clusters = 0;
        for (uint32_t c = 0; c < config.cells; ++c)
        {
            uint32_t neighbours = 0;
            for (uint32_t other = 0; other < config.cells; ++other)
            {
                const double distance =
                    CalculateDistance(network.cells[c].position, network.cells[other].position);
                NS_TEST_EXPECT_MSG_EQ((other == c || distance > 699.999),
                                      true,
                                      "cells " << c << " and " << other << " coincide");
                neighbours += other != c && distance < 700.001;
            }
            const uint32_t least = c < 7 ? 6 : 3;
            NS_TEST_EXPECT_MSG_GT_OR_EQ(neighbours, least, "neighbours of cell " << c);
            for (const auto cluster : network.GetClusters(c))
            {
                const auto place =
                    network.clusters[cluster.number].controlUnit->GetObject<MobilityModel>();
                NS_TEST_EXPECT_MSG_EQ_TOL(
                    CalculateDistance(place->GetPosition(), network.cells[c].position),
                    config.clusterDistanceM,
                    1e-6,
                    "cluster " << cluster.number << " stands elsewhere");
                ++clusters;
            }
        }
        NS_TEST_EXPECT_MSG_EQ(clusters, config.clusters, "each cluster has one cell");
        Simulator::Destroy();
    }
};

/**
 * @ingroup collapipe-tests
 * Several cells.
 */
class CellsTestSuite : public TestSuite
{
  public:
    CellsTestSuite()
        : TestSuite("collapipe-cells", Type::UNIT)
    {
        AddTestCase(new GridTestCase);
        AddTestCase(new InterferenceTestCase(300));
        AddTestCase(new InterferenceTestCase(2000));
        AddTestCase(new HandoverParityTestCase("hybrid", "gpipe"));
        AddTestCase(new HandoverParityTestCase("lte", "1f1b"));
        AddTestCase(new MovingTestCase);
    }
};

CellsTestSuite g_cellsTestSuite; //!< the suite

} // namespace
