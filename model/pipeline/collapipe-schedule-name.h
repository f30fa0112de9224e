/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SCHEDULE_NAME_H
#define COLLAPIPE_SCHEDULE_NAME_H

namespace ns3
{
namespace collapipe
{

/// The schedule of a plan or a run that names none, as GetSchedule() takes it
constexpr const char* DEFAULT_SCHEDULE = "gpipe";

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SCHEDULE_NAME_H */
