/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-medium.h"
#include "collapipe-fluid-player.h"
#include "collapipe-link-model.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

void
FluidPlayer::SetUp()
{
    m_flows.clear();
    m_chains.clear();
    m_clusters.assign(m_plan->clusters.size(), PlayedCluster());
    m_events.clear();
    m_order = 0;
    m_now = 0;
    m_reservations.clear();
    m_media.assign(2 + m_clusters.size(), PlayedMedium());
    for (std::size_t p = 0; p < m_media.size(); ++p)
    {
        m_media[p].free = GetPool(p).GetFreePart();
        m_media[p].acks.assign(m_media.size(), 0);
    }
    m_schedule = GetSchedule(m_plan->schedule);
    if (PeekPointer(m_schedule) != m_graphsOf)
    {
        m_graphs.clear();
        m_kept = m_schedule;
        m_graphsOf = PeekPointer(m_schedule);
    }
    std::size_t pipelines = 0;
    for (const auto& cluster : m_plan->clusters)
    {
        for (const auto& chain : cluster.chains)
        {
            pipelines += chain.stages.back().node == EDGE_SERVER ? 1 : 0;
        }
    }
    m_queues = m_state->edge.queues && pipelines > m_state->edge.workers;
    m_slowdown = m_queues ? 1 : GetEdgeSlowdown(m_state->edge, pipelines);
    m_workers = {m_state->edge.workers, {}};
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        m_clusters[m].firstChain = m_chains.size();
        m_clusters[m].chains = m_plan->clusters[m].chains.size();
        for (const auto& chain : m_plan->clusters[m].chains)
        {
            AddChain(m, chain);
        }
        AddSums(m);
    }
}

const PoolState&
FluidPlayer::GetPool(std::size_t pool) const
{
    return pool == 0   ? m_state->uplink
           : pool == 1 ? m_state->downlink
                       : m_state->clusters[pool - 2].d2d;
}

std::size_t
FluidPlayer::GetPoolIndex(std::size_t cluster, NodeIndex from, NodeIndex to)
{
    switch (collapipe::GetPool(from, to))
    {
    case Pool::UPLINK:
        return 0;
    case Pool::DOWNLINK:
        return 1;
    case Pool::D2D:
        break;
    }
    return 2 + cluster;
}

std::size_t
FluidPlayer::GetMediumIndex(std::size_t cluster,
                            const LinkState& link,
                            NodeIndex from,
                            NodeIndex to) const
{
    const std::size_t own = GetPoolIndex(cluster, from, to);
    const Pool taken = GetMedium(link, collapipe::GetPool(from, to));
    const std::size_t index = taken == Pool::D2D ? 2 + cluster : taken == Pool::UPLINK ? 0 : 1;
    return IsWorkConserving(GetPool(index)) ? index : own;
}

void
FluidPlayer::AddChain(std::size_t m, const ChainPlan& chain)
{
    PlayedChain played;
    played.cluster = m;
    const auto stages = static_cast<uint32_t>(chain.stages.size());
    auto& graph = m_graphs[{stages, chain.microBatches}];
    if (!graph)
    {
        graph =
            std::make_unique<PlayedGraph>(MakePlayedGraph(*m_schedule, stages, chain.microBatches));
    }
    played.graph = graph.get();
    for (const auto& stage : chain.stages)
    {
        played.stages.push_back(GetStageTimes(*m_state, m, chain, stage, m_slowdown));
    }
    played.iterations = m_plan->localIterations;
    played.exchangeS = GetExchangeTimeS(*m_state, m, chain);
    played.firstFlow = m_flows.size();
    m_transfers = ListTransfers(*m_state, m, ClusterPlan{{chain}, {}, m_plan->clusters[m].path});
    for (const auto& transfer : m_transfers)
    {
        AddFlow(m, transfer);
    }
    played.flows = m_flows.size() - played.firstFlow;
    for (std::size_t later = 0; later < m_transfers.size(); ++later)
    {
        // A link's first transfer of the round opens its connection for the others
        const Transfer& own = m_transfers[later];
        const auto end = m_transfers.begin() + static_cast<std::ptrdiff_t>(later);
        if (std::any_of(m_transfers.begin(), end, [&own](const Transfer& t) {
                return t.from == own.from && t.to == own.to;
            }))
        {
            m_flows[played.firstFlow + later].startupS = 0;
        }
    }
    SetHops(played, chain);
    const bool waits = m_queues && chain.stages.back().node == EDGE_SERVER;
    played.queuedStage = waits ? static_cast<int>(stages) - 1 : PlayedChain::NO_STAGE;
    played.alone = !waits && IsAlone(played);
    m_chains.push_back(std::move(played));
}

void
FluidPlayer::AddFlow(std::size_t m, const Transfer& t)
{
    const LinkState& link = *FindLinkState(m_state->clusters[m], t.from, t.to);
    const std::size_t index = GetMediumIndex(m, link, t.from, t.to);
    const bool works = IsWorkConserving(GetPool(index));
    const PoolState& pool = works ? GetPool(index) : GetLinkPool(*m_state, m, t.from, t.to);
    double share = 1;
    double power = link.maxPowerW;
    PlayedFlow flow;
    LinkPlan own;
    if (FindLinkPlan(*m_state, m, m_plan->clusters[m], t.phase, t.from, t.to, own))
    {
        share = own.share;
        power = own.powerW;
        flow.priority = pool.priorities ? own.priority : 0;
    }
    flow.chain = m_chains.size();
    flow.phase = t.phase;
    flow.leg = t.leg;
    flow.bits = t.bits + t.messages * GetMessageOverheadBits(link, pool, power);
    flow.latencyS = link.latencyS;
    flow.weight = share;
    flow.startupS = link.startupS;
    if (!works)
    {
        const double rateBps = GetLinkRateBps(*m_state, m, t.from, t.to, share, power);
        flow.fixedS = flow.bits / rateBps;
        flow.duty = GetAirTimeS(link, pool, share, power, flow.bits) / flow.fixedS;
        SetTurns(m, t, rateBps, flow);
        m_flows.push_back(flow);
        return;
    }
    flow.pool = static_cast<int>(index);
    flow.frequency = pool.mode == SharingMode::FREQUENCY;
    flow.scaleBps = link.efficiency * pool.bandwidthHz / std::log(2.0);
    flow.snr = power * link.gain / (link.snrGap * link.noiseDensityWPerHz * pool.bandwidthHz);
    flow.cap = link.maxSpectralEfficiency * std::log(2.0);
    SetRelay(m, t, link, flow);
    SetAcknowledgements(m, t, link, flow);
    m_flows.push_back(flow);
}

/// Links that use one reservation in turn are those of a medium of their own, all with the same
/// weight; none competes with others
void
FluidPlayer::SetTurns(std::size_t m, const Transfer& t, double rateBps, PlayedFlow& flow)
{
    if (!IsPooled(*m_state, m, t.from, t.to))
    {
        return;
    }
    const Reservation own = GetReservation(*m_state, m, t.from, t.to);
    const auto place = m_reservations.emplace(own, m_media.size()).first;
    if (place->second == m_media.size())
    {
        m_media.emplace_back();
    }
    flow.pool = static_cast<int>(place->second);
    flow.turnBps = rateBps;
    flow.weight = 1;
    flow.weighed = false;
}

void
FluidPlayer::SetRelay(std::size_t m, const Transfer& t, const LinkState& link, PlayedFlow& flow)
{
    PoolState whole = GetPool(static_cast<std::size_t>(flow.pool));
    whole.background = 0;
    if (link.relay != Relay::NONE && flow.pool == static_cast<int>(GetPoolIndex(m, t.from, t.to)))
    {
        return; // what relays it is no shared medium
    }
    if (link.relay == Relay::CONTROL_UNIT)
    {
        flow.weighed = false;
        flow.weight = GetTurnShare(m, t.phase);
        // Where the wire is the slower of both, it limits
        const double hopBps = GetRateBps(link, whole, 1, link.maxPowerW);
        flow.mostBps = link.fixedRateBps < hopBps ? link.fixedRateBps : flow.mostBps;
        return;
    }
    if (link.relay != Relay::BASE_STATION || !IsWorkConserving(m_state->downlink))
    {
        return;
    }
    const LinkState& down = GetNode(m_state->clusters[m], t.to).downlink;
    whole = m_state->downlink;
    whole.background = 0;
    flow.relayPool = 1;
    flow.relayPart = 1 / GetRateBps(down, whole, 1, down.maxPowerW);
}

double
FluidPlayer::GetTurnShare(std::size_t m, Phase phase) const
{
    double shares = 0;
    double count = 0;
    for (const auto& link : m_plan->clusters[m].links)
    {
        if (link.phase == phase && collapipe::GetPool(link.from, link.to) == Pool::D2D)
        {
            shares += link.share;
            count += 1;
        }
    }
    return shares > 0 ? shares / count : 1;
}

void
FluidPlayer::SetAcknowledgements(std::size_t m,
                                 const Transfer& t,
                                 const LinkState& link,
                                 PlayedFlow& flow)
{
    const LinkState* back = FindLinkState(m_state->clusters[m], t.to, t.from);
    const std::size_t index =
        back ? GetMediumIndex(m, *back, t.to, t.from) : GetPoolIndex(m, t.to, t.from);
    const PoolState& pool = GetPool(index);
    if (link.acknowledgementRatio <= 0 || !back || !IsWorkConserving(pool))
    {
        return;
    }
    PoolState whole = pool;
    whole.background = 0;
    flow.ackPool = static_cast<int>(index);
    flow.ackPart = link.acknowledgementRatio / GetRateBps(*back, whole, 1, back->maxPowerW);
}

int
FluidPlayer::FindFlow(const PlayedChain& chain, NodeIndex from, NodeIndex to) const
{
    for (std::size_t i = 0; i < m_transfers.size(); ++i)
    {
        const Transfer& t = m_transfers[i];
        if (t.phase == Phase::TRAINING && t.from == from && t.to == to)
        {
            return static_cast<int>(chain.firstFlow + i);
        }
    }
    return PlayedChain::NO_FLOW;
}

void
FluidPlayer::SetHops(PlayedChain& played, const ChainPlan& chain) const
{
    const auto& stages = chain.stages;
    for (std::size_t s = 0; s + 1 < stages.size(); ++s)
    {
        const NodeIndex here = stages[s].node;
        const NodeIndex next = stages[s + 1].node;
        played.hops.push_back({FindFlow(played, here, next), FindFlow(played, next, here)});
    }
    if (stages.size() > 2 && stages.back().node == EDGE_SERVER)
    {
        played.target = FindFlow(played, stages.front().node, EDGE_SERVER);
    }
}

/// Whether no other chain sends in the media of the chain's training, and no connection is opened
/// in it
bool
FluidPlayer::IsAlone(const PlayedChain& chain) const
{
    const bool single = m_plan->clusters.size() == 1;
    bool alone = m_plan->clusters[chain.cluster].chains.size() == 1;
    for (std::size_t f = chain.firstFlow; f < chain.firstFlow + chain.flows; ++f)
    {
        const PlayedFlow& flow = m_flows[f];
        const bool shared =
            flow.pool == 0 || flow.pool == 1 || flow.ackPool == 0 || flow.ackPool == 1;
        const bool alike = (single || !shared) && flow.startupS <= 0;
        alone = alone && (alike || flow.phase != Phase::TRAINING);
    }
    return alone;
}

} // namespace collapipe
} // namespace ns3
