/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NS3_OPTIONS_H
#define COLLAPIPE_NS3_OPTIONS_H

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Sets an attribute's default (`--ns3::Class::Attribute=value`) or a global value
 * (`--ChecksumEnabled=true`), as ns-3's own CommandLine does, but with a sentence where ns-3 would
 * abort.
 * @param name of the option, with dashes
 * @param argument the option with its value
 * @return whether it is one
 * @throws UserError where there is no such attribute, or it takes no such value
 */
bool SetNs3Option(const std::string& name, const std::string& argument);

/// @return names of ns-3's global values
std::vector<std::string> GetGlobalNames();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NS3_OPTIONS_H */
