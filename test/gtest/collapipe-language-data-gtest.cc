/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Data of language models and of classifications by named columns, down to token ids.

#include "gtest/collapipe-temporary-folder.h"

#include "ns3/collapipe-labelled-files.h"
#include "ns3/collapipe-language-data.h"
#include "ns3/collapipe-tokenizer-steps.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace ns3::collapipe;
using nlohmann::json;

namespace
{

using Ids = std::vector<int32_t>;

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

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

/// A tokenizer whose pieces are bytes; 256 begins or ends a text, [CLS] and [SEP] are 257 and 258
std::string
MakeTokenizer(const std::string& kind)
{
    json vocabulary;
    for (int byte = 0; byte < 256; ++byte)
    {
        vocabulary[EncodeBytes(std::string(1, static_cast<char>(byte)))] = byte;
    }
    const auto token = [](int id, const char* text) {
        return json{{"id", id}, {"content", text}, {"special", true}};
    };
    json file = {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array()}}},
                 {"pre_tokenizer",
                  {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
                 {"decoder", {{"type", "ByteLevel"}}}};
    json settings = json::object();
    if (kind == "bert")
    {
        file["added_tokens"] = {token(257, "[CLS]"), token(258, "[SEP]")};
        file["post_processor"] = {{"type", "BertProcessing"},
                                  {"cls", {"[CLS]", 257}},
                                  {"sep", {"[SEP]", 258}}};
    }
    else
    {
        file["added_tokens"] = json::array({token(256, "<s>")});
        settings[kind == "llama" ? "bos_token" : "eos_token"] = "<s>";
        if (kind == "llama")
        {
            settings["eos_token"] = "<s>";
            file["post_processor"] = {{"type", "RobertaProcessing"},
                                      {"cls", {"<s>", 256}},
                                      {"sep", {"<s>", 256}}};
        }
    }
    return Tokenizer(PretrainedTokenizer::FromFiles({{"tokenizer.json", file.dump()},
                                                     {"tokenizer_config.json", settings.dump()}},
                                                    kind))
        .GetModel();
}

/// @return the samples of all parts, training first
std::vector<Sample>
ListSamples(const Corpus& corpus)
{
    auto samples = corpus.dataset.training;
    for (const auto* part : {&corpus.dataset.validation, &corpus.dataset.test})
    {
        samples.insert(samples.end(), part->begin(), part->end());
    }
    return samples;
}

CorpusOptions
MakeOptions(const std::string& kind, uint32_t length)
{
    CorpusOptions options;
    options.tokenizer = MakeTokenizer(kind);
    options.sequenceLength = length;
    options.validationFraction = 0.25;
    options.testFraction = 0;
    return options;
}

Corpus
MakeLanguageModel(const std::string& path, const CorpusOptions& options)
{
    LanguageModelSources sources;
    sources.training = path;
    return BuildLanguageModelCorpus(sources, options);
}

} // namespace

TEST(LanguageData, ReadsLinesParagraphsAndJsonLines)
{
    const TemporaryFolder folder;
    const auto lines = folder.Write("a.txt", "one\ntwo words \n\n");
    auto documents = ReadDocuments(lines, DocumentForm::AUTO);
    ASSERT_EQ(documents.texts.size(), 2U);
    EXPECT_EQ(documents.texts[1].source, "two words");
    EXPECT_FALSE(documents.areParagraphs);
    EXPECT_EQ(ReadDocuments(lines, DocumentForm::PARAGRAPHS).texts.at(0).source, "one\ntwo words");
    const auto blank = folder.Write("b.txt", "\na\nb\n\n \nc\n");
    documents = ReadDocuments(blank, DocumentForm::AUTO);
    ASSERT_EQ(documents.texts.size(), 2U);
    EXPECT_EQ(documents.texts[0].source, "a\nb");
    EXPECT_EQ(ReadDocuments(blank, DocumentForm::LINES).texts.size(), 3U);
    const auto texts =
        folder.Write("c.jsonl", "{\"text\":\"a\\n b \"}\n\n{\"text\":\"c\",\"id\":1}\n");
    documents = ReadDocuments(texts, DocumentForm::AUTO);
    ASSERT_EQ(documents.texts.size(), 2U);
    EXPECT_EQ(documents.texts[0].source, "a\n b ");
    const auto prompts = folder.Write("d.jsonl", "{\"prompt\":\"2+2=\",\"completion\":\"4\"}\n");
    documents = ReadDocuments(prompts, DocumentForm::AUTO);
    EXPECT_TRUE(documents.areCompletions);
    EXPECT_EQ(documents.texts.at(0).target, "4");
}

TEST(LanguageData, RefusesLinesThatAreNoDocuments)
{
    const TemporaryFolder folder;
    const auto complain = [&](const std::string& text) {
        const auto path = folder.Write("a.jsonl", text);
        return Complain([&] { ReadDocuments(path, DocumentForm::AUTO); });
    };
    EXPECT_SAYS(complain("{\"text\":\"a\"}\n{\"text\":1}\n"), "line 2");
    EXPECT_SAYS(complain("[1]\n"), "line 1");
    EXPECT_SAYS(complain("plain\n"), "line 1");
    EXPECT_SAYS(complain("{\"prompt\":\"a\"}\n"), "completion");
    EXPECT_SAYS(complain("{\"prompt\":\"a\",\"completion\":\"\"}\n"), "empty");
    EXPECT_SAYS(complain("{\"text\":\"a\",\"prompt\":\"a\",\"completion\":\"b\"}\n"), "line 1");
    EXPECT_SAYS(complain("{\"text\":\"a\"}\n{\"prompt\":\"a\",\"completion\":\"b\"}\n"), "mixed");
    const auto empty = folder.Write("b.txt", "\n \n");
    EXPECT_SAYS(Complain([&] { ReadDocuments(empty, DocumentForm::AUTO); }), "no text");
}

TEST(LanguageData, CutsLongDocumentsAndLosesNoToken)
{
    const TemporaryFolder folder;
    const auto path = folder.Write("a.txt", "abcdefgh\nij\nkl\nmn\n");
    const auto samples = ListSamples(MakeLanguageModel(path, MakeOptions("gpt2", 4)));
    std::vector<Ids> sources;
    for (const auto& sample : samples)
    {
        EXPECT_TRUE(sample.target.empty());
        EXPECT_LE(sample.source.size(), 4U);
        sources.push_back(sample.source);
    }
    const auto has = [&](const Ids& ids) {
        return std::find(sources.begin(), sources.end(), ids) != sources.end();
    };
    EXPECT_TRUE(has({'a', 'b', 'c', 'd'}) && has({'e', 'f', 'g', 'h'}));
    EXPECT_TRUE(has({'i', 'j', 256})) << "a document ends where the model has no begin token";
    const auto begun = ListSamples(MakeLanguageModel(path, MakeOptions("llama", 4)));
    EXPECT_TRUE(std::any_of(begun.begin(), begun.end(), [](const auto& sample) {
        return sample.source == Ids{256, 'i', 'j'};
    }));
}

TEST(LanguageData, PacksDocumentsWhereAsked)
{
    const TemporaryFolder folder;
    std::string text;
    for (char c = 'a'; c < 'q'; ++c)
    {
        text += std::string(1, c) + "\n";
    }
    auto options = MakeOptions("gpt2", 6);
    options.packs = true;
    const auto corpus = MakeLanguageModel(folder.Write("a.txt", text), options);
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < corpus.dataset.training.size(); ++i)
    {
        const auto size = corpus.dataset.training[i].source.size();
        EXPECT_TRUE(size == 6 || i + 1 == corpus.dataset.training.size());
        tokens += size;
    }
    EXPECT_EQ(tokens, 2 * corpus.training.size()) << "every document with its end";
}

TEST(LanguageData, PredictsCompletionsOnly)
{
    const TemporaryFolder folder;
    const auto path = folder.Write("a.jsonl",
                                   "{\"prompt\":\"abc\",\"completion\":\"x\"}\n"
                                   "{\"prompt\":\"abc\",\"completion\":\"y\"}\n"
                                   "{\"prompt\":\"abcdefgh\",\"completion\":\"z\"}\n"
                                   "{\"prompt\":\"a\",\"completion\":\"too long\"}\n"
                                   "{\"prompt\":\"b\",\"completion\":\"v\"}\n");
    const auto corpus = MakeLanguageModel(path, MakeOptions("gpt2", 5));
    bool hasCut = false;
    for (const auto& sample : ListSamples(corpus))
    {
        ASSERT_EQ(sample.source.size(), sample.target.size());
        const auto size = sample.source.size();
        EXPECT_EQ(sample.target[size - 1], 256);
        EXPECT_EQ(sample.target[size - 2], sample.source[size - 2]);
        EXPECT_TRUE(std::all_of(sample.target.begin(), sample.target.end() - 2, [](int32_t id) {
            return id == -1;
        }));
        hasCut = hasCut || sample.source == Ids{'f', 'g', 'h', 'z', 256};
    }
    EXPECT_TRUE(hasCut) << "a long prompt loses its beginning";
    EXPECT_EQ(ListSamples(corpus).size(), 4U);
    ASSERT_EQ(corpus.warnings.size(), 1U);
    EXPECT_SAYS(corpus.warnings[0], "1 of");
}

TEST(LabelledFiles, ReadsEveryTaskOfGlue)
{
    const TemporaryFolder folder;
    const std::pair<const char*, const char*> files[] = {
        {"CoLA", "gj04\t1\t\tThe text .\ngj04\t0\t*\tAnother ."},
        {"SST-2", "sentence\tlabel\nThe text .\t1\nAnother .\t0"},
        {"MRPC",
         "\xef\xbb\xbfQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tThe text "
         ".\tSecond\n0\t9\t1\tAnother .\tx"},
        {"QQP",
         "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tThe text "
         ".\tSecond\t1\nbroken\n1\t3\t4\tAnother .\tx\t0"},
        {"STS-B",
         "index\tgenre\tfilename\tyear\told_"
         "index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tn\tM\t2012\t1\tn\tn\tThe text "
         ".\tSecond\t0.800\n1\tn\tM\t2\t1\tn\tn\tAnother .\tx\t0.2"},
        {"MNLI",
         "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_"
         "parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_"
         "label\n0\t1\t1n\tg\t( a )\t( b )\t( a )\t( b )\tThe text "
         ".\tSecond\tneutral\t1\n1\t1\t1n\tg\t( a )\t( b )\t( a )\t( b )\tAnother "
         ".\tx\tneutral\t0"},
        {"QNLI", "index\tquestion\tsentence\tlabel\n0\tThe text .\tSecond\t1\n1\tAnother .\tx\t0"},
        {"RTE", "index\tsentence1\tsentence2\tlabel\n0\tThe text .\tSecond\t1\n1\tAnother .\tx\t0"},
        {"WNLI",
         "index\tsentence1\tsentence2\tlabel\n0\tThe text .\tSecond\t1\n1\tAnother .\tx\t0"}};
    EXPECT_EQ(GetGlueTasks().size(), std::size(files));
    for (const auto& [task, text] : files)
    {
        LabelledColumns columns;
        ASSERT_TRUE(FindGlueColumns(task, columns)) << task;
        std::vector<std::string> warnings;
        const auto rows = ReadLabelledColumns(folder.Write("a.tsv", text), columns, warnings);
        ASSERT_EQ(rows.size(), 2U) << task;
        EXPECT_EQ(rows[0].source, "The text .") << task;
        EXPECT_EQ(rows[0].target, columns.second.empty() ? "" : "Second") << task;
        EXPECT_EQ(rows[0].topic, "1") << task;
        EXPECT_EQ(rows[1].topic, "0") << task;
        EXPECT_EQ(warnings.size(), std::string(task) == "QQP" ? 1U : 0U) << task;
    }
    LabelledColumns columns;
    EXPECT_TRUE(FindGlueColumns("sst2", columns));
    EXPECT_FALSE(FindGlueColumns("squad", columns));
}

TEST(LabelledFiles, ReadsColumnsByNameOrNumberAndGuessesNothing)
{
    const TemporaryFolder folder;
    const auto path = folder.Write("a.tsv", "id\treview\tstars\n7\tgood film\t5\n8\tbad film\t1\n");
    std::vector<std::string> warnings;
    auto rows = ReadLabelledColumns(path, ParseLabelledColumns("review,stars"), warnings);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1].source, "bad film");
    EXPECT_EQ(rows[1].topic, "1");
    rows = ReadLabelledColumns(path, ParseLabelledColumns("2,1"), warnings);
    EXPECT_EQ(rows.size(), 3U) << "by numbers a file has no header";
    const auto complain = [&](const std::string& text) {
        return Complain([&] { ReadLabelledColumns(path, ParseLabelledColumns(text), warnings); });
    };
    EXPECT_SAYS(complain("review,label"), "'label'; its header names 'id', 'review', 'stars'");
    EXPECT_SAYS(complain("1,4"), "no column 4");
    EXPECT_SAYS(complain("0,1"), "no column 0");
    EXPECT_SAYS(complain("review"), "TEXT,LABEL");
    EXPECT_SAYS(complain("review,2"), "TEXT,LABEL");
    EXPECT_SAYS(complain("a,,b"), "TEXT,LABEL");
}

TEST(LabelledFiles, PairsAreFramedAndCutAsBertHasThem)
{
    const TemporaryFolder folder;
    std::string text = "a\tb\tlabel\n";
    for (char c = 'c'; c < 'm'; ++c)
    {
        text += "same\t" + std::string(1, c) + "\t" + (c % 2 ? "yes" : "no") + "\n";
    }
    text += "abcdefgh\txy\tyes\n";
    ClassificationSources sources;
    sources.training = folder.Write("a.tsv", text);
    sources.named = "a,b,label";
    auto options = MakeOptions("bert", 8);
    options.classOrder = {"yes", "no"};
    const auto corpus = BuildClassificationCorpus(sources, options);
    EXPECT_EQ(corpus.dataset.classes, (std::vector<std::string>{"yes", "no"}));
    const auto samples = ListSamples(corpus);
    EXPECT_EQ(samples.size(), 11U) << "equal first texts are no repetition";
    const auto has = [&](const Ids& ids, int32_t label) {
        return std::any_of(samples.begin(), samples.end(), [&](const auto& sample) {
            return sample.source == ids && sample.label == label;
        });
    };
    // [CLS] is added by the family; 8 - 3 special tokens leave 5
    EXPECT_TRUE(has({'s', 'a', 'm', 'e', 258, 'c', 258}, 0));
    EXPECT_TRUE(has({'a', 'b', 'c', 258, 'x', 'y', 258}, 0)) << "the longer text is cut";
}
