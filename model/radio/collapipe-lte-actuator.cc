/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-actuator.h"

#include "collapipe-decibel.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/component-carrier-enb.h"
#include "ns3/log.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/lte-ue-rrc.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteActuator");
NS_OBJECT_ENSURE_REGISTERED(LteActuator);

namespace
{

constexpr auto UPLINK = static_cast<std::size_t>(LteDirection::UPLINK);
constexpr auto DOWNLINK = static_cast<std::size_t>(LteDirection::DOWNLINK);

/// Whether a PHY transmits with the power it is told
bool
HasPower(Ptr<LteUePhy> phy)
{
    BooleanValue powerControl;
    phy->GetAttribute("EnableUplinkPowerControl", powerControl);
    return !powerControl.Get();
}

} // namespace

TypeId
LteActuator::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::LteActuator")
            .SetParent<RadioActuator>()
            .SetGroupName("CollaPipe")
            .AddConstructor<LteActuator>()
            .AddAttribute("D2d",
                          "Whether links between the nodes of a cluster go through the cell, too",
                          BooleanValue(false),
                          MakeBooleanAccessor(&LteActuator::m_d2d),
                          MakeBooleanChecker());
    return tid;
}

void
LteActuator::DoDispose()
{
    for (const auto& [index, cluster] : m_clusters)
    {
        for (const auto& [node, radio] : cluster.radios)
        {
            const auto rrc = radio.device->GetRrc();
            for (const std::string event : {"ConnectionEstablished", "HandoverEndOk"})
            {
                if (rrc) // else the device is no more
                {
                    rrc->TraceDisconnectWithoutContext(
                        event,
                        MakeCallback(&LteActuator::Reconnect, this).Bind(index).Bind(node));
                }
            }
        }
    }
    m_schedulers.clear();
    m_clusters.clear();
    RadioActuator::DoDispose();
}

void
LteActuator::AddBaseStation(Ptr<LteEnbNetDevice> device)
{
    for (const auto& [index, carrier] : device->GetCcMap())
    {
        const auto scheduler = DynamicCast<WeightedFfMacScheduler>(
            DynamicCast<ComponentCarrierEnb>(carrier)->GetFfMacScheduler());
        if (scheduler)
        {
            m_schedulers[carrier->GetCellId()] = scheduler;
        }
    }
}

void
LteActuator::AddNode(uint32_t cluster, NodeIndex node, Ptr<LteUeNetDevice> device)
{
    Radio& radio = m_clusters[cluster].radios[node];
    NS_ABORT_MSG_IF(radio.device, "Node " << node << " of cluster " << cluster << " added twice");
    radio.device = device;
    radio.defaultPowerDbm = device->GetPhy()->GetTxPower();
    for (const std::string event : {"ConnectionEstablished", "HandoverEndOk"})
    {
        device->GetRrc()->TraceConnectWithoutContext(
            event,
            MakeCallback(&LteActuator::Reconnect, this).Bind(cluster).Bind(node));
    }
}

bool
LteActuator::Carries(const Cluster& cluster, const Link& link) const
{
    const auto [from, to] = link;
    const bool both = (from == EDGE_SERVER || cluster.radios.count(from)) &&
                      (to == EDGE_SERVER || cluster.radios.count(to));
    return both && from != to && (m_d2d || from == EDGE_SERVER || to == EDGE_SERVER);
}

void
LteActuator::ApplyLinks(uint32_t cluster,
                        const std::vector<LinkPlan>& links,
                        const std::string& reason)
{
    NS_LOG_FUNCTION(this << cluster << reason);
    Cluster& target = m_clusters[cluster];
    std::map<Link, LinkPlan> plan;
    for (const auto& link : links)
    {
        if (Carries(target, {link.from, link.to}))
        {
            CheckLinkPlan(link);
            plan[{link.from, link.to}] = link;
        }
    }
    std::map<Link, LinkSetting> before;
    for (const auto& named : {target.plan, plan})
    {
        for (const auto& [link, decision] : named)
        {
            before[link] = *Read(cluster, link.first, link.second);
        }
    }
    target.plan = plan;
    JoinLinks(target);
    for (const auto& [node, radio] : target.radios)
    {
        SetRadio(radio);
    }
    for (const auto& [link, setting] : before)
    {
        const LinkSetting after = *Read(cluster, link.first, link.second);
        if (!(after == setting))
        {
            m_actuationTrace(cluster, link.first, link.second, setting, after, reason);
        }
    }
}

void
LteActuator::JoinLinks(Cluster& cluster) const
{
    for (auto& [node, radio] : cluster.radios)
    {
        radio.share = {};
        radio.priority = {};
        radio.powerW = 0;
    }
    for (const auto& [link, decision] : cluster.plan)
    {
        if (link.first != EDGE_SERVER)
        {
            Radio& sender = cluster.radios.at(link.first);
            sender.share[UPLINK] = std::max(sender.share[UPLINK], decision.share);
            sender.priority[UPLINK] = std::max(sender.priority[UPLINK], decision.priority);
            sender.powerW = std::max(sender.powerW, decision.powerW);
        }
        if (link.second != EDGE_SERVER)
        {
            Radio& receiver = cluster.radios.at(link.second);
            receiver.share[DOWNLINK] = std::max(receiver.share[DOWNLINK], decision.share);
            receiver.priority[DOWNLINK] = std::max(receiver.priority[DOWNLINK], decision.priority);
        }
    }
}

void
LteActuator::SetRadio(const Radio& radio)
{
    const Ptr<LteUePhy> phy = radio.device->GetPhy();
    if (HasPower(phy))
    {
        phy->SetTxPower(radio.powerW > 0 ? 10 * std::log10(radio.powerW) + 30
                                         : radio.defaultPowerDbm);
    }
    const Ptr<WeightedFfMacScheduler> scheduler = GetScheduler(radio);
    const uint16_t rnti = radio.device->GetRrc()->GetRnti();
    if (scheduler && scheduler->HasUe(rnti))
    {
        scheduler->SetWeight(rnti, LteDirection::UPLINK, radio.share[UPLINK]);
        scheduler->SetWeight(rnti, LteDirection::DOWNLINK, radio.share[DOWNLINK]);
        scheduler->SetPriority(rnti, LteDirection::UPLINK, radio.priority[UPLINK]);
        scheduler->SetPriority(rnti, LteDirection::DOWNLINK, radio.priority[DOWNLINK]);
    }
}

void
LteActuator::Reconnect(uint32_t cluster,
                       NodeIndex node,
                       uint64_t /* imsi */,
                       uint16_t /* cell */,
                       uint16_t /* rnti */)
{
    SetRadio(m_clusters.at(cluster).radios.at(node));
}

Ptr<WeightedFfMacScheduler>
LteActuator::GetScheduler(const Radio& radio) const
{
    const auto it = m_schedulers.find(radio.device->GetRrc()->GetCellId());
    return it == m_schedulers.end() ? nullptr : it->second;
}

LinkSetting
LteActuator::ReadRadio(const Radio& radio, LteDirection direction) const
{
    LinkSetting setting;
    if (const Ptr<WeightedFfMacScheduler> scheduler = GetScheduler(radio))
    {
        const uint16_t rnti = radio.device->GetRrc()->GetRnti();
        setting.share = scheduler->GetWeight(rnti, direction);
        setting.priority = scheduler->GetPriority(rnti, direction);
    }
    const Ptr<LteUePhy> phy = radio.device->GetPhy();
    if (direction == LteDirection::UPLINK && HasPower(phy))
    {
        setting.powerW = DbmToW(phy->GetTxPower());
    }
    return setting;
}

std::optional<LinkSetting>
LteActuator::Read(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    const auto it = m_clusters.find(cluster);
    if (it == m_clusters.end() || !Carries(it->second, {from, to}))
    {
        return std::nullopt;
    }
    const bool up = from != EDGE_SERVER;
    const Radio& radio = it->second.radios.at(up ? from : to);
    LinkSetting setting = ReadRadio(radio, up ? LteDirection::UPLINK : LteDirection::DOWNLINK);
    const bool isNamed = it->second.plan.count({from, to}) > 0;
    setting.share = isNamed ? setting.share : 0;
    return setting;
}

} // namespace collapipe
} // namespace ns3
