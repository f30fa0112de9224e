/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_UNICODE_H
#define COLLAPIPE_UNICODE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @file
 * @ingroup collapipe
 * Unicode's classes, normal forms and patterns, by ICU, whose headers stay in the implementation.
 */

/// Unicode's normal forms (Unicode Standard Annex 15)
enum class NormalForm : uint8_t
{
    NFC,
    NFD,
    NFKC,
    NFKD,
};

/**
 * @param text bytes, supposedly UTF-8
 * @return valid UTF-8: what is not is replaced by U+FFFD, one for each maximal part that begins
 * like a character, as browsers do
 */
std::string ReplaceInvalidUtf8(std::string_view text);

/**
 * @param text UTF-8; bytes that are not become U+FFFD
 * @return its code points
 */
std::u32string ToCodePoints(std::string_view text);

/**
 * @param text code points
 * @return UTF-8
 */
std::string ToUtf8(std::u32string_view text);

/**
 * @param text UTF-8
 * @param form wanted
 * @return the text in that form
 */
std::string Normalize(const std::string& text, NormalForm form);

/**
 * @param text UTF-8
 * @return it in lower case by Unicode's full mapping, a sigma at a word's end included
 */
std::string ToLowerText(const std::string& text);

/**
 * @param codePoint a character
 * @return its lower case by Unicode's full mapping, whatever stands around it
 */
std::u32string ToLowerCharacter(char32_t codePoint);

/// @return whether a character has Unicode's property White_Space
bool IsUnicodeSpace(char32_t codePoint);

/// @return whether a character's category is one of C: control, format, private use, unassigned
bool IsUnicodeOther(char32_t codePoint);

/// @return whether a character's category is one of P
bool IsUnicodePunctuation(char32_t codePoint);

/// @return whether a character's category is one of N
bool IsUnicodeNumber(char32_t codePoint);

/// @return whether a character's category is Mn, a mark that takes no space
bool IsUnicodeNonspacing(char32_t codePoint);

/// @return whether a character is one of words, as UTS 18 has it: alphabetic, mark, digit,
/// connector, joiner. Oniguruma's `\w`, and so that of a UnicodePattern, is less: letter, mark,
/// digit, connector
bool IsUnicodeWord(char32_t codePoint);

/// Part of a text: offsets of its first byte and of the one behind its last
using TextSpan = std::pair<std::size_t, std::size_t>;

/**
 * @ingroup collapipe
 * A regular expression in the syntax of tokenizer.json (Oniguruma's), matched by ICU: white space
 * and word characters are Unicode's.
 */
class UnicodePattern
{
  public:
    /**
     * @param expression UTF-8
     * @throws DataError where it is none
     */
    explicit UnicodePattern(const std::string& expression);

    /**
     * @param text valid UTF-8
     * @return all matches from left to right, empty ones left out
     * @throws DataError where matching takes beyond all bounds
     */
    std::vector<TextSpan> FindAll(std::string_view text) const;

  private:
    struct Compiled; //!< ICU's

    std::shared_ptr<const Compiled> m_compiled; //!< shared between copies
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_UNICODE_H */
