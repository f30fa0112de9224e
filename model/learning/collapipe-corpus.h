/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CORPUS_H
#define COLLAPIPE_CORPUS_H

#include "collapipe-dataset.h"
#include "collapipe-text-files.h"
#include "collapipe-tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Fewest words of a text that IsSentence()
constexpr uint32_t MINIMUM_WORDS = 3;
/// Most words of a text that IsSentence()
constexpr uint32_t MAXIMUM_WORDS = 40;

/**
 * @param text UTF-8
 * @return number of words: runs without white space that hold a letter; in scripts written without
 *         spaces, every two characters are a word
 */
uint32_t CountWords(std::string_view text);

/**
 * @param text UTF-8, white space folded
 * @return whether it reads like language: MINIMUM_WORDS to MAXIMUM_WORDS words, no more runs
 * without white space than that, none of enormous length, and mostly letters
 */
bool IsSentence(std::string_view text);

/**
 * @param text a message, white space as it is
 * @return whether it is a table, a list of options, a usage line or a drawing
 */
bool IsTabular(std::string_view text);

/**
 * @param pair cleaned texts
 * @return whether both sides are sentences of comparable length, and the target does not hold the
 *         source, that is, is not left untranslated
 */
bool IsTranslation(const SentencePair& pair);

/**
 * @param language such as "de" or "pt_BR"
 * @return where its catalogs are: `catalogs/LANGUAGE/LC_MESSAGES` in the cache, where the set-up
 *         puts those of some packages, so that the data are the same on every machine; where there
 * is no such folder, the system's `/usr/share/locale/LANGUAGE/LC_MESSAGES`, with whatever is
 *         installed. The cache is `$COLLAPIPE_CACHE`, else `$XDG_CACHE_HOME/collapipe`, else
 *         `$HOME/.cache/collapipe`.
 * @throws DataError where the language is not a locale's name
 */
std::vector<std::string> GetCatalogDirectories(const std::string& language);

/**
 * @ingroup collapipe
 * Sentence pairs of many catalogs.
 */
struct CatalogCorpus
{
    std::vector<SentencePair> pairs; //!< distinct by source; topic is the catalog's name
    std::vector<std::string> files;  //!< read, in order
    std::vector<std::string> errors; //!< a sentence for every file that could not be used
};

/**
 * Reads and cleans all catalogs of some directories. The order is that of file names, then of
 * directories as given, then of messages in the file; it does not depend on the file system's.
 * @param directories folders with *.mo files; those that do not exist are passed over
 * @return the pairs; no exception for a broken catalog, which is listed in `errors`
 */
CatalogCorpus ReadCatalogs(const std::vector<std::string>& directories);

/// What texts are made to samples for
enum class SampleKind : uint8_t
{
    TRANSLATION, //!< source and target apart; the target may be missing
    TEXT,        //!< one text, or two where the target is not empty, of an encoder or a classifier
    DOCUMENT,    //!< a text whose every token is predicted from those before it
    COMPLETION,  //!< the same of source and target, and only the target is predicted
};

/**
 * @ingroup collapipe
 * What BuildTranslationCorpus() and BuildClassificationCorpus() have in common.
 */
struct CorpusOptions
{
    uint64_t maximumPairs{0};        //!< samples taken at random of what is read; 0: all
    double validationFraction{0.05}; //!< for validation, where it has no files of its own
    double testFraction{0.05};       //!< for the test part; 0: no such part
    uint32_t vocabularySize{2000};   //!< pieces wanted of the tokenizer
    uint64_t seed{1};                //!< for the choice of samples and the split
    std::string workDirectory{};     //!< see Tokenizer::Train()
    std::string tokenizer{};         //!< a model as Tokenizer::GetModel() gave it; empty: train one
    bool isCausal{false};            //!< samples are for a decoder-only model
    uint32_t sequenceLength{0};      //!< tokens that a model reads of a sample; 0: any number
    bool packs{false};               //!< documents follow each other in samples of full length
    SampleKind kind{SampleKind::TRANSLATION}; //!< set by those who know
    /// Names of a classification's classes in the order that a pretrained model has; may be empty
    std::vector<std::string> classOrder{};
};

/**
 * @ingroup collapipe
 * Where the text of a translation comes from: gettext catalogs, or, where `trainSource` is given,
 * aligned files.
 */
struct TranslationSources
{
    std::string language{"de"};             //!< target language of the catalogs; source: English
    std::vector<std::string> directories{}; //!< empty: GetCatalogDirectories()
    std::string trainSource{};              //!< file in the source language, or empty
    std::string trainTarget{};              //!< file aligned with it
    std::string validationSource{};         //!< file in the source language, or empty
    std::string validationTarget{};         //!< file aligned with it
};

/**
 * @ingroup collapipe
 * Where the text of a classification comes from: TSV files.
 */
struct ClassificationSources
{
    std::string training{};   //!< file
    std::string validation{}; //!< file, or empty
    TsvColumns columns{};     //!< of both files, where the next two are empty
    std::string glue{};       //!< name of the task of GLUE whose files they are; see GetGlueTasks()
    std::string named{};      //!< columns by name; see ParseLabelledColumns()
};

/**
 * @ingroup collapipe
 * A data set with what it was made from and with.
 */
struct Corpus
{
    Dataset dataset;                      //!< as token ids
    Tokenizer tokenizer;                  //!< trained on the training part only
    std::vector<SentencePair> training;   //!< text of Dataset::training, in its order
    std::vector<SentencePair> validation; //!< text of Dataset::validation, in its order
    std::vector<SentencePair> test;       //!< text of Dataset::test, in its order
    std::vector<std::string> warnings;    //!< a sentence for all that was left out unexpectedly
};

/**
 * Makes a data set for translation. The three parts share no source text, not even one that
 * differs only in case, punctuation, digits or placeholders.
 *
 * Validation files, where given, are the validation part as they are; training pairs whose source
 * is in them too are left out, with a warning, and the test part is split off the training files.
 * Without them both parts are split off.
 * @param sources where the text comes from
 * @param options how to cut it
 * @return the corpus
 * @throws DataError where something cannot be read or makes no sense
 */
Corpus BuildTranslationCorpus(const TranslationSources& sources, const CorpusOptions& options);

/**
 * Makes a data set for classification; the parts are as in BuildTranslationCorpus(). Samples have a
 * label and no target; the texts' topic is the label's name. Classes are those of the training
 * file, in numerical order where all are integers, else in alphabetical order.
 * @param sources where the text comes from
 * @param options how to cut it
 * @return the corpus
 * @throws DataError where something cannot be read or makes no sense, fewer than two classes and
 *         a label that only the validation file has included
 */
Corpus BuildClassificationCorpus(const ClassificationSources& sources,
                                 const CorpusOptions& options);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CORPUS_H */
