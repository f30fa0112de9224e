/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-memory-account.h"

#include <algorithm>
#include <numeric>

namespace ns3
{
namespace collapipe
{

uint64_t
MemoryUse::GetTotal() const
{
    return std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
}

void
MemoryAccount::Charge(MemoryKind kind, uint64_t bytes)
{
    const std::lock_guard<std::mutex> lock(m_mutex);
    m_use.bytes[static_cast<std::size_t>(kind)] += bytes;
    m_total += bytes;
    m_report.peakBytes = std::max(m_report.peakBytes, m_total);
}

void
MemoryAccount::Credit(MemoryKind kind, uint64_t bytes)
{
    const std::lock_guard<std::mutex> lock(m_mutex);
    m_use.bytes[static_cast<std::size_t>(kind)] -= bytes;
    m_total -= bytes;
}

void
MemoryAccount::Settle()
{
    const std::lock_guard<std::mutex> lock(m_mutex);
    if (m_total > m_report.kept.GetTotal())
    {
        m_report.kept = m_use;
    }
}

MemoryUse
MemoryAccount::GetUse() const
{
    const std::lock_guard<std::mutex> lock(m_mutex);
    return m_use;
}

MemoryReport
MemoryAccount::GetReport() const
{
    const std::lock_guard<std::mutex> lock(m_mutex);
    return m_report;
}

} // namespace collapipe
} // namespace ns3
