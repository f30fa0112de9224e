/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOKENIZER_H
#define COLLAPIPE_TOKENIZER_H

#include "collapipe-model-config.h"
#include "collapipe-pretrained-tokenizer.h"
#include "collapipe-text-files.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Byte-pair encoding by SentencePiece (Kudo and Richardson 2018), one vocabulary for both
 * languages. The ids of padding, unknown, begin and end are those of SpecialToken.
 *
 * SentencePiece runs as its programs (spm_train, spm_encode, spm_decode; Debian package
 * `sentencepiece`), since its library and LibTorch bring clashing versions of protobuf. The model
 * is kept in memory; every call puts it and the text into a private directory, which is gone when
 * the call returns or throws.
 *
 * It may also be the tokenizer of a pretrained model, see PretrainedTokenizer, which is not trained
 * and needs no programs; the ids of its special tokens are its own.
 *
 * All calls throw DataError where a program is missing or fails.
 */
class Tokenizer
{
  public:
    /// A tokenizer without a model; Train() gives it one.
    Tokenizer() = default;

    /**
     * @param model bytes as GetModel() gave them
     * @param vocabularySize number of pieces of the model
     * @param workDirectory see Train()
     */
    Tokenizer(std::string model, uint32_t vocabularySize, std::string workDirectory = "");

    /// @param pretrained the tokenizer of a pretrained model
    explicit Tokenizer(std::shared_ptr<const PretrainedTokenizer> pretrained);

    /// @return the tokenizer of a pretrained model, or null
    const std::shared_ptr<const PretrainedTokenizer>& GetPretrained() const;

    /**
     * Learns the vocabulary. The result depends on nothing but the lines and the size. Lines of
     * more than 4192 bytes are left out.
     * @param lines sentences, UTF-8, of both languages
     * @param vocabularySize pieces wanted, the four special tokens included; where the text holds
     *        fewer, all that it holds: see GetVocabularySize()
     * @param workDirectory where the private directories are made; empty: `$TMPDIR`, else `/tmp`
     * @throws DataError also where the text has no words, or more distinct characters than pieces
     *         are wanted
     */
    void Train(const std::vector<std::string>& lines,
               uint32_t vocabularySize,
               const std::string& workDirectory = "");

    /// @return number of pieces, the special tokens included; 0 before Train()
    uint32_t GetVocabularySize() const;

    /// @return SentencePiece's model file, or a pretrained one's files packed; empty before Train()
    const std::string& GetModel() const;

    /**
     * @param lines sentences, UTF-8; line breaks in them count as spaces
     * @return token ids of each, without begin and end tokens
     * @throws DataError also before Train()
     */
    std::vector<std::vector<int32_t>> Encode(const std::vector<std::string>& lines) const;

    /**
     * @param sequences token ids; those from the first END_TOKEN on, begin tokens and padding are
     *        passed over
     * @return the sentences
     * @throws DataError also before Train() and for an id outside the vocabulary
     */
    std::vector<std::string> Decode(const std::vector<std::vector<int32_t>>& sequences) const;

  private:
    /**
     * @param program to run on the model: "spm_encode" or "spm_decode"
     * @param option that makes it read or write ids
     * @param lines its input
     * @return its output, as many lines as the input
     */
    std::vector<std::string> Apply(const std::string& program,
                                   const std::string& option,
                                   const std::vector<std::string>& lines) const;

    std::shared_ptr<const PretrainedTokenizer> m_pretrained{}; //!< of a pretrained model, or null
    std::string m_model;                                       //!< SentencePiece's model file
    uint32_t m_vocabularySize{0};                              //!< pieces
    std::string m_workDirectory{}; //!< where private directories are made
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TOKENIZER_H */
