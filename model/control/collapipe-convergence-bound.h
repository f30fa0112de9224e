/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONVERGENCE_BOUND_H
#define COLLAPIPE_CONVERGENCE_BOUND_H

#include "collapipe-system-state.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The convergence bound (9), term by term: an upper bound of (1/T) sum_t E||grad F(w_t)||^2 after T
 * rounds of H local SGD steps. All terms have the unit of a squared gradient norm.
 */
struct ConvergenceBoundTerms
{
    double optimisation{0}; //!< 4 Delta / (eta H T)
    double noise{0};        //!< 4 eta L_s sigma^2 sum_m rho_m^2 / n_m
    double drift{0};        //!< 10 eta^2 L_s^2 H sigma^2 sum_m rho_m / n_m
    double divergence{0};   //!< 60 eta^2 L_s^2 H^2 delta^2

    /// @return the sum, the right-hand side of (9)
    double GetTotal() const
    {
        return optimisation + noise + drift + divergence;
    }
};

/**
 * phi of formula (10), the part of the bound (9) that depends on the plan.
 *
 * @param learning eta, L_s and sigma^2
 * @param localIterations H
 * @param rho weight of every cluster, summing to 1
 * @param samples n_m = N_m b_m of every cluster, samples per local iteration; a cluster that takes
 *        no samples (n_m = 0) makes phi infinite where there is noise
 * @return phi(n), in units of a squared gradient norm
 */
double ConvergencePhi(const LearningState& learning,
                      uint32_t localIterations,
                      const std::vector<double>& rho,
                      const std::vector<double>& samples);

/**
 * The bound (9).
 *
 * @param learning eta, L_s, sigma^2 and delta^2
 * @param localIterations H
 * @param rounds T
 * @param initialGap Delta = F(w_0) - F*
 * @param rho weight of every cluster, summing to 1
 * @param samples n_m of every cluster, samples per local iteration
 * @return its four terms; it holds where IsStepSizeAdmissible()
 */
ConvergenceBoundTerms ConvergenceBound(const LearningState& learning,
                                       uint32_t localIterations,
                                       uint32_t rounds,
                                       double initialGap,
                                       const std::vector<double>& rho,
                                       const std::vector<double>& samples);

/**
 * @param smoothness L_s, positive
 * @param localIterations H
 * @return the largest eta for which (9) is proven, 1 / (8 L_s H)
 */
double MaxStepSize(double smoothness, uint32_t localIterations);

/**
 * @param learning eta and L_s
 * @param localIterations H
 * @return whether 0 < eta <= 1 / (8 L_s H), the condition of (9)
 */
bool IsStepSizeAdmissible(const LearningState& learning, uint32_t localIterations);

/**
 * The equal number of samples per cluster at which phi(n) meets the target: (10) is proportional to
 * 1/n when every cluster takes the same n.
 *
 * @param learning eta, L_s and sigma^2
 * @param localIterations H
 * @param rho weight of every cluster, summing to 1
 * @param phiTarget phibar of (11), positive
 * @return n, not rounded; 0 where there is no noise
 */
double SamplesForPhi(const LearningState& learning,
                     uint32_t localIterations,
                     const std::vector<double>& rho,
                     double phiTarget);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONVERGENCE_BOUND_H */
