/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_METHOD_H
#define COLLAPIPE_RADIO_METHOD_H

#include "collapipe-coupling-system.h"
#include "collapipe-path-set.h"
#include "collapipe-radio-link-work.h"
#include "collapipe-radio-times.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// How a coupling row meets the variables of links that use one reservation in turn
struct TurnColumn
{
    std::size_t row{0}; //!< in the coupling system
    Vector2 column;     //!< derivatives by the variables
    Vector2 solved;     //!< inverse times that
};

/// Links that use one reservation in turn, with one share and one power
struct Turns
{
    std::vector<std::size_t> links;  //!< the first one has the variables
    std::vector<TurnColumn> columns; //!< no two of one row
};

/**
 * The interior point method behind RadioAllocator. "The interior point method" of the theory
 * (doc/collapipe-theory.rst) explains it, in the order of the functions here.
 */
class RadioMethod
{
  public:
    /// See RadioAllocator::Solve().
    RadioSolution Solve(const RadioProblem& problem, double tolerance, double cutoff);

    /// See RadioAllocator::Forget().
    void Forget();

  private:
    /// What the second direction of a step aims at
    struct Centring
    {
        double sigma{0.5};     //!< part of mu that is to be left
        bool corrector{false}; //!< whether the first direction's second-order term is counted
    };

    // Problems, with ever more paths
    void Minimise();
    void Resume(const std::vector<Vector2>& reached);
    void Iterate(uint32_t steps, bool careful);
    // The programme and its start
    void Prepare(const RadioProblem& problem);
    void SetShares(const RadioProblem& problem);
    LinkWork MakeWork(const RadioProblem& problem, const RadioLink& link) const;
    void SetTurns();
    void SetMostPower(const Turns& turns);
    void SetTimes(const RadioProblem& problem);
    void SetUnits(const RadioProblem& problem);
    void SetFlows();
    void StartLinks();
    void StartMultipliers();
    std::vector<double> GetStartOccupations(const RadioProblem& problem);
    // A step, 1: the linear system, without the links' variables
    void Condense();
    void AddBudgets();
    void AddTimes();
    void AddDeadlines();
    void CondenseLink(LinkWork& work);
    void SetBlock(LinkWork& work) const;
    void Couple(LinkWork& work);
    void CouplePaths(const LinkWork& work);
    void CondenseTurns(Turns& turns);
    void AddCurvature(LinkWork& work, Turns& turns, Matrix2& hessian, Vector2& gradient);
    // 2: the end
    bool IsDone(double patience);
    double GetMu() const;
    double GetObjective() const;
    double GetLagrangian() const;
    double GetDualResidual() const;
    double GetPrimalResidual() const;
    // 3 is CouplingSystem::Factor(); 4 and 5: two directions
    Centring Predict(double mu);
    void Correct(double mu, const Centring& centring);
    void SetCentring(double target, bool corrector);
    void FindDirection();
    void SetRightHandSide();
    void ReduceLink(LinkWork& work);
    void ReduceTurns(Turns& turns);
    void RestoreTurns(const Turns& turns);
    void RestoreLink(LinkWork& work) const;
    void SetSteps();
    void SetPathSteps();
    // 6: the next point
    void Move(double share);
    double GetStepLength(bool dual) const;
    void Evaluate();
    void EvaluatePaths();
    // Result
    std::vector<double> GetOccupations(const RadioProblem& problem) const;
    RadioSolution GetSolution(const RadioProblem& problem) const;
    void AddPrices(const RadioProblem& problem, RadioSolution& solution) const;

    template <typename F>
    void ForEach(F f);

    template <typename F>
    void ForEach(F f) const
    {
        const_cast<RadioMethod*>(this)->ForEach([&](Inequality& i) { f(i); });
    }

    /// Calls f(row of the coupling system, LinkColumn) for a link's cap and pool.
    template <typename F>
    void ForEachColumn(const LinkWork& work, F f) const;

    /// @return the link's part of the shares in its pool
    double GetPart(const LinkWork& work) const
    {
        return work.w / m_poolTotal[work.link->pool];
    }

    /// lambda / s, less lambda: the Hessian of log sum exp is a diagonal less a matrix of rank one
    double GetBudgetWeight(std::size_t pool) const
    {
        const Inequality& i = m_budgets[pool];
        return i.Weight() - i.multiplier * (i.slack < 0.5 ? 1 : 0);
    }

    std::vector<LinkWork> m_links;     //!< all links
    std::vector<Turns> m_turns;        //!< those that are pooled
    std::vector<double> m_shares;      //!< at the start
    std::vector<uint32_t> m_poolLinks; //!< number of links per pool
    std::vector<uint8_t> m_poolActive; //!< whether its shares are decided
    std::vector<double> m_poolSum;     //!< of shares
    std::vector<double> m_poolTotal;   //!< of shares, at the present point
    std::vector<Inequality> m_budgets; //!< log(sum of shares) <= 0
    PathSet m_paths;                   //!< bounds of the clusters' times
    RadioTimes m_times;                //!< of the clusters, and tau
    CouplingSystem m_system;           //!< of budgets, deadlines and times
    std::size_t m_pools{0};            //!< number of pools
    std::size_t m_inequalities{0};     //!< how many
    double m_unitS{1};                 //!< the method's unit of time
    double m_unit{1};                  //!< of the objective: V times that
    double m_tolerance{0};             //!< relative gap
    double m_cutoff{0};                //!< in units of the objective
    bool m_cut{false};                 //!< the cutoff was passed
    bool m_converged{false};           //!< to the tolerance
    uint32_t m_steps{0};               //!< so far
};

template <typename F>
void
RadioMethod::ForEach(F f)
{
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && work.capped)
        {
            f(work.cap);
        }
        if (work.HasPower() && !work.follows)
        {
            f(work.powerLimit);
        }
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        if (m_poolActive[p])
        {
            f(m_budgets[p]);
        }
    }
    for (auto& path : m_paths)
    {
        f(path.deadline);
    }
    for (std::size_t i = 0; i < m_times.GetTauIndex(); ++i)
    {
        if (m_times[i].active)
        {
            f(m_times[i].atFloor);
        }
    }
}

template <typename F>
void
RadioMethod::ForEachColumn(const LinkWork& work, F f) const
{
    if (work.capped)
    {
        f(m_system.TimeRow(work.capVariable), TIME_COLUMN);
    }
    if (work.HasShare())
    {
        f(m_system.PoolRow(work.link->pool), POOL_COLUMN);
    }
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_METHOD_H */
