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
constexpr double USUAL_WAIT =
    0.25; //!< of the time on the air: standard deviation, before it is seen
constexpr double PATH_ERROR = 0.02; //!< likewise, of an iteration as (3) has it

/**
 * An iteration that is mostly computed is off by more than its time on the air can explain.
 * @param part of an iteration that is on the air
 * @return what an iteration tells of waiting there, 0..1: of what it seems to say, the mean of what
 *         may be so, both errors being normal
 */
double
GetWeightOnAir(double part)
{
    const double said = part * USUAL_WAIT;
    return said * said / (said * said + PATH_ERROR * PATH_ERROR);
}

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
        double weight = 1;
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
            weight = isReserved ? GetWeightOnAir(slope / predictedS) : 1;
            isKnown = true;
        }
        wait *= weight;
        if (isKnown)
        {
            const auto [known, isNew] = m_waits.emplace(cluster, wait);
            known->second += isNew ? 0 : WAIT_WEIGHT * (wait - known->second);
        }
    }
}

} // namespace collapipe
} // namespace ns3
