/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Accounts of an AirtimeLedger whose shares are reserved

#include "collapipe-airtime-ledger.h"

#include "ns3/collapipe-compat.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// How much an earlier frame counts for what a byte takes, beside the one after it
constexpr double MEMORY = 0.5;

} // namespace

/// What is in the balance now
double
AirtimeLedger::GetEarned(const Entry& entry) const
{
    const double passedS = (Simulator::Now() - entry.earnedUntil).GetSeconds();
    return std::min(m_maxCredit.GetSeconds(), entry.balance + entry.share * passedS);
}

/// What bytes of a link cost, as far as its last frames tell
double
AirtimeLedger::GetAirtimeS(const Entry& entry, uint32_t bytes) const
{
    return entry.sentBytes > 0 ? m_transferFactor * entry.sentS / entry.sentBytes * bytes : 0;
}

/// What a message costs beside its frames
double
AirtimeLedger::GetMessageS() const
{
    return (m_exchangeOverhead + m_replyOverhead).GetSeconds();
}

/// What those cost that the MAC has. What it has given up is never seen on the air.
double
AirtimeLedger::GetHandedS(const Entry& entry) const
{
    const bool isOld = Simulator::Now() - entry.lastHanded > m_patience;
    return isOld ? 0 : GetAirtimeS(entry, entry.handedBytes);
}

/**
 * The balance with which a link may send: enough for what the MAC has and for a frame of what is
 * waiting, of the longest if need be, less what is earned while they are on the air.
 */
double
AirtimeLedger::GetPriceS(const Entry& entry) const
{
    const double handedS = GetHandedS(entry);
    const uint32_t handed = handedS > 0 ? entry.handedBytes : 0;
    const uint32_t bytes = std::min(handed + entry.waiting.bytes, entry.waiting.frameBytes);
    const double frameS =
        std::min(GetAirtimeS(entry, bytes), m_transferFactor * m_priorityBurst.GetSeconds());
    const double accessS = entry.waiting.isBegun ? 0 : GetMessageS();
    const double priceS = (1 - entry.share) * std::max(handedS, frameS) + accessS;
    return std::min(priceS, m_maxCredit.GetSeconds()); // nobody can save up more
}

void
AirtimeLedger::Earn(Entry& entry)
{
    entry.balance = GetEarned(entry);
    entry.earnedUntil = Simulator::Now();
}

/// A link begins or ends to have something to send. Debts are paid off while there is nothing;
/// credit is not saved up but for what the MAC has.
void
AirtimeLedger::KeepForHanded(Entry& entry)
{
    Earn(entry);
    entry.waiting = AirtimeBatch();
    entry.balance = std::min(entry.balance, (1 - entry.share) * GetHandedS(entry));
    WakeWhenEarned(entry);
}

bool
AirtimeLedger::HasEarned(Entry& entry, const AirtimeBatch& batch)
{
    entry.waiting = batch;
    if (GetEarned(entry) >= GetPriceS(entry))
    {
        return true;
    }
    if (entry.waking.IsExpired())
    {
        WakeWhenEarned(entry);
    }
    return false;
}

bool
AirtimeLedger::MayOwe(Account account, uint32_t bytes) const
{
    const Entry& entry = m_entries.at(account);
    const double packetS = GetAirtimeS(entry, bytes) + GetMessageS();
    return GetEarned(entry) - GetHandedS(entry) >= -packetS;
}

void
AirtimeLedger::HandOver(Account account, const AirtimeBatch& batch)
{
    Entry& entry = m_entries.at(account);
    if (m_workConserving || entry.share == 0)
    {
        return;
    }
    Earn(entry);
    entry.balance -= batch.isBegun ? 0 : GetMessageS();
    entry.handedBytes = GetHandedS(entry) > 0 ? entry.handedBytes + batch.bytes : batch.bytes;
    entry.lastHanded = Simulator::Now();
}

void
AirtimeLedger::ChargeReserved(Entry& entry, double airtimeS, uint32_t bytes)
{
    Earn(entry);
    // Frames that are sent again were not earned again: no debt is longer than MaxCredit
    entry.balance =
        std::max(entry.balance - m_transferFactor * airtimeS, -m_maxCredit.GetSeconds());
    entry.charged += airtimeS;
    entry.handedBytes -= std::min(entry.handedBytes, bytes);
    entry.lastHanded = Simulator::Now();
    if (bytes > 0)
    {
        entry.sentS = MEMORY * entry.sentS + airtimeS;
        entry.sentBytes = MEMORY * entry.sentBytes + bytes;
    }
    WakeWhenEarned(entry);
}

void
AirtimeLedger::WakeWhenEarned(Entry& entry)
{
    const double missingS = GetPriceS(entry) - GetEarned(entry);
    if (entry.isBacklogged && missingS > 0)
    {
        entry.waking.Cancel();
        const Time wait = Seconds(missingS / entry.share) + NanoSeconds(1);
        entry.waking = ScheduleCall(std::max(wait, WAKE_DELAY), [wake = entry.wake]() { wake(); });
    }
}

} // namespace collapipe
} // namespace ns3
