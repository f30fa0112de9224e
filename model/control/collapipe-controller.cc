/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-controller.h"

#include "ns3/object-factory.h"
#include "ns3/string.h"

#include <algorithm>
#include <cctype>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(Controller);

namespace
{

const std::string NAMESPACE = "ns3::collapipe::"; //!< of the controllers
const std::string SUFFIX = "Controller";          //!< of their names
const std::string EXEC = "exec:";                 //!< before the command of a program that decides

/// "UniformPipeline" and "uniform-pipeline" both become "uniformpipeline"
std::string
Fold(const std::string& name)
{
    std::string folded;
    for (const unsigned char c : name)
    {
        if (c != '-')
        {
            folded += static_cast<char>(std::tolower(c));
        }
    }
    return folded;
}

std::string
ToCamel(const std::string& name)
{
    std::string camel;
    bool upper = true;
    for (const unsigned char c : name)
    {
        if (c != '-')
        {
            camel += static_cast<char>(upper ? std::toupper(c) : c);
        }
        upper = c == '-';
    }
    return camel;
}

bool
HasShortName(const std::string& typeName, const std::string& folded)
{
    const std::size_t ends = NAMESPACE.size() + SUFFIX.size();
    if (typeName.size() < ends || typeName.compare(0, NAMESPACE.size(), NAMESPACE) != 0 ||
        typeName.compare(typeName.size() - SUFFIX.size(), SUFFIX.size(), SUFFIX) != 0)
    {
        return false;
    }
    return Fold(typeName.substr(NAMESPACE.size(), typeName.size() - ends)) == folded;
}

} // namespace

TypeId
Controller::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::Controller").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

void
Controller::Observe(const RoundMeasurement& /* measurement */)
{
}

int64_t
Controller::AssignStreams(int64_t /* stream */)
{
    return 0;
}

std::string
ControllerTypeName(const std::string& name)
{
    if (name.rfind(EXEC, 0) == 0)
    {
        return NAMESPACE + "Exec" + SUFFIX;
    }
    TypeId tid;
    if (name.find("::") != std::string::npos || TypeId::LookupByNameFailSafe(name, &tid))
    {
        return name;
    }
    const std::string folded = Fold(name);
    for (uint32_t i = 0; i < TypeId::GetRegisteredN(); ++i)
    {
        const std::string typeName = TypeId::GetRegistered(i).GetName();
        if (HasShortName(typeName, folded))
        {
            return typeName;
        }
    }
    return NAMESPACE + ToCamel(name) + SUFFIX;
}

Ptr<Controller>
CreateController(const std::string& name)
{
    TypeId tid;
    if (!TypeId::LookupByNameFailSafe(ControllerTypeName(name), &tid) || !tid.HasConstructor() ||
        !tid.IsChildOf(Controller::GetTypeId()))
    {
        return nullptr;
    }
    ObjectFactory factory;
    factory.SetTypeId(tid);
    if (name.rfind(EXEC, 0) == 0)
    {
        factory.Set("Command", StringValue(name.substr(EXEC.size())));
    }
    return factory.Create<Controller>();
}

} // namespace collapipe
} // namespace ns3
