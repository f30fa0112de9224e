/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-airtime-ledger.h"

#include "ns3/boolean.h"
#include "ns3/collapipe-compat.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeAirtimeLedger");
NS_OBJECT_ENSURE_REGISTERED(AirtimeLedger);

/**
 * Preambles are detected 4 us after they begin to arrive: before that the others' channel still
 * looks idle, so a station that was woken earlier could send at once, into the frame that has just
 * begun.
 */
const Time AirtimeLedger::WAKE_DELAY = MicroSeconds(10);

TypeId
AirtimeLedger::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::AirtimeLedger")
            .SetParent<Object>()
            .SetGroupName("CollaPipe")
            .AddConstructor<AirtimeLedger>()
            .AddAttribute("Grace",
                          "How long a link without anything to send keeps its place",
                          TimeValue(MilliSeconds(10)),
                          MakeTimeAccessor(&AirtimeLedger::m_grace),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("AckTime",
                          "How long the channel stays silent for such a link: as long as TCP's "
                          "next acknowledgement may take. An access with AIFS of best effort and "
                          "the whole least contention window, the acknowledgement's frame, its "
                          "block acknowledgement, and the access before it (IEEE 802.11ax, 5 GHz)",
                          TimeValue(MicroSeconds(500)),
                          MakeTimeAccessor(&AirtimeLedger::m_ackTime),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("Patience",
                          "How long links in debt wait for one that has credit and does not send",
                          TimeValue(MilliSeconds(20)),
                          MakeTimeAccessor(&AirtimeLedger::m_patience),
                          MakeTimeChecker(MicroSeconds(1)))
            .AddAttribute("MaxCredit",
                          "Airtime that a link can save up at most",
                          TimeValue(MilliSeconds(50)),
                          MakeTimeAccessor(&AirtimeLedger::m_maxCredit),
                          MakeTimeChecker(MicroSeconds(1)))
            .AddAttribute("WorkConserving",
                          "Whether airtime that a link does not use goes to others. If not, a "
                          "link's share is the most it gets of the time.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&AirtimeLedger::m_workConserving),
                          MakeBooleanChecker())
            .AddAttribute("PriorityFloor",
                          "Work-conserving: airtime that links of lower priorities get together "
                          "while others hold them back, over what these get",
                          DoubleValue(0.02),
                          MakeDoubleAccessor(&AirtimeLedger::m_priorityFloor),
                          MakeDoubleChecker<double>(0.001, 1))
            .AddAttribute("PriorityBurst",
                          "Airtime that a link saves up before it sends while it is held back: one "
                          "of the longest frames (IEEE 802.11ax: 5.484 ms)",
                          TimeValue(MicroSeconds(5484)),
                          MakeTimeAccessor(&AirtimeLedger::m_priorityBurst),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("ExchangeOverhead",
                          "What an exchange takes beside its frame. Not work-conserving: paid for "
                          "each message. "
                          "AIFS of best effort, half of the least contention window, SIFS and a "
                          "block acknowledgement at 24 Mb/s (IEEE 802.11ax, 5 GHz)",
                          TimeValue(NanoSeconds(158500)),
                          MakeTimeAccessor(&AirtimeLedger::m_exchangeOverhead),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("ReplyOverhead",
                          "Not work-conserving: what a link pays with each message for the "
                          "acknowledgement of TCP that comes back, whose sender pays nothing. "
                          "ExchangeOverhead and an HE preamble of 48 us",
                          TimeValue(NanoSeconds(206500)),
                          MakeTimeAccessor(&AirtimeLedger::m_replyOverhead),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("TransferFactor",
                          "Not work-conserving: what a link pays for a frame, over its time on the "
                          "air. A share is one of what TCP gets through alone, which is not on the "
                          "air all the time",
                          DoubleValue(1.35),
                          MakeDoubleAccessor(&AirtimeLedger::m_transferFactor),
                          MakeDoubleChecker<double>(1))
            .AddTraceSource("Charge",
                            "An account was charged: its number, airtime, balance after it",
                            MakeTraceSourceAccessor(&AirtimeLedger::m_chargeTrace),
                            "ns3::collapipe::AirtimeLedger::ChargeTracedCallback");
    return tid;
}

void
AirtimeLedger::DoDispose()
{
    m_watch.Cancel();
    m_silenceEnd.Cancel();
    for (auto& entry : m_entries)
    {
        entry.waking.Cancel();
    }
    m_entries.clear();
    m_competing.clear();
    Object::DoDispose();
}

AirtimeLedger::Account
AirtimeLedger::Open(Callback<void> wake)
{
    m_entries.emplace_back();
    m_entries.back().wake = wake;
    return m_entries.size() - 1;
}

void
AirtimeLedger::SetShare(Account account, double share)
{
    NS_LOG_FUNCTION(this << account << share);
    Entry& entry = m_entries.at(account);
    if (entry.share == share)
    {
        return;
    }
    // What was owed under other shares is forgotten
    Leave(account);
    const bool wanted = Wants(entry);
    entry.share = share;
    CountBacklog(wanted, Wants(entry));
    entry.balance = 0;
    entry.earnedUntil = Simulator::Now();
    if (m_workConserving && share > 0 && entry.isBacklogged)
    {
        Join(account);
    }
    Settle();
    entry.waking.Cancel(); // it was to be when the old share had earned enough
    Wake(entry);
}

double
AirtimeLedger::GetShare(Account account) const
{
    return m_entries.at(account).share;
}

void
AirtimeLedger::SetPriority(Account account, uint8_t priority)
{
    NS_LOG_FUNCTION(this << account << +priority);
    Entry& entry = m_entries.at(account);
    if (entry.priority == priority)
    {
        return;
    }
    entry.priority = priority;
    entry.balance = std::min(entry.balance, 0.0);
    Rank();
    Settle();
    if (MaySend(account))
    {
        Wake(entry);
    }
}

uint8_t
AirtimeLedger::GetPriority(Account account) const
{
    return m_entries.at(account).priority;
}

bool
AirtimeLedger::IsHeldBack(Account account) const
{
    return IsHeldBack(m_entries.at(account));
}

bool
AirtimeLedger::IsHeldBack(const Entry& entry) const
{
    return m_workConserving && entry.share > 0 && entry.priority < m_top;
}

/// The balance with which a link may send
double
AirtimeLedger::GetNeededS(const Entry& entry) const
{
    return IsHeldBack(entry) ? std::min(m_priorityBurst, m_maxCredit).GetSeconds() : 0;
}

/// Notices who holds back whom; to be called whenever others compete than before
void
AirtimeLedger::Rank()
{
    uint8_t top = 0;
    for (const Account account : m_competing)
    {
        const Entry& entry = m_entries[account];
        top = IsPresent(entry) ? std::max(top, entry.priority) : top;
    }
    if (top == m_top)
    {
        return;
    }
    m_top = top;
    for (const Account account : m_competing)
    {
        Entry& entry = m_entries[account];
        if (IsHeldBack(entry))
        {
            entry.balance = std::min(entry.balance, 0.0);
        }
        else if (entry.balance >= 0)
        {
            Wake(entry);
        }
    }
}

void
AirtimeLedger::SetBacklogged(Account account, bool isBacklogged)
{
    Entry& entry = m_entries.at(account);
    if (entry.isBacklogged == isBacklogged)
    {
        return;
    }
    const bool wanted = Wants(entry);
    entry.isBacklogged = isBacklogged;
    CountBacklog(wanted, Wants(entry));
    if (entry.share == 0)
    {
        return;
    }
    if (!m_workConserving)
    {
        KeepForHanded(entry);
        return;
    }
    if (isBacklogged)
    {
        DropIdle();
        Join(account);
    }
    else
    {
        entry.lastActive = std::max(entry.lastActive, Simulator::Now());
        entry.silenceS = GetSilenceS();
    }
    Settle();
}

double
AirtimeLedger::GetSilenceS() const
{
    return m_silenceS + std::max(0.0, (Simulator::Now() - m_freeAt).GetSeconds());
}

bool
AirtimeLedger::IsPresent(const Entry& entry) const
{
    return entry.isBacklogged || GetSilenceS() - entry.silenceS < m_ackTime.GetSeconds();
}

void
AirtimeLedger::Join(Account account)
{
    Entry& entry = m_entries[account];
    if (!entry.isCompeting)
    {
        const Time idle = std::max(Time(0), Simulator::Now() - entry.lastActive);
        entry.balance = std::min(0.0, entry.balance + entry.share * idle.GetSeconds());
        entry.isCompeting = true;
        m_competing.push_back(account);
        Rank();
    }
}

void
AirtimeLedger::Leave(Account account)
{
    if (m_entries[account].isCompeting)
    {
        m_entries[account].isCompeting = false;
        m_competing.erase(std::find(m_competing.begin(), m_competing.end(), account));
        Rank();
    }
}

void
AirtimeLedger::DropIdle()
{
    const Time since = Simulator::Now() - m_grace;
    const auto isOver = [&](Account account) {
        Entry& entry = m_entries[account];
        entry.isCompeting = entry.isBacklogged || entry.lastActive > since;
        return !entry.isCompeting;
    };
    m_competing.erase(std::remove_if(m_competing.begin(), m_competing.end(), isOver),
                      m_competing.end());
    Rank();
}

bool
AirtimeLedger::MaySend(Account account, const AirtimeBatch& batch)
{
    Entry& entry = m_entries[account];
    if (!m_workConserving && entry.share > 0)
    {
        return HasEarned(entry, batch);
    }
    return entry.share == 0 || entry.balance >= GetNeededS(entry);
}

void
AirtimeLedger::Charge(Account account, Time airtime, uint32_t bytes)
{
    Entry& entry = m_entries.at(account);
    if (entry.share == 0)
    {
        return;
    }
    const double airtimeS = airtime.GetSeconds();
    if (!m_workConserving)
    {
        ChargeReserved(entry, airtimeS, bytes);
        m_chargeTrace(account, airtime, Seconds(entry.balance));
        return;
    }
    m_lastCharge = Simulator::Now();
    m_silenceS = GetSilenceS();
    m_freeAt = std::max(m_freeAt, Simulator::Now() + airtime);
    entry.lastActive = Simulator::Now() + airtime;
    entry.silenceS = m_silenceS;
    entry.balance -= airtimeS;
    entry.charged += airtimeS;
    DropIdle();
    // A frame of those who are held back is at their own expense alone
    if (!IsHeldBack(entry))
    {
        ShareOut(airtimeS, false);
        ShareOut(m_priorityFloor * airtimeS, true);
    }
    m_chargeTrace(account, airtime, Seconds(entry.balance));
    Settle();
}

bool
AirtimeLedger::IsWorkConserving() const
{
    return m_workConserving;
}

Time
AirtimeLedger::GetCharged(Account account) const
{
    return Seconds(m_entries.at(account).charged);
}

void
AirtimeLedger::ShareOut(double airtimeS, bool isHeldBack)
{
    const double maxCreditS = m_maxCredit.GetSeconds();
    const auto takes = [&](const Entry& entry) {
        return IsPresent(entry) && IsHeldBack(entry) == isHeldBack && entry.balance < maxCreditS;
    };
    double shares = 0;
    for (const Account account : m_competing)
    {
        shares += takes(m_entries[account]) ? m_entries[account].share : 0;
    }
    for (const Account account : m_competing)
    {
        Entry& entry = m_entries[account];
        if (takes(entry))
        {
            const double neededS = GetNeededS(entry);
            const bool hadToWait = entry.balance < neededS;
            entry.balance += airtimeS * entry.share / shares;
            if (hadToWait && entry.balance >= neededS)
            {
                Wake(entry);
            }
        }
    }
}

void
AirtimeLedger::Settle()
{
    double best = -std::numeric_limits<double>::infinity();
    double worst = -best;
    bool isOneHeldBack = false;
    bool isOnePresent = false;
    for (const Account account : m_competing)
    {
        const Entry& entry = m_entries[account];
        if (!IsPresent(entry))
        {
            continue;
        }
        if (IsHeldBack(entry))
        {
            isOneHeldBack = isOneHeldBack || entry.isBacklogged;
            continue;
        }
        isOnePresent = true;
        best = std::max(best, entry.balance);
        worst = std::min(worst, entry.balance);
    }
    if (isOnePresent && best < 0)
    {
        RaisePresent(-best);
    }
    if (worst < std::min(best, 0.0) || isOneHeldBack)
    {
        AwaitSilence();
        Watch();
    }
}

void
AirtimeLedger::RaisePresent(double raiseS)
{
    for (const Account account : m_competing)
    {
        Entry& entry = m_entries[account];
        if (!IsPresent(entry) || IsHeldBack(entry))
        {
            continue;
        }
        entry.balance += raiseS;
        if (entry.balance >= 0)
        {
            Wake(entry);
        }
    }
}

void
AirtimeLedger::AwaitSilence()
{
    // Those who wait may send as soon as nobody who goes before them may come back for it
    bool someoneWaits = false;
    double first = std::numeric_limits<double>::infinity();
    for (const Account account : m_competing)
    {
        const Entry& entry = m_entries[account];
        if (entry.isBacklogged && MaySend(account))
        {
            return;
        }
        someoneWaits = someoneWaits || entry.isBacklogged;
        if (!entry.isBacklogged && IsPresent(entry))
        {
            first = std::min(first, entry.silenceS);
        }
    }
    if (someoneWaits && std::isfinite(first) && m_silenceEnd.IsExpired())
    {
        const Time free = std::max(Time(0), m_freeAt - Simulator::Now());
        const Time silence = m_ackTime - Seconds(GetSilenceS() - first) + NanoSeconds(1);
        m_silenceEnd = ScheduleCall(free + std::max(Time(0), silence), [this] {
            DropIdle();
            Settle();
        });
    }
}

void
AirtimeLedger::Wake(Entry& entry)
{
    if (entry.isBacklogged && entry.waking.IsExpired())
    {
        entry.waking = ScheduleCall(WAKE_DELAY, [wake = entry.wake]() { wake(); });
    }
}

void
AirtimeLedger::Watch()
{
    if (m_watch.IsExpired())
    {
        m_watch = Simulator::Schedule(m_patience, &AirtimeLedger::LosePatience, this);
    }
}

void
AirtimeLedger::LosePatience()
{
    const Time quiet = Simulator::Now() - m_lastCharge;
    if (quiet < m_patience)
    {
        m_watch = Simulator::Schedule(m_patience - quiet, &AirtimeLedger::LosePatience, this);
        return;
    }
    std::vector<Account> waiting;
    std::copy_if(m_competing.begin(),
                 m_competing.end(),
                 std::back_inserter(waiting),
                 [this](Account account) { return !MaySend(account); });
    if (waiting.empty())
    {
        return;
    }
    // How much a link is short of what it needs
    const auto getShort = [this](Account account) {
        return GetNeededS(m_entries[account]) - m_entries[account].balance;
    };
    const auto best =
        std::min_element(waiting.begin(), waiting.end(), [&](Account left, Account right) {
            return getShort(left) < getShort(right);
        });
    const double raise = getShort(*best);
    for (const Account account : waiting)
    {
        Entry& entry = m_entries[account];
        entry.balance = account == *best ? GetNeededS(entry) : entry.balance + raise;
        if (MaySend(account))
        {
            Wake(entry);
        }
    }
    Watch();
}

} // namespace collapipe
} // namespace ns3
