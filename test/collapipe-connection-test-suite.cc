/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Connections whose ends leave: what is still on its way then does no harm.

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-connection.h"
#include "ns3/config.h"
#include "ns3/error-model.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/tcp-header.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-socket-base.h"
#include "ns3/test.h"

#include <random>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr uint16_t PORT = 9000;
constexpr uint32_t MESSAGE_BYTES = 1 << 20; ///< of what each end has to say
constexpr double LEAVING_S = 1;             ///< by then the ends have closed, seconds
constexpr double OUTAGE_S = 12; ///< longest time for which an end hears nothing, seconds
constexpr double END_S = 3600;  ///< when to look whether all is over, seconds

/**
 * Both ends of a connection have much to say and leave at a random moment while they do not hear
 * each other. When they do, what is in their send buffers can fill the receive buffers to the last
 * byte. Where nobody reads those, an end hears that there is no room while it has nothing left to
 * send, and ns-3's TcpSocketBase::PersistTimeout() crashes: it takes a byte of an empty buffer to
 * probe.
 */
class LeavingTestCase : public TestCase
{
  public:
    /// @param seed of when what happens
    explicit LeavingTestCase(uint64_t seed)
        : TestCase("both ends leave, seed " + std::to_string(seed)),
          m_random(seed)
    {
    }

  private:
    void HandleAccept(Ptr<Socket> socket, const Address& /* from */)
    {
        m_callee = Create<Connection>(socket, m_config);
        Watch();
        m_callee->Send(MakeMessage());
    }

    /// @return a message
    static Message MakeMessage()
    {
        Message message;
        message.header.type = MessageType::ACTIVATION;
        std::vector<uint8_t> bytes(MESSAGE_BYTES);
        message.tensors.push_back(
            TensorData::FromVector(DType::UINT8, {MESSAGE_BYTES}, std::move(bytes)));
        return message;
    }

    /// Looks at every segment that comes to a socket that there is by now.
    void Watch()
    {
        Config::ConnectWithoutContextFailSafe("/NodeList/*/$ns3::TcpL4Protocol/SocketList/*/Rx",
                                              MakeCallback(&LeavingTestCase::HandleSegment, this));
    }

    void HandleSegment(Ptr<const Packet> /* packet */,
                       const TcpHeader& header,
                       Ptr<const TcpSocketBase> /* socket */)
    {
        m_sawZeroWindow = m_sawZeroWindow || header.GetWindowSize() == 0;
    }

    void Call(Ptr<Node> node, const InetSocketAddress& remote)
    {
        m_caller = Connection::Connect(node, remote, m_config);
        Watch();
        m_caller->Send(MakeMessage());
    }

    /// @return a random number of at most so much
    double Draw(double most)
    {
        return std::uniform_real_distribution<double>(0, most)(m_random);
    }

    /// Makes a device deaf for some time, which begins before the ends leave.
    void MakeDeaf(Ptr<NetDevice> device)
    {
        auto deaf = CreateObject<RateErrorModel>();
        deaf->SetRate(1);
        deaf->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        deaf->Disable();
        device->SetAttribute("ReceiveErrorModel", PointerValue(deaf));
        const double beginS = Draw(LEAVING_S);
        ScheduleCall(Seconds(beginS), [deaf] { deaf->Enable(); });
        ScheduleCall(Seconds(beginS + Draw(OUTAGE_S)), [deaf] { deaf->Disable(); });
    }

    void DoRun() override
    {
        m_config.bufferBytes = 16 << 10;
        NodeContainer nodes;
        nodes.Create(2);
        PointToPointHelper link;
        link.SetDeviceAttribute("DataRate", StringValue("10Mbps"));
        link.SetChannelAttribute("Delay", StringValue("2ms"));
        const auto devices = link.Install(nodes);
        MakeDeaf(devices.Get(0));
        MakeDeaf(devices.Get(1));
        InternetStackHelper().Install(nodes);
        Ipv4AddressHelper addressing("10.0.0.0", "255.255.255.0");
        const auto addresses = addressing.Assign(devices);
        auto listener = Connection::Listen(nodes.Get(1), m_config, PORT);
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                    MakeCallback(&LeavingTestCase::HandleAccept, this));
        ScheduleCall(Seconds(0), [&, this] {
            Call(nodes.Get(0), InetSocketAddress(addresses.GetAddress(1), PORT));
        });
        ScheduleCall(Seconds(Draw(LEAVING_S)), [this] { m_caller->Close(); });
        ScheduleCall(Seconds(Draw(LEAVING_S)), [this] {
            if (m_callee)
            {
                m_callee->Close();
            }
        });
        Simulator::Stop(Seconds(END_S));
        Simulator::Run();
        Simulator::Destroy();
        NS_TEST_EXPECT_MSG_EQ(m_sawZeroWindow, false, "nobody reads what is still on its way");
    }

    std::mt19937_64 m_random;    //!< of when what happens
    TransportConfig m_config;    //!< TCP settings
    Ptr<Connection> m_caller;    //!< the end that has called
    Ptr<Connection> m_callee;    //!< the end that was called
    bool m_sawZeroWindow{false}; //!< an end was told that there is no room
};

/**
 * Segments of old connections come to a node that listens, with a window that is closed, before and
 * after somebody has called; who calls later is heard all the same, and ns-3's TCP survives it,
 * with its assertions and without.
 */
class StraySegmentTestCase : public TestCase
{
  public:
    StraySegmentTestCase()
        : TestCase("segments of an old connection come to a node that listens")
    {
    }

  private:
    void DoRun() override
    {
        NodeContainer nodes;
        nodes.Create(2);
        const auto devices = PointToPointHelper().Install(nodes);
        InternetStackHelper().Install(nodes);
        Ipv4AddressHelper addressing("10.0.0.0", "255.255.255.0");
        const auto addresses = addressing.Assign(devices);
        const auto to = addresses.GetAddress(1);
        auto listener = Connection::Listen(nodes.Get(1), m_config, PORT);
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                    MakeCallback(&StraySegmentTestCase::HandleAccept, this));
        std::vector<Ptr<Connection>> callers;
        for (const double start : {1.0, 101.0})
        {
            ScheduleCall(Seconds(start), [&nodes, &addresses, to] {
                SendStraySegments(nodes.Get(0), addresses.GetAddress(0), to);
            });
            // the one while ns-3's own socket would wait to probe, the other when it has probed
            for (const double later : {1.0, 50.0})
            {
                ScheduleCall(Seconds(start + later), [this, &callers, &nodes, to] {
                    const InetSocketAddress remote(to, PORT);
                    callers.push_back(Connection::Connect(nodes.Get(0), remote, m_config));
                });
            }
        }
        Simulator::Stop(Seconds(END_S));
        Simulator::Run();
        Simulator::Destroy();
        NS_TEST_EXPECT_MSG_EQ(m_callees.size(), callers.size(), "who calls later is heard");
    }

    /// Sends segments of a connection that the other node knows nothing of.
    static void SendStraySegments(Ptr<Node> node, Ipv4Address from, Ipv4Address to)
    {
        for (const uint8_t flags : {TcpHeader::RST, TcpHeader::FIN, TcpHeader::ACK})
        {
            TcpHeader header;
            header.SetFlags(flags);
            header.SetSourcePort(50000);
            header.SetDestinationPort(PORT);
            header.SetWindowSize(0);
            node->GetObject<TcpL4Protocol>()->SendPacket(Create<Packet>(), header, from, to);
        }
    }

    void HandleAccept(Ptr<Socket> socket, const Address& /* from */)
    {
        m_callees.push_back(Create<Connection>(socket, m_config));
    }

    const TransportConfig m_config;         //!< of all connections
    std::vector<Ptr<Connection>> m_callees; //!< who was accepted
};

/**
 * @ingroup collapipe-tests
 * The ends of connections.
 */
class ConnectionTestSuite : public TestSuite
{
  public:
    ConnectionTestSuite()
        : TestSuite("collapipe-connection", Type::UNIT)
    {
        AddTestCase(new StraySegmentTestCase);
        for (uint64_t seed = 1; seed <= 200; ++seed)
        {
            AddTestCase(new LeavingTestCase(seed));
        }
    }
};

ConnectionTestSuite g_connectionTestSuite; //!< the suite

} // namespace
