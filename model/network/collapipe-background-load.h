/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BACKGROUND_LOAD_H
#define COLLAPIPE_BACKGROUND_LOAD_H

#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What else runs on a device: programs that begin at random (a Poisson process) and last for
 * exponential times. Their number is that of an M/M/infinity queue, Poisson distributed with the
 * mean load rho at any time, and the processor is shared fairly, so that beside k of them training
 * has 1 / (k + 1) of its speed: (1 - exp(-rho)) / rho of it on average.
 *
 * Needs no events: the past is drawn when somebody asks.
 */
class BackgroundLoad : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    BackgroundLoad();

    /// @return programs that run beside training now
    uint32_t GetPrograms();

    /// @return what they leave of the processor's speed now, in (0, 1]
    double GetShare();

    /**
     * @param stream first stream index
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    /// Draws the number at the beginning and the time of the first change.
    void Begin();

    /// @return the time after which the number changes next
    Time DrawHoldingTime();

    double m_mean{0};                          //!< rho, programs on average
    Time m_duration;                           //!< mean duration of one
    Ptr<ExponentialRandomVariable> m_interval; //!< of mean 1
    Ptr<UniformRandomVariable> m_uniform;      //!< in [0, 1)
    bool m_begun{false};                       //!< whether the first number was drawn
    uint32_t m_programs{0};                    //!< now
    Time m_next;                               //!< when the number changes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BACKGROUND_LOAD_H */
