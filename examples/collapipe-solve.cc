/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

/**
 * @file
 * Solves one round's problem (13): an instance as JSON in, a plan as JSON out.
 *
 *     collapipe-solve --instance=instance.json --controller=dssda --output=plan.json
 *
 * Without --instance it reads standard input, without --output it writes to standard output. With
 * --stream it takes an instance a line and writes a plan a line, as soon as it is made: a program
 * that has many problems to solve keeps one collapipe-solve and need not start one for each.
 *
 * Exit status: 0 with a plan, 1 where no plan satisfies the constraints, 2 for an error in the
 * input; with --stream the largest of all lines.
 */

#include "ns3/collapipe-controller-choice.h"
#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-dssda-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-ns3-options.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-plugin.h"
#include "ns3/collapipe-program.h"
#include "ns3/collapipe-suggestion.h"
#include "ns3/collapipe-user-error.h"
#include "ns3/collapipe-version.h"
#include "ns3/command-line.h"
#include "ns3/double.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

/// @return a sentence for a controller that there is not
std::string
DescribeUnknown(const std::string& controller)
{
    const auto names = GetControllerNames();
    return "there is no controller " + controller + Suggest(controller, names) + "; take " +
           JoinWords(names);
}

constexpr int INFEASIBLE = 1;
constexpr int BAD_INPUT = 2;

int
Fail(const std::string& message)
{
    std::cerr << "collapipe-solve: " << message << std::endl;
    return BAD_INPUT;
}

std::string
ReadAll(std::istream& stream)
{
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// @return the controller with V, phibar and the queues of the instance; null where there is none
Ptr<Controller>
MakeController(const std::string& name, const Instance& instance)
{
    Ptr<Controller> controller = CreateController(name);
    if (!controller)
    {
        return nullptr;
    }
    controller->SetAttributeFailSafe("PenaltyWeight", DoubleValue(instance.penaltyWeight));
    controller->SetAttributeFailSafe("ConvergenceTarget", DoubleValue(instance.convergenceTarget));
    if (auto dssda = DynamicCast<DssdaController>(controller))
    {
        VirtualQueues queues;
        queues.SetPrices(instance.state,
                         instance.energyPrices,
                         instance.convergencePrice,
                         instance.convergenceTarget);
        dssda->SetQueues(queues);
    }
    controller->AssignStreams(0);
    return controller;
}

/// @return empty, or a sentence about the first argument that is no option of this program
std::string
FindUnknown(int argc, char** argv)
{
    const std::vector<std::string> known{"instance",
                                         "output",
                                         "controller",
                                         "plugin",
                                         "stream",
                                         "help"};
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const std::string name = argument.substr(0, argument.find('='));
        const std::string bare =
            name.substr(std::min<std::size_t>(name.find_first_not_of('-'), name.size()));
        const bool isOwn =
            name == "--" + bare && std::find(known.begin(), known.end(), bare) != known.end();
        if (!isOwn && name.rfind("--Print", 0) != 0 && !SetNs3Option(name, argument))
        {
            return "there is no option " + name + Suggest(bare, known, "--") +
                   "; --help lists them";
        }
    }
    return "";
}

SolverReport
Describe(const std::string& name, Ptr<Controller> controller, double seconds)
{
    SolverReport report;
    report.controller = name;
    report.seconds = seconds;
    if (auto dssda = DynamicCast<DssdaController>(controller))
    {
        const RoundSolution& solution = dssda->GetLastSolution();
        report.steps = solution.history.size();
        report.evaluations = solution.evaluations;
        report.newtonSteps = solution.newtonSteps;
    }
    return report;
}

/// A plan as JSON, or an error, and the exit status that goes with it
struct Answer
{
    std::string plan;
    std::string error;
    int status{0};
};

/**
 * @param name the controller's
 * @param text an instance as JSON
 * @param onOneLine whether the plan is to be one line
 * @return what the controller makes of it
 */
Answer
Solve(const std::string& name, const std::string& text, bool onOneLine)
{
    Instance instance;
    const std::string error = ParseInstanceJson(text, instance);
    if (!error.empty())
    {
        return {"", error, BAD_INPUT};
    }
    // A new one for each instance: the order in which they come must not matter.
    const auto controller = MakeController(name, instance);
    if (!controller)
    {
        return {"", DescribeUnknown(name), BAD_INPUT};
    }
    const auto start = std::chrono::steady_clock::now();
    const RoundPlan plan = controller->Decide(instance.state);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const auto report = Describe(name, controller, elapsed.count());
    return {FormatPlanJson(instance, plan, report, onOneLine),
            "",
            plan.infeasible.empty() ? 0 : INFEASIBLE};
}

/**
 * A plan for every line. One that is no instance gets its error, and those after it their plans.
 * Empty lines are passed over.
 * @return the exit status
 */
int
SolveLines(const std::string& name, std::istream& input, std::ostream& output)
{
    int status = 0;
    uint64_t number = 0;
    for (std::string line; std::getline(input, line);)
    {
        ++number;
        if (line.find_first_not_of(" \t\r") == std::string::npos)
        {
            continue;
        }
        const auto answer = Solve(name, line, true);
        status = std::max(status, answer.status);
        if (answer.error.empty())
        {
            output << answer.plan;
        }
        else
        {
            output << FormatErrorJson("line " + std::to_string(number) + ": " + answer.error);
        }
        // At once: who asks may be waiting for it.
        if (!output.flush())
        {
            return Fail("cannot write the plan of line " + std::to_string(number));
        }
    }
    return status;
}

int
Run(int argc, char* argv[])
{
    std::string instancePath;
    std::string outputPath;
    std::string name = "dssda";
    std::string plugin;
    bool isStream = false;
    if (argc == 2 && std::string(argv[1]) == "--version")
    {
        std::cout << DescribeVersion("collapipe-solve") << "\n";
        return 0;
    }
    CommandLine cmd(__FILE__);
    cmd.AddValue("instance",
                 "File with the instance (JSON); standard input if empty",
                 instancePath);
    cmd.AddValue("output", "File for the plan (JSON); standard output if empty", outputPath);
    cmd.AddValue("controller",
                 "Controller that makes the plan: short name, TypeId or exec:COMMAND",
                 name);
    cmd.AddValue("plugin", "Libraries with controllers of one's own, separated by commas", plugin);
    cmd.AddValue("stream", "Take an instance a line and write a plan a line", isStream);
    try
    {
        const std::string unknown = FindUnknown(argc, argv);
        if (!unknown.empty())
        {
            return Fail(unknown);
        }
    }
    catch (const UserError& error)
    {
        return Fail(error.what());
    }
    cmd.Parse(argc, argv);
    try
    {
        LoadPlugins(plugin);
    }
    catch (const UserError& error)
    {
        return Fail(error.what());
    }

    std::ifstream file(instancePath);
    if (!instancePath.empty() && !file)
    {
        return Fail("cannot read " + instancePath);
    }
    std::istream& input = instancePath.empty() ? std::cin : file;
    if (!isStream)
    {
        const auto answer = Solve(name, ReadAll(input), false);
        if (!answer.error.empty())
        {
            return Fail(answer.error);
        }
        std::ofstream output(outputPath);
        if (!outputPath.empty() && !output)
        {
            return Fail("cannot write " + outputPath);
        }
        auto& target = outputPath.empty() ? std::cout : output;
        target << answer.plan;
        return target.flush() ? answer.status : Fail("cannot write the plan; is the disk full?");
    }
    if (!MakeController(name, {}))
    {
        return Fail(DescribeUnknown(name));
    }
    std::ofstream output(outputPath);
    if (!outputPath.empty() && !output)
    {
        return Fail("cannot write " + outputPath);
    }
    return SolveLines(name, input, outputPath.empty() ? std::cout : output);
}

} // namespace

int
main(int argc, char* argv[])
{
    return RunProgram("collapipe-solve", [&] { return Run(argc, argv); });
}
