/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-corpus.h"

#include "collapipe-corpus-parts.h"
#include "collapipe-gettext-catalog.h"
#include "collapipe-labelled-files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>
#include <unordered_set>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Longest run without white space in a sentence, characters
constexpr uint32_t MAXIMUM_RUN = 45;

/**
 * @param codePoint a letter
 * @return whether its script is written without spaces, like Thai, Khmer, Chinese or Japanese
 */
bool
IsUnspaced(uint32_t codePoint)
{
    return (codePoint >= 0xe00 && codePoint < 0xf00) ||
           (codePoint >= 0x1000 && codePoint < 0x10a0) ||
           (codePoint >= 0x1780 && codePoint < 0x1800) ||
           (codePoint >= 0x3040 && codePoint < 0xa000) ||
           (codePoint >= 0xf900 && codePoint < 0xfb00) || codePoint >= 0x20000;
}

/**
 * What a text consists of.
 */
struct TextMeasures
{
    uint32_t characters{0}; //!< other than white space
    uint32_t letters{0};    //!< of these
    uint32_t runs{0};       //!< without white space
    uint32_t words{0};      //!< see CountWords()
    uint32_t longestRun{0}; //!< characters of the longest run, those of unspaced scripts left out
};

/**
 * @param run a part of a text without white space
 * @param measures to which the run is added
 */
void
MeasureRun(std::string_view run, TextMeasures& measures)
{
    uint32_t characters = 0;
    uint32_t letters = 0;
    uint32_t unspaced = 0;
    for (std::size_t position = 0; position < run.size();)
    {
        const auto codePoint = NextCodePoint(run, position);
        const bool letter = IsLetter(codePoint);
        ++characters;
        letters += letter ? 1 : 0;
        unspaced += letter && IsUnspaced(codePoint) ? 1 : 0;
    }
    measures.characters += characters;
    measures.letters += letters;
    measures.words += unspaced > 0 ? (unspaced + 1) / 2 : letters > 0 ? 1 : 0;
    measures.runs += characters > 0 ? 1 : 0;
    measures.longestRun = std::max(measures.longestRun, characters - unspaced);
}

TextMeasures
Measure(std::string_view text)
{
    TextMeasures measures;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto end = std::min(text.find(' ', begin), text.size());
        MeasureRun(text.substr(begin, end - begin), measures);
        begin = end + 1;
    }
    return measures;
}

/**
 * @param line a line of a message
 * @return whether it is set in columns or describes an option
 */
bool
IsTabularLine(std::string_view line)
{
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos)
    {
        return false;
    }
    for (auto i = first + 1; i + 1 < line.size(); ++i)
    {
        const bool gap = line[i] == '\t' || (line[i] == ' ' && line[i + 1] == ' ');
        const bool last = line.find_first_not_of(" \t", i) == std::string_view::npos;
        if (gap && !last && std::string_view(".!?:;)").find(line[i - 1]) == std::string_view::npos)
        {
            return true;
        }
    }
    const bool option = line[first] == '-';
    return option && (first > 1 || line.find(", -") != std::string_view::npos);
}

/**
 * @param path a catalog
 * @param topic its name
 * @param seen sources of the corpus's pairs
 * @param corpus to which the catalog's new pairs are added, or its error
 */
void
AppendCatalog(const std::string& path,
              const std::string& topic,
              std::unordered_set<std::string>& seen,
              CatalogCorpus& corpus)
{
    try
    {
        for (const auto& message : ReadCatalog(path))
        {
            const bool tabular = IsTabular(message.source) || IsTabular(message.target);
            auto pair = tabular ? std::nullopt : CleanPair(message.source, message.target);
            if (pair && IsTranslation(*pair) && seen.insert(pair->source).second)
            {
                pair->topic = topic;
                corpus.pairs.push_back(std::move(*pair));
            }
        }
        corpus.files.push_back(path);
    }
    catch (const DataError& error)
    {
        corpus.errors.push_back(error.what());
    }
}

std::vector<SentencePair>
ReadCatalogPairs(const TranslationSources& sources, Corpus& corpus)
{
    const auto directories =
        sources.directories.empty() ? GetCatalogDirectories(sources.language) : sources.directories;
    auto catalogs = ReadCatalogs(directories);
    if (catalogs.pairs.empty())
    {
        std::string places;
        for (const auto& directory : directories)
        {
            places += (places.empty() ? "'" : " or '") + directory + "'";
        }
        throw DataError("No translations into '" + sources.language +
                        "' were found: there is no usable *.mo file in " + places + ".");
    }
    corpus.warnings = std::move(catalogs.errors);
    corpus.dataset.description =
        std::to_string(catalogs.files.size()) + " gettext catalogs for '" + sources.language + "'";
    return std::move(catalogs.pairs);
}

std::vector<SentencePair>
ReadFilePairs(const TranslationSources& sources, Corpus& corpus)
{
    if (sources.trainTarget.empty() ||
        sources.validationSource.empty() != sources.validationTarget.empty())
    {
        throw DataError("Aligned files come in twos: a source file needs a target file.");
    }
    if (!sources.validationSource.empty())
    {
        corpus.validation = ReadAlignedFiles(sources.validationSource, sources.validationTarget);
    }
    corpus.dataset.description =
        "aligned files '" + sources.trainSource + "' and '" + sources.trainTarget + "'";
    return ReadAlignedFiles(sources.trainSource, sources.trainTarget);
}

/// @return the texts of a TSV file; topic is the label
std::vector<SentencePair>
ReadLabelled(const std::string& path,
             const ClassificationSources& sources,
             std::vector<std::string>& warnings)
{
    LabelledColumns columns;
    if (!sources.glue.empty() && !FindGlueColumns(sources.glue, columns))
    {
        throw DataError("'" + sources.glue + "' is no task of GLUE.");
    }
    if (!sources.named.empty())
    {
        columns = ParseLabelledColumns(sources.named);
    }
    if (!columns.text.empty())
    {
        return ReadLabelledColumns(path, columns, warnings);
    }
    std::vector<SentencePair> pairs;
    for (auto& row : ReadLabelledTsv(path, sources.columns))
    {
        pairs.push_back({std::move(row.text), "", std::move(row.label)});
    }
    return pairs;
}

/**
 * @param name of a class
 * @return its number where it is one
 */
std::optional<int64_t>
ParseInteger(const std::string& name)
{
    int64_t number = 0;
    const auto result = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool whole = result.ec == std::errc() && result.ptr == name.data() + name.size();
    return whole ? std::optional(number) : std::nullopt;
}

/**
 * @param path the training file, for messages
 * @param pairs its texts with labels
 * @return names of the classes in order
 */
std::vector<std::string>
ListClasses(const std::string& path, const std::vector<SentencePair>& pairs)
{
    auto classes = ListTopics(pairs);
    if (classes.size() < 2)
    {
        throw DataError("All rows of '" + path + "' have the same label '" + classes.front() +
                        "': a classification needs two classes or more.");
    }
    const bool numeric = std::all_of(classes.begin(), classes.end(), ParseInteger);
    if (numeric)
    {
        std::stable_sort(classes.begin(), classes.end(), [](const auto& a, const auto& b) {
            return ParseInteger(a) < ParseInteger(b);
        });
    }
    return classes;
}

/**
 * @param path the validation file, for messages
 * @param pairs its texts with labels
 * @param classes of the training file
 */
void
CheckClasses(const std::string& path,
             const std::vector<SentencePair>& pairs,
             const std::vector<std::string>& classes)
{
    for (const auto& pair : pairs)
    {
        if (std::find(classes.begin(), classes.end(), pair.topic) == classes.end())
        {
            throw DataError("The label '" + pair.topic + "' in '" + path +
                            "' does not occur in the training file.");
        }
    }
}

} // namespace

uint32_t
CountWords(std::string_view text)
{
    return Measure(text).words;
}

bool
IsSentence(std::string_view text)
{
    const auto measures = Measure(text);
    const auto inside = [](uint32_t n) { return n >= MINIMUM_WORDS && n <= MAXIMUM_WORDS; };
    return inside(measures.words) && measures.runs <= MAXIMUM_WORDS &&
           measures.longestRun <= MAXIMUM_RUN && 10 * measures.letters >= 7 * measures.characters;
}

bool
IsTabular(std::string_view text)
{
    std::size_t indented = 0;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = text.substr(begin, end - begin);
        indented += begin > 0 && line.substr(0, 2) == "  " ? 1 : 0;
        if (IsTabularLine(line) || indented > 1)
        {
            return true;
        }
        begin = end + 1;
    }
    static constexpr std::array<std::string_view, 7> DRAWINGS{
        {"---", "===", "***", "___", "###", "+-", "~~~"}};
    return text.substr(0, 5) == "Usage" || text.substr(0, 5) == "usage" ||
           std::any_of(DRAWINGS.begin(), DRAWINGS.end(), [text](auto drawing) {
               return text.find(drawing) != std::string_view::npos;
           });
}

bool
IsTranslation(const SentencePair& pair)
{
    if (pair.target.find(pair.source) != std::string::npos || !IsSentence(pair.source) ||
        !IsSentence(pair.target))
    {
        return false;
    }
    const auto words = std::minmax({CountWords(pair.source), CountWords(pair.target)});
    return words.second <= 3 * words.first;
}

std::vector<std::string>
GetCatalogDirectories(const std::string& language)
{
    const bool name = std::all_of(language.begin(), language.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '@' || c == '-';
    });
    if (!name || language.empty())
    {
        throw DataError("'" + language +
                        "' is not the name of a language such as 'de' or 'pt_BR'.");
    }
    const auto variable = [](const char* key) -> std::string {
        const char* value = std::getenv(key);
        return value ? value : "";
    };
    auto cache = variable("COLLAPIPE_CACHE");
    if (cache.empty())
    {
        const auto base = variable("XDG_CACHE_HOME");
        cache = (base.empty() ? variable("HOME") + "/.cache" : base) + "/collapipe";
    }
    const auto folder = "/" + language + "/LC_MESSAGES";
    const auto own = cache + "/catalogs" + folder;
    std::error_code error;
    return {std::filesystem::is_directory(own, error) ? own : "/usr/share/locale" + folder};
}

CatalogCorpus
ReadCatalogs(const std::vector<std::string>& directories)
{
    std::vector<std::tuple<std::string, std::size_t, std::string>> files;
    for (std::size_t i = 0; i < directories.size(); ++i)
    {
        std::error_code error;
        std::filesystem::directory_iterator entry(directories[i], error);
        for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
        {
            if (entry->path().extension() == ".mo")
            {
                files.emplace_back(entry->path().stem().string(), i, entry->path().string());
            }
        }
    }
    std::sort(files.begin(), files.end());
    CatalogCorpus corpus;
    std::unordered_set<std::string> seen;
    for (const auto& [name, index, path] : files)
    {
        AppendCatalog(path, name, seen, corpus);
    }
    return corpus;
}

Corpus
BuildTranslationCorpus(const TranslationSources& sources, const CorpusOptions& options)
{
    Corpus corpus;
    auto pairs = sources.trainSource.empty() ? ReadCatalogPairs(sources, corpus)
                                             : ReadFilePairs(sources, corpus);
    const auto topics = ListTopics(pairs);
    SplitCorpus(std::move(pairs), options, corpus);
    TokenizeCorpus(options, topics, corpus);
    return corpus;
}

Corpus
BuildClassificationCorpus(const ClassificationSources& sources, const CorpusOptions& given)
{
    Corpus corpus;
    auto options = given;
    options.kind = SampleKind::TEXT;
    auto pairs = ReadLabelled(sources.training, sources, corpus.warnings);
    auto classes = ListClasses(sources.training, pairs);
    if (std::is_permutation(classes.begin(),
                            classes.end(),
                            given.classOrder.begin(),
                            given.classOrder.end()))
    {
        classes = given.classOrder; // a pretrained classifier knows them in this order
    }
    if (!sources.validation.empty())
    {
        corpus.validation = ReadLabelled(sources.validation, sources, corpus.warnings);
        CheckClasses(sources.validation, corpus.validation, classes);
    }
    SplitCorpus(std::move(pairs), options, corpus);
    TokenizeCorpus(options, classes, corpus);
    auto& dataset = corpus.dataset;
    dataset.description = "labelled file '" + sources.training + "'";
    LabelByTopic(dataset);
    return corpus;
}

} // namespace collapipe
} // namespace ns3
