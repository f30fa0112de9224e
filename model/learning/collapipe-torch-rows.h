/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_ROWS_H
#define COLLAPIPE_TORCH_ROWS_H

/**
 * @file
 * @ingroup collapipe
 * Private: which positions of a micro-batch are computed on, and what dropout does to them.
 *
 * Outside the modules a hidden state is a grid [b,T,D]. Inside it is rows [n,D]: either all of the
 * grid's positions, or only those that are not padding, since nothing that counts depends on the
 * others. Attention wants a grid again, but no wider than from the first column to the last that
 * is in use, L.
 */

#include <ATen/ATen.h>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * The positions of a micro-batch that rows stand for.
 */
class TorchRows
{
  public:
    /**
     * All positions.
     * @param samples b
     * @param length T
     * @param firstSample number of the first sample within the iteration
     */
    TorchRows(int64_t samples, int64_t length, uint32_t firstSample = 0);

    /**
     * @param padding [b,T] uint8 (1 = padding)
     * @param skipPadding whether rows are for the other positions only
     * @param firstSample number of the first sample within the iteration
     */
    TorchRows(const at::Tensor& padding, bool skipPadding, uint32_t firstSample);

    /// @return b
    int64_t GetSamples() const;

    /// @return L
    int64_t GetLength() const;

    /// @return column of [b,T] that is the first of [b,L]
    int64_t GetFirst() const;

    /// @return n
    int64_t GetCount() const;

    /// @return number of the first sample within the iteration
    uint32_t GetFirstSample() const;

    /**
     * @param row a row
     * @return its position within its sample
     */
    int64_t GetPosition(int64_t row) const;

    /**
     * @param row a row
     * @return a number that only this position of this sample has in the iteration
     */
    uint64_t GetName(int64_t row) const;

    /**
     * @param rows indices of rows [m] int64
     * @return these rows: for their names only
     */
    TorchRows Select(const at::Tensor& rows) const;

    /**
     * @param grid [b,T,k] or [b,T]
     * @return rows [n,k] or [n]
     */
    at::Tensor Pack(const at::Tensor& grid) const;

    /**
     * The inverse of Pack().
     * @param rows [n,k]
     * @return [b,T,k]; zeros where there is no row
     */
    at::Tensor Unpack(const at::Tensor& rows) const;

    /**
     * @param rows [n,k]
     * @return [b L,k]; zeros where there is no row
     */
    at::Tensor Spread(const at::Tensor& rows) const;

    /**
     * The inverse of Spread().
     * @param grid [b L,k]
     * @return rows [n,k]
     */
    at::Tensor Collect(const at::Tensor& grid) const;

    /**
     * @param grid [b,T]
     * @return [b,L]: without the columns at either end in which nobody has a row
     */
    at::Tensor Trim(const at::Tensor& grid) const;

  private:
    int64_t m_samples;             //!< b
    int64_t m_full;                //!< T
    int64_t m_first;               //!< column of [b,T] where [b,L] begins
    int64_t m_length;              //!< L
    uint32_t m_firstSample;        //!< within the iteration
    bool m_all{true};              //!< every position has a row
    std::vector<int64_t> m_places; //!< of each row: its place in [b,L]; empty where all have one
    at::Tensor m_fullIndex;        //!< of each row: its place in [b,T]
    at::Tensor m_index;            //!< of each row: its place in [b,L]
};

/**
 * Dropout (Srivastava et al. 2014): in training, elements become zero with some probability, and
 * the others grow so that the mean stays.
 *
 * What is dropped depends on the training's random stream, the optimizer step, the place in the
 * model, the sample's number within the iteration, the position and the column, and on nothing
 * else: not on how the model is cut, how the iteration is split into micro-batches, in which order
 * they are computed, or how much padding there is.
 */
class TorchDropout
{
  public:
    /// Places in a block where elements are dropped
    enum Site : uint64_t
    {
        EMBEDDING,
        ATTENTION,       //!< what the self attention gives
        CROSS_ATTENTION, //!< what the cross attention gives
        FEED_FORWARD,    //!< what the feed-forward layers give
        PROBABILITIES,   //!< attention weights
        POOLER,          //!< what BERT's pooler gives
        ADAPTER,         //!< what goes into an adapter
    };

    /// Links of the chain that are no encoder blocks, for At()
    static constexpr uint64_t EMBEDDING_LINK = UINT64_MAX;
    static constexpr uint64_t HEAD_LINK = UINT64_MAX - 1; //!< likewise

    /// Drops nothing.
    TorchDropout() = default;

    /**
     * @param rate probability that an element is dropped, in steps of 1/65536
     * @param key of the random stream and the optimizer step
     * @param adapterRate the same, of what goes into adapters
     */
    TorchDropout(double rate, uint64_t key, double adapterRate = 0);

    /**
     * @param link of the model's chain
     * @return the dropout there
     */
    TorchDropout At(uint64_t link) const;

    /**
     * @param rows [n,k]; may be written over
     * @param layout what the rows stand for
     * @param site where
     * @return [n,k]
     */
    at::Tensor Apply(at::Tensor rows, const TorchRows& layout, Site site) const;

    /**
     * @param probabilities [b,h,U,T]
     * @param firstSample number of the first sample within the iteration
     * @param first position of the first query and of the first key
     * @return [b,h,U,T]
     */
    at::Tensor ApplyToProbabilities(const at::Tensor& probabilities,
                                    uint32_t firstSample,
                                    int64_t first = 0) const;

    /**
     * @param rows [n,k], which others use too
     * @param layout what they stand for
     * @param name of the adapter
     * @return what goes into the adapter [n,k]
     */
    at::Tensor ApplyToAdapter(const at::Tensor& rows, const TorchRows& layout, uint64_t name) const;

  private:
    /// How much is dropped
    struct Rate
    {
        /// @param share of elements
        explicit Rate(double share = 0);

        uint32_t threshold; //!< 16 random bits below it: dropped
        float scale;        //!< of what stays
    };

    /**
     * @param rate how much is dropped
     * @param sizes of rows [n,k]
     * @param layout what the rows stand for
     * @param key of the place
     * @return what they are to be multiplied by
     */
    static at::Tensor MakeFactors(const Rate& rate,
                                  at::IntArrayRef sizes,
                                  const TorchRows& layout,
                                  uint64_t key);

    /**
     * Writes one row of factors.
     * @param rate how much is dropped
     * @param key of the row
     * @param factors where to
     * @param count how many
     */
    static void Fill(const Rate& rate, uint64_t key, float* factors, int64_t count);

    Rate m_rate;        //!< of all but adapters
    Rate m_adapterRate; //!< of what goes into adapters
    uint64_t m_key{0};  //!< of the stream, step and link
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_ROWS_H */
