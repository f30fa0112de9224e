/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-path-set.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t REMEMBERED = 5; //!< kept per number of stages and micro-batches
constexpr double BINDING = 1e-3;      //!< multiplier from which a path is worth remembering

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

/// The first micro-batch there and back
CriticalPath
GetPlainPath(const RadioProblem& problem, std::size_t cluster)
{
    CriticalPath path;
    path.hops.assign(problem.clusters[cluster].stages.size(), {1, 1, 1, 1, 1, 1});
    path.hops.back() = {1, 1, 0, 0, 0, 0};
    return path;
}

/// All targets, then the last micro-batch's decoder and its way back
CriticalPath
GetTargetPath(const RadioProblem& problem, std::size_t cluster)
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

/// What of an iteration along the path does not depend on the links' times
double
GetConstantS(const RadioCluster& cluster, const CriticalPath& counts)
{
    double constantS = cluster.exchangeS + (counts.targets > 0 ? cluster.targetLatencyS : 0);
    const auto& stages = cluster.stages;
    for (std::size_t s = 0; s < stages.size(); ++s)
    {
        const HopCounts& hop = counts.hops[s];
        constantS += hop.forward * stages[s].forwardS + hop.backward * stages[s].backwardS +
                     hop.latencyForward * stages[s].latencyForwardS +
                     hop.latencyBackward * stages[s].latencyBackwardS;
    }
    return constantS;
}

} // namespace

void
PathSet::Start(const RadioProblem& problem)
{
    m_paths.clear();
    for (std::size_t m = 0; m < problem.clusters.size(); ++m)
    {
        if (problem.isFlowShop)
        {
            AddFlowShop(problem, m);
            continue;
        }
        Add(problem, m, GetPlainPath(problem, m));
        const CriticalPath targets = GetTargetPath(problem, m);
        if (targets.targets > 0)
        {
            Add(problem, m, targets);
        }
        AddRemembered(problem, m);
    }
}

/// (3), and with targets the two ways in which the forward pass can wait for them
void
PathSet::AddFlowShop(const RadioProblem& problem, std::size_t cluster)
{
    const RadioCluster& c = problem.clusters[cluster];
    TimePath path;
    path.cluster = cluster;
    path.iterations = c.iterations;
    path.constantS = c.sumS + c.exchangeS;
    path.forwardBubble = path.backwardBubble = c.bubble;
    m_paths.push_back(path);
    CriticalPath targets = GetTargetPath(problem, cluster);
    if (targets.targets > 0 && Add(problem, cluster, targets))
    {
        m_paths.back().backwardBubble = c.bubble;
        // The first targets, then the decoder on all micro-batches
        std::swap(targets.targets, targets.hops.back().forward);
        if (Add(problem, cluster, targets))
        {
            m_paths.back().backwardBubble = c.bubble;
        }
    }
}

/// Adds a path that is not yet there. @return whether it did
bool
PathSet::Add(const RadioProblem& problem, std::size_t cluster, const CriticalPath& counts)
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
        Drop(place - own, place);
        --place;
    }
    TimePath path;
    path.cluster = cluster;
    path.iterations = problem.clusters[cluster].iterations;
    path.counts = counts;
    path.constantS = GetConstantS(problem.clusters[cluster], counts);
    m_paths.insert(m_paths.begin() + static_cast<std::ptrdiff_t>(place), path);
    return true;
}

/// Makes room: drops the path, of those from `first` to before `last`, that matters least. The
/// first two stay, since they bound every link.
void
PathSet::Drop(std::size_t first, std::size_t last)
{
    const auto begin = m_paths.begin();
    m_paths.erase(std::min_element(begin + static_cast<std::ptrdiff_t>(first + 2),
                                   begin + static_cast<std::ptrdiff_t>(last),
                                   [](const TimePath& a, const TimePath& b) {
                                       return a.deadline.multiplier < b.deadline.multiplier;
                                   }));
}

bool
PathSet::AddLongest(const RadioProblem& problem, const std::vector<double>& occupationS)
{
    bool added = false;
    for (std::size_t m = 0; m < problem.clusters.size(); ++m)
    {
        const IterationTimes times = GetIterationTimes(problem, m, occupationS);
        added |= Add(problem, m, problem.schedule->GetCriticalPath(times));
    }
    return added;
}

void
PathSet::AddRemembered(const RadioProblem& problem, std::size_t cluster)
{
    const RadioCluster& c = problem.clusters[cluster];
    const auto paths = m_remembered.find({c.stages.size(), c.bubble});
    if (paths != m_remembered.end())
    {
        for (const auto& path : paths->second)
        {
            Add(problem, cluster, path);
        }
    }
}

void
PathSet::Remember(const RadioProblem& problem)
{
    for (const auto& path : m_paths)
    {
        const RadioCluster& c = problem.clusters[path.cluster];
        auto& paths = m_remembered[{c.stages.size(), c.bubble}];
        const bool there = std::any_of(paths.begin(), paths.end(), [&](const CriticalPath& other) {
            return IsSame(other, path.counts);
        });
        if (there || path.deadline.multiplier < BINDING)
        {
            continue;
        }
        paths.insert(paths.begin(), path.counts);
        paths.resize(std::min(paths.size(), REMEMBERED));
    }
}

void
PathSet::Forget()
{
    m_remembered.clear();
}

} // namespace collapipe
} // namespace ns3
