/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a LinkMonitor learns of iterations that take longer than their transfers explain

#include "collapipe-link-monitor.h"

#include "ns3/collapipe-fluid-medium.h"
#include "ns3/collapipe-latency-model.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double PROBE = 1e-6;      //!< by which waits are varied to see what they do to a path
constexpr double LEAST_PART = 0.01; //!< of an iteration on the air, less tells nothing
constexpr double LEAST_WAIT = -0.5; //!< of the time on the air in a reserved medium
constexpr double MOST_WAIT = 4;     //!< of it
constexpr int WAIT_STEPS = 5;       //!< of Newton's method
constexpr double WAIT_WEIGHT = 0.5; //!< of a round in what is known of waiting

} // namespace

bool
LinkMonitor::HasReservedAirtime(uint32_t cluster) const
{
    const PoolState& d2d = m_expected.clusters.at(cluster).d2d;
    return IsReserved(d2d) && d2d.mode == SharingMode::AIRTIME &&
           m_expected.uplink.mode == SharingMode::DEDICATED;
}

void
LinkMonitor::AddWait(const LinkId& id, double wait, LinkState& link) const
{
    if (IsWire(id))
    {
        return;
    }
    if (HasReservedAirtime(id.cluster))
    {
        link.efficiency /= 1 + wait;
        return;
    }
    link.latencyS = std::max(0.0, link.latencyS + wait);
}

void
LinkMonitor::UpdateWaits()
{
    for (const auto& [cluster, measuredS] : m_iterations)
    {
        const auto predict = [this, cluster = cluster](double wait) {
            Instance instance;
            instance.state = MakeFittedState(cluster, wait);
            return EvaluatePlan(instance, m_plan).clusters.at(cluster).edgePeriodS;
        };
        const bool isReserved = HasReservedAirtime(cluster);
        double wait = 0;
        bool isKnown = false;
        // Linear but for changes of the longest path
        for (int step = 0; step < (isReserved ? WAIT_STEPS : 1); ++step)
        {
            const double predictedS = predict(wait);
            if (!(predictedS > 0))
            {
                break; // nothing to compare with
            }
            // Latencies on the path, or seconds on the air there where shares are reserved
            const double slope = (predict(wait + PROBE) - predictedS) / PROBE;
            if (slope < (isReserved ? LEAST_PART * predictedS : 1))
            {
                break; // no radio is in the way
            }
            wait += (measuredS - predictedS) / slope;
            wait = isReserved ? std::clamp(wait, LEAST_WAIT, MOST_WAIT) : wait;
            isKnown = true;
        }
        if (isKnown)
        {
            const auto [known, isNew] = m_waits.emplace(cluster, wait);
            known->second += isNew ? 0 : WAIT_WEIGHT * (wait - known->second);
        }
    }
}

} // namespace collapipe
} // namespace ns3
