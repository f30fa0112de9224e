/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sentencepiece.h"

#include "collapipe-text-files.h"
#include "collapipe-token-model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace ns3
{
namespace collapipe
{

namespace
{

/// A field of a protobuf message: its number and what stands in it
struct Field
{
    uint32_t number{0};       //!< of the field
    uint32_t wire{0};         //!< how it is written
    uint64_t integer{0};      //!< where it is a number
    std::string_view bytes{}; //!< where it is a text or a message
};

/**
 * Goes through the fields of a protobuf message
 * (https://protobuf.dev/programming-guides/encoding).
 */
class FieldReader
{
  public:
    FieldReader(std::string_view bytes, const std::string& name)
        : m_bytes(bytes),
          m_name(name)
    {
    }

    /**
     * @param field filled in
     * @return false at the end
     * @throws DataError where the message is damaged
     */
    bool Next(Field& field)
    {
        if (m_bytes.empty())
        {
            return false;
        }
        const auto key = ReadNumber();
        field = {};
        field.number = static_cast<uint32_t>(key >> 3);
        field.wire = key & 7;
        switch (field.wire)
        {
        case 0:
            field.integer = ReadNumber();
            break;
        case 1:
            field.integer = ReadFixed(8);
            break;
        case 2: {
            const auto size = ReadNumber();
            Require(size <= m_bytes.size());
            field.bytes = m_bytes.substr(0, size);
            m_bytes.remove_prefix(size);
            break;
        }
        case 5:
            field.integer = ReadFixed(4);
            break;
        default:
            Require(false);
        }
        Require(key >> 3 > 0 && key >> 3 < 1U << 29);
        return true;
    }

  private:
    void Require(bool condition) const
    {
        if (!condition)
        {
            throw DataError("'" + m_name + "' is no SentencePiece model, or it is damaged.");
        }
    }

    uint64_t ReadNumber()
    {
        uint64_t value = 0;
        for (uint32_t shift = 0; shift < 64; shift += 7)
        {
            Require(!m_bytes.empty());
            const auto byte = static_cast<uint8_t>(m_bytes.front());
            m_bytes.remove_prefix(1);
            value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80)
            {
                return value;
            }
        }
        Require(false);
        return 0;
    }

    uint64_t ReadFixed(std::size_t size)
    {
        Require(m_bytes.size() >= size);
        uint64_t value = 0;
        for (std::size_t i = size; i > 0; --i)
        {
            value = value << 8 | static_cast<uint8_t>(m_bytes[i - 1]);
        }
        m_bytes.remove_prefix(size);
        return value;
    }

    std::string_view m_bytes; //!< what is left
    std::string m_name;       //!< of the file
};

constexpr std::string_view SPACE_MARK = "\xe2\x96\x81"; //!< U+2581, what a space becomes

/// @return the byte that a piece such as <0x0A> stands for; something else where it is no such
/// piece
unsigned
ParseByte(const std::string& piece)
{
    unsigned byte = 0;
    std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
    return byte;
}

} // namespace

SentencePieceModel::SentencePieceModel(const std::string& bytes, const std::string& name)
    : m_unknownSurface(" \xe2\x81\x87 ")
{
    FieldReader reader(bytes, name);
    for (Field field; reader.Next(field);)
    {
        if (field.wire != 2)
        {
            continue;
        }
        switch (field.number)
        {
        case 1:
            ReadPiece(field.bytes, name);
            break;
        case 2:
            ReadTrainer(field.bytes, name);
            break;
        case 3:
            ReadNormalizer(field.bytes, name, m_normalizer);
            break;
        case 5:
            ReadNormalizer(field.bytes, name, m_denormalizer);
            m_hasDenormalizer = true;
            break;
        default:
            break;
        }
    }
    Index(name);
}

void
SentencePieceModel::ReadPiece(std::string_view bytes, const std::string& name)
{
    Piece piece;
    FieldReader reader(bytes, name);
    for (Field field; reader.Next(field);)
    {
        if (field.number == 1 && field.wire == 2)
        {
            piece.text = field.bytes;
        }
        else if (field.number == 2 && field.wire == 5)
        {
            const auto bits = static_cast<uint32_t>(field.integer);
            std::memcpy(&piece.score, &bits, sizeof(bits));
        }
        else if (field.number == 3 && field.wire == 0)
        {
            if (field.integer < 1 || field.integer > 6)
            {
                throw DataError("'" + name + "': a piece is of an unknown type.");
            }
            piece.type = static_cast<Type>(field.integer);
        }
    }
    const auto byte = static_cast<uint8_t>(piece.text.size() == 6 ? ParseByte(piece.text) : 0);
    if (piece.type == Type::BYTE && piece.text != MakeBytePiece(byte))
    {
        throw DataError("'" + name + "': a piece is said to be a byte, and is none.");
    }
    if (piece.text.empty() || !std::isfinite(piece.score) ||
        m_pieces.size() >= static_cast<std::size_t>(TOKEN_ID_LIMIT))
    {
        throw DataError("'" + name +
                        "': a piece is empty, has no finite score or is one too many.");
    }
    m_pieces.push_back(std::move(piece));
}

void
SentencePieceModel::ReadTrainer(std::string_view bytes, const std::string& name)
{
    FieldReader reader(bytes, name);
    for (Field field; reader.Next(field);)
    {
        const auto id = static_cast<int32_t>(static_cast<uint32_t>(field.integer));
        switch (field.number)
        {
        case 3:
            if (field.integer < 1 || field.integer > 4)
            {
                throw DataError("'" + name + "' is a model of an unknown type.");
            }
            m_kind = static_cast<Kind>(field.integer);
            break;
        case 24:
            m_normalizer.spaceIsSuffix = field.integer != 0;
            break;
        case 35:
            m_byteFallback = field.integer != 0;
            break;
        case 40:
            unknownToken = id;
            break;
        case 41:
            beginToken = id;
            break;
        case 42:
            endToken = id;
            break;
        case 43:
            padToken = id;
            break;
        case 44:
            m_unknownSurface = field.bytes;
            break;
        default:
            break;
        }
    }
}

void
SentencePieceModel::ReadNormalizer(std::string_view bytes,
                                   const std::string& name,
                                   SentencePieceNormalizer& normalizer)
{
    FieldReader reader(bytes, name);
    for (Field field; reader.Next(field);)
    {
        switch (field.number)
        {
        case 2:
            normalizer.SetReplacements(std::string(field.bytes), name);
            break;
        case 3:
            normalizer.addsPrefix = field.integer != 0;
            break;
        case 4:
            normalizer.removesExtraSpaces = field.integer != 0;
            break;
        case 5:
            normalizer.escapesSpaces = field.integer != 0;
            break;
        default:
            break;
        }
    }
}

void
SentencePieceModel::Index(const std::string& name)
{
    std::vector<std::string> symbols;
    int32_t unknown = -1;
    bool hasNormal = false;
    for (std::size_t i = 0; i < m_pieces.size(); ++i)
    {
        const auto& piece = m_pieces[i];
        const auto id = static_cast<int32_t>(i);
        const bool isReserved =
            piece.type == Type::UNKNOWN || piece.type == Type::CONTROL || piece.type == Type::BYTE;
        if (!(isReserved ? m_reserved : m_ids).emplace(piece.text, id).second)
        {
            throw DataError("'" + name + "': the piece '" + piece.text + "' comes twice.");
        }
        if (piece.type == Type::UNKNOWN)
        {
            unknown = unknown < 0 ? id : TOKEN_ID_LIMIT;
        }
        if (piece.type == Type::USER_DEFINED)
        {
            symbols.push_back(piece.text);
        }
        if (piece.type == Type::NORMAL)
        {
            m_lowest = hasNormal ? std::min(m_lowest, piece.score) : piece.score;
            m_highest = hasNormal ? std::max(m_highest, piece.score) : piece.score;
            hasNormal = true;
        }
        m_longest = isReserved ? m_longest : std::max(m_longest, piece.text.size());
    }
    if (unknown < 0 || unknown == TOKEN_ID_LIMIT)
    {
        throw DataError("'" + name + "' has no unknown piece, or several.");
    }
    unknownToken = unknown;
    const auto size = static_cast<int32_t>(m_pieces.size());
    for (auto* token : {&beginToken, &endToken, &padToken})
    {
        *token = *token >= 0 && *token < size && IsControl(*token) ? *token : -1;
    }
    for (uint32_t byte = 0; m_byteFallback && byte < 256; ++byte)
    {
        const auto found = m_reserved.find(MakeBytePiece(static_cast<uint8_t>(byte)));
        if (found == m_reserved.end() ||
            m_pieces[static_cast<std::size_t>(found->second)].type != Type::BYTE)
        {
            throw DataError("'" + name + "' falls back to bytes, but not all bytes are pieces.");
        }
        m_bytes.push_back(found->second);
    }
    m_normalizer.SetSymbols(std::move(symbols));
}

int32_t
SentencePieceModel::GetId(std::string_view piece) const
{
    for (const auto* ids : {&m_reserved, &m_ids})
    {
        const auto found = ids->find(piece);
        if (found != ids->end())
        {
            return found->second;
        }
    }
    return unknownToken;
}

int32_t
SentencePieceModel::Find(const std::string& piece) const
{
    const auto id = GetId(piece);
    return id == unknownToken && m_pieces[static_cast<std::size_t>(id)].text != piece ? -1 : id;
}

uint32_t
SentencePieceModel::GetSize() const
{
    return static_cast<uint32_t>(m_pieces.size());
}

const std::string&
SentencePieceModel::GetPiece(int32_t id) const
{
    return m_pieces.at(static_cast<std::size_t>(id)).text;
}

bool
SentencePieceModel::IsControl(int32_t id) const
{
    return m_pieces.at(static_cast<std::size_t>(id)).type == Type::CONTROL;
}

std::vector<int32_t>
SentencePieceModel::Encode(std::string_view text) const
{
    const auto normal = m_normalizer.Normalize(text);
    const auto cut = m_kind == Kind::UNIGRAM ? EncodeUnigram(normal)
                     : m_kind == Kind::BPE   ? EncodeBpe(normal)
                     : m_kind == Kind::WORD  ? EncodeWords(normal)
                                             : EncodeCharacters(normal);
    std::vector<int32_t> ids;
    bool wasUnknown = false;
    for (const auto& [piece, id] : cut)
    {
        const bool isUnknown = id == unknownToken;
        if (isUnknown && m_byteFallback)
        {
            for (const char byte : piece)
            {
                ids.push_back(m_bytes[static_cast<uint8_t>(byte)]);
            }
        }
        else if (!isUnknown || !wasUnknown) // several unknown pieces in a row are one
        {
            ids.push_back(id);
        }
        wasUnknown = isUnknown;
    }
    return ids;
}

std::string
SentencePieceModel::DecodePiece(int32_t id, bool isAtBegin, bool& hadSpace) const
{
    hadSpace = false;
    const auto& piece = m_pieces[static_cast<std::size_t>(id)];
    if (piece.type == Type::CONTROL)
    {
        return "";
    }
    if (piece.type == Type::UNKNOWN)
    {
        return m_unknownSurface;
    }
    std::string_view text = piece.text;
    const bool drops = m_normalizer.addsPrefix || m_normalizer.removesExtraSpaces;
    if (isAtBegin && drops && text.substr(0, SPACE_MARK.size()) == SPACE_MARK)
    {
        text.remove_prefix(SPACE_MARK.size());
        hadSpace = !m_normalizer.removesExtraSpaces;
    }
    std::string result;
    while (!text.empty())
    {
        const bool isSpace = text.substr(0, SPACE_MARK.size()) == SPACE_MARK;
        result += isSpace ? ' ' : text.front();
        text.remove_prefix(isSpace ? SPACE_MARK.size() : 1);
    }
    return result;
}

std::string
SentencePieceModel::Decode(const std::vector<int32_t>& ids) const
{
    std::string text;
    std::string bytes;
    bool isAtBegin = true;
    bool hadSpace = false;
    const auto flush = [&] {
        for (std::size_t i = 0; i < bytes.size();)
        {
            const auto begin = i;
            const bool isValid = NextCodePoint(bytes, i) != INVALID_CODE_POINT;
            text += isValid ? bytes.substr(begin, i - begin) : "\xef\xbf\xbd";
        }
        bytes.clear();
    };
    for (const auto id : ids)
    {
        if (id < 0 || static_cast<std::size_t>(id) >= m_pieces.size())
        {
            throw DataError("The token " + std::to_string(id) + " is outside the vocabulary of " +
                            std::to_string(m_pieces.size()) + " pieces.");
        }
        const auto& piece = m_pieces[static_cast<std::size_t>(id)];
        if (piece.type == Type::BYTE)
        {
            bytes += static_cast<char>(ParseByte(piece.text));
            continue;
        }
        flush();
        isAtBegin = isAtBegin && !hadSpace && text.empty();
        text += DecodePiece(id, isAtBegin, hadSpace);
    }
    flush();
    return m_hasDenormalizer ? m_denormalizer.Normalize(text) : text;
}

} // namespace collapipe
} // namespace ns3
