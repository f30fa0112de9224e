/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-exhaustive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr double ROUGH = 1e-3;           //!< tolerance of bounds of one cluster
constexpr int MAX_PRICINGS = 8;          //!< sets of weights and prices
constexpr double PRUNE_TOLERANCE = 2e-7; //!< relative; ties are not solved again
constexpr double LEAST_WEIGHT = 1e-3;    //!< of V, for every cluster's tau_m
constexpr double INFINITE = std::numeric_limits<double>::infinity();

/// A choice of one candidate per cluster, with its lower bound
struct Combination
{
    double bound{0};                 //!< of its cost
    std::vector<std::size_t> choice; //!< candidate of every cluster
};

/// The enumeration
class Enumeration
{
  public:
    Enumeration(const Instance& instance, const ExhaustiveOptions& options)
        : m_instance(instance),
          m_options(options)
    {
    }

    ExhaustiveResult Run()
    {
        m_result.combinations = 1;
        for (std::size_t m = 0; m < m_instance.state.clusters.size(); ++m)
        {
            m_candidates.push_back(EnumerateCandidates(m_instance, m));
            m_problems.emplace_back();
            for (const Candidate& candidate : m_candidates[m])
            {
                m_problems[m].push_back(MakeClusterProblem(m_instance, m, candidate));
            }
            m_result.combinations *= m_candidates[m].size();
        }
        if (m_result.combinations == 0)
        {
            return m_result;
        }
        if (m_problems.size() == 1)
        {
            SolveOne();
        }
        else
        {
            SolveSeveral();
        }
        Conclude();
        return m_result;
    }

  private:
    double Weight() const
    {
        return m_instance.penaltyWeight;
    }

    /// Cost above which nothing is of interest
    double Cutoff() const
    {
        return m_options.prune ? m_best * (1 - PRUNE_TOLERANCE) : INFINITE;
    }

    /// One cluster: candidates in the order of their bounds
    void SolveOne()
    {
        std::vector<Combination> order;
        for (std::size_t i = 0; i < m_problems[0].size(); ++i)
        {
            order.push_back({QuickBound(m_problems[0][i], Weight()), {i}});
        }
        SolveInOrder(order);
    }

    void SolveInOrder(std::vector<Combination>& order)
    {
        std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
            return a.bound < b.bound;
        });
        for (const Combination& combination : order)
        {
            if (combination.bound > Cutoff())
            {
                break;
            }
            Solve(combination.choice);
        }
    }

    /// Shares and powers for one combination
    void Solve(const std::vector<std::size_t>& choice)
    {
        std::vector<const ClusterProblem*> clusters;
        for (std::size_t m = 0; m < choice.size(); ++m)
        {
            clusters.push_back(&m_problems[m][choice[m]]);
        }
        ContinuousOptions options{m_options.solver, m_options.tolerance, Cutoff()};
        ContinuousSolution solution = SolveTogether(clusters, Weight(), options);
        ++m_result.solved;
        if (!solution.converged && !(solution.lowerBound > Cutoff()))
        {
            options.solver = m_options.solver == ContinuousSolver::BARRIER
                                 ? ContinuousSolver::NLOPT
                                 : ContinuousSolver::BARRIER;
            solution = SolveTogether(clusters, Weight(), options);
        }
        m_result.uncertified += !solution.converged && !(solution.lowerBound > Cutoff());
        if (solution.converged && solution.cost < m_best)
        {
            m_best = solution.cost;
            m_winner = choice;
            m_solution = solution;
        }
    }

    /// Several clusters: bounds by weights and prices, refined as better solutions are found
    void SolveSeveral()
    {
        std::vector<double> weights(m_problems.size(), Weight() / m_problems.size());
        PoolPrices prices{};
        double before = INFINITE;
        for (int i = 0; i < MAX_PRICINGS && m_options.prune; ++i)
        {
            AddBounds(weights, prices);
            Solve(BestByLastBounds());
            if (!(m_best < before * (1 - 1e-4)) && i > 1)
            {
                break;
            }
            before = m_best;
            weights = m_solution.weights;
            prices = m_solution.prices;
        }
        std::vector<Combination> order;
        std::vector<std::size_t> choice;
        Collect(choice, order);
        SolveInOrder(order);
    }

    /// The bounds of one set of weights and prices
    struct Pricing
    {
        std::vector<std::vector<double>> bounds; //!< per cluster and candidate
        double prices{0};                        //!< their sum
    };

    void AddBounds(std::vector<double> weights, const PoolPrices& prices)
    {
        for (double& weight : weights)
        {
            weight = std::max(weight, LEAST_WEIGHT * Weight());
        }
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        Pricing pricing;
        pricing.prices = std::accumulate(prices.begin(), prices.end(), 0.0);
        for (std::size_t m = 0; m < m_problems.size(); ++m)
        {
            pricing.bounds.emplace_back();
            for (const ClusterProblem& problem : m_problems[m])
            {
                const ContinuousOptions options{ContinuousSolver::BARRIER, ROUGH, INFINITE};
                pricing.bounds[m].push_back(
                    SolveAlone(problem, weights[m] * Weight() / sum, prices, options).lowerBound);
            }
        }
        m_pricings.push_back(pricing);
    }

    std::vector<std::size_t> BestByLastBounds() const
    {
        std::vector<std::size_t> choice;
        for (const std::vector<double>& bounds : m_pricings.back().bounds)
        {
            choice.push_back(std::min_element(bounds.begin(), bounds.end()) - bounds.begin());
        }
        return choice;
    }

    double Bound(const std::vector<std::size_t>& choice) const
    {
        double bound = -INFINITE;
        for (const Pricing& pricing : m_pricings)
        {
            double sum = -pricing.prices;
            for (std::size_t m = 0; m < choice.size(); ++m)
            {
                sum += pricing.bounds[m][choice[m]];
            }
            bound = std::max(bound, sum);
        }
        return bound;
    }

    /// All combinations whose bound leaves them in the race
    void Collect(std::vector<std::size_t>& choice, std::vector<Combination>& order) const
    {
        if (choice.size() == m_problems.size())
        {
            const double bound = Bound(choice);
            if (!(bound > Cutoff()))
            {
                order.push_back({bound, choice});
            }
            return;
        }
        for (std::size_t i = 0; i < m_problems[choice.size()].size(); ++i)
        {
            choice.push_back(i);
            Collect(choice, order);
            choice.pop_back();
        }
    }

    /// The winner's plan, evaluation and second opinion
    void Conclude()
    {
        if (m_winner.empty())
        {
            return;
        }
        std::vector<Candidate> candidates;
        std::vector<const ClusterProblem*> clusters;
        for (std::size_t m = 0; m < m_winner.size(); ++m)
        {
            candidates.push_back(m_candidates[m][m_winner[m]]);
            clusters.push_back(&m_problems[m][m_winner[m]]);
        }
        m_result.feasible = true;
        m_result.plan = MakePlan(m_instance, candidates, m_solution);
        m_result.evaluation = judge::EvaluatePlan(m_instance, m_result.plan);
        m_result.plan.plannedLatencyS = m_result.evaluation.latencyS;
        m_result.cost = m_best;
        m_result.lowerBound = m_best * (1 - PRUNE_TOLERANCE - m_options.tolerance);
        if (m_options.verify)
        {
            const ContinuousOptions options{ContinuousSolver::NLOPT, 1e-9, INFINITE};
            const ContinuousSolution second = SolveTogether(clusters, Weight(), options);
            m_result.disagreement = std::abs(second.cost - m_best) / m_best;
        }
    }

    const Instance& m_instance;                          //!< the problem
    ExhaustiveOptions m_options;                         //!< how
    std::vector<std::vector<Candidate>> m_candidates;    //!< per cluster
    std::vector<std::vector<ClusterProblem>> m_problems; //!< per cluster
    std::vector<Pricing> m_pricings;                     //!< bounds
    double m_best{INFINITE};                             //!< best cost
    std::vector<std::size_t> m_winner;                   //!< best choice
    ContinuousSolution m_solution;                       //!< of the best choice
    ExhaustiveResult m_result;                           //!< the verdict
};

} // namespace

RoundPlan
MakePlan(const Instance& instance,
         const std::vector<Candidate>& candidates,
         const ContinuousSolution& solution)
{
    RoundPlan plan;
    plan.localIterations = instance.state.training.localIterations;
    plan.schedule = instance.state.training.schedule;
    for (std::size_t m = 0; m < candidates.size(); ++m)
    {
        ChainPlan chain;
        chain.microBatches = candidates[m].pair.count;
        chain.microBatchSize = candidates[m].pair.size;
        chain.stages.push_back({CONTROL_UNIT, true, 0, 0, false});
        uint32_t next = 0;
        for (const Placement& p : candidates[m].chain)
        {
            const auto node = static_cast<NodeIndex>(p.device + 1);
            chain.stages.push_back({node, false, next, next + p.blocks, false});
            next += p.blocks;
        }
        chain.stages.push_back({EDGE_SERVER, false, next, next, true});
        const bool collected = instance.state.training.uploadRule == UploadRule::COLLECTED;
        plan.clusters.push_back(
            {{chain}, solution.links[m], collected ? UploadPath::COLLECTED : UploadPath::DIRECT});
    }
    return plan;
}

ExhaustiveResult
SolveExhaustively(const Instance& instance, const ExhaustiveOptions& options)
{
    return Enumeration(instance, options).Run();
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
