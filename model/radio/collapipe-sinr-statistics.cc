/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sinr-statistics.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double DB_PER_NEPER = 4.342944819032518; //!< 10 / ln 10, of powers
/// By how much gains drift from round to round: a device at walking pace, some metres away
constexpr double DRIFT_DB2 = 1.0;
constexpr double MAX_CORRELATION = 0.99; //!< of neighbouring reports
constexpr double MIN_VARIANCE_DB2 = 1e-4;

} // namespace

void
SinrStatistics::Add(double sinr)
{
    const double capacity = std::log1p(sinr);
    m_first = m_count == 0 ? capacity : m_first;
    const double relative = capacity - m_first;
    m_products += relative * m_last; // of the first report: 0
    m_sum += relative;
    m_squares += relative * relative;
    m_last = relative;
    ++m_count;
}

uint32_t
SinrStatistics::GetCount() const
{
    return m_count;
}

double
SinrStatistics::GetEffective() const
{
    return m_count > 0 ? std::expm1(m_first + m_sum / m_count)
                       : std::numeric_limits<double>::quiet_NaN();
}

double
SinrStatistics::GetVarianceDb2() const
{
    if (m_count == 0)
    {
        return std::numeric_limits<double>::infinity();
    }
    const double mean = m_sum / m_count;
    const double variance = std::max(0.0, m_squares / m_count - mean * mean);
    double correlation = 0;
    if (m_count > 1 && variance > 0)
    {
        // The first and the last report are in one of the products' sums each, all others in two
        const double neighbours =
            m_products - mean * (2 * m_sum - m_last) + (m_count - 1) * mean * mean;
        correlation = std::clamp(neighbours / ((m_count - 1) * variance), 0.0, MAX_CORRELATION);
    }
    const double effective = std::max(1.0, m_count * (1 - correlation) / (1 + correlation));
    const double sinr = GetEffective();
    const double slope = DB_PER_NEPER * (1 + sinr) / sinr; // of 10 log10(SINR) by log(1 + SINR)
    return std::max(MIN_VARIANCE_DB2, slope * slope * variance / effective);
}

void
GainTracker::Observe(double offsetDb, double varianceDb2)
{
    const double before = m_varianceDb2 + DRIFT_DB2;
    const double trust = std::isinf(before) ? 1 : before / (before + varianceDb2);
    m_offsetDb += trust * (offsetDb - m_offsetDb);
    m_varianceDb2 = std::isinf(before) ? varianceDb2 : (1 - trust) * before;
}

double
GainTracker::GetRatio() const
{
    return std::exp(m_offsetDb / DB_PER_NEPER);
}

} // namespace collapipe
} // namespace ns3
