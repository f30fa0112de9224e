/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SEGMENT_PLANNER_H
#define COLLAPIPE_SEGMENT_PLANNER_H

#include "collapipe-cluster-costs.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A chain and its estimated cost
struct RatedChain
{
    std::vector<Segment> segments; //!< devices in chain order with their blocks
    double cost{0};                //!< ClusterCosts::GetChainCost()
};

/**
 * @ingroup collapipe
 * Segments and, for few devices, their order: for every candidate bottleneck theta a dynamic
 * programme over (device, blocks placed) gives the chain of least weighted sum among those whose
 * stages and links stay below theta; a device may be left out.
 *
 * With at most SUBSET_DEVICES devices the state is (set of devices, its first one, blocks), which
 * covers every order: O(2^K K (K + L) L) per theta. With more it is (first device, blocks) along a
 * given order: O(K L (K + L)) per theta, times K under 1F1B, whose memory limit depends on the
 * position.
 */
class SegmentPlanner
{
  public:
    /// Up to this many devices every order is covered
    static constexpr std::size_t SUBSET_DEVICES = 5;

    /// How many bottlenecks are tried at most, not counting the refinement
    static constexpr std::size_t BOTTLENECKS = 12;

    /**
     * @param costs of the cluster
     * @param order of the devices along the chain (indices from 0); used where there are more than
     *        SUBSET_DEVICES
     * @return the best chains found, best first, no two alike; empty where none fits
     */
    std::vector<RatedChain> Plan(const ClusterCosts& costs, const std::vector<std::size_t>& order);

  private:
    /// An entry of the programme's table
    struct Step
    {
        double cost{ClusterCosts::NO_LIMIT}; //!< from here to the end of the chain
        uint16_t next{0};                    //!< the device after this one, as index into m_order
        uint16_t blocks{0};                  //!< of this device
    };

    /// The first device of a chain
    struct Head
    {
        double cost{ClusterCosts::NO_LIMIT}; //!< of the chain
        std::size_t layerOrSet{0};           //!< see GetRow()
        std::size_t device{0};               //!< index into m_order
    };

    void Prepare(const ClusterCosts& costs, const std::vector<std::size_t>& order);
    void SetBottleneck(const ClusterCosts& costs, double bottleneckS);
    void SetCandidates(const ClusterCosts& costs, double mostS);
    bool IsEnough(const ClusterCosts& costs, double bottleneckS) const;
    double Solve(const ClusterCosts& costs, double bottleneckS);
    void SolveOrdered();
    void SolveSubsets();
    void Scan(const ClusterCosts& costs, double sum);
    void StartTail(std::size_t device, bool last);
    void ExtendTail(std::size_t device, std::size_t next, std::size_t nextRow);
    void Place(std::size_t device, std::size_t fromEnd, std::size_t row);
    double Finish(const ClusterCosts& costs);
    std::vector<Segment> Trace(Head head);
    void AddChain(const ClusterCosts& costs, const std::vector<Segment>& segments);

    std::size_t GetRow(std::size_t layerOrSet, std::size_t device) const
    {
        return layerOrSet * m_order.size() + device;
    }

    Step& At(std::size_t row, std::size_t blocks)
    {
        return m_steps[row * (m_blocks + 1) + blocks];
    }

    double GetHop(std::size_t from, std::size_t to) const
    {
        return m_hops[from * (m_order.size() + 2) + to];
    }

    std::vector<std::size_t> m_order; //!< devices, in order
    std::size_t m_blocks{0};          //!< L
    bool m_subsets{true};             //!< which programme
    std::size_t m_layers{1};          //!< positions from the end that are told apart
    std::vector<double> m_candidates; //!< bottlenecks in seconds, ascending
    std::vector<uint32_t> m_limits;   //!< blocks by index in order and layer
    std::vector<double> m_hops;       //!< costs by index in order + 1 (0 control unit, K + 1 edge)
    std::vector<double> m_costs;      //!< of devices, by index in order and blocks
    std::vector<Step> m_steps;        //!< the table, by row and blocks
    std::vector<double> m_tail;       //!< least cost after a device, by blocks placed there
    std::vector<uint16_t> m_tailNext; //!< the device which that leads to
    std::vector<RatedChain> m_chains; //!< best first
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SEGMENT_PLANNER_H */
