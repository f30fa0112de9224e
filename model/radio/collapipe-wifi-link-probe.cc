/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-link-probe.h"

#include "collapipe-power-control-wifi-manager.h"

#include "ns3/log.h"
#include "ns3/wifi-phy.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeWifiLinkProbe");
NS_OBJECT_ENSURE_REGISTERED(WifiLinkProbe);

TypeId
WifiLinkProbe::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::WifiLinkProbe")
                            .SetParent<Object>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<WifiLinkProbe>();
    return tid;
}

void
WifiLinkProbe::Connect(Ptr<LinkMonitor> monitor,
                       uint32_t cluster,
                       const std::vector<Ptr<WifiNetDevice>>& devices)
{
    m_monitor = monitor;
    for (std::size_t from = 0; from < devices.size(); ++from)
    {
        const auto manager =
            DynamicCast<PowerControlWifiManager>(devices[from]->GetRemoteStationManager());
        if (!manager)
        {
            continue;
        }
        m_channelWidthMhz = devices[from]->GetPhy()->GetChannelWidth();
        m_senders.emplace_back();
        Sender* sender = &m_senders.back();
        for (std::size_t to = 0; to < devices.size(); ++to)
        {
            if (from != to)
            {
                (*sender)[Mac48Address::ConvertFrom(devices[to]->GetAddress())] = monitor->AddMeter(
                    {cluster, static_cast<NodeIndex>(from), static_cast<NodeIndex>(to)});
            }
        }
        manager->TraceConnectWithoutContext(
            "Snr",
            MakeCallback(&WifiLinkProbe::HandleSnr, this).Bind(static_cast<const Sender*>(sender)));
    }
}

void
WifiLinkProbe::HandleSnr(const Sender* sender,
                         Mac48Address to,
                         double snr,
                         double widthMhz,
                         double powerW,
                         uint32_t mcs)
{
    const auto meter = sender->find(to);
    if (meter != sender->end())
    {
        m_monitor->ObserveSinr(meter->second, snr * widthMhz / m_channelWidthMhz, powerW);
        m_monitor->ObserveMcs(meter->second, mcs);
    }
}

} // namespace collapipe
} // namespace ns3
