/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A plain ns-3 script: BulkSend between the nodes of a topology, as many bytes as standard input
// says.
//
// Takes collapipe-quickstart's options and, on standard input, lines "FROM TO BYTES" with the
// addresses of two nodes; FROM sends so many bytes to TO. Prints the seconds of wall time and of
// simulated time that it took.

#include "ns3/boolean.h"
#include "ns3/bulk-send-helper.h"
#include "ns3/collapipe-run-config.h"
#include "ns3/config.h"
#include "ns3/inet-socket-address.h"
#include "ns3/ipv4.h"
#include "ns3/node-list.h"
#include "ns3/packet-sink-helper.h"
#include "ns3/packet-sink.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <chrono>
#include <iostream>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr uint16_t PORT = 9000;
constexpr uint32_t BUFFER_BYTES = 4U << 20; // as TransportConfig
constexpr uint32_t SEGMENT_BYTES = 1400;    // as TransportConfig

uint64_t g_missing = 0; // bytes that have not arrived

void
HandleReceive(Ptr<const Packet> packet, const Address& /* from */)
{
    g_missing -= packet->GetSize();
    if (g_missing == 0)
    {
        Simulator::Stop();
    }
}

Ptr<Node>
FindNode(Ipv4Address address)
{
    for (auto node = NodeList::Begin(); node != NodeList::End(); ++node)
    {
        const auto ip = (*node)->GetObject<Ipv4>();
        if (ip && ip->GetInterfaceForAddress(address) >= 0)
        {
            return *node;
        }
    }
    NS_ABORT_MSG("no node has address " << address);
}

void
InstallTransfers(Time start)
{
    std::string from;
    std::string to;
    uint64_t bytes = 0;
    for (uint16_t port = PORT; std::cin >> from >> to >> bytes; ++port)
    {
        const InetSocketAddress remote(Ipv4Address(to.c_str()), port);
        PacketSinkHelper sink("ns3::TcpSocketFactory",
                              InetSocketAddress(Ipv4Address::GetAny(), port));
        auto receiver = sink.Install(FindNode(remote.GetIpv4())).Get(0);
        receiver->TraceConnectWithoutContext("Rx", MakeCallback(&HandleReceive));
        receiver->SetStartTime(start);
        BulkSendHelper source("ns3::TcpSocketFactory", remote);
        source.SetAttribute("MaxBytes", UintegerValue(bytes));
        source.Install(FindNode(Ipv4Address(from.c_str()))).Start(start);
        g_missing += bytes;
    }
}

} // namespace

int
main(int argc, char* argv[])
{
    RunConfig config;
    config.Parse(argc, argv);
    RngSeedManager::SetSeed(static_cast<uint32_t>(config.seed));
    RngSeedManager::SetRun(config.run);
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(SEGMENT_BYTES));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(BUFFER_BYTES));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(BUFFER_BYTES));
    auto topology = TopologyHelper::Create(config.topology);
    const auto network = topology->Build(config.GetTopologyConfig());
    InstallTransfers(network.readyAt);
    const auto begin = std::chrono::steady_clock::now();
    Simulator::Run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::cout << wall.count() << " " << Simulator::Now().GetSeconds() << "\n";
    Simulator::Destroy();
    if (g_missing > 0)
    {
        std::cerr << "collapipe-bulk-send: " << g_missing << " bytes did not arrive\n";
        return 1;
    }
    return 0;
}
