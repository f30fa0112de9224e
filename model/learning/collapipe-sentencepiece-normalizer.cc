/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sentencepiece.h"
#include "collapipe-text-files.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::string_view SPACE_MARK = "\xe2\x96\x81";  //!< U+2581, what a space becomes
constexpr std::string_view REPLACEMENT = "\xef\xbf\xbd"; //!< U+FFFD, what is no UTF-8 becomes

/// @return a number of four bytes, little-endian
uint32_t
ReadUnit(const std::string& bytes, std::size_t position)
{
    uint32_t unit = 0;
    for (std::size_t i = 4; i > 0; --i)
    {
        unit = unit << 8 | static_cast<uint8_t>(bytes[position + i - 1]);
    }
    return unit;
}

bool
EndsWith(std::string_view text, std::string_view end)
{
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// @return where the children of a unit of darts-clone's begin, relative to it
uint32_t
GetOffset(uint32_t unit)
{
    return (unit >> 10) << ((unit & (1U << 9)) >> 6);
}

/// @return the byte that leads to a unit, with the bit that leaves have
uint32_t
GetLabel(uint32_t unit)
{
    return unit & ((1U << 31) | 0xff);
}

} // namespace

void
SentencePieceNormalizer::SetReplacements(const std::string& bytes, const std::string& name)
{
    m_trie.clear();
    m_replacements.clear();
    if (bytes.empty())
    {
        return;
    }
    const uint32_t size = bytes.size() < 4 ? 0 : ReadUnit(bytes, 0);
    if (bytes.size() < 4 || size % 4 != 0 || size == 0 || size > bytes.size() - 4)
    {
        throw DataError("'" + name + "': its table of replacements is damaged.");
    }
    for (std::size_t i = 0; i < size; i += 4)
    {
        m_trie.push_back(ReadUnit(bytes, 4 + i));
    }
    m_replacements = bytes.substr(4 + size);
    m_replacements += '\0'; // the last text ends, whatever the file says
}

void
SentencePieceNormalizer::SetSymbols(std::vector<std::string> symbols)
{
    m_symbols = std::move(symbols);
    std::sort(m_symbols.begin(), m_symbols.end(), [](const auto& a, const auto& b) {
        return a.size() != b.size() ? a.size() > b.size() : a < b;
    });
}

std::size_t
SentencePieceNormalizer::MatchSymbol(std::string_view text) const
{
    for (const auto& symbol : m_symbols)
    {
        if (text.substr(0, symbol.size()) == symbol)
        {
            return symbol.size();
        }
    }
    return 0;
}

std::pair<uint32_t, std::size_t>
SentencePieceNormalizer::FindReplacement(std::string_view text) const
{
    std::pair<uint32_t, std::size_t> best{0, 0};
    if (m_trie.empty())
    {
        return best;
    }
    auto node = GetOffset(m_trie[0]);
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        const auto byte = static_cast<uint8_t>(text[i]);
        node ^= byte;
        if (byte == 0 || node >= m_trie.size() || GetLabel(m_trie[node]) != byte)
        {
            break;
        }
        const bool hasLeaf = (m_trie[node] >> 8 & 1) != 0;
        node ^= GetOffset(m_trie[node]);
        if (hasLeaf && node < m_trie.size())
        {
            best = {m_trie[node] & ((1U << 31) - 1), i + 1};
        }
    }
    return best.first < m_replacements.size() ? best : std::pair<uint32_t, std::size_t>{0, 0};
}

std::pair<std::string_view, std::size_t>
SentencePieceNormalizer::TakePrefix(std::string_view text) const
{
    if (const auto size = MatchSymbol(text))
    {
        return {text.substr(0, size), size};
    }
    const auto [place, size] = FindReplacement(text);
    if (size > 0)
    {
        return {m_replacements.c_str() + place, size};
    }
    std::size_t end = 0;
    if (NextCodePoint(text, end) == INVALID_CODE_POINT)
    {
        return {REPLACEMENT, 1};
    }
    return {text.substr(0, end), end};
}

std::string
SentencePieceNormalizer::Normalize(std::string_view text) const
{
    while (removesExtraSpaces && !text.empty())
    {
        const auto prefix = TakePrefix(text);
        if (prefix.first != " ")
        {
            break;
        }
        text.remove_prefix(prefix.second);
    }
    std::string result;
    if (text.empty())
    {
        return result;
    }
    const auto space = escapesSpaces ? SPACE_MARK : std::string_view(" ");
    if (addsPrefix && !spaceIsSuffix)
    {
        result += space;
    }
    bool wasSpace = removesExtraSpaces;
    while (!text.empty())
    {
        auto [piece, size] = TakePrefix(text);
        while (wasSpace && !piece.empty() && piece.front() == ' ')
        {
            piece.remove_prefix(1);
        }
        for (const char c : piece)
        {
            result += c == ' ' ? std::string(space) : std::string(1, c);
        }
        wasSpace = removesExtraSpaces && (piece.empty() ? wasSpace : EndsWith(piece, " "));
        text.remove_prefix(size);
    }
    while (removesExtraSpaces && EndsWith(result, space))
    {
        result.erase(result.size() - space.size());
    }
    if (addsPrefix && spaceIsSuffix)
    {
        result += space;
    }
    return result;
}

} // namespace collapipe
} // namespace ns3
