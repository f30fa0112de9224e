/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-result-columns.h"

#include "collapipe-quality.h"
#include "collapipe-run-totals.h"

#include "ns3/collapipe-edge-blocks.h"
#include "ns3/collapipe-node-name.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

const char*
GetName(Phase phase)
{
    switch (phase)
    {
    case Phase::DISTRIBUTION:
        return "distribution";
    case Phase::UPLOAD:
        return "upload";
    default:
        return "training";
    }
}

/// @return "cu", "es" or a device's number within its cluster, from 1, as the column `node` has it
std::string
GetEnd(NodeIndex node)
{
    return node == CONTROL_UNIT ? "cu" : node == EDGE_SERVER ? "es" : std::to_string(node);
}

/// @return a cluster's name, the beginning of its nodes' names
std::string
GetClusterName(uint32_t cluster)
{
    return "c" + std::to_string(cluster);
}

/// Adds what a device consumed and has left.
void
AddEnergy(ResultTable<DeviceRow>& table)
{
    table.Add("wifi_energy_j", "J", [](const auto& row) { return row.wifiEnergyJ; })
        .Add("lte_energy_j", "J", [](const auto& row) { return row.lteEnergyJ; })
        .Add("active_energy_j", "J", [](const auto& row) { return row.activeEnergyJ; })
        .Add("battery_j", "J", [](const auto& row) {
            return std::isinf(row.batteryJ) ? "inf" : ToCsvCell(CellValue(row.batteryJ));
        });
}

/// Adds what was really allocated on a device.
void
AddMemory(ResultTable<DeviceRow>& table)
{
    const auto add = [&table](const std::string& name, std::size_t kind) {
        table.Add(name, "bytes", [kind](const auto& row) { return row.memory.kept.bytes[kind]; });
    };
    table.Add("kept_memory_bytes", "bytes", [](const auto& row) {
        return row.memory.kept.GetTotal();
    });
    const std::vector<std::string> kinds{"parameter_bytes",
                                         "gradient_bytes",
                                         "optimizer_bytes",
                                         "activation_bytes"};
    for (std::size_t kind = 0; kind < kinds.size(); ++kind)
    {
        add(kinds[kind], kind);
    }
    table.Add("peak_memory_bytes", "bytes", [](const auto& row) { return row.memory.peakBytes; });
}

/// Adds what was measured of a link.
void
AddMeasured(ResultTable<ControlLinkRow>& table)
{
    table.Add("snr_gap", "1", [](const auto& row) { return row.snrGap; })
        .Add("measured_snr_db",
             "dB",
             [](const auto& row) { return 10 * std::log10(row.measured.sinr); })
        .Add("measured_mcs", "", [](const auto& row) { return row.measured.mcs; })
        .Add("measured_goodput_bps", "bit/s", [](const auto& row) {
            return row.measured.goodputBps;
        });
}

} // namespace

ResultTable<RoundRow>
MakeRoundTable(const std::string& task, std::size_t classes)
{
    ResultTable<RoundRow> table;
    table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("start_s", "s", [](const auto& row) { return row.startS; })
        .Add("latency_s", "s", [](const auto& row) { return row.latencyS; })
        .Add("report_s", "s", [](const auto& row) { return row.reportS; })
        .Add("distribution_s", "s", [](const auto& row) { return row.distributionS; })
        .Add("training_s", "s", [](const auto& row) { return row.trainingS; })
        .Add("upload_s", "s", [](const auto& row) { return row.uploadS; })
        .Add("planned_latency_s", "s", [](const auto& row) { return row.plannedLatencyS; })
        .Add("train_loss", "nats", [](const auto& row) { return row.trainLoss; })
        .Add("validation_loss", "nats", [](const auto& row) { return row.validationLoss; })
        .Add("bytes_sent", "bytes", [](const auto& row) { return row.bytesSent; })
        .Add("messages_sent", "", [](const auto& row) { return row.messagesSent; })
        .Add("planned_error", "1", [](const auto& row) { return GetPlannedError(row); })
        .Add("smoothness", "1", [](const auto& row) { return row.learning.smoothness; })
        .Add("gradient_variance",
             "1",
             [](const auto& row) { return row.learning.gradientVariance; })
        .Add("cluster_divergence",
             "1",
             [](const auto& row) { return row.learning.clusterDivergence; })
        .Add("base_bytes", "bytes", [](const auto& row) { return row.baseBytes; });
    const auto scores = ListScores(task, classes, {});
    for (std::size_t i = 0; i < scores.size(); ++i)
    {
        table.Add(scores[i].first, "1", [task, classes, i](const auto& row) {
            return ListScores(task, classes, row.quality)[i].second;
        });
    }
    return table;
}

ResultTable<DeviceRow>
MakeDeviceTable()
{
    ResultTable<DeviceRow> table;
    table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("cluster", "", [](const auto& row) { return row.cluster; })
        .Add("node", "", [](const auto& row) { return row.node; })
        .Add("profile", "", [](const auto& row) { return row.profile; })
        .Add("flops", "FLOP/s", [](const auto& row) { return row.flops; })
        .Add("stage", "", [](const auto& row) { return row.stage; })
        .Add("first_block", "", [](const auto& row) { return row.firstBlock; })
        .Add("last_block", "", [](const auto& row) { return row.lastBlock; })
        .Add("clock", "1", [](const auto& row) { return row.clock; })
        .Add("compute_s", "s", [](const auto& row) { return row.computeS; })
        .Add("utilisation", "1", [](const auto& row) { return row.utilisation; })
        .Add("compute_energy_j", "J", [](const auto& row) { return row.computeEnergyJ; })
        .Add("planned_memory_bytes",
             "bytes",
             [](const auto& row) { return row.plannedMemoryBytes; })
        .Add("bytes_sent", "bytes", [](const auto& row) { return row.bytesSent; })
        .Add("messages_sent", "", [](const auto& row) { return row.messagesSent; });
    AddEnergy(table);
    AddMemory(table);
    return table
        .Add("name",
             "",
             [](const auto& row) {
                 return GetNodeName(ClusterId(row.cluster), static_cast<NodeIndex>(row.node));
             })
        .Add("base_bytes", "bytes", [](const auto& row) { return row.baseBytes; });
}

ResultTable<ControlRow>
MakeControlTable()
{
    ResultTable<ControlRow> table;
    return table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("planned_latency_s", "s", [](const auto& row) { return row.evaluation.latencyS; })
        .Add("phi", "1", [](const auto& row) { return row.evaluation.phi; })
        .Add("phi_target", "1", [](const auto& row) { return row.convergenceTarget; })
        .Add("convergence_queue", "targets", [](const auto& row) { return row.convergenceQueue; })
        .Add("penalty_weight", "J2/s", [](const auto& row) { return row.penaltyWeight; })
        .Add("latency_term", "J2", [](const auto& row) { return row.evaluation.latencyTerm; })
        .Add("energy_term", "J2", [](const auto& row) { return row.evaluation.energyTerm; })
        .Add("convergence_term",
             "1",
             [](const auto& row) { return row.evaluation.convergenceTerm; })
        .Add("objective", "J2", [](const auto& row) { return row.evaluation.objective; })
        .Add("cell", "", [](const auto& row) { return row.cell; });
}

ResultTable<ControlClusterRow>
MakeClusterTable()
{
    ResultTable<ControlClusterRow> table;
    return table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("cluster", "", [](const auto& row) { return row.cluster; })
        .Add("weight", "1", [](const auto& row) { return row.weight; })
        .Add("chains", "", [](const auto& row) { return row.chains; })
        .Add("micro_batches", "", [](const auto& row) { return row.chain.microBatches; })
        .Add("micro_batch_size", "", [](const auto& row) { return row.chain.microBatchSize; })
        .Add("samples", "", [](const auto& row) { return row.evaluation.samples; })
        .Add("planned_distribution_s",
             "s",
             [](const auto& row) { return row.evaluation.distributionS; })
        .Add("planned_iteration_s", "s", [](const auto& row) { return row.evaluation.iterationS; })
        .Add("planned_upload_s", "s", [](const auto& row) { return row.evaluation.uploadS; })
        .Add("planned_total_s", "s", [](const auto& row) { return row.evaluation.totalS; })
        .Add("name", "", [](const auto& row) { return GetClusterName(row.cluster); })
        .Add("measured_distribution_s",
             "s",
             [](const auto& row) { return row.measuredDistributionS; })
        .Add("measured_iteration_s", "s", [](const auto& row) { return row.measuredIterationS; })
        .Add("measured_upload_s", "s", [](const auto& row) { return row.measuredUploadS; })
        .Add("measured_total_s", "s", [](const auto& row) { return row.measuredTotalS; })
        .Add("edge_blocks", "", [](const auto& row) { return CountEdgeBlocks(row.chain); });
}

ResultTable<ControlNodeRow>
MakeBudgetTable()
{
    ResultTable<ControlNodeRow> table;
    return table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("cluster", "", [](const auto& row) { return row.cluster; })
        .Add("node", "", [](const auto& row) { return row.node; })
        .Add("blocks", "", [](const auto& row) { return row.evaluation.blocks; })
        .Add("useful_flops", "FLOP", [](const auto& row) { return row.usefulFlops; })
        .Add("memory_limit_bytes", "bytes", [](const auto& row) { return row.memoryBytes; })
        .Add("planned_memory_bytes",
             "bytes",
             [](const auto& row) { return row.evaluation.memoryBytes; })
        .Add("planned_compute_energy_j",
             "J",
             [](const auto& row) { return row.evaluation.computeEnergyJ; })
        .Add("planned_radio_energy_j",
             "J",
             [](const auto& row) { return row.evaluation.radioEnergyJ; })
        .Add("energy_budget_j", "J", [](const auto& row) { return row.budgetJ; })
        .Add("energy_queue", "budgets", [](const auto& row) { return row.queue; })
        .Add("name", "", [](const auto& row) {
            return GetNodeName(ClusterId(row.cluster), static_cast<NodeIndex>(row.node));
        });
}

ResultTable<ControlLinkRow>
MakeLinkTable()
{
    ResultTable<ControlLinkRow> table;
    table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("cluster", "", [](const auto& row) { return row.cluster; })
        .Add("phase", "", [](const auto& row) { return GetName(row.evaluation.phase); })
        .Add("from", "", [](const auto& row) { return GetEnd(row.evaluation.from); })
        .Add("to", "", [](const auto& row) { return GetEnd(row.evaluation.to); })
        .Add("pool", "", [](const auto& row) { return row.pool; })
        .Add("share", "1", [](const auto& row) { return row.share; })
        .Add("power_w", "W", [](const auto& row) { return row.powerW; })
        .Add("max_power_w", "W", [](const auto& row) { return row.maxPowerW; })
        .Add("snr_db", "dB", [](const auto& row) { return row.snrDb; })
        .Add("efficiency", "1", [](const auto& row) { return row.efficiency; })
        .Add("payload_bits", "bit", [](const auto& row) { return row.evaluation.bits; })
        .Add("planned_rate_bps", "bit/s", [](const auto& row) { return row.evaluation.rateBps; })
        .Add("latency_s", "s", [](const auto& row) { return row.evaluation.latencyS; });
    AddMeasured(table);
    return table
        .Add("from_name",
             "",
             [](const auto& row) {
                 return GetNodeName(ClusterId(row.cluster), row.evaluation.from);
             })
        .Add("to_name", "", [](const auto& row) {
            return GetNodeName(ClusterId(row.cluster), row.evaluation.to);
        });
}

ResultTable<PositionRow>
MakePositionTable()
{
    ResultTable<PositionRow> table;
    return table.Add("round", "", [](const auto& row) { return row.round; })
        .Add("cell", "", [](const auto& row) { return row.cell; })
        .Add("name", "", [](const auto& row) { return row.name; })
        .Add("x_m", "m", [](const auto& row) { return row.positionM.x; })
        .Add("y_m", "m", [](const auto& row) { return row.positionM.y; })
        .Add("z_m", "m", [](const auto& row) { return row.positionM.z; });
}

std::vector<std::pair<std::string, std::vector<ColumnHead>>>
ListColumns(const std::string& task, std::size_t classes)
{
    return {{"rounds.csv", MakeRoundTable(task, classes).GetHeads()},
            {"devices.csv", MakeDeviceTable().GetHeads()},
            {"control.csv", MakeControlTable().GetHeads()},
            {"clusters.csv", MakeClusterTable().GetHeads()},
            {"budgets.csv", MakeBudgetTable().GetHeads()},
            {"links.csv", MakeLinkTable().GetHeads()},
            {"positions.csv", MakePositionTable().GetHeads()}};
}

} // namespace collapipe
} // namespace ns3
