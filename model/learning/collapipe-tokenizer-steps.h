/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOKENIZER_STEPS_H
#define COLLAPIPE_TOKENIZER_STEPS_H

// Private: who includes all headers of the module needs no JSON library for this one.
#if __has_include(<nlohmann/json_fwd.hpp>)

/**
 * @file
 * @ingroup collapipe
 * Private: the steps that a tokenizer.json is made of, before and after its vocabulary is asked.
 */

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A part of a text on its way to the vocabulary
struct TextPiece
{
    std::string text;    //!< valid UTF-8
    bool isFirst{false}; //!< whether the whole text begins here
};

/// Changes a text
using NormalizeStep = std::function<std::string(const std::string&)>;
/// Cuts a text into words, and may change them
using SplitStep = std::function<std::vector<TextPiece>(const TextPiece&)>;
/// Brings pieces of a vocabulary back to text, which they are when joined
using DecodeStep = std::function<std::vector<std::string>(std::vector<std::string>)>;

/**
 * @param json `normalizer` of a tokenizer.json, or null
 * @param name of the file, for messages
 * @return the step
 * @throws DataError for a type that is not known and for fields that are none
 */
NormalizeStep MakeNormalizeStep(const nlohmann::json& json, const std::string& name);

/**
 * @param json `pre_tokenizer` of a tokenizer.json, or null
 * @param name of the file, for messages
 * @return the step
 * @throws DataError as above
 */
SplitStep MakeSplitStep(const nlohmann::json& json, const std::string& name);

/**
 * @param json `decoder` of a tokenizer.json, or null: pieces with spaces between
 * @param name of the file, for messages
 * @return the step
 * @throws DataError as above
 */
DecodeStep MakeDecodeStep(const nlohmann::json& json, const std::string& name);

/**
 * Writes bytes as the printable characters that byte-level vocabularies have for them (Radford et
 * al. 2019): those of Latin-1 that show stand for themselves, the others for U+0100 on.
 * @param bytes any
 * @return UTF-8
 */
std::string EncodeBytes(const std::string& bytes);

/**
 * @param text as EncodeBytes() gives it
 * @param bytes to which what it stands for is appended; untouched where the text is none
 * @return whether it is
 */
bool DecodeBytes(const std::string& text, std::string& bytes);

/**
 * What BERT does before it looks words up (Devlin et al. 2019, tokenization.py): control characters
 * go, white space becomes spaces, Chinese characters stand alone.
 * @param text valid UTF-8
 * @param cleans whether to do the first two
 * @param separatesChinese whether to do the third
 * @param stripsAccents whether marks that take no space go
 * @param lowers whether letters become small
 * @param likeAuthors whether lower case looks at neighbours and which characters are Chinese: as in
 * the authors' program, not as in Hugging Face's library
 * @return the text
 */
std::string NormalizeLikeBert(const std::string& text,
                              bool cleans,
                              bool separatesChinese,
                              bool stripsAccents,
                              bool lowers,
                              bool likeAuthors);

} // namespace collapipe
} // namespace ns3

#endif

#endif /* COLLAPIPE_TOKENIZER_STEPS_H */
