/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-link-adaptation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BIT_ERROR_RATE = 5e-5; //!< at which a CQI is chosen

/// Resource blocks in a group by bandwidth (3GPP TS 36.213 table 7.1.6.1-1)
uint32_t
LookUpGroupSize(uint32_t rbs)
{
    return rbs <= 10 ? 1 : rbs <= 26 ? 2 : rbs <= 63 ? 3 : 4;
}

/// The smallest number in 1..most that fits; most where none does
template <typename Predicate>
uint32_t
FindFewest(uint32_t most, Predicate fits)
{
    if (!fits(most))
    {
        return most;
    }
    uint32_t low = 0;
    uint32_t high = most;
    while (high - low > 1)
    {
        const uint32_t middle = (low + high) / 2;
        (fits(middle) ? high : low) = middle;
    }
    return high;
}

} // namespace

LteLinkAdaptation::LteLinkAdaptation()
    : m_amc(CreateObject<LteAmc>())
{
    const double gap = -std::log(5 * BIT_ERROR_RATE) / 1.5;
    m_cqiSinrDb[0] = -std::numeric_limits<double>::infinity();
    for (int cqi = 1; cqi < 16; ++cqi)
    {
        const double efficiency = m_amc->GetSpectralEfficiencyFromCqi(cqi);
        m_cqiSinrDb[cqi] = 10 * std::log10(gap * (std::exp2(efficiency) - 1));
        m_mcs[cqi] = m_amc->GetMcsFromCqi(cqi);
    }
}

void
LteLinkAdaptation::Configure(uint32_t uplinkRbs, uint32_t downlinkRbs)
{
    m_uplinkRbs = uplinkRbs;
    m_groupSize = LookUpGroupSize(downlinkRbs);
    m_groups = downlinkRbs / m_groupSize;
    m_gainDb.assign(uplinkRbs + 1, 0);
    for (uint32_t rbs = 1; rbs <= uplinkRbs; ++rbs)
    {
        m_gainDb[rbs] = 10 * std::log10(static_cast<double>(uplinkRbs) / rbs);
    }
}

uint32_t
LteLinkAdaptation::GetGroupSize() const
{
    return m_groupSize;
}

uint32_t
LteLinkAdaptation::GetGroups() const
{
    return m_groups;
}

uint32_t
LteLinkAdaptation::GetUplinkRbs() const
{
    return m_uplinkRbs;
}

uint8_t
LteLinkAdaptation::GetUplinkMcs(double sinrDb, uint32_t rbs) const
{
    const auto above =
        std::upper_bound(m_cqiSinrDb.begin() + 1, m_cqiSinrDb.end(), sinrDb + m_gainDb[rbs]);
    return m_mcs[above - m_cqiSinrDb.begin() - 1];
}

uint32_t
LteLinkAdaptation::GetUplinkReach(double sinrDb) const
{
    if (sinrDb >= m_cqiSinrDb[1])
    {
        return m_uplinkRbs;
    }
    const double spread = std::pow(10, (sinrDb - m_cqiSinrDb[1]) / 10);
    return std::clamp<double>(m_uplinkRbs * spread, 1, m_uplinkRbs);
}

uint32_t
LteLinkAdaptation::GetUplinkBytes(uint8_t mcs, uint32_t rbs) const
{
    return m_amc->GetUlTbSizeFromMcs(mcs, rbs) / 8;
}

uint32_t
LteLinkAdaptation::FindUplinkRbs(double sinrDb, uint32_t bytes, uint32_t most) const
{
    return FindFewest(most, [&](uint32_t rbs) {
        return GetUplinkBytes(GetUplinkMcs(sinrDb, rbs), rbs) >= bytes;
    });
}

uint32_t
LteLinkAdaptation::FindRandomAccessRbs(uint8_t mcs, uint32_t bits) const
{
    return FindFewest(m_uplinkRbs,
                      [&](uint32_t rbs) { return 8 * GetUplinkBytes(mcs, rbs) >= bits; });
}

uint8_t
LteLinkAdaptation::GetDownlinkMcs(uint8_t cqi) const
{
    return m_mcs[cqi];
}

uint32_t
LteLinkAdaptation::GetDownlinkBytes(uint8_t cqi, uint32_t groups) const
{
    return m_amc->GetDlTbSizeFromMcs(m_mcs[cqi], groups * m_groupSize) / 8;
}

uint32_t
LteLinkAdaptation::FindDownlinkGroups(uint8_t cqi, uint32_t bytes) const
{
    return FindFewest(m_groups,
                      [&](uint32_t groups) { return GetDownlinkBytes(cqi, groups) >= bytes; });
}

} // namespace collapipe
} // namespace ns3
