/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-result-writer.h"

#include "collapipe-result-columns.h"
#include "collapipe-user-error.h"

#include "ns3/collapipe-version.h"

#include <algorithm>
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

/// @return the number, or null where it is none: JSON has no NaN
nlohmann::ordered_json
ToJson(double value)
{
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

/// @return a cell as JSON has it
nlohmann::ordered_json
ToJson(const CellValue& value)
{
    if (const auto* number = std::get_if<double>(&value))
    {
        return ToJson(*number);
    }
    return std::visit([](const auto& typed) { return nlohmann::ordered_json(typed); }, value);
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

/// @return all rounds, each an object with the entries of rounds.csv
nlohmann::ordered_json
ToJson(const ResultTable<RoundRow>& table, const std::vector<RoundRow>& rows)
{
    auto json = nlohmann::ordered_json::array();
    for (const auto& row : rows)
    {
        nlohmann::ordered_json entry;
        for (const auto& column : table.GetColumns())
        {
            entry[column.head.name] = ToJson(column.read(row));
        }
        json.push_back(entry);
    }
    return json;
}

/// @return names and units of every table's columns, by the file's name
nlohmann::ordered_json
DescribeColumns(const RunSummary& summary)
{
    nlohmann::ordered_json json;
    for (const auto& [file, heads] : ListColumns(summary.task, summary.classes.size()))
    {
        json[file] = nlohmann::ordered_json::array();
        for (const auto& head : heads)
        {
            json[file].push_back({{"name", head.name}, {"unit", head.unit}});
        }
    }
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

/// @return seconds in a column: with three digits after the point, fewer where they would not fit
std::string
FormatS(double seconds, int width)
{
    for (int digits = 3; digits >= 0; --digits)
    {
        std::ostringstream text;
        text << std::setw(width) << std::fixed << std::setprecision(digits) << seconds;
        if (text.str().front() == ' ')
        {
            return text.str();
        }
    }
    std::ostringstream text;
    text << std::setw(width) << std::setprecision(2) << seconds; // as 4.9e+09
    return text.str();
}

/// Prints an accuracy in per cent, or room for one, where the table has such a column.
void
PrintAccuracy(std::ostream& table, bool isScored, double accuracy)
{
    if (!isScored)
    {
        return;
    }
    table << std::setw(10) << std::setprecision(2);
    if (std::isfinite(accuracy))
    {
        table << 100 * accuracy;
    }
    else
    {
        table << "";
    }
}

} // namespace

void
WriteRounds(const std::string& path, const RunSummary& summary, const std::vector<RoundRow>& rows)
{
    WriteResultTable(path, MakeRoundTable(summary.task, summary.classes.size()), rows);
}

void
WriteDevices(const std::string& path, const std::vector<DeviceRow>& rows)
{
    WriteResultTable(path, MakeDeviceTable(), rows);
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
    json["data"]["warnings"] = summary.warnings;
    json["interrupted"] = summary.isInterrupted;
    json["initial_validation_loss"] = ToJson(summary.initialLoss);
    json["quality"] = ToJson(summary);
    json["rounds"] = ToJson(MakeRoundTable(summary.task, summary.classes.size()), rounds);
    uint64_t bytes = 0;
    for (const auto& row : rounds)
    {
        bytes += row.bytesSent;
    }
    json["totals"] = ToJson(summary.totals);
    json["bytes_sent"] = bytes;
    json["messages"] = summary.messages;
    json["parameters_crc32"] = summary.parametersHash;
    json["simulated_s"] = summary.simulatedS;
    json["handovers"] = summary.handovers;
    json["unexplained_failures"] = nlohmann::ordered_json::array();
    for (const auto& failure : summary.failures)
    {
        json["unexplained_failures"].push_back(
            {{"at_s", failure.atS}, {"node", failure.node}, {"reason", failure.reason}});
    }
    json["wall_s"] = summary.wallS;
    json["wall_s_per_simulated_s"] = summary.wallS / summary.simulatedS;
    json["peak_rss_bytes"] = summary.peakRssBytes;
    json["files"] = summary.files;
    json["columns"] = DescribeColumns(summary);
    std::ofstream file(path);
    file << json.dump(2) << '\n';
    CloseResultFile(file, path);
}

void
PrintTable(std::ostream& out, const RunSummary& summary, const std::vector<RoundRow>& rounds)
{
    std::ostringstream table;
    table << std::fixed << "controller " << summary.controller << ", " << summary.topology
          << " topology, " << summary.clusters << " clusters of " << summary.devices
          << " devices\n";
    const bool isScored = std::any_of(rounds.begin(), rounds.end(), [](const auto& row) {
        return std::isfinite(row.quality.accuracy);
    });
    table << " round      time  latency  planned  distrib.  training   upload   train loss  "
             "valid. loss"
          << (isScored ? "  accuracy" : "") << "  on the air\n";
    table << "              s        s        s         s         s        s   nats/token   "
             "nats/token"
          << (isScored ? "         %" : "") << "          MB\n";
    table << std::setw(6) << 0 << std::setw(10) << std::setprecision(3) << 0.0 << std::setw(71)
          << std::setprecision(4) << summary.initialLoss;
    PrintAccuracy(table, isScored, summary.quality.untrained.accuracy);
    table << '\n';
    for (const auto& row : rounds)
    {
        table << std::setw(6) << row.round
              << FormatS(row.startS + row.latencyS - rounds.front().startS, 10)
              << FormatS(row.latencyS, 9);
        if (row.plannedLatencyS > 0)
        {
            table << FormatS(row.plannedLatencyS, 9);
        }
        else
        {
            table << std::setw(9) << '-'; // the controller does not predict
        }
        table << FormatS(row.distributionS, 10) << FormatS(row.trainingS, 10)
              << FormatS(row.uploadS, 9) << std::setprecision(4) << std::setw(13) << row.trainLoss
              << std::setw(13) << row.validationLoss;
        PrintAccuracy(table, isScored, row.quality.accuracy);
        table << std::setprecision(2) << std::setw(12) << row.bytesSent / 1e6 << '\n';
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
    if (summary.task == "lm" && !rounds.empty() && std::isfinite(rounds.back().validationLoss))
    {
        table << std::setprecision(2) << "perplexity of the validation part "
              << std::exp(rounds.back().validationLoss) << " (before the first round "
              << std::exp(summary.initialLoss) << ')';
        if (std::isfinite(summary.quality.testLoss))
        {
            table << ", of the test part " << std::exp(summary.quality.testLoss);
        }
        table << '\n';
    }
    out << table.str();
    PrintQuality(out, summary.quality);
}

} // namespace collapipe
} // namespace ns3
