/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-chain-moves.h"

#include "collapipe-memory-limits.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Lists the moves from one plan
class MoveLister
{
  public:
    MoveLister(const SystemState& state, std::size_t cluster, const ClusterPlan& plan)
        : m_plan(plan),
          m_together(plan.synchronous && plan.chains.size() > 1)
    {
        m_plan.links.clear();
        for (const NodeIndex node : GetUsableDevices(state.clusters[cluster]))
        {
            if (!IsUsed(node))
            {
                m_idle.push_back(node);
            }
        }
    }

    std::vector<ClusterPlan> List()
    {
        // Where chains are cut alike, what is done to the first is done to all
        for (std::size_t c = 0; c < (m_together ? 1 : m_plan.chains.size()); ++c)
        {
            AddCuts(c);
            AddFewerStages(c);
            AddMoreStages(c);
        }
        for (std::size_t c = 0; c < m_plan.chains.size(); ++c)
        {
            AddDevices(c);
        }
        AddSamples();
        AddStepping();
        return std::move(m_moves);
    }

  private:
    bool IsUsed(NodeIndex node) const
    {
        for (const auto& chain : m_plan.chains)
        {
            for (const auto& stage : chain.stages)
            {
                if (stage.node == node)
                {
                    return true;
                }
            }
        }
        return false;
    }

    /// Changes a chain, or all of them where they are cut alike.
    template <typename Change>
    void AddChange(std::size_t c, Change change)
    {
        ClusterPlan plan = m_plan;
        for (std::size_t i = 0; i < plan.chains.size(); ++i)
        {
            if (i == c || m_together)
            {
                change(plan.chains[i]);
            }
        }
        m_moves.push_back(std::move(plan));
    }

    /// A block to the next stage or from it; a device keeps one
    void AddCuts(std::size_t c)
    {
        const auto& stages = m_plan.chains[c].stages;
        for (std::size_t s = 0; s + 1 < stages.size(); ++s)
        {
            const uint32_t least = stages[s + 1].node == EDGE_SERVER ? 0 : 1;
            if (stages[s].GetBlocks() > 1)
            {
                AddChange(c, [s](ChainPlan& chain) { SetCut(chain, s, -1); });
            }
            if (stages[s + 1].GetBlocks() > least)
            {
                AddChange(c, [s](ChainPlan& chain) { SetCut(chain, s, 1); });
            }
        }
    }

    static void SetCut(ChainPlan& chain, std::size_t s, int blocks)
    {
        chain.stages[s].lastBlock += blocks;
        chain.stages[s + 1].firstBlock = chain.stages[s].lastBlock;
    }

    /// A device's blocks go to the stage before or behind it
    void AddFewerStages(std::size_t c)
    {
        const auto& stages = m_plan.chains[c].stages;
        for (std::size_t s = 0; s < stages.size() && stages.size() > 2; ++s)
        {
            if (stages[s].node == EDGE_SERVER)
            {
                continue;
            }
            if (s > 0)
            {
                AddChange(c, [s](ChainPlan& chain) {
                    chain.stages[s - 1].lastBlock = chain.stages[s].lastBlock;
                    chain.stages.erase(chain.stages.begin() + static_cast<std::ptrdiff_t>(s));
                });
            }
            if (s + 1 < stages.size())
            {
                AddChange(c, [s](ChainPlan& chain) {
                    chain.stages[s + 1].firstBlock = chain.stages[s].firstBlock;
                    chain.stages[s + 1].embedding = s == 0;
                    chain.stages.erase(chain.stages.begin() + static_cast<std::ptrdiff_t>(s));
                });
            }
        }
    }

    /// The second half of a stage's blocks to an idle device behind it, one for each chain
    void AddMoreStages(std::size_t c)
    {
        const auto& stages = m_plan.chains[c].stages;
        const std::size_t needed = m_together ? m_plan.chains.size() : 1;
        for (std::size_t s = 0; s < stages.size() && m_idle.size() >= needed; ++s)
        {
            const bool isEdge = stages[s].node == EDGE_SERVER;
            if (stages[s].GetBlocks() < (isEdge ? 1U : 2U))
            {
                continue;
            }
            for (std::size_t first = 0; first + needed <= (m_together ? needed : m_idle.size());
                 ++first)
            {
                std::size_t next = first;
                AddChange(c, [&](ChainPlan& chain) { Split(chain, s, m_idle[next++]); });
            }
        }
    }

    /// Of the edge server's blocks the first half goes to the device before it.
    static void Split(ChainPlan& chain, std::size_t s, NodeIndex node)
    {
        const StagePlan old = chain.stages[s];
        const uint32_t middle = old.firstBlock + (old.GetBlocks() + 1) / 2;
        if (old.node == EDGE_SERVER)
        {
            const StagePlan own{node, s == 0, old.firstBlock, middle, false};
            chain.stages[s].firstBlock = middle;
            chain.stages[s].embedding = false;
            chain.stages.insert(chain.stages.begin() + static_cast<std::ptrdiff_t>(s), own);
            return;
        }
        const StagePlan own{node, false, middle, old.lastBlock, old.decoder};
        chain.stages[s].lastBlock = middle;
        chain.stages[s].decoder = false;
        chain.stages.insert(chain.stages.begin() + static_cast<std::ptrdiff_t>(s) + 1, own);
    }

    /// An idle device in place of another; neighbours in each other's place
    void AddDevices(std::size_t c)
    {
        const auto& stages = m_plan.chains[c].stages;
        for (std::size_t s = 0; s < stages.size(); ++s)
        {
            if (stages[s].node == EDGE_SERVER)
            {
                continue;
            }
            for (const NodeIndex node : m_idle)
            {
                m_moves.push_back(m_plan);
                m_moves.back().chains[c].stages[s].node = node;
            }
            if (s + 1 < stages.size() && stages[s + 1].node != EDGE_SERVER)
            {
                m_moves.push_back(m_plan);
                auto& own = m_moves.back().chains[c].stages;
                std::swap(own[s].node, own[s + 1].node);
            }
        }
    }

    /// A unit of samples from a chain to another, or all of them
    void AddSamples()
    {
        for (std::size_t from = 0; from < m_plan.chains.size(); ++from)
        {
            for (std::size_t to = 0; to < m_plan.chains.size(); ++to)
            {
                if (from != to)
                {
                    AddDeal(from, to);
                }
            }
        }
    }

    void AddDeal(std::size_t from, std::size_t to)
    {
        ClusterPlan plan = m_plan;
        const bool isSize = plan.chains[from].microBatches == plan.chains[to].microBatches;
        const bool isCount = plan.chains[from].microBatchSize == plan.chains[to].microBatchSize;
        const auto count = [isSize](ChainPlan& chain) -> uint32_t& {
            return isSize ? chain.microBatchSize : chain.microBatches;
        };
        if (!isSize && !isCount)
        {
            return; // units differ
        }
        ++count(plan.chains[to]);
        --count(plan.chains[from]);
        if (count(plan.chains[from]) > 0)
        {
            AddShares(plan);
        }
        count(plan.chains[to]) += count(plan.chains[from]);
        plan.chains.erase(plan.chains.begin() + static_cast<std::ptrdiff_t>(from));
        AddShares(std::move(plan));
    }

    /// Data as samples are
    void AddShares(ClusterPlan plan)
    {
        double samples = 0;
        for (const auto& chain : plan.chains)
        {
            samples += static_cast<double>(chain.microBatches) * chain.microBatchSize;
        }
        for (auto& chain : plan.chains)
        {
            chain.dataShare =
                static_cast<double>(chain.microBatches) * chain.microBatchSize / samples;
        }
        plan.synchronous = plan.synchronous && plan.chains.size() > 1;
        m_moves.push_back(std::move(plan));
    }

    void AddStepping()
    {
        if (m_plan.chains.size() > 1)
        {
            m_moves.push_back(m_plan);
            m_moves.back().synchronous = !m_plan.synchronous;
        }
    }

    ClusterPlan m_plan;               //!< from which
    bool m_together;                  //!< whether its chains are cut alike
    std::vector<NodeIndex> m_idle;    //!< devices that do nothing
    std::vector<ClusterPlan> m_moves; //!< so far
};

} // namespace

std::vector<ClusterPlan>
ListChainMoves(const SystemState& state, std::size_t cluster, const ClusterPlan& plan)
{
    return MoveLister(state, cluster, plan).List();
}

} // namespace collapipe
} // namespace ns3
