/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-sample-maker.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

using Ids = std::vector<int32_t>;

/// What stands where a token is not predicted
constexpr int32_t NOT_PREDICTED = -1;

/// @return a token where there is one
Ids
MakeIds(int32_t token)
{
    return token >= 0 ? Ids{token} : Ids{};
}

void
Append(Ids& ids, const Ids& more)
{
    ids.insert(ids.end(), more.begin(), more.end());
}

/**
 * Encodes the sources, then the targets, of texts.
 * @return both, in the texts' order
 */
std::vector<std::pair<Ids, Ids>>
EncodeBoth(const Tokenizer& tokenizer, const std::vector<SentencePair>& pairs)
{
    std::vector<std::string> lines;
    for (const auto& pair : pairs)
    {
        lines.push_back(pair.source);
        if (!pair.target.empty())
        {
            lines.push_back(pair.target);
        }
    }
    auto sequences = tokenizer.Encode(lines);
    auto next = sequences.begin();
    std::vector<std::pair<Ids, Ids>> both;
    for (const auto& pair : pairs)
    {
        auto source = std::move(*next++);
        both.emplace_back(std::move(source), pair.target.empty() ? Ids{} : std::move(*next++));
    }
    return both;
}

} // namespace

SampleMaker::SampleMaker(const Tokenizer& tokenizer,
                         const CorpusOptions& options,
                         const std::unordered_map<std::string, uint32_t>& topics)
    : m_tokenizer(tokenizer),
      m_options(options),
      m_topics(topics)
{
    if (m_options.sequenceLength == 0)
    {
        m_options.sequenceLength = std::numeric_limits<int32_t>::max();
    }
}

std::vector<Sample>
SampleMaker::Make(const std::vector<SentencePair>& pairs, std::vector<std::string>& warnings) const
{
    switch (m_options.kind)
    {
    case SampleKind::TRANSLATION:
        return MakeTranslations(pairs);
    case SampleKind::TEXT:
        return MakeTexts(pairs);
    case SampleKind::DOCUMENT:
        return MakeDocuments(pairs);
    case SampleKind::COMPLETION:
        return MakeCompletions(pairs, warnings);
    }
    return {};
}

Ids
SampleMaker::GetBegin() const
{
    const auto& pretrained = m_tokenizer.GetPretrained();
    if (!pretrained)
    {
        return {BEGIN_TOKEN};
    }
    const auto framed = pretrained->Frame({}).tokens;
    const auto begin = pretrained->GetToken(TokenRole::BEGIN);
    const bool hasBegin = !framed.empty() && framed.front() == begin;
    return hasBegin ? Ids{begin} : Ids{};
}

Ids
SampleMaker::GetEnd() const
{
    const auto& pretrained = m_tokenizer.GetPretrained();
    return MakeIds(pretrained ? pretrained->GetToken(TokenRole::END) : int32_t{END_TOKEN});
}

Ids
SampleMaker::Frame(const Ids& first, const Ids* second) const
{
    const auto& pretrained = m_tokenizer.GetPretrained();
    if (pretrained)
    {
        auto tokens = pretrained->Frame(first, second).tokens;
        const auto classify = pretrained->GetToken(TokenRole::CLASSIFY);
        if (!m_options.isCausal && !tokens.empty() && tokens.front() == classify)
        {
            tokens.erase(tokens.begin());
        }
        return tokens;
    }
    Ids tokens = m_options.isCausal ? Ids{BEGIN_TOKEN} : Ids{};
    Append(tokens, first);
    tokens.push_back(END_TOKEN);
    if (second)
    {
        Append(tokens, *second);
        tokens.push_back(END_TOKEN);
    }
    return tokens;
}

void
SampleMaker::Fit(Ids& first, Ids& second, bool isPair) const
{
    const Ids empty;
    const auto special = Frame(empty, isPair ? &empty : nullptr).size() + !m_options.isCausal;
    const std::size_t room = std::max<std::size_t>(m_options.sequenceLength, special) - special;
    while (first.size() + second.size() > room)
    {
        auto& longer = first.size() >= second.size() ? first : second;
        const auto& other = first.size() >= second.size() ? second : first;
        const auto excess = first.size() + second.size() - room;
        longer.resize(longer.size() -
                      std::min(excess, std::max<std::size_t>(longer.size() - other.size(), 1)));
    }
}

std::vector<Sample>
SampleMaker::MakeTranslations(const std::vector<SentencePair>& pairs) const
{
    std::vector<Sample> samples;
    auto both = EncodeBoth(m_tokenizer, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i)
    {
        Sample sample;
        sample.source = std::move(both[i].first);
        sample.source.push_back(END_TOKEN);
        if (!pairs[i].target.empty())
        {
            sample.target = std::move(both[i].second);
            sample.target.push_back(END_TOKEN);
        }
        sample.topic = m_topics.at(pairs[i].topic);
        samples.push_back(std::move(sample));
    }
    return samples;
}

std::vector<Sample>
SampleMaker::MakeTexts(const std::vector<SentencePair>& pairs) const
{
    std::vector<Sample> samples;
    auto both = EncodeBoth(m_tokenizer, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i)
    {
        auto& [first, second] = both[i];
        const bool isPair = !pairs[i].target.empty();
        Fit(first, second, isPair);
        Sample sample;
        sample.source = Frame(first, isPair ? &second : nullptr);
        sample.topic = m_topics.at(pairs[i].topic);
        samples.push_back(std::move(sample));
    }
    return samples;
}

std::vector<Sample>
SampleMaker::MakeDocuments(const std::vector<SentencePair>& pairs) const
{
    std::vector<Sample> samples;
    const auto begin = GetBegin();
    const auto end = begin.empty() ? GetEnd() : Ids{};
    Ids open; // tokens that are in no sample yet
    const auto close = [&](std::size_t least, uint32_t topic) {
        // A sample of one token predicts nothing.
        while (open.size() >= std::max<std::size_t>(least, 2))
        {
            const auto size = std::min<std::size_t>(open.size(), m_options.sequenceLength);
            Sample sample;
            sample.source.assign(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(size));
            sample.topic = topic;
            samples.push_back(std::move(sample));
            open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(size));
        }
    };
    auto both = EncodeBoth(m_tokenizer, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i)
    {
        Append(open, begin);
        Append(open, both[i].first);
        Append(open, end);
        const auto topic = m_topics.at(pairs[i].topic);
        if (m_options.packs)
        {
            close(m_options.sequenceLength, topic);
            continue;
        }
        close(2, topic);
        open.clear();
    }
    close(2, pairs.empty() ? 0 : m_topics.at(pairs.back().topic));
    return samples;
}

std::vector<Sample>
SampleMaker::MakeCompletions(const std::vector<SentencePair>& pairs,
                             std::vector<std::string>& warnings) const
{
    std::vector<Sample> samples;
    const auto begin = GetBegin();
    const auto end = GetEnd();
    uint64_t dropped = 0;
    auto both = EncodeBoth(m_tokenizer, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i)
    {
        auto& [prompt, completion] = both[i];
        Append(completion, end);
        const auto room =
            std::max<std::size_t>(m_options.sequenceLength, begin.size()) - begin.size();
        // Something must stand before what is predicted.
        if (completion.size() + begin.empty() > room)
        {
            ++dropped;
            continue;
        }
        const auto kept = std::min(prompt.size(), room - completion.size());
        prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(kept));
        Sample sample;
        sample.source = begin;
        Append(sample.source, prompt);
        if (sample.source.empty())
        {
            ++dropped;
            continue;
        }
        sample.target.assign(sample.source.size(), NOT_PREDICTED);
        Append(sample.source, completion);
        Append(sample.target, completion);
        sample.topic = m_topics.at(pairs[i].topic);
        samples.push_back(std::move(sample));
    }
    if (dropped > 0)
    {
        warnings.push_back(std::to_string(dropped) + " of " + std::to_string(pairs.size()) +
                           " completions were left out: they are too long for the sequence length, "
                           "or nothing stands before them.");
    }
    return samples;
}

} // namespace collapipe
} // namespace ns3
