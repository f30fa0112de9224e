/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-added-tokens.h"

#include "collapipe-text-files.h"
#include "collapipe-unicode.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

bool
BeginsWithWord(std::string_view text)
{
    const auto points = ToCodePoints(text.substr(0, 4));
    return !points.empty() && IsUnicodeWord(points.front());
}

/// @return where the character before a place begins
std::size_t
StepBack(std::string_view text, std::size_t place)
{
    do
    {
        --place;
    } while (place > 0 && (static_cast<uint8_t>(text[place]) & 0xc0) == 0x80);
    return place;
}

bool
EndsWithWord(std::string_view text)
{
    return !text.empty() && BeginsWithWord(text.substr(StepBack(text, text.size())));
}

bool
IsSpaceAt(std::string_view text, std::size_t place)
{
    return IsUnicodeSpace(ToCodePoints(text.substr(place, 4)).front());
}

} // namespace

void
AddedTokenFinder::Add(const AddedToken& token)
{
    auto& tokens = m_tokens[token.text.front()];
    tokens.push_back(token);
    std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
        return a.text.size() > b.text.size();
    });
}

const AddedToken*
AddedTokenFinder::FindAt(std::string_view text, std::size_t place) const
{
    const auto tokens = m_tokens.find(text[place]);
    if (tokens == m_tokens.end())
    {
        return nullptr;
    }
    for (const auto& token : tokens->second)
    {
        if (text.compare(place, token.text.size(), token.text) == 0)
        {
            return &token;
        }
    }
    return nullptr;
}

std::vector<TextSection>
AddedTokenFinder::Split(const std::string& text) const
{
    std::vector<TextSection> sections;
    const std::string_view view(text);
    std::size_t done = 0; // what lies before it is in a section
    for (std::size_t place = 0; place < text.size();)
    {
        const auto* token = FindAt(view, place);
        if (!token)
        {
            ++place;
            continue;
        }
        auto begin = place;
        auto end = place + token->text.size();
        place = end;
        if (token->isWord &&
            (EndsWithWord(view.substr(0, begin)) || BeginsWithWord(view.substr(end))))
        {
            continue;
        }
        while (token->stripsLeft && begin > done && IsSpaceAt(view, StepBack(view, begin)))
        {
            begin = StepBack(view, begin);
        }
        while (token->stripsRight && end < text.size() && IsSpaceAt(view, end))
        {
            NextCodePoint(view, end);
        }
        if (begin > done)
        {
            sections.push_back({done, begin, -1});
        }
        sections.push_back({begin, end, token->id});
        done = end;
        place = std::max(place, end);
    }
    if (done < text.size())
    {
        sections.push_back({done, text.size(), -1});
    }
    return sections;
}

} // namespace collapipe
} // namespace ns3
