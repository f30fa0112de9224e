/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wired-link.h"

#include "ns3/collapipe-compat.h"
#include "ns3/double.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/pointer.h"
#include "ns3/queue-size.h"
#include "ns3/string.h"

namespace ns3
{
namespace collapipe
{

uint32_t
AddInterface(Ptr<Node> node, Ptr<NetDevice> device, Ipv4Address address, Ipv4Mask mask)
{
    Ptr<Ipv4> ipv4 = node->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, mask));
    ipv4->SetMetric(interface, 1);
    ipv4->SetUp(interface);
    return interface;
}

NetDeviceContainer
ConnectWired(const LinkEnd& a, const LinkEnd& b, DataRate rate, Time delay)
{
    PointToPointHelper link;
    DisableFlowControl(link); // else a queue disc would hold packets back
    link.SetQueue("ns3::DropTailQueue", "MaxSize", QueueSizeValue(QueueSize("4000000p")));
    link.SetDeviceAttribute("DataRate", DataRateValue(rate));
    link.SetChannelAttribute("Delay", TimeValue(delay));
    NetDeviceContainer devices = link.Install(a.node, b.node);
    const LinkEnd ends[] = {a, b};
    for (uint32_t i = 0; i < 2; ++i)
    {
        const LinkEnd& here = ends[i];
        const LinkEnd& there = ends[1 - i];
        const uint32_t interface =
            AddInterface(here.node, devices.Get(i), here.address, Ipv4Mask::GetOnes());
        Ipv4StaticRoutingHelper()
            .GetStaticRouting(here.node->GetObject<Ipv4>())
            ->AddHostRouteTo(there.address, interface);
    }
    return devices;
}

std::vector<Ptr<RateErrorModel>>
InstallPacketLoss(const NetDeviceContainer& devices, double packetErrorRate)
{
    std::vector<Ptr<RateErrorModel>> models;
    if (packetErrorRate <= 0)
    {
        return models;
    }
    for (auto it = devices.Begin(); it != devices.End(); ++it)
    {
        Ptr<RateErrorModel> model = CreateObject<RateErrorModel>();
        model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        model->SetRate(packetErrorRate);
        (*it)->SetAttribute("ReceiveErrorModel", PointerValue(model));
        models.push_back(model);
    }
    return models;
}

} // namespace collapipe
} // namespace ns3
