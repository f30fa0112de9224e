/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PLAN_PRICES_H
#define COLLAPIPE_PLAN_PRICES_H

#include "collapipe-cluster-costs.h"
#include "collapipe-radio-problem.h"

namespace ns3
{
namespace collapipe
{

/**
 * Prices before anything is known: those that would hold if the cluster used a number of devices
 * with average links, and all clusters were alike.
 *
 * @param instance the round's problem
 * @param cluster m
 * @param pair (N, b)
 * @param devices guessed length of the chain
 * @param freedom whether shares are decided
 * @return the prices
 */
ClusterPrices GuessPrices(const Instance& instance,
                          std::size_t cluster,
                          const MicroBatchPair& pair,
                          std::size_t devices,
                          const RadioFreedom& freedom);

/**
 * Prices from the multipliers of a solved radio problem.
 *
 * @param problem the problem
 * @param solution its solution
 * @param cluster m
 * @param devices length of the chain
 * @return the prices
 */
ClusterPrices GetPrices(const RadioProblem& problem,
                        const RadioSolution& solution,
                        std::size_t cluster,
                        std::size_t devices);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PLAN_PRICES_H */
