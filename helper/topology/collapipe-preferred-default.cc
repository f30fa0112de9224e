/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-preferred-default.h"

#include "ns3/config.h"
#include "ns3/type-id.h"

namespace ns3
{
namespace collapipe
{

void
PreferDefault(const std::string& type, const std::string& attribute, const AttributeValue& value)
{
    const TypeId tid = TypeId::LookupByName(type);
    for (std::size_t i = 0; i < tid.GetAttributeN(); ++i)
    {
        const auto info = tid.GetAttribute(i);
        if (info.name == attribute &&
            info.initialValue->SerializeToString(info.checker) ==
                info.originalInitialValue->SerializeToString(info.checker))
        {
            Config::SetDefault(type + "::" + attribute, value);
        }
    }
}

} // namespace collapipe
} // namespace ns3
