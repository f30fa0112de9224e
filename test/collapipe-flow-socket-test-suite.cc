/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Sockets over flows: bytes come whole, in order and in time, and a connection ends as TCP's does

#include "collapipe-flow-bench.h"

#include "ns3/collapipe-compat.h"
#include "ns3/config.h"
#include "ns3/test.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr uint16_t PORT = 9000;
constexpr double RATE_BPS = 8e6;
constexpr double LATENCY_S = 0.01;
constexpr double NANOSECONDS = 1e-8; //!< to which ends are rounded

/// A caller and who is called, over a wire, and all that happens to their sockets
class Call
{
  public:
    /**
     * @param hasListener whether somebody listens
     * @param segments of the initial window; the default is so many that there is no slow start
     */
    explicit Call(bool hasListener = true, uint32_t segments = 1000000)
        : m_bench(2)
    {
        Config::SetDefault("ns3::collapipe::FlowSocket::InitialCwnd", UintegerValue(segments));
        m_bench.Wire(0, 1, RATE_BPS, LATENCY_S);
        const auto tid = FlowSocketFactory::GetTypeId();
        if (hasListener)
        {
            listener = Socket::CreateSocket(m_bench.nodes[1], tid);
            listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), PORT));
            listener->Listen();
            listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                        MakeCallback(&Call::HandleAccept, this));
        }
        caller = Socket::CreateSocket(m_bench.nodes[0], tid);
        caller->SetConnectCallback(MakeCallback(&Call::HandleConnected, this),
                                   MakeCallback(&Call::HandleFailed, this));
        caller->SetCloseCallbacks(MakeCallback(&Call::HandleClosed, this),
                                  MakeCallback(&Call::HandleLost, this));
        caller->Bind();
        caller->Connect(InetSocketAddress(m_bench.addresses[1], PORT));
    }

    ~Call()
    {
        Config::Reset();
        caller = nullptr;
        listener = nullptr;
        accepted = nullptr;
    }

    /// Takes the interface of a node down, or brings it up.
    void SetUp(uint32_t node, bool isUp)
    {
        auto ipv4 = m_bench.nodes[node]->GetObject<Ipv4>();
        isUp ? ipv4->SetUp(1) : ipv4->SetDown(1);
    }

    Ptr<Socket> caller;                              //!< calls
    Ptr<Socket> listener;                            //!< listens
    Ptr<Socket> accepted;                            //!< was called
    std::function<void()> onConnected;               //!< what the caller does then
    double connectedS{-1};                           //!< when
    double failedS{-1};                              //!< when
    double closedS{-1};                              //!< when either side saw the other's end
    double lostS{-1};                                //!< when the caller's connection was lost
    std::vector<std::pair<double, uint32_t>> pieces; //!< when how many bytes came
    std::vector<uint8_t> bytes;                      //!< all that came

  private:
    static double Now()
    {
        return Simulator::Now().GetSeconds();
    }

    void HandleConnected(Ptr<Socket> /* socket */)
    {
        connectedS = Now();
        if (onConnected)
        {
            onConnected();
        }
    }

    void HandleFailed(Ptr<Socket> /* socket */)
    {
        failedS = Now();
    }

    void HandleClosed(Ptr<Socket> /* socket */)
    {
        closedS = Now();
    }

    void HandleLost(Ptr<Socket> /* socket */)
    {
        lostS = Now();
    }

    void HandleAccept(Ptr<Socket> socket, const Address& /* from */)
    {
        accepted = socket;
        accepted->SetRecvCallback(MakeCallback(&Call::HandleReceive, this));
        accepted->SetCloseCallbacks(MakeCallback(&Call::HandleClosed, this),
                                    MakeCallback(&Call::HandleLost, this));
    }

    void HandleReceive(Ptr<Socket> socket)
    {
        uint32_t size = 0;
        while (auto packet = socket->Recv())
        {
            const auto begin = bytes.size();
            bytes.resize(begin + packet->GetSize());
            packet->CopyData(bytes.data() + begin, packet->GetSize());
            size += packet->GetSize();
        }
        pieces.emplace_back(Now(), size);
    }

    FlowBench m_bench;
};

/// A connection takes a round trip, a message its size over the rate and the latency
class TimingTestCase : public TestCase
{
  public:
    TimingTestCase()
        : TestCase("times of connecting, sending and closing")
    {
    }

  private:
    void DoRun() override
    {
        Call call;
        constexpr uint32_t SIZE = 100000;
        call.onConnected = [&] {
            call.caller->Send(Create<Packet>(uint32_t{SIZE}), FlowSocket::END_OF_MESSAGE);
            call.caller->Send(Create<Packet>(2 * SIZE), FlowSocket::END_OF_MESSAGE);
            call.caller->Close();
        };
        Simulator::Run();
        const double oneS = 8.0 * SIZE / RATE_BPS;
        NS_TEST_EXPECT_MSG_EQ_TOL(call.connectedS, 2 * LATENCY_S, NANOSECONDS, "a round trip");
        NS_TEST_ASSERT_MSG_EQ(call.pieces.size(), 2, "a piece for each message");
        const double begin = call.connectedS + LATENCY_S;
        NS_TEST_EXPECT_MSG_EQ_TOL(call.pieces[0].first, begin + oneS, NANOSECONDS, "the first");
        NS_TEST_EXPECT_MSG_EQ_TOL(call.pieces[1].first, begin + 3 * oneS, NANOSECONDS, "the next");
        NS_TEST_EXPECT_MSG_EQ_TOL(call.closedS,
                                  call.pieces[1].first + LATENCY_S,
                                  NANOSECONDS,
                                  "the end comes after all that was sent");
    }
};

/// The waits of slow start, counted window by window
class SlowStartTestCase : public TestCase
{
  public:
    SlowStartTestCase()
        : TestCase("slow start")
    {
    }

  private:
    void DoRun() override
    {
        constexpr uint32_t SIZE = 100000;
        constexpr double SEGMENT = 1400;
        Call call(true, 2);
        call.onConnected = [&] {
            call.caller->Send(Create<Packet>(uint32_t{SIZE}), FlowSocket::END_OF_MESSAGE);
        };
        Simulator::Run();
        // Every window goes out at once; the next when the first acknowledgement is back
        double window = 2 * SEGMENT;
        double left = SIZE;
        double now = 0;
        while (left > window && 8 * window / RATE_BPS < 2 * LATENCY_S)
        {
            left -= window;
            now += 2 * LATENCY_S;
            window += window / 2;
        }
        now += 8 * left / RATE_BPS;
        NS_TEST_ASSERT_MSG_EQ(call.pieces.size(), 1, "one message");
        NS_TEST_EXPECT_MSG_EQ_TOL(call.pieces[0].first,
                                  call.connectedS + LATENCY_S + now,
                                  NANOSECONDS,
                                  "rounds of slow start");
    }
};

/// Messages of random sizes, in pieces of random sizes, at random times
class RandomMessagesTestCase : public TestCase
{
  public:
    RandomMessagesTestCase(uint32_t seed, bool fails)
        : TestCase("random messages " + std::to_string(seed) + (fails ? " over a bad link" : "")),
          m_seed(seed),
          m_fails(fails)
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937_64 random(m_seed);
        Call call;
        std::vector<uint8_t> sent;
        const auto send = [&] {
            const uint32_t size = 1 + random() % 300000;
            std::vector<uint8_t> message(size);
            std::generate(message.begin(), message.end(), [&] {
                return static_cast<uint8_t>(random());
            });
            for (uint32_t at = 0; at < size;)
            {
                const uint32_t part = std::min<uint32_t>(size - at, 1 + random() % 65536);
                const bool isLast = at + part == size;
                const int taken = call.caller->Send(Create<Packet>(message.data() + at, part),
                                                    isLast ? FlowSocket::END_OF_MESSAGE : 0);
                NS_TEST_ASSERT_MSG_EQ(taken, static_cast<int>(part), "there is room");
                at += part;
            }
            sent.insert(sent.end(), message.begin(), message.end());
        };
        constexpr uint32_t MESSAGES = 20;
        Time at = Seconds(1);
        for (uint32_t i = 0; i < MESSAGES; ++i)
        {
            ScheduleCall(at, send);
            at += MilliSeconds(random() % 300);
        }
        if (m_fails)
        {
            const uint32_t node = random() % 2;
            const Time down = Seconds(1) + MilliSeconds(random() % 2000);
            ScheduleCall(down, [&call, node] { call.SetUp(node, false); });
            ScheduleCall(down + MilliSeconds(random() % 5000),
                         [&call, node] { call.SetUp(node, true); });
        }
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(call.bytes.size(), sent.size(), "bytes are lost, or come twice");
        NS_TEST_EXPECT_MSG_EQ((call.bytes == sent), true, "bytes are not those that were sent");
        NS_TEST_EXPECT_MSG_LT(call.lostS, 0, "the connection was lost");
        const double least = 8.0 * sent.size() / RATE_BPS + LATENCY_S;
        NS_TEST_EXPECT_MSG_GT_OR_EQ(call.pieces.back().first - 1, least - NANOSECONDS, "too fast");
    }

    uint32_t m_seed;
    bool m_fails;
};

/// More than the buffer holds is not taken; when there is room the application hears of it
class BufferTestCase : public TestCase
{
  public:
    BufferTestCase()
        : TestCase("a full buffer")
    {
    }

  private:
    void HandleRoom(Ptr<Socket> socket, uint32_t /* available */)
    {
        while (m_left > 0 && socket->GetTxAvailable() > 0)
        {
            const uint32_t size = std::min({m_left, socket->GetTxAvailable(), 65536U});
            m_left -= size;
            socket->Send(Create<Packet>(size), m_left == 0 ? FlowSocket::END_OF_MESSAGE : 0);
        }
    }

    void DoRun() override
    {
        constexpr uint32_t BUFFER = 200000;
        constexpr uint32_t SIZE = 1000000;
        Call call;
        call.caller->SetAttribute("SndBufSize", UintegerValue(BUFFER));
        call.caller->SetSendCallback(MakeCallback(&BufferTestCase::HandleRoom, this));
        m_left = SIZE;
        call.onConnected = [&] {
            NS_TEST_EXPECT_MSG_EQ(call.caller->Send(Create<Packet>(BUFFER + 1), 0), -1, "too much");
            HandleRoom(call.caller, 0);
        };
        Simulator::Run();
        NS_TEST_EXPECT_MSG_EQ(call.bytes.size(), SIZE, "all has come");
        NS_TEST_EXPECT_MSG_EQ_TOL(call.pieces.back().first,
                                  call.connectedS + LATENCY_S + 8.0 * SIZE / RATE_BPS,
                                  1e-6,
                                  "the link was never idle");
    }

    uint32_t m_left{0};
};

/// Nobody listens, or the link never comes back
class LossTestCase : public TestCase
{
  public:
    LossTestCase()
        : TestCase("refused and lost connections")
    {
    }

  private:
    void DoRun() override
    {
        {
            Call call(false);
            Simulator::Run();
            NS_TEST_EXPECT_MSG_EQ_TOL(call.failedS, 2 * LATENCY_S, NANOSECONDS, "refused");
        }
        {
            Call call;
            call.SetUp(1, false);
            Simulator::Run();
            NS_TEST_EXPECT_MSG_GT(call.failedS, 60, "several attempts");
        }
        {
            Call call;
            call.onConnected = [&] {
                call.caller->Send(Create<Packet>(1000000), FlowSocket::END_OF_MESSAGE);
            };
            ScheduleCall(MilliSeconds(500), [&call] { call.SetUp(1, false); });
            Simulator::Run();
            // Noticed within a second; then 1 + 2 + 4 + ... + 64 s
            NS_TEST_EXPECT_MSG_EQ_TOL(call.lostS, 127 + 1, 0.6, "given up");
            NS_TEST_EXPECT_MSG_EQ(call.bytes.size(), 0, "nothing came through");
        }
        {
            // The other side has forgotten the connection: it is reset
            Call call;
            ScheduleCall(MilliSeconds(100), [&call] {
                call.SetUp(1, false);
                call.accepted->Close();
            });
            ScheduleCall(Seconds(300), [&call] {
                call.SetUp(1, true);
                call.caller->Send(Create<Packet>(1000), FlowSocket::END_OF_MESSAGE);
            });
            Simulator::Run();
            NS_TEST_EXPECT_MSG_EQ_TOL(call.lostS, 300, 0.1, "reset");
        }
    }
};

/// The suite
class FlowSocketTestSuite : public TestSuite
{
  public:
    FlowSocketTestSuite()
        : TestSuite("collapipe-flow-socket", Type::UNIT)
    {
        AddTestCase(new TimingTestCase);
        AddTestCase(new SlowStartTestCase);
        AddTestCase(new BufferTestCase);
        AddTestCase(new LossTestCase);
        for (uint32_t seed = 1; seed <= 10; ++seed)
        {
            AddTestCase(new RandomMessagesTestCase(seed, false));
            AddTestCase(new RandomMessagesTestCase(seed, true));
        }
    }
};

FlowSocketTestSuite g_flowSocketTestSuite; //!< registers the suite

} // namespace
