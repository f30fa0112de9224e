/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-text-corpora.h"

#include "collapipe-corpus-parts.h"
#include "collapipe-partition.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Language of a catalog's messages themselves
constexpr const char* MESSAGE_LANGUAGE = "en";

/**
 * @param language of the translations
 * @param directories where its catalogs are; empty: the usual places
 * @param warnings gets a sentence for every catalog that could not be read
 * @return messages and their translations
 * @throws DataError where there are none
 */
std::vector<SentencePair>
ReadTranslations(const std::string& language,
                 const std::vector<std::string>& directories,
                 std::vector<std::string>& warnings)
{
    auto catalogs =
        ReadCatalogs(directories.empty() ? GetCatalogDirectories(language) : directories);
    warnings.insert(warnings.end(), catalogs.errors.begin(), catalogs.errors.end());
    if (catalogs.pairs.empty())
    {
        throw DataError("No translations into '" + language +
                        "' were found; the default data set has no catalogs for it.");
    }
    return std::move(catalogs.pairs);
}

/**
 * @param texts of one language
 * @param language its name, which becomes their topic
 * @param all to which they are added, each text once
 */
void
AppendTexts(const std::vector<std::string>& texts,
            const std::string& language,
            std::vector<SentencePair>& all)
{
    std::set<std::string> seen;
    for (const auto& text : texts)
    {
        if (seen.insert(text).second)
        {
            all.push_back({text, "", language});
        }
    }
}

/**
 * Takes out what reads the same in two languages.
 * @param pairs texts with their languages
 */
void
RemoveShared(std::vector<SentencePair>& pairs)
{
    std::unordered_map<std::string, std::string> owners;
    std::set<std::string> shared;
    for (const auto& pair : pairs)
    {
        const auto key = GetDuplicateKey(pair.source);
        const auto [owner, isNew] = owners.emplace(key, pair.topic);
        if (!isNew && owner->second != pair.topic)
        {
            shared.insert(key);
        }
    }
    const auto end = std::remove_if(pairs.begin(), pairs.end(), [&shared](const auto& pair) {
        return shared.count(GetDuplicateKey(pair.source)) > 0;
    });
    pairs.erase(end, pairs.end());
}

/**
 * @param pairs texts with their languages
 * @param maximum texts of each; 0: all
 * @param seed for the choice
 */
void
LimitPerLanguage(std::vector<SentencePair>& pairs, uint64_t maximum, uint64_t seed)
{
    std::map<std::string, std::vector<SentencePair>> byLanguage;
    for (auto& pair : pairs)
    {
        byLanguage[pair.topic].push_back(std::move(pair));
    }
    pairs.clear();
    for (auto& [language, texts] : byLanguage)
    {
        LimitPairs(texts, maximum, seed);
        std::move(texts.begin(), texts.end(), std::back_inserter(pairs));
    }
}

/**
 * @param languages wanted
 * @return which language's catalogs the messages are taken from
 */
std::string
FindMessageSource(const std::vector<std::string>& languages)
{
    for (const auto& language : languages)
    {
        if (language != MESSAGE_LANGUAGE)
        {
            return language;
        }
    }
    throw DataError("A language identification needs two languages or more.");
}

/// @return the file's texts, each once
std::vector<SentencePair>
ReadPlainTexts(const std::string& path)
{
    std::vector<std::string> texts;
    for (const auto& line : ReadTextLines(path))
    {
        auto text = FoldWhiteSpace(line);
        if (!text.empty())
        {
            texts.push_back(std::move(text));
        }
    }
    if (texts.empty())
    {
        throw DataError("'" + path + "' holds no text.");
    }
    std::vector<SentencePair> pairs;
    AppendTexts(texts, "", pairs);
    return pairs;
}

} // namespace

Corpus
BuildLanguageCorpus(const LanguageSources& sources, const CorpusOptions& given)
{
    auto options = given;
    options.kind = SampleKind::TEXT;
    const std::set<std::string> languages(sources.languages.begin(), sources.languages.end());
    const auto messageSource = FindMessageSource(sources.languages);
    if (languages.size() < 2)
    {
        throw DataError("A language identification needs two languages or more.");
    }
    Corpus corpus;
    std::vector<SentencePair> texts;
    for (const auto& language : languages)
    {
        const bool isMessages = language == MESSAGE_LANGUAGE;
        std::vector<std::string> ofLanguage;
        for (auto& pair :
             ReadTranslations(isMessages ? messageSource : language, {}, corpus.warnings))
        {
            ofLanguage.push_back(std::move(isMessages ? pair.source : pair.target));
        }
        AppendTexts(ofLanguage, language, texts);
    }
    RemoveShared(texts);
    LimitPerLanguage(texts, sources.maximumPerLanguage, options.seed);
    const auto classes = ListTopics(texts);
    SplitCorpus(std::move(texts), options, corpus);
    TokenizeCorpus(options, classes, corpus);
    LabelByTopic(corpus.dataset);
    corpus.dataset.description =
        "sentences of gettext catalogs in " + std::to_string(classes.size()) + " languages";
    return corpus;
}

Corpus
BuildPlainTextCorpus(const PlainTextSources& sources, const CorpusOptions& given)
{
    auto options = given;
    options.kind = SampleKind::TEXT;
    Corpus corpus;
    std::vector<SentencePair> pairs;
    if (sources.training.empty())
    {
        std::vector<std::string> texts;
        for (auto& pair : ReadTranslations(sources.language, sources.directories, corpus.warnings))
        {
            texts.push_back(std::move(pair.target));
        }
        AppendTexts(texts, "", pairs);
        corpus.dataset.description = "sentences of gettext catalogs in '" + sources.language + "'";
    }
    else
    {
        pairs = ReadPlainTexts(sources.training);
        corpus.dataset.description = "text file '" + sources.training + "'";
    }
    if (!sources.validation.empty())
    {
        corpus.validation = ReadPlainTexts(sources.validation);
    }
    SplitCorpus(std::move(pairs), options, corpus);
    TokenizeCorpus(options, {""}, corpus);
    return corpus;
}

} // namespace collapipe
} // namespace ns3
