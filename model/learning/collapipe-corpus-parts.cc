/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-corpus-parts.h"

#include "collapipe-partition.h"

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

/**
 * @param pairs of which those are left out that validation holds too
 * @param corpus with the validation part; gets a warning
 */
void
RemoveValidation(std::vector<SentencePair>& pairs, Corpus& corpus)
{
    std::unordered_set<std::string> keys;
    for (const auto& pair : corpus.validation)
    {
        keys.insert(GetDuplicateKey(pair.source));
    }
    const auto before = pairs.size();
    const auto end = std::remove_if(pairs.begin(), pairs.end(), [&keys](const auto& pair) {
        return keys.count(GetDuplicateKey(pair.source)) > 0;
    });
    pairs.erase(end, pairs.end());
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

/**
 * @param pairs a part of a corpus
 * @param tokenizer to encode them
 * @param topics indices of the topics by name
 * @return the samples
 */
std::vector<Sample>
EncodePairs(const std::vector<SentencePair>& pairs,
            const Tokenizer& tokenizer,
            const std::unordered_map<std::string, uint32_t>& topics)
{
    std::vector<std::string> lines;
    AppendLines(pairs, lines);
    auto sequences = tokenizer.Encode(lines);
    auto next = sequences.begin();
    const auto take = [&next] {
        next->push_back(END_TOKEN);
        return std::move(*next++);
    };
    std::vector<Sample> samples;
    for (const auto& pair : pairs)
    {
        Sample sample;
        sample.source = take();
        if (!pair.target.empty())
        {
            sample.target = take();
        }
        sample.topic = topics.at(pair.topic);
        samples.push_back(std::move(sample));
    }
    return samples;
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
    RemoveValidation(pairs, corpus);
    LimitPairs(pairs, options.maximumPairs, options.seed);
    std::vector<std::string> sources(pairs.size());
    std::transform(pairs.begin(), pairs.end(), sources.begin(), [](const auto& pair) {
        return pair.source;
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
    dataset.training = EncodePairs(corpus.training, corpus.tokenizer, indices);
    dataset.validation = EncodePairs(corpus.validation, corpus.tokenizer, indices);
    dataset.test = EncodePairs(corpus.test, corpus.tokenizer, indices);
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
