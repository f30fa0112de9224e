/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-held-base.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

uint32_t
HeldBase::Count(uint32_t first, uint32_t last) const
{
    uint32_t count = 0;
    for (const auto& run : blocks)
    {
        const uint32_t from = std::max(first, run.first);
        const uint32_t to = std::min(last, run.last);
        count += to > from ? to - from : 0;
    }
    return count;
}

void
HeldBase::Add(uint32_t first, uint32_t last)
{
    if (first >= last)
    {
        return;
    }
    BlockRun joined{first, last};
    std::vector<BlockRun> runs;
    for (const auto& run : blocks)
    {
        if (run.last < joined.first || run.first > joined.last)
        {
            runs.push_back(run);
            continue;
        }
        joined = {std::min(joined.first, run.first), std::max(joined.last, run.last)};
    }
    runs.push_back(joined);
    std::sort(runs.begin(), runs.end(), [](const BlockRun& a, const BlockRun& b) {
        return a.first < b.first;
    });
    blocks = std::move(runs);
}

bool
HeldBase::operator==(const HeldBase& other) const
{
    return embedding == other.embedding && decoder == other.decoder && blocks == other.blocks;
}

} // namespace collapipe
} // namespace ns3
