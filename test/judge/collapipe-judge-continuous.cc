/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How the program is solved, and its solution read

#include "collapipe-judge-continuous.h"

#include "collapipe-judge-formulation.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr int MAX_CUTS = 200; //!< paths of the 1F1B task graph

} // namespace

ContinuousSolution
Formulation::Solve(const ContinuousOptions& options)
{
    ContinuousSolution best;
    best.lowerBound = -ConvexSolution::NO_BOUND;
    for (const double rough : {1e-2, 1e-4, 0.0})
    {
        const bool cutting = m_parts[0].iteration.index >= 0;
        if (rough > 0 && (!cutting || options.solver == ContinuousSolver::NLOPT))
        {
            continue;
        }
        SolveWithCuts(std::max(rough, options.tolerance), options, best);
        if (best.lowerBound > options.cutoff)
        {
            break;
        }
    }
    return best;
}

void
Formulation::SolveWithCuts(double tolerance,
                           const ContinuousOptions& options,
                           ContinuousSolution& best)
{
    for (int cuts = 0; cuts < MAX_CUTS; ++cuts)
    {
        Finish();
        const ConvexSolution solution =
            options.solver == ContinuousSolver::BARRIER
                ? SolveBarrier(m_program, tolerance, options.cutoff / m_scale)
                : SolveNlopt(m_program, tolerance);
        Read(solution, best);
        if (!solution.converged || best.lowerBound > options.cutoff ||
            !AddViolatedPaths(solution.z, tolerance))
        {
            break;
        }
    }
}

void
Formulation::Finish()
{
    if (m_latency.index >= 0)
    {
        for (const Part& part : m_parts)
        {
            double& start = m_start[m_latency.index];
            start =
                std::max(start, START_SLACK * part.latency.Value(StartVector()) / m_latency.unit);
        }
    }
    m_program.start = StartVector();
    m_program.variables = m_start.size();
    if (m_scale == 1)
    {
        const double scale = std::abs(m_program.objective.Value(m_program.start));
        ConvexFunction scaled;
        Accumulate(scaled, m_program.objective, 1 / scale);
        m_program.objective = scaled;
        m_scale = scale;
    }
}

void
Formulation::Read(const ConvexSolution& solution, ContinuousSolution& best) const
{
    best.iterations += solution.iterations;
    best.converged = solution.converged;
    best.cost = solution.value * m_scale;
    best.lowerBound = std::max(best.lowerBound, solution.lowerBound * m_scale);
    best.weights.assign(m_clusters.size(), m_weight);
    best.links.assign(m_clusters.size(), {});
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        if (m_latency.index >= 0 && !solution.multipliers.empty())
        {
            best.weights[m] = solution.multipliers[m_firstLatency + m] * m_scale / m_latency.unit;
        }
        for (std::size_t i = 0; i < m_parts[m].links.size(); ++i)
        {
            best.links[m].push_back(
                ReadLink(m_clusters[m]->transmissions[i], m_parts[m].links[i], solution.z));
        }
    }
    for (std::size_t p = 0; p < best.prices.size() && !solution.multipliers.empty(); ++p)
    {
        best.prices[p] =
            m_poolConstraint[p] < 0 ? 0 : solution.multipliers[m_poolConstraint[p]] * m_scale;
    }
}

LinkPlan
Formulation::ReadLink(const Transmission& t, const Variables& v, const Eigen::VectorXd& z)
{
    LinkPlan link{t.phase, t.from, t.to, 1, t.link.maxPowerW};
    if (v.u >= 0)
    {
        link.share = std::min(1.0, std::exp(z(v.u)));
    }
    if (v.w >= 0 && t.from != EDGE_SERVER)
    {
        const double noise = v.noiseW * (t.mode == SharingMode::FREQUENCY ? link.share : 1);
        const double power = noise * std::expm1(v.kappa * std::exp(-z(v.w)));
        link.powerW = std::min(power, t.link.maxPowerW);
    }
    return link;
}

ContinuousSolution
SolveTogether(const std::vector<const ClusterProblem*>& clusters,
              double penaltyWeight,
              const ContinuousOptions& options)
{
    return Formulation(clusters, penaltyWeight).Solve(options);
}

ContinuousSolution
SolveAlone(const ClusterProblem& cluster,
           double weight,
           const PoolPrices& prices,
           const ContinuousOptions& options)
{
    return Formulation(cluster, weight, prices).Solve(options);
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
