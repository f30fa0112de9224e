/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-corpus.h"

#include "collapipe-gettext-catalog.h"
#include "collapipe-partition.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
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
 * @param pairs cut to a random choice, in their order
 * @param maximum number of pairs; 0: all
 * @param seed for the choice
 */
void
Limit(std::vector<SentencePair>& pairs, uint64_t maximum, uint64_t seed)
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
 * Cuts the text into its parts.
 * @param pairs all but those of validation files
 * @param options how to cut
 * @param corpus gets the parts; its validation part is already there where it has its own file
 */
void
Split(std::vector<SentencePair> pairs, const CorpusOptions& options, Corpus& corpus)
{
    const bool withValidation = !corpus.validation.empty();
    CheckOptions(options, withValidation);
    RemoveValidation(pairs, corpus);
    Limit(pairs, options.maximumPairs, options.seed);
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

/**
 * Trains the tokenizer on the training part and encodes all parts.
 * @param options how to
 * @param topics of all pairs, in the order that they get
 * @param corpus with its text; gets the rest
 */
void
Tokenize(const CorpusOptions& options, const std::vector<std::string>& topics, Corpus& corpus)
{
    std::vector<std::string> lines;
    AppendLines(corpus.training, lines);
    corpus.tokenizer.Train(lines, options.vocabularySize, options.workDirectory);
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

/**
 * @param pairs any
 * @return their distinct topics, sorted
 */
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
ReadLabelled(const std::string& path, const TsvColumns& columns)
{
    std::vector<SentencePair> pairs;
    for (auto& row : ReadLabelledTsv(path, columns))
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
    const auto folder = "locale/" + language + "/LC_MESSAGES";
    return {"/usr/share/" + folder, cache + "/" + folder};
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
    Split(std::move(pairs), options, corpus);
    Tokenize(options, topics, corpus);
    return corpus;
}

Corpus
BuildClassificationCorpus(const ClassificationSources& sources, const CorpusOptions& options)
{
    Corpus corpus;
    auto pairs = ReadLabelled(sources.training, sources.columns);
    const auto classes = ListClasses(sources.training, pairs);
    if (!sources.validation.empty())
    {
        corpus.validation = ReadLabelled(sources.validation, sources.columns);
        CheckClasses(sources.validation, corpus.validation, classes);
    }
    Split(std::move(pairs), options, corpus);
    Tokenize(options, classes, corpus);
    auto& dataset = corpus.dataset;
    dataset.classes = classes;
    dataset.description = "labelled file '" + sources.training + "'";
    for (auto* part : {&dataset.training, &dataset.validation, &dataset.test})
    {
        for (auto& sample : *part)
        {
            sample.label = static_cast<int32_t>(sample.topic);
        }
    }
    return corpus;
}

} // namespace collapipe
} // namespace ns3
