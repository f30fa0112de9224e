/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_SEARCH_H
#define COLLAPIPE_FLUID_SEARCH_H

#include "collapipe-fluid-model.h"
#include "collapipe-round-solver.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Improves a plan in a work-conserving medium, where (13) is not convex: every step is evaluated
 * with the fluid model (16) and taken only if (13) falls. Steps, of those decisions that are free:
 * a neighbour of a cluster's chain, or another pair (N, b), the clusters that end last first; the
 * weights of a whole cluster or of one link times or over a factor, which shrinks where nothing
 * helps; a priority up or down, where the medium knows them; a link's power likewise, where energy
 * has a price. The number of evaluations is bounded, and nothing depends on time or chance.
 */
class FluidSearch
{
  public:
    /**
     * @param instance the round's problem
     * @param options what may be decided
     * @param start a feasible solution
     * @return a solution that is not worse
     */
    RoundSolution Improve(const Instance& instance,
                          const SolverOptions& options,
                          const RoundSolution& start);

  private:
    /// A link whose weight or power may be decided
    struct Place
    {
        std::size_t cluster{0}; //!< whose
        std::size_t link{0};    //!< index in ClusterPlan::links
    };

    void SetBudget();
    bool Try(RoundPlan plan);
    bool Try(const RoundChoice& choice);
    bool TryChoices();
    bool TryCluster(std::size_t m);
    std::vector<ClusterChoice> ListChoices(std::size_t m) const;
    bool TryWeights();
    bool TryPriorities();
    bool TryPowers();
    std::vector<Place> ListPlaces() const;
    RoundPlan MakePlan(const RoundChoice& choice) const;
    std::vector<std::size_t> OrderClusters() const;
    bool IsShared(std::size_t m, const LinkPlan& link) const;
    const PoolState& GetPoolOf(std::size_t m, const LinkPlan& link) const;

    const Instance* m_instance{nullptr}; //!< the problem
    SolverOptions m_options;             //!< what is decided
    RoundSolution m_best;                //!< so far
    FluidModel m_fluid;                  //!< plays plans
    uint32_t m_left{0};                  //!< evaluations
    double m_factor{8};                  //!< by which weights are changed
    double m_powerFactor{4};             //!< by which powers are changed
    bool m_priced{false};                //!< whether energy has a price
};

/**
 * Brings weights into the form of shares: in every work-conserving pool the sums of all phases are
 * divided by the largest of them, so that no ratio changes; in a reserved one a phase whose shares
 * sum to more than 1 is scaled down.
 *
 * @param state the system
 * @param plan a plan whose shares are weights in work-conserving pools
 */
void NormaliseWeights(const SystemState& state, RoundPlan& plan);

/**
 * The same, but that a phase's shares in a reserved pool sum to 1 afterwards: what nobody has is
 * lost.
 *
 * @param state the system
 * @param plan a plan, likewise
 */
void FillShares(const SystemState& state, RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_SEARCH_H */
