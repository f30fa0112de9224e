/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A step's direction: links without the coupling, the coupling system, links with it

#include "collapipe-radio-method.h"

namespace ns3
{
namespace collapipe
{

/// The step of everything, for what SetCentring() asks for
void
RadioMethod::FindDirection()
{
    SetRightHandSide();
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && !work.link->pooled)
        {
            ReduceLink(work);
        }
    }
    for (auto& turns : m_turns)
    {
        ReduceTurns(turns);
    }
    m_system.Solve();
    for (const auto& turns : m_turns)
    {
        RestoreTurns(turns);
    }
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && !work.link->pooled)
        {
            RestoreLink(work);
        }
    }
    SetSteps();
}

void
RadioMethod::SetRightHandSide()
{
    m_system.ClearRightHandSide();
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        const auto& i = m_budgets[p];
        m_system.RightHandSide(m_system.PoolRow(p)) =
            m_poolActive[p] ? -i.Pull() / GetBudgetWeight(p) : 0;
    }
    for (std::size_t p = 0; p < m_paths.GetCount(); ++p)
    {
        const auto& i = m_paths[p].deadline;
        m_system.RightHandSide(m_system.PathRow(p)) = i.centring / i.multiplier - i.residual;
    }
    for (std::size_t i = 0; i < m_times.GetCount(); ++i)
    {
        const auto& time = m_times[i];
        const bool floor = i < m_times.GetTauIndex() && time.active;
        m_system.RightHandSide(m_system.TimeRow(i)) =
            time.active ? -time.gradient + (floor ? time.atFloor.Pull() / time.scale : 0) : 0;
    }
}

/// The link's step without the coupling, and what that leaves of the coupling system's right-hand
/// side
void
RadioMethod::ReduceLink(LinkWork& work)
{
    const double cap = work.capped ? work.cap.Pull() : 0;
    const double power = work.HasPower() ? work.powerLimit.Pull() : 0;
    const Vector2 right{
        -work.rightHandSide.u - work.logGradient.u * cap - work.powerGradient.u * power,
        -work.rightHandSide.v - work.logGradient.v * cap - work.powerGradient.v * power};
    if (work.capped)
    {
        m_system.RightHandSide(m_system.TimeRow(work.capVariable)) += cap / work.capBound;
    }
    work.step = work.inverse.Times(right);
    ForEachColumn(work, [&](std::size_t i, LinkColumn a) {
        m_system.RightHandSide(i) -= work.columns[a].Dot(work.step);
    });
    const double passage = work.columns[PASSAGE_COLUMN].Dot(work.step);
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        m_system.RightHandSide(m_system.PathRow(work.firstPath) + p) -= work.flow[p] * passage;
    }
}

/// The link's step with the coupling
void
RadioMethod::RestoreLink(LinkWork& work) const
{
    ForEachColumn(work, [&](std::size_t i, LinkColumn a) {
        work.step.u -= work.solved[a].u * m_system.Solution(i);
        work.step.v -= work.solved[a].v * m_system.Solution(i);
    });
    double passages = 0;
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        passages += work.flow[p] * m_system.Solution(m_system.PathRow(work.firstPath) + p);
    }
    work.step.u -= work.solved[PASSAGE_COLUMN].u * passages;
    work.step.v -= work.solved[PASSAGE_COLUMN].v * passages;
}

/// Steps of slacks and multipliers that belong to the steps of the variables
void
RadioMethod::SetSteps()
{
    for (std::size_t i = 0; i < m_times.GetCount(); ++i)
    {
        m_times[i].step = m_times[i].active ? m_system.Solution(m_system.TimeRow(i)) : 0;
        m_times[i].atFloor.SetStep(-m_times[i].step / m_times[i].scale);
    }
    m_poolSum.assign(m_pools, 0);
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        const double bound = m_times[work.capVariable].step;
        work.cap.SetStep(work.logGradient.Dot(work.step) - bound / work.capBound);
        work.powerLimit.SetStep(work.powerGradient.Dot(work.step));
        const bool counts = work.HasShare() && !work.follows;
        m_poolSum[work.link->pool] += counts ? GetPart(work) * work.step.u : 0;
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        m_budgets[p].SetStep(m_poolSum[p]);
    }
    SetPathSteps();
}

void
RadioMethod::SetPathSteps()
{
    for (auto& path : m_paths)
    {
        const ClusterTimes times = m_times.OfCluster(path.cluster);
        path.flow = times.distribution.step + times.upload.step - m_times.Tau().step +
                    path.iterations * (path.forwardBubble * times.forward.step +
                                       path.backwardBubble * times.backward.step);
    }
    for (const auto& work : m_links)
    {
        const double longer = work.xGradient.Dot(work.step);
        for (std::size_t p = 0; p < work.paths && work.freedom != LinkFreedom::FIXED; ++p)
        {
            m_paths[work.firstPath + p].flow += work.flow[p] * longer;
        }
    }
    for (auto& path : m_paths)
    {
        path.deadline.SetStep(path.flow);
    }
}

} // namespace collapipe
} // namespace ns3
