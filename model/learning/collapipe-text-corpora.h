/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TEXT_CORPORA_H
#define COLLAPIPE_TEXT_CORPORA_H

#include "collapipe-corpus.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where the text of a language identification comes from: gettext catalogs.
 */
struct LanguageSources
{
    std::vector<std::string> languages{}; //!< such as "de"; "en" are the messages themselves
    uint64_t maximumPerLanguage{3000};    //!< texts taken at random of each; 0: all
};

/**
 * Makes a data set for language identification: a classification of sentences whose classes are the
 * languages. What reads the same in two languages is left out; the parts are as in
 * BuildTranslationCorpus().
 * @param sources where the text comes from
 * @param options how to cut it
 * @return the corpus
 * @throws DataError where there are fewer than two languages, one has no text, or something makes
 *         no sense
 */
Corpus BuildLanguageCorpus(const LanguageSources& sources, const CorpusOptions& options);

/**
 * @ingroup collapipe
 * Where the text of a language model comes from: a file, or, where there is none, the translations
 * in gettext catalogs.
 */
struct PlainTextSources
{
    std::string training{};                 //!< file, one text a line, or empty
    std::string validation{};               //!< file, or empty
    std::string language{"de"};             //!< of the catalogs
    std::vector<std::string> directories{}; //!< of the catalogs; empty: GetCatalogDirectories()
};

/**
 * Makes a data set of texts without targets or labels; the parts are as in
 * BuildTranslationCorpus().
 * @param sources where the text comes from
 * @param options how to cut it
 * @return the corpus
 * @throws DataError where something cannot be read or makes no sense
 */
Corpus BuildPlainTextCorpus(const PlainTextSources& sources, const CorpusOptions& options);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TEXT_CORPORA_H */
