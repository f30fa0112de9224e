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

/// Adds the Hessian of exp f, given its value and the gradient and Hessian of f
void
AddSquare(Matrix2& sum, double value, const Vector2& gradient, const Matrix2& hessian)
{
    sum.uu += value * (gradient.u * gradient.u + hessian.uu);
    sum.uv += value * (gradient.u * gradient.v + hessian.uv);
    sum.vv += value * (gradient.v * gradient.v + hessian.vv);
}

} // namespace

void
LinkWork::Start(double share, double powerFraction)
{
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double snr = powerFraction * link->snr / (frequency ? share : 1);
    z.u = std::log(share);
    if (link->pooled)
    {
        const double most = mostPower + (frequency ? z.u : 0) + std::log(START_OF_CAP);
        z.v = HasPower() ? std::min(std::log(powerFraction), most) : 0;
        return;
    }
    // With a power that is decided the start is within all limits
    const double most = link->cap * (HasPower() ? START_OF_CAP : 1);
    z.v = std::log(kappa / (share * std::min(most, std::log1p(snr))));
}

void
LinkWork::Evaluate()
{
    w = std::exp(z.u);
    if (link->pooled)
    {
        EvaluatePooled();
        return;
    }
    if (freedom == LinkFreedom::SHARE)
    {
        EvaluateFullPower();
        return;
    }
    const double payload = std::exp(z.v);
    const double beside = overhead / w;
    x = payload + beside;
    xGradient = {-beside, payload};
    xHessian = {beside, 0, payload};
    const double part = beside / x;
    logGradient = {-part, 1 - part};
    const double curvature = part * (1 - part); // of a sum of exponentials
    logHessian = {curvature, curvature, curvature};
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
    x = (kappa / bitsPerHz + overhead) / w; // no overhead under FREQUENCY
    logGradient = {slope, 0};
    logHessian = {curvature, 0, 0};
    xGradient = {x * slope, 0};
    xHessian = {x * (slope * slope + curvature), 0, 0};
}

void
LinkWork::EvaluateEnergy()
{
    const double y = std::exp(z.u + z.v);
    const double q = kappa / y;
    const double em1 = std::expm1(q);
    const double scaled = energyScale * y;
    energy = scaled * em1;
    // Differences of nearly equal numbers where q is small: their series
    energySlope = q < 1e-4 ? -scaled * q * q * (0.5 + q / 3) : scaled * (em1 - q * (1 + em1));
    energyCurvature =
        scaled * (q < 1e-4 ? q * q * (0.5 + q * 2 / 3) : em1 + (q * q - q) * (1 + em1));
    const double beside = energyScale * overhead;
    energy += beside * em1;
    energySlope -= beside * q * (1 + em1);
    energyCurvature += beside * q * (1 + q) * (1 + em1);
    energy += airPrice * (y + overhead);
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

void
LinkWork::EvaluatePooled()
{
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double fraction = std::exp(z.v);
    const double snr = fraction * link->snr / (frequency ? w : 1);
    double bitsPerHz = std::log1p(snr);
    const double part = snr / (1 + snr);
    double slope = part / bitsPerHz; // of log bitsPerHz by log snr
    double curvature = slope * (slope - (1 - part));
    if (bitsPerHz > link->cap)
    {
        bitsPerHz = link->cap;
        slope = 0;
        curvature = 0;
    }
    const double payload = kappa / bitsPerHz;
    const double payloadPart = payload / (payload + overhead); // all of it under FREQUENCY
    x = (payload + overhead) / w;
    logGradient = {frequency ? slope - 1 : -1, -slope * payloadPart};
    logHessian = {frequency ? curvature : 0,
                  frequency ? -curvature : 0,
                  payloadPart * (curvature + (1 - payloadPart) * slope * slope)};
    EvaluatePooledPower();
    if (x < leastX)
    {
        // The wire behind the medium is the slower: the larger of two convex times is convex
        x = leastX;
        logGradient = {};
        logHessian = {};
    }
    xGradient = {x * logGradient.u, x * logGradient.v};
    xHessian = {};
    AddSquare(xHessian, x, logGradient, logHessian);
}

/// Radiated energy and that of circuits, and the limit of the power
void
LinkWork::EvaluatePooledPower()
{
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double airS = frequency ? x : w * x;
    const double radiated = energyScale * std::exp(z.v) * airS;
    const double circuits = airPrice * airS; // under FREQUENCY they are in timePrice
    const Vector2 ofAir{logGradient.u + (frequency ? 0 : 1), logGradient.v};
    const Vector2 ofRadiated{ofAir.u, ofAir.v + 1};
    energy = radiated + circuits;
    energyGradient = {radiated * ofRadiated.u + circuits * ofAir.u,
                      radiated * ofRadiated.v + circuits * ofAir.v};
    energyHessian = {};
    AddSquare(energyHessian, radiated, ofRadiated, logHessian);
    AddSquare(energyHessian, circuits, ofAir, logHessian);
    power = z.v;
    powerGradient = {0, 1};
    const double excess = z.v - mostPower - (frequency ? z.u : 0);
    if (excess > power)
    {
        power = excess;
        powerGradient = {frequency ? -1.0 : 0.0, 1};
    }
}

void
LinkWork::SetInverse(const Matrix2& hessian)
{
    if (freedom == LinkFreedom::BOTH)
    {
        const double determinant = hessian.uu * hessian.vv - hessian.uv * hessian.uv;
        inverse = {hessian.vv / determinant, -hessian.uv / determinant, hessian.uu / determinant};
        return;
    }
    inverse = {HasShare() ? 1 / hessian.uu : 0, 0, HasShare() ? 0 : 1 / hessian.vv};
}

double
LinkWork::GetPowerFraction(double share) const
{
    if (link->pooled)
    {
        return std::min(1.0, std::exp(z.v));
    }
    const bool frequency = link->mode == SharingMode::FREQUENCY;
    const double fraction =
        std::expm1(kappa / (share * std::exp(z.v))) * (frequency ? share : 1) / link->snr;
    return std::min(1.0, fraction);
}

} // namespace collapipe
} // namespace ns3
