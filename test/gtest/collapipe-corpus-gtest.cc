/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The tokenizer and data sets made with it; these run SentencePiece's programs.

#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-partition.h"
#include "ns3/collapipe-tokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace ns3::collapipe;

namespace
{

/// An environment variable that has another value for the duration of a scope
class ScopedVariable
{
  public:
    ScopedVariable(const char* name, const std::string& value)
        : m_name(name),
          m_had(std::getenv(name) != nullptr),
          m_before(m_had ? std::getenv(name) : "")
    {
        ::setenv(name, value.c_str(), 1);
    }

    ~ScopedVariable()
    {
        m_had ? ::setenv(m_name, m_before.c_str(), 1) : ::unsetenv(m_name);
    }

    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;

  private:
    const char* m_name;
    bool m_had;
    std::string m_before;
};

/// Sentences of made-up words, so that no text of others is needed
std::vector<std::string>
MakeSentences(uint32_t count, uint64_t seed, const std::string& syllables)
{
    std::mt19937_64 random(seed);
    std::vector<std::string> sentences;
    for (uint32_t i = 0; i < count; ++i)
    {
        std::string sentence;
        for (uint64_t word = 4 + random() % 8; word > 0; --word)
        {
            for (uint64_t part = 1 + random() % 3; part > 0; --part)
            {
                sentence += syllables.substr(2 * (random() % (syllables.size() / 2)), 2);
            }
            sentence += word > 1 ? " " : "";
        }
        sentences.push_back(sentence);
    }
    return sentences;
}

std::string
Join(const std::vector<std::string>& lines)
{
    std::string text;
    for (const auto& line : lines)
    {
        text += line + "\n";
    }
    return text;
}

template <typename Call>
std::string
Complaint(Call call)
{
    try
    {
        call();
        return "";
    }
    catch (const DataError& error)
    {
        return error.what();
    }
}

bool
Contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

std::vector<std::string>
GetSources(const std::vector<SentencePair>& pairs)
{
    std::vector<std::string> sources;
    for (const auto& pair : pairs)
    {
        sources.push_back(pair.source);
    }
    return sources;
}

std::set<std::string>
GetKeys(const std::vector<SentencePair>& pairs)
{
    std::set<std::string> keys;
    for (const auto& pair : pairs)
    {
        keys.insert(GetDuplicateKey(pair.source));
    }
    return keys;
}

/// Part of a corpus's text from its ids
std::vector<SentencePair>
Decode(const Tokenizer& tokenizer, const std::vector<Sample>& samples)
{
    std::vector<std::vector<int32_t>> sources;
    std::vector<std::vector<int32_t>> targets;
    for (const auto& sample : samples)
    {
        EXPECT_EQ(sample.source.back(), END_TOKEN);
        EXPECT_EQ(std::count(sample.source.begin(), sample.source.end(), END_TOKEN), 1);
        sources.push_back(sample.source);
        targets.push_back(sample.target);
    }
    const auto from = tokenizer.Decode(sources);
    const auto to = tokenizer.Decode(targets);
    std::vector<SentencePair> pairs;
    for (std::size_t i = 0; i < from.size(); ++i)
    {
        pairs.push_back({from[i], to[i]});
    }
    return pairs;
}

/// A folder of the test's own, in which temporary files are made too
class CollapipeWork : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        auto name = (std::filesystem::temp_directory_path() / "collapipe a,b XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_folder = name;
        std::filesystem::create_directory(m_folder / "work");
    }

    void TearDown() override
    {
        // Whatever happened: no temporary file is left
        EXPECT_TRUE(std::filesystem::is_empty(m_folder / "work"));
        std::filesystem::remove_all(m_folder);
    }

    std::string Write(const std::string& name, const std::string& bytes)
    {
        const auto path = (m_folder / name).string();
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

    std::string GetWork() const
    {
        return (m_folder / "work").string();
    }

    CorpusOptions GetOptions() const
    {
        CorpusOptions options;
        options.vocabularySize = 200;
        options.validationFraction = 0.1;
        options.testFraction = 0.1;
        options.workDirectory = GetWork();
        return options;
    }

    /// Aligned files of sentences whose languages share no letter
    TranslationSources MakeFiles(const std::string& prefix, uint32_t count, uint64_t seed)
    {
        TranslationSources sources;
        sources.trainSource =
            Write(prefix + ".a", Join(MakeSentences(count, seed, "babibobedadi")));
        sources.trainTarget =
            Write(prefix + ".b", Join(MakeSentences(count, seed, "xuyuzuvuwuxy")));
        return sources;
    }

    std::filesystem::path m_folder;
};

using CollapipeTokenizer = CollapipeWork;
using CollapipeCorpus = CollapipeWork;

} // namespace

TEST_F(CollapipeTokenizer, RoundTrip)
{
    auto lines = MakeSentences(300, 1, "abcdefghij");
    lines.push_back("Gr\u00fc\u00dfe \u25ca \u0434\u0430 \u65e5\u672c");
    Tokenizer tokenizer;
    tokenizer.Train(lines, 150, GetWork());
    EXPECT_EQ(tokenizer.GetVocabularySize(), 150U);
    const auto ids = tokenizer.Encode(lines);
    ASSERT_EQ(ids.size(), lines.size());
    for (const auto& sequence : ids)
    {
        for (const auto id : sequence)
        {
            EXPECT_GT(id, END_TOKEN);
            EXPECT_LT(id, 150);
        }
    }
    EXPECT_EQ(tokenizer.Decode(ids), lines);
    const Tokenizer copy(tokenizer.GetModel(), tokenizer.GetVocabularySize(), GetWork());
    EXPECT_EQ(copy.Encode(lines), ids);
}

TEST_F(CollapipeTokenizer, TrainingIsDeterministic)
{
    const auto lines = MakeSentences(200, 2, "abcdefghij");
    Tokenizer one;
    Tokenizer two;
    one.Train(lines, 100, GetWork());
    two.Train(lines, 100, GetWork());
    EXPECT_EQ(one.GetModel(), two.GetModel());
    EXPECT_FALSE(one.GetModel().empty());
}

TEST_F(CollapipeTokenizer, BlankLinesUnknownCharactersAndSpecialTokens)
{
    Tokenizer tokenizer;
    tokenizer.Train(MakeSentences(100, 3, "abcdef"), 40, GetWork());
    const auto ids = tokenizer.Encode({"", "ab", "", "z\nab", ""});
    ASSERT_EQ(ids.size(), 5U);
    EXPECT_TRUE(ids[0].empty());
    EXPECT_TRUE(ids[4].empty());
    EXPECT_EQ(std::count(ids[3].begin(), ids[3].end(), UNKNOWN_TOKEN), 1);
    auto padded = ids[1];
    padded.insert(padded.begin(), BEGIN_TOKEN);
    padded.insert(padded.end(), {END_TOKEN, ids[1][0], PAD_TOKEN});
    const std::vector<std::string> expected{"ab", "", ""};
    EXPECT_EQ(tokenizer.Decode({padded, {}, {PAD_TOKEN, PAD_TOKEN}}), expected);
    EXPECT_TRUE(tokenizer.Encode({}).empty());
    EXPECT_TRUE(tokenizer.Decode({}).empty());
    EXPECT_THROW(tokenizer.Decode({{40}}), DataError);
    EXPECT_THROW(tokenizer.Decode({{-1}}), DataError);
}

TEST_F(CollapipeTokenizer, VocabularyFitsTheText)
{
    Tokenizer tokenizer;
    tokenizer.Train({"ab ab abc"}, 5000, GetWork());
    EXPECT_GT(tokenizer.GetVocabularySize(), 4U);
    EXPECT_LT(tokenizer.GetVocabularySize(), 20U);
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode({"abc ab"})).at(0), "abc ab");
    const auto small = Complaint([&] { tokenizer.Train({"abcdefghijklmnop qrs"}, 10, GetWork()); });
    EXPECT_EQ(small,
              "A vocabulary of 10 pieces is too small: the training text's characters and the "
              "special tokens need 24.");
    EXPECT_THROW(tokenizer.Train({"a b"}, 4, GetWork()), DataError);
    EXPECT_THROW(tokenizer.Train({}, 100, GetWork()), DataError);
    EXPECT_THROW(tokenizer.Train({" ", ""}, 100, GetWork()), DataError);
}

TEST_F(CollapipeTokenizer, FailuresAreSentences)
{
    Tokenizer tokenizer;
    EXPECT_EQ(Complaint([&] { tokenizer.Encode({"a"}); }), "The tokenizer has not been trained.");
    const Tokenizer broken("nonsense", 10, GetWork());
    EXPECT_TRUE(Contains(Complaint([&] { broken.Encode({"a"}); }), "spm_encode failed: "));
    const auto nowhere = Complaint([&] { tokenizer.Train({"a b"}, 10, "/nonexistent"); });
    EXPECT_TRUE(Contains(nowhere, "Cannot create a temporary directory in '/nonexistent'"));
    const ScopedVariable path("PATH", GetWork());
    const auto missing = Complaint([&] { tokenizer.Train({"a b"}, 10, GetWork()); });
    EXPECT_EQ(missing, "The program 'spm_train' is missing: install the package 'sentencepiece'.");
}

TEST_F(CollapipeTokenizer, UsesTheTemporaryDirectoryOfTheEnvironment)
{
    const ScopedVariable temporary("TMPDIR", (m_folder / "none").string());
    Tokenizer tokenizer;
    EXPECT_TRUE(Contains(Complaint([&] { tokenizer.Train({"a b"}, 10); }), "none'"));
}

TEST_F(CollapipeCorpus, PartsAreDisjointAndHoldTheirText)
{
    const auto corpus = BuildTranslationCorpus(MakeFiles("x", 400, 1), GetOptions());
    EXPECT_EQ(corpus.training.size(), 320U);
    EXPECT_EQ(corpus.validation.size(), 40U);
    EXPECT_EQ(corpus.test.size(), 40U);
    auto keys = GetKeys(corpus.training);
    const auto sizes =
        keys.size() + GetKeys(corpus.validation).size() + GetKeys(corpus.test).size();
    keys.merge(GetKeys(corpus.validation));
    keys.merge(GetKeys(corpus.test));
    EXPECT_EQ(keys.size(), sizes);
    EXPECT_EQ(corpus.dataset.vocabulary, 200U);
    const auto check = [&corpus](const auto& samples, const auto& pairs) {
        const auto decoded = Decode(corpus.tokenizer, samples);
        ASSERT_EQ(decoded.size(), pairs.size());
        for (std::size_t i = 0; i < pairs.size(); ++i)
        {
            EXPECT_EQ(decoded[i].source, pairs[i].source);
            EXPECT_EQ(decoded[i].target, pairs[i].target);
        }
    };
    check(corpus.dataset.training, corpus.training);
    check(corpus.dataset.validation, corpus.validation);
    check(corpus.dataset.test, corpus.test);
}

TEST_F(CollapipeCorpus, DependsOnTheSeedAlone)
{
    const auto files = MakeFiles("x", 200, 2);
    auto options = GetOptions();
    const auto one = BuildTranslationCorpus(files, options);
    const auto same = BuildTranslationCorpus(files, options);
    EXPECT_EQ(GetSources(one.training), GetSources(same.training));
    EXPECT_EQ(one.tokenizer.GetModel(), same.tokenizer.GetModel());
    EXPECT_EQ(one.dataset.test.at(3).target, same.dataset.test.at(3).target);
    options.seed = 2;
    const auto other = BuildTranslationCorpus(files, options);
    EXPECT_NE(GetSources(one.test), GetSources(other.test));
}

TEST_F(CollapipeCorpus, TokenizerHasSeenTheTrainingPartOnly)
{
    auto files = MakeFiles("x", 200, 3);
    files.validationSource = Write("v.a", "baba q bobo\n");
    files.validationTarget = Write("v.b", "xuyu zuzu\n");
    auto options = GetOptions();
    const auto corpus = BuildTranslationCorpus(files, options);
    const auto& validation = corpus.dataset.validation.at(0).source;
    EXPECT_EQ(std::count(validation.begin(), validation.end(), UNKNOWN_TOKEN), 1);
    std::vector<std::string> lines;
    for (const auto& pair : corpus.training)
    {
        lines.push_back(pair.source);
        lines.push_back(pair.target);
    }
    Tokenizer own;
    own.Train(lines, options.vocabularySize, GetWork());
    EXPECT_EQ(own.GetModel(), corpus.tokenizer.GetModel());
}

TEST_F(CollapipeCorpus, ValidationFilesStayWholeAndOutOfTraining)
{
    auto files = MakeFiles("x", 100, 4);
    const auto training = ReadTextLines(files.trainSource);
    files.validationSource = Write("v.a", training[5] + "!\nnew one\n" + training[9] + "\n");
    files.validationTarget = Write("v.b", "xu\nyu\nzu\n");
    const auto corpus = BuildTranslationCorpus(files, GetOptions());
    EXPECT_EQ(corpus.validation.size(), 3U);
    EXPECT_EQ(corpus.test.size(), 10U);
    EXPECT_EQ(corpus.training.size(), 88U);
    ASSERT_EQ(corpus.warnings.size(), 1U);
    EXPECT_TRUE(Contains(corpus.warnings[0], "2 training sentences"));
}

TEST_F(CollapipeCorpus, OptionsLimitAndAreChecked)
{
    auto files = MakeFiles("x", 300, 5);
    auto options = GetOptions();
    options.maximumPairs = 100;
    options.testFraction = 0;
    const auto corpus = BuildTranslationCorpus(files, options);
    EXPECT_EQ(corpus.training.size(), 90U);
    EXPECT_TRUE(corpus.test.empty());
    EXPECT_TRUE(corpus.dataset.test.empty());
    const auto complaint = [&files](const CorpusOptions& wrong) {
        return Complaint([&] { BuildTranslationCorpus(files, wrong); });
    };
    options.validationFraction = 0;
    EXPECT_TRUE(Contains(complaint(options), "must be positive"));
    options.validationFraction = 0.6;
    options.testFraction = 0.5;
    EXPECT_TRUE(Contains(complaint(options), "leave something for training"));
    options.testFraction = -0.1;
    EXPECT_TRUE(Contains(complaint(options), "not be negative"));
    files.trainTarget.clear();
    EXPECT_TRUE(Contains(complaint(GetOptions()), "needs a target file"));
}

TEST_F(CollapipeCorpus, MissingCatalogsAreNamed)
{
    TranslationSources sources;
    sources.language = "xx";
    sources.directories = {GetWork()};
    const auto complaint = Complaint([&] { BuildTranslationCorpus(sources, GetOptions()); });
    EXPECT_EQ(complaint,
              "No translations into 'xx' were found: there is no usable *.mo file in '" +
                  GetWork() + "'.");
}

TEST_F(CollapipeCorpus, ClassificationHasLabels)
{
    std::string rows = "sentence\tlabel\n";
    const auto sentences = MakeSentences(120, 6, "babibobedadi");
    for (std::size_t i = 0; i < sentences.size(); ++i)
    {
        rows += sentences[i] + "\t" + std::to_string(i % 3 == 0 ? 10 : i % 3) + "\n";
    }
    ClassificationSources sources;
    sources.training = Write("train.tsv", rows);
    const auto corpus = BuildClassificationCorpus(sources, GetOptions());
    const auto& dataset = corpus.dataset;
    const std::vector<std::string> classes{"1", "2", "10"};
    EXPECT_EQ(dataset.classes, classes);
    ASSERT_EQ(dataset.training.size(), 96U);
    for (std::size_t i = 0; i < dataset.training.size(); ++i)
    {
        const auto& sample = dataset.training[i];
        EXPECT_TRUE(sample.target.empty());
        EXPECT_EQ(sample.source.back(), END_TOKEN);
        EXPECT_EQ(classes.at(sample.label), corpus.training[i].topic);
    }
    sources.validation = Write("wrong.tsv", "sentence\tlabel\nbaba bibi\t7\n");
    EXPECT_TRUE(Contains(Complaint([&] { BuildClassificationCorpus(sources, GetOptions()); }),
                         "The label '7' in '"));
    sources.training = Write("one.tsv", "bab bab\t1\nbib bib\t1\n");
    EXPECT_TRUE(Contains(Complaint([&] { BuildClassificationCorpus(sources, GetOptions()); }),
                         "two classes or more"));
}
