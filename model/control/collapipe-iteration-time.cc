/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-iteration-time.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// One stage while the recurrence advances
struct StageClock
{
    uint32_t warmUp{0};                 //!< forward passes before the first backward pass
    double free{0};                     //!< the stage has finished its last action
    double linkForwardFree{0};          //!< the link to the next stage is free
    double linkBackwardFree{0};         //!< the link from the next stage is free
    std::vector<double> forwardArrival; //!< of activations, by micro-batch
    double backwardArrival{0};          //!< of the gradient of the current micro-batch
};

/// The recurrence of 1F1B
class OneForwardOneBackward
{
  public:
    explicit OneForwardOneBackward(const IterationTimes& times)
        : m_times(times),
          m_clocks(times.hops.size())
    {
        const auto stages = static_cast<uint32_t>(m_clocks.size());
        for (uint32_t s = 0; s < stages; ++s)
        {
            m_clocks[s].warmUp = std::min(times.microBatches, stages - s - 1);
            m_clocks[s].forwardArrival.assign(times.microBatches, 0);
        }
        for (uint32_t i = 0; i < times.microBatches; ++i)
        {
            m_clocks.back().forwardArrival[i] = (i + 1) * times.targetS;
        }
    }

    double Run()
    {
        for (std::size_t s = 0; s < m_clocks.size(); ++s)
        {
            for (uint32_t i = 0; i < m_clocks[s].warmUp; ++i)
            {
                Forward(s, i);
            }
        }
        for (uint32_t j = 0; j < m_times.microBatches; ++j)
        {
            for (std::size_t s = m_clocks.size(); s-- > 0;)
            {
                if (j + m_clocks[s].warmUp < m_times.microBatches)
                {
                    Forward(s, j + m_clocks[s].warmUp);
                }
                Backward(s);
            }
        }
        double end = 0;
        for (const auto& clock : m_clocks)
        {
            end = std::max(end, clock.free);
        }
        return end;
    }

  private:
    void Forward(std::size_t s, uint32_t i)
    {
        const HopTimes& hop = m_times.hops[s];
        StageClock& clock = m_clocks[s];
        clock.free = std::max(clock.free, clock.forwardArrival[i]) + hop.forwardS;
        if (s + 1 < m_clocks.size())
        {
            clock.linkForwardFree = std::max(clock.linkForwardFree, clock.free) + hop.linkForwardS;
            double& arrival = m_clocks[s + 1].forwardArrival[i];
            arrival = std::max(arrival, clock.linkForwardFree + hop.latencyForwardS);
        }
    }

    void Backward(std::size_t s)
    {
        StageClock& clock = m_clocks[s];
        clock.free = std::max(clock.free, clock.backwardArrival) + m_times.hops[s].backwardS;
        if (s > 0)
        {
            const HopTimes& hop = m_times.hops[s - 1];
            StageClock& previous = m_clocks[s - 1];
            previous.linkBackwardFree =
                std::max(previous.linkBackwardFree, clock.free) + hop.linkBackwardS;
            previous.backwardArrival = previous.linkBackwardFree + hop.latencyBackwardS;
        }
    }

    const IterationTimes& m_times;    //!< of stages and links
    std::vector<StageClock> m_clocks; //!< one per compute stage
};

} // namespace

double
GetGpipeTimeS(const IterationTimes& times)
{
    double sum = 0;
    double forward = times.targetS;
    double backward = 0;
    for (std::size_t s = 0; s < times.hops.size(); ++s)
    {
        const HopTimes& hop = times.hops[s];
        sum += hop.forwardS + hop.backwardS;
        forward = std::max(forward, hop.forwardS);
        backward = std::max(backward, hop.backwardS);
        if (s + 1 < times.hops.size())
        {
            sum += hop.linkForwardS + hop.linkBackwardS;
            sum += hop.latencyForwardS + hop.latencyBackwardS;
            forward = std::max(forward, hop.linkForwardS);
            backward = std::max(backward, hop.linkBackwardS);
        }
    }
    return sum + (times.microBatches - 1) * (forward + backward);
}

double
GetOneForwardOneBackwardTimeS(const IterationTimes& times)
{
    return OneForwardOneBackward(times).Run();
}

double
GetIterationTimeS(const IterationTimes& times, const std::string& schedule)
{
    return schedule == "1f1b" ? GetOneForwardOneBackwardTimeS(times) : GetGpipeTimeS(times);
}

} // namespace collapipe
} // namespace ns3
