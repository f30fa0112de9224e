/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_COSTS_H
#define COLLAPIPE_CLUSTER_COSTS_H

#include "collapipe-memory-limits.h"
#include "collapipe-radio-problem.h"

#include <limits>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * What time and media cost a cluster in units of (13): the multipliers of a solved RadioProblem, or
 * guesses.
 */
struct ClusterPrices
{
    double latency{1};        //!< lambda_m, per second of tau_m
    double d2d{0};            //!< per share of the cluster's D2D pool
    double uplink{0};         //!< per share of the uplink in training
    double downlink{0};       //!< per share of the downlink in training
    double distribution{0};   //!< per second that parameters take a device's medium as a whole
    double upload{0};         //!< the same on the way back
    double d2dShare{1};       //!< a typical link's share, for the curvature of (5)
    double edgeShare{1};      //!< the same of uplink and downlink in training
    double uplinkShare{1};    //!< the same of nodes whose links use one reservation in turn
    bool sharesFixed{false};  //!< links have those shares, at no price
    double parameterShare{1}; //!< the same in distribution and upload
};

/**
 * @ingroup collapipe
 * An estimate of a cluster's part of (13) that is a sum over devices and links, as the dynamic
 * programme needs it, at given prices: a link with load c (seconds with the whole pool) takes the
 * share that minimises lambda H x + price c / x over its time x.
 */
class ClusterCosts
{
  public:
    /**
     * @param instance the round's problem; is kept by reference
     * @param cluster m
     * @param pair (N, b)
     * @param prices of time and media
     * @param edgeSlowdown of GetEdgeSlowdown()
     */
    ClusterCosts(const Instance& instance,
                 std::size_t cluster,
                 const MicroBatchPair& pair,
                 const ClusterPrices& prices,
                 double edgeSlowdown);

    /// Cost of no limit on the bottleneck
    static constexpr double NO_LIMIT = std::numeric_limits<double>::infinity();

    /// @return K
    std::size_t GetDevices() const
    {
        return m_devices;
    }

    /// @return L
    uint32_t GetBlocks() const
    {
        return m_blocks;
    }

    /**
     * @param device k
     * @param blocks l >= 1
     * @return its computation, distribution and upload
     */
    double GetDeviceCost(std::size_t device, uint32_t blocks) const
    {
        const double again = blocks > m_keptBlocks[device] ? m_againCostPerBlock[device] : 0;
        return m_deviceFixed[device] + blocks * (m_devicePerBlock[device] + again);
    }

    /**
     * @param device k
     * @param blocks l >= 1
     * @return t^f + t^b in seconds
     */
    double GetStageS(std::size_t device, uint32_t blocks) const
    {
        const double again = blocks > m_keptBlocks[device] ? m_againPerBlockS[device] : 0;
        return m_stageFixedS[device] + blocks * (m_stagePerBlockS[device] + again);
    }

    /// @return whether there are frozen weights to send
    bool HasBase() const
    {
        return m_instance.state.model.sendsBase;
    }

    /**
     * Of sending frozen weights; the cost of blocks [i, j) is the difference of those of j and i.
     * @param device k
     * @param blocks so many, from the first on
     * @return what it costs to send those of them to the device that it has not had
     */
    double GetBaseCost(std::size_t device, uint32_t blocks) const
    {
        return HasBase() ? m_baseCosts[device * (m_blocks + 1) + blocks] : 0;
    }

    /// @return at how many first blocks of a segment memory differs, from the first one on
    uint32_t GetMemoryFirsts() const
    {
        return m_firsts;
    }

    /**
     * @param device k
     * @param fromEnd its position from the chain's end, from 1; the largest counts for all beyond
     * @param firstBlock where its segment begins
     * @return the most blocks that its memory holds there: the fewer, the later it begins
     */
    uint32_t GetMemoryBlocks(std::size_t device, std::size_t fromEnd, uint32_t firstBlock) const;

    /**
     * @param segments a chain
     * @return whether the schedule can run it and every device's memory holds its blocks: exact
     */
    bool Fits(const std::vector<Segment>& segments) const;

    /**
     * @return whether memory depends on the chain's length too, so that GetMemoryBlocks() is the
     *         most that any length allows; UseSafeLimits() makes it the least
     */
    bool HasSafeLimits() const;

    /// From now on GetMemoryBlocks() is what fits whatever the chain's length.
    void UseSafeLimits();

    /// @return number of positions from the end that differ in memory: 1 under GPipe
    std::size_t GetMemoryPositions() const
    {
        return m_positions;
    }

    /**
     * Both directions of a hop.
     * @param from 0 for the control unit, k + 1 for device k
     * @param to k + 1 for device k, K + 1 for the edge server
     * @param bottleneckS bound of the sum of both directions' times
     * @return cost; infinite where a link does not work
     */
    double GetHopCost(std::size_t from, std::size_t to, double bottleneckS) const;

    /// @return what a second of t^f + t^b in the bottleneck costs: lambda H (N - 1)
    double GetBottleneckPrice() const
    {
        return m_bottleneckPrice;
    }

    /// @return the longest t^f + t^b of control unit and edge server
    double GetLeastBottleneckS() const
    {
        return m_leastBottleneckS;
    }

    /**
     * @param segments a chain
     * @return its estimated part of (13), up to terms that are the same for all chains and pairs
     */
    double GetChainCost(const std::vector<Segment>& segments) const;

    /**
     * @param segments a chain
     * @return its longest t^f + t^b, links included where no bottleneck limits them
     */
    double GetBottleneckS(const std::vector<Segment>& segments) const;

  private:
    /// A directed link at its best power
    struct Link
    {
        double loadS{0};    //!< seconds with the whole pool
        double price{0};    //!< of the whole pool
        double fixed{0};    //!< energy and latency
        double bestS{0};    //!< time that is cheapest without a limit
        double bestCost{0}; //!< cost with that time
        bool works{true};   //!< whether anything can be sent
        bool known{false};  //!< whether all this is set
    };

    /// Blocks that fit a device at a position
    struct Limits
    {
        uint32_t most{0}; //!< in a chain of some length
        uint32_t safe{0}; //!< in a chain of any length
    };

    uint32_t GetMostLive() const;
    Limits GetLimits(std::size_t device, std::size_t fromEnd, uint32_t firstBlock) const;
    uint32_t GetBlocksThatFit(std::size_t device,
                              std::size_t fromEnd,
                              std::size_t length,
                              uint32_t firstBlock) const;
    void SetBaseCosts();
    void SetDevices(const Instance& instance, double edgeSlowdown);
    void SetConstant(const Instance& instance, double edgeSlowdown);
    Link MakeHop(NodeIndex from, NodeIndex to, double bits) const;
    void SetBest(Link& link) const;
    double GetWholeBitCost() const;
    double GetParameterCost(const Instance& instance, NodeIndex node) const;
    double GetLinkCost(const Link& link, double limitS) const;
    double GetLinkS(const Link& link, double limitS) const;

    /// A hop is priced when it is first asked for: of K^2 few are.
    const Link& GetLink(std::size_t from, std::size_t to, bool forward) const;

    const Instance& m_instance;              //!< the round's problem
    std::size_t m_cluster;                   //!< m
    MicroBatchPair m_pair;                   //!< (N, b)
    Ptr<const Schedule> m_schedule;          //!< of the round
    ClusterPrices m_prices;                  //!< of time and media
    std::size_t m_devices{0};                //!< K
    uint32_t m_blocks{0};                    //!< L
    std::size_t m_positions{1};              //!< see GetMemoryPositions()
    uint32_t m_firsts{1};                    //!< see GetMemoryFirsts()
    double m_iterationPrice{0};              //!< lambda H
    double m_bottleneckPrice{0};             //!< lambda H (N - 1)
    double m_forwardPart{0.5};               //!< of t^f + t^b
    double m_leastBottleneckS{0};            //!< of control unit and edge server
    double m_constant{0};                    //!< of the pair: control unit, edge server, phi
    std::vector<double> m_deviceFixed;       //!< cost with no block
    std::vector<double> m_devicePerBlock;    //!< cost per block
    std::vector<double> m_stageFixedS;       //!< 2 o
    std::vector<double> m_stagePerBlockS;    //!< of t^f + t^b
    std::vector<double> m_baseCosts;         //!< by device and blocks; empty: none is sent
    std::vector<uint32_t> m_memoryBlocks;    //!< by device, position and first block
    std::vector<uint32_t> m_safeBlocks;      //!< the same, in chains of any length
    std::vector<uint32_t> m_keptBlocks;      //!< most whose activations need not be computed again
    std::vector<double> m_againPerBlockS;    //!< time per block of computing them again
    std::vector<double> m_againCostPerBlock; //!< its cost
    mutable std::vector<Link> m_links;       //!< by node, node and direction; those asked for
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_COSTS_H */
