/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tokenizer.h"

#include "collapipe-content-cache.h"
#include "collapipe-private-directory.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Special tokens in every vocabulary: padding, unknown, begin, end
constexpr uint32_t SPECIAL_TOKENS = 4;

/**
 * @param complaint of spm_train
 * @param key what stands before the number
 * @return the number in it; 0 where there is none
 */
uint32_t
FindNumber(const std::string& complaint, const std::string& key)
{
    const auto at = complaint.find(key);
    uint32_t number = 0;
    if (at != std::string::npos)
    {
        const char* begin = complaint.data() + at + key.size();
        std::from_chars(begin, complaint.data() + complaint.size(), number);
    }
    return number;
}

/**
 * @param complaint of spm_train
 * @param vocabularySize pieces wanted
 * @throws DataError with what the user can do about it
 */
[[noreturn]] void
RefuseTraining(const std::string& complaint, uint32_t vocabularySize)
{
    if (complaint.find("smaller than required_chars") != std::string::npos)
    {
        const auto needed = FindNumber(complaint, std::to_string(vocabularySize) + " vs ");
        throw DataError("A vocabulary of " + std::to_string(vocabularySize) +
                        " pieces is too small: the training text's characters and the special "
                        "tokens need " +
                        std::to_string(needed) + ".");
    }
    throw DataError("Training the tokenizer failed: " + complaint + ".");
}

/**
 * @param lines sentences
 * @return the lines, each ended by one line break
 */
std::string
JoinLines(const std::vector<std::string>& lines)
{
    std::string text;
    for (auto line : lines)
    {
        std::replace_if(
            line.begin(),
            line.end(),
            [](char c) { return c == '\n' || c == '\r' || c == '\0'; },
            ' ');
        text += line + '\n';
    }
    return text;
}

/**
 * @param text lines, each ended by a line break
 * @return the lines
 */
std::vector<std::string>
SplitLines(const std::string& text)
{
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

/**
 * @param line numbers with spaces between
 * @param limit what they must be less than
 * @return the numbers
 */
std::vector<int32_t>
ParseIds(const std::string& line, uint32_t limit)
{
    std::vector<int32_t> ids;
    const char* position = line.data();
    const char* end = position + line.size();
    while (position < end)
    {
        int32_t id = -1;
        const auto result = std::from_chars(position, end, id);
        const bool separated = result.ptr == end || *result.ptr == ' ';
        if (result.ec != std::errc() || !separated || id < 0 || static_cast<uint32_t>(id) >= limit)
        {
            throw DataError("spm_encode gave something else than token ids: '" + line + "'.");
        }
        ids.push_back(id);
        position = result.ptr == end ? end : result.ptr + 1;
    }
    return ids;
}

/**
 * @param ids tokens of a sentence
 * @param limit what they must be less than
 * @return the numbers up to the first end token, without begin tokens and padding
 */
std::string
FormatIds(const std::vector<int32_t>& ids, uint32_t limit)
{
    std::string line;
    for (const auto id : ids)
    {
        if (id < 0 || static_cast<uint32_t>(id) >= limit)
        {
            throw DataError("Token " + std::to_string(id) + " is outside the vocabulary of " +
                            std::to_string(limit) + " pieces.");
        }
        if (id == END_TOKEN)
        {
            break;
        }
        if (id != PAD_TOKEN && id != BEGIN_TOKEN)
        {
            line += (line.empty() ? "" : " ") + std::to_string(id);
        }
    }
    return line;
}

/// What the packed files of a pretrained tokenizer begin with
const std::string PACKED = "collapipe-tokenizer-files\n";

/// @return files by name as one text: of each its name, its size and its bytes
std::string
PackFiles(const std::map<std::string, std::string>& files)
{
    std::string packed = PACKED;
    for (const auto& [name, bytes] : files)
    {
        packed += name + "\n" + std::to_string(bytes.size()) + "\n" + bytes;
    }
    return packed;
}

/// @return the inverse of PackFiles()
std::map<std::string, std::string>
UnpackFiles(const std::string& packed)
{
    std::map<std::string, std::string> files;
    for (auto place = PACKED.size(); place < packed.size();)
    {
        const auto name = packed.find('\n', place);
        const auto end = name == packed.npos ? name : packed.find('\n', name + 1);
        uint64_t size = 0;
        if (end == packed.npos ||
            std::from_chars(packed.data() + name + 1, packed.data() + end, size).ec !=
                std::errc() ||
            size > packed.size() - end - 1)
        {
            throw DataError("The saved tokenizer is damaged.");
        }
        files[packed.substr(place, name - place)] = packed.substr(end + 1, size);
        place = end + 1 + size;
    }
    return files;
}

/**
 * A program of SentencePiece's whose results are kept: the same release makes the same of the same
 * input.
 */
class KeptResults
{
  public:
    /**
     * @param program its name
     * @param arguments that it is given
     * @param input all that it reads
     * @param directory where it may run
     * @throws DataError where the program is missing
     */
    KeptResults(const std::string& program,
                const std::vector<std::string>& arguments,
                const std::string& input,
                const PrivateDirectory& directory)
        : m_cache(ContentCache::GetFolder("tokenizer")),
          m_key(program)
    {
        const bool isKnown = RunIn(directory, {program, "--version"});
        const auto version = ReadFileBytes(directory.GetFile("output"));
        if (!isKnown || version.empty())
        {
            m_cache = ContentCache("");
        }
        m_key += '\n' + version;
        for (const auto& argument : arguments)
        {
            m_key += '\n' + argument;
        }
        m_key += "\n\n" + input;
    }

    /// @return what it made of this before, where that is kept
    std::optional<std::string> Find() const
    {
        return m_cache.Find(m_key);
    }

    /// @param result that it has made
    void Keep(const std::string& result) const
    {
        m_cache.Keep(m_key, result);
    }

  private:
    ContentCache m_cache; //!< where results are
    std::string m_key;    //!< all that the result depends on
};

} // namespace

Tokenizer::Tokenizer(std::string model, uint32_t vocabularySize, std::string workDirectory)
    : m_model(std::move(model)),
      m_vocabularySize(vocabularySize),
      m_workDirectory(std::move(workDirectory))
{
    if (m_model.compare(0, PACKED.size(), PACKED) == 0)
    {
        m_pretrained = PretrainedTokenizer::FromFiles(UnpackFiles(m_model), "the saved tokenizer");
        m_vocabularySize = m_pretrained->GetVocabularySize();
    }
}

Tokenizer::Tokenizer(std::shared_ptr<const PretrainedTokenizer> pretrained)
    : m_pretrained(std::move(pretrained)),
      m_model(PackFiles(m_pretrained->GetFiles())),
      m_vocabularySize(m_pretrained->GetVocabularySize())
{
}

const std::shared_ptr<const PretrainedTokenizer>&
Tokenizer::GetPretrained() const
{
    return m_pretrained;
}

void
Tokenizer::Train(const std::vector<std::string>& lines,
                 uint32_t vocabularySize,
                 const std::string& workDirectory)
{
    const bool blank = std::all_of(lines.begin(), lines.end(), [](const auto& line) {
        return FoldWhiteSpace(line).empty();
    });
    if (blank)
    {
        throw DataError("A tokenizer cannot be trained without text.");
    }
    if (vocabularySize <= SPECIAL_TOKENS)
    {
        throw DataError("A vocabulary needs more than " + std::to_string(SPECIAL_TOKENS) +
                        " pieces, but " + std::to_string(vocabularySize) + " are wanted.");
    }
    const PrivateDirectory directory(workDirectory);
    const auto text = JoinLines(lines);
    directory.Write("text", text);
    directory.Write("input", "");
    std::vector<std::string> arguments{"--input=text",
                                       "--model_prefix=vocabulary",
                                       "--model_type=bpe",
                                       "--vocab_size=" + std::to_string(vocabularySize),
                                       "--hard_vocab_limit=false",
                                       "--character_coverage=1.0",
                                       "--num_threads=1",
                                       "--random_seed=1",
                                       "--pad_id=" + std::to_string(PAD_TOKEN),
                                       "--unk_id=" + std::to_string(UNKNOWN_TOKEN),
                                       "--bos_id=" + std::to_string(BEGIN_TOKEN),
                                       "--eos_id=" + std::to_string(END_TOKEN)};
    const KeptResults results("spm_train", arguments, text, directory);
    auto kept = results.Find();
    if (!kept)
    {
        arguments.insert(arguments.begin(), "spm_train");
        if (!RunIn(directory, arguments))
        {
            RefuseTraining(ReadComplaint(directory), vocabularySize);
        }
        const auto pieces = ReadFileBytes(directory.GetFile("vocabulary.vocab"));
        kept = std::to_string(std::count(pieces.begin(), pieces.end(), '\n')) + '\n' +
               ReadFileBytes(directory.GetFile("vocabulary.model"));
        results.Keep(*kept);
    }
    const auto line = kept->find('\n');
    m_vocabularySize = static_cast<uint32_t>(std::stoul(kept->substr(0, line)));
    m_model = kept->substr(line + 1);
    m_workDirectory = workDirectory;
}

uint32_t
Tokenizer::GetVocabularySize() const
{
    return m_vocabularySize;
}

const std::string&
Tokenizer::GetModel() const
{
    return m_model;
}

std::vector<std::string>
Tokenizer::Apply(const std::string& program,
                 const std::string& option,
                 const std::vector<std::string>& lines) const
{
    if (m_model.empty())
    {
        throw DataError("The tokenizer has not been trained.");
    }
    if (lines.empty())
    {
        return {};
    }
    const PrivateDirectory directory(m_workDirectory);
    directory.Write("model", m_model);
    const auto text = JoinLines(lines);
    // A run's data are the same the next time; what it translates them to is not.
    std::optional<KeptResults> results;
    std::optional<std::string> output;
    if (program == "spm_encode")
    {
        directory.Write("input", "");
        results.emplace(program,
                        std::vector<std::string>{option},
                        m_model + '\n' + text,
                        directory);
        output = results->Find();
    }
    if (!output)
    {
        directory.Write("input", text);
        if (!RunIn(directory, {program, "--model=model", option}))
        {
            throw DataError(program + " failed: " + ReadComplaint(directory) + ".");
        }
        output = ReadFileBytes(directory.GetFile("output"));
        if (results)
        {
            results->Keep(*output);
        }
    }
    auto result = SplitLines(*output);
    if (result.size() != lines.size())
    {
        throw DataError(program + " gave " + std::to_string(result.size()) + " lines for " +
                        std::to_string(lines.size()) + ".");
    }
    return result;
}

std::vector<std::vector<int32_t>>
Tokenizer::Encode(const std::vector<std::string>& lines) const
{
    std::vector<std::vector<int32_t>> sequences;
    if (m_pretrained)
    {
        for (const auto& line : lines)
        {
            sequences.push_back(m_pretrained->Encode(line));
        }
        return sequences;
    }
    for (const auto& line : Apply("spm_encode", "--output_format=id", lines))
    {
        sequences.push_back(ParseIds(line, m_vocabularySize));
    }
    return sequences;
}

std::vector<std::string>
Tokenizer::Decode(const std::vector<std::vector<int32_t>>& sequences) const
{
    std::vector<std::string> lines;
    if (m_pretrained)
    {
        for (const auto& ids : sequences)
        {
            lines.push_back(m_pretrained->Decode(ids));
        }
        return lines;
    }
    for (const auto& ids : sequences)
    {
        lines.push_back(FormatIds(ids, m_vocabularySize));
    }
    return Apply("spm_decode", "--input_format=id", lines);
}

} // namespace collapipe
} // namespace ns3
