/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_GENERATION_H
#define COLLAPIPE_TORCH_GENERATION_H

#include "collapipe-compute-backend.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <functional>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: continues texts token by token. What comes next is asked of a function, so that the
 * search knows nothing of models. Every step computes the whole text again: simple, and for the
 * lengths that are trained here about as fast as keeping keys and values.
 */
class TorchGeneration
{
  public:
    using Tokens = std::vector<int32_t>;

    /// Of texts as they stand, logits of what comes next [b,V]
    using NextLogits = std::function<at::Tensor(const std::vector<Tokens>& texts)>;

    /**
     * @param options how
     * @param longest tokens that a text may have, the prompt included
     * @param next asked at every step
     */
    TorchGeneration(const GenerationOptions& options, std::size_t longest, NextLogits next);

    /**
     * Continues texts greedily or, where there is a temperature, at random.
     * @param prompts texts, of one token at least
     * @param first number of the first of them, for random streams
     * @return what follows each, the token that ends it included
     */
    std::vector<Tokens> Continue(const std::vector<Tokens>& prompts, uint64_t first) const;

    /**
     * Continues a text by beam search: k texts at a time; one that ends is worth its
     * log-probability over its length to the power of the length penalty, and with k of these the
     * search is over.
     * @param prompt a text
     * @return what follows it
     */
    Tokens Search(const Tokens& prompt) const;

  private:
    /// @return whether a token ends texts
    bool Ends(int32_t token) const;

    /**
     * @param logits of a text [V]
     * @param key of its random stream
     * @return what comes next
     */
    int32_t Choose(const at::Tensor& logits, uint64_t key) const;

    GenerationOptions m_options; //!< how
    std::size_t m_longest;       //!< tokens of a text
    NextLogits m_next;           //!< the model
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_GENERATION_H */
