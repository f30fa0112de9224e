/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PREFERRED_DEFAULT_H
#define COLLAPIPE_PREFERRED_DEFAULT_H

#include "ns3/attribute.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Makes a value the default of one of ns-3's attributes, unless somebody has chosen another than
 * ns-3's own: with Config::SetDefault, or by `--ns3::Class::Attribute=VALUE`. (To choose ns-3's own
 * value cannot be told from choosing none.)
 * @param type full name of the class that has the attribute
 * @param attribute its name; one that this ns-3 does not have is passed over
 * @param value that this module works better with
 */
void PreferDefault(const std::string& type,
                   const std::string& attribute,
                   const AttributeValue& value);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PREFERRED_DEFAULT_H */
