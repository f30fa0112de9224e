/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_OPTION_HELP_H
#define COLLAPIPE_OPTION_HELP_H

#include "collapipe-run-option.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param out where to print
 * @param program name of the program
 * @param options all options; their values are shown as defaults
 * @param which empty: those of daily use; "all"; the name of a group; "json": all, for programs
 * @throws UserError where there is no such group
 */
void PrintOptionHelp(std::ostream& out,
                     const std::string& program,
                     const std::vector<RunOption>& options,
                     const std::string& which);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_OPTION_HELP_H */
