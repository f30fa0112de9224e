/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_REPLICATED_CHOICE_H
#define COLLAPIPE_REPLICATED_CHOICE_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include "ns3/collapipe-schedule.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Ways to replicate a cluster's pipeline: so many chains of so many device stages each, all cut
 * alike, the edge server behind them with the other blocks and the decoder. The fastest devices
 * hold the first stage, the next ones the second, and so on, so that those of a stage are of one
 * kind; a stage is as fast as its slowest device.
 */
class ReplicatedChoice
{
  public:
    /**
     * @param state the system
     * @param enforceMemory whether only blocks that fit the devices' memories (8) count
     * @param mostEdgeBlocks that the edge server may hold
     */
    ReplicatedChoice(const SystemState& state,
                     bool enforceMemory,
                     uint32_t mostEdgeBlocks = std::numeric_limits<uint32_t>::max());

    /// @return the fixed pair, then the allowed ones that take as many samples
    std::vector<MicroBatchPair> ListPairs() const;

    /**
     * Every number of chains, of stages, of blocks on devices, and every allowed pair with the
     * fixed one's samples. Blocks go one by one to the stage that is done first with them, samples
     * to the chain, both by their computation alone.
     * @param cluster m
     * @return a plan of each way that fits, without radio decisions
     */
    std::vector<ClusterPlan> List(std::size_t cluster) const;

    /**
     * @param cluster m
     * @param number how many
     * @param ofEachCount whether the best one with each number of chains is wanted, too
     * @return of List() those that take least time alone, GetAloneS(), the best one first; then
     *         those others
     */
    std::vector<ClusterPlan> ListBest(std::size_t cluster,
                                      std::size_t number,
                                      bool ofEachCount) const;

    /**
     * @param cluster m
     * @param plan of it, without radio decisions
     * @return seconds of its round (4) alone, with an equal part of what the clusters share, lost
     *         where it is not used; infinite where no schedule or no memory allows it
     */
    double GetAloneS(std::size_t cluster, const ClusterPlan& plan) const;

  private:
    /// How many chains, and what each is like
    struct Shape
    {
        uint32_t chains{1};  //!< side by side
        uint32_t stages{1};  //!< on devices, of each chain
        uint32_t blocks{1};  //!< on devices, of L
        MicroBatchPair pair; //!< of the cluster, to be dealt to the chains
    };

    /// @return blocks by stage; none where they do not fit
    std::vector<uint32_t> CutBlocks(std::size_t cluster, const Shape& shape) const;
    ClusterPlan MakePlan(std::size_t cluster,
                         const Shape& shape,
                         const std::vector<uint32_t>& cut) const;
    /// Gives every chain its samples. @return whether each has some
    bool DealSamples(std::size_t cluster, const Shape& shape, ClusterPlan& plan) const;
    double GetComputedS(std::size_t cluster, const ChainPlan& chain) const;
    /// @return what its computations alone take of a round: no plan takes less
    double GetLeastS(std::size_t cluster, const ClusterPlan& plan) const;

    SystemState m_state;                         //!< the system
    std::vector<SystemState> m_lonely;           //!< by cluster: it alone, its media reserved
    bool m_enforceMemory;                        //!< only what fits counts
    uint32_t m_leastBlocks;                      //!< on devices
    Ptr<const Schedule> m_schedule;              //!< the training's
    std::vector<std::vector<NodeIndex>> m_nodes; //!< of each cluster, the fastest first
};

/**
 * @param state the system
 * @param enforceMemory as ReplicatedChoice
 * @return the plan of replicated pipelines that is found to take least time, its chains stepping
 *         together; infeasible where there is none
 */
RoundPlan MakeReplicatedPlan(const SystemState& state, bool enforceMemory);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_REPLICATED_CHOICE_H */
