/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-result-table.h"

#include "collapipe-user-error.h"

#include <cmath>
#include <sstream>

namespace ns3
{
namespace collapipe
{

std::string
ToCsvCell(const CellValue& value)
{
    const auto* number = std::get_if<double>(&value);
    if (number && !std::isfinite(*number))
    {
        return "";
    }
    std::ostringstream text;
    text.precision(12);
    std::visit([&text](const auto& typed) { text << typed; }, value);
    return text.str();
}

void
CloseResultFile(std::ofstream& file, const std::string& path)
{
    file.close();
    if (!file)
    {
        throw UserError("cannot write " + path + "; is the disk full?");
    }
}

} // namespace collapipe
} // namespace ns3
