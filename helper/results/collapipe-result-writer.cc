/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-result-writer.h"

#include "collapipe-user-error.h"

#include "ns3/collapipe-version.h"

#include <cmath>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <variant>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return a file to write to, with numbers in full precision
std::ofstream
Open(const std::string& path)
{
    std::ofstream file(path);
    file.precision(12);
    return file;
}

/// Ends a file. @throws UserError where not all of it was written
void
Close(std::ofstream& file, const std::string& path)
{
    file.close();
    if (!file)
    {
        throw UserError("cannot write " + path + "; is the disk full?");
    }
}

/// @return the number, or null where it is none: JSON has no NaN
nlohmann::ordered_json
ToJson(double value)
{
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

/// Writes a number, or nothing where it is none.
std::string
ToCsv(double value)
{
    if (!std::isfinite(value))
    {
        return "";
    }
    std::ostringstream text;
    text << std::setprecision(12) << value;
    return text.str();
}

/// @return the scores that there are for the run's task
nlohmann::ordered_json
ToJson(const RunSummary& summary, const QualityScore& score)
{
    auto json = nlohmann::ordered_json::object();
    for (const auto& [name, value] : ListScores(summary.task, summary.classes.size(), score))
    {
        json[name] = ToJson(value);
    }
    return json;
}

nlohmann::ordered_json
ToJson(const RunSummary& summary)
{
    const auto& quality = summary.quality;
    nlohmann::ordered_json json{{"untrained", ToJson(summary, quality.untrained)},
                                {"validation", ToJson(summary, quality.validation)},
                                {"test", ToJson(summary, quality.test)}};
    json["test"]["loss"] = ToJson(quality.testLoss);
    json["test"]["samples"] = quality.testSamples;
    if (summary.task == "translation")
    {
        json["copy_source"] = ToJson(summary, quality.copy);
    }
    return json;
}

nlohmann::ordered_json
ToJson(const RunSummary& summary, const RoundRow& row)
{
    nlohmann::ordered_json json{{"round", row.round},
                                {"start_s", row.startS},
                                {"latency_s", row.latencyS},
                                {"report_s", row.reportS},
                                {"distribution_s", row.distributionS},
                                {"training_s", row.trainingS},
                                {"upload_s", row.uploadS},
                                {"planned_latency_s", row.plannedLatencyS},
                                {"train_loss", ToJson(row.trainLoss)},
                                {"validation_loss", ToJson(row.validationLoss)},
                                {"bytes_sent", row.bytesSent},
                                {"messages_sent", row.messagesSent},
                                {"planned_error", ToJson(GetPlannedError(row))},
                                {"smoothness", row.learning.smoothness},
                                {"gradient_variance", row.learning.gradientVariance},
                                {"cluster_divergence", row.learning.clusterDivergence}};
    json.update(ToJson(summary, row.quality));
    return json;
}

nlohmann::ordered_json
ToJson(const RunTotals& totals)
{
    return {{"latency_s", totals.latencyS},
            {"planned_latency_s", totals.plannedLatencyS},
            {"planned_error_median", ToJson(totals.plannedErrorMedian)},
            {"distribution_s", totals.distributionS},
            {"training_s", totals.trainingS},
            {"upload_s", totals.uploadS},
            {"efficiency_used", totals.efficiencyUsed},
            {"efficiency_all", totals.efficiencyAll},
            {"compute_energy_j", totals.computeEnergyJ},
            {"peak_planned_memory_bytes", totals.peakPlannedMemory}};
}

} // namespace

void
WriteRounds(const std::string& path, const RunSummary& summary, const std::vector<RoundRow>& rows)
{
    auto file = Open(path);
    file << "round,start_s,latency_s,report_s,distribution_s,training_s,upload_s,"
            "planned_latency_s,train_loss,validation_loss,bytes_sent,messages_sent,planned_error,"
            "smoothness,gradient_variance,cluster_divergence";
    const auto listScores = [&summary](const QualityScore& score) {
        return ListScores(summary.task, summary.classes.size(), score);
    };
    for (const auto& score : listScores({}))
    {
        file << ',' << score.first;
    }
    file << '\n';
    for (const auto& row : rows)
    {
        file << row.round << ',' << row.startS << ',' << row.latencyS << ',' << row.reportS << ','
             << row.distributionS << ',' << row.trainingS << ',' << row.uploadS << ','
             << row.plannedLatencyS << ',' << ToCsv(row.trainLoss) << ','
             << ToCsv(row.validationLoss) << ',' << row.bytesSent << ',' << row.messagesSent << ','
             << ToCsv(GetPlannedError(row)) << ',' << row.learning.smoothness << ','
             << row.learning.gradientVariance << ',' << row.learning.clusterDivergence;
        for (const auto& score : listScores(row.quality))
        {
            file << ',' << ToCsv(score.second);
        }
        file << '\n';
    }
    Close(file, path);
}

void
WriteDevices(const std::string& path, const std::vector<DeviceRow>& rows)
{
    auto file = Open(path);
    file << "round,cluster,node,profile,flops,stage,first_block,last_block,compute_s,utilisation,"
            "compute_energy_j,planned_memory_bytes,bytes_sent,messages_sent,wifi_energy_j,"
            "lte_energy_j,active_energy_j,battery_j,kept_memory_bytes,parameter_bytes,gradient_"
            "bytes,"
            "optimizer_bytes,activation_bytes,peak_memory_bytes\n";
    for (const auto& row : rows)
    {
        file << row.round << ',' << row.cluster << ',' << row.node << ',' << row.profile << ','
             << row.flops << ',' << row.stage << ',' << row.firstBlock << ',' << row.lastBlock
             << ',' << row.computeS << ',' << row.utilisation << ',' << row.computeEnergyJ << ','
             << row.plannedMemoryBytes << ',' << row.bytesSent << ',' << row.messagesSent << ','
             << row.wifiEnergyJ << ',' << row.lteEnergyJ << ',' << row.activeEnergyJ << ','
             << row.batteryJ << ',' << row.memory.kept.GetTotal();
        for (const auto bytes : row.memory.kept.bytes)
        {
            file << ',' << bytes;
        }
        file << ',' << row.memory.peakBytes << '\n';
    }
    Close(file, path);
}

void
WriteSummary(const std::string& path,
             const RunSummary& summary,
             const std::vector<RoundRow>& rounds)
{
    nlohmann::ordered_json json;
    json["collapipe_version"] = GetVersion();
    json["ns3_version"] = GetNs3Version();
    json["seed"] = summary.seed;
    json["run"] = summary.run;
    json["topology"] = summary.topology;
    json["controller"] = summary.controller;
    for (const auto& [name, value] : summary.parameters)
    {
        auto& entry = json["parameters"][name];
        std::visit([&entry](const auto& typed) { entry = typed; }, value);
    }
    json["data"] = {{"description", summary.data},
                    {"vocabulary", summary.vocabulary},
                    {"training_samples", summary.trainingSamples},
                    {"validation_samples", summary.validationSamples},
                    {"cluster_samples", summary.clusterSamples}};
    if (!summary.classes.empty())
    {
        json["data"]["classes"] = summary.classes;
    }
    json["initial_validation_loss"] = ToJson(summary.initialLoss);
    json["quality"] = ToJson(summary);
    json["rounds"] = nlohmann::ordered_json::array();
    uint64_t bytes = 0;
    for (const auto& row : rounds)
    {
        json["rounds"].push_back(ToJson(summary, row));
        bytes += row.bytesSent;
    }
    json["totals"] = ToJson(summary.totals);
    json["bytes_sent"] = bytes;
    json["messages"] = summary.messages;
    json["parameters_crc32"] = summary.parametersHash;
    json["simulated_s"] = summary.simulatedS;
    json["handovers"] = summary.handovers;
    json["wall_s"] = summary.wallS;
    json["wall_s_per_simulated_s"] = summary.wallS / summary.simulatedS;
    json["peak_rss_bytes"] = summary.peakRssBytes;
    auto file = Open(path);
    file << json.dump(2) << '\n';
    Close(file, path);
}

void
PrintTable(std::ostream& out, const RunSummary& summary, const std::vector<RoundRow>& rounds)
{
    std::ostringstream table;
    table << std::fixed << "controller " << summary.controller << ", " << summary.topology
          << " topology, " << summary.clusters << " clusters of " << summary.devices
          << " devices\n";
    table << " round  latency  planned  report  distrib.  training   upload   train loss  "
             "valid. loss  on the air\n";
    table << "             s        s       s         s         s        s   nats/token   "
             "nats/token          MB\n";
    table << std::setw(6) << 0 << std::setw(68) << std::setprecision(4) << summary.initialLoss
          << '\n';
    for (const auto& row : rounds)
    {
        table << std::setw(6) << row.round << std::setprecision(3) << std::setw(9) << row.latencyS
              << std::setw(9);
        if (row.plannedLatencyS > 0)
        {
            table << row.plannedLatencyS;
        }
        else
        {
            table << '-'; // the controller does not predict
        }
        table << std::setw(8) << row.reportS << std::setw(10) << row.distributionS << std::setw(10)
              << row.trainingS << std::setw(9) << row.uploadS << std::setprecision(4)
              << std::setw(13) << row.trainLoss << std::setw(13) << row.validationLoss
              << std::setprecision(2) << std::setw(12) << row.bytesSent / 1e6 << '\n';
    }
    table << std::setprecision(1) << summary.simulatedS << " s simulated in " << summary.wallS
          << " s: " << std::setprecision(2) << summary.wallS / summary.simulatedS
          << " wall seconds per simulated second";
    if (std::isfinite(summary.totals.plannedErrorMedian))
    {
        table << "; median error of planned latencies " << std::setprecision(1)
              << 100 * summary.totals.plannedErrorMedian << " %";
    }
    table << '\n';
    out << table.str();
    PrintQuality(out, summary.quality);
}

} // namespace collapipe
} // namespace ns3
