/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_COMPARISON_H
#define COLLAPIPE_JUDGE_COMPARISON_H

#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-plan.h"

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// DSSDA's plan and the judge's verdict on one random instance
struct Comparison
{
    uint64_t number{0};         //!< of the instance
    bool judgeFeasible{false};  //!< the judge found a plan
    bool solverFeasible{false}; //!< DSSDA found a plan
    std::string error;          //!< what is wrong with DSSDA's plan
    double gap{0};              //!< (cost of DSSDA's plan - optimum) / optimum
    double disagreement{0};     //!< between the judge's two continuous solvers
    double judgeS{0};           //!< wall-clock time of the judge
    double solverS{0};          //!< wall-clock time of DSSDA
    uint64_t combinations{0};   //!< discrete decisions
};

/**
 * The cost is V tau + sum Q E + Z phi: (13) without the constants Q Ebar and Z phibar, which can
 * bring (13) to zero or below and would make a relative gap meaningless. It is positive.
 *
 * @param number of the instance, see InstanceMaker
 * @param sendsBase whether there are frozen weights, of which nodes have some and are sent others
 * @param rule who carries the parameters; direct or collected
 * @return the comparison
 */
Comparison Compare(uint64_t number, bool sendsBase = false, UploadRule rule = UploadRule::DIRECT);

/// Counts and distribution over many comparisons
class ComparisonSummary
{
  public:
    /// @param comparison one more
    void Add(const Comparison& comparison);

    /// @param out where to: gaps, mismatches, times
    void Print(std::ostream& out) const;

    /// @return within 1 % in 99 % and within 3 % in all, feasibility recognised exactly
    bool IsPassed() const;

    /// @param limit a relative gap
    /// @return number of feasible instances within it
    std::size_t CountWithin(double limit) const;

    /// @return number of instances whose feasibility was not recognised, or with a wrong plan
    std::size_t CountMistakes() const;

  private:
    /// @return instances that both solved
    std::vector<Comparison> GetSolved() const;

    std::vector<Comparison> m_all; //!< all comparisons
};

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_COMPARISON_H */
