/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SUGGESTION_H
#define COLLAPIPE_SUGGESTION_H

#include <cstddef>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param left a word
 * @param right another
 * @return how many letters must be changed, added, left out or exchanged with their neighbour to
 *         make one of the other (optimal string alignment; Damerau 1964)
 */
std::size_t GetEditDistance(const std::string& left, const std::string& right);

/**
 * @param word that is unknown
 * @param known words
 * @return the known word that was probably meant; empty where none is near
 */
std::string FindNearest(const std::string& word, const std::vector<std::string>& known);

/**
 * @param word that is unknown
 * @param known words
 * @param before put before the word suggested, such as two dashes
 * @return " (did you mean WORD?)", or nothing where none is near
 */
std::string Suggest(const std::string& word,
                    const std::vector<std::string>& known,
                    const std::string& before = "");

/**
 * @param words to list
 * @return "a, b or c"
 */
std::string JoinWords(const std::vector<std::string>& words);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SUGGESTION_H */
