/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-continuous.h"

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

constexpr double STEP = 0.5;  //!< of the search, in log(seconds on the air)
constexpr int MAX_STEPS = 40; //!< of the search

/**
 * The least of weight * time + Q * energy of a link that has its pool for itself, from below. As a
 * function of w = log(b_w x / B) it is convex; the search steps over its minimum, and the tangent
 * there bounds what lies within the last step.
 */
double
LeastLinkCost(const Transmission& t, double weight)
{
    const double cost = t.queue * t.count;
    if (t.mode == SharingMode::DEDICATED)
    {
        return weight * t.AirtimeS(1, 0) + cost * t.EnergyJ(1, 0);
    }
    const double shortest = t.AirtimeS(1, t.link.maxPowerW);
    if (!(cost > 0))
    {
        return weight * shortest;
    }
    const double kappa = t.bits * std::log(2.0) / (t.link.efficiency * t.bandwidthHz);
    const double noise = t.link.snrGap * t.link.noiseDensityWPerHz * t.bandwidthHz / t.link.gain;
    if (!(weight > 0))
    {
        return cost * noise * kappa;
    }
    const ConvexFunction f{0, {}, {{weight, 0, -1}}, {{cost * noise, kappa, 0}}, {}};
    Eigen::VectorXd w = Eigen::VectorXd::Constant(1, std::log(shortest));
    Eigen::VectorXd slope = Eigen::VectorXd::Zero(1);
    f.AddGradient(w, 1, slope);
    if (slope(0) >= 0)
    {
        return f.Value(w);
    }
    for (int i = 0; i < MAX_STEPS; ++i)
    {
        w(0) += STEP;
        slope.setZero();
        f.AddGradient(w, 1, slope);
        if (slope(0) >= 0)
        {
            return f.Value(w) - STEP * slope(0);
        }
    }
    return weight * shortest + cost * noise * kappa;
}

} // namespace

double
QuickBound(const ClusterProblem& cluster, double weight)
{
    double bound = cluster.computeCost + cluster.phiCost;
    for (const std::vector<Stage>* stages : {&cluster.forward, &cluster.backward})
    {
        double slowest = 0;
        for (const Stage& stage : *stages)
        {
            double least = stage.constantS;
            bound += weight * cluster.iterations * stage.constantS;
            if (stage.transmission >= 0)
            {
                const Transmission& t = cluster.transmissions[stage.transmission];
                bound += LeastLinkCost(t, weight * cluster.iterations);
                least += t.AirtimeS(1, t.link.maxPowerW);
            }
            slowest = std::max(slowest, least);
        }
        const bool pipelined = !cluster.oneForwardOneBackward;
        bound += pipelined ? weight * cluster.iterations * (cluster.microBatches - 1) * slowest : 0;
    }
    for (const std::vector<int>* phase : {&cluster.distribution, &cluster.upload})
    {
        double slowest = 0;
        for (const int i : *phase)
        {
            const Transmission& t = cluster.transmissions[i];
            slowest = std::max(slowest, t.AirtimeS(1, t.link.maxPowerW));
            bound += LeastLinkCost(t, 0);
        }
        bound += weight * slowest;
    }
    return bound;
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
