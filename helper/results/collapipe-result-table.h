/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RESULT_TABLE_H
#define COLLAPIPE_RESULT_TABLE_H

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What stands in a cell of a table: a number, a whole number or a word; NaN stands for nothing
using CellValue = std::variant<double, int64_t, uint64_t, std::string>;

/// What is to be known of a column without its values, for whoever reads the file
struct ColumnHead
{
    std::string name; //!< of the column
    std::string unit; //!< SI, or "1" for a number without; empty: a word, a count or an index
};

/**
 * @ingroup collapipe
 * One column of a table of results, all that is to be known of it in one row: the CSV file, JSON's
 * entries and the schema in summary.json, by which helper/evaluation reads, follow from it.
 */
template <typename Row>
struct ResultColumn
{
    ColumnHead head;                           //!< name and unit
    std::function<CellValue(const Row&)> read; //!< its value in a row
};

/**
 * @ingroup collapipe
 * The columns of a table, in their order.
 */
template <typename Row>
class ResultTable
{
  public:
    /**
     * Adds a column.
     * @param name of the column
     * @param unit see ColumnHead
     * @param read a function of a row that gives a number or a word
     * @return this table
     */
    template <typename Reader>
    ResultTable& Add(const std::string& name, const std::string& unit, Reader read)
    {
        m_columns.push_back({{name, unit}, [read](const Row& row) { return ToCell(read(row)); }});
        return *this;
    }

    /// @return the columns
    const std::vector<ResultColumn<Row>>& GetColumns() const
    {
        return m_columns;
    }

    /// @return name and unit of each
    std::vector<ColumnHead> GetHeads() const
    {
        std::vector<ColumnHead> heads;
        for (const auto& column : m_columns)
        {
            heads.push_back(column.head);
        }
        return heads;
    }

  private:
    /// @return a value of one of the kinds that a cell has
    template <typename Value>
    static CellValue ToCell(const Value& value)
    {
        if constexpr (std::is_floating_point_v<Value>)
        {
            return static_cast<double>(value);
        }
        else if constexpr (std::is_signed_v<Value>)
        {
            return static_cast<int64_t>(value);
        }
        else if constexpr (std::is_unsigned_v<Value>)
        {
            return static_cast<uint64_t>(value);
        }
        else
        {
            return std::string(value);
        }
    }

    std::vector<ResultColumn<Row>> m_columns; //!< in their order
};

/// @return a cell as a CSV file has it: twelve digits, nothing for what is no number
std::string ToCsvCell(const CellValue& value);

/**
 * Ends a file.
 * @param file written to
 * @param path its path
 * @throws UserError where not all of it was written
 */
void CloseResultFile(std::ofstream& file, const std::string& path);

/**
 * @param path file to write: a head, and a line per row
 * @param table its columns
 * @param rows its rows
 * @throws UserError where it cannot be written
 */
template <typename Row>
void
WriteResultTable(const std::string& path,
                 const ResultTable<Row>& table,
                 const std::vector<Row>& rows)
{
    std::ofstream file(path);
    const char* separator = "";
    for (const auto& column : table.GetColumns())
    {
        file << std::exchange(separator, ",") << column.head.name;
    }
    file << '\n';
    for (const auto& row : rows)
    {
        separator = "";
        for (const auto& column : table.GetColumns())
        {
            file << std::exchange(separator, ",") << ToCsvCell(column.read(row));
        }
        file << '\n';
    }
    CloseResultFile(file, path);
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RESULT_TABLE_H */
