/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_CELL_H
#define COLLAPIPE_LTE_CELL_H

#include "collapipe-backlogged-flow.h"

#include "ns3/collapipe-find-device.h"
#include "ns3/collapipe-lte-actuator.h"
#include "ns3/collapipe-topology.h"
#include "ns3/component-carrier-enb.h"
#include "ns3/lte-enb-mac.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/lte-ue-rrc.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/**
 * An LTE cell, built as the topology `lte` builds it, whose UEs stand together so that they have
 * equal channels, with backlogged flows and counters. Resource blocks are counted where UEs read
 * their grants, not in the scheduler.
 */
class LteCell
{
  public:
    /// What is counted for a UE from the last call of ResetCounters on
    struct Counters
    {
        uint64_t uplinkRbs{0};       //!< granted
        uint64_t uplinkGrants{0};    //!< how many
        uint64_t uplinkMcs{0};       //!< sum over grants
        uint64_t uplinkTbBytes{0};   //!< granted
        uint64_t downlinkTbBytes{0}; //!< sent
        uint64_t bytes{0};           //!< that its flow delivered
    };

    /// @return a configuration for so many UEs at equal distance
    static TopologyConfig MakeConfig(uint32_t ues, uint16_t rbs)
    {
        TopologyConfig config;
        config.clusters = 1;
        config.devicesPerCluster = ues - 1;
        config.clusterRadiusM = 1;
        config.ltePathLoss.shadowing = false;
        config.lteBandwidthRb = rbs;
        return config;
    }

    explicit LteCell(const TopologyConfig& config)
        : m_topology(TopologyHelper::Create("lte")),
          m_network(m_topology->Build(config)),
          m_actuator(m_topology->CreateActuator()),
          m_counters(GetN())
    {
        m_enb = FindDevice<LteEnbNetDevice>(m_network.baseStation);
        for (uint32_t ue = 0; ue < GetN(); ++ue)
        {
            GetUe(ue)->GetPhy()->TraceConnectWithoutContext(
                "ReportUlPhyResourceBlocks",
                MakeCallback(&LteCell::CountRbs, this).Bind(ue));
        }
        m_enb->GetMac()->TraceConnectWithoutContext("UlScheduling",
                                                    MakeCallback(&LteCell::CountUplink, this));
        m_enb->GetMac()->TraceConnectWithoutContext("DlScheduling",
                                                    MakeCallback(&LteCell::CountDownlink, this));
    }

    ~LteCell()
    {
        Simulator::Destroy();
    }

    LteCell(const LteCell&) = delete;
    LteCell& operator=(const LteCell&) = delete;

    /**
     * A flow from a UE to the edge server.
     * @param ue which
     * @param bitsPerSecond that it sends; 0: backlogged
     */
    void AddUplinkFlow(uint32_t ue, double bitsPerSecond = 0)
    {
        AddFlow(GetNode(ue), m_network.edgeServer, m_network.edgeAddress, ue, bitsPerSecond);
    }

    /**
     * A flow from the edge server to a UE.
     * @param ue which
     * @param bitsPerSecond that the edge server sends; 0: backlogged
     */
    void AddDownlinkFlow(uint32_t ue, double bitsPerSecond = 0)
    {
        AddFlow(m_network.edgeServer,
                GetNode(ue),
                m_network.clusters[0].edgeAddresses[ue],
                ue,
                bitsPerSecond);
    }

    /// Simulates for some time; the first call until traffic may start, first
    void Run(Time duration)
    {
        const Time until = std::max(Simulator::Now(), m_network.readyAt) + duration;
        Simulator::Stop(until - Simulator::Now());
        Simulator::Run();
    }

    /// Counts from zero from now on
    void ResetCounters()
    {
        m_counters.assign(GetN(), Counters());
        for (auto& [ue, flow] : m_flows)
        {
            m_before[ue] = flow->GetBytes();
        }
    }

    /// @return what was counted
    Counters GetCounters(uint32_t ue) const
    {
        Counters counters = m_counters[ue];
        const auto flow = m_flows.find(ue);
        if (flow != m_flows.end())
        {
            const auto before = m_before.find(ue);
            counters.bytes =
                flow->second->GetBytes() - (before == m_before.end() ? 0 : before->second);
        }
        return counters;
    }

    /// Sets a UE's weight
    void SetWeight(uint32_t ue, LteDirection direction, double weight)
    {
        GetScheduler()->SetWeight(GetRnti(ue), direction, weight);
    }

    /// @return number of UEs
    uint32_t GetN() const
    {
        return m_network.clusters[0].GetN();
    }

    /// @return a UE's node
    Ptr<Node> GetNode(uint32_t ue) const
    {
        return m_network.clusters[0].GetNode(ue);
    }

    /// @return a UE's radio
    Ptr<LteUeNetDevice> GetUe(uint32_t ue) const
    {
        return FindDevice<LteUeNetDevice>(GetNode(ue));
    }

    /// @return the base station's radio
    Ptr<LteEnbNetDevice> GetEnb() const
    {
        return m_enb;
    }

    /// @return a UE's identity in the cell
    uint16_t GetRnti(uint32_t ue) const
    {
        return GetUe(ue)->GetRrc()->GetRnti();
    }

    /// @return the cell's scheduler
    Ptr<WeightedFfMacScheduler> GetScheduler() const
    {
        return DynamicCast<WeightedFfMacScheduler>(
            DynamicCast<ComponentCarrierEnb>(m_enb->GetCcMap().at(0))->GetFfMacScheduler());
    }

    /// @return the topology's actuator
    Ptr<RadioActuator> GetActuator() const
    {
        return m_actuator;
    }

    /// @return what the topology expects of the links
    SystemState GetExpectations() const
    {
        SystemState state;
        m_topology->FillLinks(state);
        return state;
    }

    /// @return what was built
    const Network& GetNetwork() const
    {
        return m_network;
    }

  private:
    static constexpr uint16_t FIRST_PORT = 5000;

    void AddFlow(Ptr<Node> from, Ptr<Node> to, Ipv4Address address, uint32_t ue, double bps)
    {
        m_flows[ue] = std::make_unique<BackloggedFlow>(from,
                                                       to,
                                                       address,
                                                       FIRST_PORT + ue,
                                                       m_network.readyAt,
                                                       bps);
    }

    void CountRbs(uint32_t ue, uint16_t /* rnti */, const std::vector<int>& rbs)
    {
        m_counters[ue].uplinkRbs += rbs.size();
    }

    void CountUplink(uint32_t /* frame */,
                     uint32_t /* subframe */,
                     uint16_t rnti,
                     uint8_t mcs,
                     uint16_t bytes,
                     uint8_t /* carrier */)
    {
        Counters& counters = FindCounters(rnti);
        ++counters.uplinkGrants;
        counters.uplinkMcs += mcs;
        counters.uplinkTbBytes += bytes;
    }

    void CountDownlink(DlSchedulingCallbackInfo info)
    {
        FindCounters(info.rnti).downlinkTbBytes += info.sizeTb1;
    }

    Counters& FindCounters(uint16_t rnti)
    {
        auto& ue = m_byRnti[rnti];
        if (ue >= GetN() || GetRnti(ue) != rnti)
        {
            for (ue = 0; ue + 1 < GetN() && GetRnti(ue) != rnti; ++ue)
            {
            }
        }
        return m_counters[ue];
    }

    std::unique_ptr<TopologyHelper> m_topology;
    Network m_network;
    Ptr<RadioActuator> m_actuator;
    Ptr<LteEnbNetDevice> m_enb;
    std::vector<Counters> m_counters;
    std::map<uint16_t, uint32_t> m_byRnti;
    std::map<uint32_t, uint64_t> m_before; //!< bytes at the last reset
    std::map<uint32_t, std::unique_ptr<BackloggedFlow>> m_flows;
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_CELL_H */
