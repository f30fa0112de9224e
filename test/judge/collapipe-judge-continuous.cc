/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-continuous.h"

#include "collapipe-judge-variables.h"

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

constexpr double START_SHARE = 0.9; //!< of every pool, at the start
constexpr double START_POWER = 0.7; //!< of pmax, at the start
constexpr double START_SLACK = 1.2; //!< of the auxiliary variables, at the start
constexpr int MAX_CUTS = 200;       //!< paths of the 1F1B task graph
constexpr std::size_t D2D_POOL = 2; //!< Transmission::pool

/// Builds a convex program from clusters' problems, and reads its solution
class Formulation
{
  public:
    /// All clusters together
    Formulation(const std::vector<const ClusterProblem*>& clusters, double penaltyWeight)
        : m_clusters(clusters),
          m_weight(penaltyWeight)
    {
        Build();
    }

    /// One cluster alone
    Formulation(const ClusterProblem& cluster, double weight, const PoolPrices& prices)
        : m_clusters{&cluster},
          m_weight(weight),
          m_prices(prices)
    {
        Build();
    }

    /// Under 1F1B with cutting planes; rough solutions lie central, where cuts are deep
    ContinuousSolution Solve(const ContinuousOptions& options)
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

  private:
    /// An auxiliary variable in units of its value at the start
    struct Auxiliary
    {
        int index{-1};  //!< variable; -1 where absent
        double unit{1}; //!< seconds
    };

    /// What belongs to one cluster
    struct Part
    {
        std::vector<Variables> links; //!< of its transmissions
        ConvexFunction latency;       //!< tau_m
        Auxiliary iteration;          //!< tau_iter, 1F1B only
    };

    void SolveWithCuts(double tolerance, const ContinuousOptions& options, ContinuousSolution& best)
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

    int AddVariable(double start)
    {
        m_start.push_back(start);
        return static_cast<int>(m_start.size()) - 1;
    }

    double& SharedCount(const Transmission& t)
    {
        return m_count[2 * static_cast<std::size_t>(t.phase) + t.pool];
    }

    void Build()
    {
        m_parts.resize(m_clusters.size());
        CountPools();
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            AddLinks(m);
            AddLatency(m);
        }
        AddSharedPools();
        AddLatencyToObjective();
    }

    /// @return the first transmission that has the same share: that of all that a node sends in a
    /// phase, where some of it is pooled
    static int FindShare(const ClusterProblem& cluster, const Transmission& t)
    {
        const auto& all = cluster.transmissions;
        const auto isSame = [&](const Transmission& other) {
            return other.phase == t.phase && other.from == t.from && other.pool == t.pool &&
                   t.from != EDGE_SERVER;
        };
        const bool pooled = std::any_of(all.begin(), all.end(), [&](const Transmission& other) {
            return isSame(other) && other.pooled;
        });
        return static_cast<int>(pooled ? std::find_if(all.begin(), all.end(), isSame) - all.begin()
                                       : &t - all.data());
    }

    /// How many links share every pool
    void CountPools()
    {
        for (const ClusterProblem* cluster : m_clusters)
        {
            for (const Transmission& t : cluster->transmissions)
            {
                const int own = static_cast<int>(&t - cluster->transmissions.data());
                if (t.mode != SharingMode::DEDICATED && t.pool != D2D_POOL &&
                    FindShare(*cluster, t) == own)
                {
                    ++SharedCount(t);
                }
            }
        }
    }

    void AddLinks(std::size_t m)
    {
        const auto& transmissions = m_clusters[m]->transmissions;
        std::array<double, 3> peers{}; // in the cluster's own medium, by phase
        for (const Transmission& t : transmissions)
        {
            const bool own = t.mode != SharingMode::DEDICATED && t.pool == D2D_POOL;
            peers[static_cast<std::size_t>(t.phase)] += own ? 1 : 0;
        }
        std::array<ConvexFunction, 3> d2d;
        for (const Transmission& t : transmissions)
        {
            Variables v = MakeVariables(t);
            if (t.mode == SharingMode::DEDICATED)
            {
                m_program.objective.constant += t.queue * t.count * t.EnergyJ(1, 0);
            }
            else
            {
                const int share = FindShare(*m_clusters[m], t);
                v.u = share < static_cast<int>(m_parts[m].links.size()) ? m_parts[m].links[share].u
                                                                        : -1;
                const auto phase = static_cast<std::size_t>(t.phase);
                AddRadio(t, t.pool == D2D_POOL ? peers[phase] : SharedCount(t), v);
                if (t.pool == D2D_POOL)
                {
                    d2d[phase].exponential.push_back({1, v.u, -1});
                }
            }
            m_parts[m].links.push_back(v);
        }
        for (ConvexFunction& budget : d2d)
        {
            if (!budget.exponential.empty())
            {
                budget.constant = -1;
                m_program.constraints.push_back(budget);
            }
        }
        m_program.objective.constant += m_clusters[m]->computeCost + m_clusters[m]->phiCost;
    }

    /// Variables, power limit and energy of one link
    void AddRadio(const Transmission& t, double peers, Variables& v)
    {
        const double u = std::log(START_SHARE / peers);
        v.u = v.u < 0 ? AddVariable(u) : v.u;
        const bool frequency = t.mode == SharingMode::FREQUENCY;
        const double cost = t.queue * t.count;
        if (!frequency && !(cost > 0))
        {
            return; // full power costs nothing: w is known
        }
        const double noise = v.noiseW * (frequency ? std::exp(u) : 1);
        const double power = START_POWER * t.link.maxPowerW;
        v.w = AddVariable(std::log(v.kappa / std::log1p(power / noise)));
        ConvexFunction limit;
        if (frequency)
        {
            limit.constant = std::log(v.noiseW / t.link.maxPowerW);
            limit.power.push_back({v.kappa, v.u, v.w});
        }
        else
        {
            limit.constant = std::log(v.shortest);
            limit.linear.push_back({-1, v.w});
        }
        m_program.constraints.push_back(limit);
        if (cost > 0)
        {
            m_program.objective.energy.push_back({cost * v.noiseW, v.kappa, v.w});
        }
    }

    /// Adds a multiple of a transmission's time
    void AddAirtime(std::size_t m, int transmission, double factor, ConvexFunction& f) const
    {
        const Variables& v = m_parts[m].links[transmission];
        if (v.u < 0)
        {
            f.constant += factor * v.dedicatedS;
        }
        else if (v.w < 0)
        {
            f.exponential.push_back({factor * v.shortest, -1, v.u});
        }
        else
        {
            f.exponential.push_back({factor, v.w, v.u});
        }
    }

    void AddStage(std::size_t m, const Stage& stage, double factor, ConvexFunction& f) const
    {
        f.constant += factor * stage.constantS;
        if (stage.transmission >= 0)
        {
            AddAirtime(m, stage.transmission, factor, f);
        }
    }

    Eigen::VectorXd StartVector() const
    {
        return Eigen::Map<const Eigen::VectorXd>(m_start.data(),
                                                 static_cast<Eigen::Index>(m_start.size()));
    }

    /// A variable that is at least the maximum of functions
    Auxiliary AddMaximum(const std::vector<ConvexFunction>& functions)
    {
        double most = 0;
        for (const ConvexFunction& f : functions)
        {
            most = std::max(most, f.Value(StartVector()));
        }
        if (!(most > 0))
        {
            return {};
        }
        const Auxiliary maximum{AddVariable(START_SLACK), most};
        for (const ConvexFunction& f : functions)
        {
            AddAtMost(f, maximum);
        }
        return maximum;
    }

    void AddAtMost(const ConvexFunction& f, const Auxiliary& maximum)
    {
        ConvexFunction constraint;
        Accumulate(constraint, f, 1 / maximum.unit);
        constraint.linear.push_back({-1, maximum.index});
        m_program.constraints.push_back(constraint);
    }

    static void AddAuxiliary(const Auxiliary& auxiliary, double factor, ConvexFunction& f)
    {
        if (auxiliary.index >= 0)
        {
            f.linear.push_back({factor * auxiliary.unit, auxiliary.index});
        }
    }

    /// Slowest of the transfers of a leg of a phase without pipeline
    void AddLeg(std::size_t m, const std::vector<int>& which, ConvexFunction& latency)
    {
        std::vector<ConvexFunction> times(which.size());
        for (std::size_t i = 0; i < which.size(); ++i)
        {
            AddAirtime(m, which[i], 1, times[i]);
            times[i].constant += m_clusters[m]->transmissions[which[i]].link.latencyS;
        }
        AddAuxiliary(AddMaximum(times), 1, latency);
    }

    /// One direction of (3)
    ConvexFunction FlowShop(std::size_t m, const std::vector<Stage>& stages)
    {
        ConvexFunction sum;
        ConvexFunction longest;
        std::vector<ConvexFunction> times;
        for (const Stage& stage : stages)
        {
            AddStage(m, stage, 1, sum);
            if (stage.transmission < 0)
            {
                const bool waits = stage.kind == StageKind::LATENCY;
                longest.constant = std::max(longest.constant, waits ? 0 : stage.constantS);
                continue;
            }
            times.emplace_back();
            AddStage(m, stage, 1, times.back());
        }
        times.push_back(longest);
        const double others = m_clusters[m]->microBatches - 1;
        if (others > 0)
        {
            AddAuxiliary(AddMaximum(times), others, sum);
        }
        return sum;
    }

    /// The forward pass: the chain, and the paths that begin with targets
    ConvexFunction ForwardPass(std::size_t m)
    {
        const ClusterProblem& cluster = *m_clusters[m];
        ConvexFunction chain = FlowShop(m, cluster.forward);
        if (!cluster.hasTarget)
        {
            return chain;
        }
        std::vector<ConvexFunction> paths{chain, {}, {}};
        paths[1].constant = paths[2].constant = cluster.targetLatencyS;
        AddStage(m, cluster.target, cluster.microBatches, paths[1]);
        AddStage(m, cluster.forward.back(), 1, paths[1]);
        AddStage(m, cluster.target, 1, paths[2]);
        AddStage(m, cluster.forward.back(), cluster.microBatches, paths[2]);
        ConvexFunction forward;
        AddAuxiliary(AddMaximum(paths), 1, forward);
        return forward;
    }

    void AddLatency(std::size_t m)
    {
        const ClusterProblem& cluster = *m_clusters[m];
        ConvexFunction& latency = m_parts[m].latency;
        for (const std::vector<int>& leg : cluster.legs)
        {
            AddLeg(m, leg, latency);
        }
        if (!cluster.oneForwardOneBackward)
        {
            Accumulate(latency, ForwardPass(m), cluster.iterations);
            Accumulate(latency, FlowShop(m, cluster.backward), cluster.iterations);
            return;
        }
        m_parts[m].iteration = AddMaximum(FirstPaths(m));
        AddAuxiliary(m_parts[m].iteration, cluster.iterations, latency);
    }

    /// Paths that together pass through every link, so that none is left without a limit
    std::vector<ConvexFunction> FirstPaths(std::size_t m) const
    {
        const ClusterProblem& cluster = *m_clusters[m];
        LongestPath path = PathAt(m, StartVector());
        std::vector<ConvexFunction> paths{PathFunction(m, path)};
        path.forward.assign(cluster.forward.size(), 1);
        path.backward.assign(cluster.backward.size(), 1);
        path.target = 0;
        paths.push_back(PathFunction(m, path));
        if (cluster.hasTarget)
        {
            path.forward.assign(cluster.forward.size(), 0);
            path.forward.back() = 1;
            path.target = cluster.microBatches;
            paths.push_back(PathFunction(m, path));
        }
        return paths;
    }

    /// The longest path of the 1F1B task graph at a point
    LongestPath PathAt(std::size_t m, const Eigen::VectorXd& z) const
    {
        const ClusterProblem& cluster = *m_clusters[m];
        const auto times = [&](const std::vector<Stage>& stages) {
            std::vector<double> result;
            for (const Stage& stage : stages)
            {
                ConvexFunction f;
                AddStage(m, stage, 1, f);
                result.push_back(f.Value(z));
            }
            return result;
        };
        const double target = cluster.hasTarget ? times({cluster.target})[0] : 0;
        return OneForwardOneBackwardPath(cluster,
                                         times(cluster.forward),
                                         times(cluster.backward),
                                         target);
    }

    ConvexFunction PathFunction(std::size_t m, const LongestPath& path) const
    {
        const ClusterProblem& cluster = *m_clusters[m];
        ConvexFunction f;
        for (std::size_t s = 0; s < cluster.forward.size(); ++s)
        {
            AddStage(m, cluster.forward[s], path.forward[s], f);
            AddStage(m, cluster.backward[s], path.backward[s], f);
        }
        if (path.target > 0)
        {
            AddStage(m, cluster.target, path.target, f);
            f.constant += cluster.targetLatencyS;
        }
        return f;
    }

    /// Cutting planes: the paths that are longer than tau_iter at a point
    bool AddViolatedPaths(const Eigen::VectorXd& z, double tolerance)
    {
        bool added = false;
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            const Auxiliary& iteration = m_parts[m].iteration;
            if (iteration.index < 0)
            {
                continue;
            }
            const LongestPath path = PathAt(m, z);
            if (path.lengthS <= z(iteration.index) * iteration.unit * (1 + tolerance))
            {
                continue;
            }
            const ConvexFunction f = PathFunction(m, path);
            AddAtMost(f, iteration);
            double& start = m_start[iteration.index];
            start = std::max(start, START_SLACK * f.Value(StartVector()) / iteration.unit);
            added = true;
        }
        return added;
    }

    /// Budgets and prices of the pools that clusters share
    void AddSharedPools()
    {
        std::array<ConvexFunction, 6> pools;
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            const auto& transmissions = m_clusters[m]->transmissions;
            for (std::size_t i = 0; i < transmissions.size(); ++i)
            {
                const Transmission& t = transmissions[i];
                if (t.mode != SharingMode::DEDICATED && t.pool != D2D_POOL &&
                    FindShare(*m_clusters[m], t) == static_cast<int>(i))
                {
                    pools[2 * static_cast<std::size_t>(t.phase) + t.pool].exponential.push_back(
                        {1, m_parts[m].links[i].u, -1});
                }
            }
        }
        for (std::size_t p = 0; p < pools.size(); ++p)
        {
            if (!pools[p].exponential.empty())
            {
                if (m_prices[p] > 0)
                {
                    Accumulate(m_program.objective, pools[p], m_prices[p]);
                }
                pools[p].constant = -1;
                m_poolConstraint[p] = static_cast<int>(m_program.constraints.size());
                m_program.constraints.push_back(pools[p]);
            }
        }
    }

    void AddLatencyToObjective()
    {
        if (m_clusters.size() == 1)
        {
            Accumulate(m_program.objective, m_parts[0].latency, m_weight);
            return;
        }
        m_firstLatency = m_program.constraints.size();
        std::vector<ConvexFunction> latencies;
        for (const Part& part : m_parts)
        {
            latencies.push_back(part.latency);
        }
        m_latency = AddMaximum(latencies);
        AddAuxiliary(m_latency, m_weight, m_program.objective);
    }

    /// Completes the program: start and scale
    void Finish()
    {
        if (m_latency.index >= 0)
        {
            for (const Part& part : m_parts)
            {
                double& start = m_start[m_latency.index];
                start = std::max(start,
                                 START_SLACK * part.latency.Value(StartVector()) / m_latency.unit);
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

    void Read(const ConvexSolution& solution, ContinuousSolution& best) const
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
                best.weights[m] =
                    solution.multipliers[m_firstLatency + m] * m_scale / m_latency.unit;
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

    static LinkPlan ReadLink(const Transmission& t, const Variables& v, const Eigen::VectorXd& z)
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

    std::vector<const ClusterProblem*> m_clusters;                 //!< the clusters
    double m_weight;                                               //!< V, or the weight of tau_m
    PoolPrices m_prices{};                                         //!< of shared pools
    ConvexProgram m_program;                                       //!< the program
    std::vector<double> m_start;                                   //!< its start
    std::vector<Part> m_parts;                                     //!< per cluster
    std::array<double, 6> m_count{};                               //!< links per shared pool
    std::array<int, 6> m_poolConstraint{{-1, -1, -1, -1, -1, -1}}; //!< constraint of every pool
    Auxiliary m_latency;                                           //!< tau
    std::size_t m_firstLatency{0}; //!< first constraint tau >= tau_m
    double m_scale{1};             //!< of the objective
};

} // namespace

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
