/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-traffic-run.h"

#include "ns3/collapipe-topology.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/// Rate of formula (5) or (6) for a link that has its pool to itself
double
PredictRateBps(const PoolState& pool, const LinkState& link)
{
    if (pool.mode == SharingMode::DEDICATED)
    {
        return link.fixedRateBps;
    }
    const double noiseW = link.noiseDensityWPerHz * pool.bandwidthHz;
    const double snr = link.maxPowerW * link.gain / (link.snrGap * noiseW);
    return link.efficiency * pool.bandwidthHz * std::log2(1 + snr);
}

/// Every topology carries every transfer, also with many nodes and with losses
class CarriesTrafficTestCase : public TestCase
{
  public:
    /**
     * @param description what is special
     * @param topology name
     * @param config configuration
     * @param bytes of each transfer
     */
    CarriesTrafficTestCase(const std::string& description,
                           const std::string& topology,
                           const TopologyConfig& config,
                           uint32_t bytes)
        : TestCase(topology + " carries every transfer: " + description),
          m_topology(topology),
          m_config(config),
          m_bytes(bytes)
    {
    }

  private:
    void DoRun() override
    {
        TrafficRun run(m_topology, m_config);
        run.AddAll(m_bytes);
        NS_TEST_EXPECT_MSG_EQ(run.Run(Seconds(60)), 0, "transfers that did not arrive");
    }

    std::string m_topology;  //!< name
    TopologyConfig m_config; //!< configuration
    uint32_t m_bytes;        //!< of each transfer
};

/// No station is dead from the start, whatever the run
class NoDeadStationTestCase : public TestCase
{
  public:
    NoDeadStationTestCase()
        : TestCase("wifi: all stations are alive in ten runs")
    {
    }

  private:
    void DoRun() override
    {
        for (uint64_t number = 1; number <= 10; ++number)
        {
            const ScopedRun scope(number);
            TopologyConfig config;
            config.randomPositions = true;
            TrafficRun run("wifi", config);
            run.AddAll(3000);
            NS_TEST_EXPECT_MSG_EQ(run.Run(Seconds(2)), 0, "dead in run " << number);
        }
    }
};

/// The channel follows the run number and nothing else
class RealisationTestCase : public TestCase
{
  public:
    /// @param topology name
    explicit RealisationTestCase(const std::string& topology)
        : TestCase(topology + ": another run is another realisation, the same run the same"),
          m_topology(topology)
    {
    }

  private:
    std::vector<Time> Measure(uint64_t number) const
    {
        const ScopedRun scope(number);
        TopologyConfig config;
        config.devicesPerCluster = 2;
        TrafficRun run(m_topology, config);
        run.AddAll(20000);
        run.Run(Seconds(10));
        return run.GetDurations();
    }

    void DoRun() override
    {
        const auto first = Measure(1);
        NS_TEST_EXPECT_MSG_EQ((first == Measure(1)), true, "the same run differs");
        NS_TEST_EXPECT_MSG_EQ((first == Measure(2)), false, "another run does not differ");
    }

    std::string m_topology; //!< name
};

/// FillLinks predicts the goodput of a transfer that has the medium to itself
class PredictionTestCase : public TestCase
{
  public:
    /**
     * @param topology name
     * @param clusterDistanceM to the base station
     * @param clusterRadiusM control unit to device
     */
    PredictionTestCase(const std::string& topology, double clusterDistanceM, double clusterRadiusM)
        : TestCase(topology + ": rates within a factor of 2 at " +
                   std::to_string(std::lround(clusterDistanceM)) + " m and " +
                   std::to_string(std::lround(clusterRadiusM)) + " m"),
          m_topology(topology)
    {
        m_config.clusters = 1;
        m_config.devicesPerCluster = 1;
        m_config.cellRadiusM = 1000;
        m_config.clusterDistanceM = clusterDistanceM;
        m_config.clusterRadiusM = clusterRadiusM;
        m_config.ltePathLoss.shadowing = false;
        m_config.wifiPathLoss.shadowing = false;
    }

  private:
    enum Direction
    {
        UP,
        DOWN,
        D2D
    };

    void Compare(Direction direction)
    {
        constexpr uint32_t bytes = 2000000;
        TrafficRun run(m_topology, m_config);
        const SystemState state = run.GetLinks();
        const ClusterState& cluster = state.clusters.front();
        double predictedBps = 0;
        switch (direction)
        {
        case UP:
            run.AddUp(0, 1, bytes);
            predictedBps = PredictRateBps(state.uplink, cluster.devices[0].uplink);
            break;
        case DOWN:
            run.AddDown(0, 1, bytes);
            predictedBps = PredictRateBps(state.downlink, cluster.devices[0].downlink);
            break;
        case D2D:
            run.AddD2d(0, 0, 1, bytes);
            predictedBps = PredictRateBps(cluster.d2d, cluster.d2dLinks[0][1]);
            break;
        }
        NS_TEST_ASSERT_MSG_EQ(run.Run(Seconds(30)), 0, "did not arrive");
        const double measuredBps = bytes * 8 / run.GetDurations().front().GetSeconds();
        NS_TEST_EXPECT_MSG_LT(std::abs(std::log2(predictedBps / measuredBps)),
                              1,
                              "direction " << direction << ": predicted " << predictedBps / 1e6
                                           << " Mb/s, measured " << measuredBps / 1e6);
    }

    void DoRun() override
    {
        Compare(UP);
        Compare(DOWN);
        Compare(D2D);
    }

    std::string m_topology;  //!< name
    TopologyConfig m_config; //!< configuration
};

/// Ideal links take no time, others what rate and delay say
class ExactLinksTestCase : public TestCase
{
  public:
    ExactLinksTestCase()
        : TestCase("p2p: times follow from rate and delay")
    {
    }

  private:
    static Time Measure(const TopologyConfig& config, uint32_t bytes)
    {
        TrafficRun run("p2p", config);
        run.AddD2d(0, 1, 2, bytes);
        run.Run(Seconds(10));
        return run.GetDurations().front();
    }

    void DoRun() override
    {
        TopologyConfig config;
        config.p2pD2dRate = DataRate(1000000000000000ULL);
        config.p2pD2dDelay = Time(0);
        // TCP waits 1 ns between Send and the packet
        NS_TEST_EXPECT_MSG_LT_OR_EQ(Measure(config, 1000000), NanoSeconds(1), "ideal link");

        config.p2pD2dRate = DataRate("8Mbps"); // 1 us per byte
        config.p2pD2dDelay = MilliSeconds(1);
        // SYN and SYN-ACK with all their options, an acknowledgment, and 1000 bytes after it
        const Time expected = 3 * config.p2pD2dDelay + MicroSeconds(2 * 58 + 54 + 54 + 1000);
        const Time error = Measure(config, 1000) - expected;
        NS_TEST_EXPECT_MSG_LT_OR_EQ(Abs(error), NanoSeconds(1), "link of 8 Mb/s and 1 ms");
    }
};

/// TCP's buffers keep the longest, fattest wire full, also after a loss
class BufferTestCase : public TestCase
{
  public:
    BufferTestCase()
        : TestCase("TCP buffers of random wires")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937 random(3);
        std::uniform_real_distribution<> exponent(0, 1);
        const auto draw = [&](DataRate& rate, Time& delay) {
            rate = DataRate(static_cast<uint64_t>(1e6 * std::pow(1e5, exponent(random))));
            delay = Seconds(1e-6 * std::pow(1e5, exponent(random)));
            return 2 * delay.GetSeconds() * rate.GetBitRate() / 8;
        };
        constexpr double LEAST = 4 << 20;
        constexpr double MOST = 1 << 30;
        for (int instance = 0; instance < 100; ++instance)
        {
            TopologyConfig config;
            const double greatest = std::max({draw(config.p2pD2dRate, config.p2pD2dDelay),
                                              draw(config.p2pD2eRate, config.p2pD2eDelay),
                                              draw(config.backhaulRate, config.backhaulDelay)});
            const double wanted = std::clamp(2 * greatest, LEAST, MOST);
            NS_TEST_EXPECT_MSG_EQ_TOL(config.GetTransportBufferBytes(),
                                      wanted,
                                      1e-4 * wanted,
                                      "greatest product " << greatest << " bytes");
        }
    }
};

/// User errors are found before anything is built
class ValidationTestCase : public TestCase
{
  public:
    ValidationTestCase()
        : TestCase("wrong names and configurations are refused")
    {
    }

  private:
    void DoRun() override
    {
        NS_TEST_EXPECT_MSG_EQ((TopologyHelper::Create("token-ring") == nullptr), true, "name");
        NS_TEST_EXPECT_MSG_EQ(TopologyHelper::GetNames().size(), 4, "number of topologies");
        NS_TEST_EXPECT_MSG_EQ(TopologyConfig().Validate(), "", "the default");
        TopologyConfig config;
        config.packetErrorRate = 1;
        NS_TEST_EXPECT_MSG_NE(config.Validate(), "", "loses everything");
        config = TopologyConfig();
        config.lteBandwidthRb = 60;
        NS_TEST_EXPECT_MSG_NE(config.Validate(), "", "no such bandwidth");
        config = TopologyConfig();
        config.clusterDistanceM = 1000;
        NS_TEST_EXPECT_MSG_NE(config.Validate(), "", "outside the cell");
        config = TopologyConfig();
        config.lteScheduler = "ns3::NoSuchScheduler";
        NS_TEST_EXPECT_MSG_NE(config.Validate(), "", "no such scheduler");
    }
};

/// @return a configuration of so many clusters and devices
TopologyConfig
MakeConfig(uint32_t clusters, uint32_t devices)
{
    TopologyConfig config;
    config.clusters = clusters;
    config.devicesPerCluster = devices;
    return config;
}

/// The suite
class TopologyTestSuite : public TestSuite
{
  public:
    TopologyTestSuite()
        : TestSuite("collapipe-topology", Type::UNIT)
    {
        AddTestCase(new ValidationTestCase);
        AddTestCase(new ExactLinksTestCase);
        AddTestCase(new BufferTestCase);
        for (const auto& name : TopologyHelper::GetNames())
        {
            AddTestCase(new CarriesTrafficTestCase("2 x 4", name, MakeConfig(2, 4), 50000));
            TopologyConfig lossy = MakeConfig(1, 3);
            lossy.packetErrorRate = 0.02;
            lossy.wifiFrameErrorRate = 0.1;
            AddTestCase(new CarriesTrafficTestCase("with losses", name, lossy, 50000));
            AddTestCase(new PredictionTestCase(name, 100, 10));
            if (name != "p2p")
            {
                AddTestCase(new RealisationTestCase(name));
            }
        }
        TopologyConfig fading = MakeConfig(1, 3);
        fading.ltePathLoss.fading = true;
        fading.wifiPathLoss.fading = true;
        AddTestCase(new CarriesTrafficTestCase("with fading", "hybrid", fading, 50000));
        AddTestCase(new CarriesTrafficTestCase("45 UEs", "lte", MakeConfig(5, 8), 2000));
        AddTestCase(new PredictionTestCase("hybrid", 250, 25));
        AddTestCase(new NoDeadStationTestCase);
    }
};

TopologyTestSuite g_topologyTestSuite; //!< registers the suite

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
