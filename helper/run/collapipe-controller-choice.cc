/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-controller-choice.h"

#include "collapipe-run-option.h"

#include "ns3/collapipe-controller.h"
#include "ns3/type-id.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return what a controller's class is called on the command line
std::string
GetShortName(const std::string& typeName)
{
    const std::string before = "ns3::collapipe::";
    const std::string after = "Controller";
    const auto size = typeName.size();
    if (typeName.rfind(before, 0) != 0 || size <= before.size() + after.size() ||
        typeName.compare(size - after.size(), after.size(), after) != 0)
    {
        return typeName;
    }
    const auto name = typeName.substr(before.size(), size - before.size() - after.size());
    std::string text;
    for (const unsigned char c : name)
    {
        text += std::isupper(c) && !text.empty() ? "-" : "";
        text += static_cast<char>(std::tolower(c));
    }
    for (const std::string theirs : {"fed-avg", "split-fed"}) // whose authors write no hyphen
    {
        const auto place = text.find(theirs);
        const auto hyphen = theirs.find('-');
        text.erase(place == text.npos ? text.size() : place + hyphen, place == text.npos ? 0 : 1);
    }
    return text;
}

/// @return whether a controller is of a class, or of one derived from it
bool
IsOfClass(const std::string& controller, const std::string& parent)
{
    TypeId tid;
    TypeId wanted;
    return TypeId::LookupByNameFailSafe(ControllerTypeName(controller), &tid) &&
           TypeId::LookupByNameFailSafe(parent, &wanted) &&
           (tid == wanted || tid.IsChildOf(wanted));
}

/// @return whether it is a program, or a class of somebody else's
bool
IsForeign(const std::string& controller)
{
    return controller.rfind("exec:", 0) == 0 ||
           ControllerTypeName(controller).rfind("ns3::collapipe::", 0) != 0;
}

} // namespace

std::vector<std::string>
GetControllerNames()
{
    std::vector<std::string> names;
    for (uint32_t i = 0; i < TypeId::GetRegisteredN(); ++i)
    {
        const auto name = TypeId::GetRegistered(i).GetName();
        // The one that runs a program is chosen by the program
        if (IsCreatable(name, "ns3::collapipe::Controller") && name != ControllerTypeName("exec:"))
        {
            names.push_back(GetShortName(name));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool
HasAttribute(const std::string& controller, const std::string& attribute)
{
    TypeId tid;
    TypeId::AttributeInformation information;
    return TypeId::LookupByNameFailSafe(ControllerTypeName(controller), &tid) &&
           tid.LookupAttributeByName(attribute, &information);
}

bool
IsSideBySide(const std::string& controller)
{
    return IsOfClass(controller, "ns3::collapipe::SideBySideController");
}

bool
MayDecidePaths(const std::string& controller)
{
    return IsForeign(controller) || IsOfClass(controller, "ns3::collapipe::DssdaController");
}

bool
MayOffload(const std::string& controller)
{
    return MayDecidePaths(controller) ||
           IsOfClass(controller, "ns3::collapipe::TunedUniformPipelineController") ||
           IsOfClass(controller, "ns3::collapipe::TunedStaticPipelineController");
}

} // namespace collapipe
} // namespace ns3
