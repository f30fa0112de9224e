/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-hasfl-plan.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-latency-model.h"
#include "collapipe-side-by-side.h"
#include "collapipe-split-choice.h"

#include <limits>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return every number of samples that an allowed pair, or the fixed one, takes in an iteration
std::set<uint32_t>
ListSamples(const TrainingProfile& training)
{
    std::set<uint32_t> samples{training.fixedPair.count * training.fixedPair.size};
    for (const auto& pair : training.allowedPairs)
    {
        samples.insert(pair.count * pair.size);
    }
    return samples;
}

/// @return seconds for a plan's round over the part of the way to the accuracy that it goes
double
GetCost(const SystemState& state, const RoundPlan& plan, double convergenceTarget)
{
    Instance instance;
    instance.state = state;
    const double phi = EvaluatePlan(instance, plan).phi;
    const double part = convergenceTarget > 0 ? 1 - phi / (2 * convergenceTarget) : 1;
    return part > 0 ? plan.plannedLatencyS / part : std::numeric_limits<double>::infinity();
}

/// @return a plan with so many samples in every cluster; infeasible where one cannot take them
RoundPlan
MakePlan(const SystemState& state,
         SplitChoice& choice,
         uint32_t samples,
         bool waits,
         bool enforceMemory)
{
    RoundPlan plan = StartSideBySide(state);
    for (std::size_t m = 0; m < state.clusters.size(); ++m)
    {
        plan.clusters.emplace_back();
        plan.clusters.back().chains = choice.Choose(m, samples, waits);
        if (plan.clusters.back().chains.empty())
        {
            plan.infeasible = "cluster " + std::to_string(m) + " cannot take " +
                              std::to_string(samples) + " samples";
            return plan;
        }
    }
    FinishBaseline(state, plan, enforceMemory);
    return plan;
}

} // namespace

RoundPlan
MakeHasflPlan(const SystemState& state, double convergenceTarget, bool enforceMemory)
{
    RoundPlan best = StartSideBySide(state);
    if (!best.infeasible.empty())
    {
        return best;
    }
    best = MakeTunedSplitFedPlan(state, enforceMemory);
    const RoundPlan shares = best.infeasible.empty() ? best : MakeSplitFedPlan(state, 1, false);
    if (shares.clusters.empty() || shares.clusters.front().links.empty())
    {
        return best; // no schedule for it
    }
    SplitChoice choice(state, shares, enforceMemory);
    const bool isKnown = best.infeasible.empty();
    double least = isKnown ? GetCost(state, best, convergenceTarget) : 0;
    const auto& pair = state.training.fixedPair;
    const std::set<uint32_t> fixed{pair.count * pair.size};
    for (const uint32_t samples : convergenceTarget > 0 ? ListSamples(state.training) : fixed)
    {
        for (const bool waits : {false, true})
        {
            RoundPlan plan = MakePlan(state, choice, samples, waits, enforceMemory);
            if (!plan.infeasible.empty())
            {
                continue;
            }
            const double cost = GetCost(state, plan, convergenceTarget);
            if (!best.infeasible.empty() || cost <= least)
            {
                least = cost;
                best = std::move(plan);
            }
        }
    }
    return best;
}

} // namespace collapipe
} // namespace ns3
