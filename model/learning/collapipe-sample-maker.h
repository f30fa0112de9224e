/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SAMPLE_MAKER_H
#define COLLAPIPE_SAMPLE_MAKER_H

/**
 * @file
 * @ingroup collapipe
 * Private: from texts to token ids, whatever the model and its tokenizer.
 */

#include "collapipe-corpus.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Makes samples of texts: adds the special tokens that a model was trained with, cuts what is too
 * long, and says which tokens are predicted.
 *
 * - An encoder's sample is text, separator, and where there is a second text that and a separator;
 * the begin token is added by the model's family. Of two texts that are too long the longer is cut
 * first.
 * - A document begins with the begin token where the tokenizer puts one there, else it ends with
 * the end token. One that is too long becomes several samples; packed, all documents follow each
 * other.
 * - A completion ends with the end token. A prompt that is too long loses its beginning; where not
 * even the completion fits, the sample is left out.
 */
class SampleMaker
{
  public:
    /**
     * @param tokenizer of the texts; must live as long as this
     * @param options what samples are for, how long they may be
     * @param topics indices of the topics by name; must live as long as this
     */
    SampleMaker(const Tokenizer& tokenizer,
                const CorpusOptions& options,
                const std::unordered_map<std::string, uint32_t>& topics);

    /**
     * @param pairs texts
     * @param warnings gets a sentence where some are left out
     * @return the samples
     */
    std::vector<Sample> Make(const std::vector<SentencePair>& pairs,
                             std::vector<std::string>& warnings) const;

  private:
    using Ids = std::vector<int32_t>;

    std::vector<Sample> MakeTranslations(const std::vector<SentencePair>& pairs) const;
    std::vector<Sample> MakeTexts(const std::vector<SentencePair>& pairs) const;
    std::vector<Sample> MakeDocuments(const std::vector<SentencePair>& pairs) const;
    std::vector<Sample> MakeCompletions(const std::vector<SentencePair>& pairs,
                                        std::vector<std::string>& warnings) const;

    /// @return both texts with special tokens, but for the one that an encoder's family adds
    Ids Frame(const Ids& first, const Ids* second) const;

    /// @return what begins a text
    Ids GetBegin() const;

    /// @return what ends a text
    Ids GetEnd() const;

    /// Cuts two texts so that they fit with their special tokens.
    void Fit(Ids& first, Ids& second, bool isPair) const;

    const Tokenizer& m_tokenizer;                              //!< of the texts
    CorpusOptions m_options;                                   //!< what samples are for
    const std::unordered_map<std::string, uint32_t>& m_topics; //!< indices by name
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SAMPLE_MAKER_H */
