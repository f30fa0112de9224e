/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PLUGIN_H
#define COLLAPIPE_PLUGIN_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Loads shared libraries with classes of somebody else's, which register themselves with ns-3's
 * TypeId system (NS_OBJECT_ENSURE_REGISTERED) and can be chosen by name from then on. They stay
 * loaded to the end of the process.
 * @param paths of the libraries, separated by commas; one without a slash is looked for in the
 *        current folder, then where the system looks for libraries
 * @throws UserError where one cannot be loaded, or registers no class
 */
void LoadPlugins(const std::string& paths);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PLUGIN_H */
