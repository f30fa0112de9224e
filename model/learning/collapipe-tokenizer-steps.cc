/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tokenizer-steps.h"

#include "collapipe-text-files.h"
#include "collapipe-unicode.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

/// The characters that bytes are written as, by byte, and back
struct ByteCharacters
{
    ByteCharacters()
    {
        char32_t next = 0x100;
        for (uint32_t byte = 0; byte < 256; ++byte)
        {
            const bool shows = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
                               (byte >= 0xae && byte <= 0xff);
            ofByte[byte] = shows ? byte : next++;
            byCharacter[ofByte[byte]] = static_cast<char>(byte);
        }
    }

    std::array<char32_t, 256> ofByte{};     //!< characters
    std::map<char32_t, char> byCharacter{}; //!< bytes
};

const ByteCharacters&
GetByteCharacters()
{
    static const ByteCharacters characters;
    return characters;
}

/**
 * @param c a character
 * @param likeAuthors as the authors of BERT do; Hugging Face's library leaves out U+2B820 to
 * U+2B91F
 * @return whether it counts as Chinese
 */
bool
IsChinese(char32_t c, bool likeAuthors)
{
    const char32_t lastBlock = likeAuthors ? 0x2b820 : 0x2b920;
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= lastBlock && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

std::string
CleanText(const std::string& text)
{
    std::u32string clean;
    for (const auto c : ToCodePoints(text))
    {
        const bool isBlank = c == '\t' || c == '\n' || c == '\r' || IsUnicodeSpace(c);
        const bool isKept = c == '\t' || c == '\n' || c == '\r' || !IsUnicodeOther(c);
        if (c != 0 && c != 0xfffd && isKept)
        {
            clean += isBlank ? U' ' : c;
        }
    }
    return ToUtf8(clean);
}

std::string
SeparateChinese(const std::string& text, bool likeAuthors)
{
    std::u32string separated;
    for (const auto c : ToCodePoints(text))
    {
        separated +=
            IsChinese(c, likeAuthors) ? std::u32string{U' ', c, U' '} : std::u32string(1, c);
    }
    return ToUtf8(separated);
}

std::string
StripNonspacing(const std::string& text)
{
    auto decomposed = ToCodePoints(Normalize(text, NormalForm::NFD));
    decomposed.erase(std::remove_if(decomposed.begin(), decomposed.end(), IsUnicodeNonspacing),
                     decomposed.end());
    return ToUtf8(decomposed);
}

std::string
LowerEach(const std::string& text)
{
    std::u32string lowered;
    for (const auto c : ToCodePoints(text))
    {
        lowered += ToLowerCharacter(c);
    }
    return ToUtf8(lowered);
}

/// @return a text without white space at either end
std::string
Strip(const std::string& text, bool left, bool right)
{
    const auto points = ToCodePoints(text);
    std::size_t begin = 0;
    std::size_t end = points.size();
    while (left && begin < end && IsUnicodeSpace(points[begin]))
    {
        ++begin;
    }
    while (right && end > begin && IsUnicodeSpace(points[end - 1]))
    {
        --end;
    }
    return ToUtf8(std::u32string_view(points).substr(begin, end - begin));
}

std::string
ReplaceAll(const std::string& text, const std::string& from, const std::string& to)
{
    std::string result;
    std::size_t begin = 0;
    for (auto at = text.find(from); !from.empty() && at != std::string::npos;
         at = text.find(from, begin))
    {
        result += text.substr(begin, at - begin) + to;
        begin = at + from.size();
    }
    return result + text.substr(begin);
}

std::string
ReplaceAll(const std::string& text, const UnicodePattern& pattern, const std::string& to)
{
    std::string result;
    std::size_t begin = 0;
    for (const auto& [first, last] : pattern.FindAll(text))
    {
        result += text.substr(begin, first - begin) + to;
        begin = last;
    }
    return result + text.substr(begin);
}

NormalizeStep
MakeReplaceStep(const Json& json)
{
    const auto content = json.at("content").get<std::string>();
    const auto& pattern = json.at("pattern");
    if (pattern.contains("String"))
    {
        const auto from = pattern.at("String").get<std::string>();
        return [=](const std::string& text) { return ReplaceAll(text, from, content); };
    }
    const UnicodePattern compiled(pattern.at("Regex").get<std::string>());
    return [=](const std::string& text) { return ReplaceAll(text, compiled, content); };
}

NormalizeStep
MakeBertStep(const Json& json)
{
    const bool lowers = json.value("lowercase", true);
    const auto accents = json.find("strip_accents");
    const bool strips = accents == json.end() || accents->is_null() ? lowers : accents->get<bool>();
    const bool cleans = json.value("clean_text", true);
    const bool separates = json.value("handle_chinese_chars", true);
    // The authors' own program is asked for where there is no tokenizer.json
    const bool likeAuthors = json.value("whole_words", false);
    return [=](const std::string& text) {
        return NormalizeLikeBert(text, cleans, separates, strips, lowers, likeAuthors);
    };
}

/// @return the step of a normalizer other than a sequence
NormalizeStep
MakeSimpleNormalizeStep(const std::string& type, const Json& json, const std::string& name)
{
    const std::map<std::string, NormalForm> forms = {{"NFC", NormalForm::NFC},
                                                     {"NFD", NormalForm::NFD},
                                                     {"NFKC", NormalForm::NFKC},
                                                     {"NFKD", NormalForm::NFKD}};
    if (forms.count(type) > 0)
    {
        const auto form = forms.at(type);
        return [form](const std::string& text) { return Normalize(text, form); };
    }
    if (type == "Lowercase")
    {
        return LowerEach;
    }
    if (type == "StripAccents")
    {
        const UnicodePattern marks("\\p{M}+");
        return [marks](const std::string& text) { return ReplaceAll(text, marks, ""); };
    }
    if (type == "Strip")
    {
        const bool left = json.value("strip_left", true);
        const bool right = json.value("strip_right", true);
        return [=](const std::string& text) { return Strip(text, left, right); };
    }
    if (type == "Prepend")
    {
        const auto prefix = json.at("prepend").get<std::string>();
        return [=](const std::string& text) { return text.empty() ? text : prefix + text; };
    }
    if (type == "Replace")
    {
        return MakeReplaceStep(json);
    }
    if (type == "BertNormalizer")
    {
        return MakeBertStep(json);
    }
    throw DataError("'" + name + "': the normalizer '" + type + "' is not supported.");
}

/// What BERT's decoder mends of a piece with the space before it
std::string
CleanUp(std::string text)
{
    const std::pair<const char*, const char*> changes[] = {{" .", "."},
                                                           {" ?", "?"},
                                                           {" !", "!"},
                                                           {" ,", ","},
                                                           {" ' ", "'"},
                                                           {" n't", "n't"},
                                                           {" 'm", "'m"},
                                                           {" do not", " don't"},
                                                           {" 's", "'s"},
                                                           {" 've", "'ve"},
                                                           {" 're", "'re"}};
    for (const auto& [from, to] : changes)
    {
        text = ReplaceAll(text, from, to);
    }
    return text;
}

std::vector<std::string>
DecodeByteLevel(const std::vector<std::string>& pieces)
{
    std::string bytes;
    for (const auto& piece : pieces)
    {
        if (!DecodeBytes(piece, bytes))
        {
            bytes += piece; // an added token
        }
    }
    return {ReplaceInvalidUtf8(bytes)};
}

DecodeStep
MakeWordPieceDecodeStep(const Json& json)
{
    const auto prefix = json.value("prefix", std::string("##"));
    const bool cleans = json.value("cleanup", true);
    return [=](std::vector<std::string> pieces) {
        for (std::size_t i = 0; i < pieces.size(); ++i)
        {
            if (i > 0)
            {
                const bool isInside = pieces[i].compare(0, prefix.size(), prefix) == 0;
                pieces[i] = isInside ? pieces[i].substr(prefix.size()) : " " + pieces[i];
            }
            pieces[i] = cleans ? CleanUp(pieces[i]) : pieces[i];
        }
        return pieces;
    };
}

/// @return whether a piece stands for a byte, which is appended
bool
TakeBytePiece(const std::string& piece, std::string& bytes)
{
    if (piece.size() != 6 || piece.compare(0, 3, "<0x") != 0 || piece[5] != '>')
    {
        return false;
    }
    const auto digits = piece.substr(3, 2);
    if (digits.find_first_not_of("0123456789ABCDEFabcdef") != std::string::npos)
    {
        return false;
    }
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    return true;
}

std::vector<std::string>
DecodeByteFallback(const std::vector<std::string>& pieces)
{
    std::vector<std::string> result;
    std::string bytes;
    const auto flush = [&] {
        const bool isValid = FindInvalidUtf8(bytes) == std::string_view::npos;
        for (std::size_t i = 0; !isValid && i < bytes.size(); ++i)
        {
            result.emplace_back("\xef\xbf\xbd");
        }
        if (isValid && !bytes.empty())
        {
            result.push_back(bytes);
        }
        bytes.clear();
    };
    for (const auto& piece : pieces)
    {
        if (!TakeBytePiece(piece, bytes))
        {
            flush();
            result.push_back(piece);
        }
    }
    flush();
    return result;
}

DecodeStep
MakeStripDecodeStep(const Json& json)
{
    const auto content = json.at("content").get<std::string>();
    const auto start = json.value("start", uint64_t{0});
    const auto stop = json.value("stop", uint64_t{0});
    return [=](std::vector<std::string> pieces) {
        for (auto& piece : pieces)
        {
            const auto size = content.size();
            for (uint64_t i = 0; i < start && size > 0 && piece.compare(0, size, content) == 0; ++i)
            {
                piece.erase(0, size);
            }
            for (uint64_t i = 0; i < stop && size > 0 && piece.size() >= size &&
                                 piece.compare(piece.size() - size, size, content) == 0;
                 ++i)
            {
                piece.erase(piece.size() - size);
            }
        }
        return pieces;
    };
}

DecodeStep
MakeMetaspaceDecodeStep(const Json& json)
{
    const auto mark = json.value("replacement", std::string("\xe2\x96\x81"));
    const bool prepends = json.value("prepend_scheme", std::string("always")) != "never" &&
                          json.value("add_prefix_space", true);
    return [=](std::vector<std::string> pieces) {
        for (std::size_t i = 0; i < pieces.size(); ++i)
        {
            const bool isDropped =
                i == 0 && prepends && pieces[i].compare(0, mark.size(), mark) == 0;
            pieces[i] =
                ReplaceAll(isDropped ? pieces[i].substr(mark.size()) : pieces[i], mark, " ");
        }
        return pieces;
    };
}

DecodeStep
MakeSuffixDecodeStep(const Json& json)
{
    const auto suffix = json.value("suffix", std::string("</w>"));
    return [=](std::vector<std::string> pieces) {
        for (std::size_t i = 0; i < pieces.size(); ++i)
        {
            pieces[i] = ReplaceAll(pieces[i], suffix, i + 1 < pieces.size() ? " " : "");
        }
        return pieces;
    };
}

std::vector<std::string>
Fuse(const std::vector<std::string>& pieces)
{
    std::string text;
    for (const auto& piece : pieces)
    {
        text += piece;
    }
    return {text};
}

/// @return the step of a decoder other than a sequence
DecodeStep
MakeSimpleDecodeStep(const std::string& type, const Json& json, const std::string& name)
{
    if (type == "ByteLevel")
    {
        return DecodeByteLevel;
    }
    if (type == "WordPiece")
    {
        return MakeWordPieceDecodeStep(json);
    }
    if (type == "ByteFallback")
    {
        return DecodeByteFallback;
    }
    if (type == "Fuse")
    {
        return Fuse;
    }
    if (type == "Strip")
    {
        return MakeStripDecodeStep(json);
    }
    if (type == "Replace")
    {
        const auto replace = MakeReplaceStep(json);
        return [=](std::vector<std::string> pieces) {
            std::transform(pieces.begin(), pieces.end(), pieces.begin(), replace);
            return pieces;
        };
    }
    if (type == "Metaspace")
    {
        return MakeMetaspaceDecodeStep(json);
    }
    if (type == "BPEDecoder")
    {
        return MakeSuffixDecodeStep(json);
    }
    throw DataError("'" + name + "': the decoder '" + type + "' is not supported.");
}

/// Pieces with spaces between: what is done where a file names no decoder
std::vector<std::string>
JoinWithSpaces(std::vector<std::string> pieces)
{
    for (std::size_t i = 1; i < pieces.size(); ++i)
    {
        pieces[i].insert(0, " ");
    }
    return pieces;
}

} // namespace

std::string
EncodeBytes(const std::string& bytes)
{
    std::string text;
    for (const char byte : bytes)
    {
        AppendCodePoint(text, GetByteCharacters().ofByte[static_cast<uint8_t>(byte)]);
    }
    return text;
}

bool
DecodeBytes(const std::string& text, std::string& bytes)
{
    const auto& known = GetByteCharacters().byCharacter;
    std::string result;
    for (const auto c : ToCodePoints(text))
    {
        const auto found = known.find(c);
        if (found == known.end())
        {
            return false;
        }
        result += found->second;
    }
    bytes += result;
    return true;
}

std::string
NormalizeLikeBert(const std::string& text,
                  bool cleans,
                  bool separatesChinese,
                  bool stripsAccents,
                  bool lowers,
                  bool likeAuthors)
{
    auto result = cleans ? CleanText(text) : text;
    result = separatesChinese ? SeparateChinese(result, likeAuthors) : result;
    if (lowers && likeAuthors)
    {
        result = ToLowerText(result);
    }
    result = stripsAccents ? StripNonspacing(result) : result;
    return lowers && !likeAuthors ? LowerEach(result) : result;
}

NormalizeStep
MakeNormalizeStep(const Json& json, const std::string& name)
{
    if (json.is_null())
    {
        return [](const std::string& text) { return text; };
    }
    const auto type = json.at("type").get<std::string>();
    if (type != "Sequence")
    {
        return MakeSimpleNormalizeStep(type, json, name);
    }
    std::vector<NormalizeStep> steps;
    for (const auto& part : json.at("normalizers"))
    {
        steps.push_back(MakeNormalizeStep(part, name));
    }
    return [steps](std::string text) {
        for (const auto& step : steps)
        {
            text = step(text);
        }
        return text;
    };
}

DecodeStep
MakeDecodeStep(const Json& json, const std::string& name)
{
    if (json.is_null())
    {
        return JoinWithSpaces;
    }
    const auto type = json.at("type").get<std::string>();
    if (type != "Sequence")
    {
        return MakeSimpleDecodeStep(type, json, name);
    }
    std::vector<DecodeStep> steps;
    for (const auto& part : json.at("decoders"))
    {
        steps.push_back(MakeDecodeStep(part, name));
    }
    return [steps](std::vector<std::string> pieces) {
        for (const auto& step : steps)
        {
            pieces = step(std::move(pieces));
        }
        return pieces;
    };
}

} // namespace collapipe
} // namespace ns3
