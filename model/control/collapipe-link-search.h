/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_SEARCH_H
#define COLLAPIPE_LINK_SEARCH_H

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
 * Shares or weights, priorities and powers of any plan's links, whatever its chains: a coordinate
 * search over what EvaluatePlan() says, in reserved and in work-conserving media. Steps are taken
 * while (13) falls: more for clusters that end late and for parameters that arrive late; a whole
 * cluster's links, then those of one, times or over a factor that shrinks where nothing helps; a
 * priority up or down where the medium knows them; a power likewise where energy has a price. Links
 * that use one reservation in turn (see Reservation) are changed together. The number of
 * evaluations is bounded, and nothing depends on time or chance.
 */
class LinkSearch
{
  public:
    /// @param instance the round's problem; it must outlive this
    explicit LinkSearch(const Instance& instance);

    /**
     * @param radio what may be decided
     * @param start a feasible solution
     * @return a solution that is not worse
     */
    RoundSolution Improve(const RadioFreedom& radio, const RoundSolution& start);

  private:
    /// A link of the plan
    struct Place
    {
        std::size_t cluster{0}; //!< whose
        std::size_t link{0};    //!< index in ClusterPlan::links
    };

    using Group = std::vector<Place>; //!< links that are decided together

    bool Try(RoundPlan plan);
    bool TryLateOnes();
    bool TryClusters();
    bool TryShares();
    bool TryPriorities();
    bool TryPowers();
    /// Changes a share, which stays above a small part of the pool.
    void Scale(std::size_t m, LinkPlan& link, double factor) const;
    std::vector<std::size_t> OrderClusters() const;
    std::vector<Group> ListGroups() const;
    const PoolState& GetPoolOf(std::size_t m, const LinkPlan& link) const;
    bool IsCommon(std::size_t m, const LinkPlan& link) const;
    double GetOccupationS(std::size_t m, const LinkPlan& link) const;

    const Instance& m_instance; //!< the problem
    RadioFreedom m_radio;       //!< what is decided
    RoundSolution m_best;       //!< so far
    FluidModel m_fluid;         //!< plays plans
    uint32_t m_left{0};         //!< evaluations
    double m_factor{1};         //!< by which shares are changed
    double m_powerFactor{1};    //!< by which powers are changed
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_SEARCH_H */
