/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROLLER_CHOICE_H
#define COLLAPIPE_CONTROLLER_CHOICE_H

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

// Which controllers there are to be chosen, and what one that was chosen can do. They are named as
// ControllerTypeName() takes it.

/// @return short names of all controllers that there are, in alphabetical order
std::vector<std::string> GetControllerNames();

/**
 * @param controller a controller
 * @param attribute name of an attribute
 * @return whether there is such a controller, whose class has it
 */
bool HasAttribute(const std::string& controller, const std::string& attribute);

/**
 * @param controller a controller
 * @return whether its chains begin at the devices, not at the control units
 */
bool IsSideBySide(const std::string& controller);

/**
 * @param controller a controller
 * @return whether it may decide who carries the parameters: dssda and those of users
 */
bool MayDecidePaths(const std::string& controller);

/**
 * @param controller a controller
 * @return whether it may decide how many blocks the edge server holds: dssda, the tuned pipelines
 *         and those of users
 */
bool MayOffload(const std::string& controller);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROLLER_CHOICE_H */
