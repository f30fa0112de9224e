/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-observer.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <optional>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BITS_PER_BYTE = 8;
constexpr double MIN_SHARE = 1e-6; //!< of a link; a link without any still gets what is left

/// @return the phase to which a message belongs; nothing for those that the model does not count
std::optional<Phase>
GetPhase(MessageType type)
{
    switch (type)
    {
    case MessageType::BASE_WEIGHTS:
    case MessageType::SEGMENT_PARAMETERS:
        return Phase::DISTRIBUTION;
    case MessageType::ACTIVATION:
    case MessageType::TARGETS:
    case MessageType::GRADIENT:
        return Phase::TRAINING;
    case MessageType::PARAMETER_UPLOAD:
        return Phase::UPLOAD;
    default:
        return std::nullopt;
    }
}

} // namespace

LinkObserver::LinkObserver(Ptr<EdgeServerApplication> edge,
                           const std::vector<std::vector<Ptr<StageApplication>>>& clusters)
    : m_clusters(edge->GetClusterIds())
{
    for (const auto& cluster : clusters)
    {
        for (const auto& application : cluster)
        {
            Connect(application);
        }
    }
    Connect(edge);
}

void
LinkObserver::SetMonitor(Ptr<LinkMonitor> monitor)
{
    m_monitor = monitor;
}

void
LinkObserver::Connect(Ptr<MessageApplication> application)
{
    application->TraceConnectWithoutContext("Tx", MakeCallback(&LinkObserver::HandleTx, this));
    application->TraceConnectWithoutContext("Rx", MakeCallback(&LinkObserver::HandleRx, this));
}

LinkObserver::MessageKey
LinkObserver::GetKey(const MessageHeader& header)
{
    return {header.type,
            header.cluster,
            header.node,
            header.chain,
            header.stage,
            header.round,
            header.iteration,
            header.microBatch};
}

NodeIndex
LinkObserver::FindReceiver(uint32_t cluster, const MessageHeader& header) const
{
    if (cluster >= m_plan.clusters.size() || header.chain >= m_plan.clusters[cluster].chains.size())
    {
        return header.node;
    }
    const auto& stages = m_plan.clusters[cluster].chains[header.chain].stages;
    const bool collected = m_plan.clusters[cluster].path == UploadPath::COLLECTED;
    std::size_t stage =
        header.stage; // of the sender; the edge server sends to that of the receiver
    switch (header.type)
    {
    case MessageType::ACTIVATION:
        ++stage;
        break;
    case MessageType::GRADIENT:
        --stage; // below 0 it is none
        break;
    case MessageType::TARGETS:
        stage = stages.size() - 1;
        break;
    case MessageType::PARAMETER_UPLOAD:
        return collected && header.node != CONTROL_UNIT ? CONTROL_UNIT : EDGE_SERVER;
    case MessageType::BASE_WEIGHTS:
    case MessageType::SEGMENT_PARAMETERS:
        if (collected && header.node == EDGE_SERVER)
        {
            return CONTROL_UNIT;
        }
        break;
    default:
        break;
    }
    return stage < stages.size() ? stages[stage].node : header.node;
}

LinkObserver::ClockId
LinkObserver::GetClockId(const LinkId& link) const
{
    return {m_monitor->GetMediumId(link), m_monitor->FindReservation(link)};
}

void
LinkObserver::HandleTx(const MessageHeader& header, uint64_t /* bytes */)
{
    if (header.type == MessageType::STATE_REQUEST && header.round != m_asked)
    {
        m_asked = header.round;
        m_askedAt = Simulator::Now();
    }
    const auto phase = GetPhase(header.type);
    const auto cluster = std::find(m_clusters.begin(), m_clusters.end(), ClusterId(header.cluster));
    if (!m_monitor || !phase || cluster == m_clusters.end())
    {
        return;
    }
    const auto index = static_cast<uint32_t>(cluster - m_clusters.begin());
    const LinkId link{index, header.node, FindReceiver(index, header)};
    if (link.from == link.to)
    {
        return; // no plan knows it
    }
    const Time now = Simulator::Now();
    PoolClock& clock = m_clocks[GetClockId(link)];
    LinkUse& use = m_links[link];
    if (use.underWay++ == 0)
    {
        const auto decision = m_decisions.find({link, *phase});
        // A reservation is used in turn, whatever the size of it
        const bool isNamed =
            decision != m_decisions.end() && !m_monitor->FindReservation(link).has_value();
        use.weight = isNamed ? std::max(decision->second.share, MIN_SHARE) : 1;
        use.priority = isNamed ? decision->second.priority : uint8_t{0};
        clock.Join(use.weight, use.priority, now);
    }
    m_sent[GetKey(header)] = {now, clock.Read(use.priority, now), link};
}

void
LinkObserver::ObserveStart(const MessageHeader& header)
{
    const auto cluster = std::find(m_clusters.begin(), m_clusters.end(), ClusterId(header.cluster));
    const auto index = static_cast<uint32_t>(cluster - m_clusters.begin());
    if (header.type == MessageType::SEGMENT_PARAMETERS)
    {
        m_delivered[index] = Simulator::Now();
    }
    else if (header.type == MessageType::START && m_delivered.count(index) > 0)
    {
        m_starts[index] = (Simulator::Now() - m_delivered[index]).GetSeconds();
    }
}

void
LinkObserver::HandleRx(const MessageHeader& header, uint64_t bytes)
{
    ObserveStart(header);
    const auto sent = m_sent.find(GetKey(header));
    if (!m_monitor || sent == m_sent.end())
    {
        return;
    }
    const Sending sending = sent->second;
    m_sent.erase(sent);
    const Time now = Simulator::Now();
    PoolClock& clock = m_clocks[GetClockId(sending.link)];
    LinkUse& use = m_links[sending.link];
    // Where shares are kept, one that was sent while the one before was only on its way has not
    // waited for it. In a work-conserving medium the time between arrivals forecasts the next
    // rounds better.
    const Time way =
        m_monitor->HasReservedMedium(sending.link) ? m_monitor->GetLatency(sending.link) : Time(0);
    const bool queued = use.lastArrival > sending.at + way;
    const double seconds = (now - (queued ? use.lastArrival : sending.at)).GetSeconds();
    const double reading = clock.Read(use.priority, now);
    const double served = reading - (queued ? use.arrivalClock : sending.clock);
    use.lastArrival = now;
    use.arrivalClock = reading;
    if (--use.underWay == 0)
    {
        clock.Leave(use.weight, use.priority, now);
    }
    const Phase phase = *GetPhase(header.type);
    const auto current = m_phases.find(sending.link.cluster);
    if (m_monitor->HasReservedMedium(sending.link) && current != m_phases.end() &&
        current->second != phase)
    {
        return; // the share that its phase gave it has gone
    }
    m_monitor->ObserveTransfer(sending.link,
                               phase,
                               BITS_PER_BYTE * static_cast<double>(bytes),
                               seconds,
                               queued,
                               seconds > 0 ? use.weight * served / seconds : use.weight);
}

void
LinkObserver::BeginRound(uint32_t round, const RoundPlan& plan)
{
    m_plan = plan;
    m_decisions.clear();
    m_clocks.clear();
    m_links.clear();
    m_sent.clear();
    for (uint32_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& link : plan.clusters[m].links)
        {
            m_decisions[{LinkId{m, link.from, link.to}, link.phase}] = link;
        }
    }
    if (m_monitor)
    {
        m_monitor->BeginRound(round, plan);
    }
}

void
LinkObserver::BeginPhase(uint32_t cluster, Phase phase)
{
    m_phases[cluster] = phase;
}

double
LinkObserver::GetReportS(uint32_t round) const
{
    return round == m_asked ? (Simulator::Now() - m_askedAt).GetSeconds() : 0;
}

double
LinkObserver::GetStartS(const SystemState& state, const RoundPlan& plan) const
{
    double longestS = 0;
    for (uint32_t m = 0; m < plan.clusters.size(); ++m)
    {
        const auto known = m_starts.find(m);
        double ownS = known == m_starts.end() ? 0 : known->second;
        for (const auto& chain : plan.clusters[m].chains)
        {
            for (const auto& stage : chain.stages)
            {
                if (known == m_starts.end() && stage.node != EDGE_SERVER)
                {
                    const NodeIndex first = chain.stages.front().node;
                    ownS = std::max(ownS,
                                    GetNode(state.clusters[m], stage.node).uplink.latencyS +
                                        GetNode(state.clusters[m], first).downlink.latencyS);
                }
            }
        }
        longestS = std::max(longestS, ownS);
    }
    return longestS;
}

void
LinkObserver::EndRound(const RoundRecord& record)
{
    if (!m_monitor)
    {
        return;
    }
    for (uint32_t m = 0; m < record.phases.size() && m < m_plan.clusters.size(); ++m)
    {
        const double seconds = record.phases[m].GetIterationS(m_plan.localIterations);
        if (seconds > 0) // else it was given up, and tells nothing of its links
        {
            m_monitor->ObserveIteration(m, seconds);
        }
    }
    m_monitor->EndRound((record.end - record.start).GetSeconds());
}

} // namespace collapipe
} // namespace ns3
