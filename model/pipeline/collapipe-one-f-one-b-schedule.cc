/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-schedule.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(OneFOneBSchedule);

namespace
{

/// What a node of the task graph stands for
enum Kind : std::size_t
{
    FORWARD = 0,
    BACKWARD = 1,
    LINK_FORWARD = 2,
    LINK_BACKWARD = 3,
};

constexpr std::ptrdiff_t NOTHING = -1; //!< begins at time 0; below it: waits for targets

/// An end of something, and what it was: an index into the table of nodes
struct Cause
{
    double time{0};               //!< when
    std::ptrdiff_t node{NOTHING}; //!< what
};

/// The later of two; the first where they are equal
Cause
Later(const Cause& a, const Cause& b)
{
    return b.time > a.time ? b : a;
}

/// One stage while the recurrence advances
struct StageClock
{
    uint32_t warmUp{0};                //!< forward passes before the first backward pass
    Cause free;                        //!< the stage has finished its last action
    Cause linkForwardFree;             //!< the link to the next stage is free
    Cause linkBackwardFree;            //!< the link from the next stage is free
    std::vector<Cause> forwardArrival; //!< of activations, by micro-batch
    Cause backwardArrival;             //!< of the gradient of the current micro-batch
};

/// The recurrence of 1F1B
class OneForwardOneBackward
{
  public:
    explicit OneForwardOneBackward(const IterationTimes& times)
        : m_times(times),
          m_clocks(times.hops.size()),
          m_before(4 * times.hops.size() * times.microBatches, NOTHING)
    {
        const auto stages = static_cast<uint32_t>(m_clocks.size());
        for (uint32_t s = 0; s < stages; ++s)
        {
            m_clocks[s].warmUp = std::min(times.microBatches, stages - s - 1);
            m_clocks[s].forwardArrival.assign(times.microBatches, Cause());
        }
        for (uint32_t i = 0; i < times.microBatches && times.targetS > 0; ++i)
        {
            const std::ptrdiff_t targets = NOTHING - static_cast<std::ptrdiff_t>(i + 1);
            m_clocks.back().forwardArrival[i] = {(i + 1) * times.targetS + times.targetLatencyS,
                                                 targets};
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
                Backward(s, j);
            }
        }
        for (const auto& clock : m_clocks)
        {
            m_end = Later(m_end, clock.free);
        }
        return m_end.time;
    }

    /// After Run(): walks back from the end.
    CriticalPath GetPath() const
    {
        CriticalPath path;
        path.lengthS = m_end.time;
        path.hops.resize(m_clocks.size());
        std::size_t last = FORWARD;
        std::ptrdiff_t node = m_end.node;
        for (; node >= 0; node = m_before[node])
        {
            const std::size_t number = static_cast<std::size_t>(node) / m_times.microBatches;
            HopCounts& hop = path.hops[number % m_clocks.size()];
            const std::size_t kind = number / m_clocks.size();
            double& count = kind == FORWARD        ? hop.forward
                            : kind == BACKWARD     ? hop.backward
                            : kind == LINK_FORWARD ? hop.linkForward
                                                   : hop.linkBackward;
            ++count;
            // A transfer that was followed by a computation also had to arrive
            const bool arrived = last == FORWARD || last == BACKWARD;
            hop.latencyForward += kind == LINK_FORWARD && arrived ? 1 : 0;
            hop.latencyBackward += kind == LINK_BACKWARD && arrived ? 1 : 0;
            last = kind;
        }
        path.targets = static_cast<double>(NOTHING - node);
        return path;
    }

  private:
    /// Does something as soon as both causes are there.
    Cause Do(Kind kind, std::size_t s, uint32_t i, const Cause& a, const Cause& b, double duration)
    {
        const Cause cause = Later(a, b);
        const std::size_t node = (kind * m_clocks.size() + s) * m_times.microBatches + i;
        m_before[node] = cause.node;
        return {cause.time + duration, static_cast<std::ptrdiff_t>(node)};
    }

    void Forward(std::size_t s, uint32_t i)
    {
        const HopTimes& hop = m_times.hops[s];
        StageClock& clock = m_clocks[s];
        clock.free = Do(FORWARD, s, i, clock.free, clock.forwardArrival[i], hop.forwardS);
        if (s + 1 < m_clocks.size())
        {
            Cause& link = clock.linkForwardFree;
            link = Do(LINK_FORWARD, s, i, clock.free, link, hop.linkForwardS);
            Cause& arrival = m_clocks[s + 1].forwardArrival[i];
            arrival = Later({link.time + hop.latencyForwardS, link.node}, arrival);
        }
    }

    void Backward(std::size_t s, uint32_t j)
    {
        StageClock& clock = m_clocks[s];
        const double duration = m_times.hops[s].backwardS;
        clock.free = Do(BACKWARD, s, j, clock.free, clock.backwardArrival, duration);
        if (s > 0)
        {
            const HopTimes& hop = m_times.hops[s - 1];
            StageClock& previous = m_clocks[s - 1];
            Cause& link = previous.linkBackwardFree;
            link = Do(LINK_BACKWARD, s - 1, j, clock.free, link, hop.linkBackwardS);
            previous.backwardArrival = {link.time + hop.latencyBackwardS, link.node};
        }
    }

    const IterationTimes& m_times;        //!< of stages and links
    std::vector<StageClock> m_clocks;     //!< one per compute stage
    std::vector<std::ptrdiff_t> m_before; //!< by node: what it waited for
    Cause m_end;                          //!< of the last action
};

} // namespace

TypeId
OneFOneBSchedule::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::OneFOneBSchedule")
                            .SetParent<Schedule>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<OneFOneBSchedule>();
    return tid;
}

ActionList
OneFOneBSchedule::Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const
{
    const uint32_t warmUp = std::min(microBatches, stages - stage - 1);
    ActionList actions;
    for (uint32_t i = 0; i < warmUp; ++i)
    {
        actions.push_back({Action::FORWARD, i});
    }
    for (uint32_t i = warmUp; i < microBatches; ++i)
    {
        actions.push_back({Action::FORWARD, i});
        actions.push_back({Action::BACKWARD, i - warmUp});
    }
    for (uint32_t i = microBatches - warmUp; i < microBatches; ++i)
    {
        actions.push_back({Action::BACKWARD, i});
    }
    actions.push_back({Action::FLUSH, 0});
    return actions;
}

std::string
OneFOneBSchedule::Check(uint32_t /* stages */, uint32_t /* microBatches */) const
{
    return "";
}

double
OneFOneBSchedule::GetIterationTimeS(const IterationTimes& times) const
{
    return OneForwardOneBackward(times).Run();
}

CriticalPath
OneFOneBSchedule::GetCriticalPath(const IterationTimes& times) const
{
    OneForwardOneBackward recurrence(times);
    recurrence.Run();
    return recurrence.GetPath();
}

uint32_t
OneFOneBSchedule::GetLiveMicroBatches(uint32_t stages, uint32_t stage, uint32_t microBatches) const
{
    return std::min(microBatches, stages - stage);
}

bool
OneFOneBSchedule::IsLiveFromEnd() const
{
    return true;
}

} // namespace collapipe
} // namespace ns3
