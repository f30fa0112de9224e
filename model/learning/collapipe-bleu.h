/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BLEU_H
#define COLLAPIPE_BLEU_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Longest n-grams that BLEU counts
constexpr std::size_t BLEU_ORDER = 4;

/**
 * @ingroup collapipe
 * Corpus BLEU (Papineni et al. 2002) and what it is made of.
 */
struct BleuScore
{
    double score{0};                             //!< 0 to 100
    double brevityPenalty{0};                    //!< 0 to 1
    std::array<double, BLEU_ORDER> precisions{}; //!< of n-grams, per cent, smoothed
    std::array<uint64_t, BLEU_ORDER> matches{};  //!< n-grams that the reference has too
    std::array<uint64_t, BLEU_ORDER> totals{};   //!< n-grams of the hypotheses
    uint64_t hypothesisTokens{0};                //!< of all hypotheses
    uint64_t referenceTokens{0};                 //!< of all references
};

/**
 * The tokenisation `13a` of SacreBLEU (Post 2018), which is that of NIST's mteval-v13a.pl without
 * its language-dependent parts: entities become characters; punctuation other than apostrophe,
 * period, comma and hyphen becomes tokens of their own; periods and commas too, but between digits;
 * and hyphens after digits.
 * @param text UTF-8
 * @return its tokens
 */
std::vector<std::string> TokenizeForBleu(std::string_view text);

/**
 * Corpus BLEU as SacreBLEU computes it by default: TokenizeForBleu(), case counts, one reference a
 * sentence, n-grams up to 4, exponential smoothing, no effective order.
 * @param hypotheses translations, UTF-8
 * @param references as many
 * @return the score; 0 where no word is right
 */
BleuScore ComputeBleu(const std::vector<std::string>& hypotheses,
                      const std::vector<std::string>& references);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BLEU_H */
