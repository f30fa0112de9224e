/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PARTITION_H
#define COLLAPIPE_PARTITION_H

#include "collapipe-dataset.h"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Random numbers that are the same with every standard library, unlike those of
 * std::*_distribution and std::shuffle.
 */
class PortableRandom
{
  public:
    /**
     * @param seed any number
     */
    explicit PortableRandom(uint64_t seed);

    /**
     * @param bound positive
     * @return uniform in 0 .. bound-1, without bias
     */
    uint64_t GetInteger(uint64_t bound);

    /// @return uniform in the open interval (0, 1)
    double GetUniform();

    /// @return standard normal (Marsaglia's polar method)
    double GetNormal();

    /**
     * @param shape positive
     * @return natural logarithm of a Gamma(shape, 1) value (Marsaglia and Tsang 2000; below 1, that
     *         of shape+1 times U^(1/shape)). The logarithm, since the value itself underflows for
     *         small shapes.
     */
    double GetLogGamma(double shape);

    /**
     * @param alpha concentration, positive
     * @param size number of shares
     * @return shares that sum to 1, from the symmetric Dirichlet(alpha) distribution
     */
    std::vector<double> GetDirichlet(double alpha, uint32_t size);

    /**
     * Fisher and Yates's shuffle.
     * @param indices shuffled in place
     */
    void Shuffle(std::vector<uint32_t>& indices);

  private:
    std::mt19937_64 m_engine; //!< source of 64 random bits, fully specified by the standard
};

/**
 * @param text UTF-8
 * @return its letters in lower case, in words: texts that differ in nothing but case, punctuation,
 *         digits and placeholders have the same key; the text itself where it has no letters
 */
std::string GetDuplicateKey(std::string_view text);

/**
 * Splits texts into disjoint parts. Texts with the same GetDuplicateKey() fall in the same part.
 * @param texts to split
 * @param fractions of all texts that the parts after the first get, each rounded, but at least one
 *        text; the first part gets the rest
 * @param seed equal seeds give equal splits
 * @return indices of each part's texts, ascending
 * @throws DataError where a part would be empty
 */
std::vector<std::vector<uint32_t>> SplitTexts(const std::vector<std::string>& texts,
                                              const std::vector<double>& fractions,
                                              uint64_t seed);

/// What makes two samples similar, so that a non-IID split keeps them together
enum class SampleGrouping
{
    LENGTH, //!< quantile of the source's length in tokens
    TOPIC,  //!< Sample::topic: the catalog that the text is from
    LABEL,  //!< Sample::label: the class of a classification
};

/**
 * @param samples to group
 * @param grouping what makes two alike
 * @param quantiles number of groups for LENGTH: equally many samples each; equal lengths fall in
 *        the same group
 * @return group of each sample, numbered from 0 without gaps, in ascending order of the quantity
 */
std::vector<uint32_t> GetSampleGroups(const std::vector<Sample>& samples,
                                      SampleGrouping grouping,
                                      uint32_t quantiles = 10);

/**
 * Splits samples over clusters. Of every group, shares drawn from a symmetric Dirichlet(alpha)
 * distribution go to the clusters (as in Yurochkin et al. 2019 and Li et al., "Federated Learning
 * on Non-IID Data Silos: An Experimental Study", 2022, there with labels for groups), so both the
 * mixture and the amount of data differ between clusters. Small alpha: a group is with one cluster
 * almost entirely; large alpha: all clusters are alike. Where a cluster ends below the minimum, the
 * largest gives it samples, one at a time.
 * @param groups of the samples, as GetSampleGroups() gives them
 * @param clusters number of clusters, positive
 * @param alpha the knob; zero, negative or infinite: IID, a random split into equal sizes (which
 *        differ by at most one)
 * @param seed equal seeds give equal splits
 * @param minimum fewest samples of a cluster, at least 1
 * @return indices of each cluster's samples, ascending; together every index once
 * @throws DataError where there are too few samples for the minimum, or alpha is not a number
 */
std::vector<std::vector<uint32_t>> PartitionSamples(const std::vector<uint32_t>& groups,
                                                    uint32_t clusters,
                                                    double alpha,
                                                    uint64_t seed,
                                                    uint32_t minimum = 1);

/**
 * @param parts as PartitionSamples() gives them
 * @param groups as given to it
 * @return number of samples by cluster and group
 */
std::vector<std::vector<uint32_t>> CountGroups(const std::vector<std::vector<uint32_t>>& parts,
                                               const std::vector<uint32_t>& groups);

/**
 * @ingroup collapipe
 * An endless sequence of batches: every epoch is a new shuffle of all samples without replacement.
 * A batch may span two epochs.
 */
class BatchSampler
{
  public:
    /**
     * @param samples number of samples, positive
     * @param batchSize indices in a batch, positive
     * @param seed equal seeds give equal sequences
     * @throws DataError where either number is zero
     */
    BatchSampler(uint32_t samples, uint32_t batchSize, uint64_t seed);

    /// @return the next batch: indices less than the number of samples
    std::vector<uint32_t> GetNext();

    /// @return number of epochs begun
    uint64_t GetEpoch() const;

  private:
    std::vector<uint32_t> m_order; //!< of the current epoch
    std::size_t m_position;        //!< next index of the order
    uint32_t m_batchSize;          //!< indices in a batch
    uint64_t m_epoch{0};           //!< epochs begun
    PortableRandom m_random;       //!< for the shuffles
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PARTITION_H */
