/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Tokenizers of pretrained models: small vocabularies by hand, the steps one by one, broken files.
// Real vocabularies and independent programs: test/program/tokenizer-test.py.

#include "gtest/collapipe-temporary-folder.h"
#include "gtest/collapipe-test-data.h"

#include "ns3/collapipe-pretrained-tokenizer.h"
#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-tokenizer-steps.h"
#include "ns3/collapipe-unicode.h"

#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

using namespace ns3::collapipe;
using nlohmann::json;

namespace
{

using Ids = std::vector<int32_t>;
using Files = std::map<std::string, std::string>;

std::string
Complain(const std::function<void()>& call)
{
    try
    {
        call();
    }
    catch (const DataError& error)
    {
        return error.what();
    }
    return "";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

/// @return the words that a step makes of a text
std::vector<std::string>
Cut(const json& step, const std::string& text)
{
    std::vector<std::string> words;
    for (const auto& piece : MakeSplitStep(step, "t")({text, true}))
    {
        words.push_back(piece.text);
    }
    return words;
}

std::string
Normal(const json& step, const std::string& text)
{
    return MakeNormalizeStep(step, "t")(text);
}

std::string
Decoded(const json& step, const std::vector<std::string>& pieces)
{
    std::string text;
    for (const auto& piece : MakeDecodeStep(step, "t")(pieces))
    {
        text += piece;
    }
    return text;
}

using Words = std::vector<std::string>;

const Files BERT = {
    {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhe\n##llo\n,\nworld\n##s\n\xe4\xbd\xa0\n"}};

/// A byte-level vocabulary of all bytes and a few merges
Files
MakeByteLevel()
{
    json vocabulary;
    for (int byte = 0; byte < 256; ++byte)
    {
        vocabulary[EncodeBytes(std::string(1, static_cast<char>(byte)))] = byte;
    }
    const std::string space = EncodeBytes(" ");
    vocabulary["he"] = 256;
    vocabulary["ll"] = 257;
    vocabulary["hell"] = 258;
    vocabulary[space + "w"] = 259;
    vocabulary["<|endoftext|>"] = 260;
    return {{"vocab.json", vocabulary.dump()},
            {"merges.txt", "#version: 0.2\nh e\nl l\nhe ll\n" + space + " w\n"}};
}

} // namespace

TEST(PretrainedTokenizer, CutsWordPiecesAsBertDoes)
{
    const auto tokenizer = PretrainedTokenizer::FromFiles(BERT, "bert");
    EXPECT_EQ(tokenizer->GetVocabularySize(), 11U);
    const auto ids = tokenizer->Encode("H\xc3\xa9LLO,  Worlds\xe4\xbd\xa0 x [MASK]");
    EXPECT_EQ(ids, (Ids{5, 6, 7, 8, 9, 10, 1, 4}));
    const auto framed = tokenizer->Frame(Ids{5, 6}, nullptr);
    EXPECT_EQ(framed.tokens, (Ids{2, 5, 6, 3}));
    const Ids second{8};
    const auto pair = tokenizer->Frame(Ids{5, 6}, &second);
    EXPECT_EQ(pair.tokens, (Ids{2, 5, 6, 3, 8, 3}));
    EXPECT_EQ(pair.segments, (std::vector<uint8_t>{0, 0, 0, 0, 1, 1}));
    EXPECT_EQ(tokenizer->Decode({2, 5, 6, 7, 8, 3, 0}), "hello, world");
    EXPECT_EQ(tokenizer->GetToken(TokenRole::MASK), 4);
    EXPECT_EQ(tokenizer->GetToken(TokenRole::BEGIN), -1);
    EXPECT_EQ(tokenizer->Encode(""), Ids{});
}

TEST(PretrainedTokenizer, KeepsCaseAndAccentsWhereAModelIsCased)
{
    auto files = BERT;
    files["vocab.txt"] += "\xc3\x89t\xc3\xa9\n";
    files["tokenizer_config.json"] = R"({"do_lower_case":false})";
    const auto tokenizer = PretrainedTokenizer::FromFiles(files, "bert");
    EXPECT_EQ(tokenizer->Encode("\xc3\x89t\xc3\xa9 He"), (Ids{11, 1}));
}

TEST(PretrainedTokenizer, MergesBytesAndGivesEveryTextBack)
{
    const auto tokenizer = PretrainedTokenizer::FromFiles(MakeByteLevel(), "gpt2");
    EXPECT_EQ(tokenizer->Encode("hell"), Ids{258});
    EXPECT_EQ(tokenizer->Encode("hello w<|endoftext|>"), (Ids{258, 'o', 259, 260}));
    EXPECT_EQ(tokenizer->GetToken(TokenRole::END), 260);
    std::mt19937 random(1);
    for (int i = 0; i < 300; ++i)
    {
        std::u32string text;
        for (auto n = random() % 30; n > 0; --n)
        {
            const char32_t c = random() % 3 == 0 ? random() % 0x110000 : random() % 0x80;
            text += c >= 0xd800 && c < 0xe000 ? U' ' : c;
        }
        EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(ToUtf8(text))), ToUtf8(text));
    }
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\xff\xc3z")), "a\xef\xbf\xbd\xef\xbf\xbdz");
    EXPECT_EQ(tokenizer->Decode({'a', 0xc3}), "a\xef\xbf\xbd") << "half a character";
    EXPECT_EQ(tokenizer->Decode({'a', 260, 'b'}), "ab");
    EXPECT_EQ(tokenizer->Decode({'a', 260, 'b'}, true), "a<|endoftext|>b");
    EXPECT_THROW(tokenizer->Decode({261}), DataError);
    EXPECT_THROW(tokenizer->Decode({-1}), DataError);
}

TEST(PretrainedTokenizer, ReadsTokenizerJson)
{
    auto vocabulary = json::parse(MakeByteLevel().at("vocab.json"));
    vocabulary.erase("<|endoftext|>");
    const json file = {
        {"added_tokens",
         {{{"id", 300}, {"content", "<s>"}, {"special", true}},
          {{"id", 301}, {"content", "<x>"}, {"special", false}, {"lstrip", true}, {"rstrip", true}},
          {{"id", 302},
           {"content", "cat"},
           {"special", false},
           {"single_word", true},
           {"normalized", false}}}},
        {"normalizer", {{"type", "NFC"}}},
        {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
        {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"h e", "l l", "he ll"}}}},
        {"post_processor",
         {{"type", "TemplateProcessing"},
          {"single",
           {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
            {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
          {"pair",
           {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
            {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {300}}, {"tokens", {"<s>"}}}}}}}},
        {"decoder", {{"type", "ByteLevel"}}}};
    const Files files = {{"tokenizer.json", file.dump()},
                         {"tokenizer_config.json", R"({"bos_token":{"content":"<s>"}})"}};
    const auto tokenizer = PretrainedTokenizer::FromFiles(files, "t");
    EXPECT_EQ(tokenizer->GetVocabularySize(), 303U);
    EXPECT_EQ(tokenizer->GetToken(TokenRole::BEGIN), 300);
    EXPECT_EQ(tokenizer->Frame(tokenizer->Encode("hell")).tokens, (Ids{300, 258}));
    EXPECT_EQ(tokenizer->Encode("a  <x> b"), (Ids{'a', 301, 'b'}))
        << "white space beside it is its own";
    EXPECT_EQ(tokenizer->Encode("cat cats"), (Ids{302, ' ', 'c', 'a', 't', 's'}))
        << "not inside a word";
    EXPECT_EQ(tokenizer->Encode("e\xcc\x81"), (Ids{0xc3, 0xa9})) << "composed first";
}

TEST(PretrainedTokenizer, CutsByEveryPatternThatModelsUse)
{
    const json gpt2 = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    const auto space = EncodeBytes(" ");
    EXPECT_EQ(Cut(gpt2, "I'll  go 12ab!?"),
              (Words{"I", "'ll", space, space + "go", space + "12", "ab", "!?"}));
    const json llama = {
        {"type", "Split"},
        {"pattern",
         {{"Regex",
           R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}}},
        {"behavior", "Isolated"}};
    EXPECT_EQ(Cut(llama, "I'LL 12345 a!\n\n  b"),
              (Words{"I", "'LL", " ", "123", "45", " a", "!\n\n", " ", " b"}));
    EXPECT_EQ(Cut({{"type", "Digits"}, {"individual_digits", true}}, "a12b"),
              (Words{"a", "1", "2", "b"}));
    EXPECT_EQ(Cut({{"type", "Digits"}}, "a12b"), (Words{"a", "12", "b"}));
    EXPECT_EQ(Cut({{"type", "BertPreTokenizer"}}, " a,b  c"), (Words{"a", ",", "b", "c"}));
    EXPECT_EQ(Cut({{"type", "WhitespaceSplit"}}, " a,b  c"), (Words{"a,b", "c"}));
    EXPECT_EQ(Cut({{"type", "Whitespace"}}, " a,b  c"), (Words{"a", ",", "b", "c"}));
    EXPECT_EQ(Cut({{"type", "Punctuation"}}, "a.b"), (Words{"a", ".", "b"}));
    EXPECT_EQ(Cut({{"type", "Metaspace"}}, "a b"),
              (Words{"\xe2\x96\x81"
                     "a",
                     "\xe2\x96\x81"
                     "b"}));
    const auto split = [](const char* behavior, bool invert = false) {
        return json{{"type", "Split"},
                    {"pattern", {{"String", "-"}}},
                    {"behavior", behavior},
                    {"invert", invert}};
    };
    // The example of the format's own documentation
    EXPECT_EQ(Cut(split("Removed"), "the-final--countdown"), (Words{"the", "final", "countdown"}));
    EXPECT_EQ(Cut(split("Isolated"), "the-final--countdown"),
              (Words{"the", "-", "final", "-", "-", "countdown"}));
    EXPECT_EQ(Cut(split("MergedWithPrevious"), "the-final--countdown"),
              (Words{"the-", "final-", "-", "countdown"}));
    EXPECT_EQ(Cut(split("MergedWithNext"), "the-final--countdown"),
              (Words{"the", "-final", "-", "-countdown"}));
    EXPECT_EQ(Cut(split("Contiguous"), "the-final--countdown"),
              (Words{"the", "-", "final", "--", "countdown"}));
    EXPECT_EQ(Cut(split("Removed", true), "the-final"), (Words{"-"}));
    EXPECT_EQ(Cut({{"type", "Sequence"},
                   {"pretokenizers", {{{"type", "WhitespaceSplit"}}, {{"type", "Punctuation"}}}}},
                  "a. b"),
              (Words{"a", ".", "b"}));
    EXPECT_EQ(Cut(nullptr, "a b"), (Words{"a b"}));
    EXPECT_EQ(Cut(gpt2, ""), Words{});
    // White space is Unicode's: a vertical tab and a next line are, a zero-width space is not.
    EXPECT_EQ(Cut({{"type", "Whitespace"}},
                  "a\x0b"
                  "b\xc2\x85"
                  "c\xe2\x80\x8b"
                  "d")
                  .size(),
              5U);
    // Words are joined by joiners, and circled letters are alphabetic, though no letters
    EXPECT_EQ(Cut({{"type", "Whitespace"}}, "a\xe2\x80\x8d\xe2\x93\x90!"),
              (Words{"a\xe2\x80\x8d\xe2\x93\x90", "!"}));
}

TEST(PretrainedTokenizer, TokensOfFramesCountAsItsOwn)
{
    json file = {
        {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", json::array()}}},
        {"post_processor", {{"type", "BertProcessing"}, {"sep", {"s", 7}}, {"cls", {"c", 900}}}}};
    const auto tokenizer = PretrainedTokenizer::FromFiles({{"tokenizer.json", file.dump()}}, "t");
    EXPECT_EQ(tokenizer->GetVocabularySize(), 901U);
    EXPECT_THROW(tokenizer->CheckVocabulary(900), DataError);
    file["post_processor"]["sep"] = {"s", -7};
    EXPECT_THROW(PretrainedTokenizer::FromFiles({{"tokenizer.json", file.dump()}}, "t"), DataError);
}

TEST(PretrainedTokenizer, WhatIsSpecialInOneModelIsTextInAnother)
{
    json file = {{"model",
                  {{"type", "BPE"},
                   {"vocab", {{"[", 0}, {"S", 1}, {"]", 2}, {"[S", 3}, {"[SEP]", 4}}},
                   {"merges", {"[ S"}}}}};
    file["model"]["vocab"]["E"] = 5;
    file["model"]["vocab"]["P"] = 6;
    const auto bytePairs = PretrainedTokenizer::FromFiles({{"tokenizer.json", file.dump()}}, "t");
    EXPECT_EQ(bytePairs->Encode("[SEP]"), (Ids{3, 5, 6, 2}));
    EXPECT_EQ(bytePairs->GetToken(TokenRole::SEPARATE), -1);
    auto declared = file;
    const json separator = {{"id", 4}, {"content", "[SEP]"}, {"special", true}};
    declared["added_tokens"] = json::array({separator});
    const auto known = PretrainedTokenizer::FromFiles({{"tokenizer.json", declared.dump()}}, "t");
    EXPECT_EQ(known->Encode("[SEP]"), (Ids{4}));
    EXPECT_EQ(known->GetToken(TokenRole::SEPARATE), 4);
    file["model"] = {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", {{"[SEP]", 0}}}};
    file["model"]["vocab"]["[UNK]"] = 1;
    file["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    const auto pieces = PretrainedTokenizer::FromFiles({{"tokenizer.json", file.dump()}}, "t");
    EXPECT_EQ(pieces->Encode("[SEP]"), (Ids{0}));
    EXPECT_EQ(pieces->GetToken(TokenRole::SEPARATE), 0);
}

TEST(PretrainedTokenizer, NormalizesAndDecodesByEveryStepThatModelsUse)
{
    EXPECT_EQ(Normal({{"type", "NFKC"}}, "\xef\xac\x81"), "fi");
    EXPECT_EQ(Normal({{"type", "NFD"}}, "\xc3\xa9"), "e\xcc\x81");
    EXPECT_EQ(Normal({{"type", "Lowercase"}},
                     "\xc3\x80"
                     "B\xc4\xb0"),
              "\xc3\xa0"
              "bi\xcc\x87");
    EXPECT_EQ(Normal({{"type", "StripAccents"}}, "e\xcc\x81"), "e");
    EXPECT_EQ(Normal({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}},
                     "\xe3\x80\x80 a "),
              "a ");
    EXPECT_EQ(Normal({{"type", "Prepend"}, {"prepend", "_"}}, "a"), "_a");
    EXPECT_EQ(Normal({{"type", "Prepend"}, {"prepend", "_"}}, ""), "");
    EXPECT_EQ(
        Normal({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "bb"}}, "aca"),
        "bbcbb");
    EXPECT_EQ(
        Normal({{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}}, "a \n b"),
        "a b");
    EXPECT_EQ(Normal(nullptr, " A"), " A");
    const std::string mark = "\xe2\x96\x81";
    const json llama = {{"type", "Sequence"},
                        {"decoders",
                         {{{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}},
                          {{"type", "ByteFallback"}},
                          {{"type", "Fuse"}},
                          {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
    EXPECT_EQ(Decoded(llama, {mark + "Hey", mark + "you", "<0xE2>", "<0x82>", "<0xAC>"}),
              "Hey you\xe2\x82\xac");
    EXPECT_EQ(Decoded(llama, {"a", "<0xE2>", "<0x82>"}), "a\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(Decoded({{"type", "Metaspace"}}, {mark + "a", mark + "b"}), "a b");
    EXPECT_EQ(Decoded({{"type", "BPEDecoder"}, {"suffix", "</w>"}}, {"a", "b</w>", "c</w>"}),
              "ab c");
    EXPECT_EQ(Decoded({{"type", "WordPiece"}, {"prefix", "##"}}, {"a", "##b", "."}), "ab.");
    EXPECT_EQ(Decoded(nullptr, {"a", "b"}), "a b");
    for (const char* kind : {"MakeNormalizeStep", "MakeSplitStep", "MakeDecodeStep"})
    {
        const json unknown = {{"type", "Frobnicate"}};
        EXPECT_SAYS(Complain([&] {
                        kind[4] == 'N'   ? static_cast<void>(MakeNormalizeStep(unknown, "t"))
                        : kind[4] == 'S' ? static_cast<void>(MakeSplitStep(unknown, "t"))
                                         : static_cast<void>(MakeDecodeStep(unknown, "t"));
                    }),
                    "'Frobnicate' is not supported");
    }
}

TEST(PretrainedTokenizer, RefusesBrokenFilesInASentence)
{
    const auto complain = [](const Files& files) {
        return Complain([&] { PretrainedTokenizer::FromFiles(files, "dir"); });
    };
    EXPECT_SAYS(complain({}), "has no tokenizer");
    EXPECT_SAYS(complain({{"vocab.txt", "a\nb\n"}}), "unknown token '[UNK]'");
    EXPECT_SAYS(complain({{"vocab.txt", "[UNK]\na\na\n"}}), "line 3");
    EXPECT_SAYS(complain({{"vocab.txt", "[UNK]\n\xff\n"}}), "no UTF-8");
    auto files = MakeByteLevel();
    files["merges.txt"] += "q\n";
    EXPECT_SAYS(complain(files), "no pair");
    files["merges.txt"] = "h q1\n";
    EXPECT_SAYS(complain(files), "not in the vocabulary");
    files["vocab.json"] = "[]";
    EXPECT_SAYS(complain(files), "no JSON object");
    files["vocab.json"] = R"({"a":0,"b":0})";
    EXPECT_SAYS(complain(files), "has an id that is none or another's");
    files["vocab.json"] = R"({"a":-1})";
    EXPECT_SAYS(complain(files), "has an id that is none");
    EXPECT_SAYS(complain({{"tokenizer.json", "{}"}}), "damaged");
    EXPECT_SAYS(complain({{"tokenizer.json", R"({"model":{"type":"Unigram"}})"}}),
                "'Unigram' is not supported");
    std::string deep = R"({"model":{"type":"BPE","vocab":{},"merges":[]},"normalizer":)";
    for (int i = 0; i < 100'000; ++i)
    {
        deep += R"({"type":"Sequence","normalizers":[)";
    }
    EXPECT_SAYS(complain({{"tokenizer.json", deep}}), "no JSON object");
    EXPECT_SAYS(
        complain(
            {{"tokenizer.json",
              R"({"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("}}})"}}),
        "pattern");
    EXPECT_SAYS(complain({{"tokenizer.model", "garbage"}}), "SentencePiece");
    EXPECT_SAYS(complain({{"tokenizer.model", ""}}), "unknown piece");
    const auto bert = PretrainedTokenizer::FromFiles(BERT, "bert");
    EXPECT_EQ(Complain([&] { bert->CheckVocabulary(11); }), "");
    EXPECT_SAYS(Complain([&] { bert->CheckVocabulary(10); }), "ids go up to 10");
}

TEST(PretrainedTokenizer, ReadsARealSentencePieceModel)
{
    const auto folder = FindSharedData("stories260K");
    if (folder.empty())
    {
        GTEST_SKIP() << "stories260K is not there; COLLAPIPE_SHARED names the folder that holds it";
    }
    const auto tokenizer = PretrainedTokenizer::Read(folder);
    EXPECT_EQ(tokenizer->GetVocabularySize(), 512U);
    std::ifstream file(folder + "/reference.jsonl");
    int compared = 0;
    for (std::string line; std::getline(file, line);)
    {
        const auto reference = json::parse(line);
        if (reference.contains("tokens"))
        {
            const auto text = reference["text"].get<std::string>();
            const auto tokens = tokenizer->Frame(tokenizer->Encode(text)).tokens;
            EXPECT_EQ(tokens, reference["tokens"].get<Ids>());
            EXPECT_EQ(tokenizer->Decode(tokens), text);
            ++compared;
        }
    }
    EXPECT_GT(compared, 0);
}

// Damaged models are refused, or work without reading outside themselves.
TEST(PretrainedTokenizer, DamagedModelsAreRefusedOrWork)
{
    const char* wanted = std::getenv("COLLAPIPE_FUZZ_INPUTS");
    const uint64_t inputs = wanted ? std::strtoull(wanted, nullptr, 10) : 3000;
    // A model by hand: pieces <unk>, a, b, ab and a table with one replacement.
    const auto text = [](int field, const std::string& bytes) {
        return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(bytes.size())} +
               bytes;
    };
    const auto piece = [&](const std::string& name, int type) {
        return text(1,
                    text(1, name) + std::string("\x15\0\0\x80\xbf", 5) +
                        std::string{'\x18', static_cast<char>(type)});
    };
    std::string map("\x10\0\0\0\x01\0\0\0\x01\0\0\0\x61\x05\0\0\0\0\0\x80x\0y\0", 24);
    const auto model = piece("<unk>", 2) + piece("a", 1) + piece("b", 4) + piece("ab", 5) +
                       text(2, std::string("\x18\x02", 2)) + text(3, text(2, map) + "\x18\x01");
    std::mt19937_64 random(3);
    uint64_t worked = 0;
    for (uint64_t i = 0; i < inputs; ++i)
    {
        auto damaged = model;
        for (auto changes = random() % 4; changes > 0; --changes)
        {
            const auto place = random() % damaged.size();
            if (random() % 4 == 0)
            {
                damaged.erase(place, random() % 3);
            }
            else
            {
                damaged[place] = static_cast<char>(random() % 2 ? random() : random() % 16);
            }
        }
        try
        {
            const auto tokenizer =
                PretrainedTokenizer::FromFiles({{"tokenizer.model", damaged}}, "t");
            const auto ids = tokenizer->Encode(" ab ba  \xff x");
            static_cast<void>(tokenizer->Decode(ids));
            ++worked;
        }
        catch (const DataError& error)
        {
            ASSERT_NE(std::string(error.what()), "");
        }
    }
    EXPECT_GT(worked, inputs / 100);
    EXPECT_LT(worked, inputs);
}
