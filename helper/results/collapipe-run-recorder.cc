/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-recorder.h"

#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

RunRecorder::RunRecorder(const RunApplications& applications)
    : m_applications(applications),
      m_phases(applications.clusters.size()),
      m_lastFlush(applications.clusters.size()),
      m_before(applications.clusters.size()),
      m_serversBefore(applications.GetServers().size())
{
    m_state.clusters.resize(applications.clusters.size());
    m_plan.clusters.resize(applications.clusters.size());
    for (uint32_t cell = 0; cell < m_applications.edgeServers.size(); ++cell)
    {
        m_applications.loops[cell]->TraceConnectWithoutContext(
            "Plan",
            MakeCallback(&RunRecorder::HandlePlan, this).Bind(cell));
        m_applications.edgeServers[cell]->TraceConnectWithoutContext(
            "Round",
            MakeCallback(&RunRecorder::HandleCellRound, this).Bind(cell));
    }
    // After the cells', so that a single cell's record is there
    const auto leader = m_applications.leader;
    leader->TraceConnectWithoutContext("Round", MakeCallback(&RunRecorder::HandleRound, this));
    leader->TraceConnectWithoutContext("Evaluation",
                                       MakeCallback(&RunRecorder::HandleEvaluation, this));
    for (uint32_t cluster = 0; cluster < m_applications.clusters.size(); ++cluster)
    {
        m_before[cluster].resize(m_applications.clusters[cluster].size());
        for (auto& node : m_applications.clusters[cluster])
        {
            node->TraceConnectWithoutContext(
                "Flush",
                MakeCallback(&RunRecorder::HandleFlush, this).Bind(cluster));
        }
    }
    Simulator::ScheduleNow(&RunRecorder::AwaitStart, this);
}

void
RunRecorder::Detach()
{
    m_applications = RunApplications();
}

const std::vector<RoundRow>&
RunRecorder::GetRounds() const
{
    return m_rounds;
}

const std::vector<DeviceRow>&
RunRecorder::GetDevices() const
{
    return m_devices;
}

double
RunRecorder::GetInitialLoss() const
{
    return m_initialLoss;
}

const QualityScore&
RunRecorder::GetInitialQuality() const
{
    return m_initialQuality;
}

void
RunRecorder::SetRowCallback(std::function<void(const RoundRow&)> callback)
{
    m_onRow = std::move(callback);
}

void
RunRecorder::SetProgressCallback(std::function<void(double)> callback)
{
    m_onProgress = std::move(callback);
}

RunRecorder::Counters
RunRecorder::Read(const MessageApplication& application)
{
    return {application.GetProcessor()->GetBusyTime(),
            application.GetBytesSent(),
            application.GetMessagesSent(),
            {},
            0};
}

RunRecorder::Counters
RunRecorder::ReadNode(uint32_t cluster, NodeIndex node) const
{
    const auto& application = *m_applications.clusters[cluster][node];
    Counters counters = Read(application);
    counters.base = application.GetBaseBytes();
    if (m_applications.meter)
    {
        counters.energy = m_applications.meter->Read(cluster, node);
        return counters;
    }
    DoubleValue powerW;
    application.GetAttribute("ComputePowerW", powerW);
    counters.energy.computeJ = powerW.Get() * application.GetProcessor()->GetFullPowerS();
    return counters;
}

void
RunRecorder::AwaitStart()
{
    TimeValue start;
    m_applications.leader->GetAttribute("StartTime", start);
    Simulator::Schedule(std::max(Time(0), start.Get() - Simulator::Now()),
                        &RunRecorder::BeginEnergy,
                        this);
}

void
RunRecorder::BeginEnergy()
{
    for (uint32_t cluster = 0; cluster < m_before.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_before[cluster].size(); ++node)
        {
            m_before[cluster][node].energy = ReadNode(cluster, node).energy;
        }
    }
}

void
RunRecorder::HandlePlan(uint32_t cell, const SystemState& state, const RoundPlan& plan)
{
    auto clusters = std::move(m_state.clusters);
    m_state = state;
    m_state.clusters = std::move(clusters);
    const auto& ids = m_applications.edgeServers[cell]->GetClusterIds();
    for (std::size_t i = 0; i < ids.size(); ++i)
    {
        m_state.clusters[ids[i].number] = state.clusters[i];
        m_plan.clusters[ids[i].number] = plan.clusters[i];
    }
    m_plan.localIterations = plan.localIterations;
    m_plan.schedule = plan.schedule;
    m_plannedS[cell] = plan.plannedLatencyS; // a round that is planned anew goes by its new plan
    m_expectedFlushes = CountFlushes();
}

uint64_t
RunRecorder::CountFlushes() const
{
    uint64_t flushes = 0;
    for (const auto& cluster : m_plan.clusters)
    {
        for (const auto& chain : cluster.chains)
        {
            for (const auto& stage : chain.stages)
            {
                flushes += stage.node == EDGE_SERVER ? 0 : m_plan.localIterations;
            }
        }
    }
    return flushes;
}

void
RunRecorder::HandleCellRound(uint32_t cell, const RoundRecord& record)
{
    const auto& ids = m_applications.edgeServers[cell]->GetClusterIds();
    for (std::size_t i = 0; i < ids.size(); ++i)
    {
        m_phases[ids[i].number] = record.phases[i];
    }
}

void
RunRecorder::HandleFlush(uint32_t cluster,
                         uint32_t /* round */,
                         uint32_t /* iteration */,
                         const ModelPart& /* part */)
{
    // The first stage is the last to end an iteration.
    m_lastFlush[cluster] = Simulator::Now();
    ++m_flushes;
    if (m_onProgress)
    {
        m_onProgress(static_cast<double>(m_flushes) / m_expectedFlushes);
    }
}

void
RunRecorder::HandleRound(const RoundRecord& record)
{
    const auto slowest =
        std::max_element(m_phases.begin(), m_phases.end(), [](const auto& left, const auto& right) {
            return left.upload < right.upload;
        });
    // A cluster that was given up may have trained nothing since it was last asked to.
    const Time trained = std::max(m_lastFlush[slowest - m_phases.begin()], slowest->distribution);
    RoundRow row;
    row.round = record.round;
    row.startS = record.start.GetSeconds();
    row.latencyS = (record.end - record.start).GetSeconds();
    row.reportS = (record.planned - record.start).GetSeconds();
    row.distributionS = (slowest->distribution - record.planned).GetSeconds();
    row.trainingS = (trained - slowest->distribution).GetSeconds();
    row.uploadS = (record.end - trained).GetSeconds();
    for (const auto& [cell, plannedS] : m_plannedS)
    {
        row.plannedLatencyS = std::max(row.plannedLatencyS, plannedS);
    }
    row.trainLoss = record.trainLoss;
    row.learning = record.learning;
    AddTraffic(row);
    m_rounds.push_back(row);
    m_flushes = 0;
    m_plannedS.clear();
}

void
RunRecorder::AddTraffic(RoundRow& row)
{
    const auto servers = m_applications.GetServers();
    for (std::size_t i = 0; i < servers.size(); ++i)
    {
        const auto now = Read(*servers[i]);
        row.bytesSent += now.bytes - m_serversBefore[i].bytes;
        row.messagesSent += now.messages - m_serversBefore[i].messages;
        m_serversBefore[i] = now;
    }
    const auto devicesBefore = m_devices.size();
    AddDeviceRows(row);
    for (auto i = devicesBefore; i < m_devices.size(); ++i)
    {
        row.bytesSent += m_devices[i].bytesSent;
        row.messagesSent += m_devices[i].messagesSent;
        row.baseBytes += m_devices[i].baseBytes;
    }
}

void
RunRecorder::AddDeviceRows(const RoundRow& round)
{
    for (uint32_t cluster = 0; cluster < m_before.size(); ++cluster)
    {
        for (uint32_t node = 0; node < m_before[cluster].size(); ++node)
        {
            const auto now = ReadNode(cluster, node);
            auto& before = m_before[cluster][node];
            DeviceRow row;
            row.round = round.round;
            row.cluster = cluster;
            row.node = node;
            row.computeS = (now.busy - before.busy).GetSeconds();
            row.utilisation = row.computeS / round.latencyS;
            const auto energy = now.energy - before.energy;
            row.computeEnergyJ = energy.computeJ;
            row.wifiEnergyJ = energy.wifiJ;
            row.lteEnergyJ = energy.lteJ;
            row.activeEnergyJ = energy.GetActive();
            row.batteryJ =
                m_applications.meter ? m_applications.meter->GetLeftJ(cluster, node) : row.batteryJ;
            row.bytesSent = now.bytes - before.bytes;
            row.messagesSent = now.messages - before.messages;
            row.baseBytes = now.base - before.base;
            FillFromPlan(row);
            row.memory = m_applications.clusters[cluster][node]->GetMemory();
            m_devices.push_back(row);
            before = now;
        }
    }
}

void
RunRecorder::FillFromPlan(DeviceRow& row) const
{
    const auto& state = m_state.clusters[row.cluster];
    const auto& node = GetNode(state, static_cast<NodeIndex>(row.node));
    row.profile = node.name;
    row.flops = node.flops;
    for (const auto& chain : m_plan.clusters[row.cluster].chains)
    {
        for (std::size_t stage = 0; stage < chain.stages.size(); ++stage)
        {
            if (chain.stages[stage].node == row.node)
            {
                row.stage = static_cast<int32_t>(stage);
                row.clock = chain.stages[stage].clock;
                row.firstBlock = chain.stages[stage].firstBlock;
                row.lastBlock = chain.stages[stage].lastBlock;
                row.plannedMemoryBytes = GetStageMemoryBytes(m_state.model,
                                                             m_plan.schedule,
                                                             chain,
                                                             stage,
                                                             chain.stages[stage].recompute);
            }
        }
    }
}

void
RunRecorder::HandleEvaluation(uint32_t round, const EvaluationResult& result)
{
    if (round == 0)
    {
        m_initialLoss = result.loss;
        m_initialQuality = result.quality;
        return;
    }
    auto& row = m_rounds[round - 1];
    row.validationLoss = result.loss;
    row.quality = result.quality;
    if (m_onRow)
    {
        m_onRow(row);
    }
}

} // namespace collapipe
} // namespace ns3
