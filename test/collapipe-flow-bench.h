/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_BENCH_H
#define COLLAPIPE_FLOW_BENCH_H

#include "ns3/collapipe-flow-network.h"
#include "ns3/collapipe-flow-socket.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"
#include "ns3/simulator.h"

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/// Some nodes with an interface each, and links between them as a test says
struct FlowBench
{
    /**
     * @param count how many nodes
     * @param kind of their interfaces
     */
    explicit FlowBench(uint32_t count, FlowRadioKind kind = FlowRadioKind::LTE)
        : network(CreateObject<FlowNetwork>())
    {
        for (uint32_t i = 0; i < count; ++i)
        {
            auto node = CreateObject<Node>();
            InternetStackHelper internet;
            internet.SetIpv6StackInstall(false);
            internet.Install(node);
            auto radio = CreateObject<FlowRadio>();
            radio->SetKind(kind);
            radio->SetAddress(Mac48Address::Allocate());
            node->AddDevice(radio);
            auto ipv4 = node->GetObject<Ipv4>();
            const auto interface = ipv4->AddInterface(radio);
            const Ipv4Address address(Ipv4Address("10.1.0.1").Get() + i);
            ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, Ipv4Mask("255.255.0.0")));
            ipv4->SetUp(interface);
            auto factory = CreateObject<FlowSocketFactory>();
            factory->SetNetwork(network);
            node->AggregateObject(factory);
            network->AddNode(node);
            nodes.push_back(node);
            radios.push_back(radio);
            addresses.push_back(address);
        }
        network->SetProvider([this](Ptr<Node> from, Ptr<Node> to) {
            FlowLinkConfig config;
            const auto link = links.find({from->GetId(), to->GetId()});
            if (link != links.end())
            {
                config.measure = [state = &link->second] { return *state; };
                config.sender = FindFlowRadio(from, FlowRadioKind::LTE);
                config.receiver = FindFlowRadio(to, FlowRadioKind::LTE);
            }
            return config;
        });
    }

    ~FlowBench()
    {
        network->Dispose();
        Simulator::Destroy();
    }

    FlowBench(const FlowBench&) = delete;
    FlowBench& operator=(const FlowBench&) = delete;

    /**
     * Join two nodes by wires.
     * @param a one node
     * @param b the other
     * @param rateBps of each direction
     * @param latencyS of each
     */
    void Wire(uint32_t a, uint32_t b, double rateBps, double latencyS)
    {
        FlowLinkState state;
        state.link.fixedRateBps = rateBps;
        state.link.latencyS = latencyS;
        links[{nodes[a]->GetId(), nodes[b]->GetId()}] = state;
        links[{nodes[b]->GetId(), nodes[a]->GetId()}] = state;
    }

    Ptr<FlowNetwork> network;                                     //!< under test
    std::vector<Ptr<Node>> nodes;                                 //!< ends of links
    std::vector<Ptr<FlowRadio>> radios;                           //!< theirs
    std::vector<Ipv4Address> addresses;                           //!< theirs
    std::map<std::pair<uint32_t, uint32_t>, FlowLinkState> links; //!< by node ids
};

/// Has some bits carried and remembers when they were
class BitSender : public FlowUser
{
  public:
    /**
     * @param bench the network
     * @param from number of the transmitter
     * @param to number of the receiver
     * @param bits to be carried
     * @param start when
     */
    BitSender(FlowBench& bench, uint32_t from, uint32_t to, double bits, Time start = Time(0))
        : m_network(bench.network),
          m_flow(m_network->Open(bench.nodes[from], bench.nodes[to], this))
    {
        Simulator::Schedule(start, &FlowNetwork::Begin, m_network, m_flow, bits, 1.0);
    }

    /// @return when all were sent, in s; negative: they were not
    double GetEndS() const
    {
        return m_endS;
    }

  private:
    void HandleCarried() override
    {
        m_endS = Simulator::Now().GetSeconds();
    }

    void HandleProgress(double /* bits */) override
    {
    }

    void HandleDown() override
    {
    }

    Ptr<FlowNetwork> m_network;
    FlowNetwork::Flow* m_flow;
    double m_endS{-1};
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_BENCH_H */
