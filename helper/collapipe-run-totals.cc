/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-totals.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

/// FLOPs done and FLOPs that there was time for
struct Work
{
    double done{0};     //!< FLOPs while computing
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
           RunTotals& totals)
{
    Work used;
    Work all;
    for (const auto& row : devices)
    {
        totals.computeEnergyJ += row.computeEnergyJ;
        if (row.node == CONTROL_UNIT || row.round == 0 || row.round > rounds.size())
        {
            continue;
        }
        const double done = row.flops * row.computeS;
        const double possible = row.flops * rounds[row.round - 1].latencyS;
        all.done += done;
        all.possible += possible;
        if (row.lastBlock > row.firstBlock)
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

RunTotals
ComputeTotals(double initialLoss,
              const std::vector<RoundRow>& rounds,
              const std::vector<DeviceRow>& devices)
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
    AddDevices(rounds, devices, totals);
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
