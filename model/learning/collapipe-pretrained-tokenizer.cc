/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pretrained-tokenizer.h"

#include "collapipe-added-tokens.h"
#include "collapipe-sentencepiece.h"
#include "collapipe-text-files.h"
#include "collapipe-tokenizer-steps.h"
#include "collapipe-unicode.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;
using Json = nlohmann::json;

/// Files that a tokenizer is made of, the first of these that is there
constexpr const char* MAIN_FILES[] = {"tokenizer.json",
                                      "tokenizer.model",
                                      "vocab.json",
                                      "vocab.txt"};
/// Files that belong to them
constexpr const char* OTHER_FILES[] = {"merges.txt",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "added_tokens.json"};

/// Part of a framed sequence: a text or a special token
struct FramePart
{
    int text{-1};               //!< 0 the first, 1 the second, -1 a token
    std::vector<int32_t> ids{}; //!< of the token
    uint8_t segment{0};         //!< of both
};

/// How sequences are framed: of one text, of two
struct Frames
{
    std::vector<FramePart> single{{0, {}, 0}};
    std::vector<FramePart> pair{{0, {}, 0}, {1, {}, 1}};
};

std::vector<FramePart>
ReadTemplate(const Json& parts, const Json& tokens)
{
    std::vector<FramePart> frame;
    for (const auto& part : parts)
    {
        const bool isText = part.contains("Sequence");
        const auto& content = part.at(isText ? "Sequence" : "SpecialToken");
        FramePart next;
        next.segment = content.at("type_id").get<uint8_t>();
        const auto id = content.at("id").get<std::string>();
        if (isText)
        {
            next.text = id == "B" ? 1 : 0;
        }
        else
        {
            next.ids = tokens.at(id).at("ids").get<std::vector<int32_t>>();
        }
        frame.push_back(std::move(next));
    }
    return frame;
}

/// Reads `post_processor` of a tokenizer.json.
void
ReadFrames(const Json& json, const std::string& name, Frames& frames)
{
    if (json.is_null())
    {
        return;
    }
    const auto type = json.at("type").get<std::string>();
    if (type == "Sequence")
    {
        for (const auto& part : json.at("processors"))
        {
            ReadFrames(part, name, frames);
        }
    }
    else if (type == "TemplateProcessing")
    {
        frames.single = ReadTemplate(json.at("single"), json.at("special_tokens"));
        frames.pair = ReadTemplate(json.at("pair"), json.at("special_tokens"));
    }
    else if (type == "BertProcessing" || type == "RobertaProcessing")
    {
        const FramePart first{-1, {json.at("cls").at(1).get<int32_t>()}, 0};
        const FramePart last{-1, {json.at("sep").at(1).get<int32_t>()}, 0};
        frames.single = {first, {0, {}, 0}, last};
        if (type == "BertProcessing")
        {
            frames.pair = {first, {0, {}, 0}, last, {1, {}, 1}, {-1, last.ids, 1}};
        }
        else
        {
            frames.pair = {first, {0, {}, 0}, last, last, {1, {}, 0}, last};
        }
    }
    else if (type != "ByteLevel")
    {
        throw DataError("'" + name + "': the post_processor '" + type + "' is not supported.");
    }
}

/// @return one more than the largest id of frames' tokens
uint32_t
CountFrameIds(const Frames& frames, const std::string& name)
{
    uint32_t count = 0;
    for (const auto* frame : {&frames.single, &frames.pair})
    {
        for (const auto& part : *frame)
        {
            for (const auto id : part.ids)
            {
                if (id < 0)
                {
                    throw DataError("'" + name + "': the post_processor adds the token " +
                                    std::to_string(id) + ", which there cannot be.");
                }
                count = std::max(count, static_cast<uint32_t>(id) + 1);
            }
        }
    }
    return count;
}

PretrainedTokenizer::Framed
ApplyFrame(const std::vector<FramePart>& frame,
           const std::vector<int32_t>& first,
           const std::vector<int32_t>* second)
{
    PretrainedTokenizer::Framed framed;
    for (const auto& part : frame)
    {
        const auto& ids = part.text == 0 ? first : part.text == 1 && second ? *second : part.ids;
        framed.tokens.insert(framed.tokens.end(), ids.begin(), ids.end());
        framed.segments.resize(framed.tokens.size(), part.segment);
    }
    return framed;
}

/// A tokenizer in the form of tokenizer.json
class StepTokenizer : public PretrainedTokenizer
{
  public:
    StepTokenizer(const Files& files, const Json& json, const std::string& name)
        : PretrainedTokenizer(files, name),
          m_normalize(MakeNormalizeStep(json.value("normalizer", Json()), name)),
          m_split(MakeSplitStep(json.value("pre_tokenizer", Json()), name)),
          m_decode(MakeDecodeStep(json.value("decoder", Json()), name)),
          m_model(MakeTokenModel(json.at("model"), name))
    {
        ReadFrames(json.value("post_processor", Json()), name, m_frames);
        m_size = std::max(m_model->GetVocabulary().GetSize(), CountFrameIds(m_frames, name));
        for (const auto& token : ListAddedTokens(files, json, name))
        {
            AddToken(token);
        }
        AssignRoles(files, json.at("model").value("type", std::string("BPE")) == "WordPiece");
    }

    uint32_t GetVocabularySize() const override
    {
        return m_size;
    }

    Framed Frame(const std::vector<int32_t>& first,
                 const std::vector<int32_t>* second) const override
    {
        return ApplyFrame(second ? m_frames.pair : m_frames.single, first, second);
    }

    std::vector<int32_t> Encode(const std::string& given) const override
    {
        std::vector<int32_t> ids;
        const auto text = ReplaceInvalidUtf8(given);
        for (const auto& section : m_raw.Split(text))
        {
            if (section.id >= 0)
            {
                ids.push_back(section.id);
                continue;
            }
            const auto normal =
                m_normalize(text.substr(section.begin, section.end - section.begin));
            for (const auto& part : m_normalized.Split(normal))
            {
                const bool isFirst = section.begin == 0 && part.begin == 0;
                EncodeSection({normal.substr(part.begin, part.end - part.begin), isFirst},
                              part.id,
                              ids);
            }
        }
        return ids;
    }

    std::string Decode(const std::vector<int32_t>& ids, bool keepsSpecial) const override
    {
        std::vector<std::string> pieces;
        for (const auto id : ids)
        {
            const auto added = m_added.find(id);
            if (added != m_added.end())
            {
                if (keepsSpecial || m_special.count(id) == 0)
                {
                    pieces.push_back(added->second);
                }
                continue;
            }
            const auto* piece = m_model->GetVocabulary().GetPiece(id);
            if (!piece)
            {
                throw DataError("The token " + std::to_string(id) +
                                " is not in the vocabulary of '" + m_name + "'.");
            }
            pieces.push_back(*piece);
        }
        std::string text;
        for (const auto& piece : m_decode(std::move(pieces)))
        {
            text += piece;
        }
        return text;
    }

  private:
    void EncodeSection(const TextPiece& section, int32_t id, std::vector<int32_t>& ids) const
    {
        if (id >= 0)
        {
            ids.push_back(id);
            return;
        }
        for (const auto& word : m_split(section))
        {
            if (!word.text.empty())
            {
                m_model->Tokenize(word.text, ids);
            }
        }
    }

    void AddToken(AddedToken token)
    {
        const auto known = m_model->GetVocabulary().Find(token.text);
        const auto* piece = m_model->GetVocabulary().GetPiece(token.id);
        if ((known && *known != token.id) || (piece && *piece != token.text))
        {
            throw DataError("'" + m_name + "': the added token '" + token.text +
                            "' has the id of another.");
        }
        m_added[token.id] = token.text;
        m_addedIds[token.text] = token.id;
        m_size = std::max(m_size, static_cast<uint32_t>(token.id) + 1);
        if (token.isSpecial)
        {
            m_special.insert(token.id);
        }
        if (token.isNormalized)
        {
            token.text = m_normalize(token.text);
        }
        if (!token.text.empty())
        {
            (token.isNormalized ? m_normalized : m_raw).Add(token);
        }
    }

    int32_t FindPiece(const std::string& piece) const
    {
        const auto added = m_addedIds.find(piece);
        return added != m_addedIds.end() ? added->second
                                         : m_model->GetVocabulary().Find(piece).value_or(-1);
    }

    void AssignRoles(const Files& files, bool isWordPiece)
    {
        // What models are known to call them, where no file says so
        const std::pair<TokenRole, const char*> habits[] = {{TokenRole::CLASSIFY, "[CLS]"},
                                                            {TokenRole::SEPARATE, "[SEP]"},
                                                            {TokenRole::UNKNOWN, "[UNK]"},
                                                            {TokenRole::PAD, "[PAD]"},
                                                            {TokenRole::MASK, "[MASK]"},
                                                            {TokenRole::BEGIN, "<|endoftext|>"},
                                                            {TokenRole::END, "<|endoftext|>"},
                                                            {TokenRole::UNKNOWN, "<|endoftext|>"}};
        auto roles = ReadTokenRoles(files, m_name);
        for (const auto& [role, text] : habits)
        {
            // A piece that byte pairs happen to have been merged into is no special token
            const bool isHabitual =
                isWordPiece || *text != '[' || m_addedIds.count(std::string(text)) > 0;
            if (roles.count(role) == 0 && isHabitual && FindPiece(text) >= 0)
            {
                roles[role] = text;
            }
        }
        for (const auto& [role, text] : roles)
        {
            const auto id = FindPiece(text);
            if (id >= 0)
            {
                m_roles[role] = id;
                if (m_added.count(id) == 0)
                {
                    AddToken({text, id});
                }
                m_special.insert(id);
            }
        }
    }

    NormalizeStep m_normalize;                   //!< of the whole text
    SplitStep m_split;                           //!< into words
    DecodeStep m_decode;                         //!< of pieces
    std::unique_ptr<TokenModel> m_model;         //!< of words
    Frames m_frames{};                           //!< of sequences
    AddedTokenFinder m_raw{};                    //!< in the text as it is
    AddedTokenFinder m_normalized{};             //!< in the normalised text
    std::map<int32_t, std::string> m_added{};    //!< by id
    std::map<std::string, int32_t> m_addedIds{}; //!< by text
    std::set<int32_t> m_special{};               //!< that decoding leaves out
    uint32_t m_size{0};                          //!< the largest id and one
};

/// A tokenizer of SentencePiece
class SentencePieceTokenizer : public PretrainedTokenizer
{
  public:
    SentencePieceTokenizer(const Files& files, const std::string& name)
        : PretrainedTokenizer(files, name),
          m_model(files.at("tokenizer.model"), name + "/tokenizer.model"),
          m_size(m_model.GetSize())
    {
        for (const auto& token : ListAddedTokens(files, Json(), name))
        {
            m_finder.Add(token);
            m_added[token.id] = token;
            m_size = std::max(m_size, static_cast<uint32_t>(token.id) + 1);
        }
        m_roles = {{TokenRole::UNKNOWN, m_model.unknownToken},
                   {TokenRole::BEGIN, m_model.beginToken},
                   {TokenRole::END, m_model.endToken},
                   {TokenRole::PAD, m_model.padToken}};
        for (const auto& [role, text] : ReadTokenRoles(files, name))
        {
            m_roles[role] = FindPiece(text);
        }
        // transformers' LlamaTokenizer begins a text unless it is told not to.
        const bool begins = GetTokenizerFlag(files, "add_bos_token", true, name);
        const bool ends = GetTokenizerFlag(files, "add_eos_token", false, name);
        const auto frame = [&](uint8_t segment, std::vector<FramePart>& parts) {
            const auto begin = GetToken(TokenRole::BEGIN);
            const auto end = GetToken(TokenRole::END);
            parts.push_back({-1, std::vector<int32_t>(begins && begin >= 0, begin), segment});
            parts.push_back({segment, {}, segment});
            parts.push_back({-1, std::vector<int32_t>(ends && end >= 0, end), segment});
        };
        m_frames.single.clear();
        m_frames.pair.clear();
        frame(0, m_frames.single);
        frame(0, m_frames.pair);
        frame(1, m_frames.pair);
    }

    uint32_t GetVocabularySize() const override
    {
        return m_size;
    }

    Framed Frame(const std::vector<int32_t>& first,
                 const std::vector<int32_t>* second) const override
    {
        return ApplyFrame(second ? m_frames.pair : m_frames.single, first, second);
    }

    std::vector<int32_t> Encode(const std::string& text) const override
    {
        if (m_added.empty())
        {
            return m_model.Encode(text);
        }
        std::vector<int32_t> ids;
        for (const auto& section : m_finder.Split(text))
        {
            if (section.id >= 0)
            {
                ids.push_back(section.id);
                continue;
            }
            const auto part =
                m_model.Encode(text.substr(section.begin, section.end - section.begin));
            ids.insert(ids.end(), part.begin(), part.end());
        }
        return ids;
    }

    std::string Decode(const std::vector<int32_t>& ids, bool keepsSpecial) const override
    {
        std::string text;
        std::vector<int32_t> run; // of the model's own pieces
        const auto flush = [&] {
            text += m_model.Decode(run);
            run.clear();
        };
        for (const auto id : ids)
        {
            const auto added = m_added.find(id);
            const bool isAdded = added != m_added.end();
            const bool isControl = !isAdded && id >= 0 &&
                                   static_cast<uint32_t>(id) < m_model.GetSize() &&
                                   m_model.IsControl(id);
            if (!isAdded && !isControl)
            {
                run.push_back(id);
            }
            else if (keepsSpecial || (isAdded && !added->second.isSpecial))
            {
                flush();
                text += isAdded ? added->second.text : m_model.GetPiece(id);
            }
        }
        flush();
        return text;
    }

  private:
    int32_t FindPiece(const std::string& piece) const
    {
        for (const auto& [id, token] : m_added)
        {
            if (token.text == piece)
            {
                return id;
            }
        }
        return m_model.Find(piece);
    }

    SentencePieceModel m_model;              //!< of texts
    AddedTokenFinder m_finder{};             //!< of added tokens
    std::map<int32_t, AddedToken> m_added{}; //!< by id
    Frames m_frames{};                       //!< of sequences
    uint32_t m_size;                         //!< the largest id and one
};

} // namespace

PretrainedTokenizer::PretrainedTokenizer(Files files, std::string name)
    : m_files(std::move(files)),
      m_name(std::move(name))
{
}

const Files&
PretrainedTokenizer::GetFiles() const
{
    return m_files;
}

int32_t
PretrainedTokenizer::GetToken(TokenRole role) const
{
    const auto found = m_roles.find(role);
    return found == m_roles.end() ? -1 : found->second;
}

void
PretrainedTokenizer::CheckVocabulary(uint32_t rows) const
{
    if (GetVocabularySize() > rows)
    {
        throw DataError("'" + m_name + "': the tokenizer's ids go up to " +
                        std::to_string(GetVocabularySize() - 1) + ", but the model has only " +
                        std::to_string(rows) + " tokens.");
    }
}

bool
PretrainedTokenizer::IsIn(const std::string& folder)
{
    return std::any_of(std::begin(MAIN_FILES), std::end(MAIN_FILES), [&](const char* file) {
        std::error_code error;
        return fs::exists(fs::path(folder) / file, error);
    });
}

std::shared_ptr<const PretrainedTokenizer>
PretrainedTokenizer::Read(const std::string& folder)
{
    Files files;
    bool hasMain = false;
    const auto take = [&](const char* file) {
        const auto path = fs::path(folder) / file;
        std::error_code error;
        const bool isThere = fs::exists(path, error);
        if (isThere)
        {
            files[file] = ReadFileBytes(path.string());
        }
        return isThere;
    };
    for (const char* file : MAIN_FILES)
    {
        hasMain = hasMain || take(file);
    }
    for (const char* file : OTHER_FILES)
    {
        take(file);
    }
    return FromFiles(files, folder);
}

std::shared_ptr<const PretrainedTokenizer>
PretrainedTokenizer::FromFiles(const Files& files, const std::string& name)
{
    try
    {
        if (files.count("tokenizer.json") > 0)
        {
            const auto json =
                ParseTokenizerJson(files.at("tokenizer.json"), name + "/tokenizer.json");
            return std::make_shared<StepTokenizer>(files, json, name);
        }
        if (files.count("tokenizer.model") > 0)
        {
            return std::make_shared<SentencePieceTokenizer>(files, name);
        }
        const auto json = MakeTokenizerJson(files, name);
        if (!json.is_null())
        {
            return std::make_shared<StepTokenizer>(files, json, name);
        }
    }
    catch (const Json::exception& error)
    {
        const std::string what = error.what(); // begins with the library's name for it, in brackets
        throw DataError("'" + name + "': the tokenizer's files are damaged:" +
                        what.substr(what.find(']') + 1) + ".");
    }
    throw DataError("'" + name +
                    "' has no tokenizer: no tokenizer.json, tokenizer.model, vocab.json "
                    "with merges.txt, or vocab.txt.");
}

} // namespace collapipe
} // namespace ns3
