/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPAT_H
#define COLLAPIPE_COMPAT_H

/**
 * @file
 * @ingroup collapipe
 * The one place that knows on which ns-3 release the module is built. Releases are told apart by
 * headers that they added, not by a version number, so it works for installed and for source trees.
 * Each macro is 1 from that release on, else 0.
 */

#if __has_include("ns3/application-helper.h")
#define COLLAPIPE_NS3_42 1
#else
#define COLLAPIPE_NS3_42 0
#endif

#if __has_include("ns3/wifi-units.h")
#define COLLAPIPE_NS3_43 1
#else
#define COLLAPIPE_NS3_43 0
#endif

#if __has_include("ns3/source-application.h")
#define COLLAPIPE_NS3_44 1
#else
#define COLLAPIPE_NS3_44 0
#endif

#if __has_include("ns3/rr-wifi-queue-scheduler.h")
#define COLLAPIPE_NS3_48 1
#else
#define COLLAPIPE_NS3_48 0
#endif

#if !COLLAPIPE_NS3_42
namespace ns3
{
namespace collapipe
{
namespace energy = ::ns3; //!< where the energy framework was before it had a namespace
} // namespace collapipe
} // namespace ns3
#endif

#endif /* COLLAPIPE_COMPAT_H */
