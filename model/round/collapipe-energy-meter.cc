/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-energy-meter.h"

#include "ns3/double.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(EnergyMeter);
NS_OBJECT_ENSURE_REGISTERED(NodeEnergyMeter);

TypeId
EnergyMeter::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::EnergyMeter").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

void
EnergyMeter::Follow(Ptr<ModelServerApplication> leader)
{
    BeginRound();
    Simulator::ScheduleNow(&EnergyMeter::AwaitStart, this, leader);
    leader->TraceConnectWithoutContext("Round", MakeCallback(&EnergyMeter::HandleRound, this));
}

void
EnergyMeter::AwaitStart(Ptr<ModelServerApplication> leader)
{
    TimeValue start;
    leader->GetAttribute("StartTime", start);
    Simulator::Schedule(std::max(Time(0), start.Get() - Simulator::Now()),
                        &EnergyMeter::BeginRound,
                        this);
}

EnergyParts
EnergyMeter::GetParts(ClusterId cluster, NodeIndex node) const
{
    return Read(cluster.number, node) - m_before.at(cluster.number).at(node);
}

double
EnergyMeter::Measure(ClusterId cluster, NodeIndex node) const
{
    return GetParts(cluster, node).GetActive();
}

double
EnergyMeter::MeasureRadio(ClusterId cluster, NodeIndex node) const
{
    const auto parts = GetParts(cluster, node);
    return parts.GetActive() - parts.computeJ;
}

void
EnergyMeter::BeginRound()
{
    const auto nodes = CountNodes();
    m_before.resize(nodes.size());
    for (uint32_t cluster = 0; cluster < nodes.size(); ++cluster)
    {
        m_before[cluster].resize(nodes[cluster]);
        for (NodeIndex node = 0; node < nodes[cluster]; ++node)
        {
            m_before[cluster][node] = Read(cluster, node);
        }
    }
}

void
EnergyMeter::HandleRoundEnd()
{
}

void
EnergyMeter::HandleRound(const RoundRecord& /* record */)
{
    HandleRoundEnd();
    BeginRound();
}

TypeId
NodeEnergyMeter::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::NodeEnergyMeter")
                            .SetParent<EnergyMeter>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<NodeEnergyMeter>()
                            .AddTraceSource("Empty",
                                            "A device's battery is empty.",
                                            MakeTraceSourceAccessor(&NodeEnergyMeter::m_emptyTrace),
                                            "ns3::collapipe::NodeEnergyMeter::EmptyTracedCallback");
    return tid;
}

NodeEnergyMeter::NodeEnergyMeter() = default;
NodeEnergyMeter::~NodeEnergyMeter() = default;

void
NodeEnergyMeter::DoDispose()
{
    m_nodes.clear();
    m_applications.clear();
    EnergyMeter::DoDispose();
}

void
NodeEnergyMeter::Install(const std::vector<std::vector<Ptr<StageApplication>>>& clusters,
                         double batteryJ)
{
    m_applications = clusters;
    for (uint32_t cluster = 0; cluster < clusters.size(); ++cluster)
    {
        m_nodes.emplace_back();
        for (NodeIndex node = 0; node < clusters[cluster].size(); ++node)
        {
            const auto& application = clusters[cluster][node];
            DoubleValue powerW;
            application->GetAttribute("ComputePowerW", powerW);
            m_nodes.back().push_back(
                std::make_unique<NodeEnergy>(application->GetNode(),
                                             application->GetProcessor(),
                                             powerW.Get(),
                                             node == CONTROL_UNIT ? 0 : batteryJ));
            m_nodes.back().back()->SetEmptyCallback(
                [this, cluster, node] { HandleEmpty(cluster, node); });
        }
    }
    ReportBatteries();
}

EnergyParts
NodeEnergyMeter::Read(uint32_t cluster, NodeIndex node) const
{
    return m_nodes.at(cluster).at(node)->Read();
}

double
NodeEnergyMeter::GetLeftJ(uint32_t cluster, NodeIndex node) const
{
    return m_nodes.at(cluster).at(node)->GetLeftJ();
}

std::vector<std::size_t>
NodeEnergyMeter::CountNodes() const
{
    std::vector<std::size_t> counts;
    for (const auto& cluster : m_nodes)
    {
        counts.push_back(cluster.size());
    }
    return counts;
}

void
NodeEnergyMeter::HandleEmpty(uint32_t cluster, NodeIndex node)
{
    const auto& application = m_applications[cluster][node];
    application->SetAttribute("BatteryJ", DoubleValue(0));
    application->SetAttribute("MemoryBytes", DoubleValue(0));
    m_emptyTrace(cluster, node);
}

void
NodeEnergyMeter::ReportBatteries() const
{
    for (uint32_t cluster = 0; cluster < m_nodes.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_nodes[cluster].size(); ++node)
        {
            const double leftJ = GetLeftJ(cluster, node);
            if (std::isfinite(leftJ))
            {
                m_applications[cluster][node]->SetAttribute("BatteryJ", DoubleValue(leftJ));
            }
        }
    }
}

void
NodeEnergyMeter::HandleRoundEnd()
{
    ReportBatteries();
}

} // namespace collapipe
} // namespace ns3
