/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-actuator-choice.h"

#include "ns3/collapipe-lte-actuator.h"
#include "ns3/collapipe-wifi-actuator.h"
#include "ns3/object-factory.h"

#include <algorithm>
#include <map>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// A new actuator of any type that is registered; null where there is none of that name
Ptr<RadioActuator>
CreateByTypeId(const std::string& name)
{
    TypeId tid;
    if (!TypeId::LookupByNameFailSafe(name, &tid) || !tid.HasConstructor() ||
        !tid.IsChildOf(RadioActuator::GetTypeId()))
    {
        return nullptr;
    }
    ObjectFactory factory;
    factory.SetTypeId(tid);
    return factory.Create<RadioActuator>();
}

} // namespace

Ptr<RadioActuator>
ChooseActuator(const TopologyHelper& topology, const std::string& name)
{
    static const std::map<std::string, TypeId> radios{{"lte", LteActuator::GetTypeId()},
                                                      {"wifi", WifiActuator::GetTypeId()}};
    if (name == "none")
    {
        return CreateObject<NoneActuator>();
    }
    const Ptr<RadioActuator> all = topology.CreateActuator();
    const Ptr<HybridActuator> hybrid = DynamicCast<HybridActuator>(all);
    if (name == "auto" || (name == "hybrid" && hybrid))
    {
        return all;
    }
    const auto radio = radios.find(name);
    if (radio == radios.end())
    {
        return CreateByTypeId(name);
    }
    const std::vector<Ptr<RadioActuator>> parts =
        hybrid ? hybrid->GetParts() : std::vector<Ptr<RadioActuator>>{all};
    const auto part = std::find_if(parts.begin(), parts.end(), [&](const auto& candidate) {
        return candidate->GetInstanceTypeId() == radio->second;
    });
    if (hybrid)
    {
        hybrid->Dispose(); // a part goes on without the whole, and the others do nothing
    }
    for (const auto& other : parts)
    {
        if (part == parts.end() || other != *part)
        {
            other->Dispose();
        }
    }
    return part == parts.end() ? nullptr : *part;
}

} // namespace collapipe
} // namespace ns3
