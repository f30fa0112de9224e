/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COUPLING_SYSTEM_H
#define COLLAPIPE_COUPLING_SYSTEM_H

#include "collapipe-path-set.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * What is left of a Newton step when every link's variables are eliminated: a symmetric linear
 * system with a row, and an unknown, for every pool's budget, every path's deadline and every time.
 * The rows of one cluster are together, so that the matrix is a chain of small blocks with a
 * border, the pools that clusters share and tau.
 *
 * It is quasi-definite, hence strongly factorizable in any order (Vanderbei, Symmetric
 * quasidefinite matrices, 1995).
 */
class CouplingSystem
{
  public:
    /**
     * Places the rows: cluster by cluster its own pools, its paths and its times; then what all
     * share.
     * @param problem a radio problem
     * @param paths its paths
     */
    void Place(const RadioProblem& problem, const PathSet& paths);

    /// @return row of a pool's budget
    std::size_t PoolRow(std::size_t pool) const
    {
        return m_poolRows[pool];
    }

    /// @return row of a path's deadline; those of one cluster follow each other
    std::size_t PathRow(std::size_t path) const
    {
        return m_pathRows[path];
    }

    /**
     * @param time its index in RadioTimes
     * @return its row
     */
    std::size_t TimeRow(std::size_t time) const
    {
        return m_timeRows[time];
    }

    /// Sets all entries to 0.
    void Clear();

    /// @return the entry of both (i, j) and (j, i)
    double& Entry(std::size_t i, std::size_t j)
    {
        return m_matrix[std::max(i, j) * m_size + std::min(i, j)];
    }

    /**
     * @param row a row
     * @param column a column up to the row's number
     * @return the entries of the row from there to the diagonal
     */
    double* EntriesFrom(std::size_t row, std::size_t column)
    {
        return &m_matrix[row * m_size + column];
    }

    /// Makes L D L' of the matrix, without pivoting.
    void Factor();

    /// Sets the whole right-hand side to 0.
    void ClearRightHandSide();

    /// @return the right-hand side of a row, until Solve()
    double& RightHandSide(std::size_t row)
    {
        return m_vector[row];
    }

    /// Solves with the factor.
    void Solve();

    /// @return the unknown of a row, after Solve()
    double Solution(std::size_t row) const
    {
        return m_vector[row];
    }

  private:
    std::size_t m_size{0};               //!< number of rows
    std::vector<std::size_t> m_poolRows; //!< by pool
    std::vector<std::size_t> m_pathRows; //!< by path
    std::vector<std::size_t> m_timeRows; //!< by time
    std::vector<std::size_t> m_first;    //!< by row: where its entries begin, and its factor's
    std::vector<double> m_matrix;        //!< lower triangle, row by row; then its factor
    std::vector<double> m_pivots;        //!< of the factor
    std::vector<double> m_vector;        //!< right-hand side, then solution
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COUPLING_SYSTEM_H */
