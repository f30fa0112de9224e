/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-text-files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Longest tag looked for, bytes
constexpr std::size_t MAXIMUM_TAG = 200;

bool
IsUpper(char c)
{
    return c >= 'A' && c <= 'Z';
}

bool
IsAlnum(char c)
{
    return IsUpper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
IsOneOf(char c, std::string_view set)
{
    return set.find(c) != std::string_view::npos;
}

/**
 * @param lead first byte of a UTF-8 character
 * @return number of bytes that follow it; -1 where no character begins so
 */
int
GetContinuationBytes(unsigned char lead)
{
    if (lead < 0x80)
    {
        return 0;
    }
    if (lead >= 0xc2 && lead < 0xe0)
    {
        return 1;
    }
    if (lead >= 0xe0 && lead < 0xf0)
    {
        return 2;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
}

bool
IsScalarValue(uint32_t codePoint)
{
    return codePoint < 0xd800 || (codePoint > 0xdfff && codePoint <= 0x10ffff);
}

/**
 * @param codePoint a character
 * @return whether it counts as white space, control characters included
 */
bool
IsSpace(uint32_t codePoint)
{
    return codePoint <= 0x20 || (codePoint >= 0x7f && codePoint <= 0xa0) || codePoint == 0x1680 ||
           (codePoint >= 0x2000 && codePoint <= 0x200a) || codePoint == 0x2028 ||
           codePoint == 0x2029 || codePoint == 0x202f || codePoint == 0x205f || codePoint == 0x3000;
}

/**
 * @param codePoint a character
 * @return whether it is invisible: zero-width, direction mark, byte-order mark, soft hyphen
 */
bool
IsInvisible(uint32_t codePoint)
{
    return codePoint == 0xad || (codePoint >= 0x200b && codePoint <= 0x200f) ||
           (codePoint >= 0x202a && codePoint <= 0x202e) ||
           (codePoint >= 0x2060 && codePoint <= 0x2069) || codePoint == 0xfeff;
}

std::string
Quote(const std::string& path)
{
    return "'" + path + "'";
}

std::string
NameLine(const std::string& path, std::size_t index)
{
    return "Line " + std::to_string(index + 1) + " of " + Quote(path);
}

/**
 * @param path the file that the line is from
 * @param index of the line, from 0
 * @param line its bytes
 * @throws DataError where they are not text
 */
void
CheckLine(const std::string& path, std::size_t index, const std::string& line)
{
    if (line.find('\0') != std::string::npos)
    {
        throw DataError(NameLine(path, index) + " holds a NUL byte: the file must be UTF-8 text.");
    }
    const auto offset = FindInvalidUtf8(line);
    if (offset != std::string::npos)
    {
        throw DataError(NameLine(path, index) + " is not valid UTF-8 at byte " +
                        std::to_string(offset + 1) + ".");
    }
}

/**
 * @param name of an element, lower case
 * @return whether it belongs to HTML, Pango's markup or the like
 */
bool
IsElement(std::string_view name)
{
    static const std::unordered_set<std::string_view> NAMES{
        "a",      "abbr", "b",    "big",   "blockquote", "body",  "br",      "center", "cite",
        "code",   "dd",   "div",  "dl",    "dt",         "em",    "emph",    "font",   "h1",
        "h2",     "h3",   "h4",   "h5",    "h6",         "head",  "hr",      "html",   "i",
        "img",    "item", "kbd",  "label", "li",         "link",  "list",    "markup", "nobr",
        "ol",     "p",    "para", "pre",   "qt",         "s",     "samp",    "small",  "span",
        "strike", "sub",  "sup",  "table", "tbody",      "td",    "th",      "title",  "tr",
        "strong", "tt",   "u",    "ul",    "var",        "ahelp", "bookmark"};
    return NAMES.count(name) > 0;
}

/**
 * @param inner what stands between angle brackets
 * @return whether it is a tag or comment rather than a metavariable
 */
bool
IsTag(std::string_view inner)
{
    if (IsOneOf(inner.front(), "/!?") || inner.back() == '/' ||
        inner.find("=\"") != std::string_view::npos || inner.find("='") != std::string_view::npos)
    {
        return true;
    }
    std::string name;
    for (std::size_t i = 0; i < inner.size() && IsAlnum(inner[i]); ++i)
    {
        name += IsUpper(inner[i]) ? static_cast<char>(inner[i] - 'A' + 'a') : inner[i];
    }
    return IsElement(name) && (name.size() == inner.size() || inner[name.size()] == ' ');
}

/**
 * @param rest text that begins with '&'
 * @param codePoint the character that a known entity at its beginning stands for
 * @return length of the entity, or 0
 */
std::size_t
MatchEntity(std::string_view rest, uint32_t& codePoint)
{
    static constexpr std::array<std::pair<std::string_view, uint32_t>, 7> ENTITIES{
        {{"amp", '&'},
         {"lt", '<'},
         {"gt", '>'},
         {"quot", '"'},
         {"apos", '\''},
         {"nbsp", ' '},
         {"hellip", 0x2026}}};
    const auto end = rest.substr(0, 12).find(';');
    const auto name = rest.substr(1, end == std::string_view::npos ? 0 : end - 1);
    for (const auto& [entity, value] : ENTITIES)
    {
        if (name == entity)
        {
            codePoint = value;
            return end + 1;
        }
    }
    if (name.size() < 2 || name[0] != '#')
    {
        return 0;
    }
    const bool hexadecimal = name[1] == 'x' || name[1] == 'X';
    const std::string digits(name.substr(hexadecimal ? 2 : 1));
    char* last = nullptr;
    codePoint = IsAlnum(digits[0]) ? std::strtoul(digits.c_str(), &last, hexadecimal ? 16 : 10) : 0;
    return last && *last == '\0' && codePoint >= 0x20 ? end + 1 : 0;
}

} // namespace

uint32_t
NextCodePoint(std::string_view text, std::size_t& position)
{
    static constexpr std::array<uint32_t, 4> SMALLEST{0, 0x80, 0x800, 0x10000};
    static constexpr std::array<unsigned char, 4> LEAD_MASK{0x7f, 0x1f, 0x0f, 0x07};
    const auto lead = static_cast<unsigned char>(text[position++]);
    const int more = GetContinuationBytes(lead);
    if (more < 0 || text.size() - position < static_cast<std::size_t>(more))
    {
        return INVALID_CODE_POINT;
    }
    uint32_t codePoint = lead & LEAD_MASK[more];
    for (int i = 0; i < more; ++i)
    {
        const auto next = static_cast<unsigned char>(text[position + i]);
        if ((next & 0xc0) != 0x80)
        {
            return INVALID_CODE_POINT;
        }
        codePoint = codePoint << 6 | (next & 0x3f);
    }
    if (codePoint < SMALLEST[more] || !IsScalarValue(codePoint))
    {
        return INVALID_CODE_POINT;
    }
    position += more;
    return codePoint;
}

void
AppendCodePoint(std::string& text, uint32_t codePoint)
{
    if (!IsScalarValue(codePoint))
    {
        return;
    }
    if (codePoint < 0x80)
    {
        text += static_cast<char>(codePoint);
        return;
    }
    const int more = codePoint < 0x800 ? 1 : codePoint < 0x10000 ? 2 : 3;
    const unsigned lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
    text += static_cast<char>(lead | codePoint >> (6 * more));
    for (int i = more - 1; i >= 0; --i)
    {
        text += static_cast<char>(0x80 | (codePoint >> (6 * i) & 0x3f));
    }
}

bool
IsLetter(uint32_t codePoint)
{
    if (codePoint < 0x80)
    {
        return (codePoint | 0x20) >= 'a' && (codePoint | 0x20) <= 'z';
    }
    const bool symbol = codePoint < 0xc0 || codePoint == 0xd7 || codePoint == 0xf7 ||
                        (codePoint >= 0x2000 && codePoint < 0x2c00) ||
                        (codePoint >= 0x3000 && codePoint < 0x3040) ||
                        (codePoint >= 0xe000 && codePoint < 0xf900) ||
                        (codePoint >= 0xfe00 && codePoint < 0xfe70) ||
                        (codePoint >= 0xff00 && codePoint < 0xff21) || codePoint >= 0x1f000;
    return !symbol || (codePoint >= 0x20000 && codePoint < 0x40000);
}

std::size_t
FindInvalidUtf8(std::string_view text)
{
    std::size_t position = 0;
    while (position < text.size())
    {
        const auto begin = position;
        if (NextCodePoint(text, position) == INVALID_CODE_POINT)
        {
            return begin;
        }
    }
    return std::string_view::npos;
}

std::string
FoldWhiteSpace(std::string_view text)
{
    std::string folded;
    folded.reserve(text.size());
    bool pending = false;
    std::size_t position = 0;
    while (position < text.size())
    {
        const auto begin = position;
        const auto codePoint = NextCodePoint(text, position);
        if (IsSpace(codePoint))
        {
            pending = true;
        }
        else if (!IsInvisible(codePoint))
        {
            folded.append(pending && !folded.empty() ? " " : "");
            folded.append(text.substr(begin, position - begin));
            pending = false;
        }
    }
    return folded;
}

std::string
RemoveTags(std::string_view text, const std::string& metavariable)
{
    std::string result;
    for (std::size_t i = 0; i < text.size();)
    {
        const auto rest = text.substr(i + 1, MAXIMUM_TAG);
        const auto end = text[i] == '<' ? rest.find_first_of("<>\n") : std::string_view::npos;
        if (end == std::string_view::npos || end == 0 || rest[end] != '>' ||
            IsOneOf(rest[0], " =-+*,.;)|&"))
        {
            result += text[i++];
            continue;
        }
        const auto inner = rest.substr(0, end);
        const bool tag = IsTag(inner);
        const bool breaking = tag && IsOneOf(inner[0], "bBpPlLdDtThHuUoO") && inner.size() > 1;
        result += !tag ? metavariable : breaking ? " " : "";
        i += end + 2;
    }
    return result;
}

std::string
DecodeEntities(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size();)
    {
        uint32_t codePoint = 0;
        const auto length = text[i] == '&' ? MatchEntity(text.substr(i), codePoint) : 0;
        if (length > 0)
        {
            AppendCodePoint(result, codePoint);
            i += length;
        }
        else
        {
            result += text[i++];
        }
    }
    return result;
}

std::string
ReadFileBytes(const std::string& path)
{
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                         std::fclose);
    if (!file)
    {
        throw DataError("Cannot open " + Quote(path) + ": " + std::strerror(errno) + ".");
    }
    std::string bytes;
    std::array<char, 65536> buffer;
    while (const auto count = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    {
        bytes.append(buffer.data(), count);
    }
    if (std::ferror(file.get()))
    {
        throw DataError("Cannot read " + Quote(path) + ": " + std::strerror(errno) + ".");
    }
    return bytes;
}

std::vector<std::string>
ReadTextLines(const std::string& path)
{
    const auto bytes = ReadFileBytes(path);
    std::size_t begin = bytes.compare(0, 3, "\xef\xbb\xbf") == 0 ? 3 : 0;
    if (begin == bytes.size())
    {
        throw DataError("The file " + Quote(path) + " is empty.");
    }
    std::vector<std::string> lines;
    while (begin < bytes.size())
    {
        const auto end = std::min(bytes.find('\n', begin), bytes.size());
        auto line = bytes.substr(begin, end - begin);
        if (!line.empty() && line.back() == '\r')
        {
            line.pop_back();
        }
        CheckLine(path, lines.size(), line);
        lines.push_back(std::move(line));
        begin = end + 1;
    }
    return lines;
}

std::vector<SentencePair>
ReadAlignedFiles(const std::string& sourcePath, const std::string& targetPath)
{
    const auto source = ReadTextLines(sourcePath);
    const auto target = ReadTextLines(targetPath);
    if (source.size() != target.size())
    {
        throw DataError(Quote(sourcePath) + " has " + std::to_string(source.size()) +
                        " lines but " + Quote(targetPath) + " has " +
                        std::to_string(target.size()) +
                        ": each line must be the translation of the same line of the other file.");
    }
    std::vector<SentencePair> pairs;
    for (std::size_t i = 0; i < source.size(); ++i)
    {
        SentencePair pair{FoldWhiteSpace(source[i]), FoldWhiteSpace(target[i])};
        if (!pair.source.empty() && !pair.target.empty())
        {
            pairs.push_back(std::move(pair));
        }
    }
    if (pairs.empty())
    {
        throw DataError("No line holds text in both " + Quote(sourcePath) + " and " +
                        Quote(targetPath) + ".");
    }
    return pairs;
}

} // namespace collapipe
} // namespace ns3
