/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How a RunConfig is read from a command line, a scenario and a checkpoint.

#include "collapipe-checkpoint.h"
#include "collapipe-ns3-options.h"
#include "collapipe-option-help.h"
#include "collapipe-plugin.h"
#include "collapipe-run-config.h"
#include "collapipe-run-options.h"
#include "collapipe-scenario.h"
#include "collapipe-suggestion.h"

#include "ns3/collapipe-device-profile.h"
#include "ns3/collapipe-version.h"
#include "ns3/command-line.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <variant>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return our option for what ns-3 calls otherwise; else the name as it is
std::string
ToOwnName(const std::string& name)
{
    return name == "--RngRun"      ? "--run"
           : name == "--RngSeed"   ? "--seed"
           : name == "-h"          ? "--help"
           : name == "--PrintHelp" ? "--help"
                                   : name;
}

/// @return a sentence for an option that there is not
std::string
DescribeUnknown(const std::string& name, const std::vector<RunOption>& options)
{
    auto known = GetGlobalNames();
    for (const auto& option : options)
    {
        known.push_back(option.name);
    }
    const auto first = name.find_first_not_of('-');
    const auto bare = first == name.npos ? name : name.substr(first);
    return "there is no option " + name + Suggest(bare, known, "--") + "; --help lists them";
}

/// @return the number that a text holds
double
ToNumber(const std::string& text)
{
    return std::strtod(text.c_str(), nullptr);
}

/// @return a program's name without its folders
std::string
GetProgramName(const std::string& path)
{
    const auto slash = path.rfind('/');
    return slash == path.npos ? path : path.substr(slash + 1);
}

/// What else the program can be asked for than a run
struct Questions
{
    bool wantsHelp{false};          //!< --help
    std::string help;               //!< which part of it
    bool wantsVersion{false};       //!< --version
    bool wantsProfiles{false};      //!< --deviceProfiles=list, --edge=list
    std::vector<std::string> ofNs3; //!< --PrintTypeIds and the like
};

/// @return whether the argument is such a question, which is noted
bool
TakeQuestion(const std::string& name, const std::string& argument, Questions& questions)
{
    if (name == "--help")
    {
        const auto equals = argument.find('=');
        questions.wantsHelp = true;
        questions.help = equals == argument.npos ? "" : argument.substr(equals + 1);
        return true;
    }
    if (argument == "--version")
    {
        return questions.wantsVersion = true;
    }
    if (argument == "--deviceProfiles=list" || argument == "--edge=list")
    {
        return questions.wantsProfiles = true;
    }
    if (name.rfind("--Print", 0) == 0)
    {
        questions.ofNs3.push_back(argument);
        return true;
    }
    return false;
}

/// Answers questions and ends the program, where there are any.
void
Answer(const Questions& questions, const std::string& path, const std::vector<RunOption>& options)
{
    if (questions.wantsHelp)
    {
        PrintOptionHelp(std::cout, GetProgramName(path), options, questions.help);
    }
    else if (questions.wantsVersion)
    {
        const bool hasTorch =
            IsCreatable("ns3::collapipe::TorchBackend", "ns3::collapipe::ComputeBackend");
        std::cout << "CollaPipe " << GetVersion() << ", with ns-3 " << GetNs3Version()
                  << (hasTorch ? " and LibTorch" : ", without LibTorch") << '\n';
    }
    else if (questions.wantsProfiles)
    {
        PrintProfiles(std::cout);
    }
    else if (questions.ofNs3.empty())
    {
        return;
    }
    else
    {
        CommandLine cmd;
        std::vector<std::string> arguments{path};
        arguments.insert(arguments.end(), questions.ofNs3.begin(), questions.ofNs3.end());
        std::vector<char*> pointers;
        for (auto& argument : arguments)
        {
            pointers.push_back(argument.data());
        }
        cmd.Parse(static_cast<int>(pointers.size()), pointers.data()); // prints and exits
    }
    std::cout.flush();
    std::exit(std::cout ? 0 : 2);
}

} // namespace

void
RunConfig::Parse(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        load = argument.rfind("--load=", 0) == 0 ? argument.substr(7) : load;
        plugin = argument.rfind("--plugin=", 0) == 0 ? argument.substr(9) : plugin;
        scenario = argument.rfind("--scenario=", 0) == 0 ? argument.substr(11) : scenario;
    }
    LoadPlugins(plugin); // what follows may name their classes
    const auto options = MakeOptions(*this);
    std::set<std::string> fixed;
    Questions questions;
    if (!load.empty())
    {
        TakeOptions(options);
        for (const auto& option : options)
        {
            fixed.insert(option.name);
        }
    }
    if (!scenario.empty())
    {
        TakeScenario(options, fixed);
    }
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        std::string name = ToOwnName(argument.substr(0, equals));
        if (name == "--train" && equals != argument.npos &&
            IsTrainedPart(argument.substr(equals + 1)))
        {
            name = "--trained"; // not a file's name
        }
        const auto* option =
            name.rfind("--", 0) == 0 ? FindOption(options, name.substr(2)) : nullptr;
        if (TakeQuestion(name, argument, questions))
        {
            continue;
        }
        if (option)
        {
            const bool isSwitch = std::holds_alternative<bool*>(option->target);
            RequireOption(equals != argument.npos || isSwitch,
                          name + " needs a value: " + name + "=VALUE");
            option->Set(equals == argument.npos ? "true" : argument.substr(equals + 1));
            m_given.insert(option->name);
        }
        else if (SetNs3Option(name, argument))
        {
            m_attributes.emplace_back(name.substr(2), argument.substr(equals + 1));
        }
        else
        {
            throw UserError(DescribeUnknown(name, options));
        }
    }
    fixed.insert(m_given.begin(), m_given.end());
    SetTaskDefaults(fixed);
    Answer(questions, argc > 0 ? argv[0] : "", options);
}

void
RunConfig::TakeScenario(const std::vector<RunOption>& options, std::set<std::string>& fixed)
{
    RequireOption(load.empty(),
                  "--scenario=" + scenario +
                      ": --load brings all options of the run that it goes on with");
    const auto where = "--scenario=" + scenario + ": ";
    const auto read = Scenario::Load(scenario);
    for (const auto& [name, value] : read.options)
    {
        LoadPlugins(name == "plugin" ? value : "");
    }
    for (const auto& [name, value] : read.options)
    {
        RequireOption(name != "scenario" && name != "load",
                      where + name + " cannot stand in a scenario");
        const auto* option = FindOption(options, name);
        try
        {
            if (option)
            {
                option->Set(value);
                fixed.insert(name);
            }
            else if (SetNs3Option("--" + name, "--" + name + "=" + value))
            {
                m_attributes.emplace_back(name, value);
            }
            else
            {
                throw UserError(DescribeUnknown("--" + name, options));
            }
        }
        catch (const UserError& error)
        {
            throw UserError(where + error.what());
        }
    }
}

void
RunConfig::TakeOptions(const std::vector<RunOption>& options)
{
    compare = "none"; // the other run would not go on from where it was
    const auto checkpoint = Checkpoint::Read(load);
    for (const auto& [name, value] : checkpoint->options)
    {
        LoadPlugins(name == "plugin" ? value : "");
    }
    for (const auto& [name, value] : checkpoint->options)
    {
        const auto* option = FindOption(options, name);
        if (!option && SetNs3Option("--" + name, "--" + name + "=" + value))
        {
            m_attributes.emplace_back(name, value);
            continue;
        }
        RequireOption(option,
                      "--load=" + load + ": it was saved with an option --" + name +
                          ", which this program does not have");
        // A run that was interrupted is to have as many rounds as it should have had.
        const bool isRest = name == "rounds" && ToNumber(value) > checkpoint->history.GetRounds();
        if (!option->isLocal || isRest)
        {
            option->Set(value);
        }
    }
}

} // namespace collapipe
} // namespace ns3
