/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-recorder.h"

#include "collapipe-result-columns.h"

#include "ns3/collapipe-dssda-controller.h"
#include "ns3/collapipe-transfers.h"
#include "ns3/double.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

const char*
GetName(Pool pool)
{
    switch (pool)
    {
    case Pool::UPLINK:
        return "uplink";
    case Pool::DOWNLINK:
        return "downlink";
    default:
        return "d2d";
    }
}

/// @return a controller's attribute, 0 where it has none of that name
double
GetNumber(const Controller& controller, const std::string& attribute)
{
    DoubleValue value(0);
    controller.GetAttributeFailSafe(attribute, value);
    return value.Get();
}

/**
 * @param state the system
 * @param plan a plan for it
 * @param cluster a cluster
 * @param node one of its nodes
 * @return the model's FLOPs that the node does in the round; without o of (1), which does none
 */
double
GetUsefulFlops(const SystemState& state, const RoundPlan& plan, uint32_t cluster, uint32_t node)
{
    const auto& device = GetNode(state.clusters[cluster], static_cast<NodeIndex>(node));
    double flops = 0;
    for (const auto& chain : plan.clusters[cluster].chains)
    {
        for (const auto& stage : chain.stages)
        {
            if (stage.node == node)
            {
                const HopTimes times = GetStageTimes(state, cluster, chain, stage, 1);
                const double seconds =
                    stage.clock * (times.forwardS + times.backwardS) - 2 * device.overheadS;
                flops += plan.localIterations * chain.microBatches * seconds * device.flops;
            }
        }
    }
    return flops;
}

} // namespace

ControlRecorder::ControlRecorder(const std::vector<Ptr<ControlLoop>>& loops)
{
    for (const auto& loop : loops)
    {
        m_cells.push_back(
            {static_cast<uint32_t>(m_cells.size()), loop->GetController(), loop->GetClusterIds()});
        const Cell* cell = &m_cells.back();
        loop->TraceConnectWithoutContext(
            "Plan",
            MakeCallback(&ControlRecorder::HandlePlan, this).Bind(cell));
        loop->TraceConnectWithoutContext(
            "Measurement",
            MakeCallback(&ControlRecorder::HandleMeasurement, this).Bind(cell));
        if (const auto monitor = loop->GetLinkMonitor())
        {
            monitor->TraceConnectWithoutContext(
                "Report",
                MakeCallback(&ControlRecorder::HandleReport, this).Bind(cell));
        }
    }
}

void
ControlRecorder::HandleReport(const Cell* cell, const LinkReport& report)
{
    const uint32_t cluster = cell->clusters.at(report.link.cluster).number;
    for (auto row = m_links.rbegin(); row != m_links.rend() && row->round >= report.round; ++row)
    {
        if (row->round == report.round && row->cluster == cluster &&
            row->evaluation.from == report.link.from && row->evaluation.to == report.link.to)
        {
            row->measured = report;
        }
    }
}

void
ControlRecorder::HandleMeasurement(const Cell* cell, const RoundMeasurement& measurement)
{
    for (auto row = m_clusters.rbegin();
         row != m_clusters.rend() && row->round >= measurement.round;
         ++row)
    {
        const auto own =
            std::find(cell->clusters.begin(), cell->clusters.end(), ClusterId(row->cluster));
        const auto index = static_cast<std::size_t>(own - cell->clusters.begin());
        if (row->round == measurement.round && index < measurement.clusters.size())
        {
            const auto& seen = measurement.clusters[index];
            row->measuredDistributionS = seen.distributionS;
            row->measuredIterationS = seen.iterationS;
            row->measuredUploadS = seen.uploadS;
            row->measuredTotalS = seen.totalS;
        }
    }
}

const std::vector<ControlRow>&
ControlRecorder::GetRounds() const
{
    return m_rounds;
}

const std::vector<ControlNodeRow>&
ControlRecorder::GetNodes() const
{
    return m_nodes;
}

const std::vector<ControlLinkRow>&
ControlRecorder::GetLinks() const
{
    return m_links;
}

Instance
ControlRecorder::MakeInstance(const Controller& controller, const SystemState& state)
{
    Instance instance;
    instance.state = state;
    instance.penaltyWeight = GetNumber(controller, "PenaltyWeight");
    instance.convergenceTarget = GetNumber(controller, "ConvergenceTarget");
    if (const auto dssda = dynamic_cast<const DssdaController*>(&controller))
    {
        instance.penaltyWeight = dssda->GetPenaltyWeight();
        instance.energyPrices = dssda->GetQueues().GetEnergyPrices(state);
        instance.convergencePrice =
            dssda->GetQueues().GetConvergencePrice(instance.convergenceTarget);
    }
    return instance;
}

void
ControlRecorder::HandlePlan(const Cell* cell, const SystemState& state, const RoundPlan& plan)
{
    const Instance instance = MakeInstance(*cell->controller, state);
    ControlRow row;
    row.round = state.round;
    row.cell = cell->index;
    row.penaltyWeight = instance.penaltyWeight;
    row.convergenceTarget = instance.convergenceTarget;
    row.convergenceQueue = instance.convergencePrice * instance.convergenceTarget;
    row.evaluation = EvaluatePlan(instance, plan);
    m_rounds.push_back(row);
    for (uint32_t m = 0; m < plan.clusters.size(); ++m)
    {
        AddCluster(state, plan, m, cell->clusters[m]);
        const auto& nodes = row.evaluation.clusters[m].nodes;
        for (uint32_t k = 0; k < nodes.size(); ++k)
        {
            const auto& node = GetNode(state.clusters[m], static_cast<NodeIndex>(k));
            m_nodes.push_back({state.round,
                               cell->clusters[m].number,
                               k,
                               node.energyBudgetJ,
                               instance.GetEnergyPrice(m, k) * node.energyBudgetJ,
                               node.memoryBytes,
                               GetUsefulFlops(state, plan, m, k),
                               nodes[k]});
        }
    }
}

void
ControlRecorder::AddCluster(const SystemState& state,
                            const RoundPlan& plan,
                            uint32_t cluster,
                            ClusterId id)
{
    ControlClusterRow row;
    row.round = state.round;
    row.cluster = id.number;
    row.weight = state.clusters[cluster].weight;
    row.chains = plan.clusters[cluster].chains.size();
    row.chain = row.chains > 0 ? plan.clusters[cluster].chains.front() : ChainPlan();
    row.evaluation = m_rounds.back().evaluation.clusters[cluster];
    m_clusters.push_back(row);
    for (const auto& link : row.evaluation.links)
    {
        AddLink(state, plan, cluster, id, link);
    }
}

void
ControlRecorder::AddLink(const SystemState& state,
                         const RoundPlan& plan,
                         uint32_t cluster,
                         ClusterId id,
                         const LinkEvaluation& evaluation)
{
    const auto* link = FindLinkState(state.clusters[cluster], evaluation.from, evaluation.to);
    if (!link)
    {
        return;
    }
    const Pool pool = GetPool(evaluation.from, evaluation.to);
    const PoolState& medium = GetLinkPool(state, cluster, evaluation.from, evaluation.to);
    ControlLinkRow row;
    row.round = state.round;
    row.cluster = id.number;
    row.evaluation = evaluation;
    row.pool = GetName(pool);
    row.powerW = row.maxPowerW = link->maxPowerW;
    row.efficiency = link->efficiency;
    row.snrGap = link->snrGap;
    row.measured.sinr = row.measured.mcs = row.measured.goodputBps =
        std::numeric_limits<double>::quiet_NaN();
    row.snrDb = medium.mode == SharingMode::DEDICATED
                    ? std::numeric_limits<double>::quiet_NaN()
                    : 10 * std::log10(link->maxPowerW * link->gain /
                                      (link->noiseDensityWPerHz * medium.bandwidthHz));
    for (const auto& decided : plan.clusters[cluster].links)
    {
        if (decided.phase == evaluation.phase && decided.from == evaluation.from &&
            decided.to == evaluation.to)
        {
            row.share = decided.share;
            row.powerW = decided.powerW;
        }
    }
    m_links.push_back(row);
}

void
ControlRecorder::Write(const std::function<std::string(const std::string&)>& getPath) const
{
    WriteResultTable(getPath("control.csv"), MakeControlTable(), m_rounds);
    WriteResultTable(getPath("clusters.csv"), MakeClusterTable(), m_clusters);
    WriteResultTable(getPath("budgets.csv"), MakeBudgetTable(), m_nodes);
    WriteResultTable(getPath("links.csv"), MakeLinkTable(), m_links);
}

} // namespace collapipe
} // namespace ns3
