/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_REFERENCE_H
#define COLLAPIPE_FLUID_REFERENCE_H

#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-plan.h"

#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// What the reference says of a round
struct FluidTimes
{
    double latencyS{0};                //!< tau (16)
    std::vector<double> distributionS; //!< end of each cluster's distribution
    std::vector<double> trainingS;     //!< end of each cluster's last iteration
    std::vector<double> totalS;        //!< end of each cluster's upload
    /// When the edge server has ended its part of each iteration, by cluster
    std::vector<std::vector<double>> edgeEndsS;
    std::vector<double> radioJ; //!< what each cluster's nodes send costs (7')
};

/**
 * (16) played by hand, sharing nothing with the module's FluidModel: at every instant all rates are
 * made anew from (5), (6), (14), (15), then the clock goes to the next end of anything. Stages work
 * through their lists of actions; nothing is remembered between instants but what is under way.
 * For GPipe and 1F1B.
 *
 * @param state the system
 * @param plan one chain per cluster: control unit, devices, edge server
 * @return times of the round
 */
FluidTimes PlayByHand(const SystemState& state, const RoundPlan& plan);

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_REFERENCE_H */
