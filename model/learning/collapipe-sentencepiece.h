/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SENTENCEPIECE_H
#define COLLAPIPE_SENTENCEPIECE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What SentencePiece does to a text before it cuts it (its NormalizerSpec): replacements by the
 * longest match in a double-array trie (Aoe 1989, in darts-clone's layout), and the treatment of
 * spaces.
 */
class SentencePieceNormalizer
{
  public:
    bool addsPrefix{true};         //!< a space before the text
    bool removesExtraSpaces{true}; //!< at both ends and of several in a row
    bool escapesSpaces{true};      //!< spaces become U+2581
    bool spaceIsSuffix{false};     //!< the added space comes behind the text

    /**
     * @param bytes of `precompiled_charsmap`; empty: nothing is replaced
     * @param name of the file, for messages
     * @throws DataError where they are none
     */
    void SetReplacements(const std::string& bytes, const std::string& name);

    /**
     * @param symbols that are left as they are
     */
    void SetSymbols(std::vector<std::string> symbols);

    /// @return the length of the longest of the symbols that the text begins with; 0: none does
    std::size_t MatchSymbol(std::string_view text) const;

    /**
     * @param text any bytes; those that are no UTF-8 become U+FFFD each
     * @return the text as it is cut
     */
    std::string Normalize(std::string_view text) const;

  private:
    /// @return what the text's first characters become, and how many bytes they are
    std::pair<std::string_view, std::size_t> TakePrefix(std::string_view text) const;

    /// @return where the longest match's replacement begins, and the match's length; 0: none
    std::pair<uint32_t, std::size_t> FindReplacement(std::string_view text) const;

    std::vector<uint32_t> m_trie{};       //!< units of the double array
    std::string m_replacements{};         //!< texts, each ended by a zero byte
    std::vector<std::string> m_symbols{}; //!< left as they are, the longest first
};

/**
 * @ingroup collapipe
 * A `tokenizer.model` of SentencePiece (Kudo and Richardson 2018), read without its library, whose
 * protobuf clashes with LibTorch's: BPE, unigram, word and character models, with byte fallback.
 * Token ids and texts are those that the library gives.
 */
class SentencePieceModel
{
  public:
    /**
     * @param bytes of the file
     * @param name of it, for messages
     * @throws DataError where it is no such file
     */
    SentencePieceModel(const std::string& bytes, const std::string& name);

    SentencePieceModel(const SentencePieceModel&) = delete; // what it looks up lies in itself
    SentencePieceModel& operator=(const SentencePieceModel&) = delete;

    /**
     * @param text any bytes
     * @return token ids, without begin and end
     */
    std::vector<int32_t> Encode(std::string_view text) const;

    /**
     * @param ids token ids
     * @return the text; unknown pieces as the model's own sign for them
     * @throws DataError for an id that is outside the vocabulary
     */
    std::string Decode(const std::vector<int32_t>& ids) const;

    /// @return number of pieces
    uint32_t GetSize() const;

    /**
     * @param id of a piece
     * @return its text
     */
    const std::string& GetPiece(int32_t id) const;

    /**
     * @param piece its text
     * @return its id, or -1
     */
    int32_t Find(const std::string& piece) const;

    /// @return whether a piece is a control symbol, such as the begin token
    bool IsControl(int32_t id) const;

    int32_t unknownToken{0}; //!< id
    int32_t beginToken{1};   //!< id, or -1
    int32_t endToken{2};     //!< id, or -1
    int32_t padToken{-1};    //!< id, or -1

  private:
    /// What a piece is for; the numbers are those in the file
    enum class Type : uint8_t
    {
        NORMAL = 1,
        UNKNOWN = 2,
        CONTROL = 3,
        USER_DEFINED = 4,
        UNUSED = 5,
        BYTE = 6,
    };

    /// How texts are cut; the numbers are those in the file
    enum class Kind : uint8_t
    {
        UNIGRAM = 1,
        BPE = 2,
        WORD = 3,
        CHARACTER = 4,
    };

    /// A piece of the vocabulary
    struct Piece
    {
        std::string text;        //!< with U+2581 for spaces
        float score{0};          //!< log-probability, or minus the order of the merge
        Type type{Type::NORMAL}; //!< what it is for
    };

    /// A piece of a text under way, with its id
    using Cut = std::vector<std::pair<std::string_view, int32_t>>;

    void ReadPiece(std::string_view bytes, const std::string& name);
    void ReadTrainer(std::string_view bytes, const std::string& name);
    static void ReadNormalizer(std::string_view bytes,
                               const std::string& name,
                               SentencePieceNormalizer& normalizer);
    void Index(const std::string& name);

    Cut EncodeUnigram(std::string_view text) const;
    Cut EncodeBpe(std::string_view text) const;
    Cut EncodeWords(std::string_view text) const;
    Cut EncodeCharacters(std::string_view text) const;

    /// @return id of a piece, or of the unknown one
    int32_t GetId(std::string_view piece) const;

    /// @return the text of a piece other than a byte
    std::string DecodePiece(int32_t id, bool isAtBegin, bool& hadSpace) const;

    Kind m_kind{Kind::UNIGRAM};                            //!< how texts are cut
    bool m_byteFallback{false};                            //!< unknown pieces become bytes
    std::string m_unknownSurface;                          //!< what an unknown piece is decoded to
    std::vector<Piece> m_pieces{};                         //!< by id
    SentencePieceNormalizer m_normalizer{};                //!< before cutting
    SentencePieceNormalizer m_denormalizer{};              //!< after joining
    bool m_hasDenormalizer{false};                         //!< whether there is such a thing
    std::unordered_map<std::string_view, int32_t> m_ids{}; //!< pieces that a cut may use
    std::unordered_map<std::string_view, int32_t> m_reserved{}; //!< the others
    std::size_t m_longest{0};                                   //!< bytes of the longest piece
    float m_lowest{0};                                          //!< score of a normal piece
    float m_highest{0};                                         //!< likewise
    std::vector<int32_t> m_bytes{};                             //!< ids by byte, with byte fallback
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SENTENCEPIECE_H */
