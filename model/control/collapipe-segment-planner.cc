/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-segment-planner.h"

#include <Eigen/Core>
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
    m_chains.clear();
    PlanWithin(costs, order);
    if (costs.HasSafeLimits())
    {
        // Chains that fit some length's memory may not fit their own: those left out are replaced
        ClusterCosts safe = costs;
        safe.UseSafeLimits();
        PlanWithin(safe, order);
    }
    return std::move(m_chains);
}

/// Adds the best chains within the limits of the costs.
void
SegmentPlanner::PlanWithin(const ClusterCosts& costs, const std::vector<std::size_t>& order)
{
    Prepare(costs, order);
    const double sum = Solve(costs, ClusterCosts::NO_LIMIT, ClusterCosts::NO_LIMIT);
    if (std::isfinite(sum) && costs.GetBottleneckPrice() > 0 && !m_chains.empty())
    {
        SetCandidates(costs, costs.GetBottleneckS(m_chains.front().segments));
        Scan(costs, sum);
    }
}

void
SegmentPlanner::Prepare(const ClusterCosts& costs, const std::vector<std::size_t>& order)
{
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
    m_positions = std::min(costs.GetMemoryPositions(), devices);
    m_costs.resize(devices * (m_blocks + 1));
    for (std::size_t i = 0; i < devices; ++i)
    {
        for (std::size_t l = 1; l <= m_blocks; ++l)
        {
            m_costs[i * (m_blocks + 1) + l] =
                costs.GetDeviceCost(m_order[i], static_cast<uint32_t>(l));
        }
    }
    m_firsts = costs.GetMemoryFirsts();
    m_base.clear();
    for (std::size_t i = 0; i < devices && costs.HasBase(); ++i)
    {
        for (std::size_t left = 0; left <= m_blocks; ++left)
        {
            m_base.push_back(costs.GetBaseCost(m_order[i], static_cast<uint32_t>(m_blocks - left)));
        }
    }
}

/// Limits and hop costs under a bottleneck
void
SegmentPlanner::SetBottleneck(const ClusterCosts& costs, double bottleneckS)
{
    const std::size_t devices = m_order.size();
    m_limits.resize(devices * m_positions * m_firsts);
    m_hops.assign((devices + 2) * (devices + 2), ClusterCosts::NO_LIMIT);
    for (std::size_t i = 0; i < devices; ++i)
    {
        const std::size_t k = m_order[i];
        uint32_t most = static_cast<uint32_t>(m_blocks);
        while (most > 0 && costs.GetStageS(k, most) > bottleneckS * (1 + 1e-12))
        {
            --most;
        }
        for (std::size_t layer = 0; layer < m_positions; ++layer)
        {
            for (uint32_t first = 0; first < m_firsts; ++first)
            {
                m_limits[(i * m_positions + layer) * m_firsts + first] =
                    std::min(most, costs.GetMemoryBlocks(k, layer + 1, first));
            }
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
        uint32_t most = costs.GetMemoryBlocks(k, 1, 0);
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
        const uint32_t limit = costs.GetMemoryBlocks(k, 1, 0);
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
        const double bottleneck = price * m_candidates[index];
        sum = Solve(costs, m_candidates[index], best - bottleneck);
        const double value = sum + bottleneck;
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

/// @return the least sum under a bottleneck, whose chain is added to those found; or, where that
/// sum is `mostSum` or more, perhaps a bound of it from below
double
SegmentPlanner::Solve(const ClusterCosts& costs, double bottleneckS, double mostSum)
{
    SetBottleneck(costs, bottleneckS);
    if (m_subsets)
    {
        m_layers = m_positions;
        SolveSubsets();
        return AddBestOfEveryLength(costs);
    }
    // The fewest micro-batches are alive at the chain's end: all chains that fit are among those
    // that have its limits everywhere
    m_layers = 1;
    SolveOrdered();
    if (m_positions > 1)
    {
        const Head head = FindHead();
        if (head.cost >= mostSum)
        {
            return head.cost;
        }
        if (!costs.Fits(Trace(head)))
        {
            m_layers = CountLayers();
            SolveOrdered();
        }
    }
    return AddBest(costs);
}

/// @return how many positions have to be told apart: beyond them the limits stay the same
std::size_t
SegmentPlanner::CountLayers() const
{
    const auto isSame = [&](std::size_t layer) {
        for (std::size_t i = 0; i < m_order.size(); ++i)
        {
            for (std::size_t first = 0; first < m_firsts; ++first)
            {
                if (GetLimit(i, layer, m_blocks - first) !=
                    GetLimit(i, layer - 1, m_blocks - first))
                {
                    return false;
                }
            }
        }
        return true;
    };
    std::size_t layers = m_positions;
    while (layers > 1 && isSame(layers - 1))
    {
        --layers;
    }
    return layers;
}

void
SegmentPlanner::SolveOrdered()
{
    m_table.assign(m_layers * m_order.size() * (m_blocks + 1), ClusterCosts::NO_LIMIT);
    for (std::size_t layer = 0; layer < m_layers; ++layer)
    {
        for (std::size_t i = m_order.size(); i-- > 0;)
        {
            Place(i, layer);
        }
    }
}

void
SegmentPlanner::SolveSubsets()
{
    const std::size_t sets = std::size_t{1} << m_order.size();
    m_table.assign(sets * m_order.size() * (m_blocks + 1), ClusterCosts::NO_LIMIT);
    for (std::size_t set = 1; set < sets; ++set)
    {
        for (std::size_t i = 0; i < m_order.size(); ++i)
        {
            if ((set >> i) & 1)
            {
                Place(i, set);
            }
        }
    }
}

template <typename F>
void
SegmentPlanner::ForEachNext(const Head& head, F f) const
{
    if (m_subsets)
    {
        const std::size_t rest = head.layerOrSet & ~(std::size_t{1} << head.device);
        for (std::size_t j = 0; j < m_order.size(); ++j)
        {
            if ((rest >> j) & 1)
            {
                f(j, rest);
            }
        }
        return;
    }
    for (std::size_t j = head.device + 1; j < m_order.size(); ++j)
    {
        if (head.layerOrSet > 0)
        {
            f(j, head.layerOrSet - 1);
        }
        if (head.layerOrSet + 1 == m_layers)
        {
            f(j, head.layerOrSet);
        }
    }
}

bool
SegmentPlanner::IsLast(const Head& head) const
{
    return head.layerOrSet == (m_subsets ? std::size_t{1} << head.device : 0);
}

std::size_t
SegmentPlanner::GetLayer(std::size_t layerOrSet) const
{
    return m_subsets ? std::min(CountBits(layerOrSet), m_layers) - 1 : layerOrSet;
}

/// Fills the row of a device, whose successors' rows are there.
void
SegmentPlanner::Place(std::size_t device, std::size_t layerOrSet)
{
    const Head head{0, layerOrSet, device};
    const auto all = static_cast<Eigen::Index>(m_blocks + 1);
    m_tail.assign(m_blocks + 1, ClusterCosts::NO_LIMIT);
    m_tail[0] = IsLast(head) ? GetHop(device + 1, m_order.size() + 1) : ClusterCosts::NO_LIMIT;
    Eigen::Map<Eigen::ArrayXd> tail(m_tail.data(), all);
    ForEachNext(head, [&](std::size_t next, std::size_t after) {
        const double* row = Row(GetRow(after, next));
        const double hop = GetHop(device + 1, next + 1);
        tail = tail.min(Eigen::Map<const Eigen::ArrayXd>(row, all) + hop);
    });
    const double* costs = &m_costs[device * (m_blocks + 1)];
    double* own = Row(GetRow(layerOrSet, device));
    if (!m_base.empty())
    {
        tail += Eigen::Map<const Eigen::ArrayXd>(&m_base[device * (m_blocks + 1)], all);
    }
    const std::size_t layer = GetLayer(layerOrSet);
    const auto limit = std::min<std::size_t>(m_blocks, GetLimit(device, layer, m_blocks));
    std::size_t least = 1; // blocks left from which on so many fit
    for (std::size_t l = 1; l <= limit; ++l)
    {
        least = std::max(least, l);
        while (GetLimit(device, layer, least) < l)
        {
            ++least; // all blocks are enough
        }
        const auto rest = all - static_cast<Eigen::Index>(least);
        Eigen::Map<Eigen::ArrayXd> row(own + least, rest);
        row = row.min(tail.segment(static_cast<Eigen::Index>(least - l), rest) + costs[l]);
    }
    if (!m_base.empty())
    {
        Eigen::Map<Eigen::ArrayXd>(own, all) -=
            Eigen::Map<const Eigen::ArrayXd>(&m_base[device * (m_blocks + 1)], all);
    }
}

SegmentPlanner::Head
SegmentPlanner::FindHead() const
{
    Head best;
    for (std::size_t layer = 0; layer < m_layers; ++layer)
    {
        for (std::size_t i = 0; i < m_order.size(); ++i)
        {
            const double cost = At(GetRow(layer, i), m_blocks) + GetHop(0, i + 1);
            best = cost < best.cost ? Head{cost, layer, i} : best;
        }
    }
    return best;
}

double
SegmentPlanner::AddBest(const ClusterCosts& costs)
{
    const Head head = FindHead();
    if (std::isfinite(head.cost))
    {
        AddChain(costs, Trace(head));
    }
    return head.cost;
}

double
SegmentPlanner::AddBestOfEveryLength(const ClusterCosts& costs)
{
    std::vector<Head> best(m_order.size() + 1);
    const std::size_t sets = std::size_t{1} << m_order.size();
    for (std::size_t set = 1; set < sets; ++set)
    {
        Head& own = best[CountBits(set)];
        for (std::size_t i = 0; i < m_order.size(); ++i)
        {
            const double cost = At(GetRow(set, i), m_blocks) + GetHop(0, i + 1);
            own = cost < own.cost ? Head{cost, set, i} : own;
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

/**
 * @param head a device
 * @param left blocks from it to the chain's end
 * @param blocks is set to the device's own
 * @return what follows it in the cheapest such chain; at the chain's end that has no meaning
 */
SegmentPlanner::Head
SegmentPlanner::FindStep(const Head& head, std::size_t left, std::size_t& blocks) const
{
    const double* costs = &m_costs[head.device * (m_blocks + 1)];
    const std::size_t most = GetLimit(head.device, GetLayer(head.layerOrSet), left);
    const double before = GetBase(head.device, left);
    Head best;
    if (left <= most && IsLast(head))
    {
        best.cost = GetHop(head.device + 1, m_order.size() + 1) + costs[left] +
                    GetBase(head.device, 0) - before;
        blocks = left;
    }
    for (std::size_t l = 1; l <= std::min(most, left - 1); ++l)
    {
        ForEachNext(head, [&](std::size_t next, std::size_t after) {
            const double hop = GetHop(head.device + 1, next + 1);
            const double cost = At(GetRow(after, next), left - l) + hop + costs[l] +
                                GetBase(head.device, left - l) - before;
            if (cost < best.cost)
            {
                best = {cost, after, next};
                blocks = l;
            }
        });
    }
    return best;
}

/// The table has costs only: the decisions that led to them are found again on the way.
std::vector<Segment>
SegmentPlanner::Trace(Head head) const
{
    std::vector<Segment> segments;
    for (std::size_t left = m_blocks; left > 0;)
    {
        std::size_t blocks = left;
        const Head next = FindStep(head, left, blocks);
        segments.push_back(
            {static_cast<NodeIndex>(m_order[head.device] + 1), static_cast<uint32_t>(blocks)});
        left -= blocks;
        head = next;
    }
    return segments;
}

void
SegmentPlanner::AddChain(const ClusterCosts& costs, const std::vector<Segment>& segments)
{
    if (costs.HasSafeLimits() && !costs.Fits(segments))
    {
        return;
    }
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
