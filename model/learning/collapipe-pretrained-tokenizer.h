/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRETRAINED_TOKENIZER_H
#define COLLAPIPE_PRETRAINED_TOKENIZER_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Tokens with a meaning of their own, whatever their ids are in a vocabulary
enum class TokenRole : uint8_t
{
    UNKNOWN,  //!< stands for what is in no piece
    BEGIN,    //!< begins a text
    END,      //!< ends one
    PAD,      //!< fills up
    CLASSIFY, //!< BERT's [CLS]
    SEPARATE, //!< BERT's [SEP]
    MASK,     //!< BERT's [MASK]
};

/**
 * @ingroup collapipe
 * The tokenizer of a pretrained model, from the files that come with it: `tokenizer.json`
 * (byte-level and other byte-pair encodings, WordPiece), else `tokenizer.model` (SentencePiece),
 * else `vocab.json` with `merges.txt` (GPT-2, or Qwen2 where `tokenizer_config.json` says so), else
 * `vocab.txt` (BERT); with what `tokenizer_config.json`, `special_tokens_map.json` and
 * `added_tokens.json` add. Ids are those that transformers gives.
 *
 * Texts are UTF-8. What is not becomes U+FFFD: in a SentencePiece model one for each byte, as its
 * library does, else one for each part that begins like a character.
 *
 * May be used by several threads at once.
 */
class PretrainedTokenizer
{
  public:
    /// A sequence as a model takes it
    struct Framed
    {
        std::vector<int32_t> tokens{};   //!< ids
        std::vector<uint8_t> segments{}; //!< of each token: 0 of the first text, 1 of the second
    };

    /**
     * @param folder with the files
     * @return the tokenizer
     * @throws DataError where there is none, or it is none or one that is not known
     */
    static std::shared_ptr<const PretrainedTokenizer> Read(const std::string& folder);

    /**
     * @param folder of a model
     * @return whether there is a file that Read() would begin with
     */
    static bool IsIn(const std::string& folder);

    /**
     * @param files by name
     * @param name of all, for messages
     * @return the tokenizer
     * @throws DataError as Read()
     */
    static std::shared_ptr<const PretrainedTokenizer> FromFiles(
        const std::map<std::string, std::string>& files,
        const std::string& name);

    virtual ~PretrainedTokenizer() = default;

    /// @return the files that it was made of, by name
    const std::map<std::string, std::string>& GetFiles() const;

    /// @return the largest id and one
    virtual uint32_t GetVocabularySize() const = 0;

    /**
     * @param text UTF-8
     * @return token ids, nothing added; special tokens that stand in the text are what they say
     */
    virtual std::vector<int32_t> Encode(const std::string& text) const = 0;

    /**
     * @param first token ids of a text
     * @param second of a second one, or null
     * @return both with the special tokens that the model was trained with
     */
    virtual Framed Frame(const std::vector<int32_t>& first,
                         const std::vector<int32_t>* second = nullptr) const = 0;

    /**
     * @param ids token ids
     * @param keepsSpecial whether special tokens are written, too
     * @return the text
     * @throws DataError for an id that is outside the vocabulary
     */
    virtual std::string Decode(const std::vector<int32_t>& ids,
                               bool keepsSpecial = false) const = 0;

    /**
     * @param role of a token
     * @return its id, or -1 where there is none
     */
    int32_t GetToken(TokenRole role) const;

    /**
     * @param rows of the model's embedding
     * @throws DataError where an id is not among them
     */
    void CheckVocabulary(uint32_t rows) const;

  protected:
    /**
     * @param files by name
     * @param name of all, for messages
     */
    PretrainedTokenizer(std::map<std::string, std::string> files, std::string name);

    std::map<std::string, std::string> m_files; //!< by name
    std::string m_name;                         //!< of all, for messages
    std::map<TokenRole, int32_t> m_roles{};     //!< ids
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PRETRAINED_TOKENIZER_H */
