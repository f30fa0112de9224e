/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LANGUAGE_DATA_H
#define COLLAPIPE_LANGUAGE_DATA_H

#include "collapipe-corpus.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// How a plain text file is cut into documents
enum class DocumentForm : uint8_t
{
    AUTO,       //!< by blank lines where there are some between others, else by lines
    LINES,      //!< every line is one
    PARAGRAPHS, //!< blank lines stand between them
};

/**
 * @param name auto, lines or paragraphs
 * @param form filled in
 * @return whether it is one of them
 */
bool ParseDocumentForm(const std::string& name, DocumentForm& form);

/**
 * @ingroup collapipe
 * Texts of a language model, as they stand in a file.
 */
struct Documents
{
    std::vector<SentencePair> texts{}; //!< source: a document, or a prompt; target: its completion
    bool areCompletions{false};        //!< whether they are prompts with completions
    bool areParagraphs{false};         //!< whether blank lines stood between them
};

/**
 * Reads plain text, or, where the name ends in `.jsonl` or `.json`, JSON Lines: an object a line,
 * with `text`, or with `prompt` and `completion`.
 * @param path the file
 * @param form of plain text
 * @return the documents, their white space as it is but at the ends; of JSON Lines all of it
 * @throws DataError where it cannot be read, a line is none of these, or texts and completions are
 *         mixed
 */
Documents ReadDocuments(const std::string& path, DocumentForm form);

/**
 * @ingroup collapipe
 * Where the text of a decoder-only language model comes from: a file, or, where there is none, the
 * messages of gettext catalogs, which are English sentences.
 */
struct LanguageModelSources
{
    std::string training{};                 //!< file, or empty
    std::string validation{};               //!< file, or empty
    DocumentForm form{DocumentForm::AUTO};  //!< of plain text files
    std::string language{"de"};             //!< whose catalogs' messages are taken
    std::vector<std::string> directories{}; //!< of the catalogs; empty: GetCatalogDirectories()
};

/**
 * Makes a data set for causal language modelling; the parts are as in BuildTranslationCorpus().
 * @param sources where the text comes from
 * @param options how to cut it
 * @return the corpus
 * @throws DataError where something cannot be read or makes no sense
 */
Corpus BuildLanguageModelCorpus(const LanguageModelSources& sources, const CorpusOptions& options);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LANGUAGE_DATA_H */
