/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-beam-search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double NEVER = -std::numeric_limits<double>::infinity();

/// Tokens that no translation holds
constexpr int64_t FORBIDDEN[] = {PAD_TOKEN, UNKNOWN_TOKEN, BEGIN_TOKEN};

/**
 * Repeats every sample of a batch.
 * @param grid [b,...]
 * @param times how often
 * @return [b times,...]
 */
at::Tensor
Repeat(const at::Tensor& grid, int64_t times)
{
    return times == 1 ? grid : grid.repeat_interleave(times, 0);
}

} // namespace

TorchBeamSearch::TorchBeamSearch(const TorchDecoder& decoder,
                                 const DecodingOptions& options,
                                 int64_t length)
    : m_decoder(decoder),
      m_beam(options.beam),
      m_lengthPenalty(options.lengthPenalty),
      m_length(length)
{
}

void
TorchBeamSearch::End(Hypothesis hypothesis, Sentence& sentence) const
{
    const double penalty =
        std::pow((5.0 + double(hypothesis.tokens.size())) / 6.0, m_lengthPenalty);
    const double worth = hypothesis.score / penalty;
    if (sentence.ended++ == 0 || worth > sentence.bestWorth)
    {
        sentence.best = std::move(hypothesis);
        sentence.bestWorth = worth;
    }
}

void
TorchBeamSearch::Extend(const float* scores,
                        const int64_t* continuations,
                        int64_t count,
                        int64_t vocabulary,
                        Sentence& sentence,
                        std::vector<int64_t>& parents) const
{
    const auto old = std::move(sentence.beams);
    sentence.beams.clear();
    parents.clear();
    for (int64_t i = 0; i < count && int64_t(sentence.beams.size()) < m_beam; i++)
    {
        if (!(scores[i] > NEVER))
        {
            return; // the others cannot be
        }
        const int64_t parent = continuations[i] / vocabulary;
        const auto token = static_cast<int32_t>(continuations[i] % vocabulary);
        auto hypothesis = old[parent];
        hypothesis.tokens.push_back(token);
        hypothesis.score = scores[i];
        if (token != END_TOKEN)
        {
            sentence.beams.push_back(std::move(hypothesis));
            parents.push_back(parent);
        }
        else if (i < m_beam && sentence.ended < m_beam)
        {
            End(std::move(hypothesis), sentence);
        }
    }
}

std::vector<std::vector<int32_t>>
TorchBeamSearch::Run(const at::Tensor& memory, const TorchRows& layout, const at::Tensor& padding)
{
    const int64_t samples = layout.GetSamples();
    const auto grid = Repeat(layout.Unpack(memory), m_beam);
    const auto repeatedPadding = Repeat(padding, m_beam);
    const TorchRows repeated(repeatedPadding, true, 0);
    auto state = m_decoder.Begin(repeated.Pack(grid), repeated, repeatedPadding);

    // At first all beams of a sample are alike: only one may be continued
    auto totals = at::full({samples, m_beam, 1}, NEVER, at::kFloat);
    totals.select(1, 0).fill_(0);
    auto tokens = at::full({samples * m_beam}, int64_t{BEGIN_TOKEN}, at::kInt);
    std::vector<Sentence> sentences(samples);
    for (auto& sentence : sentences)
    {
        sentence.beams.resize(m_beam);
    }
    for (int64_t position = 0; position < m_length; position++)
    {
        auto logarithms = m_decoder.Step(tokens, state);
        const int64_t vocabulary = logarithms.size(1);
        for (const auto token : FORBIDDEN)
        {
            logarithms.select(1, token).fill_(NEVER);
        }
        const auto all = (logarithms.view({samples, m_beam, vocabulary}) + totals).flatten(1);
        const int64_t count = std::min(2 * m_beam, all.size(1));
        const auto [scores, continuations] = all.topk(count, 1);
        const auto* scoreData = scores.data_ptr<float>();
        const auto* continuationData = continuations.data_ptr<int64_t>();
        std::vector<int64_t> index(samples * m_beam);
        auto* tokenData = tokens.data_ptr<int32_t>();
        auto* totalData = totals.data_ptr<float>();
        bool isDone = true;
        std::vector<int64_t> parents;
        for (int64_t i = 0; i < samples; i++)
        {
            auto& sentence = sentences[i];
            Extend(scoreData + i * count,
                   continuationData + i * count,
                   count,
                   vocabulary,
                   sentence,
                   parents);
            isDone &= sentence.ended >= m_beam;
            for (int64_t beam = 0; beam < m_beam; beam++)
            {
                const int64_t row = i * m_beam + beam;
                const bool there = beam < int64_t(sentence.beams.size());
                index[row] = i * m_beam + (there ? parents[beam] : 0);
                tokenData[row] = there ? sentence.beams[beam].tokens.back() : int32_t{END_TOKEN};
                totalData[row] = there ? sentence.beams[beam].score : NEVER;
            }
            sentence.beams.resize(m_beam);
        }
        if (isDone)
        {
            break;
        }
        m_decoder.Select(state, at::tensor(index, at::kLong));
    }
    std::vector<std::vector<int32_t>> translations;
    for (auto& sentence : sentences)
    {
        if (sentence.ended < m_beam && !sentence.beams.front().tokens.empty())
        {
            End(sentence.beams.front(), sentence); // too long: as it is
        }
        translations.push_back(std::move(sentence.best.tokens));
    }
    return translations;
}

} // namespace collapipe
} // namespace ns3
