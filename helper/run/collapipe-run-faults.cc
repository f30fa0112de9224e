/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-faults.h"

#include "ns3/double.h"
#include "ns3/mobility-model.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double FAR_AWAY_M = 1e5;     //!< out of range of any radio here
constexpr double WATCH_S = 10;         //!< how often it is looked whether anything goes on
constexpr double TRIES = 3;            //!< after which it is not for the last failure's sake
constexpr double ROUND_FACTOR = 3;     //!< a round may take so many deadlines, however much goes on
constexpr double PLAN_FACTOR = 3;      //!< a deadline is so many planned rounds at least
constexpr double MOST_DEADLINES = 100; //!< and so many of the user's at most: who is out of reach
                                       //!< is planned with years
constexpr double MOST_S = 3e9;         //!< three times of which are a Time still
constexpr int64_t FAULT_STREAM = 990;  //!< of faults at random

/// @return by cluster: its cell
std::vector<uint32_t>
ListCells(const Network& network)
{
    std::vector<uint32_t> cells;
    for (const auto& cluster : network.clusters)
    {
        cells.push_back(cluster.cell);
    }
    return cells;
}

} // namespace

CollaPipeFaultHelper::CollaPipeFaultHelper(const RunApplications& applications,
                                           const Network& network)
    : m_applications(applications),
      m_network(network),
      m_account(ListCells(network)),
      m_random(CreateObject<UniformRandomVariable>())
{
    for (const auto& edge : m_applications.edgeServers)
    {
        edge->TraceConnectWithoutContext("Phase",
                                         MakeCallback(&CollaPipeFaultHelper::HandlePhase, this));
        edge->TraceConnectWithoutContext("Failure",
                                         MakeCallback(&CollaPipeFaultHelper::HandleFailure, this));
        edge->TraceConnectWithoutContext("Recovery",
                                         MakeCallback(&CollaPipeFaultHelper::HandleRecovery, this));
        edge->TraceConnectWithoutContext("Return",
                                         MakeCallback(&CollaPipeFaultHelper::HandleReturn, this));
    }
    if (m_applications.leader != m_applications.edgeServer)
    {
        const auto& lead = m_applications.leader;
        lead->TraceConnectWithoutContext("Failure",
                                         MakeCallback(&CollaPipeFaultHelper::HandleFailure, this));
        lead->TraceConnectWithoutContext("Return",
                                         MakeCallback(&CollaPipeFaultHelper::HandleReturn, this));
        lead->TraceConnectWithoutContext("LeftOut",
                                         MakeCallback(&CollaPipeFaultHelper::HandleLeftOut, this));
    }
    m_applications.leader->TraceConnectWithoutContext(
        "Round",
        MakeCallback(&CollaPipeFaultHelper::HandleRound, this));
    for (const auto& application : m_applications.GetAll())
    {
        application->TraceConnectWithoutContext(
            "Tx",
            MakeCallback(&CollaPipeFaultHelper::HandleTx, this));
    }
}

CollaPipeFaultHelper::~CollaPipeFaultHelper()
{
    m_next.Cancel();
    m_watch.Cancel();
}

void
CollaPipeFaultHelper::Install(const FaultSchedule& schedule)
{
    for (const auto& fault : schedule.faults)
    {
        const auto error = Check(fault);
        if (!error.empty())
        {
            throw std::invalid_argument(error);
        }
    }
    for (const auto& fault : schedule.faults)
    {
        if (fault.round > 0)
        {
            m_waiting.push_back(fault);
        }
        else
        {
            Simulator::Schedule(Seconds(fault.atS), [this, fault] { Inject(fault); });
        }
    }
    m_rate = schedule.random;
    if (m_rate.perMinute > 0)
    {
        m_random->SetStream(FAULT_STREAM + static_cast<int64_t>(m_rate.seed % 1000000) * 1000);
        m_next =
            Simulator::Schedule(m_network.readyAt, &CollaPipeFaultHelper::ScheduleRandom, this);
    }
}

std::string
CollaPipeFaultHelper::Check(const Fault& fault) const
{
    for (const auto* place : {&fault.place, &fault.peer})
    {
        if (place == &fault.peer && fault.kind != FaultKind::LINK)
        {
            continue;
        }
        const bool isThere = place->kind == FaultPlace::NODE
                                 ? place->index < m_applications.clusters.size() &&
                                       place->node < m_applications.clusters[place->index].size()
                             : place->kind == FaultPlace::EDGE
                                 ? place->index < m_applications.edgeServers.size()
                                 : m_applications.leader != m_applications.edgeServer;
        if (!isThere)
        {
            return "there is no " + place->GetName() + " in this network";
        }
    }
    if (fault.kind == FaultKind::LINK &&
        GetAddress(fault.place, fault.peer) == Ipv4Address::GetAny())
    {
        return "a link leads from a node to another one of its cluster or to its edge server, or "
               "from the edge server of one of several cells to the lead, not from " +
               fault.place.GetName() + " to " + fault.peer.GetName();
    }
    if (fault.kind == FaultKind::AWAY && !GetNode(fault.place)->GetObject<MobilityModel>())
    {
        return fault.place.GetName() +
               " has no place that it could be moved from, as its links are wires; take the kind "
               "link";
    }
    return "";
}

Ptr<MessageApplication>
CollaPipeFaultHelper::GetApplication(const FaultPlace& place) const
{
    switch (place.kind)
    {
    case FaultPlace::EDGE:
        return m_applications.edgeServers.at(place.index);
    case FaultPlace::LEAD:
        return m_applications.leader;
    case FaultPlace::NODE:
        break;
    }
    return m_applications.clusters.at(place.index).at(place.node);
}

Ptr<Node>
CollaPipeFaultHelper::GetNode(const FaultPlace& place) const
{
    return GetApplication(place)->GetNode();
}

Ipv4Address
CollaPipeFaultHelper::GetAddress(const FaultPlace& from, const FaultPlace& to) const
{
    if (from.kind != FaultPlace::NODE)
    {
        const bool isBackhaul = from.kind == FaultPlace::EDGE && to.kind == FaultPlace::LEAD;
        return isBackhaul ? m_network.leadAddress : Ipv4Address::GetAny();
    }
    const auto& cluster = m_network.clusters[from.index];
    if (to.kind == FaultPlace::EDGE)
    {
        return to.index == cluster.cell ? m_network.cells[cluster.cell].edgeAddress
                                        : Ipv4Address::GetAny();
    }
    return to.kind == FaultPlace::NODE && to.index == from.index && to.node != from.node
               ? cluster.addresses.at(to.node)
               : Ipv4Address::GetAny();
}

void
CollaPipeFaultHelper::LosePower(const FaultPlace& place)
{
    auto& interfaces = m_switches[place.GetName()];
    interfaces = std::make_unique<InterfaceSwitch>(GetNode(place));
    interfaces->TakeDown();
    m_isDown[place.GetName()] = true;
    GetApplication(place)->Crash();
}

void
CollaPipeFaultHelper::RegainPower(const FaultPlace& place)
{
    m_switches[place.GetName()]->BringUp();
    m_isDown[place.GetName()] = false;
    GetApplication(place)->Reboot();
}

void
CollaPipeFaultHelper::MoveAway(const Fault& fault)
{
    const auto mobility = GetNode(fault.place)->GetObject<MobilityModel>();
    if (!mobility)
    {
        return;
    }
    const auto place = mobility->GetPosition();
    mobility->SetPosition({place.x + FAR_AWAY_M, place.y, place.z});
    Simulator::Schedule(Seconds(fault.durationS),
                        [mobility, place] { mobility->SetPosition(place); });
}

void
CollaPipeFaultHelper::Inject(const Fault& fault)
{
    const auto application = GetApplication(fault.place);
    if (m_isDown[fault.place.GetName()] || !application->IsUp())
    {
        return; // what has no power cannot fail
    }
    m_account.Inject(fault, Simulator::Now());
    const auto later = [&fault](auto what) { Simulator::Schedule(Seconds(fault.durationS), what); };
    switch (fault.kind)
    {
    case FaultKind::CRASH:
        LosePower(fault.place);
        m_gone.insert(fault.place.GetName());
        return;
    case FaultKind::REBOOT:
        LosePower(fault.place);
        later([this, place = fault.place] { RegainPower(place); });
        return;
    case FaultKind::PAUSE:
        application->SetPaused(true);
        later([application] { application->SetPaused(false); });
        return;
    case FaultKind::SLOW:
        application->GetProcessor()->SetSlowdown(fault.factor);
        later([application] { application->GetProcessor()->SetSlowdown(1); });
        return;
    case FaultKind::LINK: {
        auto link = std::make_shared<InterfaceSwitch>(GetNode(fault.place));
        if (link->TakeDownTowards(GetAddress(fault.place, fault.peer)))
        {
            later([link] { link->BringUp(); });
        }
        return;
    }
    case FaultKind::AWAY:
        MoveAway(fault);
        return;
    case FaultKind::BATTERY: {
        const auto node = DynamicCast<StageApplication>(application);
        node->SetAttribute("BatteryJ", DoubleValue(0));
        node->SetAttribute("MemoryBytes", DoubleValue(0));
        node->RunDown();
        m_gone.insert(fault.place.GetName());
        m_isDown[fault.place.GetName()] = true;
        return;
    }
    case FaultKind::CORRUPT:
        application->Tamper(MessageApplication::Tampering::CORRUPT, Seconds(0), fault.count);
        return;
    case FaultKind::DUPLICATE:
        application->Tamper(MessageApplication::Tampering::DUPLICATE, Seconds(0), fault.count);
        return;
    case FaultKind::DELAY:
        application->Tamper(MessageApplication::Tampering::DELAY,
                            Seconds(fault.durationS),
                            fault.count);
        return;
    }
}

// ---------------------------------------------------------------- at random

void
CollaPipeFaultHelper::ScheduleRandom()
{
    // A Poisson process; the first draw never is 0
    const double meanS = 60 / m_rate.perMinute;
    const double gapS = -meanS * std::log(1 - m_random->GetValue(0, 0.999999));
    m_next = Simulator::Schedule(Seconds(gapS), &CollaPipeFaultHelper::InjectRandom, this);
}

void
CollaPipeFaultHelper::InjectRandom()
{
    const auto fault = DrawFault();
    if (Check(fault).empty())
    {
        Inject(fault);
    }
    ScheduleRandom();
}

Fault
CollaPipeFaultHelper::DrawFault()
{
    Fault fault;
    fault.kind = static_cast<FaultKind>(m_random->GetInteger(0, FAULT_KINDS - 1));
    const auto cluster = m_random->GetInteger(0, m_applications.clusters.size() - 1);
    const auto& nodes = m_applications.clusters[cluster];
    fault.place.index = cluster;
    fault.place.node = static_cast<NodeIndex>(m_random->GetInteger(0, nodes.size() - 1));
    fault.durationS = std::min(120.0, 1 - 20 * std::log(1 - m_random->GetValue(0, 0.999999)));
    fault.factor = m_random->GetValue(2, 10);
    fault.count = m_random->GetInteger(1, 3);
    const bool isForEver = fault.kind == FaultKind::CRASH || fault.kind == FaultKind::BATTERY;
    if (isForEver)
    {
        // A cluster keeps its control unit and more than half of its devices
        uint32_t left = 0;
        for (NodeIndex node = 1; node < nodes.size(); ++node)
        {
            left += m_isDown[FaultPlace{FaultPlace::NODE, cluster, node}.GetName()] ? 0 : 1;
        }
        if (fault.place.node == CONTROL_UNIT || 2 * (left - 1) < nodes.size() - 1)
        {
            fault.kind = FaultKind::REBOOT;
        }
    }
    if (fault.kind == FaultKind::LINK)
    {
        fault.peer.index = cluster;
        fault.peer.node = static_cast<NodeIndex>(m_random->GetInteger(0, nodes.size() - 1));
        if (fault.peer.node == fault.place.node)
        {
            fault.peer.kind = FaultPlace::EDGE;
            fault.peer.index = m_network.clusters[cluster].cell;
        }
    }
    else if (fault.kind == FaultKind::REBOOT || fault.kind == FaultKind::PAUSE)
    {
        if (m_random->GetValue(0, 1) < 0.1)
        {
            fault.place.kind = FaultPlace::EDGE;
            fault.place.index = m_network.clusters[cluster].cell;
        }
    }
    return fault;
}

// ---------------------------------------------------------------- what became of them

void
CollaPipeFaultHelper::HandlePhase(uint32_t round, uint32_t cluster, Phase phase)
{
    for (auto fault = m_waiting.begin(); fault != m_waiting.end();)
    {
        const bool isIts = fault->place.kind != FaultPlace::NODE || fault->place.index == cluster;
        if (fault->round != round || fault->phase != phase || !isIts)
        {
            ++fault;
            continue;
        }
        Simulator::Schedule(Seconds(fault->atS), [this, due = *fault] { Inject(due); });
        fault = m_waiting.erase(fault);
    }
}

void
CollaPipeFaultHelper::HandleFailure(const NodeFailure& failure)
{
    m_account.HandleFailure(failure, Simulator::Now());
}

void
CollaPipeFaultHelper::HandleRecovery(const RecoveryRecord& record)
{
    m_account.HandleRecovery(record, Simulator::Now());
}

void
CollaPipeFaultHelper::HandleReturn(uint32_t cluster, NodeIndex node)
{
    const Time now = Simulator::Now();
    if (node == EDGE_SERVER) // the lead speaks of a cell
    {
        m_account.HandleReturn({FaultPlace::EDGE, cluster, node}, now);
        m_account.HandleReturn({FaultPlace::LEAD, 0, node}, now);
        return;
    }
    m_account.HandleReturn({FaultPlace::NODE, cluster, node}, now);
    m_account.HandleReturn({FaultPlace::EDGE, m_network.clusters[cluster].cell, EDGE_SERVER}, now);
}

void
CollaPipeFaultHelper::HandleLeftOut(uint32_t /* round */, uint32_t cell)
{
    m_account.HandleLeftOut({FaultPlace::EDGE, cell, EDGE_SERVER}, Simulator::Now());
}

void
CollaPipeFaultHelper::HandleRound(const RoundRecord& record)
{
    m_lastRound = Simulator::Now();
    ++m_rounds;
    NotePlan(record.plan ? record.plan->plannedLatencyS : 0);
    m_account.HandleRound(record.end);
}

void
CollaPipeFaultHelper::HandleTx(const MessageHeader& header, uint64_t bytes)
{
    m_replicaBytes += header.type == MessageType::REPLICA ? bytes : 0;
    m_heartbeatBytes += header.type == MessageType::HEARTBEAT ? bytes : 0;
}

const FaultAccount&
CollaPipeFaultHelper::GetAccount() const
{
    return m_account;
}

uint64_t
CollaPipeFaultHelper::GetReplicaBytes() const
{
    return m_replicaBytes;
}

uint64_t
CollaPipeFaultHelper::GetHeartbeatBytes() const
{
    return m_heartbeatBytes;
}

std::pair<uint64_t, uint64_t>
CollaPipeFaultHelper::CountRefused() const
{
    std::pair<uint64_t, uint64_t> counts;
    for (const auto& application : m_applications.GetAll())
    {
        counts.first += application->GetRefused();
        counts.second += application->GetSkipped();
    }
    return counts;
}

// ---------------------------------------------------------------- whether anything goes on

void
CollaPipeFaultHelper::SetDeadline(Time deadline, std::function<void(const std::string&)> callback)
{
    m_deadline = deadline;
    m_onStuck = std::move(callback);
    m_watch.Cancel();
    m_watch = Simulator::Schedule(Seconds(WATCH_S), &CollaPipeFaultHelper::Watch, this);
}

std::string
CollaPipeFaultHelper::DescribeWait() const
{
    std::string text;
    const auto add = [&text](const std::string& what) {
        text += what.empty() ? "" : (text.empty() ? "" : "; ") + what;
    };
    for (const auto& server : m_applications.GetServers())
    {
        add(server->DescribeWait());
    }
    for (uint32_t cluster = 0; cluster < m_applications.clusters.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_applications.clusters[cluster].size(); ++node)
        {
            const auto& application = m_applications.clusters[cluster][node];
            const auto wait = application->DescribeWait();
            if (wait.compare(0, 3, "is ") == 0 || wait.compare(0, 3, "has") == 0 ||
                wait.compare(0, 6, "stands") == 0)
            {
                add(FaultPlace{FaultPlace::NODE, cluster, node}.GetName() + " " + wait);
            }
        }
    }
    constexpr std::size_t LONGEST = 600;
    return text.size() > LONGEST ? text.substr(0, LONGEST) + " ..." : text;
}

/**
 * @param edge an edge server
 * @param still how long nothing has gone on
 * @return whether it has tried again, and all that it misses is gone for ever
 */
bool
CollaPipeFaultHelper::IsHopeless(const EdgeServerApplication& edge, Time still) const
{
    const auto missed = edge.GetMissed();
    return !missed.empty() && still > Seconds(TRIES * edge.GetPatience().GetSeconds()) &&
           std::all_of(missed.begin(), missed.end(), [this](const auto& node) {
               return m_gone.count(
                          FaultPlace{FaultPlace::NODE, node.first.number, node.second}.GetName()) >
                      0;
           });
}

void
CollaPipeFaultHelper::NotePlan(double plannedS)
{
    if (plannedS > 0)
    {
        m_leastPlannedS = m_leastPlannedS > 0 ? std::min(m_leastPlannedS, plannedS) : plannedS;
    }
}

/**
 * @param plannedS what a round is planned to take
 * @return for how long nothing need go on
 */
Time
CollaPipeFaultHelper::GetDeadline(double plannedS) const
{
    const double givenS = m_deadline.GetSeconds();
    return Max(m_deadline,
               Seconds(std::min({PLAN_FACTOR * plannedS, MOST_DEADLINES * givenS, MOST_S})));
}

void
CollaPipeFaultHelper::Watch()
{
    m_watch = Simulator::Schedule(Seconds(WATCH_S), &CollaPipeFaultHelper::Watch, this);
    Time progress = Max(m_lastRound, m_network.readyAt);
    double planned = 0;
    for (const auto& edge : m_applications.edgeServers)
    {
        progress = Max(progress, edge->GetLastProgress());
        planned = std::max(planned, edge->GetPlannedLatencyS());
    }
    NotePlan(planned);
    const Time now = Simulator::Now();
    const auto isHopeless = [this, still = now - progress](const auto& edge) {
        return IsHopeless(*edge, still);
    };
    const bool isStill = now - progress > GetDeadline(m_leastPlannedS) ||
                         std::any_of(m_applications.edgeServers.begin(),
                                     m_applications.edgeServers.end(),
                                     isHopeless);
    const bool isEndless = now - Max(m_lastRound, m_network.readyAt) >
                           Seconds(ROUND_FACTOR * GetDeadline(planned).GetSeconds());
    if ((isStill || isEndless) && m_onStuck)
    {
        m_watch.Cancel();
        std::ostringstream text;
        text << (isStill ? "nothing has gone on since " : "no round has come to its end since ")
             << (isStill ? progress : Max(m_lastRound, m_network.readyAt)).As(Time::S)
             << " of simulated time: " << DescribeWait();
        m_onStuck(text.str());
    }
}

} // namespace collapipe
} // namespace ns3
