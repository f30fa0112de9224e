/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-energy-fit.h"

#include "ns3/collapipe-cluster-links.h"
#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-transfers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t ROUNDS = 3; //!< of which the median is taken
/// Of the largest consumption in a cluster: below, a node's is that of greetings and reports
constexpr double LEAST_PART = 0.05;
constexpr double MOST_SMALL = 0.05;  //!< of a node's consumption for messages of a packet
constexpr double SMALL_BITS = 12000; //!< of such a message
constexpr double SUBFRAME_S = 1e-3;  //!< LTE's
constexpr double LARGEST = 4;        //!< factor; its inverse is the smallest one

/// @return whether there are as many clusters in both, each with as many devices
bool
HasSameNodes(const SystemState& a, const SystemState& b)
{
    return std::equal(a.clusters.begin(),
                      a.clusters.end(),
                      b.clusters.begin(),
                      b.clusters.end(),
                      [](const ClusterState& x, const ClusterState& y) {
                          return x.devices.size() == y.devices.size();
                      });
}

/// Gives a state the links and media of another one with as many nodes.
void
CopyAllLinks(const SystemState& from, SystemState& to)
{
    to.uplink = from.uplink;
    to.downlink = from.downlink;
    for (std::size_t m = 0; m < to.clusters.size(); ++m)
    {
        CopyLinks(from.clusters[m], to.clusters[m]);
    }
}

/**
 * @param state a system
 * @param m index of a cluster
 * @param cluster what (7') says of it
 * @return by node: what it takes at least to send its messages of a packet over bands that are
 *         divided, in J: a subframe each. Schedulers let these pass at once, with as much of the
 *         band as they fill, whatever their share, so that (7') with that share says little of them
 */
std::vector<double>
GetSmallEnergyJ(const SystemState& state, std::size_t m, const ClusterEvaluation& cluster)
{
    std::vector<double> smallJ(cluster.nodes.size(), 0);
    for (const auto& link : cluster.links)
    {
        const auto& pool = GetLinkPool(state, m, link.from, link.to);
        if (link.from != EDGE_SERVER && pool.mode == SharingMode::FREQUENCY &&
            link.bits <= SMALL_BITS * link.messages && link.airS > 0)
        {
            const double powerW = link.energyJ / link.airS;
            smallJ[link.from] += powerW * SUBFRAME_S * link.times * link.messages;
        }
    }
    return smallJ;
}

/// @return the median, geometric between the two in the middle of an even number
double
GetMedian(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return std::sqrt(values[(values.size() - 1) / 2] * values[values.size() / 2]);
}

/// A node sends with so many times the power.
void
ScaleSending(double factor, LinkState& link)
{
    link.circuitPowerW *= factor;
    link.amplifierEfficiency /= factor;
}

/// A node receives with so many times the power.
void
ScaleReceiving(double factor, LinkState& link)
{
    link.receivePowerW *= factor;
    link.receiveJPerBit *= factor;
}

} // namespace

void
RadioEnergyFit::Observe(const SystemState& state,
                        const RoundPlan& plan,
                        std::vector<std::vector<double>> measuredJ)
{
    m_state = state;
    m_plan = plan;
    m_measuredJ = std::move(measuredJ);
}

void
RadioEnergyFit::Compare(const SystemState& state)
{
    CopyAllLinks(state, m_state);
    Instance instance;
    instance.state = m_state;
    const Evaluation evaluation = EvaluatePlan(instance, m_plan);
    for (uint32_t m = 0; m < m_measuredJ.size(); ++m)
    {
        const auto& nodes = evaluation.clusters[m].nodes;
        const auto smallJ = GetSmallEnergyJ(m_state, m, evaluation.clusters[m]);
        double mostJ = 0;
        for (const auto& node : nodes)
        {
            mostJ = std::max(mostJ, node.radioEnergyJ);
        }
        for (std::size_t i = 0; i < m_measuredJ[m].size(); ++i)
        {
            const double modelledJ = nodes[i].radioEnergyJ;
            const double measuredJ = m_measuredJ[m][i];
            if (std::isfinite(modelledJ) && modelledJ > LEAST_PART * mostJ && measuredJ > 0 &&
                smallJ[i] <= MOST_SMALL * measuredJ)
            {
                Factors& factors = m_factors[{m, static_cast<NodeIndex>(i)}];
                factors.push_back(measuredJ / modelledJ);
                factors.erase(factors.begin(), factors.end() - std::min(factors.size(), ROUNDS));
            }
        }
    }
}

double
RadioEnergyFit::GetMean() const
{
    double sum = 0;
    uint32_t count = 0;
    for (const auto& [node, factors] : m_factors)
    {
        if (node.second != CONTROL_UNIT)
        {
            sum += std::log(GetFactor(node.first, node.second));
            ++count;
        }
    }
    return count > 0 ? std::exp(sum / count) : 1;
}

double
RadioEnergyFit::GetFactor(uint32_t cluster, NodeIndex node) const
{
    const auto known = m_factors.find({cluster, node});
    if (known == m_factors.end())
    {
        return node == CONTROL_UNIT ? 1 : GetMean();
    }
    return std::clamp(GetMedian(known->second), 1 / LARGEST, LARGEST);
}

void
RadioEnergyFit::Correct(SystemState& state)
{
    if (!m_measuredJ.empty() && HasSameNodes(state, m_state))
    {
        Compare(state);
    }
    m_measuredJ.clear();
    if (m_factors.empty())
    {
        return;
    }
    for (uint32_t m = 0; m < state.clusters.size(); ++m)
    {
        auto& cluster = state.clusters[m];
        const auto nodes = static_cast<NodeIndex>(cluster.devices.size() + 1);
        for (NodeIndex i = 0; i < nodes; ++i)
        {
            const double factor = GetFactor(m, i);
            auto& node = i == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[i - 1];
            ScaleSending(factor, node.uplink);
            ScaleReceiving(factor, node.downlink);
            for (NodeIndex other = 0; other < nodes; ++other)
            {
                if (other != i)
                {
                    ScaleSending(factor, cluster.d2dLinks[i][other]);
                    ScaleReceiving(factor, cluster.d2dLinks[other][i]);
                }
            }
        }
    }
}

} // namespace collapipe
} // namespace ns3
