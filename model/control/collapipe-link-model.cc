/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-model.h"

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
    const double occupiedHz =
        pool.mode == SharingMode::FREQUENCY ? share * pool.bandwidthHz : pool.bandwidthHz;
    const double snr = powerW * link.gain / (link.snrGap * link.noiseDensityWPerHz * occupiedHz);
    return link.efficiency * share * pool.bandwidthHz * std::log1p(snr) / std::log(2.0);
}

double
GetTransferEnergyJ(const LinkState& link,
                   const PoolState& pool,
                   double share,
                   double powerW,
                   double bits)
{
    const double power = pool.mode == SharingMode::DEDICATED ? link.maxPowerW : powerW;
    const double duty = pool.mode == SharingMode::AIRTIME ? share : 1;
    return bits > 0 ? power * duty * bits / GetRateBps(link, pool, share, powerW) : 0;
}

} // namespace collapipe
} // namespace ns3
