/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TEXT_FILES_H
#define COLLAPIPE_TEXT_FILES_H

#include "collapipe-dataset.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Data that cannot be used. what() is one sentence for the user: which file (and line), what is
 * wrong with it, and where it is not obvious what to do.
 */
class DataError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/// Code point that NextCodePoint() gives for bytes that are not UTF-8
constexpr uint32_t INVALID_CODE_POINT = 0xffffffff;

/**
 * Decodes one character. Overlong forms, surrogates and values above U+10FFFF are refused.
 * @param text bytes, supposedly UTF-8
 * @param position of the character's first byte, less than the size; moved behind the character,
 *        by one byte where it is invalid
 * @return its code point, or INVALID_CODE_POINT
 */
uint32_t NextCodePoint(std::string_view text, std::size_t& position);

/**
 * @param text where to append
 * @param codePoint the character, appended as UTF-8; nothing where it is not a Unicode scalar value
 */
void AppendCodePoint(std::string& text, uint32_t codePoint);

/**
 * @param codePoint a character
 * @return whether it is a letter; beyond Latin, whether its block is one of letters
 */
bool IsLetter(uint32_t codePoint);

/**
 * @param text bytes, supposedly UTF-8
 * @return offset of the first byte that is not part of valid UTF-8, or npos
 */
std::size_t FindInvalidUtf8(std::string_view text);

/**
 * @param text UTF-8
 * @return the text with every run of white space and control characters (Unicode's line and
 *         paragraph separators and no-break spaces among them) turned into one space, without
 *         zero-width characters, trimmed
 */
std::string FoldWhiteSpace(std::string_view text);

/**
 * Removes the tags of HTML, Pango and the like. What stands in angle brackets but is no tag is a
 * metavariable, as in `git clone <repository>`.
 * @param text UTF-8
 * @param metavariable what to put for a metavariable
 * @return the text without tags
 */
std::string RemoveTags(std::string_view text, const std::string& metavariable);

/**
 * @param text UTF-8
 * @return the text with the commonest entities of HTML and numeric ones as the characters they are
 */
std::string DecodeEntities(std::string_view text);

/**
 * @param path a file
 * @return its bytes
 * @throws DataError where it cannot be read
 */
std::string ReadFileBytes(const std::string& path);

/**
 * Reads a text file line by line. A byte-order mark and carriage returns before line ends go away.
 * @param path the file
 * @return the lines, valid UTF-8, otherwise as they are
 * @throws DataError where the file cannot be read, is empty, or has a line that is not UTF-8
 */
std::vector<std::string> ReadTextLines(const std::string& path);

/**
 * Reads two aligned text files: line k of one is the translation of line k of the other.
 * Pairs with a blank side are left out; nothing else is filtered.
 * @param sourcePath file in the source language
 * @param targetPath file in the target language
 * @return the pairs in the files' order, white space folded
 * @throws DataError see ReadTextLines(); also where the numbers of lines differ or no pair has text
 *         on both sides
 */
std::vector<SentencePair> ReadAlignedFiles(const std::string& sourcePath,
                                           const std::string& targetPath);

/**
 * @ingroup collapipe
 * A text and its class, as they stand in a file.
 */
struct LabelledText
{
    std::string text;  //!< UTF-8, white space folded
    std::string label; //!< name or number of the class
};

/**
 * @ingroup collapipe
 * Where text and label stand in a TSV file. A column that is not given is looked up in the header
 * (`sentence` or `text`; `label`; any case). A file without a header has text first and label
 * second, or, with four columns or more, GLUE's CoLA order: label second and text fourth.
 */
struct TsvColumns
{
    int text{-1};  //!< index from 0; negative: find out
    int label{-1}; //!< index from 0; negative: find out
};

/**
 * Reads tab-separated values as GLUE has them: a row a line, no quoting, with or without a header.
 * @param path the file
 * @param columns where text and label stand
 * @return the rows in the file's order
 * @throws DataError see ReadTextLines(); also where a column is missing, or a row has another
 *         number of columns than the first, or no text or no label
 */
std::vector<LabelledText> ReadLabelledTsv(const std::string& path, const TsvColumns& columns = {});

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TEXT_FILES_H */
