/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-share-divider.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double CATCH_UP = 0.25;      //!< part of the lag that one TTI makes up
constexpr double MAX_LAG = 4;          //!< bands, where a user was shut out for long
constexpr double LIGHT_DEMAND = 0.125; //!< bands that a user with little to send wants at most
constexpr double MAX_ADVANCE = 0.5;    //!< bands that it may be ahead of its share
constexpr double EPSILON = 1e-6;       //!< of a unit, against rounding errors

/// Whether a user wants little, and is not far ahead of its share
bool
IsLight(const ShareClaim& claim, uint32_t total)
{
    return claim.demand <= LIGHT_DEMAND * total &&
           claim.demand <= claim.entitlement + claim.lag + MAX_ADVANCE * total;
}

} // namespace

void
WeighPriorities(std::vector<ShareClaim>& claims, double floor)
{
    const auto find = [&](int below) {
        int highest = -1;
        for (const auto& claim : claims)
        {
            const bool counts = claim.ranked && claim.priority < below;
            highest = counts ? std::max<int>(highest, claim.priority) : highest;
        }
        return highest;
    };
    const int first = find(std::numeric_limits<int>::max());
    double before = 0; // the weights of all who go first
    for (const auto& claim : claims)
    {
        before += !claim.ranked || claim.priority == first ? claim.weight : 0;
    }
    for (int priority = find(first); priority >= 0; priority = find(priority))
    {
        const auto isOwn = [&](const ShareClaim& claim) {
            return claim.ranked && claim.priority == priority;
        };
        double weights = 0;
        for (const auto& claim : claims)
        {
            weights += isOwn(claim) ? claim.weight : 0;
        }
        for (auto& claim : claims)
        {
            claim.weight *= isOwn(claim) ? floor * before / weights : 1;
        }
        before *= 1 + floor;
    }
}

ShareDivider::ShareDivider(ShareManner manner)
    : m_manner(manner)
{
}

void
ShareDivider::Divide(std::vector<ShareClaim>& claims, uint32_t available, bool workConserving)
{
    const uint32_t total =
        std::accumulate(claims.begin(), claims.end(), available, [](uint32_t sum, const auto& c) {
            return sum + c.used;
        });
    SetTargets(claims, total, workConserving);
    m_amounts.assign(claims.size(), 0);
    m_order.resize(claims.size());
    std::iota(m_order.begin(), m_order.end(), 0);
    if (!ServeInOrder(claims, available))
    {
        // In the order of the claims where equally urgent
        std::stable_sort(m_order.begin(), m_order.end(), [&](uint32_t a, uint32_t b) {
            return IsMoreUrgent(claims[a], claims[b], total);
        });
        ServeInOrder(claims, available);
    }
    ShareRest(claims, m_rest);
    Round(claims);
    Account(claims, total, workConserving);
}

void
ShareDivider::SetTargets(std::vector<ShareClaim>& claims, uint32_t total, bool workConserving)
{
    double weights = 0;
    for (const auto& claim : claims)
    {
        weights += claim.weight;
    }
    const double unit = total / (workConserving ? weights : std::max(1.0, weights));
    for (auto& claim : claims)
    {
        claim.entitlement = unit * claim.weight;
        claim.target = claim.entitlement + CATCH_UP * claim.lag;
        claim.target -= claim.used;
        // A share that is smaller than the least useful grant is saved up for one
        claim.due = claim.entitlement + claim.lag >= claim.minimum;
    }
}

/// Which of two users comes first where not all fit
bool
ShareDivider::IsMoreUrgent(const ShareClaim& a, const ShareClaim& b, uint32_t total) const
{
    if (m_manner == ShareManner::IN_TURNS && IsLight(a, total) != IsLight(b, total))
    {
        return IsLight(a, total);
    }
    if (a.due != b.due)
    {
        return a.due;
    }
    return a.due ? a.lag > b.lag : a.lag + a.entitlement > b.lag + b.entitlement;
}

bool
ShareDivider::ServeInOrder(std::vector<ShareClaim>& claims, double available)
{
    bool all = true;
    m_rest = available;
    for (const auto i : m_order)
    {
        const ShareClaim& claim = claims[i];
        m_amounts[i] = 0;
        if (claim.demand == 0 || (claim.capped && !claim.due))
        {
            continue;
        }
        if (m_rest < claim.minimum)
        {
            all = false;
            continue;
        }
        const double share = std::clamp<double>(claim.target, claim.minimum, claim.demand);
        const double wanted = m_manner == ShareManner::IN_TURNS ? claim.demand : share;
        all = all && wanted <= m_rest + EPSILON;
        m_amounts[i] = std::min(wanted, m_rest);
        m_rest -= m_amounts[i];
    }
    return all;
}

void
ShareDivider::ShareRest(std::vector<ShareClaim>& claims, double rest)
{
    // Whoever is filled drops out, so a pass either fills somebody or shares out all
    while (rest > EPSILON)
    {
        const auto isOpen = [&](uint32_t i) {
            return m_amounts[i] > 0 && m_amounts[i] < claims[i].demand && !claims[i].capped;
        };
        double weights = 0;
        for (uint32_t i = 0; i < claims.size(); ++i)
        {
            weights += isOpen(i) ? claims[i].weight : 0;
        }
        if (weights == 0)
        {
            return;
        }
        const double unit = rest / weights;
        for (uint32_t i = 0; i < claims.size(); ++i)
        {
            if (isOpen(i))
            {
                const double more =
                    std::min(unit * claims[i].weight, claims[i].demand - m_amounts[i]);
                m_amounts[i] += more;
                rest -= more;
            }
        }
    }
}

void
ShareDivider::Round(std::vector<ShareClaim>& claims)
{
    // Rounding the running sum keeps the total, and every amount within one unit
    double sum = 0;
    uint32_t units = 0;
    for (uint32_t i = 0; i < claims.size(); ++i)
    {
        sum += m_amounts[i];
        const auto until = static_cast<uint32_t>(sum + EPSILON);
        claims[i].granted = until - units;
        units = until;
    }
}

void
ShareDivider::Account(std::vector<ShareClaim>& claims, uint32_t total, bool workConserving)
{
    // Who could fill the whole band wants more even when it was all his
    const auto isContent = [total](const ShareClaim& c) {
        return c.granted >= c.demand && c.demand < total && !c.used;
    };
    // Where some are capped, the others share what is left; a lag is then one behind these others
    const auto isShared = [workConserving](const ShareClaim& c) {
        return workConserving || !c.capped;
    };
    double sum = 0;
    double weights = 0;
    double openWeights = 0;
    for (auto& claim : claims)
    {
        claim.lag += claim.entitlement - (claim.granted + claim.used);
        // Nobody is owed what he could not use
        claim.lag = isContent(claim) ? std::min(claim.lag, 0.0) : claim.lag;
        if (isShared(claim))
        {
            sum += claim.lag;
            weights += claim.weight;
            openWeights += isContent(claim) ? 0 : claim.weight;
        }
    }
    // Nor does anybody owe what others left: the lags of all sum to 0; those beside capped users
    // may be behind, all of them
    const bool openOnly = sum < 0 && openWeights > 0;
    const bool isLevelled = weights > 0 && (workConserving || sum < 0);
    const double shift = isLevelled ? sum / (openOnly ? openWeights : weights) : 0;
    for (auto& claim : claims)
    {
        const bool isShifted = isShared(claim) && !(openOnly && isContent(claim));
        claim.lag -= isShifted ? shift * claim.weight : 0;
        claim.lag = std::clamp(claim.lag, -MAX_LAG * total, MAX_LAG * total);
    }
}

} // namespace collapipe
} // namespace ns3
