/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RANDOM_SCHEDULE_H
#define COLLAPIPE_RANDOM_SCHEDULE_H

#include "ns3/collapipe-schedule.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace test
{

/**
 * A valid schedule at random: stages take, in any order, what they could take at that moment. Every
 * seed, number of stages and N give another one.
 */
class RandomSchedule : public Schedule
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::collapipe::test::RandomSchedule")
                                .SetParent<Schedule>()
                                .AddConstructor<RandomSchedule>()
                                .AddAttribute("Seed",
                                              "Of the order.",
                                              UintegerValue(1),
                                              MakeUintegerAccessor(&RandomSchedule::m_seed),
                                              MakeUintegerChecker<uint32_t>());
        return tid;
    }

    ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const override
    {
        const auto key = std::make_pair(stages, microBatches);
        if (key != m_drawn || m_lists.empty())
        {
            m_lists = Draw(stages, microBatches);
            m_drawn = key;
        }
        return m_lists.at(stage);
    }

  private:
    /// How far each micro-batch has come: 0 .. P - 1 forward, then P .. 2 P - 1 backward
    std::vector<ActionList> Draw(uint32_t stages, uint32_t microBatches) const
    {
        std::mt19937_64 engine(m_seed * 1000003ULL + stages * 1009ULL + microBatches);
        // Some draws prefer backward passes, some keep micro-batches in order
        const uint64_t eagerness = engine() % 4;
        const bool inOrder = engine() % 2 == 0;
        std::vector<ActionList> lists(stages);
        std::vector<uint32_t> done(microBatches, 0);
        for (std::size_t left = std::size_t{2} * stages * microBatches; left > 0; --left)
        {
            std::vector<uint32_t> can;
            for (uint32_t i = 0; i < microBatches; ++i)
            {
                const bool backward = done[i] >= stages;
                const bool behind = inOrder && i > 0 && done[i] >= done[i - 1];
                if (done[i] < 2 * stages && !behind)
                {
                    can.insert(can.end(), backward ? 1 + eagerness : 1, i);
                }
            }
            const uint32_t i = can[engine() % can.size()];
            const uint32_t step = done[i]++;
            const uint32_t own = step < stages ? step : 2 * stages - 1 - step;
            lists[own].push_back({step < stages ? Action::FORWARD : Action::BACKWARD, i});
        }
        for (auto& list : lists)
        {
            list.push_back({Action::FLUSH, 0});
        }
        return lists;
    }

    uint32_t m_seed{1};                            //!< of the order
    mutable std::pair<uint32_t, uint32_t> m_drawn; //!< stages and N of the last draw
    mutable std::vector<ActionList> m_lists;       //!< that draw
};

/**
 * The time of an iteration and the micro-batches alive, by hand: the clock goes from event to
 * event, and everything that can begin does. Shares nothing with the module's task graph.
 */
class ScheduleReference
{
  public:
    /**
     * @param actions of all stages
     * @param times of an iteration
     */
    ScheduleReference(const std::vector<ActionList>& actions, const IterationTimes& times)
        : m_actions(actions),
          m_times(times),
          m_next(actions.size(), 0),
          m_busyUntil(actions.size(), -1),
          m_links(2 * actions.size())
    {
        for (auto& link : m_links)
        {
            link.arrival.assign(times.microBatches, -1);
        }
    }

    /// @return seconds; negative where stages wait for ever
    double Run()
    {
        double now = 0;
        while (true)
        {
            double next = -1;
            const auto see = [&](double time) {
                next = time > now && (next < 0 || time < next) ? time : next;
            };
            for (bool again = true; again;)
            {
                again = false;
                for (std::size_t s = 0; s < m_actions.size(); ++s)
                {
                    again |= Start(s, now);
                    again |= Carry(s, now);
                }
            }
            for (const double busy : m_busyUntil)
            {
                see(busy);
            }
            for (const auto& link : m_links)
            {
                see(link.freeAt);
                for (const double arrival : link.arrival)
                {
                    see(arrival);
                }
            }
            for (uint32_t i = 0; i < m_times.microBatches && m_times.targetS > 0; ++i)
            {
                see((i + 1) * m_times.targetS + m_times.targetLatencyS);
            }
            if (next < 0)
            {
                break;
            }
            now = next;
        }
        double end = 0;
        for (std::size_t s = 0; s < m_actions.size(); ++s)
        {
            end = std::max(end, m_busyUntil[s]);
            if (m_next[s] + 1 < m_actions[s].size())
            {
                return -1;
            }
        }
        return end;
    }

    /**
     * @param actions of a stage
     * @return the most micro-batches that were forwarded and not yet backwarded
     */
    static uint32_t CountAlive(const ActionList& actions)
    {
        int alive = 0;
        int most = 0;
        for (const auto& action : actions)
        {
            alive += action.kind == Action::FORWARD ? 1 : action.kind == Action::BACKWARD ? -1 : 0;
            most = std::max(most, alive);
        }
        return static_cast<uint32_t>(most);
    }

  private:
    /// One direction between neighbours
    struct Link
    {
        std::vector<Action> waiting; //!< results that wait for the link
        std::vector<double> ready;   //!< since when
        double freeAt{0};            //!< when it can take the next
        std::vector<double> arrival; //!< at the receiver, by micro-batch
    };

    Link& Up(std::size_t stage)
    {
        return m_links[2 * stage];
    }

    Link& Down(std::size_t stage)
    {
        return m_links[2 * stage + 1];
    }

    bool HasInput(std::size_t s, const Action& action, double now)
    {
        const auto there = [&](double arrival) { return arrival >= 0 && arrival <= now; };
        const std::size_t last = m_actions.size() - 1;
        if (action.kind == Action::FORWARD)
        {
            const bool targets =
                s < last || m_times.targetS <= 0 ||
                (action.microBatch + 1) * m_times.targetS + m_times.targetLatencyS <= now;
            return targets && (s == 0 || there(Up(s - 1).arrival[action.microBatch]));
        }
        return s == last || there(Down(s).arrival[action.microBatch]);
    }

    /// A stage begins its next action if it can. Its result waits for the link when it is done.
    bool Start(std::size_t s, double now)
    {
        if (m_busyUntil[s] > now || m_actions[s][m_next[s]].kind == Action::FLUSH)
        {
            return false;
        }
        const Action action = m_actions[s][m_next[s]];
        if (!HasInput(s, action, now))
        {
            return false;
        }
        ++m_next[s];
        const bool forward = action.kind == Action::FORWARD;
        m_busyUntil[s] = now + (forward ? m_times.hops[s].forwardS : m_times.hops[s].backwardS);
        if (forward ? s + 1 < m_actions.size() : s > 0)
        {
            Link& link = forward ? Up(s) : Down(s - 1);
            link.waiting.push_back(action);
            link.ready.push_back(m_busyUntil[s]);
        }
        return true;
    }

    /// The links behind a stage take what waits for them.
    bool Carry(std::size_t s, double now)
    {
        bool any = false;
        for (const bool forward : {true, false})
        {
            Link& link = forward ? Up(s) : Down(s);
            const HopTimes& hop = m_times.hops[s];
            if (!link.waiting.empty() && link.ready.front() <= now && link.freeAt <= now)
            {
                link.freeAt = now + (forward ? hop.linkForwardS : hop.linkBackwardS);
                link.arrival[link.waiting.front().microBatch] =
                    link.freeAt + (forward ? hop.latencyForwardS : hop.latencyBackwardS);
                link.waiting.erase(link.waiting.begin());
                link.ready.erase(link.ready.begin());
                any = true;
            }
        }
        return any;
    }

    const std::vector<ActionList>& m_actions; //!< of all stages
    const IterationTimes& m_times;            //!< of an iteration
    std::vector<std::size_t> m_next;          //!< index of each stage's next action
    std::vector<double> m_busyUntil;          //!< of each stage
    std::vector<Link> m_links;                //!< both directions behind each stage
};

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RANDOM_SCHEDULE_H */
