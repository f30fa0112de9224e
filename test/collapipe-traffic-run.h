/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRAFFIC_RUN_H
#define COLLAPIPE_TRAFFIC_RUN_H

// Plain TCP over a topology's links, without any training

#include "ns3/collapipe-topology.h"
#include "ns3/inet-socket-address.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/tcp-socket-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

constexpr uint32_t SEGMENT_BYTES = 1400;
constexpr uint32_t BUFFER_BYTES = 4000000;
constexpr uint16_t FIRST_PORT = 5000;

/// One TCP transfer from its start to its last byte
class Transfer
{
  public:
    /**
     * @param from sender
     * @param to receiver
     * @param address by which from reaches to
     * @param bytes how many
     */
    Transfer(Ptr<Node> from, Ptr<Node> to, Ipv4Address address, uint32_t bytes)
        : m_from(from),
          m_to(to),
          m_address(address),
          m_left(bytes),
          m_missing(bytes)
    {
    }

    /**
     * Listen now, connect later.
     * @param at when to connect
     * @param port to listen on
     */
    void Schedule(Time at, uint16_t port)
    {
        m_start = at;
        m_listener = MakeSocket(m_to);
        m_listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
        m_listener->Listen();
        m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeCallback(&Transfer::Accept, this));
        m_sender = MakeSocket(m_from);
        m_sender->SetSendCallback(MakeCallback(&Transfer::Send, this));
        Simulator::Schedule(at, &Transfer::Connect, this, port);
    }

    /// @return whether everything arrived
    bool IsDone() const
    {
        return m_missing == 0;
    }

    /// @return time from connecting to the last byte
    Time GetDuration() const
    {
        return m_end - m_start;
    }

  private:
    static Ptr<Socket> MakeSocket(Ptr<Node> node)
    {
        Ptr<Socket> socket = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
        socket->SetAttribute("SegmentSize", UintegerValue(SEGMENT_BYTES));
        socket->SetAttribute("SndBufSize", UintegerValue(BUFFER_BYTES));
        socket->SetAttribute("RcvBufSize", UintegerValue(BUFFER_BYTES));
        socket->SetAttribute("ConnTimeout", TimeValue(MilliSeconds(200)));
        return socket;
    }

    void Connect(uint16_t port)
    {
        m_sender->Connect(InetSocketAddress(m_address, port));
    }

    void Send(Ptr<Socket> socket, uint32_t space)
    {
        while (m_left > 0 && space > 0)
        {
            const uint32_t size = std::min({m_left, space, SEGMENT_BYTES});
            if (socket->Send(Create<Packet>(size)) < 0)
            {
                return;
            }
            m_left -= size;
            space = socket->GetTxAvailable();
        }
    }

    void Accept(Ptr<Socket> socket, const Address& /* from */)
    {
        m_receiver = socket;
        socket->SetRecvCallback(MakeCallback(&Transfer::Receive, this));
    }

    void Receive(Ptr<Socket> socket)
    {
        while (Ptr<Packet> packet = socket->Recv())
        {
            m_missing -= packet->GetSize();
            m_end = Simulator::Now();
        }
    }

    Ptr<Node> m_from;       //!< sender
    Ptr<Node> m_to;         //!< receiver
    Ipv4Address m_address;  //!< of the receiver
    uint32_t m_left;        //!< bytes to send
    uint32_t m_missing;     //!< bytes to receive
    Time m_start;           //!< when it connects
    Time m_end;             //!< last byte
    Ptr<Socket> m_listener; //!< receiver's
    Ptr<Socket> m_sender;   //!< sender's
    Ptr<Socket> m_receiver; //!< receiver's, accepted
};

/// A topology and transfers over it
class TrafficRun
{
  public:
    /**
     * @param name of the topology
     * @param config its configuration
     */
    TrafficRun(const std::string& name, const TopologyConfig& config)
        : m_topology(TopologyHelper::Create(name)),
          m_network(m_topology->Build(config))
    {
    }

    ~TrafficRun()
    {
        Simulator::Destroy();
    }

    /**
     * Every transfer that training needs: to and from the edge server, and both ways between
     * neighbours in a cluster.
     * @param bytes of each
     */
    void AddAll(uint32_t bytes)
    {
        for (uint32_t m = 0; m < m_network.clusters.size(); ++m)
        {
            for (uint32_t i = 0; i < m_network.clusters[m].GetN(); ++i)
            {
                AddUp(m, i, bytes);
                AddDown(m, i, bytes);
                if (i > 0)
                {
                    AddD2d(m, i - 1, i, bytes);
                    AddD2d(m, i, i - 1, bytes);
                }
            }
        }
    }

    /// Node to edge server
    void AddUp(uint32_t cluster, uint32_t node, uint32_t bytes)
    {
        Add(m_network.clusters[cluster].GetNode(node),
            m_network.edgeServer,
            m_network.edgeAddress,
            bytes);
    }

    /// Edge server to node
    void AddDown(uint32_t cluster, uint32_t node, uint32_t bytes)
    {
        const ClusterNetwork& net = m_network.clusters[cluster];
        Add(m_network.edgeServer, net.GetNode(node), net.edgeAddresses[node], bytes);
    }

    /// Node to node of a cluster
    void AddD2d(uint32_t cluster, uint32_t from, uint32_t to, uint32_t bytes)
    {
        const ClusterNetwork& net = m_network.clusters[cluster];
        Add(net.GetNode(from), net.GetNode(to), net.addresses[to], bytes);
    }

    /**
     * Run until all is done.
     * @param limit at most, after the network is ready
     * @return number of transfers that are not done
     */
    uint32_t Run(Time limit)
    {
        for (uint32_t i = 0; i < m_transfers.size(); ++i)
        {
            m_transfers[i]->Schedule(m_network.readyAt, FIRST_PORT + i);
        }
        Simulator::Schedule(m_network.readyAt, &TrafficRun::StopWhenDone, this);
        Simulator::Stop(m_network.readyAt + limit);
        Simulator::Run();
        return CountMissing();
    }

    /// @return duration of every transfer
    std::vector<Time> GetDurations() const
    {
        std::vector<Time> durations;
        for (const auto& transfer : m_transfers)
        {
            durations.push_back(transfer->GetDuration());
        }
        return durations;
    }

    /// @return what FillLinks says
    SystemState GetLinks() const
    {
        SystemState state;
        m_topology->FillLinks(state);
        return state;
    }

    /// @return the network
    const Network& GetNetwork() const
    {
        return m_network;
    }

  private:
    void Add(Ptr<Node> from, Ptr<Node> to, Ipv4Address address, uint32_t bytes)
    {
        m_transfers.push_back(std::make_unique<Transfer>(from, to, address, bytes));
    }

    uint32_t CountMissing() const
    {
        return std::count_if(m_transfers.begin(), m_transfers.end(), [](const auto& transfer) {
            return !transfer->IsDone();
        });
    }

    void StopWhenDone()
    {
        if (CountMissing() == 0)
        {
            Simulator::Stop();
            return;
        }
        Simulator::Schedule(MilliSeconds(5), &TrafficRun::StopWhenDone, this);
    }

    std::unique_ptr<TopologyHelper> m_topology;         //!< the topology
    Network m_network;                                  //!< what it built
    std::vector<std::unique_ptr<Transfer>> m_transfers; //!< the transfers
};

/// Chooses a run number for a scope
class ScopedRun
{
  public:
    /// @param run the run number
    explicit ScopedRun(uint64_t run)
        : m_before(RngSeedManager::GetRun())
    {
        RngSeedManager::SetRun(run);
    }

    ~ScopedRun()
    {
        RngSeedManager::SetRun(m_before);
    }

  private:
    uint64_t m_before; //!< to be restored
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRAFFIC_RUN_H */
