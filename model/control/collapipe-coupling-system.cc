/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-coupling-system.h"

#include "collapipe-radio-times.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

void
CouplingSystem::Place(const RadioProblem& problem, const PathSet& paths)
{
    const std::size_t shared = RadioProblem::SHARED_POOLS;
    const std::size_t clusters = problem.clusters.size();
    const std::size_t own = (problem.pools - shared) / clusters;
    m_poolRows.assign(problem.pools, 0);
    m_pathRows.assign(paths.GetCount(), 0);
    m_timeRows.assign(RadioTimes::KINDS * clusters + 1, 0);
    m_size = m_poolRows.size() + m_pathRows.size() + m_timeRows.size();
    m_first.assign(m_size, 0);
    std::size_t next = 0;
    std::size_t path = 0;
    for (std::size_t m = 0; m < clusters; ++m)
    {
        const std::size_t first = next;
        for (std::size_t p = shared + own * m; p < shared + own * (m + 1); ++p)
        {
            m_poolRows[p] = next++;
        }
        for (; path < paths.GetCount() && paths[path].cluster == m; ++path)
        {
            m_pathRows[path] = next++;
        }
        for (std::size_t kind = 0; kind < RadioTimes::KINDS; ++kind)
        {
            m_timeRows[RadioTimes::IndexOf(m, static_cast<TimeKind>(kind))] = next++;
        }
        std::fill(m_first.begin() + static_cast<std::ptrdiff_t>(first),
                  m_first.begin() + static_cast<std::ptrdiff_t>(next),
                  first);
    }
    for (std::size_t p = 0; p < shared; ++p)
    {
        m_poolRows[p] = next++;
    }
    m_timeRows.back() = next;
}

void
CouplingSystem::Clear()
{
    m_matrix.assign(m_size * m_size, 0);
}

void
CouplingSystem::ClearRightHandSide()
{
    m_vector.assign(m_size, 0);
}

void
CouplingSystem::Factor()
{
    const std::size_t n = m_size;
    m_pivots.resize(n);
    for (std::size_t i = 0; i < n; ++i)
    {
        double* row = &m_matrix[i * n];
        for (std::size_t j = m_first[i]; j < i; ++j)
        {
            const double* other = &m_matrix[j * n];
            double sum = row[j];
            for (std::size_t k = std::max(m_first[i], m_first[j]); k < j; ++k)
            {
                sum -= row[k] * other[k];
            }
            row[j] = sum;
        }
        double pivot = row[i];
        for (std::size_t j = m_first[i]; j < i; ++j)
        {
            const double scaled = row[j] / m_pivots[j];
            pivot -= row[j] * scaled;
            row[j] = scaled;
        }
        m_pivots[i] = pivot;
    }
}

void
CouplingSystem::Solve()
{
    const std::size_t n = m_size;
    for (std::size_t i = 0; i < n; ++i)
    {
        const double* row = &m_matrix[i * n];
        double sum = m_vector[i];
        for (std::size_t k = m_first[i]; k < i; ++k)
        {
            sum -= row[k] * m_vector[k];
        }
        m_vector[i] = sum;
    }
    for (std::size_t i = 0; i < n; ++i)
    {
        m_vector[i] /= m_pivots[i];
    }
    for (std::size_t i = n; i-- > 0;)
    {
        const double* row = &m_matrix[i * n];
        const double value = m_vector[i];
        for (std::size_t k = m_first[i]; k < i; ++k)
        {
            m_vector[k] -= row[k] * value;
        }
    }
}

} // namespace collapipe
} // namespace ns3
