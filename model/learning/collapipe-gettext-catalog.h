/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_GETTEXT_CATALOG_H
#define COLLAPIPE_GETTEXT_CATALOG_H

#include "collapipe-dataset.h"
#include "collapipe-text-files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What stands for a placeholder of a format string in cleaned text (U+25CA, a lozenge)
constexpr const char* PLACEHOLDER = "\u25ca";

/**
 * @ingroup collapipe
 * A message of a catalog as it is, in UTF-8. Of a message with plurals, the singular and its
 * translation.
 */
struct CatalogMessage
{
    std::string context; //!< msgctxt, or empty
    std::string source;  //!< msgid
    std::string target;  //!< msgstr
};

/**
 * Parses a compiled catalog (GNU gettext manual, "The Format of GNU MO Files"): both byte orders,
 * major revisions 0 and 1. The segments of system-dependent strings (minor revision 1) are left
 * out. The header entry gives the character set; without one it is UTF-8.
 * @param bytes of the file
 * @param name of the file, for messages
 * @return its messages in the file's order, without the header entry
 * @throws DataError where the file is malformed in any way or its character set is unknown
 */
std::vector<CatalogMessage> ParseCatalog(std::string_view bytes, const std::string& name);

/**
 * @param path a *.mo file
 * @return see ParseCatalog()
 * @throws DataError see ParseCatalog(); also where the file cannot be read
 */
std::vector<CatalogMessage> ReadCatalog(const std::string& path);

/**
 * Makes a pair of plain texts of a message.
 *
 * - Format directives (printf's, Python's, Qt's, GCC's, `{name}`, `${name}`) and metavariables
 *   (`<file>`) become PLACEHOLDER.
 * - Tags, entities, accelerator marks (`_File`, `&File`, `~File`, trailing `(_F)`), escapes and
 *   terminal sequences go; white space is folded.
 *
 * @param source message, UTF-8
 * @param target its translation, UTF-8
 * @return the pair, without topic; nothing where the sides differ in their number of placeholders
 */
std::optional<SentencePair> CleanPair(const std::string& source, const std::string& target);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_GETTEXT_CATALOG_H */
