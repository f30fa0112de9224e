/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-family.h"

#include "collapipe-model-families.h"

#include "ns3/abort.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// By name
using Families = std::map<std::string, std::unique_ptr<ModelFamily>>;

/// Names of tasks, by ModelHead
constexpr std::array<std::pair<const char*, ModelHead>, 4> TASKS{
    {{"translation", ModelHead::TRANSLATION},
     {"classification", ModelHead::CLASSIFICATION},
     {"mlm", ModelHead::MASKED_LANGUAGE},
     {"lm", ModelHead::CAUSAL_LANGUAGE}}};

/// Adds a family to a list.
void
AddTo(Families& families, std::unique_ptr<ModelFamily> family)
{
    const auto name = family->GetName();
    families[name] = std::move(family);
}

/// @return all families
Families&
GetFamilies()
{
    static Families families = [] {
        Families own;
        AddTo(own, MakeTransformerFamily());
        AddTo(own, MakeBertFamily());
        AddTo(own, MakeDistilBertFamily());
        AddTo(own, MakeGpt2Family());
        AddTo(own, MakeOptFamily());
        AddTo(own, MakeLlamaFamily());
        return own;
    }();
    return families;
}

/// @return name of the family that usually has a head
const char*
GetUsualFamily(ModelHead head)
{
    switch (head)
    {
    case ModelHead::TRANSLATION:
        return "transformer";
    case ModelHead::CLASSIFICATION:
    case ModelHead::MASKED_LANGUAGE:
        return "bert";
    case ModelHead::CAUSAL_LANGUAGE:
        break;
    }
    return "gpt2";
}

/// @return whether a link has something that is trained
bool
IsTrained(const LinkDescription& link)
{
    const auto& places = link.GetPlaces();
    return std::any_of(places.begin(), places.end(), [](const ParameterPlace& place) {
        return place.isTrained;
    });
}

/**
 * @param config the model
 * @param links of the chain, in order
 * @return whether one of them is trained
 */
bool
IsTrained(const ModelConfig& config, const std::vector<ChainLink>& links)
{
    return std::any_of(links.begin(), links.end(), [&config](const ChainLink& link) {
        return IsTrained(DescribeLink(config, link));
    });
}

} // namespace

std::string
ModelFamily::Check(const ModelConfig& /* config */) const
{
    return "";
}

std::vector<int32_t>
ModelFamily::GetInput(const ModelConfig& config, const Sample& sample) const
{
    auto tokens = sample.source;
    if (tokens.size() > config.sourceLength)
    {
        tokens.resize(config.sourceLength);
        tokens.back() = config.special.end;
    }
    return tokens;
}

std::size_t
ModelFamily::CountInput(const Sample& sample) const
{
    return sample.source.size();
}

uint32_t
ModelFamily::GetLeastInput() const
{
    return 1;
}

bool
ModelFamily::IsCausal() const
{
    return false;
}

ScoreKind
ModelFamily::GetScore(const ModelConfig& config) const
{
    switch (config.head)
    {
    case ModelHead::TRANSLATION:
        return ScoreKind::BLEU;
    case ModelHead::CLASSIFICATION:
        return ScoreKind::CLASSES;
    case ModelHead::CAUSAL_LANGUAGE:
        return ScoreKind::MATCHES;
    case ModelHead::MASKED_LANGUAGE:
        break;
    }
    return ScoreKind::NONE;
}

std::vector<NamedSize>
ModelFamily::GetSizes() const
{
    return {};
}

std::vector<std::string>
ModelFamily::GetAdapterTargets() const
{
    return {};
}

std::string
ModelFamily::GetForeignPrefix() const
{
    return "";
}

const ModelFamily*
FindModelFamily(const std::string& name)
{
    const auto found = GetFamilies().find(name);
    return found == GetFamilies().end() ? nullptr : found->second.get();
}

const ModelFamily&
GetModelFamily(const ModelConfig& config)
{
    const auto name = config.family.empty() ? GetUsualFamily(config.head) : config.family;
    const auto* family = FindModelFamily(name);
    NS_ABORT_MSG_IF(!family, "There is no model family " << name);
    return *family;
}

std::vector<std::string>
GetModelFamilyNames()
{
    std::vector<std::string> names;
    for (const auto& [name, family] : GetFamilies())
    {
        names.push_back(name);
    }
    return names;
}

void
RegisterModelFamily(std::unique_ptr<ModelFamily> family)
{
    AddTo(GetFamilies(), std::move(family));
}

bool
ParseTask(const std::string& task, ModelHead& head)
{
    const auto* found = std::find_if(TASKS.begin(), TASKS.end(), [&task](const auto& known) {
        return task == known.first;
    });
    if (found == TASKS.end())
    {
        return false;
    }
    head = found->second;
    return true;
}

LinkDescription
DescribeLink(const ModelConfig& config, const ChainLink& link)
{
    const auto& family = GetModelFamily(config);
    LinkDescription description(config, link);
    switch (link.kind)
    {
    case ChainLink::EMBEDDING:
        family.DescribeEmbedding(config, description);
        break;
    case ChainLink::BLOCK:
        family.DescribeBlock(config, link.block, description);
        break;
    case ChainLink::HEAD:
        family.DescribeHead(config, description);
        break;
    }
    return description;
}

std::vector<ChainLink>
ListLinks(const PartRange& part)
{
    std::vector<ChainLink> links;
    if (part.embedding)
    {
        links.push_back({ChainLink::EMBEDDING, 0});
    }
    for (uint32_t block = part.firstBlock; block < part.lastBlock; block++)
    {
        links.push_back({ChainLink::BLOCK, block});
    }
    if (part.decoder)
    {
        links.push_back({ChainLink::HEAD, 0});
    }
    return links;
}

bool
GivesGradient(const ModelConfig& config, const PartRange& part)
{
    if (part.embedding)
    {
        return false;
    }
    // A head without blocks stands behind all of them, whatever it says of blocks
    const uint32_t before =
        part.decoder && part.GetBlocks() == 0 ? config.encoderBlocks : part.firstBlock;
    return IsTrained(config, ListLinks({true, 0, before, false}));
}

bool
HasBackward(const ModelConfig& config, const PartRange& part)
{
    return GivesGradient(config, part) || IsTrained(config, ListLinks(part));
}

Work
GetWork(const ModelConfig& config, const PartRange& part)
{
    Work work;
    bool passes = GivesGradient(config, part);
    for (const auto& link : ListLinks(part))
    {
        const auto description = DescribeLink(config, link);
        auto own = description.GetWork();
        passes |= IsTrained(description);
        own.inputGradient = passes ? own.inputGradient : 0;
        work.Add(own);
    }
    return work;
}

double
GetForwardFlops(const ModelConfig& config, const PartRange& part)
{
    return GetWork(config, part).forward;
}

double
GetBackwardShare(const ModelConfig& config, const PartRange& part)
{
    const auto work = GetWork(config, part);
    const double backward = work.inputGradient + work.weightGradient;
    return backward > 0 ? backward / (2 * work.forward) : 0;
}

double
GetSavedActivationBytes(const ModelConfig& config)
{
    const uint32_t last = config.encoderBlocks - 1;
    return DescribeLink(config, {ChainLink::BLOCK, last}).GetKeptBytes();
}

std::string
GetActivation(const ModelConfig& config, const std::string& own)
{
    return config.activation.empty() ? own : config.activation;
}

std::string
CheckActivation(const ModelConfig& config, const std::vector<std::string>& allowed)
{
    if (config.activation.empty() ||
        std::find(allowed.begin(), allowed.end(), config.activation) != allowed.end())
    {
        return "";
    }
    std::string names;
    for (const auto& name : allowed)
    {
        names += (names.empty() ? "" : ", ") + name;
    }
    return "A model of family " + GetModelFamily(config).GetName() + " has no activation " +
           config.activation + ": it takes " + names + ".";
}

} // namespace collapipe
} // namespace ns3
