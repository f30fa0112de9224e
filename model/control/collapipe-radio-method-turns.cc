/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Links that use one reservation in turn: their variables, eliminated together

#include "collapipe-radio-method.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

void
Add(Matrix2& sum, double scale, const Matrix2& a)
{
    sum.uu += scale * a.uu;
    sum.uv += scale * a.uv;
    sum.vv += scale * a.vv;
}

void
Add(Vector2& sum, double scale, const Vector2& a)
{
    sum.u += scale * a.u;
    sum.v += scale * a.v;
}

void
AddOuter(Matrix2& sum, double scale, const Vector2& a)
{
    Add(sum, scale, Matrix2{a.u * a.u, a.u * a.v, a.v * a.v});
}

void
AddColumn(Turns& turns, std::size_t row, double scale, const Vector2& column)
{
    auto place = std::find_if(turns.columns.begin(), turns.columns.end(), [row](const auto& c) {
        return c.row == row;
    });
    if (place == turns.columns.end())
    {
        turns.columns.push_back({row, {}, {}});
        place = turns.columns.end() - 1;
    }
    Add(place->column, scale, column);
}

} // namespace

void
RadioMethod::SetTurns()
{
    m_turns.clear();
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const RadioLink& link = *m_links[i].link;
        if (!link.pooled || m_links[i].freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        m_links[i].follows = link.lead != i;
        if (!m_links[i].follows)
        {
            m_turns.push_back({{i}, {}});
            continue;
        }
        std::find_if(m_turns.begin(), m_turns.end(), [&](const Turns& turns) {
            return turns.links.front() == link.lead;
        })->links.push_back(i);
    }
    for (const auto& turns : m_turns)
    {
        SetMostPower(turns);
    }
}

/// With more power than lets the highest modulation through, no link is faster
void
RadioMethod::SetMostPower(const Turns& turns)
{
    double most = -std::numeric_limits<double>::infinity();
    for (const std::size_t i : turns.links)
    {
        const RadioLink& link = *m_links[i].link;
        most = std::max(most, std::log(std::expm1(link.cap) / link.snr));
    }
    for (const std::size_t i : turns.links)
    {
        m_links[i].mostPower = most;
    }
}

void
RadioMethod::CondenseTurns(Turns& turns)
{
    turns.columns.clear();
    Matrix2 hessian;
    Vector2 gradient;
    for (const std::size_t i : turns.links)
    {
        AddCurvature(m_links[i], turns, hessian, gradient);
        m_links[i].rightHandSide = {};
    }
    LinkWork& lead = m_links[turns.links.front()];
    if (lead.HasShare())
    {
        const std::size_t pool = lead.link->pool;
        const double budget = m_budgets[pool].multiplier * GetPart(lead);
        hessian.uu += budget;
        gradient.u += budget;
        AddColumn(turns, m_system.PoolRow(pool), GetPart(lead), {1, 0});
    }
    if (lead.HasPower())
    {
        AddOuter(hessian, lead.powerLimit.Weight(), lead.powerGradient);
        Add(gradient, lead.powerLimit.multiplier, lead.powerGradient);
    }
    lead.SetInverse(hessian);
    lead.rightHandSide = lead.OfVariables(gradient);
    for (auto& column : turns.columns)
    {
        column.solved = lead.inverse.Times(column.column);
    }
    for (const auto& a : turns.columns)
    {
        for (const auto& b : turns.columns)
        {
            if (b.row <= a.row)
            {
                m_system.Entry(a.row, b.row) -= b.column.Dot(a.solved);
            }
        }
    }
}

/// What one of the links adds to the block of the Hessian, the gradient and the columns
void
RadioMethod::AddCurvature(LinkWork& work, Turns& turns, Matrix2& hessian, Vector2& gradient)
{
    double timeWeight = work.timePrice;
    for (std::size_t p = 0; p < work.paths; ++p)
    {
        const std::size_t path = work.firstPath + p;
        timeWeight += m_paths[path].deadline.multiplier * work.flow[p];
        AddColumn(turns, m_system.PathRow(path), work.flow[p], work.xGradient);
    }
    Add(hessian, timeWeight, work.xHessian);
    Add(gradient, timeWeight, work.xGradient);
    if (work.HasPower())
    {
        Add(hessian, 1, work.energyHessian);
        Add(gradient, 1, work.energyGradient);
    }
    if (!work.capped)
    {
        return;
    }
    Add(hessian, work.cap.multiplier, work.logHessian);
    AddOuter(hessian, work.cap.Weight(), work.logGradient);
    Add(gradient, work.cap.multiplier, work.logGradient);
    const std::size_t time = m_system.TimeRow(work.capVariable);
    const double weight = work.cap.Weight() / work.capBound;
    AddColumn(turns, time, -weight, work.logGradient);
    m_system.Entry(time, time) += (weight + work.cap.multiplier / work.capBound) / work.capBound;
    m_times[work.capVariable].gradient -= work.cap.multiplier / work.capBound;
}

/// The step without the coupling, and what that leaves of the coupling system's right-hand side
void
RadioMethod::ReduceTurns(Turns& turns)
{
    LinkWork& lead = m_links[turns.links.front()];
    Vector2 right{-lead.rightHandSide.u, -lead.rightHandSide.v};
    for (const std::size_t i : turns.links)
    {
        const LinkWork& work = m_links[i];
        if (work.capped)
        {
            const double cap = work.cap.Pull();
            Add(right, -cap, work.logGradient);
            m_system.RightHandSide(m_system.TimeRow(work.capVariable)) += cap / work.capBound;
        }
    }
    if (lead.HasPower())
    {
        Add(right, -lead.powerLimit.Pull(), lead.powerGradient);
    }
    lead.step = lead.inverse.Times(right);
    for (const auto& column : turns.columns)
    {
        m_system.RightHandSide(column.row) -= column.column.Dot(lead.step);
    }
}

/// The step, which is that of all links
void
RadioMethod::RestoreTurns(const Turns& turns)
{
    LinkWork& lead = m_links[turns.links.front()];
    for (const auto& column : turns.columns)
    {
        Add(lead.step, -m_system.Solution(column.row), column.solved);
    }
    for (const std::size_t i : turns.links)
    {
        m_links[i].step = lead.step;
    }
}

} // namespace collapipe
} // namespace ns3
