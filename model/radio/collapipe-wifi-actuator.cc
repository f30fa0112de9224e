/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-actuator.h"

#include "collapipe-decibel.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-phy.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeWifiActuator");
NS_OBJECT_ENSURE_REGISTERED(WifiActuator);

namespace
{

double
ToDbm(double watts)
{
    return 10 * std::log10(watts) + 30;
}

} // namespace

TypeId
WifiActuator::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::WifiActuator")
            .SetParent<RadioActuator>()
            .SetGroupName("CollaPipe")
            .AddConstructor<WifiActuator>()
            .AddAttribute("Gateway",
                          "Whether nodes reach the edge server through the control unit",
                          BooleanValue(false),
                          MakeBooleanAccessor(&WifiActuator::m_gateway),
                          MakeBooleanChecker());
    return tid;
}

void
WifiActuator::DoDispose()
{
    m_clusters.clear();
    RadioActuator::DoDispose();
}

void
WifiActuator::AddNode(uint32_t cluster, NodeIndex node, Ptr<WifiNetDevice> device)
{
    Radio& radio = m_clusters[cluster].radios[node];
    NS_ABORT_MSG_IF(radio.device, "Node " << node << " of cluster " << cluster << " added twice");
    radio.device = device;
    radio.address = Mac48Address::ConvertFrom(device->GetAddress());
    radio.manager = DynamicCast<PowerControlWifiManager>(device->GetRemoteStationManager());
    radio.defaultPowerDbm = device->GetPhy()->GetTxPowerEnd();
    if (const auto control = device->GetNode()->GetObject<TrafficControlLayer>())
    {
        radio.disc = DynamicCast<AirtimeQueueDisc>(control->GetRootQueueDiscOnDevice(device));
    }
}

std::optional<WifiActuator::Link>
WifiActuator::Resolve(const Cluster& cluster, NodeIndex from, NodeIndex to) const
{
    if (m_gateway)
    {
        from = from == EDGE_SERVER ? CONTROL_UNIT : from;
        to = to == EDGE_SERVER ? CONTROL_UNIT : to;
    }
    if (from == to || cluster.radios.count(from) == 0 || cluster.radios.count(to) == 0)
    {
        return std::nullopt;
    }
    return Link{from, to};
}

bool
WifiActuator::Decides(const Cluster& cluster, const Link& link, NodeIndex from, NodeIndex to)
{
    const auto& disc = cluster.radios.at(link.first).disc;
    const bool isReserved = disc && !disc->GetLedger()->IsWorkConserving();
    return isReserved || Link{from, to} == link;
}

std::map<WifiActuator::Link, LinkSetting>
WifiActuator::Combine(const Cluster& cluster, const std::vector<LinkPlan>& links) const
{
    constexpr double NO_POWER = -1;
    std::map<Link, LinkSetting> wanted;
    for (const auto& decision : links)
    {
        const auto link = Resolve(cluster, decision.from, decision.to);
        if (!link)
        {
            continue;
        }
        CheckLinkPlan(decision);
        LinkSetting& setting = wanted.emplace(*link, LinkSetting{0, NO_POWER, 0}).first->second;
        if (Decides(cluster, *link, decision.from, decision.to))
        {
            setting.share = std::max(setting.share, decision.share);
            setting.priority = std::max(setting.priority, decision.priority);
        }
        // The highest; the default, written as 0, is higher than any
        const bool isDefault = decision.powerW == 0 || setting.powerW == 0;
        setting.powerW = isDefault ? 0 : std::max(setting.powerW, decision.powerW);
    }
    return wanted;
}

void
WifiActuator::ApplyLinks(uint32_t cluster,
                         const std::vector<LinkPlan>& links,
                         const std::string& reason)
{
    NS_LOG_FUNCTION(this << cluster << reason);
    Cluster& target = m_clusters[cluster];
    const std::map<Link, LinkSetting> old = target.wanted;
    target.wanted = Combine(target, links);
    std::map<Link, LinkSetting> before;
    for (const auto& named : {old, target.wanted})
    {
        for (const auto& [link, setting] : named)
        {
            before[link] = ReadLink(target, link);
        }
    }
    for (const auto& [link, setting] : before)
    {
        const auto it = target.wanted.find(link);
        SetLink(target, link, it == target.wanted.end() ? LinkSetting() : it->second);
    }
    for (const auto& [link, setting] : before)
    {
        const LinkSetting after = ReadLink(target, link);
        if (!(after == setting))
        {
            m_actuationTrace(cluster, link.first, link.second, setting, after, reason);
        }
    }
}

void
WifiActuator::SetLink(Cluster& cluster, const Link& link, const LinkSetting& setting)
{
    const Radio& radio = cluster.radios.at(link.first);
    const Mac48Address to = cluster.radios.at(link.second).address;
    if (radio.disc)
    {
        radio.disc->SetShare(to, setting.share);
        radio.disc->SetPriority(to, setting.priority);
    }
    if (radio.manager)
    {
        setting.powerW > 0 ? radio.manager->SetPower(to, ToDbm(setting.powerW))
                           : radio.manager->ResetPower(to);
        return;
    }
    double powerDbm = -INFINITY;
    for (const auto& [other, wanted] : cluster.wanted)
    {
        if (other.first == link.first)
        {
            powerDbm = std::max(powerDbm,
                                wanted.powerW > 0 ? ToDbm(wanted.powerW) : radio.defaultPowerDbm);
        }
    }
    powerDbm = std::isinf(powerDbm) ? radio.defaultPowerDbm : powerDbm;
    radio.device->GetPhy()->SetTxPowerStart(powerDbm);
    radio.device->GetPhy()->SetTxPowerEnd(powerDbm);
}

LinkSetting
WifiActuator::ReadLink(const Cluster& cluster, const Link& link) const
{
    const Radio& radio = cluster.radios.at(link.first);
    const Mac48Address to = cluster.radios.at(link.second).address;
    LinkSetting setting;
    setting.share = radio.disc ? radio.disc->GetShare(to) : 0;
    setting.priority = radio.disc ? radio.disc->GetPriority(to) : uint8_t{0};
    setting.powerW =
        DbmToW(radio.manager ? radio.manager->GetPower(to)
                             : static_cast<double>(radio.device->GetPhy()->GetTxPowerEnd()));
    return setting;
}

std::optional<LinkSetting>
WifiActuator::Read(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    const auto it = m_clusters.find(cluster);
    const auto link = it == m_clusters.end() ? std::nullopt : Resolve(it->second, from, to);
    if (!link)
    {
        return std::nullopt;
    }
    LinkSetting setting = ReadLink(it->second, *link);
    if (!Decides(it->second, *link, from, to))
    {
        setting.share = 0;
        setting.priority = 0;
    }
    return setting;
}

const WifiActuator::Radio&
WifiActuator::GetRadio(uint32_t cluster, NodeIndex node) const
{
    const auto it = m_clusters.find(cluster);
    NS_ABORT_MSG_IF(it == m_clusters.end() || it->second.radios.count(node) == 0,
                    "There is no node " << node << " with Wi-Fi in cluster " << cluster);
    return it->second.radios.at(node);
}

void
WifiActuator::SetMaxWidth(uint32_t cluster, NodeIndex from, NodeIndex to, uint16_t widthMhz)
{
    const Radio& radio = GetRadio(cluster, from);
    NS_ABORT_MSG_IF(!radio.manager,
                    "A width per receiver takes the station manager PowerControlWifiManager");
    radio.manager->SetMaxWidth(GetRadio(cluster, to).address, widthMhz);
}

uint16_t
WifiActuator::GetMaxWidth(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    const Radio& radio = GetRadio(cluster, from);
    return radio.manager ? radio.manager->GetMaxWidth(GetRadio(cluster, to).address) : 0;
}

} // namespace collapipe
} // namespace ns3
