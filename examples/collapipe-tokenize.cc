/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Shows what a pretrained model's tokenizer makes of lines of text, and back:
//
//     collapipe-tokenize DIR < lines.txt             token ids of each line
//     collapipe-tokenize DIR --frame < lines.txt     with the special tokens that the model wants
//     collapipe-tokenize DIR --decode < ids.txt      the text of each line of ids
//
// With --json texts and lists of ids are JSON, one a line, so that a text may hold line breaks.

#include "ns3/collapipe-pretrained-tokenizer.h"
#include "ns3/collapipe-program.h"
#include "ns3/collapipe-text-files.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace ns3::collapipe;
using nlohmann::json;

namespace
{

/// @return ids as they stand on a line
std::string
Format(const std::vector<int32_t>& ids, bool isJson)
{
    std::string line;
    for (const auto id : ids)
    {
        line += (line.empty() ? "" : " ") + std::to_string(id);
    }
    return isJson ? json(ids).dump() : line;
}

/// @return the ids that stand on a line
std::vector<int32_t>
Parse(const std::string& line, bool isJson)
{
    if (isJson)
    {
        return json::parse(line).get<std::vector<int32_t>>();
    }
    std::vector<int32_t> ids;
    std::istringstream stream(line);
    for (int32_t id = 0; stream >> id;)
    {
        ids.push_back(id);
    }
    if (!stream.eof())
    {
        throw DataError("'" + line + "' is no list of token ids.");
    }
    return ids;
}

void
Apply(const PretrainedTokenizer& tokenizer, const std::set<std::string>& options)
{
    const bool isJson = options.count("--json") > 0;
    for (std::string line; std::getline(std::cin, line);)
    {
        if (options.count("--decode") > 0)
        {
            const auto text = tokenizer.Decode(Parse(line, isJson));
            std::cout << (isJson ? json(text).dump() : text) << "\n";
            continue;
        }
        auto ids = tokenizer.Encode(isJson ? json::parse(line).get<std::string>() : line);
        ids = options.count("--frame") > 0 ? tokenizer.Frame(ids).tokens : ids;
        std::cout << Format(ids, isJson) << "\n";
    }
}

} // namespace

int
main(int argc, char* argv[])
{
    const std::set<std::string> options(argv + std::min(argc, 2), argv + argc);
    const std::set<std::string> known{"--frame", "--decode", "--json"};
    if (argc < 2 || argv[1][0] == '-' ||
        !std::includes(known.begin(), known.end(), options.begin(), options.end()))
    {
        std::cerr << "usage: collapipe-tokenize DIR [--frame] [--decode] [--json] < lines.txt\n";
        return 2;
    }
    return RunProgram("collapipe-tokenize", [&] {
        try
        {
            Apply(*PretrainedTokenizer::Read(argv[1]), options);
        }
        catch (const json::exception& error)
        {
            throw DataError(std::string("a line is no JSON of the form wanted: ") + error.what());
        }
        return 0;
    });
}
