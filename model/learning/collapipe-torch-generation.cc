/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-generation.h"

#include "collapipe-random-key.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Random streams of texts and of their tokens lie apart.
uint64_t
MakeKey(uint64_t seed, uint64_t text, uint64_t position)
{
    return Scramble(Scramble(Scramble(seed) ^ text) ^ position);
}

} // namespace

TorchGeneration::TorchGeneration(const GenerationOptions& options,
                                 std::size_t longest,
                                 NextLogits next)
    : m_options(options),
      m_longest(longest),
      m_next(std::move(next))
{
}

bool
TorchGeneration::Ends(int32_t token) const
{
    return std::find(m_options.ends.begin(), m_options.ends.end(), token) != m_options.ends.end();
}

int32_t
TorchGeneration::Choose(const at::Tensor& logits, uint64_t key) const
{
    if (m_options.temperature <= 0)
    {
        return static_cast<int32_t>(logits.argmax().item<int64_t>());
    }
    const auto sums = (logits.to(at::kDouble) / m_options.temperature).softmax(0).cumsum(0);
    const auto* values = sums.data_ptr<double>();
    const auto count = sums.numel();
    const double draw = KeyedRandom(key).GetUniform() * values[count - 1];
    const auto chosen = std::upper_bound(values, values + count, draw) - values;
    return static_cast<int32_t>(std::min<int64_t>(chosen, count - 1));
}

std::vector<TorchGeneration::Tokens>
TorchGeneration::Continue(const std::vector<Tokens>& prompts, uint64_t first) const
{
    std::vector<Tokens> results(prompts.size());
    auto texts = prompts;
    std::vector<std::size_t> open; // texts that go on
    for (std::size_t i = 0; i < texts.size(); ++i)
    {
        open.push_back(i);
    }
    for (uint32_t step = 0; step < m_options.tokens && !open.empty(); ++step)
    {
        open.erase(std::remove_if(open.begin(),
                                  open.end(),
                                  [&](std::size_t i) { return texts[i].size() >= m_longest; }),
                   open.end());
        std::vector<Tokens> batch;
        for (const auto i : open)
        {
            batch.push_back(texts[i]);
        }
        if (batch.empty())
        {
            break;
        }
        const auto logits = m_next(batch);
        std::vector<std::size_t> left;
        for (std::size_t row = 0; row < open.size(); ++row)
        {
            const auto i = open[row];
            const auto token =
                Choose(logits[static_cast<int64_t>(row)], MakeKey(m_options.seed, first + i, step));
            texts[i].push_back(token);
            results[i].push_back(token);
            if (!Ends(token))
            {
                left.push_back(i);
            }
        }
        open = std::move(left);
    }
    return results;
}

TorchGeneration::Tokens
TorchGeneration::Search(const Tokens& prompt) const
{
    /// A text with its log-probability, or what it is worth
    using Hypothesis = std::pair<double, Tokens>;

    const auto beam = static_cast<std::size_t>(m_options.beam);
    std::vector<Hypothesis> open{{0.0, prompt}};
    std::vector<Hypothesis> ended;
    const auto end = [&](double score, Tokens text) {
        const double length = std::max<double>(double(text.size() - prompt.size()), 1);
        ended.emplace_back(score / std::pow(length, m_options.lengthPenalty), std::move(text));
    };
    for (uint32_t step = 0; step < m_options.tokens && ended.size() < beam; ++step)
    {
        if (open.front().second.size() >= m_longest)
        {
            break;
        }
        std::vector<Tokens> batch;
        for (const auto& hypothesis : open)
        {
            batch.push_back(hypothesis.second);
        }
        const auto steps = m_next(batch).log_softmax(1).to(at::kDouble);
        // As many ends may be among them, and as many must be left to go on with.
        const auto wide = std::min<int64_t>(static_cast<int64_t>(2 * beam), steps.size(1));
        const auto [scores, tokens] = steps.topk(wide, 1);
        std::vector<std::pair<double, std::pair<std::size_t, int32_t>>> all;
        for (std::size_t row = 0; row < open.size(); ++row)
        {
            for (int64_t i = 0; i < wide; ++i)
            {
                const auto at = static_cast<int64_t>(row);
                all.push_back({open[row].first + scores[at][i].item<double>(),
                               {row, static_cast<int32_t>(tokens[at][i].item<int64_t>())}});
            }
        }
        std::stable_sort(all.begin(), all.end(), [](const auto& left, const auto& right) {
            return left.first > right.first;
        });
        std::vector<Hypothesis> next;
        for (std::size_t i = 0; i < all.size() && next.size() < beam; ++i)
        {
            const auto& [row, token] = all[i].second;
            auto text = open[row].second;
            text.push_back(token);
            if (!Ends(token))
            {
                next.emplace_back(all[i].first, std::move(text));
            }
            else if (i < beam && ended.size() < beam)
            {
                end(all[i].first, std::move(text));
            }
        }
        open = std::move(next);
        if (open.empty())
        {
            break;
        }
    }
    if (ended.size() < beam)
    {
        for (auto& [score, text] : open)
        {
            end(score, std::move(text));
        }
    }
    const auto best =
        std::max_element(ended.begin(), ended.end(), [](const auto& left, const auto& right) {
            return left.first < right.first;
        });
    return {best->second.begin() + static_cast<std::ptrdiff_t>(prompt.size()), best->second.end()};
}

} // namespace collapipe
} // namespace ns3
