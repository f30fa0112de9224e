/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-scheduler-ue.h"

#include "ns3/lte-common.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint8_t MAX_REPEATS = 3;       //!< redundancy versions 1 to 3
constexpr uint8_t MAX_AGE = 12;          //!< TTIs; feedback takes fewer
constexpr uint32_t RLC_HEADER_BYTES = 4; //!< fixed part, in acknowledged mode
/**
 * The last index of a report, 150,000 bytes or more. ns-3's carrier managers turn indices into
 * bytes and back, which makes it the one before: what is said of it holds for all with its bytes.
 */
constexpr uint8_t FULL_STATUS = 63;
constexpr uint32_t UPLINK_RLC_BYTES = 2; //!< that a UE takes off a grant in its own accounts

} // namespace

uint32_t
LteDownlinkUe::Queue::GetDataBytes() const
{
    const uint32_t data = repeats + fresh;
    return data > 0 ? data + RLC_HEADER_BYTES : 0;
}

void
LteDownlinkUe::Queue::TakeData(uint32_t bytes)
{
    // RLC serves one kind for each opportunity, in this order
    if (repeats > 0)
    {
        repeats -= std::min(repeats, bytes);
    }
    else
    {
        fresh -= std::min(fresh, bytes - RLC_HEADER_BYTES);
    }
}

void
LteDownlinkUe::SetQueue(const FfMacSchedSapProvider::SchedDlRlcBufferReqParameters& report)
{
    const Queue queue{report.m_logicalChannelIdentity,
                      report.m_rlcStatusPduSize,
                      report.m_rlcRetransmissionQueueSize,
                      report.m_rlcTransmissionQueueSize};
    const auto at = std::lower_bound(
        m_queues.begin(),
        m_queues.end(),
        queue.channel,
        [](const Queue& other, uint8_t channel) { return other.channel < channel; });
    if (at != m_queues.end() && at->channel == queue.channel)
    {
        *at = queue;
    }
    else
    {
        m_queues.insert(at, queue);
    }
}

void
LteDownlinkUe::RemoveQueue(uint8_t channel)
{
    m_queues.erase(std::remove_if(m_queues.begin(),
                                  m_queues.end(),
                                  [=](const Queue& queue) { return queue.channel == channel; }),
                   m_queues.end());
}

uint32_t
LteDownlinkUe::GetBytes() const
{
    uint32_t bytes = 0;
    for (const auto& queue : m_queues)
    {
        bytes += queue.status + queue.GetDataBytes();
    }
    return bytes;
}

std::vector<std::vector<RlcPduListElement_s>>
LteDownlinkUe::Fill(uint32_t bytes)
{
    std::vector<std::vector<RlcPduListElement_s>> pdus;
    const auto add = [&](uint8_t channel, uint32_t size) {
        RlcPduListElement_s pdu;
        pdu.m_logicalChannelIdentity = channel;
        pdu.m_size = size;
        pdus.push_back({pdu});
        bytes -= size;
    };
    for (auto& queue : m_queues)
    {
        if (queue.status > 0 && queue.status <= bytes)
        {
            add(queue.channel, queue.status);
            queue.status = 0;
        }
    }
    for (auto& queue : m_queues)
    {
        const bool last = &queue == &m_queues.back();
        const uint32_t size = last ? bytes : std::min(queue.GetDataBytes(), bytes);
        if (queue.GetDataBytes() > 0 && size > RLC_HEADER_BYTES)
        {
            add(queue.channel, size);
            queue.TakeData(size);
        }
    }
    return pdus;
}

void
LteDownlinkUe::Age()
{
    for (auto& process : m_processes)
    {
        process.busy = process.busy && ++process.age <= MAX_AGE;
    }
}

uint8_t
LteDownlinkUe::FindProcess() const
{
    const auto free = std::find_if(m_processes.begin(), m_processes.end(), [](const auto& process) {
        return !process.busy;
    });
    return free - m_processes.begin();
}

void
LteDownlinkUe::Start(const BuildDataListElement_s& block)
{
    Process& process = m_processes[block.m_dci.m_harqProcess];
    process.busy = true;
    process.age = 0;
    process.block = block;
    // The MAC sends all of a block's packets again for each entry
    process.block.m_rlcPduList.resize(1);
}

bool
LteDownlinkUe::Acknowledge(uint8_t process, bool received)
{
    Process& p = m_processes.at(process);
    if (!p.busy)
    {
        return false;
    }
    p.busy = !received && p.block.m_dci.m_rv[0] < MAX_REPEATS;
    p.age = 0;
    return p.busy;
}

uint32_t
LteDownlinkUe::GetGroups(uint8_t process) const
{
    const Process& p = m_processes.at(process);
    uint32_t groups = 0;
    for (uint32_t bits = p.busy ? p.block.m_dci.m_rbBitmap : 0; bits != 0; bits &= bits - 1)
    {
        ++groups;
    }
    return groups;
}

BuildDataListElement_s
LteDownlinkUe::Repeat(uint8_t process, uint32_t bitmap)
{
    Process& p = m_processes.at(process);
    p.age = 0;
    DlDciListElement_s& dci = p.block.m_dci;
    dci.m_rbBitmap = bitmap;
    dci.m_ndi[0] = 0;
    ++dci.m_rv[0];
    return p.block;
}

void
LteUplinkUe::SetStatus(const std::vector<uint8_t>& status)
{
    m_bytes = 0;
    m_more = false;
    const uint32_t full = BufferSizeLevelBsr::BsrId2BufferSize(FULL_STATUS);
    for (const uint8_t index : status)
    {
        const uint32_t bytes = BufferSizeLevelBsr::BsrId2BufferSize(index);
        m_bytes += bytes;
        m_more = m_more || bytes >= full;
    }
    uint32_t underway = 0;
    for (uint32_t age = 1; age <= PERIOD; ++age)
    {
        const Grant& grant = m_grants[(m_tti - age) % SLOTS];
        underway += grant.used && grant.dci.m_ndi == 1 ? grant.dci.m_tbSize - UPLINK_RLC_BYTES : 0;
    }
    m_bytes -= m_more ? 0 : std::min(m_bytes, underway);
}

uint32_t
LteUplinkUe::GetBytes() const
{
    return m_bytes;
}

void
LteUplinkUe::Advance()
{
    ++m_tti;
    m_grants[m_tti % SLOTS].used = false;
    repeatedRbs = 0;
}

LteUplinkUe::Grant&
LteUplinkUe::GetTurn()
{
    return m_grants[(m_tti - PERIOD) % SLOTS];
}

const LteUplinkUe::Grant&
LteUplinkUe::GetTurn() const
{
    return m_grants[(m_tti - PERIOD) % SLOTS];
}

void
LteUplinkUe::Acknowledge(bool received)
{
    GetTurn().answered = true;
    GetTurn().failed = !received;
}

const UlDciListElement_s*
LteUplinkUe::GetRepeat() const
{
    const Grant& grant = GetTurn();
    return grant.used && grant.failed && grant.repeats < MAX_REPEATS ? &grant.dci : nullptr;
}

void
LteUplinkUe::NoticeSilence()
{
    if (m_more && GetTurn().used && !GetTurn().answered)
    {
        m_bytes = 0;
        m_more = false;
    }
}

void
LteUplinkUe::Start(const UlDciListElement_s& dci)
{
    m_grants[m_tti % SLOTS] = {true, false, false, 0, dci};
    m_bytes -= m_more ? 0 : std::min<uint32_t>(m_bytes, dci.m_tbSize - UPLINK_RLC_BYTES);
}

void
LteUplinkUe::Repeat(const UlDciListElement_s& dci)
{
    repeatedRbs = dci.m_rbLen;
    const uint8_t repeats = GetTurn().repeats + 1;
    m_grants[m_tti % SLOTS] = {true, false, false, repeats, dci};
}

} // namespace collapipe
} // namespace ns3
