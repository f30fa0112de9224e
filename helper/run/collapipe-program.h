/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PROGRAM_H
#define COLLAPIPE_PROGRAM_H

#include <functional>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What main() does: runs a program so that it ends cleanly (InstallCleanExit()) and says in one
 * sentence what went wrong.
 *
 * @param name of the program, for that sentence
 * @param body what it does; returns its exit status
 * @return the body's status; 2 where it threw a UserError or a DataError, 1 where the system has
 * not given what it needs, such as memory or threads, or where anything else was thrown
 */
int RunProgram(const std::string& name, const std::function<int()>& body);

} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_PROGRAM_H
