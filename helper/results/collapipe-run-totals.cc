/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-totals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t LEARNING_ROUNDS = 5; //!< after which link monitors are taken to know

/// FLOPs done and FLOPs that there was time for
struct Work
{
    double done{0};     //!< FLOPs of the model
    double possible{0}; //!< FLOPs in the whole round

    /// @return the share done
    double GetShare() const
    {
        return possible > 0 ? done / possible : 0;
    }
};

void
AddDevices(const std::vector<RoundRow>& rounds,
           const std::vector<DeviceRow>& devices,
           const std::vector<ControlNodeRow>& decided,
           RunTotals& totals)
{
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, double> flops;
    for (const auto& row : decided)
    {
        flops[{row.round, row.cluster, row.node}] += row.usefulFlops;
    }
    Work used;
    Work all;
    for (const auto& row : devices)
    {
        totals.computeEnergyJ += row.computeEnergyJ;
        if (row.node == CONTROL_UNIT || row.round == 0 || row.round > rounds.size())
        {
            continue;
        }
        const double done = flops[{row.round, row.cluster, row.node}];
        const double possible = row.flops * rounds[row.round - 1].latencyS;
        all.done += done;
        all.possible += possible;
        if (done > 0)
        {
            used.done += done;
            used.possible += possible;
        }
        totals.peakPlannedMemory = std::max(totals.peakPlannedMemory, row.plannedMemoryBytes);
    }
    totals.efficiencyUsed = used.GetShare();
    totals.efficiencyAll = all.GetShare();
}

/**
 * @param times by round
 * @param values by round; NaN: unknown
 * @param goal a value
 * @param sign of the direction in which values are to go: 1 up, -1 down
 * @return when they first were at the goal, interpolated between rounds; NaN: never
 */
double
FindCrossing(const std::vector<double>& times,
             const std::vector<double>& values,
             double goal,
             int sign)
{
    for (std::size_t i = 0; i < values.size(); ++i)
    {
        if (sign * values[i] >= sign * goal)
        {
            const double before = i == 0 ? values[0] : values[i - 1];
            if (i == 0 || !std::isfinite(before))
            {
                return times[i];
            }
            const double share = (goal - before) / (values[i] - before);
            return times[i - 1] + share * (times[i] - times[i - 1]);
        }
    }
    return std::numeric_limits<double>::quiet_NaN();
}

} // namespace

double
GetPlannedError(const RoundRow& row)
{
    return row.plannedLatencyS > 0 ? row.plannedLatencyS / row.latencyS - 1
                                   : std::numeric_limits<double>::quiet_NaN();
}

double
GetPlannedErrorMedian(const std::vector<RoundRow>& rounds)
{
    const std::size_t first = rounds.size() > LEARNING_ROUNDS ? LEARNING_ROUNDS : 0;
    std::vector<double> errors;
    for (std::size_t i = first; i < rounds.size(); ++i)
    {
        const double error = std::abs(GetPlannedError(rounds[i]));
        if (std::isfinite(error))
        {
            errors.push_back(error);
        }
    }
    if (errors.empty())
    {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::sort(errors.begin(), errors.end());
    return (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]) / 2;
}

RunTotals
ComputeTotals(double initialLoss,
              const std::vector<RoundRow>& rounds,
              const std::vector<DeviceRow>& devices,
              const std::vector<ControlNodeRow>& decided)
{
    RunTotals totals;
    totals.endS.push_back(0);
    totals.validation.push_back(initialLoss);
    totals.accuracy.push_back(std::numeric_limits<double>::quiet_NaN());
    for (const auto& row : rounds)
    {
        const double share = 1.0 / rounds.size();
        totals.latencyS += share * row.latencyS;
        totals.plannedLatencyS += share * row.plannedLatencyS;
        totals.distributionS += share * row.distributionS;
        totals.trainingS += share * row.trainingS;
        totals.uploadS += share * row.uploadS;
        totals.bytesSent += row.bytesSent;
        totals.endS.push_back(row.startS + row.latencyS - rounds.front().startS);
        totals.validation.push_back(row.validationLoss);
        totals.accuracy.push_back(row.quality.accuracy);
    }
    totals.plannedErrorMedian = GetPlannedErrorMedian(rounds);
    AddDevices(rounds, devices, decided, totals);
    return totals;
}

double
GetTimeToLossS(const RunTotals& totals, double loss)
{
    return FindCrossing(totals.endS, totals.validation, loss, -1);
}

double
GetTimeToAccuracyS(const RunTotals& totals, double accuracy)
{
    return FindCrossing(totals.endS, totals.accuracy, accuracy, 1);
}

} // namespace collapipe
} // namespace ns3
