/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-corpus-parts.h"

#include "collapipe-partition.h"
#include "collapipe-sample-maker.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace ns3
{
namespace collapipe
{

namespace
{

void
CheckOptions(const CorpusOptions& options, bool withValidation)
{
    const double validation = withValidation ? 0 : options.validationFraction;
    const double test = options.testFraction;
    if (!(test >= 0 && validation >= 0 && test + validation < 1))
    {
        throw DataError("The fractions for validation and test must not be negative and must leave "
                        "something for training.");
    }
    if (!withValidation && validation == 0)
    {
        throw DataError("Without validation files the fraction for validation must be positive.");
    }
}

std::vector<SentencePair>
Select(const std::vector<SentencePair>& pairs, const std::vector<uint32_t>& indices)
{
    std::vector<SentencePair> selected;
    for (const auto index : indices)
    {
        selected.push_back(pairs[index]);
    }
    return selected;
}

/// @return what two samples must not share where they are in different parts
std::string
GetKeyText(const SentencePair& pair, SampleKind kind)
{
    // A premise comes with several hypotheses, a question with several answers.
    return kind == SampleKind::TRANSLATION || pair.target.empty() ? pair.source
                                                                  : pair.source + " " + pair.target;
}

/**
 * @param pairs of which those are left out that validation holds too
 * @param kind of samples
 * @param corpus with the validation part; gets a warning
 */
void
RemoveValidation(std::vector<SentencePair>& pairs, SampleKind kind, Corpus& corpus)
{
    std::unordered_set<std::string> keys;
    for (const auto& pair : corpus.validation)
    {
        keys.insert(GetDuplicateKey(GetKeyText(pair, kind)));
    }
    const auto before = pairs.size();
    const auto end = std::remove_if(pairs.begin(), pairs.end(), [&](const auto& pair) {
        return keys.count(GetDuplicateKey(GetKeyText(pair, kind))) > 0;
    });
    pairs.erase(end, pairs.end());
    if (pairs.empty() && before > 0)
    {
        throw DataError("All " + std::to_string(before) +
                        " training sentences are in the validation file too, but for case and "
                        "punctuation; give another validation file, or none.");
    }
    if (pairs.size() < before)
    {
        corpus.warnings.push_back(std::to_string(before - pairs.size()) +
                                  " training sentences were left out: the validation file has them "
                                  "too, but for case and punctuation.");
    }
}

/**
 * @param pairs a part of a corpus
 * @param lines to which its texts are added: of each pair the source, then, if any, the target
 */
void
AppendLines(const std::vector<SentencePair>& pairs, std::vector<std::string>& lines)
{
    for (const auto& pair : pairs)
    {
        lines.push_back(pair.source);
        if (!pair.target.empty())
        {
            lines.push_back(pair.target);
        }
    }
}

/// Longest line that training a tokenizer takes notice of, bytes: spm_train's default
constexpr std::size_t LONGEST_LINE = 4192;

/**
 * @param lines text to train a tokenizer on
 * @param corpus gets a warning where some are too long for that
 * @throws DataError where all are
 */
void
CheckLineLengths(const std::vector<std::string>& lines, Corpus& corpus)
{
    const auto tooLong =
        static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [](const auto& line) {
            return line.size() > LONGEST_LINE;
        }));
    const auto limit = std::to_string(LONGEST_LINE) + " bytes";
    if (tooLong == lines.size() && !lines.empty())
    {
        throw DataError("No line of the training text is of at most " + limit +
                        ", which is the most that a tokenizer is trained on; put every sentence on "
                        "a line of its own.");
    }
    if (tooLong > 0)
    {
        corpus.warnings.push_back(std::to_string(tooLong) + " lines of more than " + limit +
                                  " were not used to train the tokenizer.");
    }
}

} // namespace

void
LimitPairs(std::vector<SentencePair>& pairs, uint64_t maximum, uint64_t seed)
{
    if (maximum == 0 || pairs.size() <= maximum)
    {
        return;
    }
    std::vector<uint32_t> chosen(pairs.size());
    std::iota(chosen.begin(), chosen.end(), 0);
    PortableRandom(seed).Shuffle(chosen);
    chosen.resize(maximum);
    std::sort(chosen.begin(), chosen.end());
    pairs = Select(pairs, chosen);
}

void
SplitCorpus(std::vector<SentencePair> pairs, const CorpusOptions& options, Corpus& corpus)
{
    const bool withValidation = !corpus.validation.empty();
    CheckOptions(options, withValidation);
    RemoveValidation(pairs, options.kind, corpus);
    LimitPairs(pairs, options.maximumPairs, options.seed);
    std::vector<std::string> sources(pairs.size());
    std::transform(pairs.begin(), pairs.end(), sources.begin(), [&](const auto& pair) {
        return GetKeyText(pair, options.kind);
    });
    const bool withTest = options.testFraction > 0;
    auto fractions =
        withValidation ? std::vector<double>{} : std::vector{options.validationFraction};
    fractions.insert(fractions.end(), withTest ? 1 : 0, options.testFraction);
    const auto parts = SplitTexts(sources, fractions, options.seed);
    corpus.training = Select(pairs, parts[0]);
    corpus.validation = withValidation ? corpus.validation : Select(pairs, parts[1]);
    corpus.test = withTest ? Select(pairs, parts.back()) : corpus.test;
}

void
TokenizeCorpus(const CorpusOptions& options, const std::vector<std::string>& topics, Corpus& corpus)
{
    std::vector<std::string> lines;
    AppendLines(corpus.training, lines);
    if (options.tokenizer.empty())
    {
        CheckLineLengths(lines, corpus);
        corpus.tokenizer.Train(lines, options.vocabularySize, options.workDirectory);
    }
    else
    {
        corpus.tokenizer =
            Tokenizer(options.tokenizer, options.vocabularySize, options.workDirectory);
    }
    std::unordered_map<std::string, uint32_t> indices;
    for (const auto& topic : topics)
    {
        indices.emplace(topic, static_cast<uint32_t>(indices.size()));
    }
    auto& dataset = corpus.dataset;
    dataset.topics = topics;
    dataset.vocabulary = corpus.tokenizer.GetVocabularySize();
    const SampleMaker maker(corpus.tokenizer, options, indices);
    dataset.training = maker.Make(corpus.training, corpus.warnings);
    dataset.validation = maker.Make(corpus.validation, corpus.warnings);
    dataset.test = maker.Make(corpus.test, corpus.warnings);
    if (dataset.training.empty() || dataset.validation.empty())
    {
        throw DataError("No text is short enough for a sequence length of " +
                        std::to_string(options.sequenceLength) + " tokens.");
    }
}

std::vector<std::string>
ListTopics(const std::vector<SentencePair>& pairs)
{
    std::set<std::string> topics;
    for (const auto& pair : pairs)
    {
        topics.insert(pair.topic);
    }
    return {topics.begin(), topics.end()};
}

void
LabelByTopic(Dataset& dataset)
{
    dataset.classes = dataset.topics;
    for (auto* part : {&dataset.training, &dataset.validation, &dataset.test})
    {
        for (auto& sample : *part)
        {
            sample.label = static_cast<int32_t>(sample.topic);
        }
    }
}

} // namespace collapipe
} // namespace ns3
