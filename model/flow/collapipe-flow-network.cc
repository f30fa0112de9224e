/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-network.h"

#include "collapipe-flow-media.h"

#include "ns3/abort.h"
#include "ns3/collapipe-fluid-medium.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeFlowNetwork");
NS_OBJECT_ENSURE_REGISTERED(FlowNetwork);

namespace
{

constexpr double DONE_BITS = 1e-6; //!< less is rounding

} // namespace

TypeId
FlowNetwork::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::FlowNetwork")
            .SetParent<Object>()
            .SetGroupName("CollaPipe")
            .AddConstructor<FlowNetwork>()
            .AddAttribute("RefreshPeriod",
                          "How often links that are in use are measured again, where nodes move "
                          "or channels fade",
                          TimeValue(MilliSeconds(100)),
                          MakeTimeAccessor(&FlowNetwork::m_refreshPeriod),
                          MakeTimeChecker(TimeStep(1)))
            .AddAttribute("ProgressPeriod",
                          "How often what has come of a long message is handed over",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&FlowNetwork::m_progressPeriod),
                          MakeTimeChecker(TimeStep(1)))
            .AddTraceSource("Rate",
                            "The rate of a link has been set: node ids, share of its medium, rate",
                            MakeTraceSourceAccessor(&FlowNetwork::m_rateTrace),
                            "ns3::collapipe::FlowNetwork::RateTracedCallback");
    return tid;
}

FlowNetwork::FlowNetwork() = default;
FlowNetwork::~FlowNetwork() = default;

void
FlowNetwork::DoDispose()
{
    m_update.Cancel();
    m_tick.Cancel();
    for (auto& medium : m_media)
    {
        medium->next.Cancel();
    }
    m_provider = nullptr;
    m_listeners.clear();
    m_nodes.clear();
    m_links.clear();
    m_flows.clear();
    m_media.clear();
    Object::DoDispose();
}

void
FlowNetwork::SetProvider(Provider provider)
{
    m_provider = std::move(provider);
}

std::size_t
FlowNetwork::AddMedium(const PoolState& pool, const std::vector<Ptr<FlowRadio>>& stations)
{
    m_media.push_back(std::make_unique<Medium>());
    m_media.back()->pool = pool;
    m_media.back()->stations = stations;
    m_media.back()->number = m_media.size() - 1;
    return m_media.size() - 1;
}

void
FlowNetwork::SetChanging(bool changing)
{
    m_changing = changing;
}

void
FlowNetwork::Remeasure()
{
    ++m_generation;
    for (auto& [key, link] : m_links)
    {
        if (!link->active.empty())
        {
            Measure(*link);
        }
    }
}

void
FlowNetwork::AddNode(Ptr<Node> node)
{
    const auto ipv4 = node->GetObject<Ipv4>();
    for (uint32_t interface = 1; interface < ipv4->GetNInterfaces(); ++interface)
    {
        for (uint32_t i = 0; i < ipv4->GetNAddresses(interface); ++i)
        {
            m_nodes[ipv4->GetAddress(interface, i).GetLocal()] = node;
        }
    }
}

Ptr<Node>
FlowNetwork::FindNode(Ipv4Address address) const
{
    const auto it = m_nodes.find(address);
    return it == m_nodes.end() ? nullptr : it->second;
}

std::map<FlowNetwork::Place, FlowSocket*>&
FlowNetwork::GetListeners()
{
    return m_listeners;
}

double
FlowNetwork::GetCarriedBits() const
{
    return m_carriedBits;
}

// ---------------------------------------------------------------- links

FlowNetwork::Link*
FlowNetwork::FindLink(Ptr<Node> from, Ptr<Node> to)
{
    const auto key = std::make_pair(from->GetId(), to->GetId());
    const auto known = m_links.find(key);
    if (known != m_links.end())
    {
        return known->second.get();
    }
    auto config = m_provider ? m_provider(from, to) : FlowLinkConfig();
    if (!config.measure)
    {
        return nullptr;
    }
    auto link = std::make_unique<Link>();
    link->from = key.first;
    link->to = key.second;
    config.others.push_back(config.sender);
    config.others.push_back(config.receiver);
    for (const auto& device : config.others)
    {
        const auto ipv4 = device ? device->GetNode()->GetObject<Ipv4>() : nullptr;
        const auto interface = ipv4 ? ipv4->GetInterfaceForDevice(device) : -1;
        if (interface >= 0)
        {
            link->interfaces.emplace_back(ipv4, interface);
        }
    }
    link->config = std::move(config);
    Link* made = link.get();
    m_links[key] = std::move(link);
    made->state = made->config.measure();
    if (made->state.medium == FlowLinkState::NO_MEDIUM)
    {
        made->wire = AddMedium({SharingMode::DEDICATED, 0});
    }
    made->generation = m_generation;
    made->measured = Simulator::Now();
    m_media[made->GetMedium()]->links.push_back(made);
    if (made->state.link.acknowledgementRatio > 0)
    {
        FindLink(to, from); // the way that acknowledgements take
    }
    return made;
}

void
FlowNetwork::Measure(Link& link)
{
    const std::size_t before = link.GetMedium();
    Advance(*m_media[before]);
    const FlowLinkState now = link.config.measure();
    const std::size_t after = link.wire != FlowLinkState::NO_MEDIUM ? link.wire : now.medium;
    const bool joins = before != after && !link.active.empty(); // another cell serves it
    if (joins)
    {
        Leave(link);
    }
    link.state = now;
    link.generation = m_generation;
    link.measured = Simulator::Now();
    if (before != after)
    {
        auto& links = m_media[before]->links;
        links.erase(std::find(links.begin(), links.end(), &link));
        m_media[after]->links.push_back(&link);
    }
    if (joins)
    {
        Advance(*m_media[after]);
        Join(link);
    }
    m_media[after]->dirty = true;
    ScheduleUpdate();
}

/// Measures a link again if that was long ago.
void
FlowNetwork::Refresh(Link& link)
{
    const bool isOld = m_changing && Simulator::Now() - link.measured >= m_refreshPeriod;
    if (isOld || link.generation != m_generation)
    {
        Measure(link);
    }
}

void
FlowNetwork::Observe(const Link& link) const
{
    const PoolState& pool = m_media[link.GetMedium()]->pool;
    if (link.config.observe && pool.bandwidthHz > 0)
    {
        const double power = GetPowerW(link);
        link.config.observe(power * link.state.link.gain /
                                (link.state.link.noiseDensityWPerHz * pool.bandwidthHz),
                            power);
    }
}

bool
FlowNetwork::IsUp(const Link& link) const
{
    return link.state.inReach &&
           std::all_of(link.interfaces.begin(), link.interfaces.end(), [](const auto& end) {
               return end.first->IsUp(end.second);
           });
}

double
FlowNetwork::GetPowerW(const Link& link) const
{
    const bool isSet = link.config.sender && link.setting.powerW > 0; // a mast's is fixed
    return isSet ? link.setting.powerW : link.state.link.maxPowerW;
}

void
FlowNetwork::Set(Ptr<Node> from, Ptr<Node> to, const FlowSetting& setting)
{
    if (Link* link = FindLink(from, to))
    {
        link->setting = setting;
        m_media[link->GetMedium()]->dirty = true;
        ScheduleUpdate();
    }
}

FlowSetting
FlowNetwork::Get(Ptr<Node> from, Ptr<Node> to)
{
    const Link* link = FindLink(from, to);
    return link ? link->setting : FlowSetting();
}

bool
FlowNetwork::HasLink(Ptr<Node> from, Ptr<Node> to)
{
    return FindLink(from, to) != nullptr;
}

bool
FlowNetwork::IsWeighed(Ptr<Node> from, Ptr<Node> to)
{
    const Link* link = FindLink(from, to);
    return link && link->config.weighed;
}

bool
FlowNetwork::IsPooled(const NodePair& one, const NodePair& other)
{
    const Link* first = FindLink(one.first, one.second);
    const Link* second = FindLink(other.first, other.second);
    return first && second && first->config.holder.first &&
           first->config.holder == second->config.holder &&
           first->GetMedium() == second->GetMedium() &&
           IsReserved(m_media[first->GetMedium()]->pool);
}

double
FlowNetwork::GetPowerW(Ptr<Node> from, Ptr<Node> to)
{
    const Link* link = FindLink(from, to);
    return link && link->config.sender ? GetPowerW(*link) : 0;
}

FlowLinkState
FlowNetwork::GetLinkState(Ptr<Node> from, Ptr<Node> to)
{
    const Link* link = FindLink(from, to);
    NS_ABORT_MSG_IF(!link, "No link leads from node " << from->GetId() << " to " << to->GetId());
    return link->state;
}

// ---------------------------------------------------------------- flows

FlowNetwork::Flow*
FlowNetwork::Open(Ptr<Node> from, Ptr<Node> to, FlowUser* user)
{
    Link* link = FindLink(from, to);
    if (!link)
    {
        return nullptr;
    }
    m_flows.push_back(std::make_unique<Flow>());
    m_flows.back()->link = link;
    m_flows.back()->user = user;
    return m_flows.back().get();
}

void
FlowNetwork::Close(Flow* flow)
{
    const auto it = std::find_if(m_flows.begin(), m_flows.end(), [flow](const auto& open) {
        return open.get() == flow;
    });
    if (it != m_flows.end()) // else the network is no more
    {
        Stop(flow);
        m_flows.erase(it);
    }
}

void
FlowNetwork::Begin(Flow* flow, double bits, double payloadPart)
{
    NS_ABORT_MSG_IF(flow->isActive, "A flow carries one transfer at a time");
    Link& link = *flow->link;
    Refresh(link);
    Observe(link);
    Medium& medium = *m_media[link.GetMedium()];
    Advance(medium);
    flow->payloadPart = payloadPart;
    flow->leftBits = bits;
    flow->reportedBits = bits;
    flow->begun = Simulator::Now();
    flow->isActive = true;
    link.active.push_back(flow);
    if (link.active.size() == 1)
    {
        Join(link);
    }
    ++m_active;
    medium.dirty = true;
    ScheduleUpdate();
    StartTicking();
}

double
FlowNetwork::Stop(Flow* flow)
{
    if (!flow->isActive)
    {
        return 0;
    }
    Link& link = *flow->link;
    Medium& medium = *m_media[link.GetMedium()];
    Advance(medium);
    flow->isActive = false;
    --m_active;
    link.active.erase(std::find(link.active.begin(), link.active.end(), flow));
    if (link.active.empty())
    {
        Leave(link);
    }
    medium.dirty = true;
    ScheduleUpdate();
    return flow->leftBits;
}

void
FlowNetwork::Join(Link& link)
{
    m_media[link.GetMedium()]->active.push_back(&link);
}

/// Nothing of the link is on the air any more.
void
FlowNetwork::Leave(Link& link)
{
    Medium& medium = *m_media[link.GetMedium()];
    medium.active.erase(std::find(medium.active.begin(), medium.active.end(), &link));
    link.rateBps = 0;
    link.share = 0;
    Charge(link, 0, 0);
    ChargeAcknowledging(link, 0);
    medium.dirty = true;
}

bool
FlowNetwork::IsUp(const Flow* flow)
{
    Refresh(*flow->link);
    return IsUp(*flow->link);
}

double
FlowNetwork::GetLatencyS(const Flow* flow) const
{
    return flow->link->state.link.latencyS;
}

double
FlowNetwork::GetOverheadBits(const Flow* flow) const
{
    const Link& link = *flow->link;
    const PoolState& pool = m_media[link.GetMedium()]->pool;
    return GetTransportOverheadBits(link.state.link, pool, GetPowerW(link));
}

double
FlowNetwork::GetRateBps(const Flow* flow)
{
    Update();
    const Link& link = *flow->link;
    return link.active.empty() ? 0 : link.rateBps / static_cast<double>(link.active.size());
}

// ---------------------------------------------------------------- time

void
FlowNetwork::Advance(Medium& medium)
{
    const double passedS = (Simulator::Now() - medium.since).GetSeconds();
    medium.since = Simulator::Now();
    if (passedS <= 0)
    {
        return;
    }
    for (Link* link : medium.active)
    {
        const double bits = link->rateBps * passedS / static_cast<double>(link->active.size());
        for (Flow* flow : link->active)
        {
            const double sent = std::min(bits, flow->leftBits);
            flow->leftBits -= sent;
            m_carriedBits += sent;
        }
    }
}

void
FlowNetwork::ScheduleUpdate()
{
    if (m_update.IsExpired())
    {
        m_update = Simulator::ScheduleNow(&FlowNetwork::Update, this);
    }
}

void
FlowNetwork::Update()
{
    m_update.Cancel();
    for (std::size_t i = 0; i < m_media.size(); ++i)
    {
        if (m_media[i]->dirty)
        {
            Divide(*m_media[i]);
            SetLoads(*m_media[i]);
        }
    }
    for (std::size_t i = 0; i < m_media.size(); ++i)
    {
        if (m_media[i]->dirty || m_media[i]->stale)
        {
            SetRates(*m_media[i]);
        }
    }
}

void
FlowNetwork::HandleCarried(std::size_t number)
{
    Medium& medium = *m_media[number];
    Advance(medium);
    std::vector<Flow*> done;
    for (Link* link : medium.active)
    {
        for (Flow* flow : link->active)
        {
            // What is left after rounding to a nanosecond
            if (flow->leftBits <= DONE_BITS + 1e-9 * link->rateBps)
            {
                m_carriedBits += flow->leftBits;
                flow->leftBits = 0;
                done.push_back(flow);
            }
        }
    }
    for (Flow* flow : done)
    {
        Stop(flow);
    }
    for (Flow* flow : done)
    {
        // One of those told before may have closed it
        const bool isOpen = std::any_of(m_flows.begin(), m_flows.end(), [flow](const auto& open) {
            return open.get() == flow;
        });
        if (isOpen && !flow->isActive)
        {
            flow->user->HandleCarried();
        }
    }
    medium.dirty = true;
    Update();
}

Time
FlowNetwork::GetTick() const
{
    return m_changing ? std::min(m_refreshPeriod, m_progressPeriod) : m_progressPeriod;
}

void
FlowNetwork::StartTicking()
{
    if (m_tick.IsExpired())
    {
        m_tick = Simulator::Schedule(GetTick(), &FlowNetwork::Tick, this);
    }
}

void
FlowNetwork::Tick()
{
    std::vector<Flow*> flows;
    for (const auto& flow : m_flows)
    {
        if (flow->isActive)
        {
            flows.push_back(flow.get());
        }
    }
    const Time now = Simulator::Now();
    for (Flow* flow : flows)
    {
        Refresh(*flow->link);
        Observe(*flow->link);
    }
    for (Flow* flow : flows)
    {
        const bool isOpen = std::any_of(m_flows.begin(), m_flows.end(), [flow](const auto& open) {
            return open.get() == flow;
        });
        if (!isOpen || !flow->isActive)
        {
            continue;
        }
        if (!IsUp(flow))
        {
            flow->user->HandleDown();
        }
        else if (now - flow->begun >= m_progressPeriod)
        {
            Advance(*m_media[flow->link->GetMedium()]);
            const double bits = flow->reportedBits - flow->leftBits;
            flow->reportedBits = flow->leftBits;
            flow->begun = now;
            flow->user->HandleProgress(bits);
        }
    }
    if (m_active > 0)
    {
        m_tick = Simulator::Schedule(GetTick(), &FlowNetwork::Tick, this);
    }
}

} // namespace collapipe
} // namespace ns3
