/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-segment-planner.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t CHAINS = 16;     //!< how many are kept
constexpr std::size_t GRID_POINTS = 5; //!< bottlenecks between computation and slowest link

std::size_t
CountBits(std::size_t set)
{
    std::size_t count = 0;
    for (; set != 0; set &= set - 1)
    {
        ++count;
    }
    return count;
}

bool
IsSame(const std::vector<Segment>& a, const std::vector<Segment>& b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.node == y.node && x.blocks == y.blocks;
    });
}

} // namespace

std::vector<RatedChain>
SegmentPlanner::Plan(const ClusterCosts& costs, const std::vector<std::size_t>& order)
{
    Prepare(costs, order);
    const double sum = Solve(costs, ClusterCosts::NO_LIMIT);
    if (std::isfinite(sum) && costs.GetBottleneckPrice() > 0)
    {
        SetCandidates(costs, costs.GetBottleneckS(m_chains.front().segments));
        Scan(costs, sum);
    }
    return std::move(m_chains);
}

void
SegmentPlanner::Prepare(const ClusterCosts& costs, const std::vector<std::size_t>& order)
{
    m_chains.clear();
    m_blocks = costs.GetBlocks();
    m_order = order;
    m_subsets = costs.GetDevices() <= SUBSET_DEVICES;
    if (m_subsets || m_order.empty())
    {
        m_order.resize(costs.GetDevices());
        for (std::size_t i = 0; i < m_order.size(); ++i)
        {
            m_order[i] = i;
        }
    }
    const std::size_t devices = m_order.size();
    m_layers = costs.GetMemoryPositions() > 1 ? devices : 1;
    m_costs.resize(devices * (m_blocks + 1));
    for (std::size_t i = 0; i < devices; ++i)
    {
        for (std::size_t l = 1; l <= m_blocks; ++l)
        {
            m_costs[i * (m_blocks + 1) + l] =
                costs.GetDeviceCost(m_order[i], static_cast<uint32_t>(l));
        }
    }
}

/// Limits and hop costs under a bottleneck
void
SegmentPlanner::SetBottleneck(const ClusterCosts& costs, double bottleneckS)
{
    const std::size_t devices = m_order.size();
    m_limits.resize(devices * m_layers);
    m_hops.assign((devices + 2) * (devices + 2), ClusterCosts::NO_LIMIT);
    for (std::size_t i = 0; i < devices; ++i)
    {
        const std::size_t k = m_order[i];
        uint32_t most = static_cast<uint32_t>(m_blocks);
        while (most > 0 && costs.GetStageS(k, most) > bottleneckS * (1 + 1e-12))
        {
            --most;
        }
        for (std::size_t layer = 0; layer < m_layers; ++layer)
        {
            m_limits[i * m_layers + layer] = std::min(most, costs.GetMemoryBlocks(k, layer + 1));
        }
        const std::size_t width = devices + 2;
        m_hops[i + 1] = costs.GetHopCost(0, k + 1, bottleneckS);
        m_hops[(i + 1) * width + devices + 1] = costs.GetHopCost(k + 1, devices + 1, bottleneckS);
        for (std::size_t j = m_subsets ? 0 : i + 1; j < devices; ++j)
        {
            if (j != i)
            {
                m_hops[(i + 1) * width + j + 1] =
                    costs.GetHopCost(k + 1, m_order[j] + 1, bottleneckS);
            }
        }
    }
}

bool
SegmentPlanner::IsEnough(const ClusterCosts& costs, double bottleneckS) const
{
    std::size_t blocks = 0;
    for (const std::size_t k : m_order)
    {
        uint32_t most = costs.GetMemoryBlocks(k, 1);
        while (most > 0 && costs.GetStageS(k, most) > bottleneckS * (1 + 1e-12))
        {
            --most;
        }
        blocks += most;
    }
    return blocks >= m_blocks;
}

/// Times of computations between the least that can do and what the unlimited chain has
void
SegmentPlanner::SetCandidates(const ClusterCosts& costs, double mostS)
{
    m_candidates.clear();
    const double floor = costs.GetLeastBottleneckS();
    for (const std::size_t k : m_order)
    {
        const uint32_t limit = costs.GetMemoryBlocks(k, 1);
        for (uint32_t l = 1; l <= limit; ++l)
        {
            const double stage = std::max(floor, costs.GetStageS(k, l));
            if (stage < mostS)
            {
                m_candidates.push_back(stage);
            }
        }
    }
    std::sort(m_candidates.begin(), m_candidates.end());
    m_candidates.erase(std::unique(m_candidates.begin(), m_candidates.end()), m_candidates.end());
    const auto first =
        std::partition_point(m_candidates.begin(), m_candidates.end(), [&](double bottleneck) {
            return !IsEnough(costs, bottleneck);
        });
    m_candidates.erase(m_candidates.begin(), first);
    const double shortest =
        std::max(m_candidates.empty() ? floor : m_candidates.front(), 1e-3 * mostS);
    for (std::size_t i = 1; i <= GRID_POINTS; ++i)
    {
        const double part = static_cast<double>(i) / (GRID_POINTS + 1);
        m_candidates.push_back(shortest * std::pow(mostS / shortest, part));
    }
    std::sort(m_candidates.begin(), m_candidates.end());
}

/// Tries bottlenecks from the longest down, then again around the best.
void
SegmentPlanner::Scan(const ClusterCosts& costs, double sum)
{
    const std::size_t count = m_candidates.size();
    const double price = costs.GetBottleneckPrice();
    double best = sum + price * costs.GetBottleneckS(m_chains.front().segments);
    std::size_t bestIndex = count;
    const auto attempt = [&](std::size_t index) {
        sum = Solve(costs, m_candidates[index]);
        const double value = sum + price * m_candidates[index];
        bestIndex = value < best ? index : bestIndex;
        best = std::min(best, value);
    };
    const std::size_t stride = (count + BOTTLENECKS - 1) / BOTTLENECKS;
    for (std::size_t i = count; i >= stride && std::isfinite(sum); i -= stride)
    {
        // The sum grows as theta falls: nothing below can be better
        if (sum + price * m_candidates.front() >= best)
        {
            break;
        }
        attempt(i - stride);
    }
    for (std::size_t step = stride / 2; step > 0 && bestIndex < count; step /= 2)
    {
        const std::size_t centre = bestIndex;
        if (centre >= step)
        {
            attempt(centre - step);
        }
        if (centre + step < count)
        {
            attempt(centre + step);
        }
    }
}

/// @return the least sum under a bottleneck; the chain is added to those found
double
SegmentPlanner::Solve(const ClusterCosts& costs, double bottleneckS)
{
    SetBottleneck(costs, bottleneckS);
    m_tail.resize(m_blocks + 1);
    m_tailNext.resize(m_blocks + 1);
    if (m_subsets)
    {
        SolveSubsets();
    }
    else
    {
        SolveOrdered();
    }
    return Finish(costs);
}

void
SegmentPlanner::SolveOrdered()
{
    const std::size_t devices = m_order.size();
    m_steps.assign(m_layers * devices * (m_blocks + 1), Step());
    for (std::size_t layer = 0; layer < m_layers; ++layer)
    {
        for (std::size_t i = devices; i-- > 0;)
        {
            StartTail(i, layer == 0);
            for (std::size_t j = i + 1; j < devices && (layer > 0 || m_layers == 1); ++j)
            {
                ExtendTail(i, j, GetRow(m_layers == 1 ? 0 : layer - 1, j));
            }
            Place(i, layer, GetRow(layer, i));
        }
    }
}

void
SegmentPlanner::SolveSubsets()
{
    const std::size_t devices = m_order.size();
    const std::size_t sets = std::size_t{1} << devices;
    m_steps.assign(sets * devices * (m_blocks + 1), Step());
    for (std::size_t set = 1; set < sets; ++set)
    {
        const std::size_t layer = std::min(CountBits(set), m_layers) - 1;
        for (std::size_t i = 0; i < devices; ++i)
        {
            const std::size_t rest = set & ~(std::size_t{1} << i);
            if (rest == set)
            {
                continue;
            }
            StartTail(i, rest == 0);
            for (std::size_t j = 0; j < devices; ++j)
            {
                if ((rest >> j) & 1)
                {
                    ExtendTail(i, j, GetRow(rest, j));
                }
            }
            Place(i, layer, GetRow(set, i));
        }
    }
}

void
SegmentPlanner::StartTail(std::size_t device, bool last)
{
    std::fill(m_tail.begin(), m_tail.end(), ClusterCosts::NO_LIMIT);
    m_tail[0] = last ? GetHop(device + 1, m_order.size() + 1) : ClusterCosts::NO_LIMIT;
}

void
SegmentPlanner::ExtendTail(std::size_t device, std::size_t next, std::size_t nextRow)
{
    const double hop = GetHop(device + 1, next + 1);
    for (std::size_t n = 1; n <= m_blocks; ++n)
    {
        const double cost = At(nextRow, n).cost + hop;
        if (cost < m_tail[n])
        {
            m_tail[n] = cost;
            m_tailNext[n] = static_cast<uint16_t>(next);
        }
    }
}

void
SegmentPlanner::Place(std::size_t device, std::size_t fromEnd, std::size_t row)
{
    const uint32_t limit = m_limits[device * m_layers + fromEnd];
    const double* costs = &m_costs[device * (m_blocks + 1)];
    for (std::size_t l = 1; l <= limit; ++l)
    {
        for (std::size_t n = 0; n + l <= m_blocks; ++n)
        {
            const double cost = m_tail[n] + costs[l];
            Step& step = At(row, n + l);
            if (cost < step.cost)
            {
                step = {cost, m_tailNext[n], static_cast<uint16_t>(l)};
            }
        }
    }
}

/// Adds the best chain; with subsets the best of every length
double
SegmentPlanner::Finish(const ClusterCosts& costs)
{
    const std::size_t devices = m_order.size();
    const std::size_t heads = m_subsets ? std::size_t{1} << devices : m_layers;
    std::vector<Head> best(m_subsets ? devices + 1 : 1);
    for (std::size_t h = 0; h < heads; ++h)
    {
        Head& own = best[m_subsets ? CountBits(h) : 0];
        for (std::size_t i = 0; i < devices; ++i)
        {
            const double cost = At(GetRow(h, i), m_blocks).cost + GetHop(0, i + 1);
            if (cost < own.cost)
            {
                own = {cost, h, i};
            }
        }
    }
    double least = ClusterCosts::NO_LIMIT;
    for (const Head& head : best)
    {
        if (std::isfinite(head.cost))
        {
            AddChain(costs, Trace(head));
            least = std::min(least, head.cost);
        }
    }
    return least;
}

std::vector<Segment>
SegmentPlanner::Trace(Head head)
{
    std::vector<Segment> segments;
    for (std::size_t left = m_blocks; left > 0;)
    {
        const Step& step = At(GetRow(head.layerOrSet, head.device), left);
        segments.push_back({static_cast<NodeIndex>(m_order[head.device] + 1), step.blocks});
        left -= step.blocks;
        head.layerOrSet = m_subsets ? head.layerOrSet & ~(std::size_t{1} << head.device)
                                    : head.layerOrSet - (m_layers > 1 ? 1 : 0);
        head.device = step.next;
    }
    return segments;
}

void
SegmentPlanner::AddChain(const ClusterCosts& costs, const std::vector<Segment>& segments)
{
    for (const auto& chain : m_chains)
    {
        if (IsSame(chain.segments, segments))
        {
            return;
        }
    }
    RatedChain chain{segments, costs.GetChainCost(segments)};
    const auto place = std::find_if(m_chains.begin(), m_chains.end(), [&](const RatedChain& other) {
        return chain.cost < other.cost;
    });
    m_chains.insert(place, std::move(chain));
    if (m_chains.size() > CHAINS)
    {
        m_chains.pop_back();
    }
}

} // namespace collapipe
} // namespace ns3
