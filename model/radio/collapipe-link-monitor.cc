/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-monitor.h"

#include "ns3/collapipe-fluid-medium.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/log.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLinkMonitor");
NS_OBJECT_ENSURE_REGISTERED(LinkMonitor);

namespace
{

constexpr double OTHERS_WEIGHT = 0.5; //!< of a round in what is known of other users
constexpr double MOST_OTHERS = 0.95;  //!< of a medium: something is always left
constexpr double LEAST_QUEUED = 0.5;  //!< of what (5), (6) expect of a message that queued
constexpr std::size_t NO_GAP = GapChoice::CANDIDATES / 2; //!< the candidate that changes no Gamma
constexpr double LEAST_SHARE = 0.02; //!< of a medium, that a link of low priority has
/// What waits for no share: the attribute SmallBytes of both schedulers, 1500 bytes
constexpr double SMALL_BITS = 12000;
constexpr double NOT_MEASURED = std::numeric_limits<double>::quiet_NaN();

/// @return SNR of a link at full power over its pool's whole bandwidth
double
GetFullSnr(const LinkState& link, const PoolState& pool)
{
    return link.maxPowerW * link.gain / (link.noiseDensityWPerHz * pool.bandwidthHz);
}

/// @return a medium of a state; nullptr where it has no such cluster
PoolState*
FindPool(SystemState& state, const LinkMonitor::PoolId& id)
{
    const auto& [pool, cluster] = id;
    if (pool != Pool::D2D)
    {
        return pool == Pool::UPLINK ? &state.uplink : &state.downlink;
    }
    return cluster < state.clusters.size() ? &state.clusters[cluster].d2d : nullptr;
}

/// Calls a function with every link of a state, and its id.
template <typename Function>
void
ForEachLink(SystemState& state, const Function& function)
{
    for (uint32_t m = 0; m < state.clusters.size(); ++m)
    {
        auto& cluster = state.clusters[m];
        const auto nodes = static_cast<NodeIndex>(cluster.devices.size() + 1);
        for (NodeIndex from = 0; from < nodes; ++from)
        {
            auto& node = from == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[from - 1];
            function(LinkId{m, from, EDGE_SERVER}, node.uplink);
            function(LinkId{m, EDGE_SERVER, from}, node.downlink);
            for (NodeIndex to = 0; to < nodes; ++to)
            {
                if (from != to)
                {
                    function(LinkId{m, from, to}, cluster.d2dLinks[from][to]);
                }
            }
        }
    }
}

} // namespace

TypeId
LinkMonitor::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::LinkMonitor")
            .SetParent<Object>()
            .SetGroupName("CollaPipe")
            .AddConstructor<LinkMonitor>()
            .AddTraceSource("Sinr",
                            "The radio reported a link's SINR: link, SINR (linear, over the "
                            "pool's whole bandwidth), transmit power in W",
                            MakeTraceSourceAccessor(&LinkMonitor::m_sinrTrace),
                            "ns3::collapipe::LinkMonitor::SinrTracedCallback")
            .AddTraceSource("Mcs",
                            "The radio sent a transport block or a frame: link, index of the "
                            "modulation and coding scheme",
                            MakeTraceSourceAccessor(&LinkMonitor::m_mcsTrace),
                            "ns3::collapipe::LinkMonitor::McsTracedCallback")
            .AddTraceSource("Goodput",
                            "A message arrived: link, phase, its bits, seconds in which the link "
                            "served it",
                            MakeTraceSourceAccessor(&LinkMonitor::m_goodputTrace),
                            "ns3::collapipe::LinkMonitor::GoodputTracedCallback")
            .AddTraceSource("Report",
                            "A round ended: for each link that was observed in it, means of what "
                            "was measured, and the fitted g, e, Gamma and d",
                            MakeTraceSourceAccessor(&LinkMonitor::m_reportTrace),
                            "ns3::collapipe::LinkMonitor::ReportTracedCallback")
            .AddTraceSource("Forecast",
                            "A round ended: its number, latency in s as planned, and as measured",
                            MakeTraceSourceAccessor(&LinkMonitor::m_forecastTrace),
                            "ns3::collapipe::LinkMonitor::ForecastTracedCallback");
    return tid;
}

// ---------------------------------------------------------------- what the controller gets

void
LinkMonitor::Update(SystemState& state)
{
    NS_LOG_FUNCTION(this << state.round);
    for (const auto& [pool, others] : m_others)
    {
        if (PoolState* known = FindPool(state, pool))
        {
            known->background = others.part;
        }
    }
    m_expected = state;
    for (auto& meter : m_meters)
    {
        const auto* link = FindExpected(meter.link);
        meter.maxPowerW = link ? link->maxPowerW : 0;
    }
    ForEachLink(state, [this](const LinkId& id, LinkState& link) { Correct(id, link); });
}

void
LinkMonitor::AddOthers(const PoolId& pool, std::function<double()> take)
{
    m_others[pool].take = std::move(take);
}

void
LinkMonitor::UpdateOthers()
{
    for (auto& [pool, others] : m_others)
    {
        const double part = others.take();
        if (!std::isnan(part))
        {
            others.seen = std::min(part, MOST_OTHERS);
            others.part += (others.known ? OTHERS_WEIGHT : 1) * (others.seen - others.part);
            others.known = true;
        }
        // The round's transfers are compared with what was left to them
        if (PoolState* state = FindPool(m_expected, pool))
        {
            state->background = others.seen;
        }
    }
}

void
LinkMonitor::Correct(const LinkId& id, LinkState& link) const
{
    CorrectByFit(id, link);
    const auto wait = m_waits.find(id.cluster);
    if (wait != m_waits.end())
    {
        AddWait(id, wait->second, link);
    }
}

bool
LinkMonitor::IsWire(const LinkId& id) const
{
    return GetPoolState(m_expected, id.cluster, GetMediumId(id).first).mode ==
           SharingMode::DEDICATED;
}

void
LinkMonitor::CorrectByFit(const LinkId& id, LinkState& link) const
{
    const PoolId pool = GetPoolId(id);
    if (IsWire(id))
    {
        return; // a wire has the rate that it has
    }
    const PoolState& medium = GetPoolState(m_expected, id.cluster, GetMediumId(id).first);
    const double before = GetRateBps(link, medium, 1, link.maxPowerW);
    const bool isWireSlower = link.fixedRateBps < before;
    const Meter* meter = FindMeter(id);
    const double ratio = meter ? meter->gain.GetRatio() : 1;
    link.gain *= ratio;
    link.minPowerW = std::min(link.minPowerW / ratio, link.maxPowerW);
    const std::size_t gap = GetGap(pool);
    link.snrGap *= GapChoice::GetFactor(gap);
    const auto own = m_fits.find(id);
    const TransferFit fit = own == m_fits.end() ? GetPoolMean(pool) : own->second[gap];
    if (fit.known)
    {
        link.latencyS = fit.delayS;
        link.efficiency /= fit.slowness;
    }
    // What a message takes beside its payload is time on the air, which no better rate makes
    // shorter. (Headers are bits; yet where they counted as such, the default run's forecasts were
    // 8 % too short: messages of a few of LTE's transport blocks.)
    const double now = GetRateBps(link, medium, 1, link.maxPowerW);
    link.overheadBits *= before > 0 && now > 0 ? now / before : 1;
    link.fixedRateBps = isWireSlower ? std::min(link.fixedRateBps, now) : now;
}

LinkMonitor::PoolId
LinkMonitor::GetPoolId(const LinkId& link)
{
    const Pool pool = GetPool(link.from, link.to);
    return {pool, pool == Pool::D2D ? link.cluster : 0};
}

LinkMonitor::PoolId
LinkMonitor::GetMediumId(const LinkId& link) const
{
    const PoolId own = GetPoolId(link);
    const LinkState* expected = FindExpected(link);
    const Pool medium = expected ? GetMedium(*expected, own.first) : own.first;
    return {medium, medium == Pool::D2D ? link.cluster : 0};
}

std::optional<Reservation>
LinkMonitor::FindReservation(const LinkId& link) const
{
    if (!FindExpected(link) || !IsPooled(m_expected, link.cluster, link.from, link.to))
    {
        return std::nullopt;
    }
    return GetReservation(m_expected, link.cluster, link.from, link.to);
}

bool
LinkMonitor::HasReservedMedium(const LinkId& link) const
{
    return FindExpected(link) &&
           IsReserved(GetPoolState(m_expected, link.cluster, GetMediumId(link).first));
}

Time
LinkMonitor::GetLatency(const LinkId& link) const
{
    const LinkState* expected = FindExpected(link);
    return Seconds(expected ? expected->latencyS : 0);
}

std::size_t
LinkMonitor::GetGap(const PoolId& pool) const
{
    const auto it = m_gaps.find(pool);
    return it == m_gaps.end() ? GapChoice().GetBest() : it->second.GetBest();
}

TransferFit
LinkMonitor::GetPoolMean(const PoolId& pool) const
{
    const std::size_t gap = GetGap(pool);
    TransferFit mean;
    double logSlowness = 0;
    uint32_t count = 0;
    for (const auto& [id, fits] : m_fits)
    {
        if (GetPoolId(id) == pool)
        {
            mean.delayS += fits[gap].delayS;
            logSlowness += std::log(fits[gap].slowness);
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

const LinkState*
LinkMonitor::FindExpected(const LinkId& link) const
{
    return link.cluster < m_expected.clusters.size()
               ? FindLinkState(m_expected.clusters[link.cluster], link.from, link.to)
               : nullptr;
}

const LinkMonitor::Meter*
LinkMonitor::FindMeter(const LinkId& link) const
{
    auto it = m_numbers.find(link);
    const bool throughCell = link.cluster < m_expected.clusters.size() &&
                             m_expected.clusters[link.cluster].d2d.mode == SharingMode::FREQUENCY;
    const LinkState* expected = FindExpected(link);
    if (it == m_numbers.end() && expected && expected->relay == Relay::CONTROL_UNIT)
    {
        const auto hop = [](NodeIndex end) { return end == EDGE_SERVER ? CONTROL_UNIT : end; };
        it = m_numbers.find({link.cluster, hop(link.from), hop(link.to)});
    }
    if (it == m_numbers.end() && throughCell && GetPool(link.from, link.to) == Pool::D2D)
    {
        it = m_numbers.find({link.cluster, link.from, EDGE_SERVER}); // the sender's uplink
    }
    return it == m_numbers.end() ? nullptr : &m_meters[it->second];
}

// ---------------------------------------------------------------- what is observed

uint32_t
LinkMonitor::AddMeter(const LinkId& link, double maxSinr)
{
    const auto [it, isNew] = m_numbers.emplace(link, m_meters.size());
    if (isNew)
    {
        Meter meter;
        meter.link = link;
        m_meters.push_back(meter);
    }
    m_meters[it->second].maxSinr = maxSinr;
    return it->second;
}

void
LinkMonitor::ObserveSinr(uint32_t meter, double sinr, double powerW)
{
    Meter& target = m_meters[meter];
    m_sinrTrace(target.link, sinr, powerW);
    if (target.maxPowerW > 0 && sinr > 0 && powerW > 0)
    {
        const double full = sinr * target.maxPowerW / powerW;
        target.sinr.Add(std::min(full, target.maxSinr));
        target.sinrSum += full;
    }
}

void
LinkMonitor::ObserveMcs(uint32_t meter, uint32_t mcs)
{
    Meter& target = m_meters[meter];
    m_mcsTrace(target.link, mcs);
    target.mcsSum += mcs;
    ++target.blocks;
}

void
LinkMonitor::ObserveIteration(uint32_t cluster, double seconds)
{
    m_iterations[cluster] = seconds;
}

void
LinkMonitor::ObserveTransfer(const LinkId& link,
                             Phase phase,
                             double bits,
                             double seconds,
                             bool queued,
                             double share)
{
    m_goodputTrace(link, phase, bits, seconds);
    auto& served = m_served[{link, phase, queued}];
    served.bits += bits;
    served.seconds += seconds;
    served.shareSeconds += share * seconds;
    ++served.count;
}

// ---------------------------------------------------------------- rounds

void
LinkMonitor::BeginRound(uint32_t round, const RoundPlan& plan)
{
    m_round = round;
    m_plan = plan;
    m_served.clear();
    m_iterations.clear();
    for (auto& meter : m_meters)
    {
        meter.sinr = SinrStatistics();
        meter.sinrSum = 0;
        meter.mcsSum = meter.blocks = 0;
    }
}

void
LinkMonitor::EndRound(double latencyS)
{
    UpdateOthers();
    UpdateGains();
    UpdateFits();
    UpdateWaits();
    Report();
    if (m_plan.plannedLatencyS > 0)
    {
        m_forecastTrace(m_round, m_plan.plannedLatencyS, latencyS);
    }
}

void
LinkMonitor::UpdateGains()
{
    for (auto& meter : m_meters)
    {
        const auto* link = FindExpected(meter.link);
        if (!link || meter.sinr.GetCount() == 0)
        {
            continue;
        }
        const auto& pool =
            GetPoolState(m_expected, meter.link.cluster, GetPoolId(meter.link).first);
        meter.seenRatio = meter.sinr.GetEffective() / GetFullSnr(*link, pool);
        meter.gain.Observe(10 * std::log10(meter.seenRatio), meter.sinr.GetVarianceDb2());
    }
}

bool
LinkMonitor::IsSmall(const Served& served)
{
    return served.bits <= SMALL_BITS * served.count;
}

double
LinkMonitor::GetExpectedS(const TransferKind& kind, const Served& served, double gapFactor) const
{
    const auto& [link, phase, queued] = kind;
    const auto* expected = FindExpected(link);
    if (!expected)
    {
        return 0;
    }
    LinkState seen = *expected;
    const Meter* meter = FindMeter(link);
    seen.gain *= meter ? meter->seenRatio : 1;
    seen.snrGap *= gapFactor;
    double share = 1;
    double turn = 1; // of its reservation's time, at all of the share
    double powerW = expected->maxPowerW;
    LinkPlan planned;
    const ClusterPlan& plan = m_plan.clusters.at(link.cluster);
    if (FindLinkPlan(m_expected, link.cluster, plan, phase, link.from, link.to, planned))
    {
        share = planned.share;
        powerW = planned.powerW > 0 ? planned.powerW : powerW;
    }
    const auto& pool = GetPoolState(m_expected, link.cluster, GetMediumId(link).first);
    if (IsSmall(served))
    {
        share = 1;
    }
    else if (pool.sharing == Sharing::WORK_CONSERVING)
    {
        // Priorities, and others who share a relay's medium, may leave a link less than its weight
        const bool isLess = pool.priorities || expected->relay != Relay::NONE;
        const double least = isLess ? std::min(share, LEAST_SHARE) : share;
        share = std::clamp(served.shareSeconds / served.seconds, least, 1.0);
    }
    else if (FindReservation(link))
    {
        turn = std::clamp(served.shareSeconds / served.seconds, LEAST_SHARE, 1.0);
    }
    const double rate = turn * GetRateBps(seen, pool, share, powerW);
    const double overheadBits = GetTransportOverheadBits(seen, pool, powerW);
    return rate > 0 ? (served.bits / served.count + overheadBits) / rate : 0;
}

void
LinkMonitor::UpdateFits()
{
    /// A mean transfer, and what each Gamma expects of it
    struct Observation
    {
        LinkId link;
        bool queued;
        double measuredS;
        std::array<double, GapChoice::CANDIDATES> expectedS;
    };

    for (auto& [pool, gaps] : m_gaps)
    {
        gaps.Age();
    }
    std::vector<Observation> observations;
    for (const auto& [key, served] : m_served)
    {
        const auto& [link, phase, queued] = key;
        if (queued && IsSmall(served))
        {
            continue; // they go together, and tell of no rate
        }
        Observation seen{link, queued, served.seconds / served.count, {}};
        for (std::size_t i = 0; i < seen.expectedS.size(); ++i)
        {
            seen.expectedS[i] = GetExpectedS(key, served, GapChoice::GetFactor(i));
        }
        // Where shares are kept nothing is sent in half of the time: it has not waited for the last
        const bool isBeside = queued && HasReservedMedium(link) &&
                              seen.measuredS < LEAST_QUEUED * seen.expectedS[NO_GAP];
        if (served.seconds > 0 && seen.expectedS[0] > 0 && !isBeside)
        {
            observations.push_back(seen);
        }
    }
    // First what the rounds before forecast, then what this one adds
    for (const auto& seen : observations)
    {
        const auto fits = m_fits.find(seen.link);
        for (std::size_t i = 0; fits != m_fits.end() && i < seen.expectedS.size(); ++i)
        {
            const auto& fit = fits->second[i];
            const double predictedS = fit.Predict(seen.expectedS[i], seen.queued);
            m_gaps[GetPoolId(seen.link)].Add(i,
                                             predictedS,
                                             seen.measuredS,
                                             fit.slowness * seen.expectedS[i] / predictedS);
        }
    }
    for (auto& [link, fits] : m_fits)
    {
        for (auto& fit : fits)
        {
            fit.Age();
        }
    }
    for (const auto& seen : observations)
    {
        auto& fits = m_fits[seen.link];
        for (std::size_t i = 0; i < seen.expectedS.size(); ++i)
        {
            fits[i].Add(seen.expectedS[i], seen.measuredS, seen.queued);
        }
    }
    for (auto& [link, fits] : m_fits)
    {
        const auto* expected = FindExpected(link);
        for (auto& fit : fits)
        {
            fit.Solve(expected ? expected->latencyS : 0);
        }
    }
}

SystemState
LinkMonitor::MakeFittedState(uint32_t cluster, double wait) const
{
    SystemState state = m_expected;
    ForEachLink(state, [&](const LinkId& id, LinkState& link) {
        CorrectByFit(id, link);
        if (id.cluster == cluster)
        {
            AddWait(id, wait, link);
        }
    });
    return state;
}

void
LinkMonitor::Report() const
{
    std::map<LinkId, Served> all;
    for (const auto& meter : m_meters)
    {
        if (meter.sinr.GetCount() > 0 || meter.blocks > 0)
        {
            all[meter.link];
        }
    }
    for (const auto& [key, served] : m_served)
    {
        Served& sum = all[std::get<LinkId>(key)];
        sum.bits += served.bits;
        sum.seconds += served.seconds;
    }
    for (const auto& [id, served] : all)
    {
        const auto* expected = FindExpected(id);
        if (!expected)
        {
            continue;
        }
        LinkState link = *expected;
        Correct(id, link);
        LinkReport report{id, m_round, NOT_MEASURED, NOT_MEASURED, NOT_MEASURED};
        const auto number = m_numbers.find(id);
        if (number != m_numbers.end())
        {
            const Meter& meter = m_meters[number->second];
            report.sinr =
                meter.sinr.GetCount() > 0 ? meter.sinrSum / meter.sinr.GetCount() : NOT_MEASURED;
            report.mcs =
                meter.blocks > 0 ? static_cast<double>(meter.mcsSum) / meter.blocks : NOT_MEASURED;
        }
        report.goodputBps = served.seconds > 0 ? served.bits / served.seconds : NOT_MEASURED;
        report.gain = link.gain;
        report.efficiency = link.efficiency;
        report.snrGap = link.snrGap;
        report.delayS = link.latencyS;
        m_reportTrace(report);
    }
}

} // namespace collapipe
} // namespace ns3
