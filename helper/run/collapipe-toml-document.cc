/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-toml-document.h"

#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <cstddef>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t MAX_BYTES = 1U << 20;  //!< of a file
constexpr std::size_t MAX_DEPTH = 16;        //!< of brackets within brackets
constexpr std::size_t MAX_ERROR_BYTES = 300; //!< of a parser's own words

} // namespace

std::string
ReadTomlText(std::istream& file, const std::string& where)
{
    std::string text(MAX_BYTES + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > MAX_BYTES)
    {
        throw UserError(where + ": the file is longer than 1 MiB");
    }
    if (FindInvalidUtf8(text) != std::string::npos)
    {
        // toml11 (3.7) reads beyond its memory where it finds that out within quotes
        throw UserError(where + ": this is no UTF-8, which TOML is written in");
    }
    std::size_t depth = 0;
    char quote = 0;
    for (const char c : text)
    {
        if (quote != 0)
        {
            quote = c == quote || c == '\n' ? 0 : quote;
        }
        else if (c == '"' || c == '\'')
        {
            quote = c;
        }
        else if (c == '[' || c == '{')
        {
            ++depth;
        }
        else if (c == ']' || c == '}')
        {
            depth -= depth > 0 ? 1 : 0;
        }
        if (depth > MAX_DEPTH)
        {
            throw UserError(where + ": brackets within brackets, more than " +
                            std::to_string(MAX_DEPTH) + " of them; no such file has them");
        }
    }
    return text;
}

std::string
DescribeTomlError(const std::string& where, const std::string& what)
{
    std::string line = what.substr(0, MAX_ERROR_BYTES);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return where + " is no TOML: " + line;
}

} // namespace collapipe
} // namespace ns3
