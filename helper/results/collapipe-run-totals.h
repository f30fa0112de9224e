/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_TOTALS_H
#define COLLAPIPE_RUN_TOTALS_H

#include "collapipe-control-recorder.h"
#include "collapipe-run-recorder.h"

#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a run came to, in figures that can be compared with another run's.
 */
struct RunTotals
{
    double latencyS{0};             //!< of a round, mean
    double plannedLatencyS{0};      //!< of a round, mean; 0: the controller does not predict
    double plannedErrorMedian{0};   //!< of |planned / measured - 1|, rounds after the fifth; NaN
    double distributionS{0};        //!< of a round, mean
    double trainingS{0};            //!< of a round, mean
    double uploadS{0};              //!< of a round, mean
    double efficiencyUsed{0};       //!< model's FLOPs done over possible ones, devices with blocks
    double efficiencyAll{0};        //!< the same, all devices
    double computeEnergyJ{0};       //!< of all devices and control units, whole run
    double peakPlannedMemory{0};    //!< bytes of formula (8), of the device that needs most
    double bytesSent{0};            //!< TCP payload, whole run
    std::vector<double> endS;       //!< by round, from 0 on: simulated time since the first began
    std::vector<double> validation; //!< by round, from 0 on: validation loss; NaN: unknown
    std::vector<double> accuracy;   //!< likewise: on the validation part, 0 to 1
};

/**
 * @param row a round
 * @return planned latency over the measured one, less 1; NaN where the controller does not predict
 */
double GetPlannedError(const RoundRow& row);

/**
 * @param rounds a row per round
 * @return median of the errors' sizes over the rounds after the fifth, when the link monitors have
 *         learnt, or over all where there are no more; NaN where the controller does not predict
 */
double GetPlannedErrorMedian(const std::vector<RoundRow>& rounds);

/**
 * @param initialLoss validation loss before the first round
 * @param rounds a row per round
 * @param devices a row per round and node
 * @param decided a row per round and node: the FLOPs that its part of the model takes. Time spent
 * on a micro-batch's fixed cost is no work.
 * @return the totals
 */
RunTotals ComputeTotals(double initialLoss,
                        const std::vector<RoundRow>& rounds,
                        const std::vector<DeviceRow>& devices,
                        const std::vector<ControlNodeRow>& decided);

/**
 * @param totals of a run
 * @param loss a validation loss
 * @return simulated time at which the run had come down to it, interpolated between rounds; NaN
 *         where it never did
 */
double GetTimeToLossS(const RunTotals& totals, double loss);

/**
 * @param totals of a run
 * @param accuracy on the validation part, 0 to 1
 * @return simulated time at which the run had risen to it, interpolated between rounds; NaN where
 *         it never did
 */
double GetTimeToAccuracyS(const RunTotals& totals, double accuracy);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_TOTALS_H */
