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
constexpr std::size_t KNOWN_PATHS = 5;  //!< kept per number of stages and micro-batches
constexpr uint32_t CAREFUL_STEPS = 300; //!< of a second one with short steps
constexpr double PATIENCE = 100;        //!< with the residuals, after the first attempt
constexpr std::size_t MAX_ROUNDS = 30;  //!< of finding paths that are longer than those known

bool
IsSame(const CriticalPath& a, const CriticalPath& b)
{
    return a.targets == b.targets && std::equal(a.hops.begin(),
                                                a.hops.end(),
                                                b.hops.begin(),
                                                b.hops.end(),
                                                [](const HopCounts& x, const HopCounts& y) {
                                                    return x.forward == y.forward &&
                                                           x.backward == y.backward &&
                                                           x.linkForward == y.linkForward &&
                                                           x.linkBackward == y.linkBackward &&
                                                           x.latencyForward == y.latencyForward &&
                                                           x.latencyBackward == y.latencyBackward;
                                                });
}

} // namespace

RadioSolution
RadioMethod::Solve(const RadioProblem& problem, double tolerance, double cutoff)
{
    m_pools = problem.pools;
    m_tolerance = tolerance;
    m_steps = 0;
    m_cut = false;
    StartPaths(problem);
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
            !AddLongestPaths(problem, GetOccupations(problem)))
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
        KeepPaths(problem);
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
    Assemble();
    if (!IsDone(PATIENCE))
    {
        StartLinks();
        StartMultipliers();
        Iterate(CAREFUL_STEPS, true);
    }
}

/// (3) where it holds; else paths that together pass every link
void
RadioMethod::StartPaths(const RadioProblem& problem)
{
    m_paths.clear();
    m_iterations.clear();
    for (std::size_t m = 0; m < problem.clusters.size(); ++m)
    {
        const RadioCluster& c = problem.clusters[m];
        m_iterations.push_back(c.iterations);
        if (problem.isFlowShop)
        {
            AddFlowShop(problem, m);
            continue;
        }
        AddPath(problem, m, GetPlainPath(problem, m));
        const CriticalPath targets = GetTargetPath(problem, m);
        if (targets.targets > 0)
        {
            AddPath(problem, m, targets);
        }
        AddKnownPaths(problem, m);
    }
    if (!problem.isFlowShop)
    {
        SetShares(problem);
        std::vector<double> occupationS;
        for (std::size_t i = 0; i < problem.links.size(); ++i)
        {
            occupationS.push_back(GetOccupationS(problem.links[i], m_shares[i], 1));
        }
        AddLongestPaths(problem, occupationS);
    }
}

/// (3), and with targets the two ways in which the forward pass can wait for them
void
RadioMethod::AddFlowShop(const RadioProblem& problem, std::size_t cluster)
{
    const RadioCluster& c = problem.clusters[cluster];
    TimePath path;
    path.cluster = cluster;
    path.constantS = c.sumS + c.exchangeS;
    path.forwardBubble = path.backwardBubble = c.bubble;
    m_paths.push_back(path);
    CriticalPath targets = GetTargetPath(problem, cluster);
    if (targets.targets > 0 && AddPath(problem, cluster, targets))
    {
        m_paths.back().backwardBubble = c.bubble;
        // The first targets, then the decoder on all micro-batches
        std::swap(targets.targets, targets.hops.back().forward);
        if (AddPath(problem, cluster, targets))
        {
            m_paths.back().backwardBubble = c.bubble;
        }
    }
}

/// The first micro-batch there and back
CriticalPath
RadioMethod::GetPlainPath(const RadioProblem& problem, std::size_t cluster) const
{
    CriticalPath path;
    path.hops.assign(problem.clusters[cluster].stages.size(), {1, 1, 1, 1, 1, 1});
    path.hops.back() = {1, 1, 0, 0, 0, 0};
    return path;
}

/// All targets, then the last micro-batch's decoder and its way back
CriticalPath
RadioMethod::GetTargetPath(const RadioProblem& problem, std::size_t cluster) const
{
    CriticalPath path = GetPlainPath(problem, cluster);
    const bool any =
        std::any_of(problem.links.begin(), problem.links.end(), [&](const RadioLink& link) {
            return link.cluster == cluster && link.role == LinkRole::TARGET;
        });
    path.targets = any ? problem.clusters[cluster].bubble + 1 : 0;
    for (std::size_t s = 0; s + 1 < path.hops.size(); ++s)
    {
        path.hops[s] = {0, 1, 0, 1, 0, 1};
    }
    return path;
}

/// Adds a path that is not yet there. @return whether it did
bool
RadioMethod::AddPath(const RadioProblem& problem, std::size_t cluster, const CriticalPath& counts)
{
    std::size_t own = 0;
    std::size_t place = 0;
    for (std::size_t p = 0; p < m_paths.size(); ++p)
    {
        place = m_paths[p].cluster <= cluster ? p + 1 : place;
        own += m_paths[p].cluster == cluster ? 1 : 0;
        if (m_paths[p].cluster == cluster && IsSame(m_paths[p].counts, counts))
        {
            return false;
        }
    }
    if (own == MAX_PATHS)
    {
        DropPath(place - own, place);
        --place;
    }
    TimePath path;
    path.cluster = cluster;
    path.counts = counts;
    const RadioCluster& c = problem.clusters[cluster];
    path.constantS = c.exchangeS + (counts.targets > 0 ? c.targetLatencyS : 0);
    const auto& stages = c.stages;
    for (std::size_t s = 0; s < stages.size(); ++s)
    {
        const HopCounts& hop = counts.hops[s];
        path.constantS += hop.forward * stages[s].forwardS + hop.backward * stages[s].backwardS +
                          hop.latencyForward * stages[s].latencyForwardS +
                          hop.latencyBackward * stages[s].latencyBackwardS;
    }
    m_paths.insert(m_paths.begin() + static_cast<std::ptrdiff_t>(place), path);
    return true;
}

/// Makes room: drops the path, of those from `first` to before `last`, that matters least. The
/// first two stay, since they bound every link.
void
RadioMethod::DropPath(std::size_t first, std::size_t last)
{
    const auto begin = m_paths.begin();
    m_paths.erase(std::min_element(begin + static_cast<std::ptrdiff_t>(first + 2),
                                   begin + static_cast<std::ptrdiff_t>(last),
                                   [](const TimePath& a, const TimePath& b) {
                                       return a.deadline.multiplier < b.deadline.multiplier;
                                   }));
}

void
RadioMethod::Forget()
{
    m_known.clear();
}

void
RadioMethod::AddKnownPaths(const RadioProblem& problem, std::size_t cluster)
{
    const RadioCluster& c = problem.clusters[cluster];
    const auto known = m_known.find({c.stages.size(), c.bubble});
    if (known != m_known.end())
    {
        for (const auto& path : known->second)
        {
            AddPath(problem, cluster, path);
        }
    }
}

/// Remembers the paths that bind, for problems of the same form.
void
RadioMethod::KeepPaths(const RadioProblem& problem)
{
    for (const auto& path : m_paths)
    {
        const RadioCluster& c = problem.clusters[path.cluster];
        auto& known = m_known[{c.stages.size(), c.bubble}];
        const bool there = std::any_of(known.begin(), known.end(), [&](const CriticalPath& other) {
            return IsSame(other, path.counts);
        });
        if (there || path.deadline.multiplier < 1e-3)
        {
            continue;
        }
        known.insert(known.begin(), path.counts);
        known.resize(std::min(known.size(), KNOWN_PATHS));
    }
}

/// @return whether a path was added, that is, one which is longer than all that are known
bool
RadioMethod::AddLongestPaths(const RadioProblem& problem, const std::vector<double>& occupationS)
{
    bool added = false;
    for (std::size_t m = 0; m < m_iterations.size(); ++m)
    {
        const IterationTimes times = GetIterationTimes(problem, m, occupationS);
        added |= AddPath(problem, m, problem.schedule->GetCriticalPath(times));
    }
    return added;
}

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

} // namespace collapipe
} // namespace ns3
