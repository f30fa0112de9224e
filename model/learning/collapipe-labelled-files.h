/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LABELLED_FILES_H
#define COLLAPIPE_LABELLED_FILES_H

#include "collapipe-dataset.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where texts and labels stand in a file of tab-separated values: columns by the names in the
 * file's header, or by numbers from 1 in a file without one.
 */
struct LabelledColumns
{
    std::string text{};   //!< of the text
    std::string second{}; //!< of the second text of a pair; empty: there is none
    std::string label{};  //!< of the label
    bool isScore{false};  //!< labels are numbers, whose classes are the nearest whole ones
};

/// @return names of GLUE's nine tasks (Wang et al. 2019), as in its folders
std::vector<std::string> GetGlueTasks();

/**
 * @param task one of GLUE's; case and hyphens do not matter
 * @param columns filled in: where texts and labels stand in its train.tsv and dev.tsv
 * @return whether there is such a task
 */
bool FindGlueColumns(const std::string& task, LabelledColumns& columns);

/**
 * @param text `TEXT,LABEL` or `TEXT,TEXT2,LABEL`
 * @return the columns
 * @throws DataError where it is neither, or names and numbers are mixed
 */
LabelledColumns ParseLabelledColumns(const std::string& text);

/**
 * Reads tab-separated values as GLUE has them, without quoting. Rows of another number of columns
 * than the first line's, or without a text or a label, are left out.
 * @param path the file
 * @param columns where texts and labels stand
 * @param warnings gets a sentence where rows are left out
 * @return the rows in the file's order: source the text, target the second one, topic the label
 * @throws DataError where the file cannot be read, a column is missing, or no row is left
 */
std::vector<SentencePair> ReadLabelledColumns(const std::string& path,
                                              const LabelledColumns& columns,
                                              std::vector<std::string>& warnings);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LABELLED_FILES_H */
