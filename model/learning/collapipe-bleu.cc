/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-bleu.h"

#include "collapipe-text-files.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ns3
{
namespace collapipe
{

namespace
{

bool
IsDigit(char c)
{
    return c >= '0' && c <= '9';
}

bool
IsPeriodOrComma(char c)
{
    return c == '.' || c == ',';
}

/**
 * @param c a byte
 * @return whether it always is a token of its own: ASCII's punctuation, but not ' , - .
 */
bool
IsSeparate(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

void
ReplaceAll(std::string& text, std::string_view from, std::string_view to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    {
        text.replace(at, from.size(), to);
    }
}

/// @return the text on one line, entities as characters, in the order of the definition
std::string
Normalise(std::string_view text)
{
    std::string line(text);
    ReplaceAll(line, "<skipped>", "");
    ReplaceAll(line, "-\n", "");
    ReplaceAll(line, "\n", " ");
    ReplaceAll(line, "&quot;", "\"");
    ReplaceAll(line, "&amp;", "&");
    ReplaceAll(line, "&lt;", "<");
    ReplaceAll(line, "&gt;", ">");
    return " " + line + " ";
}

std::string
SplitPunctuation(std::string_view text)
{
    std::string split;
    for (const char c : text)
    {
        split += IsSeparate(c) ? std::string{' ', c, ' '} : std::string{c};
    }
    return split;
}

/**
 * Rewrites pairs of neighbouring bytes, as a regular expression of two characters does: what was
 * rewritten is not looked at again. Bytes will do, since one of the two is ASCII and the other, if
 * it is not, stays whole.
 * @tparam Matches whether a pair is to be rewritten
 * @tparam Rewrite what becomes of it
 */
template <typename Matches, typename Rewrite>
std::string
RewritePairs(const std::string& text, Matches matches, Rewrite rewrite)
{
    std::string result;
    std::size_t i = 0;
    for (; i + 1 < text.size(); ++i)
    {
        if (matches(text[i], text[i + 1]))
        {
            result += rewrite(text[i], text[i + 1]);
            ++i;
        }
        else
        {
            result += text[i];
        }
    }
    return i < text.size() ? result + text[i] : result;
}

/**
 * @param codePoint a character
 * @return whether it is white space in Unicode, or one of ASCII's separators
 */
bool
IsWhiteSpace(uint32_t codePoint)
{
    return (codePoint >= 0x09 && codePoint <= 0x0d) || (codePoint >= 0x1c && codePoint <= 0x20) ||
           codePoint == 0x85 || codePoint == 0xa0 || codePoint == 0x1680 ||
           (codePoint >= 0x2000 && codePoint <= 0x200a) || codePoint == 0x2028 ||
           codePoint == 0x2029 || codePoint == 0x202f || codePoint == 0x205f || codePoint == 0x3000;
}

std::vector<std::string>
SplitAtWhiteSpace(const std::string& text)
{
    std::vector<std::string> words;
    std::string word;
    for (std::size_t position = 0; position < text.size();)
    {
        const auto begin = position;
        const bool white = IsWhiteSpace(NextCodePoint(text, position));
        if (!white)
        {
            word += text.substr(begin, position - begin);
        }
        if (!word.empty() && (white || position == text.size()))
        {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    return words;
}

/// How often each n-gram of one order occurs
using NgramCounts = std::map<std::vector<std::string>, uint64_t>;

NgramCounts
CountNgrams(const std::vector<std::string>& tokens, std::size_t order)
{
    NgramCounts counts;
    for (std::size_t i = 0; i + order <= tokens.size(); ++i)
    {
        ++counts[{tokens.begin() + i, tokens.begin() + i + order}];
    }
    return counts;
}

/// Adds a sentence's counts.
void
AddSentence(const std::vector<std::string>& hypothesis,
            const std::vector<std::string>& reference,
            BleuScore& bleu)
{
    bleu.hypothesisTokens += hypothesis.size();
    bleu.referenceTokens += reference.size();
    for (std::size_t n = 0; n < BLEU_ORDER; ++n)
    {
        const auto wanted = CountNgrams(reference, n + 1);
        for (const auto& [ngram, count] : CountNgrams(hypothesis, n + 1))
        {
            const auto found = wanted.find(ngram);
            bleu.totals[n] += count;
            bleu.matches[n] += found == wanted.end() ? 0 : std::min(count, found->second);
        }
    }
}

/// Computes the score from the counts.
void
Complete(BleuScore& bleu)
{
    bleu.brevityPenalty = 1;
    if (bleu.hypothesisTokens < bleu.referenceTokens)
    {
        const double ratio = double(bleu.referenceTokens) / double(bleu.hypothesisTokens);
        bleu.brevityPenalty = bleu.hypothesisTokens > 0 ? std::exp(1 - ratio) : 0;
    }
    if (std::all_of(bleu.matches.begin(), bleu.matches.end(), [](auto m) { return m == 0; }))
    {
        return;
    }
    double smoothing = 1; // doubles with every order without a match
    double logarithms = 0;
    for (std::size_t n = 0; n < BLEU_ORDER; ++n)
    {
        if (bleu.totals[n] == 0)
        {
            return; // a precision of 0 makes the score 0
        }
        smoothing *= bleu.matches[n] == 0 ? 2 : 1;
        const double matches =
            bleu.matches[n] == 0 ? 1 / smoothing : static_cast<double>(bleu.matches[n]);
        bleu.precisions[n] = 100 * matches / static_cast<double>(bleu.totals[n]);
        logarithms += std::log(bleu.precisions[n]);
    }
    bleu.score = bleu.brevityPenalty * std::exp(logarithms / BLEU_ORDER);
}

} // namespace

std::vector<std::string>
TokenizeForBleu(std::string_view text)
{
    auto line = SplitPunctuation(Normalise(text));
    line = RewritePairs(
        line,
        [](char a, char b) { return !IsDigit(a) && IsPeriodOrComma(b); },
        [](char a, char b) {
            return std::string{a, ' ', b, ' '};
        });
    line = RewritePairs(
        line,
        [](char a, char b) { return IsPeriodOrComma(a) && !IsDigit(b); },
        [](char a, char b) {
            return std::string{' ', a, ' ', b};
        });
    line = RewritePairs(
        line,
        [](char a, char b) { return IsDigit(a) && b == '-'; },
        [](char a, char b) {
            return std::string{a, ' ', b, ' '};
        });
    return SplitAtWhiteSpace(line);
}

BleuScore
ComputeBleu(const std::vector<std::string>& hypotheses, const std::vector<std::string>& references)
{
    NS_ABORT_MSG_IF(hypotheses.size() != references.size(),
                    "BLEU of " << hypotheses.size() << " translations with " << references.size()
                               << " references");
    BleuScore bleu;
    for (std::size_t i = 0; i < hypotheses.size(); ++i)
    {
        AddSentence(TokenizeForBleu(hypotheses[i]), TokenizeForBleu(references[i]), bleu);
    }
    Complete(bleu);
    return bleu;
}

} // namespace collapipe
} // namespace ns3
