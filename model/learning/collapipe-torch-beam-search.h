/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_BEAM_SEARCH_H
#define COLLAPIPE_TORCH_BEAM_SEARCH_H

#include "collapipe-compute-backend.h"
#include "collapipe-torch-heads.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: beam search over the translations of a batch. A hypothesis y is worth
 * log P(y) / ((5 + |y|) / 6)^alpha (Wu et al. 2016, section 7; END_TOKEN counts in |y|).
 *
 * Every step keeps the k best continuations of a sentence. One that ends while among them is a
 * hypothesis; with k of these the sentence is done. With a beam of 1 this is greedy decoding.
 */
class TorchBeamSearch
{
  public:
    /**
     * @param decoder of the model
     * @param options beam and length penalty
     * @param length most tokens of a translation, END_TOKEN included
     */
    TorchBeamSearch(const TorchDecoder& decoder, const DecodingOptions& options, int64_t length);

    /**
     * @param memory rows of the encoder's output [n,D]
     * @param layout what they stand for
     * @param padding of the source [b,T] uint8 (1 = padding)
     * @return the best translation of each sample; with END_TOKEN, where it did not get too long
     */
    std::vector<std::vector<int32_t>> Run(const at::Tensor& memory,
                                          const TorchRows& layout,
                                          const at::Tensor& padding);

  private:
    /// A translation so far
    struct Hypothesis
    {
        std::vector<int32_t> tokens; //!< without BEGIN_TOKEN
        double score{0};             //!< its log-probability
    };

    /// The search of one sample
    struct Sentence
    {
        std::vector<Hypothesis> beams; //!< that go on, best first
        Hypothesis best;               //!< that has ended
        double bestWorth{0};           //!< of it
        int64_t ended{0};              //!< hypotheses so far
    };

    /**
     * Lets a hypothesis end.
     * @param hypothesis that ends
     * @param sentence that it translates
     */
    void End(Hypothesis hypothesis, Sentence& sentence) const;

    /**
     * Continues a sentence by a position.
     * @param scores of all continuations, largest first
     * @param continuations beam times V plus token, likewise
     * @param count of both
     * @param vocabulary V
     * @param sentence goes on
     * @param parents gets the beam that each new beam continues
     */
    void Extend(const float* scores,
                const int64_t* continuations,
                int64_t count,
                int64_t vocabulary,
                Sentence& sentence,
                std::vector<int64_t>& parents) const;

    const TorchDecoder& m_decoder; //!< of the model
    int64_t m_beam;                //!< k
    double m_lengthPenalty;        //!< alpha
    int64_t m_length;              //!< most tokens
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_BEAM_SEARCH_H */
