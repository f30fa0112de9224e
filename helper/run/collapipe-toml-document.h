/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOML_DOCUMENT_H
#define COLLAPIPE_TOML_DOCUMENT_H

#include <istream>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * Reads the text of a TOML document that a recursive parser can be given: not too long, and without
 * brackets within brackets too deep.
 * @param file the document
 * @param where for messages, such as "--faults=FILE"
 * @return the text
 * @throws UserError where it is too long or too deep
 */
std::string ReadTomlText(std::istream& file, const std::string& where);

/**
 * @param where for messages, such as "--faults=FILE"
 * @param what the parser says, over several lines
 * @return one sentence
 */
std::string DescribeTomlError(const std::string& where, const std::string& what);

/**
 * @param text of toml11, whose release 3 keeps it beside how it is written
 * @return the text itself
 */
template <typename T>
auto
GetTomlString(const T& text) -> decltype(text.str)
{
    return text.str;
}

/// The same in release 4, where it is the text itself
inline std::string
GetTomlString(const std::string& text)
{
    return text;
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TOML_DOCUMENT_H */
