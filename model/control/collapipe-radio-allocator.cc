/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-allocator.h"

#include "collapipe-radio-method.h"

namespace ns3
{
namespace collapipe
{

RadioAllocator::RadioAllocator()
    : m_method(std::make_unique<RadioMethod>())
{
}

RadioAllocator::~RadioAllocator() = default;

RadioSolution
RadioAllocator::Solve(const RadioProblem& problem, double tolerance, double cutoff)
{
    return m_method->Solve(problem, tolerance, cutoff);
}

void
RadioAllocator::Forget()
{
    m_method->Forget();
}

} // namespace collapipe
} // namespace ns3
