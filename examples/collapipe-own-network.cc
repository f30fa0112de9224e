/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A network of one's own around a training, by ns-3's usual helpers: a Wi-Fi channel, a wire to the
// edge server, somebody else's UDP traffic, FlowMonitor, captures and trace sinks.
//
//     ./collapipe run own-network --rounds=3

#include "ns3/applications-module.h"
#include "ns3/collapipe-module.h"
#include "ns3/core-module.h"
#include "ns3/flow-monitor-module.h"
#include "ns3/internet-module.h"
#include "ns3/mobility-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/wifi-module.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>

using namespace ns3;
using namespace ns3::collapipe;

uint32_t g_changes = 0; // of shares and powers on the radios

void
CountChange(uint32_t /* cluster */,
            NodeIndex /* from */,
            NodeIndex /* to */,
            const LinkSetting& /* before */,
            const LinkSetting& /* after */,
            const std::string& /* reason */)
{
    ++g_changes;
}

void
PrintQueues(const VirtualQueues& queues)
{
    const auto& nodes = queues.GetEnergyQueues().front(); // of the only cluster
    std::cout << Simulator::Now().GetSeconds() << " s: longest energy queue "
              << *std::max_element(nodes.begin(), nodes.end()) << " budgets\n";
}

/// Everything that a script does: once the options are known.
void
Simulate(const RunConfig& config)
{
    // A control unit and four devices on a Wi-Fi channel, with somebody else; a wire to the edge.
    NodeContainer edge(1);
    NodeContainer controlUnits(1);
    NodeContainer devices(4);
    NodeContainer others(1);
    NodeContainer stations(controlUnits, devices, others);
    MobilityHelper mobility;
    mobility.Install(stations);
    for (uint32_t i = 0; i < stations.GetN(); ++i)
    {
        stations.Get(i)->GetObject<MobilityModel>()->SetPosition(
            Vector(8 * (i % 3), 8 * (i / 3), 0));
    }
    YansWifiPhyHelper phy;
    phy.SetChannel(YansWifiChannelHelper::Default().Create());
    WifiHelper wifi;
    wifi.SetRemoteStationManager("ns3::collapipe::PowerControlWifiManager"); // power per receiver
    WifiMacHelper mac;
    mac.SetType("ns3::AdhocWifiMac");
    const NetDeviceContainer radios = wifi.Install(phy, mac, stations);
    PointToPointHelper wire;
    wire.SetDeviceAttribute("DataRate", StringValue("100Mbps"));
    const NetDeviceContainer backhaul = wire.Install(controlUnits.Get(0), edge.Get(0));
    InternetStackHelper().Install(NodeContainer(edge, stations));
    InstallAirtimeQueues(radios); // shares of airtime
    Ipv4AddressHelper("10.1.0.0", "255.255.255.0").Assign(backhaul);
    const auto addresses = Ipv4AddressHelper("10.2.0.0", "255.255.255.0").Assign(radios);
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();

    // Cross traffic on the same channel, to the last device.
    OnOffHelper udp("ns3::UdpSocketFactory", InetSocketAddress(addresses.GetAddress(4), 9));
    udp.SetConstantRate(DataRate("2Mbps"));
    udp.Install(others).Start(Seconds(1));

    // The training.
    CollaPipeHelper helper(config);
    helper.EnableResults(config.outputDir);
    auto training = helper.Install(edge.Get(0), controlUnits, devices);
    training.Start(Seconds(1));
    training.StopWhenFinished();

    // Whatever one wants to know.
    const auto loop = training.GetLoop();
    loop->GetController()->TraceConnectWithoutContext("Queues", MakeCallback(&PrintQueues));
    loop->GetActuator()->TraceConnectWithoutContext("Actuation", MakeCallback(&CountChange));
    FlowMonitorHelper flows;
    flows.InstallAll();
    if (!config.outputDir.empty())
    {
        phy.EnablePcap(config.outputDir + "-radio", radios.Get(0));
    }
    Simulator::Stop(Hours(1));
    Simulator::Run();
    PrintTable(std::cout, training.GetSummary(), training.GetRecorder().GetRounds());
    std::cout << g_changes << " changes of shares and powers; "
              << flows.GetMonitor()->GetFlowStats().size() << " flows\n";
    Simulator::Destroy();
}

int
main(int argc, char* argv[])
{
    return RunProgram("collapipe-own-network", [&] {
        RunConfig config; // what to train, and how
        config.energyBudgetJ = 1;
        config.compare = "none";
        config.Parse(argc, argv);
        Simulate(config);
        return 0;
    });
}
