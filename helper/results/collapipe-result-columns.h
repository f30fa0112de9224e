/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RESULT_COLUMNS_H
#define COLLAPIPE_RESULT_COLUMNS_H

#include "collapipe-control-recorder.h"
#include "collapipe-position-recorder.h"
#include "collapipe-result-table.h"
#include "collapipe-run-recorder.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param task of the run, by which scores go
 * @param classes of its classification
 * @return columns of rounds.csv, also the entries of summary.json's rounds
 */
ResultTable<RoundRow> MakeRoundTable(const std::string& task, std::size_t classes);

/// @return columns of devices.csv
ResultTable<DeviceRow> MakeDeviceTable();

/// @return columns of control.csv
ResultTable<ControlRow> MakeControlTable();

/// @return columns of clusters.csv
ResultTable<ControlClusterRow> MakeClusterTable();

/// @return columns of budgets.csv
ResultTable<ControlNodeRow> MakeBudgetTable();

/// @return columns of links.csv
ResultTable<ControlLinkRow> MakeLinkTable();

/// @return columns of positions.csv
ResultTable<PositionRow> MakePositionTable();

/**
 * @param task of the run
 * @param classes of its classification
 * @return columns of every table, by the file's name
 */
std::vector<std::pair<std::string, std::vector<ColumnHead>>> ListColumns(const std::string& task,
                                                                         std::size_t classes);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RESULT_COLUMNS_H */
