/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-suggestion.h"

#include <algorithm>
#include <cctype>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the word in small letters, without hyphens
std::string
Fold(const std::string& word)
{
    std::string folded;
    for (const unsigned char c : word)
    {
        if (c != '-' && c != '_')
        {
            folded += static_cast<char>(std::tolower(c));
        }
    }
    return folded;
}

} // namespace

std::size_t
GetEditDistance(const std::string& left, const std::string& right)
{
    std::vector<std::vector<std::size_t>> cost(left.size() + 1,
                                               std::vector<std::size_t>(right.size() + 1));
    for (std::size_t i = 0; i <= left.size(); ++i)
    {
        for (std::size_t j = 0; j <= right.size(); ++j)
        {
            if (i == 0 || j == 0)
            {
                cost[i][j] = i + j;
                continue;
            }
            const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
            {
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    return cost[left.size()][right.size()];
}

std::string
FindNearest(const std::string& word, const std::vector<std::string>& known)
{
    constexpr std::size_t LONGEST = 100; // nothing that is longer was mistyped
    const std::string folded = Fold(word.substr(0, LONGEST));
    std::string nearest;
    std::size_t least = std::max<std::size_t>(1, folded.size() / 3) + 1;
    for (const auto& candidate : known)
    {
        const auto distance = GetEditDistance(folded, Fold(candidate));
        if (distance < least)
        {
            least = distance;
            nearest = candidate;
        }
    }
    constexpr std::size_t SHORTEST = 3; // of a part that says what was meant
    for (const auto& candidate : known)
    {
        const auto whole = Fold(candidate);
        const bool isPart = folded.size() >= SHORTEST && whole.find(folded) != whole.npos;
        const bool hasPart = whole.size() >= SHORTEST && folded.find(whole) != folded.npos;
        if (nearest.empty() && (isPart || hasPart))
        {
            nearest = candidate;
        }
    }
    return nearest;
}

std::string
Suggest(const std::string& word, const std::vector<std::string>& known, const std::string& before)
{
    const auto nearest = FindNearest(word, known);
    return nearest.empty() ? "" : " (did you mean " + before + nearest + "?)";
}

std::string
JoinWords(const std::vector<std::string>& words)
{
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i)
    {
        text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    }
    return text;
}

} // namespace collapipe
} // namespace ns3
