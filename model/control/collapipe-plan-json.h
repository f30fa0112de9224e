/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PLAN_JSON_H
#define COLLAPIPE_PLAN_JSON_H

#include "collapipe-instance.h"
#include "collapipe-plan.h"

#include <cstdint>
#include <string>

namespace ns3
{
namespace collapipe
{

/// Who made a plan, and at what effort
struct SolverReport
{
    std::string controller;  //!< short name
    double seconds{0};       //!< of the wall clock
    uint32_t steps{0};       //!< accepted by the search; 0 where there is none
    uint32_t evaluations{0}; //!< radio problems solved
    uint32_t newtonSteps{0}; //!< in all of them
};

/**
 * Writes a plan with every part of (13); the schema is the chapter on collapipe-solve.
 *
 * @param instance the round's problem
 * @param plan a plan for it, or one with RoundPlan::infeasible
 * @param report who made it
 * @param onOneLine whether it is to be one line, for programs, instead of many, for people
 * @return JSON; ends in a line feed
 */
std::string FormatPlanJson(const Instance& instance,
                           const RoundPlan& plan,
                           const SolverReport& report,
                           bool onOneLine = false);

/**
 * @param error what is wrong with an instance
 * @return JSON on one line, an object with "error", where a plan would stand; ends in a line feed
 */
std::string FormatErrorJson(const std::string& error);

/**
 * Reads a plan as FormatPlanJson() writes it. Of that, `clusters` with their `chains` must be
 * there, or `infeasible`; `localIterations` and `schedule` are the state's where they are left out,
 * `links` equal shares at full power, `latencyS` what the latency model predicts. All else is left
 * unread.
 *
 * @param text JSON
 * @param state the system that the plan is for
 * @param plan set where there is no error
 * @return empty, or one sentence: the field which is missing, of the wrong type or out of range, or
 *         the constraint of (11) that the plan breaks (CheckPlan())
 */
std::string ParsePlanJson(const std::string& text, const SystemState& state, RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PLAN_JSON_H */
