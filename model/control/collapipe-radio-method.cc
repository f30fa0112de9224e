/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-method.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LONGEST_STEP = 2.5; //!< of a logarithm
constexpr double LEAST_DUAL = 3e-8;  //!< relative residual that rounding may leave
constexpr double LOOSE_DUAL = 1e-3;  //!< from which the dual bound is looked at

} // namespace

/// Evaluates all inequalities: `residual` becomes g + s.
void
RadioMethod::Evaluate()
{
    m_poolSum.assign(m_pools, 0);
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        m_poolSum[work.link->pool] += work.follows ? 0 : work.w;
        work.capBound = m_times[work.capVariable].value - work.latency;
        work.cap.residual = work.capped ? std::log(work.x / work.capBound) + work.cap.slack : 0;
        work.powerLimit.residual = work.power + work.powerLimit.slack;
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        m_poolTotal[p] = m_poolActive[p] ? m_poolSum[p] : 1;
        m_budgets[p].residual = std::log(m_poolTotal[p]) + m_budgets[p].slack;
    }
    for (auto& time : m_times)
    {
        time.atFloor.residual = (time.floor - time.value) / time.scale + time.atFloor.slack;
    }
    EvaluatePaths();
}

void
RadioMethod::EvaluatePaths()
{
    for (auto& path : m_paths)
    {
        const double iterations = m_iterations[path.cluster];
        const TimeVariable* times = &m_times[4 * path.cluster];
        const double iteration = path.constantS / m_unitS + path.forwardBubble * times[0].value +
                                 path.backwardBubble * times[1].value;
        path.deadline.residual = times[2].value + iterations * iteration + path.constant / m_unitS +
                                 times[3].value - m_times.back().value + path.deadline.slack;
    }
    for (const auto& work : m_links)
    {
        for (std::size_t p = 0; p < work.paths && work.freedom != LinkFreedom::FIXED; ++p)
        {
            m_paths[work.firstPath + p].deadline.residual += work.flow[p] * work.x;
        }
    }
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
    double sum = m_times.back().value;
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

void
RadioMethod::SetCentring(double target, bool corrector)
{
    ForEach([&](Inequality& i) {
        i.centring = i.slack * i.multiplier - target;
        i.centring += corrector ? i.slackStep * i.multiplierStep : 0;
    });
}

double
RadioMethod::GetStepLength(bool dual) const
{
    double length = 1;
    ForEach([&](const Inequality& i) {
        const double value = dual ? i.multiplier : i.slack;
        const double step = dual ? i.multiplierStep : i.slackStep;
        length = step < 0 ? std::min(length, -value / step) : length;
    });
    if (!dual)
    {
        double longest = LONGEST_STEP;
        for (const auto& work : m_links)
        {
            longest = std::max({longest, std::abs(work.step.u), std::abs(work.step.v)});
        }
        length = std::min(length, LONGEST_STEP / longest);
    }
    return length;
}

void
RadioMethod::Move(double primal, double dual)
{
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED)
        {
            work.z.u += primal * work.step.u;
            work.z.v += primal * work.step.v;
            work.Evaluate();
        }
    }
    for (auto& time : m_times)
    {
        time.value += primal * time.step;
    }
    ForEach([&](Inequality& i) {
        i.slack += primal * i.slackStep;
        i.multiplier += dual * i.multiplierStep;
    });
    Evaluate();
}

/// @param patience factor by which the residuals may be larger than the tolerance asks for
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

void
RadioMethod::Iterate(uint32_t steps, bool careful)
{
    for (uint32_t step = 0; step < steps; ++step)
    {
        Assemble();
        if (IsDone(1))
        {
            return;
        }
        Factor();
        const double mu = GetMu();
        double centring = 0.5;
        bool corrector = false;
        if (!careful)
        {
            SetCentring(0, false);
            SolveSystem();
            const double primal = GetStepLength(false);
            const double dual = GetStepLength(true);
            double affine = 0;
            ForEach([&](const Inequality& i) {
                affine +=
                    (i.slack + primal * i.slackStep) * (i.multiplier + dual * i.multiplierStep);
            });
            centring = std::pow(affine / static_cast<double>(m_inequalities) / mu, 3);
            corrector = std::min(primal, dual) > 0.1;
            centring = std::min(0.9, std::max(centring, corrector ? 1e-4 : 0.3));
        }
        // The gap must not close much faster than the residuals do
        const double residual = 0.001 * (GetPrimalResidual() + GetDualResidual());
        const double least = std::min(mu, residual / static_cast<double>(m_inequalities));
        SetCentring(std::max(centring * mu, least), corrector);
        SolveSystem();
        const double share = careful ? 0.7 : 0.97;
        Move(std::min(1.0, share * GetStepLength(false)),
             std::min(1.0, share * GetStepLength(true)));
        ++m_steps;
    }
}

} // namespace collapipe
} // namespace ns3
