/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOKENIZER_FILES_H
#define COLLAPIPE_TOKENIZER_FILES_H

// Private: who includes all headers of the module needs no JSON library for this one.
#if __has_include(<nlohmann/json_fwd.hpp>)

/**
 * @file
 * @ingroup collapipe
 * Private: what stands in the files of a pretrained tokenizer, brought to one form.
 */

#include "collapipe-pretrained-tokenizer.h"
#include "collapipe-token-model.h"

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A token that is looked for in the text before anything else is done to it
struct AddedToken
{
    std::string text{};       //!< what it looks like
    int32_t id{-1};           //!< its number
    bool isSpecial{true};     //!< whether decoding leaves it out
    bool isNormalized{false}; //!< whether it is looked for in the normalised text
    bool isWord{false};       //!< whether it must not touch a word's characters
    bool stripsLeft{false};   //!< whether white space before it belongs to it
    bool stripsRight{false};  //!< likewise behind it
};

/**
 * @param text of a JSON file; of bounded depth
 * @param name of the file, for messages
 * @return its object
 * @throws DataError where it is no JSON object
 */
nlohmann::json ParseTokenizerJson(const std::string& text, const std::string& name);

/**
 * Brings `vocab.json` with `merges.txt`, or `vocab.txt`, to the form of a tokenizer.json.
 * @param files of a folder, by name
 * @param name of all, for messages
 * @return the tokenizer.json; null where there are no such files
 * @throws DataError where they are damaged
 */
nlohmann::json MakeTokenizerJson(const std::map<std::string, std::string>& files,
                                 const std::string& name);

/**
 * @param json `model` of a tokenizer.json
 * @param name of the file, for messages
 * @return the model
 * @throws DataError where it is damaged or of a type that is not known
 */
std::unique_ptr<TokenModel> MakeTokenModel(const nlohmann::json& json, const std::string& name);

/**
 * @param files of a folder, by name
 * @param json its tokenizer.json, or null
 * @param name of all, for messages
 * @return its added tokens; of those of an equal id the last
 */
std::vector<AddedToken> ListAddedTokens(const std::map<std::string, std::string>& files,
                                        const nlohmann::json& json,
                                        const std::string& name);

/**
 * @param files of a folder, by name
 * @param name of all, for messages
 * @return who is who, as `tokenizer_config.json` and `special_tokens_map.json` say
 */
std::map<TokenRole, std::string> ReadTokenRoles(const std::map<std::string, std::string>& files,
                                                const std::string& name);

/**
 * @param files of a folder, by name
 * @param setting of tokenizer_config.json
 * @param byDefault where it is missing
 * @param name of all, for messages
 * @return its value
 */
bool GetTokenizerFlag(const std::map<std::string, std::string>& files,
                      const char* setting,
                      bool byDefault,
                      const std::string& name);

} // namespace collapipe
} // namespace ns3

#endif

#endif /* COLLAPIPE_TOKENIZER_FILES_H */
