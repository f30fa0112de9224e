/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EDGE_BLOCKS_H
#define COLLAPIPE_EDGE_BLOCKS_H

#include "collapipe-plan.h"
#include "collapipe-round-solver.h"
#include "collapipe-system-state.h"

#include <cstdint>
#include <functional>
#include <set>

namespace ns3
{
namespace collapipe
{

/**
 * @param state the system
 * @return how many of the encoder blocks, the last ones, the edge server may hold of every
 *         pipeline: at least one stays with the devices
 */
uint32_t GetMostEdgeBlocks(const SystemState& state);

/**
 * The system as it looks to who cuts what is left for devices: the last blocks are a part of the
 * decoder. A plan for it takes as long, and as much energy and memory, as the plan for the whole
 * system that PutBlocksOnEdge() makes of it.
 *
 * @param state the system
 * @param edgeBlocks encoder blocks on the edge server, fewer than there are
 * @return the system without them
 */
SystemState WithoutEdgeBlocks(const SystemState& state, uint32_t edgeBlocks);

/**
 * @param state the whole system
 * @param edgeBlocks encoder blocks on the edge server
 * @param plan for WithoutEdgeBlocks(); its stages at the edge server get the blocks
 */
void PutBlocksOnEdge(const SystemState& state, uint32_t edgeBlocks, RoundPlan& plan);

/**
 * @param plan for the whole system
 * @return the plan that PutBlocksOnEdge() makes it of
 */
RoundPlan TakeBlocksFromEdge(RoundPlan plan);

/**
 * @param chain a chain
 * @return encoder blocks that the edge server holds of it
 */
uint32_t CountEdgeBlocks(const ChainPlan& chain);

/**
 * @param plan of pipelines
 * @return encoder blocks that the edge server holds of every one of them; 0 where they differ
 */
uint32_t CountEdgeBlocks(const RoundPlan& plan);

/// What it costs to have so many blocks on the edge server; infinite where that cannot be
using EdgeBlocksCost = std::function<double(uint32_t edgeBlocks)>;

/**
 * Looks for the number of blocks with which a cost is least. Costs at all quarters of the range are
 * asked for, then those around the best, in steps that are halved, until neither neighbour is
 * better. Each is asked for once.
 *
 * @param most blocks; none are always tried
 * @param start a number that was good before, whose neighbourhood is looked at alone; or more than
 *        `most`: there is none
 * @param cost of a number
 * @return the first number that was asked for of those with the least cost
 */
uint32_t FindEdgeBlocks(uint32_t most, uint32_t start, const EdgeBlocksCost& cost);

/// @return the solution for WithoutEdgeBlocks()
using EdgeBlocksSolver = std::function<RoundSolution(uint32_t edgeBlocks)>;

/**
 * The best of what a solver finds, as FindEdgeBlocks() looks for it.
 *
 * @param state the whole system
 * @param start as FindEdgeBlocks() takes it
 * @param solve solves
 * @return the best one, its blocks put on the edge server; where none is feasible, what is said
 *         with the most blocks there
 */
RoundSolution SolveOverEdgeBlocks(const SystemState& state,
                                  uint32_t start,
                                  const EdgeBlocksSolver& solve);

/**
 * The same for some numbers.
 *
 * @param state the whole system
 * @param numbers of blocks on the edge server
 * @param solve solves
 * @return as SolveOverEdgeBlocks()
 */
RoundSolution SolveForEdgeBlocks(const SystemState& state,
                                 const std::set<uint32_t>& numbers,
                                 const EdgeBlocksSolver& solve);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EDGE_BLOCKS_H */
