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

constexpr uint32_t MAX_STEPS = 60;      //!< of a first attempt
constexpr uint32_t CAREFUL_STEPS = 300; //!< of a second one with short steps
constexpr double PATIENCE = 100;        //!< with the residuals, after the first attempt
constexpr std::size_t MAX_ROUNDS = 30;  //!< of finding paths that are longer than those known
constexpr double LONGEST_STEP = 2.5;    //!< of a logarithm

} // namespace

RadioSolution
RadioMethod::Solve(const RadioProblem& problem, double tolerance, double cutoff)
{
    m_pools = problem.pools;
    m_tolerance = tolerance;
    m_steps = 0;
    m_cut = false;
    m_paths.Start(problem);
    if (!problem.isFlowShop)
    {
        m_paths.AddLongest(problem, GetStartOccupations(problem));
    }
    RadioSolution best;
    std::vector<Vector2> reached; // log w, log of x in seconds
    for (std::size_t round = 0; round < MAX_ROUNDS; ++round)
    {
        Prepare(problem);
        if (round > 0)
        {
            Resume(reached);
        }
        m_cutoff = (cutoff - problem.constant) / m_unit;
        Minimise();
        RadioSolution solution = GetSolution(problem);
        const bool better =
            round == 0 || std::isnan(best.objective) || solution.objective < best.objective;
        best = better ? std::move(solution) : best;
        if (m_cut || problem.isFlowShop)
        {
            break;
        }
        // The objective of the paths known so far bounds that of all from below
        const double bound = problem.constant + GetObjective() * m_unit;
        if (best.objective - bound <= 0.5 * tolerance * (best.objective - problem.constant) ||
            !m_paths.AddLongest(problem, GetOccupations(problem)))
        {
            break;
        }
        reached.clear();
        for (const auto& work : m_links)
        {
            const double unit = work.link->pooled ? 0 : std::log(m_unitS);
            reached.push_back({work.z.u, work.z.v + unit});
        }
    }
    if (!problem.isFlowShop && m_inequalities > 0)
    {
        m_paths.Remember(problem);
    }
    best.iterations = m_steps;
    return best;
}

/// Starts from the point that the method had reached before a path was added.
void
RadioMethod::Resume(const std::vector<Vector2>& reached)
{
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        LinkWork& work = m_links[i];
        if (work.freedom != LinkFreedom::FIXED)
        {
            work.z = {reached[i].u, reached[i].v - (work.link->pooled ? 0 : std::log(m_unitS))};
            work.Evaluate();
        }
    }
}

void
RadioMethod::Forget()
{
    m_paths.Forget();
}

/// Solves the problem of the present paths.
void
RadioMethod::Minimise()
{
    m_inequalities = 0;
    m_converged = std::all_of(m_links.begin(), m_links.end(), [](const LinkWork& work) {
        return work.freedom == LinkFreedom::FIXED;
    });
    if (m_converged)
    {
        return;
    }
    StartMultipliers();
    Iterate(MAX_STEPS, false);
    if (m_converged || m_cut)
    {
        return;
    }
    // The residuals of a link that hardly matters can be slow to fall
    Condense();
    if (!IsDone(PATIENCE))
    {
        StartLinks();
        StartMultipliers();
        Iterate(CAREFUL_STEPS, true);
    }
}

/// Steps, as "The interior point method" of the theory numbers their parts
void
RadioMethod::Iterate(uint32_t steps, bool careful)
{
    for (uint32_t step = 0; step < steps; ++step)
    {
        Condense();
        if (IsDone(1))
        {
            return;
        }
        m_system.Factor();
        const double mu = GetMu();
        const Centring centring = careful ? Centring() : Predict(mu);
        Correct(mu, centring);
        Move(careful ? 0.7 : 0.97);
        ++m_steps;
    }
}

/// Step 4: tries the direction without centring. How far it gets tells how much the step needs.
RadioMethod::Centring
RadioMethod::Predict(double mu)
{
    SetCentring(0, false);
    FindDirection();
    const double primal = GetStepLength(false);
    const double dual = GetStepLength(true);
    double affine = 0;
    ForEach([&](const Inequality& i) {
        affine += (i.slack + primal * i.slackStep) * (i.multiplier + dual * i.multiplierStep);
    });
    Centring centring;
    centring.corrector = std::min(primal, dual) > 0.1;
    const double sigma = std::pow(affine / static_cast<double>(m_inequalities) / mu, 3);
    centring.sigma = std::min(0.9, std::max(sigma, centring.corrector ? 1e-4 : 0.3));
    return centring;
}

/// Step 5: the direction that is taken
void
RadioMethod::Correct(double mu, const Centring& centring)
{
    // The gap must not close much faster than the residuals do
    const double residual = 0.001 * (GetPrimalResidual() + GetDualResidual());
    const double least = std::min(mu, residual / static_cast<double>(m_inequalities));
    SetCentring(std::max(centring.sigma * mu, least), centring.corrector);
    FindDirection();
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

/// Step 6: moves by that share of the way to where a slack or a multiplier would be 0.
void
RadioMethod::Move(double share)
{
    const double primal = std::min(1.0, share * GetStepLength(false));
    const double dual = std::min(1.0, share * GetStepLength(true));
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
        const ClusterTimes times = m_times.OfCluster(path.cluster);
        const double iteration = path.constantS / m_unitS +
                                 path.forwardBubble * times.forward.value +
                                 path.backwardBubble * times.backward.value;
        path.deadline.residual = times.distribution.value + path.iterations * iteration +
                                 path.constant / m_unitS + times.upload.value -
                                 m_times.Tau().value + path.deadline.slack;
    }
    for (const auto& work : m_links)
    {
        for (std::size_t p = 0; p < work.paths && work.freedom != LinkFreedom::FIXED; ++p)
        {
            m_paths[work.firstPath + p].deadline.residual += work.flow[p] * work.x;
        }
    }
}

} // namespace collapipe
} // namespace ns3
