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

constexpr double START_POWER = 0.7; //!< part of the full power
constexpr double START_TAU = 1.1;   //!< of the longest path
constexpr double NO_TIME = 1e-12;   //!< stands for a time of 0

TimeKind
GetTimeKind(LinkRole role)
{
    switch (role)
    {
    case LinkRole::FORWARD:
    case LinkRole::TARGET:
        return TimeKind::FORWARD;
    case LinkRole::BACKWARD:
        return TimeKind::BACKWARD;
    case LinkRole::DISTRIBUTION:
        return TimeKind::DISTRIBUTION;
    case LinkRole::UPLOAD:
        break;
    }
    return TimeKind::UPLOAD;
}

/// How often a path passes a link; a path without counts is that of (3), which passes each once
double
GetCount(const CriticalPath& counts, const RadioLink& link)
{
    if (link.role == LinkRole::TARGET)
    {
        return counts.targets;
    }
    if (counts.hops.empty())
    {
        return 1;
    }
    const HopCounts& hop = counts.hops[link.hop];
    return link.role == LinkRole::FORWARD ? hop.linkForward : hop.linkBackward;
}

} // namespace

/// Links, times and units for the present paths
void
RadioMethod::Prepare(const RadioProblem& problem)
{
    m_pools = problem.pools;
    SetShares(problem);
    m_links.clear();
    for (const auto& link : problem.links)
    {
        m_links.push_back(MakeWork(problem, link));
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        const bool decided = problem.freedom.shares && m_poolLinks[work.link->pool] > 1;
        const bool dedicated = work.link->mode == SharingMode::DEDICATED;
        const bool power = problem.freedom.powers && work.link->price > 0;
        m_links[i].freedom = dedicated          ? LinkFreedom::FIXED
                             : decided && power ? LinkFreedom::BOTH
                             : decided          ? LinkFreedom::SHARE
                             : power            ? LinkFreedom::TIME
                                                : LinkFreedom::FIXED;
        m_poolActive[work.link->pool] |= m_links[i].HasShare();
    }
    SetTurns();
    m_budgets.assign(m_pools, Inequality());
    m_poolTotal.assign(m_pools, 1);
    SetTimes(problem);
    StartLinks();
}

/// Equal shares where they are not decided; else as good a start as a formula gives
void
RadioMethod::SetShares(const RadioProblem& problem)
{
    m_poolLinks.assign(m_pools, 0);
    m_poolActive.assign(m_pools, 0);
    m_poolSum.assign(m_pools, 0);
    m_shares.assign(problem.links.size(), 1);
    std::vector<double> loads(problem.links.size(),
                              0); // of reservations, at the first link of each
    for (const auto& link : problem.links)
    {
        const bool shared = link.mode != SharingMode::DEDICATED;
        loads[link.lead] +=
            shared ? link.kappaS / std::min(link.cap, std::log1p(link.snr)) + link.overheadS : 0;
    }
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const auto& link = problem.links[i];
        if (link.mode != SharingMode::DEDICATED && link.lead == i)
        {
            // The best shares are as the load where the slowest counts, as its root in a sum
            const double load = loads[i];
            m_shares[i] = link.phase == Phase::TRAINING ? std::sqrt(load) : load;
            m_poolSum[link.pool] += m_shares[i];
            ++m_poolLinks[link.pool];
        }
    }
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const auto& link = problem.links[i];
        if (link.mode == SharingMode::DEDICATED)
        {
            continue;
        }
        if (link.lead != i)
        {
            m_shares[i] = m_shares[link.lead];
            continue;
        }
        const double count = m_poolLinks[link.pool];
        const double best = 0.95 * m_shares[i] / m_poolSum[link.pool];
        const bool decided = problem.freedom.shares && count > 1;
        m_shares[i] = decided ? 0.9 * (0.95 * best + 0.05 / count) : 1 / count;
    }
}

/// a / r by link at the start, at full power
std::vector<double>
RadioMethod::GetStartOccupations(const RadioProblem& problem)
{
    SetShares(problem);
    std::vector<double> occupationS;
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        occupationS.push_back(GetOccupationS(problem.links[i], m_shares[i], 1));
    }
    return occupationS;
}

LinkWork
RadioMethod::MakeWork(const RadioProblem& problem, const RadioLink& link) const
{
    LinkWork work;
    work.link = &link;
    const RadioCluster& cluster = problem.clusters[link.cluster];
    const bool once = link.phase != Phase::TRAINING;
    const bool bubble = problem.isFlowShop && cluster.bubble > 0;
    work.capped = link.whole ? false : once || (bubble && link.role != LinkRole::TARGET);
    work.latency = once && !link.whole ? link.latencyS : 0;
    work.capVariable = RadioTimes::IndexOf(link.cluster, GetTimeKind(link.role));
    for (std::size_t p = 0; p < m_paths.GetCount() && (!once || link.whole); ++p)
    {
        if (m_paths[p].cluster == link.cluster)
        {
            work.firstPath = work.paths == 0 ? p : work.firstPath;
            work.flow[work.paths++] =
                link.whole ? 1 : cluster.iterations * GetCount(m_paths[p].counts, link);
        }
    }
    return work;
}

/// Start and floors of all times, in seconds
void
RadioMethod::SetTimes(const RadioProblem& problem)
{
    m_times.Start(problem.clusters.size());
    for (std::size_t m = 0; m < problem.clusters.size(); ++m)
    {
        const RadioCluster& c = problem.clusters[m];
        const bool bubble = problem.isFlowShop && c.bubble > 0;
        m_times.Of(m, TimeKind::FORWARD).floor = c.forwardS;
        m_times.Of(m, TimeKind::BACKWARD).floor = c.backwardS;
        m_times.Of(m, TimeKind::FORWARD).active = bubble;
        m_times.Of(m, TimeKind::BACKWARD).active = bubble;
        m_times.Of(m, TimeKind::DISTRIBUTION).active = true;
        m_times.Of(m, TimeKind::UPLOAD).active = true;
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        LinkWork& work = m_links[i];
        const RadioLink& link = *work.link;
        const bool fixed = work.freedom == LinkFreedom::FIXED;
        work.x = GetOccupationS(link, m_shares[i], work.HasPower() ? START_POWER : 1);
        if (link.role == LinkRole::TARGET || link.whole)
        {
            continue;
        }
        TimeVariable& time = m_times.Of(link.cluster, GetTimeKind(link.role));
        time.value = std::max(time.value, work.x + work.latency);
        time.floor = std::max(time.floor, fixed ? work.x + work.latency : work.latency);
    }
    for (auto& time : m_times)
    {
        time.value = 1.2 * std::max({time.value, time.floor, NO_TIME});
    }
    SetUnits(problem);
}

/// Unit of time and of the objective; times in that unit
void
RadioMethod::SetUnits(const RadioProblem& problem)
{
    SetFlows();
    m_unitS = NO_TIME;
    for (const auto& path : m_paths)
    {
        const ClusterTimes times = m_times.OfCluster(path.cluster);
        const double iteration = path.constantS + path.forwardBubble * times.forward.value +
                                 path.backwardBubble * times.backward.value;
        m_unitS = std::max(m_unitS,
                           times.distribution.value + path.iterations * iteration + path.flow +
                               times.upload.value);
    }
    m_unit = problem.penaltyWeight * m_unitS;
    for (auto& time : m_times)
    {
        time.value /= m_unitS;
        time.floor /= m_unitS;
        time.scale = time.value;
    }
    m_times.Tau() = {true, START_TAU, 0, 1, Inequality(), 0, 0};
    m_system.Place(problem, m_paths);
}

/// Sums of transfers, of all links and of those that are fixed
void
RadioMethod::SetFlows()
{
    for (auto& path : m_paths)
    {
        path.flow = 0;
        path.constant = 0;
    }
    for (const auto& work : m_links)
    {
        for (std::size_t p = 0; p < work.paths; ++p)
        {
            TimePath& path = m_paths[work.firstPath + p];
            path.flow += work.flow[p] * work.x;
            path.constant += work.freedom == LinkFreedom::FIXED ? work.flow[p] * work.x : 0;
            path.constant += work.link->whole ? work.link->latencyS : 0;
        }
    }
}

void
RadioMethod::StartLinks()
{
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        LinkWork& work = m_links[i];
        const RadioLink& link = *work.link;
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        work.kappa = link.kappaS / m_unitS;
        work.overhead = link.overheadS / m_unitS;
        work.leastX = link.fixedS / m_unitS;
        const double scale = link.price * link.maxPowerW * m_unitS / m_unit;
        const double air = link.airPrice * m_unitS / m_unit;
        const bool airtime = link.mode == SharingMode::AIRTIME;
        work.energyScale =
            work.HasPower() ? link.freePart * scale / (link.pooled ? 1 : link.snr) : 0;
        work.airPrice = work.HasPower() && airtime ? link.freePart * air : 0;
        work.timePrice = airtime ? 0 : air + (work.HasPower() ? 0 : scale);
        work.latency = link.phase != Phase::TRAINING && !link.whole ? link.latencyS / m_unitS : 0;
        work.Start(m_shares[i], work.HasPower() ? START_POWER : 1);
        work.Evaluate();
    }
    for (auto& time : m_times)
    {
        time.value = time.scale;
    }
    m_times.Tau().value = START_TAU;
}

void
RadioMethod::StartMultipliers()
{
    m_inequalities = 0;
    ForEach([&](Inequality& i) {
        i.slack = 0;
        ++m_inequalities;
    });
    Evaluate();
    const double mu = 0.1 / static_cast<double>(m_inequalities);
    ForEach([&](Inequality& i) {
        i.slack = std::max(-i.residual, 1e-2);
        i.multiplier = mu / i.slack;
    });
    for (auto& path : m_paths)
    {
        path.deadline.multiplier = 1.0 / static_cast<double>(m_paths.GetCount());
    }
    Evaluate();
}

} // namespace collapipe
} // namespace ns3
