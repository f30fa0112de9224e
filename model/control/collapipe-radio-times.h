/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_TIMES_H
#define COLLAPIPE_RADIO_TIMES_H

#include "collapipe-radio-link-work.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// The times of a cluster that are variables
enum class TimeKind : uint8_t
{
    FORWARD,      //!< longest forward stage
    BACKWARD,     //!< longest backward stage
    DISTRIBUTION, //!< tau_dist
    UPLOAD,       //!< last term of (4)
};

/// A time that bounds others, with its own lower bound
struct TimeVariable
{
    bool active{false}; //!< whether anything depends on it
    double value{0};    //!< in the method's unit
    double floor{0};    //!< what it cannot fall below
    double scale{1};    //!< the inequality is divided by this; the value at the start
    Inequality atFloor; //!< (floor - value) / scale <= 0
    double step{0};     //!< of the value
    double gradient{0}; //!< of the Lagrangian
};

/// The four times of one cluster
struct ClusterTimes
{
    const TimeVariable& forward;      //!< TimeKind::FORWARD
    const TimeVariable& backward;     //!< TimeKind::BACKWARD
    const TimeVariable& distribution; //!< TimeKind::DISTRIBUTION
    const TimeVariable& upload;       //!< TimeKind::UPLOAD
};

/// All times that are variables: those of every cluster in the order of TimeKind, then tau
class RadioTimes
{
  public:
    static constexpr std::size_t KINDS = 4; //!< of a cluster

    /**
     * Forgets all values.
     * @param clusters M
     */
    void Start(std::size_t clusters)
    {
        m_times.assign(KINDS * clusters + 1, TimeVariable());
    }

    /**
     * @param cluster m
     * @param kind which of its times
     * @return index of the time among all
     */
    static std::size_t IndexOf(std::size_t cluster, TimeKind kind)
    {
        return KINDS * cluster + static_cast<std::size_t>(kind);
    }

    /// @return index of tau among all
    std::size_t GetTauIndex() const
    {
        return m_times.size() - 1;
    }

    /// @return the cluster's time of that kind
    TimeVariable& Of(std::size_t cluster, TimeKind kind)
    {
        return m_times[IndexOf(cluster, kind)];
    }

    /// @return the cluster's times
    ClusterTimes OfCluster(std::size_t cluster) const
    {
        const TimeVariable* times = &m_times[KINDS * cluster];
        return {times[0], times[1], times[2], times[3]};
    }

    /// @return the round's latency, which has no floor
    TimeVariable& Tau()
    {
        return m_times.back();
    }

    /// @return the round's latency
    const TimeVariable& Tau() const
    {
        return m_times.back();
    }

    /// @return the time of that index, see IndexOf()
    TimeVariable& operator[](std::size_t index)
    {
        return m_times[index];
    }

    /// @return the time of that index, see IndexOf()
    const TimeVariable& operator[](std::size_t index) const
    {
        return m_times[index];
    }

    /// @return how many there are, tau included
    std::size_t GetCount() const
    {
        return m_times.size();
    }

    /// @return the first one
    std::vector<TimeVariable>::iterator begin()
    {
        return m_times.begin();
    }

    /// @return the end, after tau
    std::vector<TimeVariable>::iterator end()
    {
        return m_times.end();
    }

    /// @return the first one
    std::vector<TimeVariable>::const_iterator begin() const
    {
        return m_times.begin();
    }

    /// @return the end, after tau
    std::vector<TimeVariable>::const_iterator end() const
    {
        return m_times.end();
    }

  private:
    std::vector<TimeVariable> m_times; //!< tau is the last one
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_TIMES_H */
