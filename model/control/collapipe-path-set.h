/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PATH_SET_H
#define COLLAPIPE_PATH_SET_H

#include "collapipe-radio-link-work.h"

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A bound of a cluster's time from below: tau_dist + H (constant + transfers) + upload, where the
 * transfers are counted by LinkWork::flow. Under GPipe there is one, with (N - 1) times the
 * bottlenecks, and with targets two more, on which the forward pass waits for them; under 1F1B one
 * per path through the task graph that was ever the longest.
 */
struct TimePath
{
    std::size_t cluster{0}; //!< m
    double iterations{1};   //!< H
    double constantS{0};    //!< of an iteration, in seconds
    /// Bottlenecks forward: N - 1 under GPipe, 0 after targets or under 1F1B
    double forwardBubble{0};
    double backwardBubble{0}; //!< bottlenecks backward: N - 1 under GPipe, 0 under 1F1B
    CriticalPath counts;      //!< of transfers; without hops every transfer once
    Inequality deadline;      //!< time - tau <= 0, in the method's unit
    double constant{0};       //!< of links that are fixed, and latencies, of the round, in seconds
    double flow{0};           //!< sum of transfers, or its step
};

/**
 * The paths that stand for all of a problem's: no more than MAX_PATHS of a cluster, ordered by
 * cluster. Of a schedule that is not (3) they are some of the paths through its task graph; longer
 * ones are added as they are found, until none is longer.
 */
class PathSet
{
  public:
    /**
     * Begins with (3) where it holds; else with paths that together pass every link, and with those
     * remembered.
     * @param problem a radio problem
     */
    void Start(const RadioProblem& problem);

    /**
     * Adds every cluster's longest path.
     * @param problem the problem of Start()
     * @param occupationS a / r by link, in seconds
     * @return whether a path was added, that is, one which is longer than all that are known
     */
    bool AddLongest(const RadioProblem& problem, const std::vector<double>& occupationS);

    /**
     * Remembers the paths that bind, for problems of the same form: they are paths at any times.
     * @param problem the problem of Start()
     */
    void Remember(const RadioProblem& problem);

    /// Forgets what was remembered.
    void Forget();

    /// @return how many there are
    std::size_t GetCount() const
    {
        return m_paths.size();
    }

    /// @return path of that index
    TimePath& operator[](std::size_t path)
    {
        return m_paths[path];
    }

    /// @return path of that index
    const TimePath& operator[](std::size_t path) const
    {
        return m_paths[path];
    }

    /// @return the first one
    std::vector<TimePath>::iterator begin()
    {
        return m_paths.begin();
    }

    /// @return the end
    std::vector<TimePath>::iterator end()
    {
        return m_paths.end();
    }

    /// @return the first one
    std::vector<TimePath>::const_iterator begin() const
    {
        return m_paths.begin();
    }

    /// @return the end
    std::vector<TimePath>::const_iterator end() const
    {
        return m_paths.end();
    }

  private:
    void AddFlowShop(const RadioProblem& problem, std::size_t cluster);
    void AddRemembered(const RadioProblem& problem, std::size_t cluster);
    bool Add(const RadioProblem& problem, std::size_t cluster, const CriticalPath& counts);
    void Drop(std::size_t first, std::size_t last);

    std::vector<TimePath> m_paths; //!< ordered by cluster

    /// Paths that were longest, by compute stages and N
    std::map<std::pair<std::size_t, double>, std::vector<CriticalPath>> m_remembered;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PATH_SET_H */
