/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What radios report reaches the link monitor, and what that makes of it reaches the controller

#include "collapipe-test-run.h"

#include "ns3/ampdu-subframe-header.h"
#include "ns3/collapipe-cluster-monitor.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/lte-enb-mac.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-spectrum-phy.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/lte-ue-rrc.h"
#include "ns3/mobility-model.h"
#include "ns3/pointer.h"
#include "ns3/propagation-loss-model.h"
#include "ns3/spectrum-channel.h"
#include "ns3/test.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/yans-wifi-channel.h"

#include <cmath>
#include <map>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// Mean of what a trace said
struct Mean
{
    double sum{0};
    uint32_t count{0};

    void Add(double value)
    {
        sum += value;
        ++count;
    }

    double Get() const
    {
        return sum / count;
    }
};

double
ToDb(double ratio)
{
    return 10 * std::log10(ratio);
}

/// Keeps what others expect of the links
class WatchedExpectations : public LinkExpectations
{
  public:
    /**
     * @param expectations to watch
     * @param latest gets what they said last; must outlive this
     */
    WatchedExpectations(Ptr<LinkExpectations> expectations, SystemState& latest)
        : m_expectations(expectations),
          m_latest(latest)
    {
    }

    void FillLinks(SystemState& state) const override
    {
        m_expectations->FillLinks(state);
        m_latest = state;
    }

  private:
    Ptr<LinkExpectations> m_expectations; //!< watched
    SystemState& m_latest;                //!< what they said last
};

/**
 * @ingroup collapipe-tests
 * Between two rounds of a training a device moves and a wall appears of which the topology knows
 * nothing. In every round the monitor's SINR and MCS are those of the radios' own traces, and the
 * controller's next state has the gain that was measured and the fit that was reported.
 */
class MovedDeviceTestCase : public TestCase
{
  public:
    /// @param topology hybrid, lte or wifi
    explicit MovedDeviceTestCase(const std::string& topology)
        : TestCase("a moved device and a wall, " + topology),
          m_topology(topology)
    {
    }

  private:
    static constexpr double WALL_DB = 10; //!< loss
    static constexpr uint32_t MOVE = 2;   //!< round after which it happens
    static constexpr uint32_t ROUNDS = 4;

    void DoRun() override
    {
        TestRunConfig config;
        config.topology = m_topology;
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.iterations = 2;
        config.rounds = ROUNDS;
        config.network.lteBandwidthRb = 25;
        config.network.clusterRadiusM = 5; // Wi-Fi goes through the wall
        config.network.ltePathLoss.shadowing = false;
        config.network.wifiPathLoss.shadowing = false;
        TestRun run(config);
        m_run = &run;
        const auto& edge = run.GetApplications().edgeServers.at(0);
        const auto& loop = run.GetApplications().loops.at(0);
        m_monitor = loop->GetLinkMonitor();
        loop->SetExpectations(
            CreateObject<WatchedExpectations>(loop->GetExpectations(), m_expected));
        ConnectRadios();
        m_monitor->TraceConnectWithoutContext("Report",
                                              MakeCallback(&MovedDeviceTestCase::Check, this));
        m_monitor->TraceConnectWithoutContext("Sinr",
                                              MakeCallback(&MovedDeviceTestCase::CountSinr, this));
        m_monitor->TraceConnectWithoutContext("Mcs",
                                              MakeCallback(&MovedDeviceTestCase::CountMcs, this));
        m_monitor->TraceConnectWithoutContext(
            "Goodput",
            MakeCallback(&MovedDeviceTestCase::CountGoodput, this));
        loop->TraceConnectWithoutContext("Plan",
                                         MakeCallback(&MovedDeviceTestCase::BeginRound, this));
        edge->TraceConnectWithoutContext("Round",
                                         MakeCallback(&MovedDeviceTestCase::EndRound, this));
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_EXPECT_MSG_EQ(m_rounds, ROUNDS, "rounds that ended");
        const bool hasWifi = m_topology != "lte";
        const bool hasLte = m_topology != "wifi";
        NS_TEST_EXPECT_MSG_EQ((m_checkedD2d > ROUNDS), hasWifi, "D2D links compared");
        NS_TEST_EXPECT_MSG_EQ((m_checkedD2e > ROUNDS), hasLte, "D2E links compared");
    }

    const ClusterNetwork& GetCluster() const
    {
        return m_run->GetTopology().GetNetwork().clusters.at(0);
    }

    void ConnectRadios()
    {
        const auto& cluster = GetCluster();
        for (NodeIndex node = 0; node < cluster.GetN(); ++node)
        {
            if (const auto ue = FindDevice<LteUeNetDevice>(cluster.GetNode(node)))
            {
                ue->GetPhy()->TraceConnectWithoutContext(
                    "ReportCurrentCellRsrpSinr",
                    MakeCallback(&MovedDeviceTestCase::CountDownlink, this).Bind(node));
            }
            if (const auto wifi = FindDevice<WifiNetDevice>(cluster.GetNode(node)))
            {
                m_nodes[Mac48Address::ConvertFrom(wifi->GetAddress())] = node;
                wifi->GetPhy()->TraceConnectWithoutContext(
                    "MonitorSnifferRx",
                    MakeCallback(&MovedDeviceTestCase::CountFrame, this).Bind(node));
            }
        }
        if (const auto base = m_run->GetTopology().GetNetwork().baseStation)
        {
            const auto enb = FindDevice<LteEnbNetDevice>(base);
            enb->GetPhy()->TraceConnectWithoutContext(
                "ReportUeSinr",
                MakeCallback(&MovedDeviceTestCase::CountUplink, this));
            enb->GetMac()->TraceConnectWithoutContext(
                "UlScheduling",
                MakeCallback(&MovedDeviceTestCase::CountBlock, this));
        }
    }

    /// @return the node of an RNTI
    NodeIndex FindUe(uint16_t rnti) const
    {
        NodeIndex node = 0;
        while (FindDevice<LteUeNetDevice>(GetCluster().GetNode(node))->GetRrc()->GetRnti() != rnti)
        {
            ++node;
        }
        return node;
    }

    void CountUplink(uint16_t /* cell */, uint16_t rnti, double sinr, uint8_t /* carrier */)
    {
        m_sinrs[{0, FindUe(rnti), EDGE_SERVER}].Add(sinr);
    }

    void CountBlock(uint32_t /* frame */,
                    uint32_t /* subframe */,
                    uint16_t rnti,
                    uint8_t mcs,
                    uint16_t /* bytes */,
                    uint8_t /* carrier */)
    {
        m_mcs[{0, FindUe(rnti), EDGE_SERVER}].Add(mcs);
    }

    void CountDownlink(NodeIndex node,
                       uint16_t /* cell */,
                       uint16_t /* rnti */,
                       double /* rsrp */,
                       double sinr,
                       uint8_t /* carrier */)
    {
        m_sinrs[{0, EDGE_SERVER, node}].Add(sinr);
    }

    void CountFrame(NodeIndex receiver,
                    Ptr<const Packet> packet,
                    uint16_t /* frequency */,
                    WifiTxVector txVector,
                    MpduInfo info,
                    SignalNoiseDbm power,
                    uint16_t /* station */)
    {
        const Ptr<Packet> mpdu = packet->Copy();
        if (info.type != NORMAL_MPDU)
        {
            AmpduSubframeHeader subframe;
            mpdu->RemoveHeader(subframe);
        }
        WifiMacHeader header;
        mpdu->PeekHeader(header);
        const auto to = m_nodes.find(header.GetAddr1());
        if (header.IsQosData() && to != m_nodes.end() && to->second == receiver)
        {
            const LinkId link{0, m_nodes.at(header.GetAddr2()), receiver};
            const double width = txVector.GetChannelWidth();
            const double ratio = std::pow(10, (power.signal - power.noise) / 10);
            m_sinrs[link].Add(ratio * width / GetWifiWidth());
        }
    }

    double GetWifiWidth() const
    {
        return FindDevice<WifiNetDevice>(GetCluster().GetNode(0))->GetPhy()->GetChannelWidth();
    }

    void CountSinr(const LinkId& link, double sinr, double powerW)
    {
        m_reportedSinrs[link].Add(sinr);
        NS_TEST_EXPECT_MSG_GT(powerW, 0, "power of a report");
    }

    void CountMcs(const LinkId& link, uint32_t mcs)
    {
        m_reportedMcs[link].Add(mcs);
    }

    void CountGoodput(const LinkId& link, Phase /* phase */, double bits, double seconds)
    {
        auto& [sum, time] = m_goodput[link];
        sum += bits;
        time += seconds;
    }

    /// What the controller sees
    void BeginRound(const SystemState& state, const RoundPlan& /* plan */)
    {
        for (const auto& report : m_reports)
        {
            const auto& link = *FindLinkState(state.clusters[0], report.link.from, report.link.to);
            const auto& known =
                *FindLinkState(m_expected.clusters[0], report.link.from, report.link.to);
            const auto& pool = GetPoolState(state, 0, LinkMonitor::GetPoolId(report.link).first);
            if (pool.mode == SharingMode::DEDICATED)
            {
                continue;
            }
            // The fit corrects what the topology expects, which a move has changed meanwhile
            NS_TEST_EXPECT_MSG_EQ_TOL(link.efficiency, report.efficiency, 1e-12, "e");
            NS_TEST_EXPECT_MSG_EQ_TOL(link.snrGap, report.snrGap, 1e-12, "Gamma");
            NS_TEST_EXPECT_MSG_EQ_TOL(link.latencyS, report.delayS, 1e-12, "d");
            const bool isStill = m_rounds != MOVE;
            if (isStill)
            {
                NS_TEST_EXPECT_MSG_EQ_TOL(link.gain / report.gain, 1, 1e-9, "g");
            }
            const bool isUplink = report.link.to == EDGE_SERVER;
            const bool isD2d = report.link.from != EDGE_SERVER && !isUplink;
            if (isStill && !std::isnan(report.sinr) && (isUplink || isD2d))
            {
                const double snr =
                    link.maxPowerW * link.gain / (link.noiseDensityWPerHz * pool.bandwidthHz);
                NS_TEST_EXPECT_MSG_EQ_TOL(ToDb(snr), ToDb(report.sinr), 0.1, "measured gain");
                const double wall = m_rounds > MOVE ? WALL_DB : 0;
                NS_TEST_EXPECT_MSG_EQ_TOL(ToDb(known.gain / link.gain),
                                          wall,
                                          0.7,
                                          "the wall, of which only the radios tell");
            }
        }
        m_reports.clear();
        m_sinrs.clear();
        m_mcs.clear();
        m_reportedSinrs.clear();
        m_reportedMcs.clear();
        m_goodput.clear();
    }

    /// What the monitor reports
    void Check(const LinkReport& report)
    {
        m_reports.push_back(report);
        NS_TEST_EXPECT_MSG_EQ(report.round, m_rounds + 1, "round of a report");
        const auto sinr = m_sinrs.find(report.link);
        if (sinr != m_sinrs.end() && !std::isnan(report.sinr))
        {
            // No plan names a power here: all is sent at the highest
            const double truth = ToDb(sinr->second.Get());
            NS_TEST_EXPECT_MSG_EQ_TOL(ToDb(report.sinr), truth, 0.1, "SINR of a round");
            NS_TEST_EXPECT_MSG_EQ_TOL(ToDb(m_reportedSinrs.at(report.link).Get()),
                                      truth,
                                      0.1,
                                      "SINR in the Sinr trace");
            const bool isD2d = LinkMonitor::GetPoolId(report.link).first == Pool::D2D;
            ++(isD2d ? m_checkedD2d : m_checkedD2e);
        }
        const auto mcs = m_mcs.find(report.link);
        if (mcs != m_mcs.end())
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(report.mcs, mcs->second.Get(), 1e-9, "MCS of a round");
            NS_TEST_EXPECT_MSG_EQ_TOL(m_reportedMcs.at(report.link).Get(),
                                      mcs->second.Get(),
                                      1e-9,
                                      "MCS in the Mcs trace");
        }
        const auto goodput = m_goodput.find(report.link);
        if (goodput != m_goodput.end())
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(report.goodputBps,
                                      goodput->second.first / goodput->second.second,
                                      1,
                                      "goodput of a round");
        }
    }

    void EndRound(const RoundRecord& /* record */)
    {
        if (++m_rounds == MOVE)
        {
            const auto place = GetCluster().GetNode(1)->GetObject<MobilityModel>();
            Vector position = place->GetPosition();
            position.x += 4;
            position.y += 3;
            place->SetPosition(position);
            BuildWall();
        }
    }

    void BuildWall()
    {
        const auto wall = CreateObject<MatrixPropagationLossModel>();
        wall->SetDefaultLoss(WALL_DB);
        if (const auto wifi = FindDevice<WifiNetDevice>(GetCluster().GetNode(0)))
        {
            PointerValue first;
            wifi->GetPhy()->GetChannel()->GetAttribute("PropagationLossModel", first);
            auto last = first.Get<PropagationLossModel>();
            while (last->GetNext())
            {
                last = last->GetNext();
            }
            last->SetNext(wall);
        }
        if (const auto ue = FindDevice<LteUeNetDevice>(GetCluster().GetNode(0)))
        {
            const auto lte = CreateObject<MatrixPropagationLossModel>();
            lte->SetDefaultLoss(WALL_DB);
            ue->GetPhy()->GetUplinkSpectrumPhy()->GetChannel()->AddPropagationLossModel(lte);
        }
    }

    std::string m_topology;                                //!< name
    TestRun* m_run{nullptr};                               //!< the training
    Ptr<LinkMonitor> m_monitor;                            //!< under test
    SystemState m_expected;                                //!< what the topology expects
    uint32_t m_rounds{0};                                  //!< that ended
    uint32_t m_checkedD2d{0};                              //!< SINRs compared
    uint32_t m_checkedD2e{0};                              //!< likewise
    std::vector<LinkReport> m_reports;                     //!< of the latest round
    std::map<Mac48Address, NodeIndex> m_nodes;             //!< by Wi-Fi address
    std::map<LinkId, Mean> m_sinrs;                        //!< by the radios' traces, in this round
    std::map<LinkId, Mean> m_mcs;                          //!< likewise
    std::map<LinkId, Mean> m_reportedSinrs;                //!< by the monitor's traces
    std::map<LinkId, Mean> m_reportedMcs;                  //!< likewise
    std::map<LinkId, std::pair<double, double>> m_goodput; //!< bits and seconds
};

/**
 * @ingroup collapipe-tests
 * The link monitor in a network.
 */
class LinkMonitorTestSuite : public TestSuite
{
  public:
    LinkMonitorTestSuite()
        : TestSuite("collapipe-link-monitor", Type::UNIT)
    {
        for (const std::string topology : {"hybrid", "lte", "wifi"})
        {
            AddTestCase(new MovedDeviceTestCase(topology));
        }
    }
};

LinkMonitorTestSuite g_linkMonitorTestSuite; //!< the suite

} // namespace
