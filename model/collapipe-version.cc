/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-version.h"

// The build defines both, for this file alone.
#if !defined(COLLAPIPE_RELEASE) || !defined(COLLAPIPE_NS3_RELEASE)
#error "COLLAPIPE_RELEASE and COLLAPIPE_NS3_RELEASE are to be defined by the build"
#endif

namespace ns3
{
namespace collapipe
{

std::string
GetVersion()
{
    return COLLAPIPE_RELEASE;
}

std::string
GetNs3Version()
{
    return COLLAPIPE_NS3_RELEASE;
}

std::string
DescribeVersion(const std::string& program)
{
    return program + " (CollaPipe) " + GetVersion() + ", ns-3 " + GetNs3Version();
}

} // namespace collapipe
} // namespace ns3
