/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPLETE_FILES_H
#define COLLAPIPE_COMPLETE_FILES_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * Looks whether a file was written to its end. ns-3 writes captures, FlowMonitor's and NetAnim's
 * files without looking whether it could.
 * @param path of a file: a capture (.pcap) must end where a packet ends, an XML file with the end
 *        of its root; of others only the size is looked at
 * @return false where it is cut, or as large as a file may get
 */
bool IsComplete(const std::string& path);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPLETE_FILES_H */
