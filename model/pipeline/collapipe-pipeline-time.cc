/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pipeline-time.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double NOT_YET = std::numeric_limits<double>::infinity();

/// State of the recurrence while it advances
class TimelineBuilder
{
  public:
    TimelineBuilder(const std::vector<ActionList>& actions,
                    const StageTimes& stages,
                    const std::vector<LinkTimes>& links)
        : m_actions(actions),
          m_stages(stages),
          m_links(links),
          m_next(actions.size(), 0),
          m_stageFree(actions.size(), 0.0),
          m_linkFree(2 * actions.size(), 0.0),
          m_arrival(2 * actions.size())
    {
        for (const auto& list : actions)
        {
            m_timeline.actions.emplace_back(list.size());
            m_microBatches = std::max<std::size_t>(m_microBatches, list.size());
        }
        for (auto& arrivals : m_arrival)
        {
            arrivals.assign(m_microBatches, NOT_YET);
        }
    }

    /// @return the finished timeline
    PipelineTimeline Run()
    {
        bool advanced = true;
        while (advanced)
        {
            advanced = false;
            for (std::size_t stage = 0; stage < m_actions.size(); ++stage)
            {
                while (TryNext(stage))
                {
                    advanced = true;
                }
            }
        }
        m_timeline.completed = true;
        for (std::size_t stage = 0; stage < m_actions.size(); ++stage)
        {
            m_timeline.completed &= m_next[stage] == m_actions[stage].size();
            m_timeline.totalS = std::max(m_timeline.totalS, m_stageFree[stage]);
        }
        return std::move(m_timeline);
    }

  private:
    /// @return arrivals at a stage of forward (0) or backward (1) input, by micro-batch
    std::vector<double>& Arrivals(std::size_t stage, int direction)
    {
        return m_arrival[2 * stage + direction];
    }

    /// @return when the input of an action is there; NOT_YET where its sender has not run
    double GetReady(std::size_t stage, const Action& action)
    {
        if (action.kind == Action::FORWARD)
        {
            return stage == 0 ? 0.0 : Arrivals(stage, 0)[action.microBatch];
        }
        if (action.kind == Action::BACKWARD)
        {
            const bool last = stage + 1 == m_actions.size();
            return last ? 0.0 : Arrivals(stage, 1)[action.microBatch];
        }
        return 0.0;
    }

    /// Runs a stage's next action where its input is there. @return whether it did
    bool TryNext(std::size_t stage)
    {
        if (m_next[stage] == m_actions[stage].size())
        {
            return false;
        }
        const auto& action = m_actions[stage][m_next[stage]];
        const double ready = GetReady(stage, action);
        if (ready == NOT_YET)
        {
            return false;
        }
        auto& time = m_timeline.actions[stage][m_next[stage]++];
        time.startS = std::max(ready, m_stageFree[stage]);
        time.endS = time.startS + GetDuration(stage, action);
        m_stageFree[stage] = time.endS;
        Transfer(stage, action, time.endS);
        return true;
    }

    double GetDuration(std::size_t stage, const Action& action) const
    {
        switch (action.kind)
        {
        case Action::FORWARD:
            return m_stages[stage].forwardS;
        case Action::BACKWARD:
            return m_stages[stage].backwardS;
        case Action::FLUSH:
            break;
        }
        return 0.0;
    }

    /// Sends an action's output to the neighbour that waits for it.
    void Transfer(std::size_t stage, const Action& action, double ready)
    {
        if (action.kind == Action::FORWARD && stage + 1 < m_actions.size())
        {
            const auto& link = m_links[stage];
            double& free = m_linkFree[2 * stage];
            free = std::max(free, ready) + link.forwardS;
            Arrivals(stage + 1, 0)[action.microBatch] = free + link.forwardLatencyS;
        }
        else if (action.kind == Action::BACKWARD && stage > 0)
        {
            const auto& link = m_links[stage - 1];
            double& free = m_linkFree[2 * stage + 1];
            free = std::max(free, ready) + link.backwardS;
            Arrivals(stage - 1, 1)[action.microBatch] = free + link.backwardLatencyS;
        }
    }

    const std::vector<ActionList>& m_actions;
    const StageTimes& m_stages;
    const std::vector<LinkTimes>& m_links;
    std::size_t m_microBatches{0};
    std::vector<std::size_t> m_next;
    std::vector<double> m_stageFree;
    std::vector<double> m_linkFree;
    std::vector<std::vector<double>> m_arrival;
    PipelineTimeline m_timeline;
};

} // namespace

PipelineTimeline
ComputeTimeline(const std::vector<ActionList>& actions,
                const StageTimes& stages,
                const std::vector<LinkTimes>& links)
{
    return TimelineBuilder(actions, stages, links).Run();
}

double
GpipeIterationTime(const StageTimes& stages,
                   const std::vector<LinkTimes>& links,
                   uint32_t microBatches)
{
    StageTime sum;
    StageTime longest;
    const auto add = [&](double forwardS, double backwardS) {
        sum.forwardS += forwardS;
        sum.backwardS += backwardS;
        longest.forwardS = std::max(longest.forwardS, forwardS);
        longest.backwardS = std::max(longest.backwardS, backwardS);
    };
    for (const auto& stage : stages)
    {
        add(stage.forwardS, stage.backwardS);
    }
    for (const auto& link : links)
    {
        add(link.forwardS, link.backwardS);
        sum.forwardS += link.forwardLatencyS;
        sum.backwardS += link.backwardLatencyS;
    }
    return sum.forwardS + sum.backwardS +
           (microBatches - 1) * (longest.forwardS + longest.backwardS);
}

} // namespace collapipe
} // namespace ns3
