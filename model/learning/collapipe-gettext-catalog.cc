/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-gettext-catalog.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iconv.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Longest placeholder looked for, bytes
constexpr std::size_t MAXIMUM_MARKUP = 200;

bool
IsUpper(char c)
{
    return c >= 'A' && c <= 'Z';
}

bool
IsAlpha(char c)
{
    return IsUpper(c) || (c >= 'a' && c <= 'z');
}

bool
IsDigit(char c)
{
    return c >= '0' && c <= '9';
}

bool
IsAlnum(char c)
{
    return IsAlpha(c) || IsDigit(c);
}

bool
IsOneOf(char c, const char* set)
{
    return c != '\0' && std::strchr(set, c);
}

/**
 * @param text a text
 * @param position an index, also beyond the end
 * @return the character; NUL beyond the end
 */
char
At(std::string_view text, std::size_t position)
{
    return position < text.size() ? text[position] : '\0';
}

/**
 * A *.mo file whose every access is checked.
 */
class CatalogFile
{
  public:
    /**
     * @param bytes of the file; must outlive the object
     * @param name of the file, for messages
     */
    CatalogFile(std::string_view bytes, const std::string& name)
        : m_bytes(bytes),
          m_name(name)
    {
        m_swapped = ReadMagic();
        if (const auto major = ReadWord(4) >> 16; major > 1)
        {
            Refuse("has the unknown revision " + std::to_string(major));
        }
        m_count = ReadWord(8);
        m_sources = ReadWord(12);
        m_targets = ReadWord(16);
        const uint64_t tableEnd = std::max(m_sources, m_targets) + uint64_t{8} * m_count;
        if (tableEnd > m_bytes.size())
        {
            Refuse("is cut short or damaged: its string table ends beyond the file");
        }
    }

    /// @return number of messages
    uint32_t GetCount() const
    {
        return m_count;
    }

    /**
     * @param index of a message
     * @return msgid with its context; the singular
     */
    std::string_view GetSource(uint32_t index)
    {
        return GetString(m_sources, index);
    }

    /**
     * @param index of a message
     * @return msgstr; the first form
     */
    std::string_view GetTarget(uint32_t index)
    {
        return GetString(m_targets, index);
    }

    /**
     * @param what is wrong, as the rest of a sentence that begins with the file
     */
    [[noreturn]] void Refuse(const std::string& what) const
    {
        throw DataError("The catalog '" + m_name + "' " + what + ".");
    }

  private:
    /// @return whether the file has the other byte order than little-endian
    bool ReadMagic() const
    {
        if (m_bytes.size() < 20)
        {
            Refuse("is too short to be a gettext *.mo file");
        }
        if (m_bytes.substr(0, 4) == "\xde\x12\x04\x95")
        {
            return false;
        }
        if (m_bytes.substr(0, 4) != "\x95\x04\x12\xde")
        {
            Refuse("is not a gettext *.mo file");
        }
        return true;
    }

    uint32_t ReadWord(uint64_t offset) const
    {
        uint32_t word = 0;
        for (uint64_t i = 0; i < 4; ++i)
        {
            const auto byte = static_cast<unsigned char>(m_bytes[offset + (m_swapped ? i : 3 - i)]);
            word = word << 8 | byte;
        }
        return word;
    }

    std::string_view GetString(uint64_t table, uint32_t index)
    {
        const uint64_t length = ReadWord(table + 8 * uint64_t{index});
        const uint64_t offset = ReadWord(table + 8 * uint64_t{index} + 4);
        if (offset + length >= m_bytes.size() || m_bytes[offset + length] != '\0')
        {
            Refuse("is cut short or damaged: string " + std::to_string(index + 1) +
                   " ends beyond the file or without a NUL byte");
        }
        // Strings that overlap could make a small file stand for a huge amount of text
        m_total += length;
        if (m_total > 16 * uint64_t{m_bytes.size()})
        {
            Refuse("is damaged: its strings overlap");
        }
        const auto string = m_bytes.substr(offset, length);
        return string.substr(0, string.find('\0'));
    }

    std::string_view m_bytes; //!< of the file
    std::string m_name;       //!< of the file
    bool m_swapped{false};    //!< whether it is big-endian
    uint32_t m_count{0};      //!< messages
    uint32_t m_sources{0};    //!< offset of the table of msgids
    uint32_t m_targets{0};    //!< offset of the table of msgstrs
    uint64_t m_total{0};      //!< bytes of all strings handed out
};

/**
 * Converts a catalog's strings to UTF-8.
 */
class Converter
{
  public:
    /**
     * @param charset name of the strings' character set
     * @param file the catalog, to refuse
     */
    Converter(const std::string& charset, const CatalogFile& file)
        : m_charset(charset),
          m_file(file),
          m_handle(::iconv_open("UTF-8", charset.c_str()))
    {
        if (m_handle == INVALID)
        {
            m_file.Refuse("has the unknown character set '" + charset + "'");
        }
    }

    ~Converter()
    {
        ::iconv_close(m_handle);
    }

    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;

    /**
     * @param text in the catalog's character set
     * @return the text in UTF-8
     */
    std::string Convert(std::string_view text) const
    {
        std::string input(text);
        std::string output(4 * text.size() + 16, '\0');
        char* from = input.data();
        char* to = output.data();
        std::size_t left = input.size();
        std::size_t room = output.size();
        ::iconv(m_handle, nullptr, nullptr, nullptr, nullptr);
        const auto failed = static_cast<std::size_t>(-1);
        if (::iconv(m_handle, &from, &left, &to, &room) == failed ||
            ::iconv(m_handle, nullptr, nullptr, &to, &room) == failed)
        {
            m_file.Refuse("holds text that is not valid " + m_charset);
        }
        output.resize(output.size() - room);
        return output;
    }

  private:
    inline static const iconv_t INVALID = reinterpret_cast<iconv_t>(-1); //!< no handle

    std::string m_charset;     //!< of the catalog
    const CatalogFile& m_file; //!< the catalog
    iconv_t m_handle;          //!< of the conversion
};

/**
 * @param header msgstr of the header entry
 * @return the character set that it names, printable; UTF-8 where it names none
 */
std::string
FindCharset(std::string_view header)
{
    static constexpr std::string_view KEY = "charset=";
    const auto key = header.find(KEY);
    std::string charset;
    if (key != std::string_view::npos)
    {
        for (auto i = key + KEY.size(); IsAlnum(At(header, i)) || IsOneOf(At(header, i), "-_.:");
             ++i)
        {
            charset += header[i];
        }
    }
    return charset.empty() || charset == "CHARSET" ? "UTF-8" : charset.substr(0, 40);
}

/// @return the character set of a catalog
std::string
ReadCharset(CatalogFile& file)
{
    for (uint32_t i = 0; i < file.GetCount(); ++i)
    {
        if (file.GetSource(i).empty())
        {
            return FindCharset(file.GetTarget(i));
        }
    }
    return "UTF-8";
}

/**
 * @param rest text that begins with an opening bracket
 * @return length of a name or format specification in brackets at its beginning, or 0
 */
std::size_t
MatchBrackets(std::string_view rest)
{
    const char close = rest[0] == '(' ? ')' : rest[0] == '[' ? ']' : '}';
    std::size_t i = 1;
    while (IsAlnum(At(rest, i)) || IsOneOf(At(rest, i), "_.-:!<>=+^$"))
    {
        ++i;
    }
    return At(rest, i) == close ? i + 1 : 0;
}

/**
 * @param rest text that begins with '%'
 * @return length of a printf, strftime, Python or GCC directive at its beginning, or 0
 */
std::size_t
MatchPrintf(std::string_view rest)
{
    std::size_t i = At(rest, 1) == '(' ? 1 + MatchBrackets(rest.substr(1)) : 1;
    const bool named = i > 1;
    const auto skip = [&rest, &i](const char* set) {
        const auto begin = i;
        while (IsOneOf(At(rest, i), set))
        {
            ++i;
        }
        return i > begin;
    };
    skip("0123456789$");
    bool special = skip("-+#0'q");
    skip("0123456789*$.");
    if (rest.substr(i, 4) == "<PRI")
    {
        return rest.find('>') + 1; // 0 where there is none
    }
    const auto modifiers = i;
    special = skip("hlLqjzZtw") || special;
    const char c = At(rest, i);
    const bool apostrophe = At(rest, 1) == '\'' && !IsOneOf(c, "diufFgG"); // GCC's %'
    const bool lone = IsAlpha(c) && !IsAlpha(At(rest, i + 1));
    const bool directive = IsOneOf(c, "diouxXeEfFgGaAcCsSpnmr@") || (special && IsAlpha(c));
    const bool name = named || (modifiers == 1 && i == 2 && !IsDigit(c));
    return apostrophe ? 0 : directive || lone ? i + 1 : name ? i : 0;
}

/**
 * @param rest text that begins with '%'
 * @return length of a variable such as %PRODUCTNAME, %Name, %1 or %L1 at its beginning, or 0
 */
std::size_t
MatchPercentVariable(std::string_view rest)
{
    std::size_t i = 1;
    while (IsUpper(At(rest, 1)) && (IsAlnum(At(rest, i)) || At(rest, i) == '_'))
    {
        ++i;
    }
    if (i > 3)
    {
        return At(rest, i) == '%' ? i + 1 : i;
    }
    i = At(rest, 1) == 'L' ? 2 : 1;
    const auto end = std::min(rest.find_first_not_of("0123456789", i), i + 2);
    return std::min(end, rest.size()) > i ? std::min(end, rest.size()) : 0;
}

/**
 * @param text a message
 * @param position an index in it
 * @return length of the placeholder that begins there, or 0
 */
std::size_t
MatchPlaceholder(std::string_view text, std::size_t position)
{
    const auto rest = text.substr(position, MAXIMUM_MARKUP);
    if (rest[0] == '{')
    {
        return MatchBrackets(rest);
    }
    if (IsOneOf(rest[0], "$%#") && IsOneOf(At(rest, 1), rest[0] == '$' ? "{[(" : "{"))
    {
        const auto length = MatchBrackets(rest.substr(1));
        return length > 0 ? length + 1 : 0;
    }
    if (rest[0] != '%')
    {
        return 0;
    }
    const bool percentage = position > 0 && IsDigit(text[position - 1]);
    if (At(rest, 1) == '%')
    {
        // A directive for the next stage of formatting, such as %%s, but not 5%%ig
        const auto next = rest.substr(1);
        const auto second = std::max(MatchPrintf(next), MatchPercentVariable(next));
        return percentage || second == 0 ? 0 : second + 1;
    }
    const auto variable = MatchPercentVariable(rest);
    const auto length = MatchPrintf(rest);
    const bool literal = length == 0 || (percentage && IsAlpha(At(rest, length)));
    return variable > 3 || literal ? variable : length;
}

/**
 * @param text a message
 * @return the message with PLACEHOLDER for placeholders, and GCC's quotes and `%%` resolved
 */
std::string
ReplacePlaceholders(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size();)
    {
        const char next = At(text, i + 1);
        if (const auto length = MatchPlaceholder(text, i); length > 0)
        {
            result += PLACEHOLDER;
            i += length;
        }
        else if (text[i] == '%' && IsOneOf(next, "%<>'{}"))
        {
            result += next == '%' ? "%" : IsOneOf(next, "<>'") ? "'" : "";
            i += 2;
        }
        else
        {
            result += text[i++];
        }
    }
    return result;
}

/**
 * @param text a message
 * @return the message without terminal sequences, with spaces for escapes of white space and
 *         without the backslashes of other escapes
 */
std::string
ResolveEscapes(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        const char next = At(text, i + 1);
        if (text[i] == '\x1b' && next == '[')
        {
            const auto end = text.find_first_not_of("0123456789;", i + 2);
            i = std::min(end, text.size()) - (IsAlpha(At(text, end)) ? 0 : 1);
        }
        else if (text[i] == '\\' && IsOneOf(next, "ntr\"'\\"))
        {
            result += IsOneOf(next, "ntr") ? ' ' : next;
            ++i;
        }
        else
        {
            result += text[i];
        }
    }
    return result;
}

/**
 * @param text a message
 * @param mark of accelerators: '_', '&' or '~'
 * @return where the only mark before a letter is; npos where there is none or several
 */
std::size_t
FindMark(std::string_view text, char mark)
{
    auto found = std::string_view::npos;
    for (std::size_t i = 0; i + 1 < text.size(); ++i)
    {
        auto next = i + 1;
        if (text[i] != mark || (i > 0 && text[i - 1] == mark) ||
            !IsLetter(NextCodePoint(text, next)))
        {
            continue;
        }
        if (found != std::string_view::npos)
        {
            return std::string_view::npos;
        }
        found = i;
    }
    return found;
}

/**
 * @param text a message
 * @param at where a mark is in it
 * @return the mark and the name around it
 */
std::string_view
GetMarkedName(std::string_view text, std::size_t at)
{
    auto begin = at;
    for (; begin > 0 && IsAlnum(text[begin - 1]); --begin)
    {
    }
    auto end = at + 1;
    for (; IsAlnum(At(text, end)); ++end)
    {
    }
    return text.substr(begin, end - begin);
}

/**
 * Removes an accelerator mark, but leaves names like `snake_case`, `_exit` and AT&T, which the
 * other side has too, alone.
 * @param text a message
 * @param other the other side
 * @param mark of accelerators
 * @return the message without the mark
 */
std::string
RemoveMark(const std::string& text, const std::string& other, char mark)
{
    const auto at = FindMark(text, mark);
    if (at == std::string::npos)
    {
        return text;
    }
    if (at > 0 && text[at - 1] == '(' && At(text, at + 2) == ')')
    {
        return text.substr(0, at - 1) + text.substr(at + 3);
    }
    const bool first = at == 0 || !(IsAlnum(text[at - 1]) || IsOneOf(text[at - 1], "_'\"/."));
    const bool label = first && !(text[at + 1] >= 'a' && text[at + 1] <= 'z');
    const auto otherAt = FindMark(other, mark);
    const bool name = otherAt == std::string::npos ||
                      GetMarkedName(other, otherAt) == GetMarkedName(text, at) ||
                      other.find(GetMarkedName(text, at)) != std::string::npos;
    const bool inside = mark == '~' && !first && IsAlpha(text[at - 1]);
    return label || inside || !name ? text.substr(0, at) + text.substr(at + 1) : text;
}

/**
 * @param text one side of a message
 * @return the side without placeholders, tags, entities and escapes
 */
std::string
StripMarkup(std::string_view text)
{
    return DecodeEntities(RemoveTags(ReplacePlaceholders(ResolveEscapes(text)), PLACEHOLDER));
}

uint32_t
CountPlaceholders(const std::string& text)
{
    uint32_t count = 0;
    for (auto i = text.find(PLACEHOLDER); i != std::string::npos; i = text.find(PLACEHOLDER, i + 1))
    {
        ++count;
    }
    return count;
}

} // namespace

std::vector<CatalogMessage>
ParseCatalog(std::string_view bytes, const std::string& name)
{
    CatalogFile file(bytes, name);
    const Converter converter(ReadCharset(file), file);
    std::vector<CatalogMessage> messages;
    for (uint32_t i = 0; i < file.GetCount(); ++i)
    {
        auto source = file.GetSource(i);
        const auto context = source.find('\x04');
        if (source.empty())
        {
            continue;
        }
        CatalogMessage message;
        if (context != std::string_view::npos)
        {
            message.context = converter.Convert(source.substr(0, context));
            source = source.substr(context + 1);
        }
        message.source = converter.Convert(source);
        message.target = converter.Convert(file.GetTarget(i));
        messages.push_back(std::move(message));
    }
    return messages;
}

std::vector<CatalogMessage>
ReadCatalog(const std::string& path)
{
    return ParseCatalog(ReadFileBytes(path), path);
}

std::optional<SentencePair>
CleanPair(const std::string& source, const std::string& target)
{
    auto from = StripMarkup(source);
    auto to = StripMarkup(target);
    if (CountPlaceholders(from) != CountPlaceholders(to))
    {
        return std::nullopt;
    }
    for (const char mark : {'_', '&', '~'})
    {
        const auto marked = from;
        from = RemoveMark(from, to, mark);
        to = RemoveMark(to, marked, mark);
    }
    return SentencePair{FoldWhiteSpace(from), FoldWhiteSpace(to)};
}

} // namespace collapipe
} // namespace ns3
