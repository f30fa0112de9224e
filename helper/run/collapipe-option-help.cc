/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-option-help.h"

#include "collapipe-suggestion.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <utility>
#include <variant>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t COLUMNS = 80;

/// A group of options as the help has it
struct Section
{
    OptionGroup group; //!< which options
    const char* name;  //!< for --help=NAME
    const char* title; //!< above its options
};

constexpr Section SECTIONS[] = {
    {OptionGroup::NETWORK, "network", "Network"},
    {OptionGroup::RADIO, "radio", "Radio, distances, movement"},
    {OptionGroup::DEVICES, "devices", "Devices"},
    {OptionGroup::CONTROL, "control", "Control"},
    {OptionGroup::TRAINING, "training", "Training"},
    {OptionGroup::MODEL, "model", "Task and model"},
    {OptionGroup::LEARNING, "learning", "Learning and its quality"},
    {OptionGroup::DATA, "data", "Data"},
    {OptionGroup::FAULTS, "faults", "Failures and recovery"},
    {OptionGroup::RESULTS, "results", "Results"},
    {OptionGroup::EXECUTION, "execution", "Execution"},
};

/// Prints words, in lines that are not too long, the later ones further to the right.
void
PrintWrapped(std::ostream& out, const std::string& text)
{
    std::istringstream words(text);
    std::string line = " ";
    for (std::string word; words >> word;)
    {
        if (line.size() + 1 + word.size() > COLUMNS)
        {
            out << line << '\n';
            line = "     ";
        }
        line += ' ' + word;
    }
    out << line << '\n';
}

/// @return where an option means something, each condition after a semicolon
std::string
DescribeConditions(const RunOption& option)
{
    std::string text;
    for (const auto& condition : option.conditions)
    {
        const auto other = " --" + condition.option;
        const auto values = "=" + JoinWords(condition.values);
        text += condition.kind == OptionCondition::ONE_OF      ? "; with" + other + values
                : condition.kind == OptionCondition::NONE_OF   ? "; not with" + other + values
                : condition.kind == OptionCondition::GIVEN     ? "; with" + other
                : condition.kind == OptionCondition::NOT_GIVEN ? "; not with" + other
                                                               : "";
    }
    return text;
}

/// @return all about an option: name, help, what is allowed, when it applies, default
std::string
Describe(const RunOption& option)
{
    auto text = "--" + option.name + ": " + option.help;
    const bool isSwitch = std::holds_alternative<bool*>(option.target);
    const auto allowed = option.GetAllowed();
    const bool isSaid =
        !option.names.empty() && option.help.find(option.names.back()) != option.help.npos;
    if (!isSwitch && !allowed.empty() && !isSaid && option.parent.empty())
    {
        text += "; " + allowed;
    }
    const auto value = option.GetText();
    return text + DescribeConditions(option) + (value.empty() ? "" : " [" + value + "]");
}

/// @return the row of an option as programs read it
nlohmann::ordered_json
ToJson(const RunOption& option)
{
    const char* kinds[] = {"word", "whole number", "whole number", "number", "switch"};
    nlohmann::ordered_json json{{"name", option.name},
                                {"kind", kinds[option.target.index()]},
                                {"default", option.GetText()},
                                {"unit", option.unit},
                                {"help", option.help},
                                {"allowed", option.GetAllowed()},
                                {"basic", option.isBasic},
                                {"local", option.isLocal}};
    if (std::isfinite(option.minimum))
    {
        json["minimum"] = option.minimum;
        json["minimum_excluded"] = option.excludesMinimum;
    }
    if (std::isfinite(option.maximum))
    {
        json["maximum"] = option.maximum;
        json["maximum_excluded"] = option.excludesMaximum;
    }
    if (!option.names.empty())
    {
        json["names"] = option.names;
    }
    json["applies"] = DescribeConditions(option);
    return json;
}

/// Prints the table as a JSON array.
void
PrintJson(std::ostream& out, const std::vector<RunOption>& options)
{
    auto json = nlohmann::ordered_json::array();
    for (const auto& option : options)
    {
        json.push_back(ToJson(option));
    }
    out << json.dump(1) << '\n';
}

void
PrintEnd(std::ostream& out, std::size_t count)
{
    std::string names;
    for (const auto& section : SECTIONS)
    {
        names += (names.empty() ? "" : ", ") + std::string(section.name);
    }
    out << "\nMore help\n";
    PrintWrapped(out, "--help=all: all " + std::to_string(count) + " options");
    PrintWrapped(out, "--help=GROUP: those of a group: " + names);
    PrintWrapped(out, "--help=json: all options for other programs to read");
    PrintWrapped(out, "--version: versions of this program, ns-3 and LibTorch");
    PrintWrapped(out,
                 "--ns3::Class::Attribute=VALUE: default of any attribute; --PrintGroup=CollaPipe "
                 "lists this module's classes, --PrintAttributes=ns3::Class a class's attributes, "
                 "--PrintGroups, --PrintTypeIds and --PrintGlobals what else there is");
}

} // namespace

void
PrintOptionHelp(std::ostream& out,
                const std::string& program,
                const std::vector<RunOption>& options,
                const std::string& which)
{
    if (which == "json")
    {
        PrintJson(out, options);
        return;
    }
    std::vector<std::string> names{"all", "json"};
    std::transform(std::begin(SECTIONS),
                   std::end(SECTIONS),
                   std::back_inserter(names),
                   [](const auto& section) { return section.name; });
    RequireOption(which.empty() || std::find(names.begin(), names.end(), which) != names.end(),
                  "--help=" + which + ": there is no such group of options" +
                      Suggest(which, names) + "; take " + JoinWords(names));
    out << program << " [options]\n\n"
        << "Trains a Transformer across simulated devices: pipelined over the devices of each\n"
           "cluster, its last part at the edge server, federated averaging between clusters.\n"
           "Defaults are in brackets.\n";
    for (const auto& section : SECTIONS)
    {
        bool isFirst = true;
        for (const auto& option : options)
        {
            const bool isShown =
                option.group == section.group &&
                (which.empty() ? option.isBasic : which == "all" || which == section.name);
            if (isShown && std::exchange(isFirst, false))
            {
                out << '\n' << section.title << '\n';
            }
            if (isShown)
            {
                PrintWrapped(out, Describe(option));
            }
        }
    }
    PrintEnd(out, options.size());
}

} // namespace collapipe
} // namespace ns3
