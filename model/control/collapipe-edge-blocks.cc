/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-edge-blocks.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace ns3
{
namespace collapipe
{

uint32_t
GetMostEdgeBlocks(const SystemState& state)
{
    const uint32_t blocks = state.model.blocks;
    return blocks > 0 ? std::min(state.training.mostEdgeBlocks, blocks - 1) : 0;
}

SystemState
WithoutEdgeBlocks(const SystemState& state, uint32_t edgeBlocks)
{
    SystemState left = state;
    if (edgeBlocks == 0)
    {
        return left;
    }
    ModelProfile& model = left.model;
    const uint32_t whole = model.blocks;
    model.blocks -= edgeBlocks;
    const uint32_t backward = model.CountBackward(model.blocks, whole);
    const double decoderFlops = model.decoderForwardFlops;
    model.decoderForwardFlops += edgeBlocks * model.blockForwardFlops;
    const bool isAlike = model.decoderBackwardRatio < 0 && backward == edgeBlocks;
    if (!isAlike && model.decoderForwardFlops > 0)
    {
        const double backwardFlops = state.model.GetDecoderBackwardRatio() * decoderFlops +
                                     backward * model.backwardRatio * model.blockForwardFlops;
        model.decoderBackwardRatio = backwardFlops / model.decoderForwardFlops;
    }
    model.decoderParameterBits +=
        model.CountTrained(model.blocks, whole) * model.blockParameterBits;
    model.frozenDecoderBytes += model.GetFrozenBytes(model.blocks, whole);
    model.firstTrainedBlock = std::min(model.firstTrainedBlock, model.blocks);
    left.training.mostEdgeBlocks = 0;
    return left;
}

void
PutBlocksOnEdge(const SystemState& state, uint32_t edgeBlocks, RoundPlan& plan)
{
    for (auto& cluster : plan.clusters)
    {
        for (auto& chain : cluster.chains)
        {
            StagePlan& last = chain.stages.back();
            last.lastBlock = last.node == EDGE_SERVER ? state.model.blocks : last.lastBlock;
            last.firstBlock =
                last.node == EDGE_SERVER ? state.model.blocks - edgeBlocks : last.firstBlock;
        }
    }
}

RoundPlan
TakeBlocksFromEdge(RoundPlan plan)
{
    for (auto& cluster : plan.clusters)
    {
        for (auto& chain : cluster.chains)
        {
            StagePlan& last = chain.stages.back();
            last.lastBlock = last.node == EDGE_SERVER ? last.firstBlock : last.lastBlock;
        }
    }
    return plan;
}

uint32_t
CountEdgeBlocks(const ChainPlan& chain)
{
    if (chain.stages.empty() || chain.stages.back().node != EDGE_SERVER)
    {
        return 0;
    }
    return chain.stages.back().GetBlocks();
}

uint32_t
CountEdgeBlocks(const RoundPlan& plan)
{
    bool isFirst = true;
    uint32_t edgeBlocks = 0;
    for (const auto& cluster : plan.clusters)
    {
        for (const auto& chain : cluster.chains)
        {
            const uint32_t own = CountEdgeBlocks(chain);
            if (!std::exchange(isFirst, false) && own != edgeBlocks)
            {
                return 0;
            }
            edgeBlocks = own;
        }
    }
    return edgeBlocks;
}

uint32_t
FindEdgeBlocks(uint32_t most, uint32_t start, const EdgeBlocksCost& cost)
{
    std::map<uint32_t, double> costs;
    uint32_t best = 0;
    const auto tryOut = [&](uint32_t number) {
        if (number <= most && costs.count(number) == 0)
        {
            costs[number] = cost(number);
            best = costs[number] < costs[best] ? number : best;
        }
    };
    tryOut(0);
    const bool isFirst = start > most;
    for (uint32_t quarter = 1; quarter <= 4 && isFirst; ++quarter)
    {
        tryOut(most * quarter / 4);
    }
    tryOut(start);
    for (uint32_t step = isFirst ? std::max(1U, most / 8) : 1; step > 0;)
    {
        const uint32_t before = best;
        tryOut(before + step);
        tryOut(before >= step ? before - step : 0);
        step = best == before ? step / 2 : step;
    }
    return best;
}

namespace
{

/// The best of some solutions, each with its number of blocks on the edge server
class BestSolution
{
  public:
    BestSolution()
    {
        m_solution.plan.infeasible = "no number of blocks was tried";
    }

    /// @return what it costs; infinite where it is infeasible
    double Add(uint32_t edgeBlocks, RoundSolution solution)
    {
        const bool isFeasible = solution.plan.infeasible.empty();
        const double cost =
            isFeasible ? solution.evaluation.objective : std::numeric_limits<double>::infinity();
        const bool isKnown = m_solution.plan.infeasible.empty();
        const bool isBetter = isFeasible && (!isKnown || cost < m_solution.evaluation.objective);
        if (isBetter || (!isKnown && !isFeasible && edgeBlocks >= m_edgeBlocks))
        {
            m_solution = std::move(solution);
            m_edgeBlocks = edgeBlocks;
        }
        return cost;
    }

    /// @return the best one, for the whole system
    RoundSolution Take(const SystemState& state)
    {
        PutBlocksOnEdge(state, m_edgeBlocks, m_solution.plan);
        return std::move(m_solution);
    }

  private:
    RoundSolution m_solution; //!< so far
    uint32_t m_edgeBlocks{0}; //!< likewise
};

} // namespace

RoundSolution
SolveOverEdgeBlocks(const SystemState& state, uint32_t start, const EdgeBlocksSolver& solve)
{
    BestSolution best;
    FindEdgeBlocks(GetMostEdgeBlocks(state), start, [&](uint32_t edgeBlocks) {
        return best.Add(edgeBlocks, solve(edgeBlocks));
    });
    return best.Take(state);
}

RoundSolution
SolveForEdgeBlocks(const SystemState& state,
                   const std::set<uint32_t>& numbers,
                   const EdgeBlocksSolver& solve)
{
    BestSolution best;
    for (const uint32_t edgeBlocks : numbers)
    {
        best.Add(edgeBlocks, solve(edgeBlocks));
    }
    return best.Take(state);
}

} // namespace collapipe
} // namespace ns3
