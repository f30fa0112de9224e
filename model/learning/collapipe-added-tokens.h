/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ADDED_TOKENS_H
#define COLLAPIPE_ADDED_TOKENS_H

// Private: who includes all headers of the module needs no JSON library for this one.
#if __has_include(<nlohmann/json_fwd.hpp>)

/**
 * @file
 * @ingroup collapipe
 * Private: tokens that are found in a text before it is cut into words.
 */

#include "collapipe-tokenizer-files.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A part of a text: an added token, or what lies between two
struct TextSection
{
    std::size_t begin; //!< byte
    std::size_t end;   //!< byte behind it
    int32_t id{-1};    //!< of the added token; -1: none
};

/**
 * @ingroup collapipe
 * Finds the leftmost of several tokens in a text, of those that begin at one place the longest.
 */
class AddedTokenFinder
{
  public:
    /// @param token to find
    void Add(const AddedToken& token);

    /**
     * @param text valid UTF-8
     * @return the text in sections, none empty
     */
    std::vector<TextSection> Split(const std::string& text) const;

  private:
    /// @return the longest token at a place that may stand there, or null
    const AddedToken* FindAt(std::string_view text, std::size_t place) const;

    std::map<char, std::vector<AddedToken>> m_tokens; //!< by their first byte, the longest first
};

} // namespace collapipe
} // namespace ns3

#endif

#endif /* COLLAPIPE_ADDED_TOKENS_H */
