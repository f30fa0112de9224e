/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-monitor.h"

#include "ns3/collapipe-link-model.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FORGETTING = 0.5;     //!< weight of what was known, per round
constexpr double DELAY_WEIGHT = 0.005; //!< of the prior on D, where a round's transfers have 1
constexpr double RATE_WEIGHT = 0.005;  //!< of the prior on rho
constexpr double MIN_SLOWNESS = 0.5;   //!< beyond, a link took what others left and says little
constexpr double MIN_DELAY_S = 1e-6;

} // namespace

void
LinkMonitor::Update(SystemState& state)
{
    m_expected = state;
    const Fit uplink = GetPoolMean(0, Pool::UPLINK);
    const Fit downlink = GetPoolMean(0, Pool::DOWNLINK);
    for (uint32_t m = 0; m < state.clusters.size(); ++m)
    {
        auto& cluster = state.clusters[m];
        const Fit d2d = GetPoolMean(m, Pool::D2D);
        const auto nodes = static_cast<NodeIndex>(cluster.devices.size() + 1);
        for (NodeIndex from = 0; from < nodes; ++from)
        {
            auto& node = from == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[from - 1];
            Correct({m, from, EDGE_SERVER}, node.uplink, &uplink);
            Correct({m, EDGE_SERVER, from}, node.downlink, &downlink);
            for (NodeIndex to = 0; to < nodes; ++to)
            {
                if (from != to)
                {
                    Correct({m, from, to}, cluster.d2dLinks[from][to], &d2d);
                }
            }
        }
    }
}

void
LinkMonitor::Correct(const LinkId& id, LinkState& link, const Fit* poolMean) const
{
    if (GetPoolState(m_expected, id.cluster, GetPool(id.from, id.to)).mode ==
        SharingMode::DEDICATED)
    {
        return; // a wire has the rate that it has
    }
    const auto ratio = m_gainRatios.find(id);
    link.gain *= ratio == m_gainRatios.end() ? 1 : ratio->second;
    const auto own = m_fits.find(id);
    const Fit& fit = own == m_fits.end() ? *poolMean : own->second;
    if (fit.known)
    {
        link.latencyS = fit.delayS;
        link.efficiency /= fit.slowness;
    }
}

LinkMonitor::Fit
LinkMonitor::GetPoolMean(uint32_t cluster, Pool pool) const
{
    Fit mean;
    double logSlowness = 0;
    uint32_t count = 0;
    for (const auto& [id, fit] : m_fits)
    {
        if (GetPool(id.from, id.to) == pool && (pool != Pool::D2D || id.cluster == cluster))
        {
            mean.delayS += fit.delayS;
            logSlowness += std::log(fit.slowness);
            ++count;
        }
    }
    if (count > 0)
    {
        mean.known = true;
        mean.delayS /= count;
        mean.slowness = std::exp(logSlowness / count);
    }
    return mean;
}

void
LinkMonitor::BeginRound(const RoundPlan& plan)
{
    m_plan = plan;
    m_served.clear();
    m_sinrs.clear();
}

void
LinkMonitor::ObserveTransfer(const LinkId& link,
                             Phase phase,
                             double bits,
                             double seconds,
                             bool queued)
{
    auto& mean = m_served[{link, phase, queued}];
    mean.first += bits;
    mean.second += seconds;
    ++mean.count;
}

void
LinkMonitor::ObserveSinr(const LinkId& link, double sinr, double powerW)
{
    const auto* expected = FindExpected(link);
    if (!expected || sinr <= 0 || powerW <= 0)
    {
        return;
    }
    const auto& pool = GetPoolState(m_expected, link.cluster, GetPool(link.from, link.to));
    const double snr = powerW * expected->gain / (expected->noiseDensityWPerHz * pool.bandwidthHz);
    auto& mean = m_sinrs[link];
    mean.first += 10 * std::log10(sinr / snr);
    ++mean.count;
}

const LinkState*
LinkMonitor::FindExpected(const LinkId& link) const
{
    return link.cluster < m_expected.clusters.size()
               ? FindLinkState(m_expected.clusters[link.cluster], link.from, link.to)
               : nullptr;
}

double
LinkMonitor::GetExpectedSecondsPerBit(const LinkId& link, Phase phase) const
{
    const auto* expected = FindExpected(link);
    if (!expected)
    {
        return 0;
    }
    double share = 1;
    double powerW = expected->maxPowerW;
    for (const auto& planned : m_plan.clusters.at(link.cluster).links)
    {
        if (planned.phase == phase && planned.from == link.from && planned.to == link.to)
        {
            share = planned.share;
            powerW = planned.powerW > 0 ? planned.powerW : powerW;
        }
    }
    const auto& pool = GetPoolState(m_expected, link.cluster, GetPool(link.from, link.to));
    const double rate = GetRateBps(*expected, pool, share, powerW);
    return rate > 0 ? 1 / rate : 0;
}

void
LinkMonitor::EndRound()
{
    for (auto& [id, fit] : m_fits)
    {
        for (double* sum : {&fit.a11, &fit.a12, &fit.a22, &fit.b1, &fit.b2})
        {
            *sum *= FORGETTING;
        }
    }
    for (const auto& [key, mean] : m_served)
    {
        const auto& [id, phase, queued] = key;
        const auto* link = FindExpected(id);
        const double bits = mean.first / mean.count + (link ? link->overheadBits : 0);
        const double expectedS = bits * GetExpectedSecondsPerBit(id, phase);
        const double measuredS = mean.second / mean.count;
        if (expectedS > 0 && measuredS > 0)
        {
            AddObservation(m_fits[id], expectedS, measuredS, queued);
        }
    }
    for (auto& [id, fit] : m_fits)
    {
        Solve(fit, FindExpected(id)->latencyS);
    }
    for (const auto& [id, mean] : m_sinrs)
    {
        m_gainRatios[id] = std::pow(10, mean.first / mean.count / 10);
    }
    m_served.clear();
    m_sinrs.clear();
}

void
LinkMonitor::AddObservation(Fit& fit, double expectedS, double measuredS, bool queued) const
{
    const double one = queued ? 0 : 1 / measuredS;
    const double x = expectedS / measuredS;
    fit.a11 += one * one;
    fit.a12 += one * x;
    fit.a22 += x * x;
    fit.b1 += one;
    fit.b2 += x;
    fit.known = true;
}

void
LinkMonitor::Solve(Fit& fit, double expectedDelayS) const
{
    const double d0 = std::max(expectedDelayS, MIN_DELAY_S);
    const double a11 = fit.a11 + DELAY_WEIGHT / (d0 * d0);
    const double a22 = fit.a22 + RATE_WEIGHT;
    const double b1 = fit.b1 + DELAY_WEIGHT / d0;
    const double b2 = fit.b2 + RATE_WEIGHT;
    fit.delayS = (b1 * a22 - b2 * fit.a12) / (a11 * a22 - fit.a12 * fit.a12);
    fit.delayS = std::max(fit.delayS, 0.0);
    fit.slowness = std::max((b2 - fit.a12 * fit.delayS) / a22, MIN_SLOWNESS);
    if (fit.slowness == MIN_SLOWNESS)
    {
        fit.delayS = std::max((b1 - fit.a12 * fit.slowness) / a11, 0.0);
    }
}

} // namespace collapipe
} // namespace ns3
