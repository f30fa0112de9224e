/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-search.h"

#include "collapipe-fluid-search.h"
#include "collapipe-link-model.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_GAIN = 1e-6;    //!< relative to V tau: less is no improvement
constexpr double FIRST_FACTOR = 8;     //!< by which shares are changed
constexpr double LAST_FACTOR = 1.3;    //!< below it they stay
constexpr double FIRST_POWER = 4;      //!< by which powers are changed
constexpr double LARGEST_RATIO = 4096; //!< of two shares of a reserved pool
/// Of two weights in a work-conserving one. Who has much less waits until others have ended, in a
/// round, too, in which they take longer than they were planned to
constexpr double LARGEST_WEIGHT = 64;
constexpr uint32_t BUDGET = 300; //!< evaluations

} // namespace

LinkSearch::LinkSearch(const Instance& instance)
    : m_instance(instance)
{
}

RoundSolution
LinkSearch::Improve(const RadioFreedom& radio, const RoundSolution& start)
{
    m_radio = radio;
    m_radio.powers = radio.powers && m_instance.HasEnergyPrice();
    m_best = start;
    m_best.evaluation = EvaluatePlan(m_instance, m_best.plan, m_fluid);
    m_best.plan.plannedLatencyS = m_best.evaluation.latencyS;
    m_best.history = {m_best.evaluation.objective};
    m_factor = FIRST_FACTOR;
    m_powerFactor = FIRST_POWER;
    m_left = BUDGET;
    while (m_left > 0 && m_factor >= LAST_FACTOR)
    {
        bool better = TryLateOnes();
        better = TryPriorities() || better;
        better = TryClusters() || better;
        better = TryShares() || better;
        better = TryPowers() || better;
        if (!better)
        {
            m_factor = std::sqrt(m_factor);
            m_powerFactor = std::sqrt(m_powerFactor);
        }
    }
    return m_best;
}

/// Takes a plan if it is better. @return whether it is
bool
LinkSearch::Try(RoundPlan plan)
{
    if (m_left == 0)
    {
        return false;
    }
    --m_left;
    ++m_best.evaluations;
    FillShares(m_instance.state, plan);
    Evaluation evaluation = EvaluatePlan(m_instance, plan, m_fluid);
    const double least = LEAST_GAIN * m_best.evaluation.latencyTerm;
    if (!(evaluation.objective < m_best.evaluation.objective - least))
    {
        return false;
    }
    plan.plannedLatencyS = evaluation.latencyS;
    m_best.plan = std::move(plan);
    m_best.evaluation = std::move(evaluation);
    m_best.history.push_back(m_best.evaluation.objective);
    return true;
}

/// The clusters that end last first
std::vector<std::size_t>
LinkSearch::OrderClusters() const
{
    std::vector<std::size_t> order(m_best.evaluation.clusters.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return m_best.evaluation.clusters[a].totalS > m_best.evaluation.clusters[b].totalS;
    });
    return order;
}

void
LinkSearch::Scale(std::size_t m, LinkPlan& link, double factor) const
{
    const double ratio = IsReserved(GetPoolOf(m, link)) ? LARGEST_RATIO : LARGEST_WEIGHT;
    link.share = std::max(link.share * factor, 1 / ratio);
}

const PoolState&
LinkSearch::GetPoolOf(std::size_t m, const LinkPlan& link) const
{
    return GetLinkPool(m_instance.state, m, link.from, link.to);
}

/// Whether all clusters share the link's pool, and it can be divided
bool
LinkSearch::IsCommon(std::size_t m, const LinkPlan& link) const
{
    return GetPoolOf(m, link).mode != SharingMode::DEDICATED &&
           GetBudget(m_instance.state, m, link.from, link.to) != Pool::D2D;
}

double
LinkSearch::GetOccupationS(std::size_t m, const LinkPlan& link) const
{
    for (const auto& own : m_best.evaluation.clusters[m].links)
    {
        if (own.phase == link.phase && own.from == link.from && own.to == link.to)
        {
            return own.occupationS;
        }
    }
    return 0;
}

/// Links whose share can be decided, in groups that have one
std::vector<LinkSearch::Group>
LinkSearch::ListGroups() const
{
    std::vector<Group> groups;
    for (const std::size_t m : OrderClusters())
    {
        std::map<std::pair<Phase, Reservation>, std::size_t> places;
        const auto& links = m_best.plan.clusters[m].links;
        for (std::size_t i = 0; i < links.size(); ++i)
        {
            const PoolState& pool = GetPoolOf(m, links[i]);
            if (pool.mode == SharingMode::DEDICATED)
            {
                continue;
            }
            const auto own = GetReservation(m_instance.state, m, links[i].from, links[i].to);
            const auto place = places.emplace(std::pair(links[i].phase, own), groups.size());
            if (place.second || !IsReserved(pool))
            {
                groups.emplace_back();
            }
            groups[IsReserved(pool) ? place.first->second : groups.size() - 1].push_back({m, i});
        }
    }
    return groups;
}

/// More for clusters that end late; more for parameters that arrive late
bool
LinkSearch::TryLateOnes()
{
    if (!m_radio.shares)
    {
        return false;
    }
    bool better = false;
    for (const double power : {4.0, 1.0})
    {
        RoundPlan plan = m_best.plan;
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            const double part = m_best.evaluation.clusters[m].totalS / m_best.evaluation.latencyS;
            for (auto& link : plan.clusters[m].links)
            {
                Scale(m, link, IsCommon(m, link) ? std::pow(part, power) : 1);
            }
        }
        better = (plan.clusters.size() > 1 && Try(std::move(plan))) || better;
    }
    RoundPlan plan = m_best.plan;
    bool any = false;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (auto& link : plan.clusters[m].links)
        {
            const double part = GetOccupationS(m, link) / m_best.evaluation.latencyS;
            const bool isCounted = link.phase != Phase::TRAINING && IsCommon(m, link) && part > 0;
            Scale(m, link, isCounted ? part : 1);
            any = any || isCounted;
        }
    }
    return (any && Try(std::move(plan))) || better;
}

/// Whole clusters in the media that all share
bool
LinkSearch::TryClusters()
{
    bool better = false;
    const bool isWorth = m_radio.shares && m_best.plan.clusters.size() > 1;
    for (const std::size_t m : isWorth ? OrderClusters() : std::vector<std::size_t>())
    {
        for (const double factor : {m_factor, 1 / m_factor})
        {
            RoundPlan plan = m_best.plan;
            bool any = false;
            for (auto& link : plan.clusters[m].links)
            {
                any = any || IsCommon(m, link);
                Scale(m, link, IsCommon(m, link) ? factor : 1);
            }
            if (any && Try(std::move(plan)))
            {
                better = true;
                break;
            }
        }
    }
    return better;
}

/// Single reservations, or links where nothing is reserved
bool
LinkSearch::TryShares()
{
    bool better = false;
    for (const auto& group : m_radio.shares ? ListGroups() : std::vector<Group>())
    {
        for (const double factor : {m_factor, 1 / m_factor})
        {
            RoundPlan plan = m_best.plan;
            for (const Place& place : group)
            {
                Scale(place.cluster, plan.clusters[place.cluster].links[place.link], factor);
            }
            if (Try(std::move(plan)))
            {
                better = true;
                break;
            }
        }
    }
    return better;
}

/// A whole cluster or one link first, or last, where the medium knows priorities
bool
LinkSearch::TryPriorities()
{
    if (!m_radio.shares)
    {
        return false;
    }
    const auto knows = [this](std::size_t m, const LinkPlan& link) {
        const PoolState& pool = GetPoolOf(m, link);
        return IsWorkConserving(pool) && pool.priorities;
    };
    bool better = false;
    for (const std::size_t m : OrderClusters())
    {
        RoundPlan plan = m_best.plan;
        bool any = false;
        for (auto& link : plan.clusters[m].links)
        {
            if (knows(m, link) && IsCommon(m, link))
            {
                link.priority = link.priority > 0 ? 0 : 1;
                any = true;
            }
        }
        better = (any && plan.clusters.size() > 1 && Try(std::move(plan))) || better;
    }
    return better;
}

bool
LinkSearch::TryPowers()
{
    bool better = false;
    for (const auto& group : m_radio.powers ? ListGroups() : std::vector<Group>())
    {
        for (const double factor : {1 / m_powerFactor, m_powerFactor})
        {
            RoundPlan plan = m_best.plan;
            bool changed = false;
            for (const Place& place : group)
            {
                LinkPlan& link = plan.clusters[place.cluster].links[place.link];
                const LinkState& state =
                    *FindLinkState(m_instance.state.clusters[place.cluster], link.from, link.to);
                const double power =
                    std::clamp(link.powerW * factor, state.minPowerW, state.maxPowerW);
                changed = changed || (power != link.powerW && link.from != EDGE_SERVER);
                link.powerW = link.from == EDGE_SERVER ? link.powerW : power;
            }
            if (changed && Try(std::move(plan)))
            {
                better = true;
                break;
            }
        }
    }
    return better;
}

} // namespace collapipe
} // namespace ns3
