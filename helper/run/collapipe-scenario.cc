/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-scenario.h"

#include "collapipe-suggestion.h"
#include "collapipe-toml-document.h"

#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#if __has_include(<toml.hpp>)
#include <toml.hpp>
#define COLLAPIPE_HAS_TOML
#endif

namespace ns3
{
namespace collapipe
{

namespace
{

const std::string ENDING = ".toml";

/// @return the folder of scenarios that have names; empty where there is none
std::filesystem::path
GetFolder()
{
    const auto* folder = std::getenv("COLLAPIPE_SCENARIOS");
    return folder ? folder : "";
}

/// @return names of the scenarios in the folder, in alphabetical order
std::vector<std::string>
ListNames()
{
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(GetFolder(), error))
    {
        if (entry.path().extension() == ENDING)
        {
            names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

#ifdef COLLAPIPE_HAS_TOML

/// @return the value as the command line takes it
std::string
ToOptionText(const toml::value& value, const std::string& where)
{
    std::ostringstream text;
    text.precision(17);
    if (value.is_boolean())
    {
        text << (value.as_boolean() ? "true" : "false");
    }
    else if (value.is_integer())
    {
        text << value.as_integer();
    }
    else if (value.is_floating())
    {
        text << value.as_floating();
    }
    else if (value.is_string())
    {
        text << GetTomlString(value.as_string());
    }
    else
    {
        throw UserError(where + " is no value of an option: write a number, a text, true or false");
    }
    return text.str();
}

#endif

} // namespace

Scenario
Scenario::Load(const std::string& name)
{
    std::filesystem::path path(name);
    const bool isName = path.extension() != ENDING && !path.has_parent_path();
    if (isName)
    {
        path = GetFolder() / (name + ENDING);
    }
    std::error_code error;
    std::ifstream file(path);
    if (!file || std::filesystem::is_directory(path, error))
    {
        const auto names = ListNames();
        throw UserError("--scenario=" + name + ": there is no such scenario" +
                        Suggest(name, names) + "; " +
                        (names.empty() ? "" : "take " + JoinWords(names) + ", or ") +
                        "give the path of a file that ends in .toml");
    }
    return Read(file, name);
}

Scenario
Scenario::Read(std::istream& file, const std::string& name)
{
    const auto where = "--scenario=" + name;
    Scenario scenario;
#ifdef COLLAPIPE_HAS_TOML
    const auto text = ReadTomlText(file, where);
    try
    {
        std::istringstream stream(text);
        const toml::value document = toml::parse(stream, name);
        for (const auto& [key, value] : document.as_table())
        {
            if ((key == "title" || key == "text") && value.is_string())
            {
                (key == "title" ? scenario.title : scenario.text) =
                    GetTomlString(value.as_string());
                continue;
            }
            if (key != "options" || !value.is_table())
            {
                throw UserError(where + ": " + key +
                                " means nothing here; a scenario has the texts title and text, and "
                                "the table [options]");
            }
            for (const auto& [option, wanted] : value.as_table())
            {
                scenario.options.emplace_back(option, ToOptionText(wanted, where + ": " + option));
            }
        }
    }
    catch (const UserError&)
    {
        throw;
    }
    catch (const std::exception& error)
    {
        throw UserError(DescribeTomlError(where, error.what()));
    }
    std::sort(scenario.options.begin(), scenario.options.end());
    if (scenario.options.empty())
    {
        throw UserError(where + ": there are no [options] in it");
    }
#else
    (void)file;
    throw UserError(where + ": this program was built without toml11, which reads such files; "
                            "install libtoml11-dev and build it again");
#endif
    return scenario;
}

} // namespace collapipe
} // namespace ns3
