/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// libFuzzer's entry: any bytes as a safetensors file, every tensor of it touched.
//
//     clang++ -std=c++17 -g -O1 -fsanitize=fuzzer,address,undefined ... (see README.md beside this)

#include "ns3/collapipe-safetensors.h"
#include "ns3/collapipe-text-files.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

using namespace ns3::collapipe;

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    // A buffer of its own, as large as the file: a byte read behind it is seen.
    auto bytes = std::shared_ptr<uint8_t>(new uint8_t[size + 1], std::default_delete<uint8_t[]>());
    std::memcpy(bytes.get(), data, size);
    try
    {
        const SafetensorsFile file(bytes, size, "fuzz");
        volatile uint64_t sum = 0;
        for (const auto& entry : file.GetHead().entries)
        {
            const auto tensor = file.Get(entry.name);
            for (uint64_t byte = 0; byte < tensor.GetByteSize(); ++byte)
            {
                sum = sum + tensor.data.get()[byte];
            }
            sum = sum + IsFinite(tensor);
        }
    }
    catch (const DataError&)
    {
        // refused, as it should be
    }
    return 0;
}
