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
    }
    totals.plannedErrorMedian = GetPlannedErrorMedian(rounds);
    AddDevices(rounds, devices, decided, totals);
    return totals;
}

double
GetTimeToLossS(const RunTotals& totals, double loss)
{
    for (std::size_t i = 0; i < totals.validation.size(); ++i)
    {
        if (totals.validation[i] <= loss)
        {
            if (i == 0)
            {
                return totals.endS[0];
            }
            const double before = totals.validation[i - 1];
            const double share = (before - loss) / (before - totals.validation[i]);
            return totals.endS[i - 1] + share * (totals.endS[i] - totals.endS[i - 1]);
        }
    }
    return std::numeric_limits<double>::quiet_NaN();
}

} // namespace collapipe
} // namespace ns3
