/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-held-base-json.h"

namespace ns3
{
namespace collapipe
{

HeldBase
ReadHeldBase(const Field& field, const ModelProfile& model)
{
    if (!model.sendsBase)
    {
        field.Fail("says which frozen weights a node has, but model.sendsBase is not true: they "
                   "are all there");
    }
    HeldBase held;
    held.embedding = field.Has("embedding") && field.Get("embedding").Flag();
    held.decoder = field.Has("decoder") && field.Get("decoder").Flag();
    if (!field.Has("blocks"))
    {
        return held;
    }
    const Field runs = field.Get("blocks");
    for (std::size_t i = 0; i < runs.Size(); ++i)
    {
        const Field run = runs.At(i);
        if (run.Size() != 2)
        {
            run.Fail("must be a first block and one past the last one");
        }
        const uint32_t first = run.At(0).Count(Range::ANY_COUNT);
        const uint32_t last = run.At(1).Count(Range::ANY_COUNT);
        const uint32_t before = held.blocks.empty() ? 0 : held.blocks.back().last + 1;
        if (first < before || last <= first || last > model.blocks)
        {
            run.Fail("must be a run of blocks within model.blocks, after the run before it and "
                     "apart from it");
        }
        held.blocks.push_back({first, last});
    }
    return held;
}

Json
FormatHeldBase(const HeldBase& held)
{
    Json runs = Json::array();
    for (const auto& run : held.blocks)
    {
        runs.push_back({run.first, run.last});
    }
    return {{"embedding", held.embedding}, {"blocks", runs}, {"decoder", held.decoder}};
}

} // namespace collapipe
} // namespace ns3
