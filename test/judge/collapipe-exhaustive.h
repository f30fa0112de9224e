/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EXHAUSTIVE_H
#define COLLAPIPE_EXHAUSTIVE_H

#include "collapipe-judge-continuous.h"
#include "collapipe-judge-model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// How the judge judges
struct ExhaustiveOptions
{
    ContinuousSolver solver{ContinuousSolver::BARRIER}; //!< of every candidate
    double tolerance{1e-7};                             //!< relative, of the continuous part
    bool prune{true};  //!< skip what a lower bound excludes; false: solve every combination
    bool verify{true}; //!< solve the winner a second time with NLopt
};

/// The judge's verdict
struct ExhaustiveResult
{
    bool feasible{false};     //!< whether there is any plan
    RoundPlan plan;           //!< the best one
    Evaluation evaluation;    //!< (13) and its parts for it
    double cost{0};           //!< V tau + sum Q E + Z phi, its best value
    double lowerBound{0};     //!< certified, of the best cost
    double disagreement{0};   //!< relative, between barrier and NLopt at the winner
    uint64_t combinations{0}; //!< discrete decisions of all clusters together
    uint64_t uncertified{0};  //!< of them, given up by both solvers; 0 in a sound verdict
    uint64_t solved{0};       //!< of them, solved for shares and powers
};

/**
 * Solves (13) by enumeration. Discrete decisions (ordered subsets of devices, compositions of L,
 * allowed pairs; all clusters together) are all looked at; shares and powers of those which a
 * lower bound does not exclude are optimised on the convex form of section 6 to the tolerance.
 *
 * Lower bounds: weak duality. For weights w_m that sum to V and prices of the shared pools,
 *
 *     sum_m min [w_m tau_m + E_m + prices . shares_m] - sum prices
 *
 * is at most the joint optimum, and each minimum concerns one cluster. Weights and prices are taken
 * from the multipliers of the best joint solution found so far.
 *
 * @param instance the problem; V > 0
 * @param options how
 * @return the verdict
 */
ExhaustiveResult SolveExhaustively(const Instance& instance, const ExhaustiveOptions& options = {});

/**
 * @param instance the problem
 * @param candidates one per cluster
 * @param solution shares and powers
 * @return the plan
 */
RoundPlan MakePlan(const Instance& instance,
                   const std::vector<Candidate>& candidates,
                   const ContinuousSolution& solution);

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EXHAUSTIVE_H */
