/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-labelled-files.h"

#include "collapipe-text-files.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

namespace ns3
{
namespace collapipe
{

namespace
{

/// A task of GLUE with the columns of its files
struct GlueTask
{
    const char* name;        //!< as its folder is called
    LabelledColumns columns; //!< by the names in the header; CoLA's files have none
};

const std::vector<GlueTask>&
ListGlueTasks()
{
    static const std::vector<GlueTask> tasks = {
        {"CoLA", {"4", "", "2"}},
        {"SST-2", {"sentence", "", "label"}},
        {"MRPC", {"#1 String", "#2 String", "Quality"}},
        {"QQP", {"question1", "question2", "is_duplicate"}},
        {"STS-B", {"sentence1", "sentence2", "score", true}},
        {"MNLI", {"sentence1", "sentence2", "gold_label"}},
        {"QNLI", {"question", "sentence", "label"}},
        {"RTE", {"sentence1", "sentence2", "label"}},
        {"WNLI", {"sentence1", "sentence2", "label"}},
    };
    return tasks;
}

/// @return a name without hyphens, in lower case
std::string
Simplify(const std::string& name)
{
    std::string simple;
    for (const char c : name)
    {
        if (c != '-' && c != '_')
        {
            simple += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return simple;
}

std::vector<std::string>
Split(const std::string& text, char separator)
{
    std::vector<std::string> parts(1);
    for (const char c : text)
    {
        if (c == separator)
        {
            parts.emplace_back();
        }
        else
        {
            parts.back() += c;
        }
    }
    return parts;
}

bool
IsNumber(const std::string& text)
{
    return !text.empty() && text.size() < 6 &&
           text.find_first_not_of("0123456789") == std::string::npos;
}

/// @return the list of a header's names, for messages
std::string
Quote(const std::vector<std::string>& names)
{
    std::string list;
    for (const auto& name : names)
    {
        list += (list.empty() ? "'" : ", '") + name + "'";
    }
    return list;
}

/**
 * @param path of the file, for messages
 * @param column a name of the header, or a number from 1
 * @param first the columns of the file's first line
 * @return index of the column
 */
std::size_t
FindColumn(const std::string& path,
           const std::string& column,
           const std::vector<std::string>& first)
{
    if (IsNumber(column))
    {
        const auto number = std::stoul(column);
        if (number >= 1 && number <= first.size())
        {
            return number - 1;
        }
        throw DataError("'" + path + "' has no column " + column + ": its first line has " +
                        std::to_string(first.size()) + ".");
    }
    const auto found = std::find(first.begin(), first.end(), column);
    if (found == first.end())
    {
        throw DataError("'" + path + "' has no column '" + column + "'; its header names " +
                        Quote(first) + ".");
    }
    return static_cast<std::size_t>(found - first.begin());
}

/// @return the class of a number as text: the nearest whole one; empty where the text is none
std::string
RoundScore(const std::string& text)
{
    char* end = nullptr;
    const double score = std::strtod(text.c_str(), &end);
    const bool isNumber = !text.empty() && end == text.c_str() + text.size();
    return isNumber && std::fabs(score) < 1e6 ? std::to_string(std::lround(score)) : std::string();
}

} // namespace

std::vector<std::string>
GetGlueTasks()
{
    std::vector<std::string> names;
    for (const auto& task : ListGlueTasks())
    {
        names.emplace_back(task.name);
    }
    return names;
}

bool
FindGlueColumns(const std::string& task, LabelledColumns& columns)
{
    for (const auto& known : ListGlueTasks())
    {
        if (Simplify(known.name) == Simplify(task))
        {
            columns = known.columns;
            return true;
        }
    }
    return false;
}

LabelledColumns
ParseLabelledColumns(const std::string& text)
{
    const auto parts = Split(text, ',');
    const auto numbers = std::count_if(parts.begin(), parts.end(), IsNumber);
    const bool hasEmpty =
        std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); });
    if (parts.size() < 2 || parts.size() > 3 || hasEmpty ||
        (numbers > 0 && numbers < static_cast<std::ptrdiff_t>(parts.size())))
    {
        throw DataError("The columns '" + text +
                        "' must be TEXT,LABEL or TEXT,TEXT2,LABEL, all of them names of the file's "
                        "header, or all of them numbers from 1 in a file without one.");
    }
    return {parts.front(), parts.size() == 3 ? parts[1] : std::string(), parts.back()};
}

std::vector<SentencePair>
ReadLabelledColumns(const std::string& path,
                    const LabelledColumns& columns,
                    std::vector<std::string>& warnings)
{
    const auto lines = ReadTextLines(path);
    const auto first = Split(lines.front(), '\t');
    const auto text = FindColumn(path, columns.text, first);
    const auto second = columns.second.empty() ? text : FindColumn(path, columns.second, first);
    const auto label = FindColumn(path, columns.label, first);
    std::vector<SentencePair> pairs;
    uint64_t dropped = 0;
    std::size_t firstDropped = 0;
    for (std::size_t i = IsNumber(columns.text) ? 0 : 1; i < lines.size(); ++i)
    {
        if (FoldWhiteSpace(lines[i]).empty())
        {
            continue;
        }
        const auto row = Split(lines[i], '\t');
        SentencePair pair;
        if (row.size() == first.size())
        {
            pair.source = FoldWhiteSpace(row[text]);
            pair.target = columns.second.empty() ? std::string() : FoldWhiteSpace(row[second]);
            const auto name = FoldWhiteSpace(row[label]);
            pair.topic = columns.isScore ? RoundScore(name) : name;
        }
        const bool isWhole = !pair.source.empty() && !pair.topic.empty() &&
                             (columns.second.empty() || !pair.target.empty());
        if (isWhole)
        {
            pairs.push_back(std::move(pair));
            continue;
        }
        firstDropped = dropped == 0 ? i + 1 : firstDropped;
        ++dropped;
    }
    if (pairs.empty())
    {
        throw DataError("'" + path + "' has no row with a text and a label.");
    }
    if (dropped > 0)
    {
        warnings.push_back(std::to_string(dropped) + " rows of '" + path +
                           "' were left out, the first of them line " +
                           std::to_string(firstDropped) +
                           ": they lack a text or a label, or have more or fewer columns than the "
                           "first line.");
    }
    return pairs;
}

} // namespace collapipe
} // namespace ns3
