/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How a text is cut into words before a vocabulary is asked: tokenizer.json's "pre_tokenizer".

#include "collapipe-text-files.h"
#include "collapipe-tokenizer-steps.h"
#include "collapipe-unicode.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

/// GPT-2's words (Radford et al. 2019, encoder.py)
constexpr const char* GPT2_PATTERN =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// What becomes of the matches of a pattern
enum class SplitBehavior
{
    REMOVED,
    ISOLATED,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT,
    CONTIGUOUS,
};

/// A part of a text, and whether the pattern matches it
struct SplitPart
{
    std::size_t begin; //!< byte
    std::size_t end;   //!< byte behind it
    bool isMatch;      //!< of the pattern
};

/// Finds matches in a text
using Finder = std::function<std::vector<TextSpan>(const std::string&)>;

SplitBehavior
ParseBehavior(const Json& json, const std::string& byDefault, const std::string& name)
{
    const auto text = json.value("behavior", byDefault);
    const std::pair<const char*, SplitBehavior> known[] = {
        {"Removed", SplitBehavior::REMOVED},
        {"Isolated", SplitBehavior::ISOLATED},
        {"MergedWithPrevious", SplitBehavior::MERGED_WITH_PREVIOUS},
        {"MergedWithNext", SplitBehavior::MERGED_WITH_NEXT},
        {"Contiguous", SplitBehavior::CONTIGUOUS}};
    for (const auto& [behavior, value] : known)
    {
        if (text == behavior)
        {
            return value;
        }
    }
    throw DataError("'" + name + "': the behavior '" + text + "' is not supported.");
}

/// @return the whole text, cut where matches begin and end
std::vector<SplitPart>
CutAtMatches(std::size_t size, const std::vector<TextSpan>& matches, bool isInverted)
{
    std::vector<SplitPart> parts;
    std::size_t place = 0;
    for (const auto& [begin, end] : matches)
    {
        if (begin > place)
        {
            parts.push_back({place, begin, isInverted});
        }
        parts.push_back({begin, end, !isInverted});
        place = end;
    }
    if (place < size)
    {
        parts.push_back({place, size, isInverted});
    }
    return parts;
}

/// @return whether two neighbours become one
bool
AreJoined(SplitBehavior behavior, const SplitPart& left, const SplitPart& right)
{
    switch (behavior)
    {
    case SplitBehavior::CONTIGUOUS:
        return left.isMatch == right.isMatch;
    case SplitBehavior::MERGED_WITH_PREVIOUS:
        return right.isMatch && !left.isMatch;
    case SplitBehavior::MERGED_WITH_NEXT:
        return left.isMatch && !right.isMatch;
    default:
        return false;
    }
}

std::vector<TextPiece>
ApplyBehavior(const TextPiece& piece, const std::vector<SplitPart>& parts, SplitBehavior behavior)
{
    std::vector<TextPiece> pieces;
    for (std::size_t i = 0; i < parts.size(); ++i)
    {
        const auto begin = parts[i].begin;
        if (behavior == SplitBehavior::REMOVED && parts[i].isMatch)
        {
            continue;
        }
        while (i + 1 < parts.size() && AreJoined(behavior, parts[i], parts[i + 1]))
        {
            ++i;
        }
        pieces.push_back(
            {piece.text.substr(begin, parts[i].end - begin), piece.isFirst && begin == 0});
    }
    return pieces;
}

SplitStep
MakePatternStep(Finder find, SplitBehavior behavior, bool isInverted = false)
{
    return [=](const TextPiece& piece) {
        const auto parts = CutAtMatches(piece.text.size(), find(piece.text), isInverted);
        return ApplyBehavior(piece, parts, behavior);
    };
}

/// @return a finder of single characters that a function accepts
template <typename Function>
Finder
MakeCharacterFinder(Function accepts)
{
    return [accepts](const std::string& text) {
        std::vector<TextSpan> spans;
        for (std::size_t position = 0; position < text.size();)
        {
            const auto begin = position;
            const auto c = NextCodePoint(text, position);
            if (accepts(static_cast<char32_t>(c)))
            {
                spans.emplace_back(begin, position);
            }
        }
        return spans;
    };
}

Finder
MakePatternFinder(const std::string& expression)
{
    const UnicodePattern pattern(expression);
    return [pattern](const std::string& text) { return pattern.FindAll(text); };
}

Finder
MakeTextFinder(const std::string& wanted)
{
    return [wanted](const std::string& text) {
        std::vector<TextSpan> spans;
        for (auto at = text.find(wanted); !wanted.empty() && at != std::string::npos;
             at = text.find(wanted, at + wanted.size()))
        {
            spans.emplace_back(at, at + wanted.size());
        }
        return spans;
    };
}

bool
IsAnyPunctuation(char32_t c)
{
    const bool isAscii = (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
                         (c >= 123 && c <= 126);
    return isAscii || IsUnicodePunctuation(c);
}

/// @return the steps one after the other
SplitStep
Chain(std::vector<SplitStep> steps)
{
    return [steps = std::move(steps)](const TextPiece& piece) {
        std::vector<TextPiece> pieces{piece};
        for (const auto& step : steps)
        {
            std::vector<TextPiece> next;
            for (const auto& part : pieces)
            {
                auto cut = step(part);
                std::move(cut.begin(), cut.end(), std::back_inserter(next));
            }
            pieces = std::move(next);
        }
        return pieces;
    };
}

SplitStep
MakeByteLevelStep(const Json& json)
{
    const bool addsSpace = json.value("add_prefix_space", true);
    const auto split =
        json.value("use_regex", true)
            ? MakePatternStep(MakePatternFinder(GPT2_PATTERN), SplitBehavior::ISOLATED)
            : SplitStep([](const TextPiece& piece) {
                  return std::vector<TextPiece>(!piece.text.empty(), piece);
              });
    return [=](TextPiece piece) {
        if (addsSpace && !piece.text.empty() && piece.text.front() != ' ')
        {
            piece.text.insert(0, " ");
        }
        auto pieces = split(piece);
        for (auto& part : pieces)
        {
            part.text = EncodeBytes(part.text);
        }
        return pieces;
    };
}

SplitStep
MakeMetaspaceStep(const Json& json)
{
    const auto mark = json.value("replacement", std::string("\xe2\x96\x81"));
    auto scheme = json.value("prepend_scheme", std::string("always"));
    scheme = json.value("add_prefix_space", true) ? scheme : "never";
    const bool splits = json.value("split", true);
    const auto cut = MakePatternStep(MakeTextFinder(mark), SplitBehavior::MERGED_WITH_NEXT);
    return [=](TextPiece piece) {
        std::string text;
        for (const char c : piece.text)
        {
            text += c == ' ' ? mark : std::string(1, c);
        }
        const bool isPrepended = scheme == "always" || (scheme == "first" && piece.isFirst);
        if (isPrepended && text.compare(0, mark.size(), mark) != 0)
        {
            text.insert(0, mark);
        }
        piece.text = text;
        return splits ? cut(piece) : std::vector<TextPiece>{piece};
    };
}

SplitStep
MakeSplitByPattern(const Json& json, const std::string& name)
{
    const auto& pattern = json.at("pattern");
    const auto find = pattern.contains("Regex")
                          ? MakePatternFinder(pattern.at("Regex").get<std::string>())
                          : MakeTextFinder(pattern.at("String").get<std::string>());
    return MakePatternStep(find,
                           ParseBehavior(json, "Isolated", name),
                           json.value("invert", false));
}

/// @return the step of a pre-tokenizer other than a sequence
SplitStep
MakeSimpleSplitStep(const std::string& type, const Json& json, const std::string& name)
{
    const auto spaces =
        MakePatternStep(MakeCharacterFinder(IsUnicodeSpace), SplitBehavior::REMOVED);
    if (type == "ByteLevel")
    {
        return MakeByteLevelStep(json);
    }
    if (type == "BertPreTokenizer")
    {
        return Chain(
            {spaces,
             MakePatternStep(MakeCharacterFinder(IsAnyPunctuation), SplitBehavior::ISOLATED)});
    }
    if (type == "WhitespaceSplit")
    {
        return spaces;
    }
    if (type == "Whitespace")
    {
        // `\w+|[^\w\s]+`, in the sense of IsUnicodeWord()
        const std::string word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control})";
        const auto pattern = "[" + word + "]+|[^" + word + R"(\s]+)";
        return MakePatternStep(MakePatternFinder(pattern), SplitBehavior::REMOVED, true);
    }
    if (type == "Punctuation")
    {
        return MakePatternStep(MakeCharacterFinder(IsAnyPunctuation),
                               ParseBehavior(json, "Isolated", name));
    }
    if (type == "Digits")
    {
        return MakePatternStep(MakeCharacterFinder(IsUnicodeNumber),
                               json.value("individual_digits", false) ? SplitBehavior::ISOLATED
                                                                      : SplitBehavior::CONTIGUOUS);
    }
    if (type == "Split")
    {
        return MakeSplitByPattern(json, name);
    }
    if (type == "Metaspace")
    {
        return MakeMetaspaceStep(json);
    }
    throw DataError("'" + name + "': the pre_tokenizer '" + type + "' is not supported.");
}

} // namespace

SplitStep
MakeSplitStep(const Json& json, const std::string& name)
{
    if (json.is_null())
    {
        return [](const TextPiece& piece) {
            return std::vector<TextPiece>(!piece.text.empty(), piece);
        };
    }
    const auto type = json.at("type").get<std::string>();
    if (type != "Sequence")
    {
        return MakeSimpleSplitStep(type, json, name);
    }
    std::vector<SplitStep> steps;
    for (const auto& part : json.at("pretokenizers"))
    {
        steps.push_back(MakeSplitStep(part, name));
    }
    return Chain(std::move(steps));
}

} // namespace collapipe
} // namespace ns3
