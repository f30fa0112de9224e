/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-plan-prices.h"

#include "collapipe-fluid-medium.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Adds links' loads: seconds with the whole pool and full power
class AverageLoad
{
  public:
    AverageLoad(const PoolState& pool, double bits)
        : m_pool(pool),
          m_bits(bits)
    {
    }

    void Add(const LinkState& link)
    {
        const double load =
            link.overheadS + (m_bits + link.overheadBits) * std::log(2.0) /
                                 (link.efficiency * m_pool.bandwidthHz *
                                  std::min(link.maxSpectralEfficiency * std::log(2.0),
                                           std::log1p(link.maxPowerW * link.gain /
                                                      (link.snrGap * link.noiseDensityWPerHz *
                                                       m_pool.bandwidthHz))));
        if (m_pool.mode != SharingMode::DEDICATED && m_bits > 0 && std::isfinite(load))
        {
            m_sum += std::sqrt(load);
            ++m_count;
        }
    }

    /// @return the square of the mean root; 0 where there are no links
    double Get() const
    {
        const double root = m_count > 0 ? m_sum / m_count : 0;
        return root * root;
    }

  private:
    const PoolState& m_pool; //!< the medium
    double m_bits;           //!< payload
    double m_sum{0};         //!< of roots
    double m_count{0};       //!< of links
};

double
GetD2dLoad(const ClusterState& cluster, double bits)
{
    AverageLoad average(cluster.d2d, bits);
    for (std::size_t i = 0; i < cluster.d2dLinks.size(); ++i)
    {
        for (std::size_t j = 0; j < cluster.d2dLinks[i].size(); ++j)
        {
            if (i != j)
            {
                average.Add(cluster.d2dLinks[i][j]);
            }
        }
    }
    return average.Get();
}

double
GetEdgeLoad(const SystemState& state, const ClusterState& cluster, bool uplink, double bits)
{
    AverageLoad average(uplink ? state.uplink : state.downlink, bits);
    for (const auto& device : cluster.devices)
    {
        average.Add(uplink ? device.uplink : device.downlink);
    }
    return average.Get();
}

} // namespace

ClusterPrices
GuessPrices(const Instance& instance,
            std::size_t cluster,
            const MicroBatchPair& pair,
            std::size_t devices,
            const RadioFreedom& freedom)
{
    const SystemState& state = instance.state;
    const ClusterState& own = state.clusters[cluster];
    const auto clusters = static_cast<double>(state.clusters.size());
    const double links = 2.0 * static_cast<double>(devices);
    const double bits = pair.size * state.model.activationBits;
    ClusterPrices prices;
    prices.latency = instance.penaltyWeight / clusters;
    prices.distribution = instance.penaltyWeight;
    prices.upload = instance.penaltyWeight;
    prices.d2dShare = 1 / links;
    prices.edgeShare = 1 / clusters;
    prices.uplinkShare = 1 / (clusters * static_cast<double>(devices + 1));
    const bool relays = GetBudget(state, cluster, 1, EDGE_SERVER) == Pool::D2D ||
                        GetUploadPath(state, cluster) == UploadPath::COLLECTED;
    prices.parameterShare = prices.uplinkShare * (relays ? clusters : 1);
    prices.sharesFixed = !freedom.shares;
    if (freedom.shares)
    {
        const double iteration = prices.latency * state.training.localIterations;
        const double others = clusters > 1 ? clusters * clusters : 0;
        prices.d2d = iteration * links * links * GetD2dLoad(own, bits);
        prices.uplink = iteration * others * GetEdgeLoad(state, own, true, bits);
        prices.downlink = iteration * others * GetEdgeLoad(state, own, false, bits);
        if (IsPooled(state) && IsReserved(state.uplink))
        {
            // Activations and gradients with the reservation of each node, of which there are n
            const double nodes = 1 / prices.uplinkShare;
            prices.uplink = 2 * iteration * nodes * nodes * GetEdgeLoad(state, own, true, bits);
        }
    }
    return prices;
}

ClusterPrices
GetPrices(const RadioProblem& problem,
          const RadioSolution& solution,
          std::size_t cluster,
          std::size_t devices)
{
    const auto clusters = static_cast<double>(problem.clusters.size());
    const double share = problem.penaltyWeight / clusters;
    ClusterPrices prices;
    prices.latency = std::max(solution.latencyPrices[cluster], 1e-2 * share);
    prices.d2d = solution.poolPrices[problem.GetOwnPool(cluster, Phase::TRAINING)];
    prices.uplink = solution.poolPrices[1];
    prices.downlink = solution.poolPrices[3];
    const bool relays =
        std::any_of(problem.links.begin(), problem.links.end(), [&](const RadioLink& link) {
            return link.cluster == cluster && link.phase == Phase::UPLOAD && problem.ownPools > 1 &&
                   link.pool == problem.GetOwnPool(cluster, Phase::UPLOAD);
        });
    // In a pool whose slowest link counts, load c costs price c / tau
    const auto getPrice = [&](std::size_t common, Phase phase, double seconds) {
        const double price =
            solution.poolPrices[relays ? problem.GetOwnPool(cluster, phase) : common];
        return price > 0 && seconds > 0 ? price / seconds : prices.latency;
    };
    prices.distribution = getPrice(2, Phase::DISTRIBUTION, solution.distributionS[cluster]);
    prices.upload = getPrice(0, Phase::UPLOAD, solution.uploadS[cluster]);
    prices.d2dShare = 1 / (2.0 * static_cast<double>(devices));
    prices.edgeShare = 1 / clusters;
    prices.uplinkShare = 1 / (clusters * static_cast<double>(devices + 1));
    prices.parameterShare = prices.uplinkShare * (relays ? clusters : 1);
    prices.sharesFixed = !problem.freedom.shares;
    return prices;
}

} // namespace collapipe
} // namespace ns3
