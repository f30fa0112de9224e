/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-player.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double LEAST_CAPACITY = 0.05; //!< of a medium, that acknowledgements leave
constexpr uint8_t LEGS = 2;             //!< of a phase's transfers, at most

} // namespace

FluidRound
FluidPlayer::Play(const SystemState& state, const RoundPlan& plan)
{
    m_state = &state;
    m_plan = &plan;
    SetUp();
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        BeginDistribution(m);
    }
    Run();
    return GetResult();
}

void
FluidPlayer::Push(double timeS, PlayedEvent::Kind kind, std::size_t index, int32_t task)
{
    m_events.push_back({timeS, m_order++, kind, index, task});
    std::push_heap(m_events.begin(), m_events.end());
}

void
FluidPlayer::Run()
{
    while (true)
    {
        Refresh();
        std::size_t pool = m_media.size();
        double first = PlayedMedium::NEVER;
        for (std::size_t p = 0; p < m_media.size(); ++p)
        {
            if (m_media[p].nextS < first)
            {
                first = m_media[p].nextS;
                pool = p;
            }
        }
        if (!m_events.empty() && m_events.front().timeS <= first)
        {
            std::pop_heap(m_events.begin(), m_events.end());
            const PlayedEvent event = m_events.back();
            m_events.pop_back();
            m_now = event.timeS;
            Handle(event);
        }
        else if (pool < m_media.size())
        {
            m_now = first;
            EndShared(pool);
        }
        else
        {
            return;
        }
    }
}

void
FluidPlayer::Handle(const PlayedEvent& event)
{
    switch (event.kind)
    {
    case PlayedEvent::COMPUTED:
        EndComputation(event.index, event.task);
        break;
    case PlayedEvent::CARRIED:
        m_flows[event.index].airS += m_flows[event.index].fixedS * m_flows[event.index].duty;
        EndTransfer(event.index);
        break;
    case PlayedEvent::ARRIVED:
        Release(event.index, m_chains[event.index].graph->tasks[event.task].output);
        break;
    case PlayedEvent::TARGETED:
        Release(event.index, m_chains[event.index].graph->targets[event.task]);
        break;
    case PlayedEvent::DELIVERED:
        EndDelivery(m_chains[event.index].cluster);
        break;
    case PlayedEvent::SUMMED:
        EndSum(event.index);
        break;
    case PlayedEvent::ITERATE:
        BeginIteration(event.index);
        break;
    }
}

void
FluidPlayer::BeginDistribution(std::size_t m)
{
    if (!BeginTransfers(m, Phase::DISTRIBUTION, 0))
    {
        BeginTraining(m);
    }
}

bool
FluidPlayer::BeginTransfers(std::size_t m, Phase phase, uint8_t leg)
{
    PlayedCluster& cluster = m_clusters[m];
    cluster.waiting = 0;
    for (cluster.leg = leg; cluster.leg < LEGS && cluster.waiting == 0; ++cluster.leg)
    {
        BeginLeg(m, phase);
    }
    return cluster.waiting > 0;
}

void
FluidPlayer::BeginLeg(std::size_t m, Phase phase)
{
    PlayedCluster& cluster = m_clusters[m];
    for (std::size_t c = cluster.firstChain; c < cluster.firstChain + cluster.chains; ++c)
    {
        BeginLeg(cluster, m_chains[c], phase);
    }
}

void
FluidPlayer::BeginLeg(PlayedCluster& cluster, const PlayedChain& chain, Phase phase)
{
    for (std::size_t f = chain.firstFlow; f < chain.firstFlow + chain.flows; ++f)
    {
        if (m_flows[f].phase == phase && m_flows[f].leg == cluster.leg)
        {
            ++cluster.waiting;
            BeginTransfer(f, 0);
        }
    }
}

void
FluidPlayer::BeginTraining(std::size_t m)
{
    PlayedCluster& cluster = m_clusters[m];
    cluster.distributionS = m_now;
    cluster.begun = true;
    cluster.training = cluster.chains;
    for (std::size_t c = cluster.firstChain; c < cluster.firstChain + cluster.chains; ++c)
    {
        Push(m_now, PlayedEvent::ITERATE, c, 0);
    }
}

void
FluidPlayer::EndDelivery(std::size_t m)
{
    PlayedCluster& cluster = m_clusters[m];
    if (--cluster.waiting > 0)
    {
        return;
    }
    if (!cluster.begun)
    {
        if (!BeginTransfers(m, Phase::DISTRIBUTION, cluster.leg))
        {
            BeginTraining(m);
        }
    }
    else if (cluster.trained && !BeginTransfers(m, Phase::UPLOAD, cluster.leg))
    {
        cluster.endS = m_now;
    }
}

/// A chain's parameters set out; those of several are carried in one leg.
void
FluidPlayer::EndTraining(std::size_t c)
{
    const std::size_t m = m_chains[c].cluster;
    PlayedCluster& cluster = m_clusters[m];
    cluster.trained = --cluster.training == 0;
    cluster.trainingS = m_now;
    cluster.endS = m_now;
    if (cluster.chains == 1)
    {
        BeginTransfers(m, Phase::UPLOAD, 0);
        return;
    }
    cluster.leg = 0;
    BeginLeg(cluster, m_chains[c], Phase::UPLOAD);
    cluster.leg = LEGS;
}

void
FluidPlayer::BeginIteration(std::size_t c)
{
    PlayedChain& chain = m_chains[c];
    if (chain.iterations == 0)
    {
        EndTraining(c);
        return;
    }
    --chain.iterations;
    chain.begunS = m_now;
    chain.left = chain.graph->computations;
    chain.stageLeft = chain.graph->byStage;
    chain.unstepped = static_cast<uint32_t>(chain.stages.size());
    const bool targets = chain.target != PlayedChain::NO_FLOW;
    chain.waits = targets ? chain.graph->waitsWithTargets : chain.graph->waits;
    if (targets)
    {
        BeginTransfer(chain.target, -1);
    }
    for (const int32_t root : chain.graph->roots)
    {
        if (chain.waits[root] == 0)
        {
            BeginTask(c, root);
        }
    }
}

void
FluidPlayer::EndIteration(std::size_t c)
{
    PlayedChain& chain = m_chains[c];
    double next = m_now + chain.exchangeS;
    if (chain.alone && chain.iterations > 0)
    {
        // All are alike: what this one took, the others take too
        const double times = chain.iterations;
        next += times * (next - chain.begunS);
        for (std::size_t f = chain.firstFlow; f < chain.firstFlow + chain.flows; ++f)
        {
            PlayedFlow& flow = m_flows[f];
            const double factor = flow.phase == Phase::TRAINING ? 1 + times : 1;
            flow.busyS *= factor;
            flow.airS *= factor;
            flow.count *= factor;
        }
        chain.iterations = 0;
        chain.lastS += next - m_now - chain.exchangeS;
        chain.lastEnds += static_cast<uint32_t>(times);
    }
    Push(next, PlayedEvent::ITERATE, c, 0);
}

void
FluidPlayer::EndLastStage(PlayedChain& chain) const
{
    chain.lastS = m_now;
    chain.lastFirstS = chain.lastEnds == 0 ? m_now : chain.lastFirstS;
    ++chain.lastEnds;
}

void
FluidPlayer::Release(std::size_t c, int32_t task)
{
    if (task != Task::NONE && --m_chains[c].waits[task] == 0)
    {
        BeginTask(c, task);
    }
}

void
FluidPlayer::BeginTask(std::size_t c, int32_t index)
{
    const PlayedChain& chain = m_chains[c];
    const PlayedTask& task = chain.graph->tasks[index];
    switch (task.kind)
    {
    case Task::FORWARD:
    case Task::BACKWARD:
        BeginComputation(c, index);
        return;
    case Task::LINK_FORWARD:
    case Task::LINK_BACKWARD:
        break;
    }
    const int flow = chain.hops[task.stage][task.kind == Task::LINK_FORWARD ? 0 : 1];
    if (flow == PlayedChain::NO_FLOW)
    {
        Release(c, task.after);
        Release(c, task.output);
        return;
    }
    BeginTransfer(static_cast<std::size_t>(flow), index);
}

void
FluidPlayer::BeginComputation(std::size_t c, int32_t index)
{
    const PlayedChain& chain = m_chains[c];
    if (static_cast<int>(chain.graph->tasks[index].stage) != chain.queuedStage)
    {
        Compute(c, index);
    }
    else if (m_workers.free > 0)
    {
        --m_workers.free;
        Compute(c, index);
    }
    else
    {
        m_workers.waiting.emplace_back(c, index);
    }
}

void
FluidPlayer::Compute(std::size_t c, int32_t index)
{
    const PlayedTask& task = m_chains[c].graph->tasks[index];
    const HopTimes& times = m_chains[c].stages[task.stage];
    const double passS = task.kind == Task::FORWARD ? times.forwardS : times.backwardS;
    Push(m_now + passS, PlayedEvent::COMPUTED, c, index);
}

void
FluidPlayer::FreeWorker()
{
    if (m_workers.waiting.empty())
    {
        ++m_workers.free;
        return;
    }
    const auto [c, index] = m_workers.waiting.front();
    m_workers.waiting.pop_front();
    Compute(c, index);
}

void
FluidPlayer::EndComputation(std::size_t c, int32_t index)
{
    PlayedChain& chain = m_chains[c];
    const PlayedTask& task = chain.graph->tasks[index];
    if (static_cast<int>(task.stage) == chain.queuedStage)
    {
        FreeWorker();
    }
    Release(c, task.after);
    Release(c, task.output);
    const bool isAlone = m_clusters[chain.cluster].sums.empty();
    if (--chain.stageLeft[task.stage] == 0)
    {
        if (task.stage + 1U == chain.stages.size())
        {
            EndLastStage(chain);
        }
        if (!isAlone)
        {
            EndStage(c, task.stage);
        }
    }
    if (--chain.left == 0 && isAlone)
    {
        EndIteration(c);
    }
}

void
FluidPlayer::BeginTransfer(std::size_t f, int32_t task)
{
    PlayedFlow& flow = m_flows[f];
    flow.task = task;
    flow.begunS = m_now;
    if (flow.pool == PlayedFlow::NO_POOL)
    {
        Push(m_now + flow.fixedS, PlayedEvent::CARRIED, f, 0);
        return;
    }
    PlayedMedium& medium = m_media[flow.pool];
    Advance(medium);
    flow.leftBits = flow.bits;
    flow.rateBps = 0;
    medium.active.push_back(f);
    medium.dirty = true;
}

/// The transfer that ends next in a medium does so now.
void
FluidPlayer::EndShared(std::size_t pool)
{
    PlayedMedium& medium = m_media[pool];
    Advance(medium);
    const std::size_t f = medium.nextFlow;
    m_flows[f].leftBits = 0;
    medium.active.erase(std::find(medium.active.begin(), medium.active.end(), f));
    medium.dirty = true;
    EndTransfer(f);
}

void
FluidPlayer::EndTransfer(std::size_t f)
{
    PlayedFlow& flow = m_flows[f];
    flow.busyS += m_now - flow.begunS;
    flow.count += 1;
    const double arrival = m_now + flow.latencyS + flow.startupS;
    flow.startupS = 0;
    const std::size_t c = flow.chain;
    if (flow.sumStage != PlayedFlow::NO_SUM)
    {
        Push(arrival, PlayedEvent::SUMMED, f, 0);
        return;
    }
    if (flow.phase != Phase::TRAINING)
    {
        Push(arrival, PlayedEvent::DELIVERED, c, 0);
        return;
    }
    if (flow.task < 0)
    {
        const int32_t i = -1 - flow.task;
        Push(arrival, PlayedEvent::TARGETED, c, i);
        if (static_cast<std::size_t>(i) + 1 < m_chains[c].graph->targets.size())
        {
            BeginTransfer(f, flow.task - 1);
        }
        return;
    }
    const int32_t index = flow.task;
    Push(arrival, PlayedEvent::ARRIVED, c, index);
    Release(c, m_chains[c].graph->tasks[index].after);
}

void
FluidPlayer::Advance(PlayedMedium& medium)
{
    const double passed = m_now - medium.sinceS;
    medium.sinceS = m_now;
    for (std::size_t i = 0; i < medium.active.size() && passed > 0; ++i)
    {
        PlayedFlow& flow = m_flows[medium.active[i]];
        flow.leftBits = std::max(0.0, flow.leftBits - flow.rateBps * passed);
        flow.airS +=
            (flow.frequency ? (flow.rateBps > 0 ? 1 : 0) : flow.duty * flow.share) * passed;
    }
}

void
FluidPlayer::Refresh()
{
    for (auto& medium : m_media)
    {
        if (medium.dirty)
        {
            SetNominal(medium);
        }
    }
    for (std::size_t p = 0; p < m_media.size(); ++p)
    {
        if (m_media[p].dirty || m_media[p].stale)
        {
            SetRates(m_media[p]);
        }
    }
}

/// (14), (15) among those that send; and the acknowledgements which that causes
void
FluidPlayer::SetNominal(PlayedMedium& medium)
{
    const std::size_t own = static_cast<std::size_t>(&medium - m_media.data());
    uint8_t highest = 0;
    for (const std::size_t f : medium.active)
    {
        highest = std::max(highest, m_flows[f].priority);
    }
    const auto isServed = [highest](const PlayedFlow& flow) {
        return !flow.weighed || flow.priority == highest;
    };
    double weights = 0;
    for (const std::size_t f : medium.active)
    {
        weights += isServed(m_flows[f]) ? m_flows[f].weight : 0;
    }
    const std::size_t pools = 2 + m_clusters.size(); // reservations cause and hear of no others
    m_load.assign(pools, 0);
    for (const std::size_t f : medium.active)
    {
        PlayedFlow& flow = m_flows[f];
        flow.nominal = isServed(flow) ? medium.free * flow.weight / weights : 0;
        if (flow.relayPool != PlayedFlow::NO_POOL)
        {
            m_load[flow.relayPool] += flow.relayPart * flow.GetRateBps(flow.nominal);
        }
        if (flow.ackPool != PlayedFlow::NO_POOL)
        {
            m_load[flow.ackPool] += flow.ackPart * flow.GetRateBps(flow.nominal);
        }
    }
    for (std::size_t p = 0; p < pools && own < pools; ++p)
    {
        double& acks = m_media[p].acks[own];
        m_media[p].stale = m_media[p].stale || acks != m_load[p];
        acks = m_load[p];
    }
}

void
FluidPlayer::SetRates(PlayedMedium& medium)
{
    Advance(medium);
    medium.dirty = medium.stale = false;
    double acks = 0;
    for (const double part : medium.acks)
    {
        acks += part;
    }
    const double capacity = std::max(LEAST_CAPACITY * medium.free, medium.free - acks);
    const double scale = medium.free > 0 ? capacity / medium.free : 0;
    medium.nextS = PlayedMedium::NEVER;
    for (const std::size_t f : medium.active)
    {
        PlayedFlow& flow = m_flows[f];
        flow.share = scale * flow.nominal;
        flow.rateBps = flow.GetRateBps(flow.share);
        const double end =
            flow.rateBps > 0 ? medium.sinceS + flow.leftBits / flow.rateBps : PlayedMedium::NEVER;
        if (end < medium.nextS)
        {
            medium.nextS = end;
            medium.nextFlow = f;
        }
    }
}

FluidRound
FluidPlayer::GetResult() const
{
    FluidRound round;
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const PlayedCluster& own = m_clusters[m];
        FluidCluster cluster;
        cluster.distributionS = own.distributionS;
        cluster.trainingS = own.trainingS - own.distributionS;
        cluster.uploadS = own.endS - own.trainingS;
        // What cannot be sent, for a weight or a rate that is none, is never over
        const bool isOver = own.trained && own.waiting == 0;
        cluster.totalS = isOver ? own.endS : PlayedMedium::NEVER;
        cluster.edgePeriodS = GetEdgePeriodS(own);
        for (std::size_t c = own.firstChain; c < own.firstChain + own.chains; ++c)
        {
            AddLinks(m_chains[c], m_plan->clusters[m].chains[c - own.firstChain], cluster);
        }
        const auto sums =
            own.sumFlows > 0 ? ListSums(*m_state, m_plan->clusters[m]) : std::vector<Transfer>();
        for (std::size_t i = 0; i < sums.size(); ++i)
        {
            AddLink(sums[i], m_flows[own.firstSum + i], cluster);
        }
        round.latencyS = std::max(round.latencyS, cluster.totalS);
        round.clusters.push_back(std::move(cluster));
    }
    return round;
}

double
FluidPlayer::GetEdgePeriodS(const PlayedCluster& cluster) const
{
    double longestS = 0;
    for (std::size_t c = cluster.firstChain; c < cluster.firstChain + cluster.chains; ++c)
    {
        const PlayedChain& chain = m_chains[c];
        const double periodS = chain.lastEnds > 1
                                   ? (chain.lastS - chain.lastFirstS) / (chain.lastEnds - 1)
                                   : chain.lastS - cluster.distributionS;
        longestS = std::max(longestS, periodS);
    }
    return longestS;
}

void
FluidPlayer::AddLinks(const PlayedChain& chain, const ChainPlan& plan, FluidCluster& cluster) const
{
    const auto transfers =
        ListTransfers(*m_state,
                      chain.cluster,
                      ClusterPlan{{plan}, {}, m_plan->clusters[chain.cluster].path});
    for (std::size_t i = 0; i < transfers.size(); ++i)
    {
        AddLink(transfers[i], m_flows[chain.firstFlow + i], cluster);
    }
}

void
FluidPlayer::AddLink(const Transfer& transfer, const PlayedFlow& flow, FluidCluster& cluster) const
{
    const double mean = flow.count > 0 ? flow.busyS / flow.count : 0;
    cluster.links.push_back({transfer, flow.count, mean, flow.airS});
}

} // namespace collapipe
} // namespace ns3
