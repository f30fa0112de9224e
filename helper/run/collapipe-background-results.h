/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BACKGROUND_RESULTS_H
#define COLLAPIPE_BACKGROUND_RESULTS_H

#include "ns3/collapipe-background-traffic.h"
#include "ns3/collapipe-result-table.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// @return columns of background.csv
ResultTable<BackgroundFlow> MakeBackgroundTable();

/**
 * @param path file to write: one line per user, direction and period
 * @param flows how the users fared
 * @throws UserError where it cannot be written
 */
void WriteBackground(const std::string& path, const std::vector<BackgroundFlow>& flows);

/**
 * @param flows how all users fared
 * @return one line for people: delay, jitter and loss of all packets while the training ran, and
 *         before it where there was such a time
 */
std::string DescribeBackground(const std::vector<BackgroundFlow>& flows);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BACKGROUND_RESULTS_H */
