/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-comparison.h"

#include "collapipe-run-options.h"

#include "ns3/collapipe-bounded-json.h"
#include "ns3/collapipe-clean-exit.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <spawn.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the number, or NaN for null
double
ToNumber(const nlohmann::json& value)
{
    return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// @return the totals that a summary.json holds
RunTotals
ReadTotals(const std::string& path)
{
    std::ifstream file(path);
    const auto json = ParseBoundedJson<nlohmann::json>(file);
    const auto& from = json.at("totals");
    RunTotals totals;
    totals.latencyS = from.at("latency_s");
    totals.plannedLatencyS = from.at("planned_latency_s");
    totals.distributionS = from.at("distribution_s");
    totals.trainingS = from.at("training_s");
    totals.uploadS = from.at("upload_s");
    totals.efficiencyUsed = from.at("efficiency_used");
    totals.efficiencyAll = from.at("efficiency_all");
    totals.computeEnergyJ = from.at("compute_energy_j");
    totals.peakPlannedMemory = from.at("peak_planned_memory_bytes");
    totals.bytesSent = json.at("bytes_sent");
    totals.endS.push_back(0);
    totals.validation.push_back(ToNumber(json.at("initial_validation_loss")));
    totals.accuracy.push_back(std::numeric_limits<double>::quiet_NaN());
    for (const auto& round : json.at("rounds"))
    {
        const double end = round.at("start_s").get<double>() + round.at("latency_s").get<double>();
        totals.endS.push_back(end - json["rounds"][0].at("start_s").get<double>());
        totals.validation.push_back(ToNumber(round.at("validation_loss")));
        totals.accuracy.push_back(ToNumber(round.value("accuracy", nlohmann::json())));
    }
    return totals;
}

/// Prints a line of the table: a figure of both runs, and by how much the first is off the second.
void
PrintRow(std::ostream& out, const std::string& name, double first, double second, int digits)
{
    if (!std::isfinite(first) || !std::isfinite(second))
    {
        return;
    }
    std::ostringstream row;
    row << std::fixed << std::setprecision(digits) << std::left << std::setw(38) << name
        << std::right << std::setw(18) << first << std::setw(18) << second;
    if (second != 0)
    {
        row << std::setw(11) << std::setprecision(1) << std::showpos
            << 100 * (first - second) / second << " %";
    }
    out << row.str() << '\n';
}

} // namespace

Comparison::Comparison(const RunConfig& config, TrainingRun& run, int argc, char** argv)
    : m_name(config.compare),
      m_first(config.controller),
      m_run(run)
{
    if (m_name.empty() || m_name == "none" ||
        ControllerTypeName(m_name) == ControllerTypeName(m_first))
    {
        return;
    }
    const auto infeasible = run.CheckController(m_name);
    if (!infeasible.empty())
    {
        run.Warn("no comparison with " + m_name + ": " + infeasible);
        return;
    }
    // A TypeId's colons are for no file name.
    std::string folder =
        m_name.substr(m_name.rfind(':') == m_name.npos ? 0 : m_name.rfind(':') + 1);
    m_folder = run.GetOutputPath(folder);
    if (m_folder.empty())
    {
        const auto scratch = std::filesystem::temp_directory_path() / "collapipe-comparison";
        m_scratch =
            std::make_unique<OutputDirectory>(scratch.string(), OutputDirectory::Use::SCRATCH);
        m_folder = m_scratch->GetPath(folder);
    }
    Start(SelectArguments(config, argc, argv), m_folder);
}

Comparison::~Comparison()
{
    if (m_process != 0)
    {
        SetChildProcess(0);
        kill(m_process, SIGKILL); // what it has written is in a folder that goes, too
        waitpid(m_process, nullptr, 0);
    }
    if (m_errors >= 0)
    {
        close(m_errors);
    }
}

std::vector<std::string>
Comparison::SelectArguments(const RunConfig& config, int argc, char** argv)
{
    RunConfig other(config);
    other.controller = config.compare;
    other.learning.exportDir.clear(); // there is one model to export
    const auto options = MakeOptions(other);
    std::vector<std::string> arguments(argv, argv + std::min(argc, 1));
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto* option = FindOption(options, argument.substr(2, argument.find('=') - 2));
        if (!option || !FindUnmet(options, *option))
        {
            arguments.push_back(argument);
        }
    }
    return arguments;
}

void
Comparison::Start(std::vector<std::string> arguments, const std::string& folder)
{
    for (const auto& option : {"--controller=" + m_name,
                               std::string("--compare=none"),
                               std::string("--save="),
                               std::string("--saveEvery=0"),
                               std::string("--export="),
                               "--outputDir=" + folder,
                               std::string("--progress=none")})
    {
        arguments.push_back(option); // the last value of an option counts
    }
    std::vector<char*> pointers;
    for (auto& argument : arguments)
    {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    // Most of what it would say the first run has said already.
    m_errors = memfd_create("errors", MFD_CLOEXEC);
    if (m_errors >= 0)
    {
        posix_spawn_file_actions_adddup2(&actions, m_errors, STDERR_FILENO);
    }
    // Killed with this process, which may not come to ending it
    const auto parent = std::string(PARENT_VARIABLE) + "=" + std::to_string(getpid());
    std::vector<char*> environment{const_cast<char*>(parent.c_str())};
    for (char** variable = environ; *variable; ++variable)
    {
        environment.push_back(*variable);
    }
    environment.push_back(nullptr);
    pid_t process = 0;
    if (posix_spawn(&process,
                    "/proc/self/exe",
                    &actions,
                    nullptr,
                    pointers.data(),
                    environment.data()) == 0)
    {
        m_process = process;
        SetChildProcess(process);
    }
    posix_spawn_file_actions_destroy(&actions);
}

void
Comparison::Wait()
{
    if (m_process == 0)
    {
        return;
    }
    if (GetInterruptSignal() != 0)
    {
        StopChildProcess(); // it keeps its finished rounds, too
    }
    int status = 0;
    waitpid(m_process, &status, 0);
    SetChildProcess(0);
    m_process = 0;
    m_succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (m_succeeded)
    {
        m_totals = ReadTotals((std::filesystem::path(m_folder) / "summary.json").string());
    }
    else if (GetInterruptSignal() != 0)
    {
        m_run.Warn("interrupted: the run of " + m_name + " for comparison has not ended");
    }
    else
    {
        m_run.Warn("the run of " + m_name + " for comparison failed: " + ReadLastError());
    }
}

std::string
Comparison::ReadLastError() const
{
    std::string text(1U << 16, '\0');
    const auto size = pread(m_errors, text.data(), text.size(), 0);
    text.resize(std::max<ssize_t>(size, 0));
    text.erase(text.find_last_not_of('\n') + 1);
    const auto line = text.rfind('\n');
    return text.empty() ? "it said nothing" : text.substr(line == text.npos ? 0 : line + 1);
}

void
Comparison::Print(std::ostream& out) const
{
    if (!m_succeeded)
    {
        return;
    }
    const auto first = m_run.GetTotals();
    const auto& second = m_totals;
    out << '\n'
        << std::left << std::setw(38) << "comparison" << std::right << std::setw(18) << m_first
        << std::setw(18) << m_name << "   difference\n";
    PrintRow(out, "latency of a round, s", first.latencyS, second.latencyS, 3);
    PrintRow(out, "  distribution, s", first.distributionS, second.distributionS, 3);
    PrintRow(out, "  training, s", first.trainingS, second.trainingS, 3);
    PrintRow(out, "  upload, s", first.uploadS, second.uploadS, 3);
    PrintRow(out, "  as planned, s", first.plannedLatencyS, second.plannedLatencyS, 3);
    const double loss = std::max(first.validation.back(), second.validation.back());
    std::ostringstream toLoss;
    toLoss << "time to validation loss " << std::fixed << std::setprecision(3) << loss << ", s";
    PrintRow(out, toLoss.str(), GetTimeToLossS(first, loss), GetTimeToLossS(second, loss), 2);
    const double lower = std::min(first.accuracy.back(), second.accuracy.back());
    std::ostringstream toAccuracy;
    toAccuracy << "time to accuracy " << std::fixed << std::setprecision(1) << 100 * lower
               << " %, s";
    PrintRow(out,
             toAccuracy.str(),
             GetTimeToAccuracyS(first, lower),
             GetTimeToAccuracyS(second, lower),
             2);
    PrintRow(out,
             "accuracy, validation part, %",
             100 * first.accuracy.back(),
             100 * second.accuracy.back(),
             2);
    PrintRow(out,
             "computation efficiency, used devices, %",
             100 * first.efficiencyUsed,
             100 * second.efficiencyUsed,
             1);
    PrintRow(out,
             "computation efficiency, all devices, %",
             100 * first.efficiencyAll,
             100 * second.efficiencyAll,
             1);
    PrintRow(out, "computation energy, J", first.computeEnergyJ, second.computeEnergyJ, 1);
    PrintRow(out,
             "largest memory of a device, MB",
             first.peakPlannedMemory / 1e6,
             second.peakPlannedMemory / 1e6,
             2);
    PrintRow(out, "on the air, MB", first.bytesSent / 1e6, second.bytesSent / 1e6, 1);
}

} // namespace collapipe
} // namespace ns3
