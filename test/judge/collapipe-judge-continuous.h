/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_CONTINUOUS_H
#define COLLAPIPE_JUDGE_CONTINUOUS_H

#include "collapipe-judge-model.h"
#include "collapipe-judge-program.h"

#include <array>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// Prices of the pools which clusters share: [2 phase] uplink, [2 phase + 1] downlink
using PoolPrices = std::array<double, 6>;

/// How the continuous part is solved
enum class ContinuousSolver
{
    BARRIER, //!< logarithmic barrier, certified by its duality gap
    NLOPT,   //!< NLopt's SLSQP
};

/// What is asked of the continuous part
struct ContinuousOptions
{
    ContinuousSolver solver{ContinuousSolver::BARRIER}; //!< which solver
    double tolerance{1e-7};                             //!< relative
    double cutoff{ConvexSolution::NO_BOUND}; //!< stop once the optimum is known to be above
};

/// Shares and powers for given discrete decisions
struct ContinuousSolution
{
    double cost{0};                           //!< w tau + sum Q E + Z phi (+ prices), at the point
    double lowerBound{0};                     //!< of the optimal cost
    std::vector<double> weights;              //!< multipliers of tau >= tau_m; they sum to V
    PoolPrices prices{};                      //!< multipliers of the shared pools
    std::vector<std::vector<LinkPlan>> links; //!< per cluster
    bool converged{false};                    //!< to the tolerance
    int iterations{0};                        //!< of the solver
};

/**
 * All clusters together: minimise V max_m tau_m + sum Q E + Z phi over shares and powers.
 *
 * @param clusters the clusters' problems
 * @param penaltyWeight V
 * @param options tolerance, cutoff, solver
 * @return the solution
 */
ContinuousSolution SolveTogether(const std::vector<const ClusterProblem*>& clusters,
                                 double penaltyWeight,
                                 const ContinuousOptions& options);

/**
 * One cluster alone, with the whole of the shared pools at a price: minimise
 * weight tau_m + sum Q E + Z phi + sum price share. For weights that sum to V, the sum over
 * clusters less the sum of prices bounds the joint optimum from below (weak duality).
 *
 * @param cluster the cluster's problem
 * @param weight of tau_m
 * @param prices of the shared pools
 * @param options tolerance, cutoff, solver
 * @return the solution
 */
ContinuousSolution SolveAlone(const ClusterProblem& cluster,
                              double weight,
                              const PoolPrices& prices,
                              const ContinuousOptions& options);

/**
 * A lower bound in closed form up to a search in one dimension: every link has its pool for itself,
 * and no link is a bottleneck unless it is one then.
 *
 * @param cluster the cluster's problem
 * @param weight of tau_m
 * @return at most the optimum of SolveAlone() at any prices
 */
double QuickBound(const ClusterProblem& cluster, double weight);

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_CONTINUOUS_H */
