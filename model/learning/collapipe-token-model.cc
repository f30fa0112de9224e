/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-token-model.h"

#include "collapipe-text-files.h"

#include <algorithm>
#include <queue>
#include <string_view>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Words that a BpeModel remembers, and bytes of the longest of them
constexpr std::size_t CACHED_WORDS = 50'000;
constexpr std::size_t CACHED_BYTES = 64;

/**
 * @param text valid UTF-8
 * @return lengths of its characters in bytes
 */
std::vector<std::size_t>
GetCharacterSizes(std::string_view text)
{
    std::vector<std::size_t> sizes;
    for (std::size_t position = 0; position < text.size();)
    {
        const auto begin = position;
        NextCodePoint(text, position);
        sizes.push_back(position - begin);
    }
    return sizes;
}

uint64_t
MakePairKey(int32_t left, int32_t right)
{
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

} // namespace

std::string
MakeBytePiece(uint8_t byte)
{
    const char* digits = "0123456789ABCDEF";
    return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
}

bool
TokenVocabulary::Add(const std::string& piece, int32_t id)
{
    const auto index = static_cast<std::size_t>(id);
    if (id < 0 || id >= TOKEN_ID_LIMIT || (index < m_pieces.size() && m_pieces[index]) ||
        !m_ids.emplace(piece, id).second)
    {
        return false;
    }
    if (index >= m_pieces.size())
    {
        m_pieces.resize(index + 1);
    }
    m_pieces[index] = std::make_unique<std::string>(piece);
    return true;
}

std::optional<int32_t>
TokenVocabulary::Find(const std::string& piece) const
{
    const auto found = m_ids.find(piece);
    return found == m_ids.end() ? std::nullopt : std::optional<int32_t>(found->second);
}

const std::string*
TokenVocabulary::GetPiece(int32_t id) const
{
    const bool isThere = id >= 0 && static_cast<std::size_t>(id) < m_pieces.size();
    return isThere ? m_pieces[static_cast<std::size_t>(id)].get() : nullptr;
}

uint32_t
TokenVocabulary::GetSize() const
{
    return static_cast<uint32_t>(m_pieces.size());
}

BpeModel::BpeModel(TokenVocabulary vocabulary,
                   const std::vector<std::pair<std::string, std::string>>& merges,
                   Options options,
                   const std::string& name)
    : m_vocabulary(std::move(vocabulary)),
      m_options(std::move(options))
{
    if (m_options.unknown && !m_vocabulary.Find(*m_options.unknown))
    {
        throw DataError("'" + name + "': the unknown token '" + *m_options.unknown +
                        "' is not in the vocabulary.");
    }
    uint32_t rank = 0;
    for (const auto& [left, right] : merges)
    {
        const auto& prefix = m_options.continuingPrefix;
        const bool isPrefixed = !prefix.empty() && right.compare(0, prefix.size(), prefix) == 0;
        const auto result = left + (isPrefixed ? right.substr(prefix.size()) : right);
        const auto ids = std::make_tuple(m_vocabulary.Find(left),
                                         m_vocabulary.Find(right),
                                         m_vocabulary.Find(result));
        if (!std::get<0>(ids) || !std::get<1>(ids) || !std::get<2>(ids))
        {
            throw DataError("'" + name + "': the merge '" + left + " " + right +
                            "' is of pieces that are not in the vocabulary.");
        }
        m_merges.emplace(MakePairKey(*std::get<0>(ids), *std::get<1>(ids)),
                         Merge{rank++, *std::get<2>(ids)});
    }
}

const TokenVocabulary&
BpeModel::GetVocabulary() const
{
    return m_vocabulary;
}

const BpeModel::Merge*
BpeModel::FindMerge(int32_t left, int32_t right) const
{
    const auto found = m_merges.find(MakePairKey(left, right));
    return found == m_merges.end() ? nullptr : &found->second;
}

bool
BpeModel::AppendBytes(const std::string& character, std::vector<int32_t>& ids) const
{
    std::vector<int32_t> bytes;
    for (const char byte : character)
    {
        const auto id = m_vocabulary.Find(MakeBytePiece(static_cast<uint8_t>(byte)));
        if (!id)
        {
            return false;
        }
        bytes.push_back(*id);
    }
    ids.insert(ids.end(), bytes.begin(), bytes.end());
    return true;
}

std::vector<int32_t>
BpeModel::SplitCharacters(const std::string& word) const
{
    std::vector<int32_t> ids;
    bool wasUnknown = false;
    std::size_t begin = 0;
    for (const auto size : GetCharacterSizes(word))
    {
        const auto character = word.substr(begin, size);
        const bool isLast = begin + size == word.size();
        const auto piece = (begin > 0 ? m_options.continuingPrefix : "") + character +
                           (isLast ? m_options.endOfWordSuffix : "");
        begin += size;
        const auto id = m_vocabulary.Find(piece);
        const bool isUnknown = !id && !(m_options.byteFallback && AppendBytes(piece, ids));
        if (id)
        {
            ids.push_back(*id);
        }
        else if (isUnknown && m_options.unknown && !(wasUnknown && m_options.fuseUnknown))
        {
            ids.push_back(*m_vocabulary.Find(*m_options.unknown));
        }
        wasUnknown = isUnknown;
    }
    return ids;
}

void
BpeModel::MergePairs(std::vector<int32_t>& ids) const
{
    // The best pair first, of equal ones the leftmost. Entries that other merges have outdated are
    // known by their pair's ids, which are no longer those of the places.
    struct Candidate
    {
        uint32_t rank;
        std::size_t left;
        int32_t leftId;
        int32_t rightId;
        int32_t id;

        bool operator<(const Candidate& other) const
        {
            return std::tie(other.rank, other.left) < std::tie(rank, left);
        }
    };

    constexpr int32_t gone = -1;
    std::vector<std::size_t> next(ids.size());
    std::vector<std::size_t> previous(ids.size());
    std::priority_queue<Candidate> queue;
    const auto consider = [&](std::size_t left, std::size_t right) {
        const auto* merge = right < ids.size() ? FindMerge(ids[left], ids[right]) : nullptr;
        if (merge)
        {
            queue.push({merge->rank, left, ids[left], ids[right], merge->id});
        }
    };
    for (std::size_t i = 0; i < ids.size(); ++i)
    {
        next[i] = i + 1;
        previous[i] = i == 0 ? ids.size() : i - 1;
        consider(i, i + 1);
    }
    while (!queue.empty())
    {
        const auto best = queue.top();
        queue.pop();
        const auto right = next[best.left];
        if (ids[best.left] != best.leftId || right >= ids.size() || ids[right] != best.rightId)
        {
            continue;
        }
        ids[best.left] = best.id;
        ids[right] = gone;
        next[best.left] = next[right];
        if (next[right] < ids.size())
        {
            previous[next[right]] = best.left;
        }
        if (previous[best.left] < ids.size())
        {
            consider(previous[best.left], best.left);
        }
        consider(best.left, next[best.left]);
    }
    ids.erase(std::remove(ids.begin(), ids.end(), gone), ids.end());
}

void
BpeModel::Tokenize(const std::string& word, std::vector<int32_t>& ids) const
{
    if (m_options.ignoreMerges)
    {
        if (const auto id = m_vocabulary.Find(word))
        {
            ids.push_back(*id);
            return;
        }
    }
    const bool isCached = word.size() <= CACHED_BYTES;
    if (isCached)
    {
        const std::lock_guard<std::mutex> lock(m_mutex);
        const auto found = m_cache.find(word);
        if (found != m_cache.end())
        {
            ids.insert(ids.end(), found->second.begin(), found->second.end());
            return;
        }
    }
    auto pieces = SplitCharacters(word);
    MergePairs(pieces);
    ids.insert(ids.end(), pieces.begin(), pieces.end());
    if (isCached)
    {
        const std::lock_guard<std::mutex> lock(m_mutex);
        if (m_cache.size() < CACHED_WORDS)
        {
            m_cache.emplace(word, std::move(pieces));
        }
    }
}

WordPieceModel::WordPieceModel(TokenVocabulary vocabulary,
                               const std::string& unknown,
                               std::string prefix,
                               uint32_t longest,
                               const std::string& name)
    : m_vocabulary(std::move(vocabulary)),
      m_unknown(m_vocabulary.Find(unknown).value_or(-1)),
      m_prefix(std::move(prefix)),
      m_longest(longest)
{
    if (m_unknown < 0)
    {
        throw DataError("'" + name + "': the unknown token '" + unknown +
                        "' is not in the vocabulary.");
    }
}

const TokenVocabulary&
WordPieceModel::GetVocabulary() const
{
    return m_vocabulary;
}

void
WordPieceModel::Tokenize(const std::string& word, std::vector<int32_t>& ids) const
{
    const auto sizes = GetCharacterSizes(word);
    if (sizes.size() > m_longest)
    {
        ids.push_back(m_unknown);
        return;
    }
    std::vector<std::size_t> ends; // of each character
    for (const auto size : sizes)
    {
        ends.push_back((ends.empty() ? 0 : ends.back()) + size);
    }
    std::vector<int32_t> pieces;
    std::size_t begin = 0; // bytes
    for (std::size_t first = 0; first < ends.size();)
    {
        auto last = ends.size();
        std::optional<int32_t> id;
        for (; last > first && !id; --last)
        {
            const auto piece = word.substr(begin, ends[last - 1] - begin);
            id = m_vocabulary.Find(first == 0 ? piece : m_prefix + piece);
        }
        if (!id)
        {
            ids.push_back(m_unknown);
            return;
        }
        pieces.push_back(*id);
        begin = ends[last];
        first = last + 1;
    }
    ids.insert(ids.end(), pieces.begin(), pieces.end());
}

} // namespace collapipe
} // namespace ns3
