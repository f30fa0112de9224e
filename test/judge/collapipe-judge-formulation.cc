/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How the program is built: variables of links, budgets of pools, latencies by either schedule

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

constexpr double START_SHARE = 0.9; //!< of every pool, at the start
constexpr double START_POWER = 0.7; //!< of pmax, at the start
constexpr std::size_t D2D_POOL = 2; //!< Transmission::pool

} // namespace

int
Formulation::AddVariable(double start)
{
    m_start.push_back(start);
    return static_cast<int>(m_start.size()) - 1;
}

double&
Formulation::SharedCount(const Transmission& t)
{
    return m_count[2 * static_cast<std::size_t>(t.phase) + t.pool];
}

void
Formulation::Build()
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

int
Formulation::FindShare(const ClusterProblem& cluster, const Transmission& t)
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

void
Formulation::CountPools()
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

void
Formulation::AddLinks(std::size_t m)
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
            v.u =
                share < static_cast<int>(m_parts[m].links.size()) ? m_parts[m].links[share].u : -1;
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

void
Formulation::AddRadio(const Transmission& t, double peers, Variables& v)
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
        m_program.objective.energy.push_back({cost * v.noiseW, v.kappa, v.w, v.overheadS});
    }
}

void
Formulation::AddAirtime(std::size_t m, int transmission, double factor, ConvexFunction& f) const
{
    const Variables& v = m_parts[m].links[transmission];
    if (v.u < 0)
    {
        f.constant += factor * v.dedicatedS;
    }
    else
    {
        f.exponential.push_back(v.w < 0 ? ExpTerm{factor * v.shortest, -1, v.u}
                                        : ExpTerm{factor, v.w, v.u});
        if (v.overheadS > 0)
        {
            f.exponential.push_back({factor * v.overheadS, -1, v.u});
        }
    }
}

void
Formulation::AddStage(std::size_t m, const Stage& stage, double factor, ConvexFunction& f) const
{
    f.constant += factor * stage.constantS;
    if (stage.transmission >= 0)
    {
        AddAirtime(m, stage.transmission, factor, f);
    }
}

Eigen::VectorXd
Formulation::StartVector() const
{
    return Eigen::Map<const Eigen::VectorXd>(m_start.data(),
                                             static_cast<Eigen::Index>(m_start.size()));
}

Formulation::Auxiliary
Formulation::AddMaximum(const std::vector<ConvexFunction>& functions)
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

void
Formulation::AddAtMost(const ConvexFunction& f, const Auxiliary& maximum)
{
    ConvexFunction constraint;
    Accumulate(constraint, f, 1 / maximum.unit);
    constraint.linear.push_back({-1, maximum.index});
    m_program.constraints.push_back(constraint);
}

void
Formulation::AddAuxiliary(const Auxiliary& auxiliary, double factor, ConvexFunction& f)
{
    if (auxiliary.index >= 0)
    {
        f.linear.push_back({factor * auxiliary.unit, auxiliary.index});
    }
}

void
Formulation::AddLeg(std::size_t m, const std::vector<int>& which, ConvexFunction& latency)
{
    std::vector<ConvexFunction> times(which.size());
    for (std::size_t i = 0; i < which.size(); ++i)
    {
        AddAirtime(m, which[i], 1, times[i]);
        times[i].constant += m_clusters[m]->transmissions[which[i]].link.latencyS;
    }
    AddAuxiliary(AddMaximum(times), 1, latency);
}

ConvexFunction
Formulation::FlowShop(std::size_t m, const std::vector<Stage>& stages)
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

ConvexFunction
Formulation::ForwardPass(std::size_t m)
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

void
Formulation::AddLatency(std::size_t m)
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

std::vector<ConvexFunction>
Formulation::FirstPaths(std::size_t m) const
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

LongestPath
Formulation::PathAt(std::size_t m, const Eigen::VectorXd& z) const
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

ConvexFunction
Formulation::PathFunction(std::size_t m, const LongestPath& path) const
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

bool
Formulation::AddViolatedPaths(const Eigen::VectorXd& z, double tolerance)
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

void
Formulation::AddSharedPools()
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

void
Formulation::AddLatencyToObjective()
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

} // namespace judge
} // namespace collapipe
} // namespace ns3
