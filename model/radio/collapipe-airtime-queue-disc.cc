/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-airtime-queue-disc.h"

#include "ns3/abort.h"
#include "ns3/drop-tail-queue.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/queue-size.h"
#include "ns3/uinteger.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-psdu.h"

#include <algorithm>
#include <cstdint>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeAirtimeQueueDisc");
NS_OBJECT_ENSURE_REGISTERED(AirtimeQueueDisc);

TypeId
AirtimeQueueDisc::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::AirtimeQueueDisc")
            .SetParent<QueueDisc>()
            .SetGroupName("CollaPipe")
            .AddConstructor<AirtimeQueueDisc>()
            .AddAttribute("MaxSize",
                          "Packets or bytes that it holds at most, over all receivers",
                          QueueSizeValue(QueueSize("100000p")),
                          MakeQueueSizeAccessor(&QueueDisc::SetMaxSize, &QueueDisc::GetMaxSize),
                          MakeQueueSizeChecker())
            .AddAttribute("ExpressBytes",
                          "Largest packet, IP header included, that never waits for airtime",
                          UintegerValue(128),
                          MakeUintegerAccessor(&AirtimeQueueDisc::m_expressBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("SmallBytes",
                          "A receiver for whom no more than this is waiting is sent it at once, "
                          "whoever has a higher priority, and with a reserved share before it is "
                          "earned if the link owes no more than this, so that small messages come "
                          "through",
                          UintegerValue(1500),
                          MakeUintegerAccessor(&AirtimeQueueDisc::m_smallBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("Burst",
                          "Packets for one receiver after which it is the next one's turn; the MAC "
                          "aggregates what it has for one receiver",
                          UintegerValue(64),
                          MakeUintegerAccessor(&AirtimeQueueDisc::m_burst),
                          MakeUintegerChecker<uint32_t>(1));
    return tid;
}

AirtimeQueueDisc::AirtimeQueueDisc()
    : QueueDisc(QueueDiscSizePolicy::MULTIPLE_QUEUES)
{
}

AirtimeQueueDisc::~AirtimeQueueDisc() = default;

void
AirtimeQueueDisc::DoDispose()
{
    m_device = nullptr;
    m_ledger = nullptr;
    m_waiting.clear();
    m_links.clear();
    QueueDisc::DoDispose();
}

void
AirtimeQueueDisc::Attach(Ptr<WifiNetDevice> device, Ptr<AirtimeLedger> ledger)
{
    NS_ABORT_MSG_IF(m_device, "An AirtimeQueueDisc belongs to one device");
    m_device = device;
    m_ledger = ledger;
    device->GetPhy()->TraceConnectWithoutContext(
        "PhyTxPsduBegin",
        MakeCallback(&AirtimeQueueDisc::ChargeFrame, this));
}

Ptr<AirtimeLedger>
AirtimeQueueDisc::GetLedger() const
{
    return m_ledger;
}

AirtimeQueueDisc::Link&
AirtimeQueueDisc::GetLink(Mac48Address to)
{
    const auto it = m_links.find(to);
    if (it != m_links.end())
    {
        return it->second;
    }
    NS_ABORT_MSG_IF(!m_ledger, "Attach an AirtimeQueueDisc to its device first");
    Link& link = m_links[to];
    link.queue = AddQueue();
    link.account = m_ledger->Open(MakeCallback(&QueueDisc::Run, static_cast<QueueDisc*>(this)));
    return link;
}

std::size_t
AirtimeQueueDisc::AddQueue()
{
    // Bounded as a whole, by DoEnqueue
    const QueueSize size(GetMaxSize().GetUnit(), GetMaxSize().GetValue() + 1);
    AddInternalQueue(
        CreateObjectWithAttributes<DropTailQueue<QueueDiscItem>>("MaxSize", QueueSizeValue(size)));
    return GetNInternalQueues() - 1;
}

void
AirtimeQueueDisc::SetShare(Mac48Address to, double share)
{
    NS_LOG_FUNCTION(this << to << share);
    m_ledger->SetShare(GetLink(to).account, share);
}

double
AirtimeQueueDisc::GetShare(Mac48Address to) const
{
    const auto it = m_links.find(to);
    return it == m_links.end() ? 0 : m_ledger->GetShare(it->second.account);
}

void
AirtimeQueueDisc::SetPriority(Mac48Address to, uint8_t priority)
{
    NS_LOG_FUNCTION(this << to << +priority);
    m_ledger->SetPriority(GetLink(to).account, priority);
}

uint8_t
AirtimeQueueDisc::GetPriority(Mac48Address to) const
{
    const auto it = m_links.find(to);
    return it == m_links.end() ? uint8_t{0} : m_ledger->GetPriority(it->second.account);
}

Time
AirtimeQueueDisc::GetAirtime(Mac48Address to) const
{
    const auto it = m_links.find(to);
    return it == m_links.end() ? Time(0) : m_ledger->GetCharged(it->second.account);
}

bool
AirtimeQueueDisc::DoEnqueue(Ptr<QueueDiscItem> item)
{
    if (GetCurrentSize() + item > GetMaxSize())
    {
        DropBeforeEnqueue(item, "Queue disc limit exceeded");
        return false;
    }
    Link& link = GetLink(Mac48Address::ConvertFrom(item->GetAddress()));
    if (item->GetSize() <= m_expressBytes && (!link.isWaiting || OvertakingAcks::MayOvertake(item)))
    {
        return GetInternalQueue(m_expressQueue)->Enqueue(item);
    }
    const uint32_t bytes = item->GetSize();
    if (!GetInternalQueue(link.queue)->Enqueue(item))
    {
        return false;
    }
    AddToBatch(link, bytes);
    if (!link.isWaiting)
    {
        link.isWaiting = true;
        m_waiting.push_back(&link);
        m_ledger->SetBacklogged(link.account, true);
    }
    return true;
}

Ptr<QueueDiscItem>
AirtimeQueueDisc::DoDequeue()
{
    if (Ptr<QueueDiscItem> item = GetInternalQueue(m_expressQueue)->Dequeue())
    {
        Link& link = GetLink(Mac48Address::ConvertFrom(item->GetAddress()));
        if (link.isWaiting)
        {
            link.overtaking.Remember(item);
        }
        return item;
    }
    for (std::size_t tried = 0; tried <= m_waiting.size() && !m_waiting.empty(); ++tried)
    {
        Link& link = *m_waiting[m_turn];
        if (m_left == 0 || !(m_ledger->MaySend(link.account, GetBatch(link)) || IsSmall(link)))
        {
            TakeTurn(m_turn + 1);
            continue;
        }
        --m_left;
        Ptr<QueueDiscItem> item = GetInternalQueue(link.queue)->Dequeue();
        link.overtaking.Renew(item);
        m_ledger->HandOver(link.account, TakeFromBatch(link, item->GetSize()));
        if (GetInternalQueue(link.queue)->IsEmpty())
        {
            link.isWaiting = false;
            link.overtaking.Forget();
            m_waiting.erase(m_waiting.begin() + m_turn);
            TakeTurn(m_turn);
            m_ledger->SetBacklogged(link.account, false);
        }
        return item;
    }
    return nullptr;
}

void
AirtimeQueueDisc::AddToBatch(Link& link, uint32_t bytes)
{
    if (!link.isBatchOpen)
    {
        link.batches.push_back({0, false, 0});
    }
    link.batches.back().bytes += bytes;
    link.largest = std::max(link.largest, bytes);
    link.isBatchOpen = bytes == link.largest;
}

AirtimeBatch
AirtimeQueueDisc::TakeFromBatch(Link& link, uint32_t bytes)
{
    AirtimeBatch& batch = link.batches.front();
    const bool wasBegun = batch.isBegun;
    batch.bytes -= bytes;
    batch.isBegun = true;
    // An open one waits for the rest of its message, which TCP may send later
    if (batch.bytes == 0 && (link.batches.size() > 1 || !link.isBatchOpen))
    {
        link.batches.pop_front();
    }
    return {bytes, wasBegun, bytes};
}

AirtimeBatch
AirtimeQueueDisc::GetBatch(const Link& link) const
{
    const AirtimeBatch& batch = link.batches.front();
    return {batch.bytes, batch.isBegun, m_burst * link.largest};
}

bool
AirtimeQueueDisc::IsExpress(Ptr<const WifiPsdu> psdu) const
{
    constexpr uint32_t LLC_BYTES = 8;
    for (std::size_t i = 0; i < psdu->GetNMpdus(); ++i)
    {
        if (psdu->GetPayload(i)->GetSize() > m_expressBytes + LLC_BYTES)
        {
            return false;
        }
    }
    return true;
}

bool
AirtimeQueueDisc::IsSmall(const Link& link) const
{
    const uint32_t bytes = GetInternalQueue(link.queue)->GetNBytes();
    if (bytes > m_smallBytes)
    {
        return false;
    }
    // Of an open batch more may come at once: two frames for one message would cost more
    return m_ledger->IsWorkConserving()
               ? m_ledger->IsHeldBack(link.account)
               : !link.isBatchOpen && m_ledger->MayOwe(link.account, bytes);
}

void
AirtimeQueueDisc::TakeTurn(std::size_t turn)
{
    m_turn = turn < m_waiting.size() ? turn : 0;
    m_left = m_burst;
}

bool
AirtimeQueueDisc::CheckConfig()
{
    if (GetNQueueDiscClasses() > 0 || GetNPacketFilters() > 0)
    {
        NS_LOG_ERROR("AirtimeQueueDisc takes neither classes nor packet filters");
        return false;
    }
    if (!m_ledger)
    {
        NS_LOG_ERROR("AirtimeQueueDisc must be attached to its device");
        return false;
    }
    m_expressQueue = AddQueue();
    return true;
}

void
AirtimeQueueDisc::InitializeParams()
{
}

void
AirtimeQueueDisc::ChargeFrame(WifiConstPsduMap psdus, WifiTxVector txVector, double /* powerW */)
{
    for (const auto& [id, psdu] : psdus)
    {
        const WifiMacHeader& header = psdu->GetHeader(0);
        const auto link = m_links.find(header.GetAddr1());
        if (link == m_links.end() || m_ledger->GetShare(link->second.account) == 0 ||
            !(header.IsData() || header.IsRts() || header.IsBlockAckReq()) ||
            (header.IsData() && !m_ledger->IsWorkConserving() && IsExpress(psdu)))
        {
            continue;
        }
        m_ledger->Charge(
            link->second.account,
            WifiPhy::CalculateTxDuration(psdu, txVector, m_device->GetPhy()->GetPhyBand()),
            header.IsData() ? psdu->GetSize() : 0);
    }
}

} // namespace collapipe
} // namespace ns3
