/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How SentencePiece's models cut a normalised text into pieces.

#include "collapipe-sentencepiece.h"
#include "collapipe-text-files.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::string_view SPACE_MARK = "\xe2\x96\x81"; //!< U+2581, what a space becomes
constexpr float UNKNOWN_PENALTY = 10; //!< by which an unknown character is worse than any piece

/// @return bytes of the text's first character
std::size_t
GetCharacterSize(std::string_view text)
{
    std::size_t end = 0;
    NextCodePoint(text, end);
    return end;
}

/// A part of a text that merges make longer
struct Symbol
{
    std::string_view text; //!< empty where a merge has taken it
    int previous{-1};      //!< index, or -1
    int next{-1};          //!< index, or -1
    bool isFixed{false};   //!< whether it is never merged
};

/// Two neighbours that may be merged
struct Pair
{
    float score;      //!< the higher the earlier
    int left;         //!< index of a symbol; of equal ones the leftmost is first
    int right;        //!< index of a symbol
    std::size_t size; //!< of both, bytes; others mean that the pair is outdated

    bool operator<(const Pair& other) const
    {
        return score < other.score || (score == other.score && left > other.left);
    }
};

} // namespace

SentencePieceModel::Cut
SentencePieceModel::EncodeUnigram(std::string_view text) const
{
    /// The best way to a place in the text
    struct Best
    {
        int32_t id{-1};    //!< its last piece
        float score{0};    //!< of all pieces
        int64_t begin{-1}; //!< of the last piece; -1: no way yet
    };

    std::vector<Best> best(text.size() + 1);
    const float unknownScore = m_lowest - UNKNOWN_PENALTY;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto character = GetCharacterSize(text.substr(begin));
        const float here = best[begin].score;
        bool hasCharacter = false;
        const auto longest = std::min(m_longest, text.size() - begin);
        for (std::size_t size = 1; size <= longest; ++size)
        {
            const auto found = m_ids.find(text.substr(begin, size));
            if (found == m_ids.end())
            {
                continue;
            }
            const auto& piece = m_pieces[static_cast<std::size_t>(found->second)];
            if (piece.type == Type::UNUSED)
            {
                continue;
            }
            // A user's own symbol is always taken. Sums are in double and kept in float, as the
            // library does, since ties are decided by it.
            const double score = piece.type == Type::USER_DEFINED
                                     ? static_cast<float>(size) * m_highest - 0.1
                                     : piece.score;
            auto& target = best[begin + size];
            if (target.begin < 0 || score + here > target.score)
            {
                target = {found->second,
                          static_cast<float>(score + here),
                          static_cast<int64_t>(begin)};
            }
            hasCharacter = hasCharacter || size == character;
        }
        auto& target = best[begin + character];
        const float score = unknownScore + here;
        if (!hasCharacter && (target.begin < 0 || score > target.score))
        {
            target = {unknownToken, score, static_cast<int64_t>(begin)};
        }
        begin += character;
    }
    Cut cut;
    for (auto end = text.size(); end > 0;)
    {
        const auto begin = static_cast<std::size_t>(best[end].begin);
        cut.emplace_back(text.substr(begin, end - begin), best[end].id);
        end = begin;
    }
    std::reverse(cut.begin(), cut.end());
    return cut;
}

SentencePieceModel::Cut
SentencePieceModel::EncodeBpe(std::string_view text) const
{
    std::vector<Symbol> symbols;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto rest = text.substr(begin);
        const auto matched = m_normalizer.MatchSymbol(rest);
        const auto size = matched > 0 ? matched : GetCharacterSize(rest);
        const int index = static_cast<int>(symbols.size());
        const bool isLast = begin + size == text.size();
        symbols.push_back({rest.substr(0, size), index - 1, isLast ? -1 : index + 1, matched > 0});
        begin += size;
    }
    std::priority_queue<Pair> queue;
    // Pieces that exist only to be merged further are cut again in the end.
    std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>> halves;
    const auto consider = [&](int left, int right) {
        if (left < 0 || right < 0 || symbols[left].isFixed || symbols[right].isFixed)
        {
            return;
        }
        const auto size = symbols[left].text.size() + symbols[right].text.size();
        const std::string_view joined(symbols[left].text.data(), size);
        const auto found = m_ids.find(joined);
        if (found == m_ids.end())
        {
            return;
        }
        const auto& piece = m_pieces[static_cast<std::size_t>(found->second)];
        queue.push({piece.score, left, right, size});
        if (piece.type == Type::UNUSED)
        {
            halves[joined] = {symbols[left].text, symbols[right].text};
        }
    };
    for (int i = 1; i < static_cast<int>(symbols.size()); ++i)
    {
        consider(i - 1, i);
    }
    while (!queue.empty())
    {
        const auto top = queue.top();
        queue.pop();
        auto& left = symbols[top.left];
        auto& right = symbols[top.right];
        if (left.text.empty() || right.text.empty() ||
            left.text.size() + right.text.size() != top.size)
        {
            continue;
        }
        left.text = std::string_view(left.text.data(), top.size);
        right.text = {};
        left.next = right.next;
        if (right.next >= 0)
        {
            symbols[right.next].previous = top.left;
        }
        consider(left.previous, top.left);
        consider(top.left, left.next);
    }
    Cut cut;
    const std::function<void(std::string_view)> append = [&](std::string_view piece) {
        const auto id = GetId(piece);
        const auto half = halves.find(piece);
        if (m_pieces[static_cast<std::size_t>(id)].type != Type::UNUSED || half == halves.end())
        {
            cut.emplace_back(piece, id);
            return;
        }
        append(half->second.first);
        append(half->second.second);
    };
    for (int i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next)
    {
        append(symbols[i].text);
    }
    return cut;
}

SentencePieceModel::Cut
SentencePieceModel::EncodeWords(std::string_view text) const
{
    Cut cut;
    std::size_t begin = 0;
    const auto add = [&](std::size_t end) {
        if (end > begin)
        {
            cut.emplace_back(text.substr(begin, end - begin),
                             GetId(text.substr(begin, end - begin)));
            begin = end;
        }
    };
    for (std::size_t place = 0; place < text.size();)
    {
        const auto size = GetCharacterSize(text.substr(place));
        // The library begins a word at a space even where spaces are to end them.
        if (text.substr(place, size) == SPACE_MARK)
        {
            add(place);
        }
        place += size;
    }
    add(text.size());
    return cut;
}

SentencePieceModel::Cut
SentencePieceModel::EncodeCharacters(std::string_view text) const
{
    Cut cut;
    while (!text.empty())
    {
        const auto matched = m_normalizer.MatchSymbol(text);
        const auto piece = text.substr(0, matched > 0 ? matched : GetCharacterSize(text));
        cut.emplace_back(piece, GetId(piece));
        text.remove_prefix(piece.size());
    }
    return cut;
}

} // namespace collapipe
} // namespace ns3
