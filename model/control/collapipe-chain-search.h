/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHAIN_SEARCH_H
#define COLLAPIPE_CHAIN_SEARCH_H

#include "collapipe-fluid-model.h"
#include "collapipe-round-solver.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Chains that begin at devices, where these have the data (TrainingProfile::dataOnDevices): how
 * many a cluster has, over which devices, cut where, who gets which samples, and whether they step
 * together; then shares, priorities and powers. No plan is worse in (13) than those of `splitfed`
 * with its best cut, `hasfl` and `replicated`, where the edge server may hold as many blocks as
 * theirs do.
 *
 * With equal shares and full power, the best of these plans and of ways to replicate a pipeline is
 * changed, cluster by cluster, to another of them or by ListChainMoves(), while (13) falls; or
 * stays and the clusters' times sum to less. A LinkSearch follows. The number of evaluations is
 * bounded, and nothing depends on time or chance.
 */
class ChainSearch
{
  public:
    /// @param instance the round's problem; it must outlive this
    explicit ChainSearch(const Instance& instance);

    /**
     * @param radio what may be decided of the links
     * @return the plan, or why there is none
     */
    RoundSolution Solve(const RadioFreedom& radio);

    /**
     * @param radio what may be decided of the links
     * @param plan of chains that begin at devices, as that of the last round
     * @return a plan that is not worse; infeasible where that one is not possible
     */
    RoundSolution Refine(const RadioFreedom& radio, const RoundPlan& plan);

  private:
    bool Try(RoundPlan plan);
    bool TryCluster(std::size_t m, const ClusterPlan& cluster);
    void ListWays();
    void AddStart(const RoundPlan& plan);
    void SweepWays();
    void Move();
    bool MoveCluster(std::size_t m);
    RoundSolution DecideLinks(const RadioFreedom& radio, const RoundSolution& start) const;
    bool IsAllowed(const ClusterPlan& cluster) const;
    std::vector<std::size_t> OrderClusters() const;

    const Instance& m_instance;                   //!< the problem
    std::vector<std::vector<ClusterPlan>> m_ways; //!< of each cluster
    RoundSolution m_best;                         //!< so far; infeasible: none
    double m_sumS{0};                             //!< of its clusters' times
    FluidModel m_fluid;                           //!< plays plans
    uint32_t m_left{0};                           //!< evaluations
};

/**
 * Where the data are on devices, the best plan of pipelines and of chains that begin there.
 *
 * @param instance the round's problem
 * @param options what may be decided; without segments, pipelines alone
 * @param pipelines the best plan of pipelines that begin at control units; maybe infeasible
 * @param last the last round's plan; maybe none
 * @return the best one
 */
RoundSolution ImproveWithChains(const Instance& instance,
                                const SolverOptions& options,
                                const RoundSolution& pipelines,
                                const RoundPlan& last);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHAIN_SEARCH_H */
