/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SPLIT_CHOICE_H
#define COLLAPIPE_SPLIT_CHOICE_H

#include "collapipe-instance.h"
#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Cuts and samples for devices that train side by side: of all ways to split a cluster's samples
 * and to cut every device's model, the one with which the slowest device is done first. Times are
 * those of (4) for a chain alone, with the shares that a plan gives its links, lost where they are
 * not used.
 */
class SplitChoice
{
  public:
    /**
     * @param state the system
     * @param shares a plan of chains like these, whose radio decisions are taken
     * @param enforceMemory whether only blocks that fit a device's memory (8) count
     */
    SplitChoice(const SystemState& state, const RoundPlan& shares, bool enforceMemory);

    /**
     * @param cluster m
     * @param samples n of an iteration
     * @param waits whether every device waits for the slowest distribution, as it does in a round;
     *        else for its own alone, nearer to where what a device does not use goes to others
     * @return a chain for every device that has samples; none where no way fits
     */
    std::vector<ChainPlan> Choose(std::size_t cluster, uint32_t samples, bool waits);

  private:
    /// Parts of (4) for a chain alone; infinite where it does not fit
    struct Times
    {
        double distributionS{0}; //!< tau_dist
        double restS{0};         //!< iterations and upload
    };

    /// A device's chain, and how long it takes
    struct TimedChain
    {
        ChainPlan chain;   //!< its chain
        Times times;       //!< its times
        uint32_t units{0}; //!< that it was dealt
    };

    /// How samples are dealt out: in units of a sample for each of some micro-batches, or of a
    /// micro-batch with one sample
    struct Deal
    {
        uint32_t units{0}; //!< to be dealt
        uint32_t count{0}; //!< micro-batches of everybody; 0: as many as units, of one sample each
        uint32_t least{0}; //!< units that everybody has
    };

    std::vector<Deal> ListDeals() const;
    /// @return every time that a distribution may take, the shortest first; infinite where each
    /// waits for its own
    std::set<double> ListLimits();
    /// @return what is compared: with the own distribution, or without where all wait for one
    double GetOwnS(const Times& times) const;
    std::vector<TimedChain> Play(const Deal& deal);
    TimedChain FindCut(const Deal& deal, NodeIndex node, uint32_t units);
    ChainPlan MakeChain(const Deal& deal, NodeIndex node, uint32_t units) const;
    const Times& GetTimes(const ChainPlan& chain);

    Instance m_instance;              //!< the system as a chain alone meets it
    RoundPlan m_alone;                //!< one chain in one cluster
    std::vector<ClusterPlan> m_plans; //!< radio decisions of the clusters
    bool m_enforceMemory;             //!< only what fits counts
    std::vector<NodeIndex> m_nodes;   //!< devices of the cluster at hand
    bool m_waits{true};               //!< all wait for the slowest distribution
    double m_limitS{0};               //!< no distribution takes longer
    /// By node, blocks, micro-batches and their size
    std::map<std::tuple<NodeIndex, uint32_t, uint32_t, uint32_t>, Times> m_times;
    std::size_t m_cluster{0}; //!< the cluster at hand
    uint32_t m_samples{0};    //!< n of an iteration, likewise
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SPLIT_CHOICE_H */
