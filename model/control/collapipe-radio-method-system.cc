/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-method.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

Vector2
Times(const Matrix2& a, const Vector2& b)
{
    return {a.uu * b.u + a.uv * b.v, a.uv * b.u + a.vv * b.v};
}

void
AddOuter(Matrix2& a, double scale, const Vector2& b)
{
    a.uu += scale * b.u * b.u;
    a.uv += scale * b.u * b.v;
    a.vv += scale * b.v * b.v;
}

} // namespace

/// The block of the Hessian of the Lagrangian, the eliminated inequalities included
void
RadioMethod::AddCurvature(LinkWork& work) const
{
    double timeWeight = work.timePrice;
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        timeWeight += m_paths[work.firstPath + p].deadline.multiplier * work.flow[p];
    }
    const double cap = work.capped ? work.cap.multiplier : 0;
    const double budget =
        work.HasShare() ? m_budgets[work.link->pool].multiplier * GetPart(work) : 0;
    Matrix2 h{work.xHessian.uu * timeWeight + budget + cap * work.logHessian.uu,
              cap * work.logHessian.uv,
              work.xHessian.vv * timeWeight + cap * work.logHessian.vv};
    Vector2& gradient = work.rightHandSide;
    gradient = {work.xGradient.u * timeWeight + cap * work.logGradient.u + budget,
                work.xGradient.v * timeWeight + cap * work.logGradient.v};
    if (work.HasPower())
    {
        const double both = work.energyCurvature + work.powerLimit.multiplier * work.powerCurvature;
        AddOuter(h, both, {1, 1});
        AddOuter(h, work.powerLimit.Weight(), work.powerGradient);
        gradient.u += work.energySlope + work.powerLimit.multiplier * work.powerGradient.u;
        gradient.v += work.energySlope + work.powerLimit.multiplier * work.powerGradient.v;
    }
    if (work.capped)
    {
        AddOuter(h, work.cap.Weight(), work.logGradient);
    }
    if (work.freedom == LinkFreedom::BOTH)
    {
        const double determinant = h.uu * h.vv - h.uv * h.uv;
        work.inverse = {h.vv / determinant, -h.uv / determinant, h.uu / determinant};
        return;
    }
    const bool share = work.freedom == LinkFreedom::SHARE;
    work.inverse = {share ? 1 / h.uu : 0, 0, share ? 0 : 1 / h.vv};
    gradient = {share ? gradient.u : 0, share ? 0 : gradient.v};
}

void
RadioMethod::AssembleLink(LinkWork& work)
{
    AddCurvature(work);
    const double weight = work.cap.Weight() / work.capBound;
    work.columns[0] = {-weight * work.logGradient.u, -weight * work.logGradient.v};
    work.columns[1] = {GetPart(work), 0};
    work.columns[2] = work.xGradient;
    if (work.capped)
    {
        const std::size_t time = m_system.TimeRow(work.capVariable);
        m_system.Entry(time, time) +=
            (weight + work.cap.multiplier / work.capBound) / work.capBound;
        m_times[work.capVariable].gradient -= work.cap.multiplier / work.capBound;
    }
    Couple(work);
}

/// Eliminates the link's variables.
void
RadioMethod::Couple(LinkWork& work)
{
    ForEachColumn(work, [&](std::size_t i, std::size_t a) {
        work.solved[a] = Times(work.inverse, work.columns[a]);
        ForEachColumn(work, [&](std::size_t j, std::size_t b) {
            if (j <= i)
            {
                m_system.Entry(i, j) -= work.columns[b].Dot(work.solved[a]);
            }
        });
    });
    if (work.paths > 0)
    {
        work.solved[2] = Times(work.inverse, work.columns[2]);
        CouplePaths(work);
    }
}

/// All of a link's paths couple to it alike, as often as they pass it; their rows are in a row.
void
RadioMethod::CouplePaths(const LinkWork& work)
{
    const std::size_t first = m_system.PathRow(work.firstPath);
    const double curvature = work.columns[2].Dot(work.solved[2]);
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        const double scaled = work.flow[p] * curvature;
        double* row = m_system.EntriesFrom(first + p, first);
        for (std::size_t q = 0; q <= p; ++q)
        {
            row[q] -= scaled * work.flow[q];
        }
    }
    ForEachColumn(work, [&](std::size_t i, std::size_t a) {
        const double slope = work.columns[a].Dot(work.solved[2]);
        for (std::size_t p = 0; p < work.paths; ++p)
        {
            m_system.Entry(i, first + p) -= work.flow[p] * slope;
        }
    });
}

/// The coupling system's matrix and the gradient of the Lagrangian
void
RadioMethod::Assemble()
{
    m_system.Clear();
    const std::size_t tau = m_times.GetTauIndex();
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        m_system.Entry(m_system.PoolRow(p), m_system.PoolRow(p)) =
            m_poolActive[p] ? -1 / GetBudgetWeight(p) : -1;
    }
    for (std::size_t i = 0; i < m_times.GetCount(); ++i)
    {
        TimeVariable& time = m_times[i];
        time.gradient = i < tau && time.active ? -time.atFloor.multiplier / time.scale : 0;
        const double weight = time.atFloor.Weight() / (time.scale * time.scale);
        m_system.Entry(m_system.TimeRow(i), m_system.TimeRow(i)) = i == tau      ? 0
                                                                   : time.active ? weight
                                                                                 : 1;
    }
    AssemblePaths();
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && !work.link->pooled)
        {
            AssembleLink(work);
        }
    }
    for (auto& turns : m_turns)
    {
        AssembleTurns(turns);
    }
}

void
RadioMethod::AssemblePaths()
{
    const std::size_t tau = m_times.GetTauIndex();
    m_times.Tau().gradient = 1;
    for (std::size_t p = 0; p < m_paths.GetCount(); ++p)
    {
        const TimePath& path = m_paths[p];
        // By the cluster's times, in the order of TimeKind
        const std::array<double, RadioTimes::KINDS> slopes{path.iterations * path.forwardBubble,
                                                           path.iterations * path.backwardBubble,
                                                           1,
                                                           1};
        const std::size_t row = m_system.PathRow(p);
        m_system.Entry(row, row) = -1 / path.deadline.Weight();
        for (std::size_t kind = 0; kind < slopes.size(); ++kind)
        {
            const std::size_t time = RadioTimes::IndexOf(path.cluster, static_cast<TimeKind>(kind));
            m_times[time].gradient += path.deadline.multiplier * slopes[kind];
            m_system.Entry(row, m_system.TimeRow(time)) = slopes[kind];
        }
        m_times.Tau().gradient -= path.deadline.multiplier;
        m_system.Entry(row, m_system.TimeRow(tau)) = -1;
    }
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

void
RadioMethod::SolveSystem()
{
    SetRightHandSide();
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED || work.link->pooled)
        {
            continue;
        }
        const double cap = work.capped ? work.cap.Pull() : 0;
        const double power = work.HasPower() ? work.powerLimit.Pull() : 0;
        const Vector2 right{
            -work.rightHandSide.u - work.logGradient.u * cap - work.powerGradient.u * power,
            -work.rightHandSide.v - work.logGradient.v * cap - work.powerGradient.v * power};
        if (work.capped)
        {
            m_system.RightHandSide(m_system.TimeRow(work.capVariable)) += cap / work.capBound;
        }
        work.step = Times(work.inverse, right);
        ForEachColumn(work, [&](std::size_t i, std::size_t a) {
            m_system.RightHandSide(i) -= work.columns[a].Dot(work.step);
        });
        const double passage = work.columns[2].Dot(work.step);
        for (std::size_t p = 0; p < work.paths; ++p)
        {
            m_system.RightHandSide(m_system.PathRow(work.firstPath) + p) -= work.flow[p] * passage;
        }
    }
    for (auto& turns : m_turns)
    {
        SubstituteTurns(turns);
    }
    m_system.Solve();
    for (const auto& turns : m_turns)
    {
        SetTurnSteps(turns);
    }
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED || work.link->pooled)
        {
            continue;
        }
        ForEachColumn(work, [&](std::size_t i, std::size_t a) {
            work.step.u -= work.solved[a].u * m_system.Solution(i);
            work.step.v -= work.solved[a].v * m_system.Solution(i);
        });
        double passages = 0;
        for (std::size_t p = 0; p < work.paths; ++p)
        {
            passages += work.flow[p] * m_system.Solution(m_system.PathRow(work.firstPath) + p);
        }
        work.step.u -= work.solved[2].u * passages;
        work.step.v -= work.solved[2].v * passages;
    }
    SetSteps();
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
