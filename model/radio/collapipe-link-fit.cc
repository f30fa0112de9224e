/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FORGETTING = 0.5;     //!< weight of what was known, per round
constexpr double DELAY_WEIGHT = 0.005; //!< of the prior on D, where a round's transfers have 1
constexpr double RATE_WEIGHT = 0.005;  //!< of the prior on rho
constexpr double MIN_SLOWNESS = 0.5;   //!< beyond, a link took what others left and says little
constexpr double MIN_DELAY_S = 1e-6;

constexpr double MIN_SIGMA = 0.03; //!< relative error of a forecast where nothing is wrong
constexpr double GAP_SIGMA = 1.0;  //!< prior on log2 of Gamma over the expected one

} // namespace

void
TransferFit::Age()
{
    for (double* sum : {&m_a11, &m_a12, &m_a22, &m_b1, &m_b2})
    {
        *sum *= FORGETTING;
    }
}

void
TransferFit::Add(double expectedS, double measuredS, bool queued)
{
    const double one = queued ? 0 : 1 / measuredS;
    const double x = expectedS / measuredS;
    m_a11 += one * one;
    m_a12 += one * x;
    m_a22 += x * x;
    m_b1 += one;
    m_b2 += x;
    known = true;
}

void
TransferFit::Solve(double expectedDelayS)
{
    const double d0 = std::max(expectedDelayS, MIN_DELAY_S);
    const double a11 = m_a11 + DELAY_WEIGHT / (d0 * d0);
    const double a22 = m_a22 + RATE_WEIGHT;
    const double b1 = m_b1 + DELAY_WEIGHT / d0;
    const double b2 = m_b2 + RATE_WEIGHT;
    delayS = std::max((b1 * a22 - b2 * m_a12) / (a11 * a22 - m_a12 * m_a12), 0.0);
    slowness = std::max((b2 - m_a12 * delayS) / a22, MIN_SLOWNESS);
    if (slowness == MIN_SLOWNESS)
    {
        delayS = std::max((b1 - m_a12 * slowness) / a11, 0.0);
    }
}

double
TransferFit::Predict(double expectedS, bool queued) const
{
    return (queued ? 0 : delayS) + slowness * expectedS;
}

double
GapChoice::GetFactor(std::size_t candidate)
{
    return std::exp2(static_cast<double>(candidate) - (CANDIDATES - 1) / 2.0);
}

void
GapChoice::Age()
{
    for (auto* sums : {&m_errors, &m_weights})
    {
        for (double& sum : *sums)
        {
            sum *= FORGETTING;
        }
    }
}

void
GapChoice::Add(std::size_t candidate, double predictedS, double measuredS, double rateShare)
{
    const double weight = rateShare * rateShare;
    const double error = std::log(predictedS / measuredS);
    m_errors[candidate] += weight * error * error;
    m_weights[candidate] += weight;
}

std::size_t
GapChoice::GetBest() const
{
    double variance = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < CANDIDATES; ++i)
    {
        variance = m_weights[i] > 0 ? std::min(variance, m_errors[i] / m_weights[i]) : variance;
    }
    variance = std::max(variance, MIN_SIGMA * MIN_SIGMA);
    std::size_t best = 0;
    double least = 0;
    for (std::size_t i = 0; i < CANDIDATES; ++i)
    {
        const double offset = std::log2(GetFactor(i)) / GAP_SIGMA;
        const double cost = m_errors[i] / variance + offset * offset;
        if (i == 0 || cost < least)
        {
            best = i;
            least = cost;
        }
    }
    return best;
}

} // namespace collapipe
} // namespace ns3
