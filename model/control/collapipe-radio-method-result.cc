/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// When the method is done, and what it has found

#include "collapipe-radio-method.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_DUAL = 3e-8; //!< relative residual that rounding may leave
constexpr double LOOSE_DUAL = 1e-3; //!< from which the dual bound is looked at

} // namespace

/// Step 2. @param patience factor by which the residuals may be larger than the tolerance asks for
bool
RadioMethod::IsDone(double patience)
{
    const double objective = GetObjective();
    const double gap = GetMu() * static_cast<double>(m_inequalities);
    const double dual = GetDualResidual();
    const double primal = GetPrimalResidual();
    // What is left of the residuals costs as much as the gap, once the point is made feasible
    m_converged = gap <= 0.5 * m_tolerance * objective && primal <= 0.1 * patience * m_tolerance &&
                  dual <= patience * std::max(m_tolerance, LEAST_DUAL) * objective;
    if (!m_converged && dual < LOOSE_DUAL * objective)
    {
        // A bound by weak duality, whether or not the point is feasible yet; the optimum is not
        // farther than a few units away in each logarithm, which is what the residual costs
        m_cut = GetLagrangian() - 10 * dual > m_cutoff;
    }
    return m_converged || m_cut;
}

double
RadioMethod::GetMu() const
{
    double sum = 0;
    ForEach([&](const Inequality& i) { sum += i.slack * i.multiplier; });
    return sum / static_cast<double>(m_inequalities);
}

double
RadioMethod::GetObjective() const
{
    double sum = m_times.Tau().value;
    for (const auto& work : m_links)
    {
        sum += (work.HasPower() ? work.energy : 0) + work.timePrice * work.x;
    }
    return sum;
}

double
RadioMethod::GetLagrangian() const
{
    double sum = GetObjective();
    ForEach([&](const Inequality& i) { sum += i.multiplier * (i.residual - i.slack); });
    return sum;
}

double
RadioMethod::GetPrimalResidual() const
{
    double most = 0;
    ForEach([&](const Inequality& i) { most = std::max(most, std::abs(i.residual)); });
    return most;
}

double
RadioMethod::GetDualResidual() const
{
    double most = 0;
    for (const auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED)
        {
            most = std::max({most, std::abs(work.rightHandSide.u), std::abs(work.rightHandSide.v)});
        }
    }
    for (const auto& time : m_times)
    {
        most = std::max(most, time.active ? std::abs(time.gradient * time.scale) : 0);
    }
    return most;
}

/// a / r by link at the present point
std::vector<double>
RadioMethod::GetOccupations(const RadioProblem& problem) const
{
    std::vector<double> occupationS;
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const bool fixed = m_links[i].freedom == LinkFreedom::FIXED;
        const double free = m_links[i].x * m_unitS;
        occupationS.push_back(fixed ? GetOccupationS(problem.links[i], m_shares[i], 1) : free);
    }
    return occupationS;
}

RadioSolution
RadioMethod::GetSolution(const RadioProblem& problem) const
{
    RadioSolution solution;
    std::vector<double> sums(m_pools, 0);
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        solution.shares.push_back(work.HasShare() ? work.w : m_shares[i]);
        const bool counts = work.link->mode != SharingMode::DEDICATED && work.link->lead == i;
        sums[work.link->pool] += counts ? solution.shares[i] : 0;
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        double& share = solution.shares[i];
        share = work.HasShare() ? share / sums[work.link->pool] : share;
        const double fraction = work.HasPower() ? work.GetPowerFraction(share) : 1;
        // A bound that is hardly ever met is no variable: who is under it is raised to it
        solution.powersW.push_back(std::max(fraction * work.link->maxPowerW, work.link->minPowerW));
    }
    solution.objective = EvaluateRadio(problem, solution.shares, solution.powersW);
    solution.iterations = m_steps;
    solution.converged = m_converged;
    solution.gap = m_inequalities == 0 ? 0 : GetMu() * m_inequalities * m_unit;
    AddPrices(problem, solution);
    return solution;
}

void
RadioMethod::AddPrices(const RadioProblem& problem, RadioSolution& solution) const
{
    const bool solved = m_inequalities > 0;
    const std::size_t clusters = problem.clusters.size();
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        const bool active = solved && m_poolActive[p];
        solution.poolPrices.push_back(active ? m_budgets[p].multiplier * m_unit : 0);
    }
    solution.latencyPrices.assign(clusters,
                                  solved ? 0
                                         : problem.penaltyWeight / static_cast<double>(clusters));
    for (const auto& path : m_paths)
    {
        solution.latencyPrices[path.cluster] +=
            solved ? path.deadline.multiplier * problem.penaltyWeight : 0;
    }
    for (std::size_t m = 0; m < clusters; ++m)
    {
        const ClusterTimes times = m_times.OfCluster(m);
        solution.distributionS.push_back(times.distribution.value * m_unitS);
        solution.uploadS.push_back(times.upload.value * m_unitS);
    }
}

} // namespace collapipe
} // namespace ns3
