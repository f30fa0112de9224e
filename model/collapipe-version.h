/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_VERSION_H
#define COLLAPIPE_VERSION_H

#include <string>

/**
 * @file
 * @ingroup collapipe
 * What this build is.
 */

namespace ns3
{
namespace collapipe
{

/// @return CollaPipe's version, such as "1.0.0"; CMakeLists.txt says it
std::string GetVersion();

/// @return the version of ns-3 that CollaPipe was built for, such as "3.43"
std::string GetNs3Version();

/**
 * @param program a program's name
 * @return what it answers to --version: a line with its own, CollaPipe's and ns-3's
 */
std::string DescribeVersion(const std::string& program);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_VERSION_H */
