/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-ns3-options.h"

#include "collapipe-run-option.h"
#include "collapipe-suggestion.h"

#include "ns3/config.h"
#include "ns3/global-value.h"
#include "ns3/string.h"
#include "ns3/type-id.h"

#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <sys/wait.h>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Tries in another process what ns-3 aborts on where a value is not as it expects, since each kind
 * of value is read in its own way and few say that they could not.
 * @param set sets the value; whether it could
 * @return whether it can be set
 */
template <typename Setter>
bool
CanSet(Setter set)
{
    std::cout.flush();
    std::cerr.flush();
    const pid_t child = fork();
    if (child == 0)
    {
        std::set_terminate([] { _exit(1); });
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        dup2(nowhere, STDOUT_FILENO);
        _exit(set() ? 0 : 1);
    }
    int status = 0;
    // Where no process can be had the value is tried in this one.
    return child < 0 || (waitpid(child, &status, 0) == child && status == 0);
}

/// @return names of a class's attributes, its parents' included
std::vector<std::string>
GetAttributeNames(TypeId tid)
{
    std::vector<std::string> names;
    while (true)
    {
        for (std::size_t i = 0; i < tid.GetAttributeN(); ++i)
        {
            names.push_back(tid.GetAttribute(i).name);
        }
        if (!tid.HasParent() || tid.GetParent() == tid)
        {
            return names;
        }
        tid = tid.GetParent();
    }
}

/// @throws UserError where there is no attribute of that full name, without dashes
void
CheckAttribute(const std::string& name)
{
    const auto colons = name.rfind("::");
    const auto type = name.substr(0, colons);
    TypeId tid;
    if (!TypeId::LookupByNameFailSafe(type, &tid))
    {
        std::vector<std::string> types;
        for (uint32_t i = 0; i < TypeId::GetRegisteredN(); ++i)
        {
            types.push_back(TypeId::GetRegistered(i).GetName());
        }
        throw UserError("--" + name + ": ns-3 has no class " + type + Suggest(type, types));
    }
    const auto attribute = name.substr(colons + 2);
    TypeId::AttributeInformation information;
    RequireOption(tid.LookupAttributeByName(attribute, &information),
                  "--" + name + ": " + type + " has no attribute " + attribute +
                      Suggest(attribute, GetAttributeNames(tid)));
}

} // namespace

bool
SetNs3Option(const std::string& name, const std::string& argument)
{
    StringValue known;
    const std::string bare = name.rfind("--", 0) == 0 ? name.substr(2) : "";
    const bool isGlobal = !bare.empty() && GlobalValue::GetValueByNameFailSafe(bare, known);
    if (!isGlobal && bare.rfind("ns3::", 0) != 0)
    {
        return false;
    }
    if (!isGlobal)
    {
        CheckAttribute(bare);
    }
    RequireOption(argument.size() > name.size(), name + " needs a value: " + name + "=VALUE");
    const StringValue value(argument.substr(name.size() + 1));
    const auto set = [&] {
        return isGlobal ? Config::SetGlobalFailSafe(bare, value)
                        : Config::SetDefaultFailSafe(bare, value);
    };
    RequireOption(CanSet(set) && set(),
                  argument + ": this " + (isGlobal ? "global value" : "attribute") +
                      " takes no such value");
    return true;
}

std::vector<std::string>
GetGlobalNames()
{
    std::vector<std::string> names;
    for (auto global = GlobalValue::Begin(); global != GlobalValue::End(); ++global)
    {
        names.push_back((*global)->GetName());
    }
    return names;
}

} // namespace collapipe
} // namespace ns3
