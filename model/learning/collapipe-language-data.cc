/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-language-data.h"

#include "collapipe-corpus-parts.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

bool
EndsWith(const std::string& text, const std::string& end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// @return a line without white space at its ends
std::string
Trim(const std::string& text)
{
    const char* const blanks = " \t\r\v\f";
    const auto begin = text.find_first_not_of(blanks);
    return begin == std::string::npos
               ? std::string()
               : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

/// @return a field of a line of JSON; null where there is none
const std::string*
FindText(const Json& json, const char* name)
{
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get_ptr<const std::string*>()
                                                     : nullptr;
}

Documents
ReadJsonLines(const std::string& path)
{
    Documents documents;
    const auto lines = ReadTextLines(path);
    for (std::size_t i = 0; i < lines.size(); ++i)
    {
        if (Trim(lines[i]).empty())
        {
            continue;
        }
        const auto json = ParseBoundedJson<Json>(lines[i], false);
        const bool isObject = json.is_object();
        const auto* text = isObject ? FindText(json, "text") : nullptr;
        const auto* prompt = isObject ? FindText(json, "prompt") : nullptr;
        const auto* completion = isObject ? FindText(json, "completion") : nullptr;
        const auto where = "'" + path + "', line " + std::to_string(i + 1) + ": ";
        if (!text == !(prompt && completion) || !prompt != !completion)
        {
            throw DataError(where + "this is no JSON object with either 'text' or 'prompt' and "
                                    "'completion', all of them texts.");
        }
        if (!documents.texts.empty() && documents.areCompletions != (completion != nullptr))
        {
            throw DataError(where + "texts and completions cannot be mixed in one file.");
        }
        documents.areCompletions = completion != nullptr;
        if (completion ? completion->empty() : Trim(*text).empty())
        {
            throw DataError(where + "the text is empty.");
        }
        documents.texts.push_back(completion ? SentencePair{*prompt, *completion, ""}
                                             : SentencePair{*text, "", ""});
    }
    return documents;
}

/// @return whether blank lines stand between others
bool
HasBlankLines(const std::vector<std::string>& lines)
{
    bool hasText = false;
    bool hasBlank = false;
    for (const auto& line : lines)
    {
        const bool isBlank = Trim(line).empty();
        if (!isBlank && hasBlank)
        {
            return true;
        }
        hasText = hasText || !isBlank;
        hasBlank = hasText && isBlank;
    }
    return false;
}

Documents
ReadPlainDocuments(const std::string& path, DocumentForm form)
{
    Documents documents;
    const auto lines = ReadTextLines(path);
    documents.areParagraphs =
        form == DocumentForm::PARAGRAPHS || (form == DocumentForm::AUTO && HasBlankLines(lines));
    std::string open;
    const auto close = [&] {
        if (!open.empty())
        {
            documents.texts.push_back({std::move(open), "", ""});
        }
        open.clear();
    };
    for (const auto& line : lines)
    {
        const auto text = Trim(line);
        if (text.empty() || !documents.areParagraphs)
        {
            close();
        }
        open += (open.empty() || text.empty() ? "" : "\n") + text;
    }
    close();
    return documents;
}

/// Leaves out documents that came before.
void
RemoveRepeated(Documents& documents)
{
    std::set<std::pair<std::string, std::string>> seen;
    auto& texts = documents.texts;
    texts.erase(std::remove_if(texts.begin(),
                               texts.end(),
                               [&seen](const auto& text) {
                                   return !seen.emplace(text.source, text.target).second;
                               }),
                texts.end());
}

/// @return the English messages of catalogs
Documents
ReadMessages(const LanguageModelSources& sources, Corpus& corpus)
{
    const auto directories =
        sources.directories.empty() ? GetCatalogDirectories(sources.language) : sources.directories;
    auto catalogs = ReadCatalogs(directories);
    corpus.warnings = std::move(catalogs.errors);
    Documents documents;
    for (auto& pair : catalogs.pairs)
    {
        documents.texts.push_back({std::move(pair.source), "", ""});
    }
    if (documents.texts.empty())
    {
        throw DataError("No translations into '" + sources.language +
                        "' were found, whose English messages are the default text; give a file.");
    }
    corpus.dataset.description = "English messages of " + std::to_string(catalogs.files.size()) +
                                 " gettext catalogs for '" + sources.language + "'";
    return documents;
}

/// @return what a file's documents are, for the manifest
std::string
Describe(const std::string& path, const Documents& documents)
{
    return std::string(documents.areCompletions  ? "prompts and completions"
                       : documents.areParagraphs ? "documents between blank lines"
                                                 : "documents") +
           " of '" + path + "'";
}

} // namespace

bool
ParseDocumentForm(const std::string& name, DocumentForm& form)
{
    const std::pair<const char*, DocumentForm> known[] = {{"auto", DocumentForm::AUTO},
                                                          {"lines", DocumentForm::LINES},
                                                          {"paragraphs", DocumentForm::PARAGRAPHS}};
    for (const auto& [text, value] : known)
    {
        if (name == text)
        {
            form = value;
            return true;
        }
    }
    return false;
}

Documents
ReadDocuments(const std::string& path, DocumentForm form)
{
    const bool isJson = EndsWith(path, ".jsonl") || EndsWith(path, ".json");
    auto documents = isJson ? ReadJsonLines(path) : ReadPlainDocuments(path, form);
    if (documents.texts.empty())
    {
        throw DataError("'" + path + "' holds no text.");
    }
    return documents;
}

Corpus
BuildLanguageModelCorpus(const LanguageModelSources& sources, const CorpusOptions& given)
{
    Corpus corpus;
    auto options = given;
    options.isCausal = true;
    Documents documents;
    if (sources.training.empty())
    {
        documents = ReadMessages(sources, corpus);
    }
    else
    {
        documents = ReadDocuments(sources.training, sources.form);
        corpus.dataset.description = Describe(sources.training, documents);
    }
    if (!sources.validation.empty())
    {
        auto validation = ReadDocuments(sources.validation, sources.form);
        if (validation.areCompletions != documents.areCompletions)
        {
            throw DataError("'" + sources.training + "' and '" + sources.validation +
                            "' must both have completions, or neither.");
        }
        corpus.validation = std::move(validation.texts);
    }
    RemoveRepeated(documents);
    options.kind = documents.areCompletions ? SampleKind::COMPLETION : SampleKind::DOCUMENT;
    SplitCorpus(std::move(documents.texts), options, corpus);
    TokenizeCorpus(options, {""}, corpus);
    return corpus;
}

} // namespace collapipe
} // namespace ns3
