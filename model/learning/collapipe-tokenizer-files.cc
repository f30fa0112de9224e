/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tokenizer-files.h"

#include "collapipe-text-files.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;
using Files = std::map<std::string, std::string>;

/// Qwen2's words (its tokenization_qwen2.py); digits one by one
constexpr const char* QWEN2_PATTERN =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// @return a file's text; empty where it is not there
std::string
GetFile(const Files& files, const std::string& name)
{
    const auto found = files.find(name);
    return found == files.end() ? std::string() : found->second;
}

/// @return tokenizer_config.json; an empty object where it is not there
Json
GetSettings(const Files& files, const std::string& name)
{
    const auto text = GetFile(files, "tokenizer_config.json");
    return text.empty() ? Json::object()
                        : ParseTokenizerJson(text, name + "/tokenizer_config.json");
}

/// @return lines of a text, without their ends
std::vector<std::string>
SplitLines(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
    {
        if (!line.empty() && line.back() == '\r')
        {
            line.pop_back();
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

/// @return a flag of the settings; null and missing count as the default
bool
GetFlag(const Json& settings, const char* name, bool byDefault)
{
    const auto found = settings.find(name);
    return found != settings.end() && found->is_boolean() ? found->get<bool>() : byDefault;
}

Json
MakeByteLevelJson(const Files& files, const std::string& name)
{
    const auto settings = GetSettings(files, name);
    Json merges = Json::array();
    for (const auto& line : SplitLines(GetFile(files, "merges.txt")))
    {
        const auto space = line.find(' ');
        if (line.compare(0, 8, "#version") == 0 || line.empty())
        {
            continue;
        }
        if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos)
        {
            throw DataError("'" + name + "/merges.txt': '" + line + "' is no pair of pieces.");
        }
        merges.push_back({line.substr(0, space), line.substr(space + 1)});
    }
    const bool isQwen =
        settings.value("tokenizer_class", std::string()).compare(0, 5, "Qwen2") == 0;
    const Json bytes = {{"type", "ByteLevel"},
                        {"add_prefix_space", GetFlag(settings, "add_prefix_space", false)},
                        {"use_regex", !isQwen}};
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", QWEN2_PATTERN}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    return {{"model",
             {{"type", "BPE"},
              {"vocab", ParseTokenizerJson(GetFile(files, "vocab.json"), name + "/vocab.json")},
              {"merges", merges}}},
            {"normalizer", isQwen ? Json{{"type", "NFC"}} : Json()},
            {"pre_tokenizer",
             isQwen ? Json{{"type", "Sequence"}, {"pretokenizers", {split, bytes}}} : bytes},
            {"decoder", {{"type", "ByteLevel"}}}};
}

/// @return the post-processor of BERT
Json
MakeBertFrame(const Json& vocabulary)
{
    if (!vocabulary.contains("[CLS]") || !vocabulary.contains("[SEP]"))
    {
        return nullptr;
    }
    return {{"type", "BertProcessing"},
            {"cls", {"[CLS]", vocabulary.at("[CLS]")}},
            {"sep", {"[SEP]", vocabulary.at("[SEP]")}}};
}

Json
MakeWordPieceJson(const Files& files, const std::string& name)
{
    const auto settings = GetSettings(files, name);
    Json vocabulary = Json::object();
    int32_t id = 0;
    for (const auto& line : SplitLines(GetFile(files, "vocab.txt")))
    {
        if (!line.empty() && vocabulary.contains(line))
        {
            throw DataError("'" + name + "/vocab.txt', line " + std::to_string(id + 1) +
                            ": the piece '" + line + "' comes twice.");
        }
        if (FindInvalidUtf8(line) != std::string_view::npos)
        {
            throw DataError("'" + name + "/vocab.txt', line " + std::to_string(id + 1) +
                            ": this is no UTF-8.");
        }
        if (!line.empty())
        {
            vocabulary[line] = id;
        }
        ++id;
    }
    Json normalizer = {{"type", "BertNormalizer"},
                       {"lowercase", GetFlag(settings, "do_lower_case", true)},
                       {"handle_chinese_chars", GetFlag(settings, "tokenize_chinese_chars", true)},
                       {"clean_text", true},
                       {"whole_words", true}};
    if (settings.contains("strip_accents"))
    {
        normalizer["strip_accents"] = settings["strip_accents"];
    }
    const auto unknown = settings.contains("unk_token") && settings["unk_token"].is_string()
                             ? settings["unk_token"].get<std::string>()
                             : std::string("[UNK]");
    return {{"model",
             {{"type", "WordPiece"},
              {"vocab", vocabulary},
              {"unk_token", unknown},
              {"continuing_subword_prefix", "##"},
              {"max_input_chars_per_word", 100}}},
            {"normalizer", normalizer},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"post_processor", MakeBertFrame(vocabulary)},
            {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}}};
}

/// @return the vocabulary of a model: an object of ids by piece
TokenVocabulary
ReadVocabulary(const Json& json, const std::string& name)
{
    TokenVocabulary vocabulary;
    for (const auto& [piece, id] : json.items())
    {
        const bool isId =
            id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < TOKEN_ID_LIMIT;
        if (!isId || !vocabulary.Add(piece, id.get<int32_t>()))
        {
            throw DataError("'" + name + "': the piece '" + piece +
                            "' has an id that is none or another's.");
        }
    }
    return vocabulary;
}

/// @return a text that may be null or missing
std::string
GetText(const Json& json, const char* name)
{
    const auto found = json.find(name);
    return found == json.end() || found->is_null() ? std::string() : found->get<std::string>();
}

std::unique_ptr<TokenModel>
MakeBpeModel(const Json& json, const std::string& name)
{
    BpeModel::Options options;
    const auto unknown = GetText(json, "unk_token");
    if (!unknown.empty())
    {
        options.unknown = unknown;
    }
    options.fuseUnknown = GetFlag(json, "fuse_unk", false);
    options.byteFallback = GetFlag(json, "byte_fallback", false);
    options.ignoreMerges = GetFlag(json, "ignore_merges", false);
    options.continuingPrefix = GetText(json, "continuing_subword_prefix");
    options.endOfWordSuffix = GetText(json, "end_of_word_suffix");
    std::vector<std::pair<std::string, std::string>> merges;
    for (const auto& merge : json.at("merges"))
    {
        if (merge.is_array() && merge.size() == 2)
        {
            merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
            continue;
        }
        const auto text = merge.get<std::string>();
        const auto space = text.find(' ');
        if (space == std::string::npos)
        {
            throw DataError("'" + name + "': the merge '" + text + "' is no pair of pieces.");
        }
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
    return std::make_unique<BpeModel>(ReadVocabulary(json.at("vocab"), name),
                                      merges,
                                      std::move(options),
                                      name);
}

AddedToken
ReadAddedToken(const Json& json, int32_t id)
{
    AddedToken token;
    token.text = json.at("content").get<std::string>();
    token.id = id;
    token.isSpecial = GetFlag(json, "special", false);
    token.isNormalized = GetFlag(json, "normalized", !token.isSpecial);
    token.isWord = GetFlag(json, "single_word", false);
    token.stripsLeft = GetFlag(json, "lstrip", false);
    token.stripsRight = GetFlag(json, "rstrip", false);
    return token;
}

/// Adds a token in the place of another of the same id or text.
void
Insert(std::vector<AddedToken>& tokens, const AddedToken& token, const std::string& name)
{
    if (token.text.empty() || token.id < 0 || token.id >= TOKEN_ID_LIMIT)
    {
        throw DataError("'" + name + "': an added token is empty or has an id that is none.");
    }
    tokens.erase(std::remove_if(tokens.begin(),
                                tokens.end(),
                                [&](const auto& other) {
                                    return other.id == token.id || other.text == token.text;
                                }),
                 tokens.end());
    tokens.push_back(token);
}

} // namespace

Json
ParseTokenizerJson(const std::string& text, const std::string& name)
{
    const auto json = ParseBoundedJson<Json>(text, false);
    if (!json.is_object())
    {
        throw DataError("'" + name + "' is no JSON object, or too deep.");
    }
    return json;
}

Json
MakeTokenizerJson(const Files& files, const std::string& name)
{
    if (files.count("vocab.json") > 0 && files.count("merges.txt") > 0)
    {
        return MakeByteLevelJson(files, name);
    }
    return files.count("vocab.txt") > 0 ? MakeWordPieceJson(files, name) : Json();
}

std::unique_ptr<TokenModel>
MakeTokenModel(const Json& json, const std::string& name)
{
    auto type = GetText(json, "type");
    if (type.empty())
    {
        type = json.contains("merges") ? "BPE" : "WordPiece"; // files of before there was a type
    }
    if (type == "BPE")
    {
        return MakeBpeModel(json, name);
    }
    if (type == "WordPiece")
    {
        return std::make_unique<WordPieceModel>(
            ReadVocabulary(json.at("vocab"), name),
            json.value("unk_token", std::string("[UNK]")),
            json.value("continuing_subword_prefix", std::string("##")),
            json.value("max_input_chars_per_word", uint32_t{100}),
            name);
    }
    throw DataError("'" + name + "': the tokenizer model '" + type +
                    "' is not supported; known are BPE and WordPiece.");
}

std::map<TokenRole, std::string>
ReadTokenRoles(const Files& files, const std::string& name)
{
    const std::pair<const char*, TokenRole> fields[] = {{"unk_token", TokenRole::UNKNOWN},
                                                        {"bos_token", TokenRole::BEGIN},
                                                        {"eos_token", TokenRole::END},
                                                        {"pad_token", TokenRole::PAD},
                                                        {"cls_token", TokenRole::CLASSIFY},
                                                        {"sep_token", TokenRole::SEPARATE},
                                                        {"mask_token", TokenRole::MASK}};
    std::map<TokenRole, std::string> roles;
    for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"})
    {
        const auto text = GetFile(files, file);
        const auto json =
            text.empty() ? Json::object() : ParseTokenizerJson(text, name + "/" + file);
        for (const auto& [field, role] : fields)
        {
            const auto found = json.find(field);
            if (found == json.end() || found->is_null())
            {
                continue;
            }
            const auto token = found->is_object() ? found->value("content", Json()) : *found;
            if (!token.is_string())
            {
                throw DataError("'" + name + "/" + file + "': " + field +
                                " must be a text, or an object whose content is one.");
            }
            roles[role] = token.get<std::string>();
        }
    }
    return roles;
}

bool
GetTokenizerFlag(const Files& files, const char* setting, bool byDefault, const std::string& name)
{
    return GetFlag(GetSettings(files, name), setting, byDefault);
}

std::vector<AddedToken>
ListAddedTokens(const Files& files, const Json& json, const std::string& name)
{
    std::vector<AddedToken> tokens;
    if (json.is_object() && json.contains("added_tokens"))
    {
        for (const auto& token : json.at("added_tokens"))
        {
            Insert(tokens, ReadAddedToken(token, token.at("id").get<int32_t>()), name);
        }
    }
    if (files.count("tokenizer.json") > 0)
    {
        return tokens;
    }
    const auto added = GetFile(files, "added_tokens.json");
    if (!added.empty())
    {
        const auto map = ParseTokenizerJson(added, name + "/added_tokens.json");
        for (const auto& [text, id] : map.items())
        {
            Insert(tokens, {text, id.get<int32_t>(), false, true}, name);
        }
    }
    const auto settings = GetSettings(files, name);
    if (settings.contains("added_tokens_decoder"))
    {
        for (const auto& [id, token] : settings["added_tokens_decoder"].items())
        {
            const bool isNumber = !id.empty() && id.size() < 9 &&
                                  id.find_first_not_of("0123456789") == std::string::npos;
            Insert(tokens, ReadAddedToken(token, isNumber ? std::stoi(id) : -1), name);
        }
    }
    return tokens;
}

} // namespace collapipe
} // namespace ns3
