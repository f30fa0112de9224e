/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What stations without an account of an AirtimeLedger take of its channel

#include "collapipe-airtime-ledger.h"

#include "ns3/callback.h"
#include "ns3/simulator.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-psdu.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ns3
{
namespace collapipe
{

/// Whether a link with a share has something to send
bool
AirtimeLedger::Wants(const Entry& entry)
{
    return entry.share > 0 && entry.isBacklogged;
}

void
AirtimeLedger::CountBacklog(bool before, bool now)
{
    if (before == now)
    {
        return;
    }
    m_backlogS += m_backlogs > 0 ? (Simulator::Now() - m_backlogSince).GetSeconds() : 0;
    m_backlogSince = Simulator::Now();
    m_backlogs += now ? 1 : -1;
}

void
AirtimeLedger::Overhear(Ptr<WifiNetDevice> device)
{
    device->GetPhy()->TraceConnectWithoutContext(
        "PhyTxPsduBegin",
        MakeCallback(&AirtimeLedger::HandleOthers, this).Bind(device->GetPhy()->GetPhyBand()));
}

void
AirtimeLedger::HandleOthers(WifiPhyBand band,
                            WifiConstPsduMap psdus,
                            WifiTxVector txVector,
                            double /* powerW */)
{
    for (const auto& [id, psdu] : psdus)
    {
        const WifiMacHeader& header = psdu->GetHeader(0);
        const bool counts = header.IsData() || header.IsRts() || header.IsBlockAckReq();
        if (m_backlogs > 0 && counts)
        {
            m_othersS += (WifiPhy::CalculateTxDuration(psdu, txVector, band) + m_exchangeOverhead)
                             .GetSeconds();
        }
    }
}

double
AirtimeLedger::TakeOthersPart()
{
    m_backlogS += m_backlogs > 0 ? (Simulator::Now() - m_backlogSince).GetSeconds() : 0;
    m_backlogSince = Simulator::Now();
    const double wholeS = std::exchange(m_backlogS, 0);
    const double othersS = std::exchange(m_othersS, 0);
    return wholeS > 0 ? std::min(1.0, othersS / wholeS) : std::numeric_limits<double>::quiet_NaN();
}

} // namespace collapipe
} // namespace ns3
