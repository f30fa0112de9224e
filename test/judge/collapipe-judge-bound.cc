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
    const double overheadCost = weight * t.overheadS; // and what is radiated in it, at least 0
    const double shortest = t.AirtimeS(1, t.link.maxPowerW) - t.overheadS;
    if (!(cost > 0))
    {
        return overheadCost + weight * shortest;
    }
    const double kappa = t.bits * std::log(2.0) / (t.link.efficiency * t.bandwidthHz);
    const double noise = t.link.snrGap * t.link.noiseDensityWPerHz * t.bandwidthHz / t.link.gain;
    if (!(weight > 0))
    {
        return cost * noise * kappa; // as long as one likes
    }
    const ConvexFunction f{0, {}, {{weight, 0, -1}}, {{cost * noise, kappa, 0}}, {}};
    Eigen::VectorXd w = Eigen::VectorXd::Constant(1, std::log(shortest));
    Eigen::VectorXd slope = Eigen::VectorXd::Zero(1);
    f.AddGradient(w, 1, slope);
    if (slope(0) >= 0)
    {
        return overheadCost + f.Value(w);
    }
    for (int i = 0; i < MAX_STEPS; ++i)
    {
        w(0) += STEP;
        slope.setZero();
        f.AddGradient(w, 1, slope);
        if (slope(0) >= 0)
        {
            return overheadCost + f.Value(w) - STEP * slope(0);
        }
    }
    return overheadCost + weight * shortest + cost * noise * kappa;
}

/**
 * What an iteration lasts beyond one micro-batch's way through all stages and back, at least. Under
 * GPipe N - 1 times the slowest stage of each direction (3). Under 1F1B compute stage s = 1 .. P
 * still has N - 1 backwards and all forwards but w + 1 before it when its first backward is done, w
 * its warm-up.
 */
double
LeastExtraS(const ClusterProblem& cluster)
{
    const auto least = [&](const Stage& stage) {
        if (stage.transmission < 0)
        {
            return stage.constantS;
        }
        const Transmission& t = cluster.transmissions[stage.transmission];
        return stage.constantS + t.AirtimeS(1, t.link.maxPowerW);
    };
    const double others = cluster.microBatches - 1;
    const auto stages = static_cast<std::ptrdiff_t>(cluster.forward.size());
    double forward = 0;
    double backward = 0;
    double together = 0;
    double warmUp = 0;
    for (std::ptrdiff_t i = stages - 1; i >= 0; --i)
    {
        const Stage& there = cluster.forward[i];
        const Stage& back = cluster.backward[stages - 1 - i];
        const double f = there.kind == StageKind::LATENCY ? 0 : least(there);
        const double b = back.kind == StageKind::LATENCY ? 0 : least(back);
        forward = std::max(forward, f);
        backward = std::max(backward, b);
        together = std::max(together, others * b);
        if (there.kind == StageKind::COMPUTE)
        {
            together = std::max(together, others * b + std::max(0.0, others - warmUp) * f);
            warmUp += 1;
        }
    }
    return cluster.oneForwardOneBackward ? together : others * (forward + backward);
}

} // namespace

double
QuickBound(const ClusterProblem& cluster, double weight)
{
    double bound = cluster.computeCost + cluster.phiCost;
    const double perIteration = weight * cluster.iterations;
    for (const std::vector<Stage>* stages : {&cluster.forward, &cluster.backward})
    {
        for (const Stage& stage : *stages)
        {
            bound += perIteration * stage.constantS;
            if (stage.transmission >= 0)
            {
                const Transmission& t = cluster.transmissions[stage.transmission];
                bound += LeastLinkCost(t, perIteration);
            }
        }
    }
    bound += perIteration * LeastExtraS(cluster);
    for (const std::vector<int>& leg : cluster.legs)
    {
        double slowest = 0;
        for (const int i : leg)
        {
            const Transmission& t = cluster.transmissions[i];
            slowest = std::max(slowest, t.link.latencyS + t.AirtimeS(1, t.link.maxPowerW));
            bound += LeastLinkCost(t, 0);
        }
        bound += weight * slowest;
    }
    return bound;
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
