/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// ReadLabelledTsv(): which columns of a TSV file are text and label, and what is in them

#include "collapipe-text-files.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// A row of a TSV file
using Row = std::vector<std::string>;
/// All rows of a file
using Table = std::vector<Row>;

constexpr int COLA_COLUMNS = 4; //!< source, label, what its author thought of it, sentence

/// @return the beginning of a sentence about a line, which counts from 0
std::string
NameLine(const std::string& path, std::size_t index)
{
    return "Line " + std::to_string(index + 1) + " of '" + path + "'";
}

Row
SplitColumns(const std::string& line)
{
    Row row;
    std::size_t begin = 0;
    for (auto end = line.find('\t'); end != std::string::npos; end = line.find('\t', begin))
    {
        row.push_back(line.substr(begin, end - begin));
        begin = end + 1;
    }
    row.push_back(line.substr(begin));
    return row;
}

std::string
ToLower(std::string text)
{
    for (auto& c : text)
    {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return text;
}

/// @return the rows, all as wide as the first
Table
ReadTable(const std::string& path)
{
    auto lines = ReadTextLines(path);
    while (!lines.empty() && FoldWhiteSpace(lines.back()).empty())
    {
        lines.pop_back();
    }
    if (lines.empty())
    {
        throw DataError("The file '" + path + "' holds nothing but blank lines.");
    }
    Table table;
    for (const auto& line : lines)
    {
        table.push_back(SplitColumns(line));
        if (table.back().size() != table.front().size())
        {
            throw DataError(NameLine(path, table.size() - 1) + " has " +
                            std::to_string(table.back().size()) +
                            " tab-separated column(s) where the first line has " +
                            std::to_string(table.front().size()) + ".");
        }
    }
    return table;
}

/**
 * @param header first row of a file
 * @param names column names wanted, the preferred first
 * @return index of the column; -1 where there is none
 */
int
FindColumn(const Row& header, std::initializer_list<const char*> names)
{
    for (const auto* name : names)
    {
        for (std::size_t i = 0; i < header.size(); ++i)
        {
            if (ToLower(FoldWhiteSpace(header[i])) == name)
            {
                return static_cast<int>(i);
            }
        }
    }
    return -1;
}

/// @return whether most cells of a column have several words
bool
HoldsText(const Table& table, std::size_t column)
{
    const auto count = std::count_if(table.begin(), table.end(), [column](const auto& row) {
        return FoldWhiteSpace(row[column]).find(' ') != std::string::npos;
    });
    return 2 * static_cast<std::size_t>(count) > table.size();
}

/// @return whether all rows are as GLUE's CoLA has them: label 0 or 1, and a mark or nothing
bool
IsCola(const Table& table)
{
    return std::all_of(table.begin(), table.end(), [](const auto& row) {
        return (row[1] == "0" || row[1] == "1") && row[2].size() <= 4 &&
               row[2].find_first_not_of("*?#%&!$^+ ") == std::string::npos;
    });
}

/**
 * @throws DataError where the first row of a file without a header that is understood is probably a
 *         header all the same: it is quoted, or its label is no other row's while theirs recur
 */
void
CheckFirstRow(const std::string& path, const Table& table, const TsvColumns& columns)
{
    const auto& first = table.front();
    const bool isQuoted = std::all_of(first.begin(), first.end(), [](const auto& cell) {
        return cell.size() >= 2 && cell.front() == '"' && cell.back() == '"';
    });
    std::multiset<std::string> labels;
    for (const auto& row : table)
    {
        labels.insert(FoldWhiteSpace(row[columns.label]));
    }
    const auto label = FoldWhiteSpace(first[columns.label]);
    const auto others = std::set<std::string>(labels.begin(), labels.end()).size() - 1;
    const bool isAlone = labels.count(label) == 1 && 2 * others <= table.size() - 1;
    if (isQuoted || (isAlone && others > 0))
    {
        throw DataError(NameLine(path, 0) + " is like a header (no other line has the label '" +
                        label + "'" + (isQuoted ? ", and it is in quotes" : "") +
                        "), but names no columns 'sentence' or 'text' and 'label'; name them so, "
                        "or remove the line.");
    }
}

/**
 * @param path the file, for messages
 * @param table its rows
 * @return text and label of a file without a header
 * @throws DataError where its columns are not understood
 */
TsvColumns
GuessNothing(const std::string& path, const Table& table)
{
    const auto width = static_cast<int>(table.front().size());
    if (width == COLA_COLUMNS && IsCola(table))
    {
        return {3, 1};
    }
    if (width > 2)
    {
        throw DataError("The file '" + path + "' has " + std::to_string(width) +
                        " columns and no header that names one 'sentence' or 'text' and one "
                        "'label'; add one, or leave two columns, text and label.");
    }
    return {0, 1};
}

/// @throws DataError where a column is beyond the last, or both are the same
void
CheckColumns(const std::string& path, const Table& table, const TsvColumns& columns)
{
    const auto width = static_cast<int>(table.front().size());
    const int needed = std::max(columns.text, columns.label) + 1;
    if (needed > width)
    {
        throw DataError(NameLine(path, 0) + " has " + std::to_string(width) +
                        " tab-separated column(s), but text and label need " +
                        std::to_string(needed) + ".");
    }
    if (columns.text == columns.label)
    {
        throw DataError("Text and label of '" + path + "' cannot be the same column.");
    }
}

/// @throws DataError where a column beside text and label holds text, which would be dropped
void
CheckOthers(const std::string& path, const Table& table, const TsvColumns& columns)
{
    for (std::size_t column = 0; column < table.front().size(); ++column)
    {
        const auto index = static_cast<int>(column);
        if (index != columns.text && index != columns.label && HoldsText(table, column))
        {
            throw DataError("Column '" + FoldWhiteSpace(table.front()[column]) + "' of '" + path +
                            "' holds text as well, which would be dropped: a classification here "
                            "has one text; join the columns, or remove one.");
        }
    }
}

/**
 * Completes the columns that the user has not given.
 * @param path the file, for messages
 * @param table its rows
 * @param columns completed
 * @return whether the first row is a header
 */
bool
ResolveColumns(const std::string& path, const Table& table, TsvColumns& columns)
{
    const auto& first = table.front();
    const bool isGiven = columns.text >= 0 && columns.label >= 0;
    const TsvColumns named{FindColumn(first, {"sentence", "text"}), FindColumn(first, {"label"})};
    const bool header = named.text >= 0 || named.label >= 0;
    const TsvColumns found = header || isGiven ? named : GuessNothing(path, table);
    columns.text = columns.text >= 0 ? columns.text : found.text;
    columns.label = columns.label >= 0 ? columns.label : found.label;
    if (columns.text < 0 || columns.label < 0)
    {
        throw DataError("The header of '" + path + "' has no column named " +
                        (columns.text < 0 ? "'sentence' or 'text'." : "'label'."));
    }
    CheckColumns(path, table, columns);
    if (!isGiven && header)
    {
        CheckOthers(path, table, columns);
    }
    else if (!isGiven)
    {
        CheckFirstRow(path, table, columns);
    }
    return header;
}

/**
 * @param path the file, for messages
 * @param index of the row's line, from 0
 * @param row the row
 * @param columns where text and label are
 * @return both
 */
LabelledText
ParseRow(const std::string& path, std::size_t index, const Row& row, const TsvColumns& columns)
{
    LabelledText result{FoldWhiteSpace(row[columns.text]), FoldWhiteSpace(row[columns.label])};
    if (result.text.empty() || result.label.empty())
    {
        throw DataError(NameLine(path, index) + " has no " +
                        (result.text.empty() ? "text" : "label") + " in column " +
                        std::to_string((result.text.empty() ? columns.text : columns.label) + 1) +
                        ".");
    }
    return result;
}

} // namespace

std::vector<LabelledText>
ReadLabelledTsv(const std::string& path, const TsvColumns& columns)
{
    const auto table = ReadTable(path);
    auto resolved = columns;
    std::vector<LabelledText> rows;
    for (std::size_t i = ResolveColumns(path, table, resolved) ? 1 : 0; i < table.size(); ++i)
    {
        rows.push_back(ParseRow(path, i, table[i], resolved));
    }
    if (rows.empty())
    {
        throw DataError("The file '" + path + "' has a header but no rows.");
    }
    return rows;
}

} // namespace collapipe
} // namespace ns3
