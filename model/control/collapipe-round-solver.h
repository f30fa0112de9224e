/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ROUND_SOLVER_H
#define COLLAPIPE_ROUND_SOLVER_H

#include "collapipe-instance.h"
#include "collapipe-latency-model.h"
#include "collapipe-plan.h"
#include "collapipe-radio-problem.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

class ClockSearch;
class FluidSearch;

/// Which decisions of (13) are made, and which are fixed
struct SolverOptions
{
    bool segments{true};     //!< else all devices in order with L/K blocks each
    bool microBatches{true}; //!< else training.fixedPair
    RadioFreedom radio;      //!< shares and powers
    bool clocks{true};       //!< else every node computes at its full clock
};

/// What the solver found and how
struct RoundSolution
{
    RoundPlan plan;              //!< the plan; `infeasible` where there is none
    Evaluation evaluation;       //!< of the plan; empty where infeasible
    RoundChoice choice;          //!< its discrete decisions
    std::vector<double> history; //!< (13) after every accepted step; never rises
    uint32_t evaluations{0};     //!< radio problems solved, or given up
    uint32_t newtonSteps{0};     //!< in all of them
};

/**
 * @ingroup collapipe
 * Solves a round's problem (13), section 6: block coordinate descent over segments and order,
 * micro-batches, and radio, from several starts. Every step is accepted only if (13) falls, so that
 * it never rises; the number of steps is bounded, and nothing depends on time or chance.
 *
 * With all decisions free, the plans of every ablation (one decision fewer) and of the static,
 * uniform, tuned uniform and slowest-first pipelines are made as well: where one of them is better,
 * the search goes on from there.
 * So no plan is worse than any of these, by more than the tolerance of the continuous part.
 *
 * Where the rule leaves open who carries the parameters, all this is done for every way of
 * distributing the paths over few clusters; else for each path in all clusters, for the path in
 * each cluster that takes even chains less time, and with not too many clusters for what differs
 * from the latter in one. None of that depends on what else may be decided.
 *
 * Where a pool is work-conserving, the plans so found are the starts of a FluidSearch. Where nodes
 * offer clocks and energy has a price, a ClockSearch goes around all that.
 */
class RoundSolver
{
  public:
    RoundSolver();
    ~RoundSolver();
    RoundSolver(const RoundSolver&) = delete;
    RoundSolver& operator=(const RoundSolver&) = delete;

    /**
     * @param instance the round's problem
     * @param options what is decided
     * @param known another plan at hand, as that of the last round; with all decisions free the
     *        result is not worse; nullptr: none. It is not looked at where it is not feasible or
     * not of one chain for each cluster
     * @return the best plan found
     */
    RoundSolution Solve(const Instance& instance,
                        const SolverOptions& options = SolverOptions(),
                        const RoundPlan* known = nullptr);

  private:
    class Search;

    RoundSolution SolveOnPaths(const Instance& instance,
                               const SolverOptions& options,
                               const RoundPlan* known);
    RoundSolution SolveAtFullClocks(const Instance& instance,
                                    const SolverOptions& options,
                                    const RoundPlan* known);
    RoundSolution Refine(const Instance& instance,
                         const SolverOptions& options,
                         const RoundPlan& plan);
    static void CompareClocks(const ClockSearch& search,
                              const RoundSolution& other,
                              RoundSolution& best);
    RoundSolution SolveAlone(const Instance& instance, const SolverOptions& options);
    void CompareWithAblations(const Instance& instance, RoundSolution& best);
    void CompareWithBaselines(const Instance& instance, RoundSolution& best);
    void CompareWithTuned(const Instance& instance, RoundSolution& best);
    void CompareWith(const Instance& instance, const RoundSolution& other, RoundSolution& best);

    std::unique_ptr<Search> m_search;     //!< memory that is kept between rounds
    std::unique_ptr<FluidSearch> m_fluid; //!< the same for work-conserving media
};

/**
 * @param instance the round's problem
 * @param choice discrete decisions
 * @param problem made of both by BuildRadioProblem()
 * @param solution its solution
 * @return the plan, with its planned latency
 */
RoundPlan MakeRoundPlan(const Instance& instance,
                        const RoundChoice& choice,
                        const RadioProblem& problem,
                        const RadioSolution& solution);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ROUND_SOLVER_H */
