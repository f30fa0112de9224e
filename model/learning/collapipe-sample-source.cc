/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sample-source.h"

#include "collapipe-partition.h"

#include <memory>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Spreads seeds of neighbouring clusters and nodes over the whole range.
constexpr uint64_t SEED_STRIDE = 0x9e3779b97f4a7c15;

} // namespace

SampleSource
MakeSampleSource(std::vector<const Sample*> samples, uint64_t seed, uint32_t cluster, uint32_t node)
{
    if (samples.empty())
    {
        return nullptr;
    }
    const uint64_t own = seed + SEED_STRIDE * (cluster + 1) + node;
    auto sampler = std::make_shared<BatchSampler>(samples.size(), 1, own);
    return [samples = std::move(samples), sampler](uint32_t n) {
        std::vector<const Sample*> batch;
        for (uint32_t i = 0; i < n; ++i)
        {
            batch.push_back(samples[sampler->GetNext()[0]]);
        }
        return batch;
    };
}

} // namespace collapipe
} // namespace ns3
