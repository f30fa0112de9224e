/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_VARIABLES_H
#define COLLAPIPE_JUDGE_VARIABLES_H

#include "collapipe-judge-model.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/**
 * A transmission in the variables of the convex form: u = log share, and w = log of the seconds on
 * the air (AIRTIME), or of share times seconds (FREQUENCY). Its time is (exp(w) + o) exp(-u), its
 * energy K (exp(w) + o) (exp(kappa exp(-w)) - 1), its power that energy over the time on the air.
 */
struct Variables
{
    int u{-1};            //!< index, or -1 where dedicated
    int w{-1};            //!< index, or -1 where known
    double kappa{0};      //!< a ln 2 / (e B)
    double noiseW{0};     //!< K = Gamma N0 B / g
    double shortest{0};   //!< exp(w) at full power and full share
    double overheadS{0};  //!< o, under AIRTIME
    double dedicatedS{0}; //!< time where dedicated
};

/**
 * @param t a transmission
 * @return its constants; variables are not numbered yet
 */
inline Variables
MakeVariables(const Transmission& t)
{
    Variables v;
    if (t.mode == SharingMode::DEDICATED)
    {
        v.dedicatedS = t.AirtimeS(1, 0);
        return v;
    }
    v.kappa = t.bits * std::log(2.0) / (t.link.efficiency * t.bandwidthHz);
    v.noiseW = t.link.snrGap * t.link.noiseDensityWPerHz * t.bandwidthHz / t.link.gain;
    v.overheadS = t.overheadS;
    v.shortest = v.kappa / std::log1p(t.link.maxPowerW / v.noiseW);
    return v;
}

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_VARIABLES_H */
