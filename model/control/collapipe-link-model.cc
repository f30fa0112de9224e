/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-model.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

double
GetRateBps(const LinkState& link, const PoolState& pool, double share, double powerW)
{
    if (pool.mode == SharingMode::DEDICATED)
    {
        return link.fixedRateBps;
    }
    share *= pool.GetFreePart();
    const double occupiedHz =
        pool.mode == SharingMode::FREQUENCY ? share * pool.bandwidthHz : pool.bandwidthHz;
    const double snr = powerW * link.gain / (link.snrGap * link.noiseDensityWPerHz * occupiedHz);
    const double spectral = std::min(link.maxSpectralEfficiency * std::log(2.0), std::log1p(snr));
    return link.efficiency * share * pool.bandwidthHz * spectral / std::log(2.0);
}

double
GetMessageOverheadBits(const LinkState& link, const PoolState& pool, double powerW)
{
    if (link.overheadS <= 0 || pool.mode == SharingMode::FREQUENCY)
    {
        return link.overheadBits;
    }
    PoolState alone = pool;
    alone.background = 0;
    return link.overheadBits + link.overheadS * GetRateBps(link, alone, 1, powerW);
}

double
GetTransportOverheadBits(const LinkState& link, const PoolState& pool, double powerW)
{
    return GetMessageOverheadBits(link, pool, powerW) -
           std::min(MESSAGE_HEAD_BITS, link.overheadBits);
}

double
GetAirTimeS(const LinkState& link, const PoolState& pool, double share, double powerW, double bits)
{
    const double duty = pool.mode == SharingMode::AIRTIME ? share * pool.GetFreePart() : 1;
    return bits > 0 ? duty * bits / GetRateBps(link, pool, share, powerW) : 0;
}

double
GetTransmitPowerW(const LinkState& link, const PoolState& pool, double powerW)
{
    const double radiated = pool.mode == SharingMode::DEDICATED ? link.maxPowerW : powerW;
    return link.circuitPowerW + radiated / link.amplifierEfficiency;
}

} // namespace collapipe
} // namespace ns3
