/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-medium.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// The users of one priority; `capacity` is what is left of the medium
double
DivideAmong(std::vector<MediumUser*>& users, double capacity)
{
    bool again = true;
    while (again && !users.empty())
    {
        again = false;
        double weights = 0;
        for (const MediumUser* user : users)
        {
            weights += user->weight;
        }
        const double unit = capacity / weights;
        double capped = 0;
        for (auto user = users.begin(); user != users.end();)
        {
            (*user)->share = unit * (*user)->weight;
            if ((*user)->share > (*user)->cap)
            {
                (*user)->share = (*user)->cap;
                capped += (*user)->cap;
                user = users.erase(user);
                again = true;
            }
            else
            {
                ++user;
            }
        }
        capacity = again ? std::max(0.0, capacity - capped) : 0;
    }
    return capacity;
}

} // namespace

void
DivideMedium(std::vector<MediumUser>& users, double capacity)
{
    std::vector<uint8_t> priorities;
    for (const auto& user : users)
    {
        priorities.push_back(user.priority);
    }
    std::sort(priorities.rbegin(), priorities.rend());
    priorities.erase(std::unique(priorities.begin(), priorities.end()), priorities.end());
    for (const uint8_t priority : priorities)
    {
        std::vector<MediumUser*> own;
        for (auto& user : users)
        {
            if (user.priority == priority)
            {
                own.push_back(&user);
            }
        }
        capacity = DivideAmong(own, capacity);
    }
}

std::string
ToString(Sharing sharing)
{
    return sharing == Sharing::RESERVED ? "reserved" : "work-conserving";
}

bool
IsReserved(const PoolState& pool)
{
    return pool.mode != SharingMode::DEDICATED && pool.sharing == Sharing::RESERVED;
}

bool
IsWorkConserving(const PoolState& pool)
{
    return pool.mode != SharingMode::DEDICATED && pool.sharing == Sharing::WORK_CONSERVING;
}

bool
IsWorkConserving(const SystemState& state)
{
    return IsWorkConserving(state.uplink) || IsWorkConserving(state.downlink) ||
           std::any_of(state.clusters.begin(), state.clusters.end(), [](const auto& cluster) {
               return IsWorkConserving(cluster.d2d);
           });
}

} // namespace collapipe
} // namespace ns3
