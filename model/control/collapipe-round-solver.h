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

/// Which decisions of (13) are made, and which are fixed
struct SolverOptions
{
    bool segments{true};     //!< else all devices in order with L/K blocks each
    bool microBatches{true}; //!< else training.fixedPair
    RadioFreedom radio;      //!< shares and powers
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
     * @return the best plan found
     */
    RoundSolution Solve(const Instance& instance, const SolverOptions& options = SolverOptions());

  private:
    class Search;
    std::unique_ptr<Search> m_search; //!< memory that is kept between rounds
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
