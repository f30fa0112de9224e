/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SAMPLE_SOURCE_H
#define COLLAPIPE_SAMPLE_SOURCE_H

#include "collapipe-dataset.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Gives the next n training samples of a node's data; they live as long as the run
using SampleSource = std::function<std::vector<const Sample*>(uint32_t n)>;

/**
 * @param samples that a node holds
 * @param seed of the run
 * @param cluster of the node
 * @param node its index: 0 is the control unit, k + 1 device k
 * @return an endless source of them, in shuffled epochs; null where there are none
 */
SampleSource MakeSampleSource(std::vector<const Sample*> samples,
                              uint64_t seed,
                              uint32_t cluster,
                              uint32_t node);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SAMPLE_SOURCE_H */
