/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-cluster.h"

#include "collapipe-wifi-link.h"
#include "collapipe-wired-link.h"

#include "ns3/arp-cache.h"
#include "ns3/boolean.h"
#include "ns3/collapipe-compat.h"
#include "ns3/double.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/propagation-delay-model.h"
#include "ns3/qos-txop.h"
#include "ns3/queue-size.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/wifi-mac-helper.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeWifiCluster");

namespace
{

/// Disjoint channels of the 5 GHz band, by width; clusters take them in turn
uint32_t
GetChannelNumber(uint32_t cluster, uint16_t widthMhz)
{
    static const std::map<uint16_t, std::vector<uint32_t>> channels{
        {20, {36, 40, 44, 48, 52, 56, 60, 64, 100, 104, 108, 112, 116, 120, 124, 128}},
        {40, {38, 46, 54, 62, 102, 110, 118, 126}},
        {80, {42, 58, 106, 122, 138, 155}},
    };
    const auto& numbers = channels.at(widthMhz);
    return numbers[cluster % numbers.size()];
}

} // namespace

void
WifiCluster::Build(ClusterNetwork& cluster, uint32_t index, const TopologyConfig& config)
{
    NS_LOG_FUNCTION(this << index);
    m_config = config;
    m_index = index;
    m_cluster = cluster;
    m_propagation.Build(cluster, index, config);
    m_nodes = m_propagation.GetNodes();
    m_users = m_propagation.GetUsers();
    InstallRadios();
    AssignAddresses();
    InstallQueueDiscs();
    FillArpCaches();
    cluster.addresses = m_cluster.addresses;
}

void
WifiCluster::InstallRadios()
{
    m_channel = CreateObject<YansWifiChannel>();
    m_channel->SetPropagationDelayModel(CreateObject<ConstantSpeedPropagationDelayModel>());
    const auto& models = m_propagation.GetModels();
    m_channel->SetPropagationLossModel(models.front());
    for (std::size_t i = 1; i < models.size(); ++i)
    {
        models[i - 1]->SetNext(models[i]);
    }
    m_phy.SetChannel(m_channel);
    SetWifiChannel(m_phy,
                   GetChannelNumber(m_index, m_config.wifiChannelWidthMhz),
                   m_config.wifiChannelWidthMhz);
    m_phy.Set("TxPowerStart", DoubleValue(m_config.wifiPowerDbm));
    m_phy.Set("TxPowerEnd", DoubleValue(m_config.wifiPowerDbm));
    m_phy.Set("RxNoiseFigure", DoubleValue(m_config.wifiNoiseFigureDb));
    WifiMacHelper mac;
    mac.SetType("ns3::AdhocWifiMac");
    WifiHelper wifi;
    wifi.SetStandard(COLLAPIPE_WIFI_80211AX);
    wifi.SetRemoteStationManager(m_config.wifiRateManager);
    m_allDevices = wifi.Install(m_phy, mac, m_nodes);
    for (uint32_t i = 0; i < m_allDevices.GetN(); ++i)
    {
        TuneDevice(m_allDevices.Get(i));
        if (i < m_cluster.GetN())
        {
            m_devices.Add(m_allDevices.Get(i));
        }
    }
}

void
WifiCluster::TuneDevice(Ptr<NetDevice> device)
{
    TuneWifiQueues(device);
    if (m_config.wifiFrameErrorRate > 0)
    {
        Ptr<RateErrorModel> model = CreateObject<RateErrorModel>();
        model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        model->SetRate(m_config.wifiFrameErrorRate);
        model->Disable(); // until warmed up
        DynamicCast<WifiNetDevice>(device)->GetPhy()->SetPostReceptionErrorModel(model);
        m_errorModels.push_back(model);
    }
}

void
WifiCluster::AssignAddresses()
{
    const uint32_t subnet = (10U << 24) | ((m_index + 1) << 16);
    const Ipv4Mask mask("255.255.0.0");
    for (uint32_t i = 0; i < m_nodes.GetN(); ++i)
    {
        m_addresses.push_back(Ipv4Address(subnet | (i + 1)));
        AddInterface(m_nodes.Get(i), m_allDevices.Get(i), m_addresses[i], mask);
    }
    const uint32_t own = m_cluster.GetN();
    m_cluster.addresses.assign(m_addresses.begin(), m_addresses.begin() + own);
    for (uint32_t i = 0; i < m_users.size(); ++i)
    {
        m_users[i].peerAddress = m_addresses[own];
        m_users[i].address = m_addresses[own + 1 + i];
    }
}

void
WifiCluster::InstallQueueDiscs()
{
    m_ledger = InstallAirtimeQueues(m_devices, m_config.wifiQueueDisc);
    for (uint32_t i = m_devices.GetN(); m_ledger && i < m_allDevices.GetN(); ++i)
    {
        m_ledger->Overhear(DynamicCast<WifiNetDevice>(m_allDevices.Get(i)));
    }
    if (m_ledger)
    {
        const bool works = m_config.sharing == Sharing::WORK_CONSERVING;
        m_ledger->SetAttribute("WorkConserving", BooleanValue(works));
    }
}

void
WifiCluster::FillArpCaches()
{
    for (uint32_t i = 0; i < m_nodes.GetN(); ++i)
    {
        Ptr<Ipv4L3Protocol> ip = m_nodes.Get(i)->GetObject<Ipv4L3Protocol>();
        const int32_t interface = ip->GetInterfaceForDevice(m_allDevices.Get(i));
        Ptr<ArpCache> cache = ip->GetInterface(interface)->GetArpCache();
        for (uint32_t j = 0; j < m_nodes.GetN(); ++j)
        {
            if (i != j)
            {
                ArpCache::Entry* entry = cache->Add(m_addresses[j]);
                entry->SetMacAddress(m_allDevices.Get(j)->GetAddress());
                entry->MarkPermanent();
            }
        }
    }
}

std::vector<WarmUpFlow>
WifiCluster::GetWarmUpFlows() const
{
    std::vector<WarmUpFlow> flows;
    for (uint32_t i = 0; i < m_cluster.GetN(); ++i)
    {
        for (uint32_t j = 0; j < m_cluster.GetN(); ++j)
        {
            if (i != j)
            {
                flows.push_back(
                    {m_cluster.GetNode(i), m_cluster.GetNode(j), m_cluster.addresses[j]});
            }
        }
    }
    for (const auto& user : m_users)
    {
        flows.push_back({user.node, user.peer, user.peerAddress});
        flows.push_back({user.peer, user.node, user.address});
    }
    return flows;
}

Time
WifiCluster::WarmUp()
{
    const Time end = ScheduleWarmUp(GetWarmUpFlows(), MilliSeconds(1), MilliSeconds(1));
    for (auto& model : m_errorModels)
    {
        Simulator::Schedule(end - Simulator::Now(), &ErrorModel::Enable, model);
    }
    return end;
}

void
WifiCluster::EnablePcap(const std::string& prefix)
{
    m_phy.SetPcapDataLinkType(WifiPhyHelper::DLT_IEEE802_11_RADIO);
    m_phy.EnablePcap(prefix, m_devices, false);
}

const WifiChannel&
WifiCluster::GetChannel() const
{
    return m_propagation;
}

int64_t
WifiCluster::AssignChannelStreams(int64_t stream)
{
    return m_propagation.AssignStreams(stream);
}

int64_t
WifiCluster::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    WifiHelper wifi;
    stream += wifi.AssignStreams(m_allDevices, stream);
    stream += AssignUserStreams(m_users, stream);
    for (auto& model : m_errorModels)
    {
        stream += model->AssignStreams(stream);
    }
    return stream - first;
}

void
WifiCluster::AddTo(Ptr<WifiActuator> actuator) const
{
    for (uint32_t i = 0; i < m_devices.GetN(); ++i)
    {
        actuator->AddNode(m_index, i, DynamicCast<WifiNetDevice>(m_devices.Get(i)));
    }
}

void
WifiCluster::ConnectMonitor(const ClusterMonitor& monitor)
{
    std::vector<Ptr<WifiNetDevice>> devices;
    for (auto it = m_devices.Begin(); it != m_devices.End(); ++it)
    {
        devices.push_back(DynamicCast<WifiNetDevice>(*it));
    }
    m_probe = CreateObject<WifiLinkProbe>();
    m_probe->Connect(monitor.monitor, monitor.cluster, devices);
    if (m_ledger && !m_users.empty())
    {
        monitor.monitor->AddOthers({Pool::D2D, monitor.cluster},
                                   [ledger = m_ledger] { return ledger->TakeOthersPart(); });
    }
}

Ptr<AirtimeLedger>
WifiCluster::GetLedger() const
{
    return m_ledger;
}

const std::vector<BackgroundUser>&
WifiCluster::GetUsers() const
{
    return m_users;
}

const NetDeviceContainer&
WifiCluster::GetDevices() const
{
    return m_devices;
}

} // namespace collapipe
} // namespace ns3
