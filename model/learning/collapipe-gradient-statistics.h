/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_GRADIENT_STATISTICS_H
#define COLLAPIPE_GRADIENT_STATISTICS_H

#include "collapipe-model-config.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Values of a sketch per link of the chain (embedding, each block, decoder)
constexpr uint32_t SKETCH_SIZE = 256;

/// Of so many iterations, one has its micro-batches' gradients watched
constexpr uint32_t WATCHED_ITERATIONS = 4;

/**
 * @ingroup collapipe
 * What a stage tells of the gradients of a round; it travels with the parameters' upload. All of it
 * adds up over the stages of a chain, whose gradients together are the model's.
 *
 * The sketch is a count sketch (Charikar et al., 2002): every element of a link's gradient is added
 * to one of SKETCH_SIZE values, chosen by a hash, with a sign chosen by the hash. It is linear, and
 * keeps squared norms and products without bias, with a relative standard deviation of about
 * sqrt(2 / SKETCH_SIZE) per link (Weinberger et al., *Feature Hashing for Large Scale Multitask
 * Learning*, 2009): from 1 kB per link the edge server sees how far gradients lie apart.
 */
struct GradientStatistics
{
    double watched{0};           //!< iterations that the next two are means over
    double microBatchSquares{0}; //!< sum over micro-batches of |g_i|^2, g = sum g_i
    double squaredNorm{0};       //!< |g|^2, before any clipping
    std::vector<float> sketch;   //!< of g of the round's first iteration, link by link
};

/**
 * @param part a run of the model
 * @return number of links of the chain that it holds
 */
uint32_t CountLinks(const PartRange& part);

/**
 * Adds a part of a link's gradient to the link's sketch.
 * @param values of the gradient
 * @param count how many
 * @param first place of the first one within the link's gradient
 * @param sketch SKETCH_SIZE values
 */
void AddToSketch(const float* values, uint64_t count, uint64_t first, float* sketch);

/**
 * @param config the model
 * @param part the run that the gradients belong to
 * @param gradients of the part in chain order
 * @return their sketch, link by link
 */
std::vector<float> SketchGradients(const ModelConfig& config,
                                   const PartRange& part,
                                   const TensorList& gradients);

/// Tensors of an encoded GradientStatistics
constexpr std::size_t STATISTICS_TENSORS = 2;

/**
 * @param part a run of the model
 * @return what EncodeStatistics() gives for it, without bytes
 */
TensorList GetStatisticsShapes(const PartRange& part);

/**
 * @param part the run of the model
 * @param statistics to send
 * @return a [3] float64 tensor in the order of the fields, and the sketch [links,SKETCH_SIZE]
 */
TensorList EncodeStatistics(const PartRange& part, const GradientStatistics& statistics);

/**
 * @param part the run of the model
 * @param tensors as EncodeStatistics() gave them; virtual ones give a watched of 0
 * @param statistics filled in
 * @return empty, or one sentence that says what is wrong
 */
std::string DecodeStatistics(const PartRange& part,
                             const TensorList& tensors,
                             GradientStatistics& statistics);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_GRADIENT_STATISTICS_H */
