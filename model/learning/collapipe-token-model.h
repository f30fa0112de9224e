/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOKEN_MODEL_H
#define COLLAPIPE_TOKEN_MODEL_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Largest token id that is believed, less one
constexpr int32_t TOKEN_ID_LIMIT = 1 << 24;

/**
 * @ingroup collapipe
 * Pieces of a vocabulary with their ids.
 */
class TokenVocabulary
{
  public:
    /**
     * @param piece UTF-8
     * @param id its number
     * @return false where the piece or the id is there already
     */
    bool Add(const std::string& piece, int32_t id);

    /// @return id of a piece, or nothing
    std::optional<int32_t> Find(const std::string& piece) const;

    /// @return the piece of an id; null where there is none
    const std::string* GetPiece(int32_t id) const;

    /// @return the largest id and one; 0 where there is none
    uint32_t GetSize() const;

  private:
    std::unordered_map<std::string, int32_t> m_ids;     //!< by piece
    std::vector<std::unique_ptr<std::string>> m_pieces; //!< by id; null where there is none
};

/**
 * @ingroup collapipe
 * Cuts a word, that is, what the steps before have left whole, into pieces of a vocabulary.
 */
class TokenModel
{
  public:
    virtual ~TokenModel() = default;

    /**
     * @param word UTF-8
     * @param ids to which those of its pieces are appended
     */
    virtual void Tokenize(const std::string& word, std::vector<int32_t>& ids) const = 0;

    /// @return the vocabulary
    virtual const TokenVocabulary& GetVocabulary() const = 0;
};

/**
 * @ingroup collapipe
 * Byte-pair encoding (Sennrich et al. 2016): characters are merged pair by pair, in the order in
 * which training found the pairs.
 */
class BpeModel : public TokenModel
{
  public:
    /// What a vocabulary's file says beside pieces and merges
    struct Options
    {
        std::optional<std::string> unknown{}; //!< piece for a character that is in no piece
        bool fuseUnknown{false};              //!< one unknown piece for several in a row
        bool byteFallback{false};             //!< such a character becomes pieces like <0x0A>
        bool ignoreMerges{false};             //!< a word that is a piece is taken as it is
        std::string continuingPrefix{};       //!< of pieces inside a word
        std::string endOfWordSuffix{};        //!< of a word's last piece
    };

    /**
     * @param vocabulary pieces
     * @param merges pairs of pieces, the first to be merged first
     * @param options see Options
     * @param name of the file, for messages
     * @throws DataError where a merge's parts or result are no pieces
     */
    BpeModel(TokenVocabulary vocabulary,
             const std::vector<std::pair<std::string, std::string>>& merges,
             Options options,
             const std::string& name);

    void Tokenize(const std::string& word, std::vector<int32_t>& ids) const override;
    const TokenVocabulary& GetVocabulary() const override;

  private:
    /// What a pair becomes
    struct Merge
    {
        uint32_t rank; //!< the lower the earlier
        int32_t id;    //!< of the piece made
    };

    /// @return ids of a word's characters, before any merge
    std::vector<int32_t> SplitCharacters(const std::string& word) const;

    /// Appends the pieces of bytes; @return whether there are such pieces
    bool AppendBytes(const std::string& character, std::vector<int32_t>& ids) const;

    /// Merges pairs in place.
    void MergePairs(std::vector<int32_t>& ids) const;

    /// @return the merge of two neighbours, or null
    const Merge* FindMerge(int32_t left, int32_t right) const;

    TokenVocabulary m_vocabulary;                                            //!< pieces
    std::unordered_map<uint64_t, Merge> m_merges{};                          //!< by both ids
    Options m_options;                                                       //!< see Options
    mutable std::mutex m_mutex{};                                            //!< of the cache
    mutable std::unordered_map<std::string, std::vector<int32_t>> m_cache{}; //!< words seen
};

/**
 * @ingroup collapipe
 * WordPiece (Schuster and Nakajima 2012) as BERT applies it: the longest piece first, from left to
 * right; a word that cannot be cut so is unknown as a whole.
 */
class WordPieceModel : public TokenModel
{
  public:
    /**
     * @param vocabulary pieces
     * @param unknown the piece for words that cannot be cut
     * @param prefix of pieces inside a word
     * @param longest characters of a word that is tried
     * @param name of the file, for messages
     * @throws DataError where the unknown piece is missing
     */
    WordPieceModel(TokenVocabulary vocabulary,
                   const std::string& unknown,
                   std::string prefix,
                   uint32_t longest,
                   const std::string& name);

    void Tokenize(const std::string& word, std::vector<int32_t>& ids) const override;
    const TokenVocabulary& GetVocabulary() const override;

  private:
    TokenVocabulary m_vocabulary; //!< pieces
    int32_t m_unknown;            //!< id
    std::string m_prefix;         //!< of pieces inside a word
    uint32_t m_longest;           //!< characters of a word
};

/**
 * @param byte any
 * @return the piece that stands for it where bytes are pieces, such as <0x0A>
 */
std::string MakeBytePiece(uint8_t byte);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TOKEN_MODEL_H */
