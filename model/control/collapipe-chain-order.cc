/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-chain-order.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t FINE = 8; //!< up to so many blocks, every way to split them is a neighbour

/// The cheapest place for a device in a path of nodes that begins and ends with the servers
struct Insertion
{
    double extra{ClusterCosts::NO_LIMIT}; //!< cost
    std::size_t place{1};                 //!< index in the path
};

/// Costs that cannot be subtracted from each other count as very large
double
GetFiniteHop(const ClusterCosts& costs, std::size_t from, std::size_t to)
{
    const std::size_t edge = costs.GetDevices() + 1;
    if (from == 0 && to == edge)
    {
        return 0;
    }
    return std::min(1e100, costs.GetHopCost(from, to, ClusterCosts::NO_LIMIT));
}

/// All hop costs, computed once, where they are needed
class HopTable
{
  public:
    HopTable(const ClusterCosts& costs, bool needed)
        : m_nodes(costs.GetDevices() + 2),
          m_costs(m_nodes * m_nodes, 0)
    {
        for (std::size_t i = 0; needed && i + 1 < m_nodes; ++i)
        {
            for (std::size_t j = 1; j < m_nodes; ++j)
            {
                m_costs[i * m_nodes + j] = i == j ? 0 : GetFiniteHop(costs, i, j);
            }
        }
    }

    Insertion FindPlace(const std::vector<std::size_t>& path, std::size_t node) const
    {
        Insertion best;
        for (std::size_t p = 1; p < path.size(); ++p)
        {
            const double extra =
                Get(path[p - 1], node) + Get(node, path[p]) - Get(path[p - 1], path[p]);
            if (extra < best.extra)
            {
                best = {extra, p};
            }
        }
        return best;
    }

  private:
    double Get(std::size_t from, std::size_t to) const
    {
        return m_costs[from * m_nodes + to];
    }

    std::size_t m_nodes;         //!< K + 2
    std::vector<double> m_costs; //!< by node and node
};

/// Collects the neighbours of a chain
class NeighbourList
{
  public:
    NeighbourList(const ClusterCosts& costs, const std::vector<Segment>& segments)
        : m_costs(costs),
          m_segments(segments),
          m_used(costs.GetDevices(), false)
    {
        for (const auto& segment : segments)
        {
            m_used[segment.node - 1] = true;
        }
    }

    std::vector<std::vector<Segment>> Run()
    {
        const std::size_t count = m_segments.size();
        for (std::size_t i = 0; i < count; ++i)
        {
            for (std::size_t j = 0; j < count; ++j)
            {
                if (i != j)
                {
                    Shift(i, j);
                    Relocate(i, j);
                    Swap(i, j);
                }
            }
        }
        for (std::size_t k = 0; k < m_used.size(); ++k)
        {
            if (!m_used[k])
            {
                Use(static_cast<NodeIndex>(k + 1));
            }
        }
        return std::move(m_list);
    }

  private:
    void Add(const std::vector<Segment>& segments)
    {
        if (m_costs.Fits(segments))
        {
            m_list.push_back(segments);
        }
    }

    /// One block, or all of them, from one device to another
    void Shift(std::size_t from, std::size_t to)
    {
        const uint32_t blocks = m_segments[from].blocks;
        for (const uint32_t moved : {1U, 2U, blocks})
        {
            if (moved > blocks)
            {
                continue;
            }
            auto segments = m_segments;
            segments[to].blocks += moved;
            segments[from].blocks -= moved;
            if (segments[from].blocks == 0)
            {
                segments.erase(segments.begin() + from);
            }
            Add(segments);
        }
    }

    void Relocate(std::size_t from, std::size_t to)
    {
        auto segments = m_segments;
        const Segment segment = segments[from];
        segments.erase(segments.begin() + from);
        segments.insert(segments.begin() + to, segment);
        Add(segments);
    }

    /// Two devices change places, with their blocks or leaving the blocks where they are
    void Swap(std::size_t i, std::size_t j)
    {
        if (i > j)
        {
            return;
        }
        auto segments = m_segments;
        std::swap(segments[i], segments[j]);
        Add(segments);
        std::swap(segments[i].blocks, segments[j].blocks);
        Add(segments);
    }

    void Use(NodeIndex node)
    {
        const std::size_t count = m_segments.size();
        for (std::size_t i = 0; i < count; ++i)
        {
            auto segments = m_segments;
            segments[i].node = node;
            Add(segments);
        }
        for (std::size_t place = 0; place <= count; ++place)
        {
            for (std::size_t i = 0; i < count; ++i)
            {
                const uint32_t blocks = m_segments[i].blocks;
                for (uint32_t moved = 1; moved < blocks; moved += blocks <= FINE ? 1 : blocks / 3)
                {
                    auto segments = m_segments;
                    segments[i].blocks -= moved;
                    segments.insert(segments.begin() + static_cast<std::ptrdiff_t>(place),
                                    {node, moved});
                    Add(segments);
                }
            }
        }
    }

    const ClusterCosts& m_costs;              //!< of the cluster
    const std::vector<Segment>& m_segments;   //!< the chain
    std::vector<bool> m_used;                 //!< devices in the chain
    std::vector<std::vector<Segment>> m_list; //!< so far
};

} // namespace

std::vector<std::size_t>
MakeChainOrder(const ClusterCosts& costs, const std::vector<Segment>& chain)
{
    const HopTable hops(costs, chain.size() < costs.GetDevices());
    std::vector<std::size_t> path{0};
    std::vector<bool> placed(costs.GetDevices() + 2, false);
    for (const auto& segment : chain)
    {
        path.push_back(segment.node);
        placed[segment.node] = true;
    }
    path.push_back(costs.GetDevices() + 1);
    for (std::size_t left = costs.GetDevices() - chain.size(); left > 0; --left)
    {
        Insertion best;
        std::size_t node = 0;
        for (std::size_t k = 1; k <= costs.GetDevices(); ++k)
        {
            const Insertion insertion = placed[k] ? Insertion() : hops.FindPlace(path, k);
            if (insertion.extra < best.extra || (node == 0 && !placed[k]))
            {
                best = insertion;
                node = k;
            }
        }
        placed[node] = true;
        path.insert(path.begin() + static_cast<std::ptrdiff_t>(best.place), node);
    }
    std::vector<std::size_t> order;
    for (std::size_t p = 1; p + 1 < path.size(); ++p)
    {
        order.push_back(path[p] - 1);
    }
    return order;
}

std::vector<std::vector<Segment>>
ListNeighbours(const ClusterCosts& costs, const std::vector<Segment>& segments)
{
    return NeighbourList(costs, segments).Run();
}

} // namespace collapipe
} // namespace ns3
