/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A step's linear system: its matrix, with the links' variables eliminated

#include "collapipe-radio-method.h"

#include <array>

namespace ns3
{
namespace collapipe
{

namespace
{

void
AddOuter(Matrix2& a, double scale, const Vector2& b)
{
    a.uu += scale * b.u * b.u;
    a.uv += scale * b.u * b.v;
    a.vv += scale * b.v * b.v;
}

} // namespace

/// Step 1: the coupling system's matrix, and the gradient of the Lagrangian
void
RadioMethod::Condense()
{
    m_system.Clear();
    AddBudgets();
    AddTimes();
    AddDeadlines();
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && !work.link->pooled)
        {
            CondenseLink(work);
        }
    }
    for (auto& turns : m_turns)
    {
        CondenseTurns(turns);
    }
}

void
RadioMethod::AddBudgets()
{
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        const std::size_t row = m_system.PoolRow(p);
        m_system.Entry(row, row) = m_poolActive[p] ? -1 / GetBudgetWeight(p) : -1;
    }
}

/// The rows of the times, with their floors eliminated
void
RadioMethod::AddTimes()
{
    const std::size_t tau = m_times.GetTauIndex();
    for (std::size_t i = 0; i < m_times.GetCount(); ++i)
    {
        TimeVariable& time = m_times[i];
        time.gradient = i < tau && time.active ? -time.atFloor.multiplier / time.scale : 0;
        const double weight = time.atFloor.Weight() / (time.scale * time.scale);
        const std::size_t row = m_system.TimeRow(i);
        m_system.Entry(row, row) = i == tau ? 0 : time.active ? weight : 1;
    }
    m_times.Tau().gradient = 1;
}

void
RadioMethod::AddDeadlines()
{
    const std::size_t tau = m_times.GetTauIndex();
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

/// Adds what the link's cap is to its time, and eliminates the link.
void
RadioMethod::CondenseLink(LinkWork& work)
{
    SetBlock(work);
    const double weight = work.cap.Weight() / work.capBound;
    work.columns[TIME_COLUMN] = {-weight * work.logGradient.u, -weight * work.logGradient.v};
    work.columns[POOL_COLUMN] = {GetPart(work), 0};
    work.columns[PASSAGE_COLUMN] = work.xGradient;
    if (work.capped)
    {
        const std::size_t time = m_system.TimeRow(work.capVariable);
        m_system.Entry(time, time) +=
            (weight + work.cap.multiplier / work.capBound) / work.capBound;
        m_times[work.capVariable].gradient -= work.cap.multiplier / work.capBound;
    }
    Couple(work);
}

/// The block of the Hessian of the Lagrangian, the eliminated inequalities included
void
RadioMethod::SetBlock(LinkWork& work) const
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
    work.SetInverse(h);
    gradient = work.OfVariables(gradient);
}

/// Eliminates the link's variables.
void
RadioMethod::Couple(LinkWork& work)
{
    ForEachColumn(work, [&](std::size_t i, LinkColumn a) {
        work.solved[a] = work.inverse.Times(work.columns[a]);
        ForEachColumn(work, [&](std::size_t j, LinkColumn b) {
            if (j <= i)
            {
                m_system.Entry(i, j) -= work.columns[b].Dot(work.solved[a]);
            }
        });
    });
    if (work.paths > 0)
    {
        work.solved[PASSAGE_COLUMN] = work.inverse.Times(work.columns[PASSAGE_COLUMN]);
        CouplePaths(work);
    }
}

/// All of a link's paths couple to it alike, as often as they pass it; their rows are in a row.
void
RadioMethod::CouplePaths(const LinkWork& work)
{
    const std::size_t first = m_system.PathRow(work.firstPath);
    const double curvature = work.columns[PASSAGE_COLUMN].Dot(work.solved[PASSAGE_COLUMN]);
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        const double scaled = work.flow[p] * curvature;
        double* row = m_system.EntriesFrom(first + p, first);
        for (std::size_t q = 0; q <= p; ++q)
        {
            row[q] -= scaled * work.flow[q];
        }
    }
    ForEachColumn(work, [&](std::size_t i, LinkColumn a) {
        const double slope = work.columns[a].Dot(work.solved[PASSAGE_COLUMN]);
        for (std::size_t p = 0; p < work.paths; ++p)
        {
            m_system.Entry(i, first + p) -= work.flow[p] * slope;
        }
    });
}

} // namespace collapipe
} // namespace ns3
