/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-link-work.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double START_OF_CAP = 0.98; //!< of the highest spectral efficiency

} // namespace

void
LinkWork::Start(double share, double powerFraction)
{
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double snr = powerFraction * link->snr / (frequency ? share : 1);
    z.u = std::log(share);
    // With a power that is decided the start is within all limits
    const double most = link->cap * (HasPower() ? START_OF_CAP : 1);
    z.v = std::log(kappa / (share * std::min(most, std::log1p(snr))));
}

void
LinkWork::Evaluate()
{
    w = std::exp(z.u);
    if (freedom == LinkFreedom::SHARE)
    {
        EvaluateFullPower();
        return;
    }
    x = std::exp(z.v);
    xGradient = {0, x};
    xHessian = {0, 0, x};
    logGradient = {0, 1};
    logCurvature = 0;
    EvaluateEnergy();
    EvaluatePower();
}

void
LinkWork::EvaluateFullPower()
{
    double slope = -1;
    double curvature = 0;
    double bitsPerHz = std::log1p(link->snr);
    if (link->mode == SharingMode::FREQUENCY)
    {
        bitsPerHz = std::log1p(link->snr / w);
        const double part = link->snr / (w + link->snr);
        slope += part / bitsPerHz;
        curvature = part * (part / bitsPerHz - (1 - part)) / bitsPerHz;
    }
    if (bitsPerHz > link->cap)
    {
        bitsPerHz = link->cap;
        slope = -1;
        curvature = 0;
    }
    x = kappa / (w * bitsPerHz);
    logGradient = {slope, 0};
    logCurvature = curvature;
    xGradient = {x * slope, 0};
    xHessian = {x * (slope * slope + curvature), 0, 0};
}

void
LinkWork::EvaluateEnergy()
{
    const double y = w * x;
    const double q = kappa / y;
    const double em1 = std::expm1(q);
    const double scaled = energyScale * y;
    energy = scaled * em1;
    // Differences of nearly equal numbers where q is small: their series
    energySlope = q < 1e-4 ? -scaled * q * q * (0.5 + q / 3) : scaled * (em1 - q * (1 + em1));
    energyCurvature =
        scaled * (q < 1e-4 ? q * q * (0.5 + q * 2 / 3) : em1 + (q * q - q) * (1 + em1));
    energy += airPrice * y;
    energySlope += airPrice * y;
    energyCurvature += airPrice * y;
    const double ratio = q < 1e-8 ? 1 : q * (1 + em1) / em1;
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    power = std::log(em1 * (frequency ? w : 1) / link->snr);
    powerGradient = {-ratio + (frequency ? 1 : 0), -ratio};
    powerCurvature = q < 1e-4 ? q * (0.5 + q / 6) : q * (1 + em1) * (em1 - q) / (em1 * em1);
}

void
LinkWork::EvaluatePower()
{
    if (link->mode == SharingMode::AIRTIME)
    {
        // p <= p_max is y >= kappa / log(1 + P): linear in the variables
        power = std::log(kappa / std::log1p(link->snr)) - z.u - z.v;
        powerGradient = {-1, -1};
        powerCurvature = 0;
    }
    // So is the highest modulation, y >= kappa / cap: the tighter of two convex limits is convex
    const double excess = std::log(kappa / link->cap) - z.u - z.v;
    if (excess > power)
    {
        power = excess;
        powerGradient = {-1, -1};
        powerCurvature = 0;
    }
}

double
LinkWork::GetPowerFraction(double share) const
{
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double fraction = std::expm1(kappa / (share * x)) * (frequency ? share : 1) / link->snr;
    return std::min(1.0, fraction);
}

} // namespace collapipe
} // namespace ns3
