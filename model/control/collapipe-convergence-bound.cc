/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-convergence-bound.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// The two sums over clusters in (9)
struct NoiseSums
{
    double squared{0}; //!< sum_m rho_m^2 / n_m
    double plain{0};   //!< sum_m rho_m / n_m
};

/**
 * @param rho weight of every cluster
 * @param samples samples of every cluster
 * @return the sums
 */
NoiseSums
SumNoise(const std::vector<double>& rho, const std::vector<double>& samples)
{
    NS_ABORT_MSG_IF(rho.size() != samples.size(),
                    "The convergence bound needs one weight and one number of samples per "
                    "cluster, but got "
                        << rho.size() << " weights and " << samples.size() << " numbers");
    NoiseSums sums;
    for (std::size_t m = 0; m < rho.size(); ++m)
    {
        if (rho[m] > 0)
        {
            sums.squared += rho[m] * rho[m] / samples[m];
            sums.plain += rho[m] / samples[m];
        }
    }
    return sums;
}

} // namespace

ConvergenceBoundTerms
ConvergenceBound(const LearningState& learning,
                 uint32_t localIterations,
                 uint32_t rounds,
                 double initialGap,
                 const std::vector<double>& rho,
                 const std::vector<double>& samples)
{
    const double eta = learning.stepSize;
    const double h = localIterations;
    const double etaL = eta * learning.smoothness;
    ConvergenceBoundTerms terms;
    terms.optimisation = 4 * initialGap / (eta * h * rounds);
    if (learning.gradientVariance > 0)
    {
        const NoiseSums sums = SumNoise(rho, samples);
        terms.noise = 4 * etaL * learning.gradientVariance * sums.squared;
        terms.drift = 10 * etaL * etaL * h * learning.gradientVariance * sums.plain;
    }
    terms.divergence = 60 * etaL * etaL * h * h * learning.clusterDivergence;
    return terms;
}

double
ConvergencePhi(const LearningState& learning,
               uint32_t localIterations,
               const std::vector<double>& rho,
               const std::vector<double>& samples)
{
    const ConvergenceBoundTerms terms =
        ConvergenceBound(learning, localIterations, 1, 0, rho, samples);
    return terms.noise + terms.drift;
}

double
MaxStepSize(double smoothness, uint32_t localIterations)
{
    return 1 / (8 * smoothness * localIterations);
}

bool
IsStepSizeAdmissible(const LearningState& learning, uint32_t localIterations)
{
    return learning.stepSize > 0 &&
           learning.stepSize * 8 * learning.smoothness * localIterations <= 1 + 1e-12;
}

double
SamplesForPhi(const LearningState& learning,
              uint32_t localIterations,
              const std::vector<double>& rho,
              double phiTarget)
{
    const std::vector<double> one(rho.size(), 1.0);
    return ConvergencePhi(learning, localIterations, rho, one) / phiTarget;
}

} // namespace collapipe
} // namespace ns3
