/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/boolean.h"
#include "ns3/collapipe-airtime-ledger.h"
#include "ns3/double.h"
#include "ns3/nstime.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

void
Ignore()
{
}

/**
 * A channel that serves one frame after the other, of whoever may send; which of these is drawn, as
 * contention does. Frames of a link have a length of its own, as its rate would have it.
 */
class Channel
{
  public:
    /**
     * @param shares by link
     * @param seed of all draws
     */
    Channel(const std::vector<double>& shares, uint32_t seed)
        : m_random(seed),
          m_ledger(CreateObject<AirtimeLedger>()),
          m_backlogged(shares.size(), true)
    {
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            m_ledger->Open(MakeCallback(&Ignore));
            m_ledger->SetShare(link, shares[link]);
            m_ledger->SetBacklogged(link, true);
            m_meanS.push_back(std::uniform_real_distribution<>(2e-4, 4e-3)(m_random));
        }
    }

    ~Channel()
    {
        m_ledger->Dispose();
        Simulator::Destroy();
    }

    /// Sends so many frames, and waits where nobody may
    void Serve(uint32_t frames)
    {
        for (uint32_t frame = 0; frame < frames; ++frame)
        {
            std::vector<std::size_t> able;
            while (able.empty())
            {
                for (std::size_t link = 0; link < m_backlogged.size(); ++link)
                {
                    if (m_backlogged[link] && m_ledger->MaySend(link))
                    {
                        able.push_back(link);
                    }
                }
                if (able.empty())
                {
                    Pass(MilliSeconds(1));
                    m_idle += MilliSeconds(1);
                }
            }
            const std::size_t link = able[m_random() % able.size()];
            const Time length =
                Seconds(m_meanS[link] * std::uniform_real_distribution<>(0.5, 1.5)(m_random));
            m_ledger->Charge(link, length);
            Pass(length);
        }
    }

    /// Lets time pass
    static void Pass(Time time)
    {
        Simulator::Stop(time);
        Simulator::Run();
    }

    /// Begins or ends a link's backlog
    void SetBacklogged(std::size_t link, bool isBacklogged)
    {
        m_backlogged[link] = isBacklogged;
        m_ledger->SetBacklogged(link, isBacklogged);
    }

    /// @return airtime of each link so far, s
    std::vector<double> GetCharged() const
    {
        std::vector<double> charged;
        for (std::size_t link = 0; link < m_backlogged.size(); ++link)
        {
            charged.push_back(m_ledger->GetCharged(link).GetSeconds());
        }
        return charged;
    }

    std::mt19937 m_random;
    Ptr<AirtimeLedger> m_ledger;
    Time m_idle; //!< how long nobody might send

  private:
    std::vector<bool> m_backlogged;
    std::vector<double> m_meanS;
};

/// @return random shares that sum to at most 1
std::vector<double>
DrawShares(std::mt19937& random)
{
    std::vector<double> shares(2 + random() % 7);
    for (auto& share : shares)
    {
        share = std::uniform_real_distribution<>(0.02, 1)(random);
    }
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0) *
                       std::uniform_real_distribution<>(1, 3)(random);
    for (auto& share : shares)
    {
        share /= sum;
    }
    return shares;
}

/// Links that always have something to send get airtime in proportion, and none is left unused
class ProportionTest : public TestCase
{
  public:
    ProportionTest()
        : TestCase("Airtime in proportion to random shares, frames of different lengths")
    {
    }

  private:
    void DoRun() override
    {
        for (uint32_t seed = 1; seed <= 20; ++seed)
        {
            std::mt19937 random(seed);
            const auto shares = DrawShares(random);
            Channel channel(shares, seed);
            channel.Serve(4000);
            const auto charged = channel.GetCharged();
            const double all = std::accumulate(charged.begin(), charged.end(), 0.0);
            const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
            for (std::size_t link = 0; link < shares.size(); ++link)
            {
                // A frame and the credit that may be saved up are what can be open in the end
                NS_TEST_EXPECT_MSG_EQ_TOL(charged[link],
                                          all * shares[link] / sum,
                                          0.06 + 0.01 * all * shares[link] / sum,
                                          "link " << link << ", seed " << seed);
            }
            NS_TEST_EXPECT_MSG_EQ(channel.m_idle, Time(0), "never idle, seed " << seed);
        }
    }
};

/// Links that come and go: whoever has something to send may soon, and the others' ratio holds
class ComeAndGoTest : public TestCase
{
  public:
    ComeAndGoTest()
        : TestCase("Links that come and go")
    {
    }

  private:
    void DoRun() override
    {
        for (uint32_t seed = 1; seed <= 10; ++seed)
        {
            Channel channel({0.1, 0.3, 0.4}, seed);
            for (int change = 0; change < 40; ++change)
            {
                channel.SetBacklogged(2, change % 2 == 1);
                channel.Serve(1 + channel.m_random() % 100);
            }
            const auto charged = channel.GetCharged();
            NS_TEST_EXPECT_MSG_EQ_TOL(charged[1] / charged[0], 3, 0.3, "ratio, seed " << seed);
            // Each end of a backlog holds up others for the time of an acknowledgement, 0.5 ms, at
            // most; they are asked every millisecond
            NS_TEST_EXPECT_MSG_LT_OR_EQ(channel.m_idle, MilliSeconds(20), "idle");
        }
    }
};

/**
 * A pipeline over one channel: what a link carries has come over the link before it, and been
 * computed with since. While the channel has room for all of it, no message waits for longer than
 * the frame that is on the air and an acknowledgement's time, whatever shares and priorities are: a
 * link that has credit, or goes first, and whose message has not come must not hold up the very
 * link that would bring it.
 */
class PipelineTest : public TestCase
{
  public:
    PipelineTest()
        : TestCase("A pipeline's links do not wait for each other")
    {
    }

  private:
    static constexpr double GAP_S = 1e-4;       //!< between frames
    static constexpr double ACK_S = 5e-4;       //!< AckTime
    static constexpr double LONGEST_S = 1.5e-3; //!< of a frame

    void DoRun() override
    {
        for (uint32_t seed = 1; seed <= 30; ++seed)
        {
            m_random.seed(seed);
            m_ledger = CreateObject<AirtimeLedger>();
            m_frames.clear();
            m_waiting.assign(2 + m_random() % 4, {});
            m_isBusy = false;
            m_longestWaitS = 0;
            m_delivered = 0;
            const auto shares = DrawShares(m_random);
            double sumS = 0;
            for (std::size_t link = 0; link < m_waiting.size(); ++link)
            {
                m_ledger->Open(MakeCallback(&PipelineTest::Serve, this));
                m_ledger->SetShare(link, shares[link % shares.size()]);
                m_ledger->SetPriority(link, seed % 2 == 0 ? m_random() % 3 : 0);
                m_frames.push_back(std::uniform_real_distribution<>(3e-4, LONGEST_S)(m_random));
                sumS += m_frames.back() + GAP_S;
            }
            // The channel is busy for two thirds of the time at most, pauses for acks included
            const Time period = Seconds(1.5 * (sumS + ACK_S * m_frames.size()));
            constexpr uint32_t MESSAGES = 200;
            for (uint32_t message = 0; message < MESSAGES; ++message)
            {
                Simulator::Schedule(period * message, &PipelineTest::Arrive, this, 0);
            }
            Simulator::Run();
            NS_TEST_EXPECT_MSG_EQ(m_delivered, MESSAGES, "all through, seed " << seed);
            NS_TEST_EXPECT_MSG_LT_OR_EQ(m_longestWaitS,
                                        2 * (LONGEST_S + GAP_S) + ACK_S,
                                        "the longest wait, seed " << seed);
            m_ledger->Dispose();
            m_ledger = nullptr;
            Simulator::Destroy();
        }
    }

    /// A message has come to a link
    void Arrive(std::size_t link)
    {
        m_waiting[link].push_back(Simulator::Now());
        m_ledger->SetBacklogged(link, true);
        Serve();
    }

    /// Sends a frame of one of those that may
    void Serve()
    {
        std::vector<std::size_t> able;
        for (std::size_t link = 0; link < m_waiting.size(); ++link)
        {
            if (!m_waiting[link].empty() && m_ledger->MaySend(link))
            {
                able.push_back(link);
            }
        }
        if (m_isBusy || able.empty())
        {
            return;
        }
        m_isBusy = true;
        const std::size_t link = able[m_random() % able.size()];
        const Time length = Seconds(m_frames[link]);
        m_longestWaitS =
            std::max(m_longestWaitS, (Simulator::Now() - m_waiting[link].front()).GetSeconds());
        m_waiting[link].erase(m_waiting[link].begin());
        m_ledger->SetBacklogged(link, !m_waiting[link].empty());
        m_ledger->Charge(link, length);
        Simulator::Schedule(length + Seconds(GAP_S), &PipelineTest::End, this, link);
    }

    /// A frame's receiver computes with it
    void End(std::size_t link)
    {
        m_isBusy = false;
        if (link + 1 < m_waiting.size())
        {
            const double computeS = std::uniform_real_distribution<>(1e-4, 3e-3)(m_random);
            Simulator::Schedule(Seconds(computeS), &PipelineTest::Arrive, this, link + 1);
        }
        else
        {
            ++m_delivered;
        }
        Serve();
    }

    std::mt19937 m_random;
    Ptr<AirtimeLedger> m_ledger;
    std::vector<double> m_frames;             //!< length of a frame of each link, s
    std::vector<std::vector<Time>> m_waiting; //!< since when, by link
    bool m_isBusy{false};
    double m_longestWaitS{0};
    uint32_t m_delivered{0};
};

/// One that has credit and does not use it holds up the others for Patience, and not for good
class PatienceTest : public TestCase
{
  public:
    PatienceTest()
        : TestCase("A link that does not use its credit")
    {
    }

  private:
    void DoRun() override
    {
        const auto ledger = CreateObject<AirtimeLedger>();
        for (std::size_t link = 0; link < 2; ++link)
        {
            ledger->Open(MakeCallback(&PatienceTest::Wake, this));
            ledger->SetShare(link, 0.5);
            ledger->SetBacklogged(link, true);
        }
        Channel::Pass(MilliSeconds(1));
        m_wakes = 0;
        ledger->Charge(0, MilliSeconds(10));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(0), false, "in debt");
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(1), true, "in credit");
        Channel::Pass(MilliSeconds(18));
        NS_TEST_EXPECT_MSG_EQ(m_wakes, 0, "nobody woken");
        Channel::Pass(MilliSeconds(4));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(0), true, "patience lost");
        NS_TEST_EXPECT_MSG_EQ(m_wakes, 1, "it was told");
        ledger->Dispose();
        Simulator::Destroy();
    }

    void Wake()
    {
        ++m_wakes;
    }

    uint32_t m_wakes{0};
};

/// The highest priority gets all but a floor; those of it, and those below it, keep proportion
class PriorityTest : public TestCase
{
  public:
    PriorityTest()
        : TestCase("Priorities, random shares, frames of different lengths")
    {
    }

  private:
    void DoRun() override
    {
        for (uint32_t seed = 1; seed <= 20; ++seed)
        {
            std::mt19937 random(seed);
            const auto shares = DrawShares(random);
            Channel channel(shares, seed);
            std::vector<uint8_t> priorities;
            for (std::size_t link = 0; link < shares.size(); ++link)
            {
                priorities.push_back(random() % 3);
                channel.m_ledger->SetPriority(link, priorities.back());
            }
            const auto top = *std::max_element(priorities.begin(), priorities.end());
            channel.Serve(20000);
            Check(channel, shares, priorities, top, seed);
            // Without those of the highest priority the others are as quick as ever
            bool isOneLeft = false;
            for (std::size_t link = 0; link < shares.size(); ++link)
            {
                priorities[link] == top ? channel.SetBacklogged(link, false) : void();
                isOneLeft = isOneLeft || priorities[link] != top;
            }
            channel.m_idle = Time(0);
            isOneLeft ? channel.Serve(100) : void();
            NS_TEST_EXPECT_MSG_LT_OR_EQ(channel.m_idle, MilliSeconds(1), "an ack's time, once");
        }
    }

    void Check(const Channel& channel,
               const std::vector<double>& shares,
               const std::vector<uint8_t>& priorities,
               uint8_t top,
               uint32_t seed)
    {
        const auto charged = channel.GetCharged();
        double all[2] = {0, 0};  // of the highest priority, of those below
        double sums[2] = {0, 0}; // of their shares
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            all[priorities[link] == top ? 0 : 1] += charged[link];
            sums[priorities[link] == top ? 0 : 1] += shares[link];
        }
        if (sums[1] > 0)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(all[1], 0.02 * all[0], 0.1, "the floor, seed " << seed);
        }
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            const int part = priorities[link] == top ? 0 : 1;
            const double wanted = all[part] * shares[link] / sums[part];
            NS_TEST_EXPECT_MSG_EQ_TOL(charged[link],
                                      wanted,
                                      0.06 + 0.01 * wanted,
                                      "link " << link << ", seed " << seed);
        }
        NS_TEST_EXPECT_MSG_EQ(channel.m_idle, Time(0), "never idle, seed " << seed);
    }
};

/// Reserved shares: everybody gets his share of the time, whatever the others do, and no more
class ReservedTest : public TestCase
{
  public:
    ReservedTest()
        : TestCase("Reserved shares of the time, alone and beside others")
    {
    }

  private:
    static constexpr double OVERHEAD_S = 2e-4; //!< of a message, here one frame
    static constexpr double FACTOR = 1.5;      //!< what a frame costs over its airtime
    static constexpr double SPAN_S = 20;

    /// Frames of a link whenever it may send; a queue disc would be woken, here it is asked often
    void Serve(Ptr<AirtimeLedger> ledger, std::size_t link, double frameS)
    {
        if (ledger->MaySend(link))
        {
            ledger->HandOver(link, {1000, false, 1000});
            ledger->Charge(link, Seconds(frameS), 1000);
            ++m_frames[link];
            Simulator::Schedule(Seconds(frameS + OVERHEAD_S),
                                &ReservedTest::Serve,
                                this,
                                ledger,
                                link,
                                frameS);
            return;
        }
        Simulator::Schedule(MicroSeconds(50), &ReservedTest::Serve, this, ledger, link, frameS);
    }

    /// Share of the time, at what a frame and a message cost, that each of these links had
    std::vector<double> Measure(const std::vector<double>& shares, const std::vector<bool>& sends)
    {
        Ptr<AirtimeLedger> ledger =
            CreateObjectWithAttributes<AirtimeLedger>("WorkConserving",
                                                      BooleanValue(false),
                                                      "TransferFactor",
                                                      DoubleValue(FACTOR),
                                                      "ExchangeOverhead",
                                                      TimeValue(Seconds(OVERHEAD_S / 2)),
                                                      "ReplyOverhead",
                                                      TimeValue(Seconds(OVERHEAD_S / 2)));
        m_frames.assign(shares.size(), 0);
        const std::vector<double> frames{2e-3, 5e-4, 4e-3};
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            ledger->Open(MakeCallback(&Ignore));
            ledger->SetShare(link, shares[link]);
            if (sends[link])
            {
                ledger->SetBacklogged(link, true);
                Simulator::ScheduleNow(&ReservedTest::Serve, this, ledger, link, frames[link % 3]);
            }
        }
        Simulator::Stop(Seconds(SPAN_S));
        Simulator::Run();
        std::vector<double> measured;
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            measured.push_back(
                (FACTOR * ledger->GetCharged(link).GetSeconds() + m_frames[link] * OVERHEAD_S) /
                SPAN_S);
        }
        ledger->Dispose();
        Simulator::Destroy();
        return measured;
    }

    void DoRun() override
    {
        const std::vector<double> shares{0.5, 0.2, 0.05};
        const auto together = Measure(shares, {true, true, true});
        const auto alone = Measure(shares, {false, true, false});
        for (std::size_t link = 0; link < shares.size(); ++link)
        {
            NS_TEST_EXPECT_MSG_EQ_TOL(together[link], shares[link], 0.01 * shares[link], "share");
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(alone[1], shares[1], 0.01 * shares[1], "nothing of the others'");
        NS_TEST_EXPECT_MSG_EQ(alone[0], 0, "idle");

        // A pause is not saved up: right after it a link has no credit.
        Ptr<AirtimeLedger> ledger =
            CreateObjectWithAttributes<AirtimeLedger>("WorkConserving", BooleanValue(false));
        const auto link = ledger->Open(MakeCallback(&Ignore));
        ledger->SetShare(link, 0.5);
        Channel::Pass(Seconds(1));
        ledger->SetBacklogged(link, true);
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(link), true, "owes nothing");
        ledger->Charge(link, MilliSeconds(1));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(link), false, "has nothing saved");
        Channel::Pass(MilliSeconds(3));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(link), true, "has earned it");
        ledger->Dispose();
        Simulator::Destroy();
        TestChange();
    }

    /// Who waits for what a small share earns does not go on waiting with a large one
    void TestChange()
    {
        Ptr<AirtimeLedger> ledger =
            CreateObjectWithAttributes<AirtimeLedger>("WorkConserving",
                                                      BooleanValue(false),
                                                      "MaxCredit",
                                                      TimeValue(MilliSeconds(1)));
        const auto link = ledger->Open(MakeCallback(&ReservedTest::CountWake, this));
        ledger->SetShare(link, 1e-4);
        ledger->SetBacklogged(link, true);
        ledger->HandOver(link, {1000, false, 1000});
        ledger->Charge(link, MilliSeconds(1), 1000);
        Channel::Pass(MilliSeconds(100));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(link, {1000, false, 1000}), false, "has to wait");
        m_wakes = 0;
        ledger->SetShare(link, 0.5);
        Channel::Pass(MilliSeconds(5));
        NS_TEST_EXPECT_MSG_GT(m_wakes, 0, "is told of its new share");
        // A frame that costs more than can be saved up is sent all the same
        ledger->Charge(link, MilliSeconds(5), 1000);
        Channel::Pass(MilliSeconds(20));
        NS_TEST_EXPECT_MSG_EQ(ledger->MaySend(link, {5000, false, 5000}), true, "at its most");
        ledger->Dispose();
        Simulator::Destroy();
    }

    void CountWake()
    {
        ++m_wakes;
    }

    std::vector<uint64_t> m_frames; //!< by link
    uint32_t m_wakes{0};            //!< of the link that waits
};

static class AirtimeLedgerTestSuite : public TestSuite
{
  public:
    AirtimeLedgerTestSuite()
        : TestSuite("collapipe-airtime-ledger", Type::UNIT)
    {
        AddTestCase(new PipelineTest);
        AddTestCase(new ProportionTest);
        AddTestCase(new ComeAndGoTest);
        AddTestCase(new PatienceTest);
        AddTestCase(new PriorityTest);
        AddTestCase(new ReservedTest);
    }
} g_airtimeLedgerTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
