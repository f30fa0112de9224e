/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLOCK_SEARCH_H
#define COLLAPIPE_CLOCK_SEARCH_H

#include "collapipe-clock-states.h"
#include "collapipe-round-solver.h"

#include <functional>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Searches for the clocks at which nodes compute, around a search for everything else. It goes in
 * two steps in turn: for a plan as it is, slower clocks, of all nodes together by a pace that each
 * keeps with the slowest clock that is fast enough, and of each node by itself; and for such
 * clocks, the best plan. A step is accepted only if (13) falls.
 *
 * Only where energy has a price do slower clocks pay: a round never becomes shorter by them.
 */
class ClockSearch
{
  public:
    /// Finds a plan where nodes have no clocks but their full ones
    using Solve = std::function<RoundSolution(const Instance&)>;

    /// Finds a better one from a plan that is at hand, if there is
    using Refine = std::function<RoundSolution(const Instance&, const RoundPlan&)>;

    /**
     * @param instance the round's problem
     * @param solve everything else
     * @param refine everything else; it costs less
     */
    ClockSearch(const Instance& instance, Solve solve, Refine refine);

    /**
     * @param clocks of all nodes
     * @return a plan at these clocks
     */
    RoundSolution SolveAt(const RoundClocks& clocks) const;

    /**
     * @param plan that CheckPlan() finds nothing wrong with
     * @return the best that was found from there, first at the plan's clocks; not worse
     */
    RoundSolution ImprovePlan(const RoundPlan& plan) const;

    /**
     * @param solution a plan at hand, not infeasible
     * @return the best that was found from there; not worse
     */
    RoundSolution Improve(RoundSolution solution) const;

    /**
     * Searches from a plan at full clocks, and from all nodes as slow as they can be.
     * @param solution the plan, not infeasible
     * @return the best that was found; not worse
     */
    RoundSolution Run(const RoundSolution& solution) const;

  private:
    RoundSolution RefineAt(const RoundPlan& plan) const;
    bool Adjust(RoundSolution& solution) const;
    bool TryPaces(RoundSolution& solution) const;
    bool TryNodes(RoundSolution& solution) const;
    bool Try(RoundSolution& solution, const RoundPlan& plan) const;
    RoundClocks KeepPace(const RoundSolution& solution, double stretch, std::size_t only) const;

    const Instance& m_instance; //!< the problem
    Solve m_solve;              //!< for everything else
    Refine m_refine;            //!< for everything else
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLOCK_SEARCH_H */
