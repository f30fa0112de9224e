/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SEGMENT_PLANNER_H
#define COLLAPIPE_SEGMENT_PLANNER_H

#include "collapipe-cluster-costs.h"

#include <algorithm>
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
 * given order: O(K L (K + L)). Where the schedule makes memory depend on the position from the
 * chain's end (1F1B: up to the position where all N micro-batches are alive), the largest limits
 * are tried first, and only where their best chain does not fit and its bound does not exclude
 * theta, the programme tells positions apart, at as many times the cost. Where memory depends on
 * the chain's length too, the programme runs twice, with the most and with the least that any
 * length allows, and chains that do not fit are left out.
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
    /// A device and what follows it
    struct Head
    {
        double cost{ClusterCosts::NO_LIMIT}; //!< of the chain from here
        std::size_t layerOrSet{0};           //!< see GetRow()
        std::size_t device{0};               //!< index into m_order
    };

    void PlanWithin(const ClusterCosts& costs, const std::vector<std::size_t>& order);
    void Prepare(const ClusterCosts& costs, const std::vector<std::size_t>& order);
    void SetBottleneck(const ClusterCosts& costs, double bottleneckS);
    void SetCandidates(const ClusterCosts& costs, double mostS);
    bool IsEnough(const ClusterCosts& costs, double bottleneckS) const;
    double Solve(const ClusterCosts& costs, double bottleneckS, double mostSum);
    void SolveOrdered();
    void SolveSubsets();
    void Scan(const ClusterCosts& costs, double sum);
    void Place(std::size_t device, std::size_t layerOrSet);
    std::size_t CountLayers() const;
    Head FindHead() const;
    double AddBest(const ClusterCosts& costs);
    double AddBestOfEveryLength(const ClusterCosts& costs);
    std::vector<Segment> Trace(Head head) const;
    Head FindStep(const Head& head, std::size_t left, std::size_t& blocks) const;
    bool IsLast(const Head& head) const;
    void AddChain(const ClusterCosts& costs, const std::vector<Segment>& segments);

    /// Calls f(index in m_order, layer or set) for all that may come after a device.
    template <typename F>
    void ForEachNext(const Head& head, F f) const;

    std::size_t GetRow(std::size_t layerOrSet, std::size_t device) const
    {
        return layerOrSet * m_order.size() + device;
    }

    /// @return which limits hold for the first device of a layer or set
    std::size_t GetLayer(std::size_t layerOrSet) const;

    double* Row(std::size_t row)
    {
        return &m_table[row * (m_blocks + 1)];
    }

    double At(std::size_t row, std::size_t blocks) const
    {
        return m_table[row * (m_blocks + 1) + blocks];
    }

    /**
     * @param device index in m_order
     * @param layer position from the end
     * @param left blocks from the device's first one to the chain's end
     * @return the most blocks that it may hold: the more are left, the more
     */
    uint32_t GetLimit(std::size_t device, std::size_t layer, std::size_t left) const
    {
        const std::size_t first = std::min(m_blocks - left, m_firsts - 1);
        return m_limits[(device * m_positions + layer) * m_firsts + first];
    }

    /// @return the cost of sending a device's frozen weights of all blocks before the last `left`
    double GetBase(std::size_t device, std::size_t left) const
    {
        return m_base.empty() ? 0 : m_base[device * (m_blocks + 1) + left];
    }

    double GetHop(std::size_t from, std::size_t to) const
    {
        return m_hops[from * (m_order.size() + 2) + to];
    }

    std::vector<std::size_t> m_order; //!< devices, in order
    std::size_t m_blocks{0};          //!< L
    bool m_subsets{true};             //!< which programme
    std::size_t m_positions{1};       //!< positions from the end that may differ in memory
    std::size_t m_firsts{1};          //!< first blocks of a segment that may differ in memory
    std::size_t m_layers{1};          //!< of those, how many are told apart; the last is all beyond
    std::vector<double> m_candidates; //!< bottlenecks in seconds, ascending
    std::vector<uint32_t> m_limits;   //!< blocks by index in order, position and first block
    std::vector<double> m_hops;       //!< costs by index in order + 1 (0 control unit, K + 1 edge)
    std::vector<double> m_costs;      //!< of devices, by index in order and blocks
    std::vector<double> m_base;       //!< see GetBase(); by index in order; empty: none is sent
    std::vector<double> m_table;      //!< least cost to the chain's end, by row and blocks
    std::vector<double> m_tail;       //!< least cost after a device, by blocks placed there
    std::vector<RatedChain> m_chains; //!< best first
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SEGMENT_PLANNER_H */
