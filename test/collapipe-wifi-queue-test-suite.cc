/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-traffic-run.h"

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-topology.h"
#include "ns3/nstime.h"
#include "ns3/qos-txop.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"

#include <algorithm>
#include <cstdint>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/**
 * Management frames find room in the MAC's queue, however much waits for the air: where they do
 * not, ns-3 drops one that was sent and not acknowledged for them, and its station hears nothing
 * more from there.
 */
class ManagementRoomTestCase : public TestCase
{
  public:
    ManagementRoomTestCase()
        : TestCase("wifi: there is room for management frames, and all arrives while links fade")
    {
    }

  private:
    void DoRun() override
    {
        for (uint64_t number = 1; number <= 20; ++number)
        {
            const ScopedRun scope(number);
            TopologyConfig config;
            config.clusters = 1;
            config.devicesPerCluster = 2;
            config.wifiPathLoss.fading = true;
            TrafficRun run("wifi", config);
            Watch(run.GetNetwork().clusters[0]);
            run.AddAll(300000);
            NS_TEST_EXPECT_MSG_EQ(run.Run(Seconds(60)), 0, "stuck in run " << number);
        }
        NS_TEST_EXPECT_MSG_EQ(m_full, 0, "full queues");
        NS_TEST_EXPECT_MSG_EQ(m_dropped, 0, "frames that found no room");
        NS_TEST_EXPECT_MSG_EQ(m_busy, true, "and an A-MPDU was waiting meanwhile");
        NS_TEST_EXPECT_MSG_LT(m_most, 96U, "but hardly more");
    }

    void Watch(const ClusterNetwork& cluster)
    {
        for (NodeIndex i = 0; i < cluster.GetN(); ++i)
        {
            const auto device = FindDevice<WifiNetDevice>(cluster.GetNode(i));
            const auto queue = DynamicCast<QosWifiMac>(device->GetMac())->GetTxopQueue(AC_BE);
            queue->TraceConnectWithoutContext("DropBeforeEnqueue",
                                              MakeCallback(&ManagementRoomTestCase::Drop, this));
            queue->TraceConnectWithoutContext(
                "Enqueue",
                MakeCallback(&ManagementRoomTestCase::Look, this).Bind(PeekPointer(queue)));
        }
    }

    void Drop(Ptr<const WifiMacQueue::ItemType> /* frame */)
    {
        ++m_dropped;
    }

    void Look(WifiMacQueue* queue, Ptr<const WifiMacQueue::ItemType> /* frame */)
    {
        ScheduleCheck(queue, true);
    }

    void ScheduleCheck(WifiMacQueue* queue, bool mayBeFull)
    {
        Simulator::Schedule(NanoSeconds(2), &ManagementRoomTestCase::Check, this, queue, mayBeFull);
    }

    /// There may be no room for an instant, in which frames come or go; but not in the next one
    void Check(WifiMacQueue* queue, bool mayBeFull)
    {
        constexpr uint32_t AMPDU_PACKETS = 64;
        m_most = std::max(m_most, queue->GetNPackets());
        m_busy |= queue->GetNPackets() >= AMPDU_PACKETS;
        if (queue->GetNPackets() < queue->GetMaxSize().GetValue())
        {
            return;
        }
        if (mayBeFull)
        {
            ScheduleCheck(queue, false);
        }
        else
        {
            ++m_full;
        }
    }

    uint32_t m_most{0}; //!< frames in a queue
    uint32_t m_dropped{0};
    uint32_t m_full{0}; //!< frames after which there was no more room
    bool m_busy{false}; //!< whether one ever held as much as goes at once
};

/// What Wi-Fi's queues hold, and what they do not lose
class WifiQueueTestSuite : public TestSuite
{
  public:
    WifiQueueTestSuite()
        : TestSuite("collapipe-wifi-queue", Type::UNIT)
    {
        AddTestCase(new ManagementRoomTestCase);
    }
};

WifiQueueTestSuite g_wifiQueueTestSuite; //!< registers the suite

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
