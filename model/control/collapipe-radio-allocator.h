/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_ALLOCATOR_H
#define COLLAPIPE_RADIO_ALLOCATOR_H

#include "collapipe-radio-problem.h"

#include <limits>
#include <memory>

namespace ns3
{
namespace collapipe
{

class RadioMethod;

/**
 * @ingroup collapipe
 * Shares and powers of all links for given discrete decisions: the geometric programme of section 6
 * in the variables log w and log x, solved by a primal-dual interior point method (Mehrotra's
 * predictor and corrector) that uses the structure: every link has one or two variables of its own
 * and meets the others only in its pool's budget, its cluster's times and tau.
 *
 * A step costs O(links + M p^3) for M clusters, p unknowns per cluster: 6 under GPipe without
 * targets, at most 17. Memory is kept from one call to the next.
 */
class RadioAllocator
{
  public:
    RadioAllocator();
    ~RadioAllocator();
    RadioAllocator(const RadioAllocator&) = delete;
    RadioAllocator& operator=(const RadioAllocator&) = delete;

    /**
     * @param problem a radio problem
     * @param tolerance relative duality gap at which to stop
     * @param cutoff gives up as soon as the optimum is known to be above, in units of (13)
     * @return shares that sum to at most 1 in every pool and powers in (0, p_max]
     */
    RadioSolution Solve(const RadioProblem& problem,
                        double tolerance = 1e-7,
                        double cutoff = std::numeric_limits<double>::infinity());

    /**
     * Forgets what was learnt from earlier problems: under 1F1B the paths that were longest. A
     * solution depends on them within its tolerance.
     */
    void Forget();

  private:
    std::unique_ptr<RadioMethod> m_method; //!< the method's state
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_ALLOCATOR_H */
