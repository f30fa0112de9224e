/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// libFuzzer's entry: any bytes as one of a tokenizer's files, the first byte says as which, and as
// a config.json; what is taken is used.

#include "ns3/collapipe-pretrained-config.h"
#include "ns3/collapipe-pretrained-tokenizer.h"
#include "ns3/collapipe-text-files.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

using namespace ns3::collapipe;

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
    {
        return 0;
    }
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const char* const names[] = {"tokenizer.json", "tokenizer.model", "vocab.txt"};
    try
    {
        if (data[0] % 4 == 3)
        {
            ParsePretrainedConfig(text, "fuzz");
            return 0;
        }
        const auto tokenizer = PretrainedTokenizer::FromFiles({{names[data[0] % 4], text}}, "fuzz");
        tokenizer->Decode(tokenizer->Encode(text.substr(0, 64) + " a  b\xff\xc3\xa9"));
    }
    catch (const DataError&)
    {
        // refused, as it should be
    }
    return 0;
}
