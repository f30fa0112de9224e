/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-timeline.h"

#include "ns3/collapipe-dssda-controller.h"
#include "ns3/collapipe-node-name.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BITS_PER_BYTE = 8;
constexpr uint32_t ROUNDS = 1; //!< process of the rounds
constexpr ChromeTrace::Track ROUND_TRACK{ROUNDS, 1};
constexpr uint32_t PHASE_TRACK = 2;          //!< first cluster's thread there
constexpr const char* ENERGY = "energy (J)"; //!< counter of energy and battery

/// @return whether messages of a type belong to one micro-batch
bool
HasMicroBatch(MessageType type)
{
    return type == MessageType::ACTIVATION || type == MessageType::GRADIENT ||
           type == MessageType::TARGETS;
}

} // namespace

Timeline::Timeline(const std::string& path, uint64_t maxBytes, const RunApplications& applications)
    : m_trace(path),
      m_maxBytes(maxBytes),
      m_edgeOf(applications.clusters.size()),
      m_lastPass(applications.clusters.size())
{
    m_trace.NameProcess(ROUNDS, "rounds");
    m_trace.NameTrack(ROUND_TRACK, "round");
    const bool several = applications.edgeServers.size() > 1;
    for (std::size_t c = 0; c < applications.edgeServers.size(); ++c)
    {
        const std::string number = several ? std::to_string(c) : "";
        auto& edge =
            AddProcess("es" + number, several ? "edge server of cell " + number : "edge server");
        m_cells.push_back({&edge, applications.edgeServers[c]->GetClusterIds()});
        for (const auto cluster : m_cells.back().clusters)
        {
            m_edgeOf[cluster.number] = m_cells.back().edge;
        }
    }
    m_lead = several ? &AddProcess("lead", "lead of the edge servers") : nullptr;
    for (uint32_t cluster = 0; cluster < applications.clusters.size(); ++cluster)
    {
        m_trace.NameTrack({ROUNDS, PHASE_TRACK + cluster},
                          "phases of cluster " + std::to_string(cluster));
        for (NodeIndex node = 0; node < applications.clusters[cluster].size(); ++node)
        {
            const std::string what =
                node == CONTROL_UNIT ? "control unit" : "device " + std::to_string(node - 1);
            m_byNode[{cluster, node}] =
                &AddProcess(GetNodeName(ClusterId(cluster), node),
                            what + " of cluster " + std::to_string(cluster));
        }
    }
    Connect(applications);
}

Timeline::Process&
Timeline::AddProcess(const std::string& name, const std::string& label)
{
    Process process;
    process.id = ROUNDS + 1 + m_processes.size();
    process.name = name;
    m_trace.NameProcess(process.id, name + ": " + label);
    m_processes.push_back(std::move(process));
    return m_processes.back();
}

void
Timeline::Connect(const RunApplications& applications)
{
    const auto connect = [this](const auto& application, Process* process) {
        application->TraceConnectWithoutContext(
            "Tx",
            MakeCallback(&Timeline::HandleTx, this).Bind(process));
        application->TraceConnectWithoutContext(
            "Reception",
            MakeCallback(&Timeline::HandleReception, this).Bind(process));
        application->TraceConnectWithoutContext(
            "Pass",
            MakeCallback(&Timeline::HandlePass, this).Bind(process));
    };
    for (std::size_t c = 0; c < m_cells.size(); ++c)
    {
        connect(applications.edgeServers[c], m_cells[c].edge);
    }
    if (m_lead)
    {
        connect(applications.leader, m_lead);
    }
    for (const auto& [key, process] : m_byNode)
    {
        connect(applications.clusters[key.first][key.second], process);
    }
    applications.leader->TraceConnectWithoutContext("Round",
                                                    MakeCallback(&Timeline::HandleRound, this));
    for (std::size_t c = 0; c < m_cells.size(); ++c)
    {
        ConnectCell(applications.edgeServers[c], applications.loops[c], &m_cells[c]);
    }
    // All cells have the same
    if (const auto actuator = applications.loops.front()->GetActuator())
    {
        actuator->TraceConnectWithoutContext("Actuation",
                                             MakeCallback(&Timeline::HandleActuation, this));
    }
}

void
Timeline::ConnectCell(Ptr<EdgeServerApplication> edge, Ptr<ControlLoop> loop, const Cell* cell)
{
    loop->TraceConnectWithoutContext("Plan", MakeCallback(&Timeline::HandlePlan, this).Bind(cell));
    edge->TraceConnectWithoutContext("Round",
                                     MakeCallback(&Timeline::HandleCellRound, this).Bind(cell));
    loop->TraceConnectWithoutContext("Measurement",
                                     MakeCallback(&Timeline::HandleMeasurement, this).Bind(cell));
    if (const auto dssda = DynamicCast<DssdaController>(loop->GetController()))
    {
        dssda->TraceConnectWithoutContext("Queues",
                                          MakeCallback(&Timeline::HandleQueues, this).Bind(cell));
    }
}

bool
Timeline::Close()
{
    return m_trace.Close({{"clock", std::string("simulated time since the start, in us")},
                          {"left_out", static_cast<int64_t>(m_leftOut)}});
}

Timeline::Process&
Timeline::GetProcess(uint32_t cluster, NodeIndex node)
{
    return node == EDGE_SERVER ? *m_edgeOf.at(cluster) : *m_byNode.at({cluster, node});
}

bool
Timeline::HasRoom()
{
    if (m_trace.GetBytes() < m_maxBytes)
    {
        return true;
    }
    if (m_leftOut++ == 0)
    {
        m_trace.AddMark("no room for more: rounds and phases only", Simulator::Now());
    }
    return false;
}

ChromeTrace::Track
Timeline::Occupy(Process& process, Kind kind, const Process& peer, Time start, Time end)
{
    auto& lane = process.lanes[{kind, peer.id}];
    const auto free = std::find_if(lane.begin(), lane.end(), [start](const auto& row) {
        return row.second <= start;
    });
    if (free != lane.end())
    {
        free->second = end;
        return {process.id, free->first};
    }
    const std::string name = kind == COMPUTE ? "compute"
                             : kind == SEND  ? "send to " + peer.name
                                             : "receive from " + peer.name;
    const ChromeTrace::Track track{process.id, ++process.tracks};
    m_trace.NameTrack(track,
                      lane.empty() ? name : name + " (" + std::to_string(lane.size() + 1) + ")");
    lane.emplace_back(track.thread, end);
    return track;
}

void
Timeline::Count(Process& process,
                const char* counter,
                const std::string& series,
                Time time,
                double value)
{
    const auto [known, isNew] = process.counters.try_emplace({counter, series}, value);
    if (isNew || known->second != value)
    {
        known->second = value;
        m_trace.AddCounter(process.id, counter, series, time, value);
    }
}

Timeline::MessageKey
Timeline::GetKey(const MessageHeader& header)
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

void
Timeline::HandleTx(Process* process, const MessageHeader& header, uint64_t /* bytes */)
{
    m_sent[GetKey(header)].push_back({process, Simulator::Now()});
}

void
Timeline::HandleReception(Process* process, const MessageHeader& header, uint64_t bytes, Time begin)
{
    const auto known = m_sent.find(GetKey(header));
    if (known == m_sent.end())
    {
        return;
    }
    const Sent sent = known->second.front();
    known->second.pop_front();
    if (known->second.empty())
    {
        m_sent.erase(known);
    }
    const Time now = Simulator::Now();
    auto& last = m_lastArrival[{sent.by->id, process->id}];
    const Time start = std::min(std::max(sent.time, last), begin);
    last = now;
    if (!HasRoom())
    {
        return;
    }
    std::string name = ToString(header.type);
    ChromeTrace::Arguments arguments{{"round", header.round},
                                     {"bytes", static_cast<int64_t>(bytes)}};
    if (HasMicroBatch(header.type))
    {
        name += " " + std::to_string(header.microBatch);
        arguments.insert(arguments.begin() + 1,
                         {{"iteration", header.iteration}, {"micro_batch", header.microBatch}});
    }
    const auto from = Occupy(*sent.by, SEND, *process, start, now);
    const auto to = Occupy(*process, RECEIVE, *sent.by, begin, now);
    m_trace.AddSlice(from, name, "send", start, now, arguments);
    m_trace.AddSlice(to, name, "receive", begin, now, {}); // the arrow leads to the rest
    m_trace.AddArrow(from, start, to, begin, ToString(header.type));
}

void
Timeline::HandlePass(Process* process, const PassRecord& record)
{
    const bool isForward = record.action.kind == Action::FORWARD;
    if (record.node != EDGE_SERVER)
    {
        m_lastPass[record.cluster] = record.end;
    }
    if (!HasRoom())
    {
        return;
    }
    m_trace.AddSlice(Occupy(*process, COMPUTE, *process, record.start, record.end),
                     (isForward ? "F" : "B") + std::to_string(record.action.microBatch),
                     "compute",
                     record.start,
                     record.end,
                     {{"round", record.round},
                      {"iteration", record.iteration},
                      {"micro_batch", record.action.microBatch},
                      {"cluster", record.cluster},
                      {"stage", record.stage}});
    // What the backward pass needs is kept from the forward pass on.
    process->alive += isForward ? 1 : -1;
    CountMemory(*process, isForward ? record.start : record.end);
}

void
Timeline::CountMemory(Process& process, Time time)
{
    if (process.modelBytes > 0)
    {
        Count(process,
              "memory (bytes)",
              "model",
              time,
              process.modelBytes + process.alive * process.microBatchBytes);
    }
}

void
Timeline::HandlePlan(const Cell* cell, const SystemState& state, const RoundPlan& plan)
{
    const Time now = Simulator::Now();
    m_plannedS = std::max(m_plannedS, plan.plannedLatencyS);
    for (uint32_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (NodeIndex node = 0; node <= state.clusters[m].devices.size(); ++node)
        {
            const auto& device = node == CONTROL_UNIT ? state.clusters[m].controlUnit
                                                      : state.clusters[m].devices[node - 1];
            auto& process = GetProcess(cell->clusters[m].number, node);
            process.modelBytes = 0;
            process.alive = 0;
            if (std::isfinite(device.batteryJ) && HasRoom())
            {
                Count(process, ENERGY, "battery", now, device.batteryJ);
            }
        }
        for (const auto& chain : plan.clusters[m].chains)
        {
            for (const auto& stage : chain.stages)
            {
                if (stage.node == EDGE_SERVER || stage.GetBlocks() == 0)
                {
                    continue;
                }
                auto& process = GetProcess(cell->clusters[m].number, stage.node);
                const ModelProfile& model = state.model;
                process.modelBytes = model.CountTrained(stage.firstBlock, stage.lastBlock) *
                                         model.weightCopies * model.blockParameterBits /
                                         BITS_PER_BYTE +
                                     model.GetFrozenBytes(stage.firstBlock, stage.lastBlock);
                process.microBatchBytes = model.CountBackward(stage.firstBlock, stage.lastBlock) *
                                          chain.microBatchSize * model.activationBytesPerBlock;
                if (HasRoom())
                {
                    CountMemory(process, now);
                }
            }
        }
    }
}

void
Timeline::HandleRound(const RoundRecord& record)
{
    const int64_t round = record.round;
    m_trace.AddSlice(
        ROUND_TRACK,
        "round " + std::to_string(round),
        "round",
        record.start,
        record.end,
        {{"round", round}, {"planned_latency_s", m_plannedS}, {"train_loss", record.trainLoss}});
    m_plannedS = 0;
    m_sent.clear();
}

void
Timeline::HandleCellRound(const Cell* cell, const RoundRecord& record)
{
    const int64_t round = record.round;
    for (uint32_t i = 0; i < record.phases.size(); ++i)
    {
        const uint32_t cluster = cell->clusters[i].number;
        const auto& phases = record.phases[i];
        const std::pair<const char*, Time> ends[] = {{"report", record.planned},
                                                     {"distribution", phases.distribution},
                                                     {"training", m_lastPass[cluster]},
                                                     {"upload", phases.upload}};
        Time start = record.start;
        for (const auto& [name, end] : ends)
        {
            m_trace.AddSlice({ROUNDS, PHASE_TRACK + cluster},
                             name,
                             "phase",
                             start,
                             std::max(start, end),
                             {{"round", round}});
            start = std::max(start, end);
        }
    }
}

void
Timeline::HandleMeasurement(const Cell* cell, const RoundMeasurement& measurement)
{
    for (uint32_t cluster = 0; cluster < measurement.deviceEnergyJ.size(); ++cluster)
    {
        const auto& nodes = measurement.deviceEnergyJ[cluster];
        for (NodeIndex node = 0; node < nodes.size(); ++node)
        {
            auto& process = GetProcess(cell->clusters[cluster].number, node);
            process.energyJ += nodes[node];
            if (std::isfinite(process.energyJ) && HasRoom())
            {
                Count(process, ENERGY, "spent", Simulator::Now(), process.energyJ);
            }
        }
    }
}

void
Timeline::HandleQueues(const Cell* cell, const VirtualQueues& queues)
{
    const Time now = Simulator::Now();
    for (uint32_t i = 0; i < cell->clusters.size(); ++i)
    {
        const uint32_t number = cell->clusters[i].number;
        for (auto at = m_byNode.lower_bound({number, 0});
             at != m_byNode.end() && at->first.first == number && HasRoom();
             ++at)
        {
            Count(*at->second,
                  "virtual queue (budgets)",
                  "energy",
                  now,
                  queues.GetEnergyQueue(i, at->first.second));
        }
    }
    if (HasRoom())
    {
        Count(*cell->edge, "virtual queue", "convergence", now, queues.GetConvergenceQueue());
    }
}

void
Timeline::HandleActuation(uint32_t cluster,
                          NodeIndex from,
                          NodeIndex to,
                          const LinkSetting& before,
                          const LinkSetting& after,
                          const std::string& /* reason */)
{
    if (!HasRoom())
    {
        return;
    }
    auto& process = GetProcess(cluster, from);
    const std::string series = "to " + GetProcess(cluster, to).name;
    const auto count = [&](const char* counter, double old, double value) {
        // A link's first change shows what it was before.
        if (process.counters.count({counter, series}) == 0)
        {
            Count(process, counter, series, Seconds(0), old);
        }
        Count(process, counter, series, Simulator::Now(), value);
    };
    count("share", before.share, after.share);
    count("power (W)", before.powerW, after.powerW);
}

} // namespace collapipe
} // namespace ns3
