/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-config.h"

#include "collapipe-model-family.h"

#include "ns3/abort.h"

#include <algorithm>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Copies tensors from a position on and moves the position.
 * @param from the list
 * @param position where to begin; moved past the tensors read
 * @param to overwritten; its size says how many
 */
void
Take(const TensorList& from, size_t& position, TensorList& to)
{
    NS_ABORT_MSG_IF(from.size() - position < to.size(),
                    "Too few tensors for the part: " << from.size());
    for (auto& tensor : to)
    {
        tensor = from[position++];
    }
}

} // namespace

bool
ModelConfig::operator==(const ModelConfig& other) const
{
    const auto all = [](const ModelConfig& model) {
        return std::make_tuple(model.vocabulary,
                               model.width,
                               model.heads,
                               model.feedForward,
                               model.encoderBlocks,
                               model.decoderBlocks,
                               model.sourceLength,
                               model.targetLength,
                               GetModelFamily(model).GetName(),
                               model.head,
                               model.classes,
                               model.preNorm,
                               model.tiedProjection,
                               model.edgeBlocks,
                               model.GetKeyValueHeads(),
                               model.GetHeadWidth(),
                               model.GetPositions(),
                               model.segments,
                               model.activation,
                               model.queryBias,
                               model.outputBias,
                               model.feedForwardBias,
                               model.newPooler,
                               model.trained,
                               model.trainedBlocks,
                               model.lora.rank,
                               model.lora.targets,
                               model.lora.freezeA);
    };
    return all(*this) == all(other);
}

std::string
ModelConfig::Check() const
{
    if (!family.empty() && !FindModelFamily(family))
    {
        return "There is no model family " + family + ".";
    }
    auto fault = CheckDimensions();
    fault = fault.empty() ? GetModelFamily(*this).Check(*this) : fault;
    return fault.empty() ? CheckTraining() : fault;
}

std::string
ModelConfig::CheckDimensions() const
{
    if (vocabulary <= END_TOKEN)
    {
        return "The vocabulary must hold more than the special tokens.";
    }
    if (heads == 0 || width == 0 || (headWidth == 0 && width % heads != 0))
    {
        return "The width must be a positive multiple of the number of heads.";
    }
    if (heads % GetKeyValueHeads() != 0)
    {
        return "The number of heads must be a multiple of that of keys and values.";
    }
    if (feedForward == 0)
    {
        return "The feed-forward width must be positive.";
    }
    if (encoderBlocks == 0)
    {
        return "The model needs at least one encoder block and one decoder block.";
    }
    if (sourceLength == 0 || targetLength == 0)
    {
        return "Source and target length must be positive.";
    }
    const auto known = GetModelFamily(*this).GetHeads();
    if (std::find(known.begin(), known.end(), head) == known.end())
    {
        return "A model of family " + GetModelFamily(*this).GetName() +
               " cannot be made to do this task.";
    }
    if (head == ModelHead::CLASSIFICATION && classes < 2)
    {
        return "A classification needs at least two classes.";
    }
    if (!(dropout >= 0 && dropout < 1) || !(labelSmoothing >= 0 && labelSmoothing < 1))
    {
        return "Dropout and label smoothing must be at least 0 and less than 1.";
    }
    return "";
}

std::string
ModelConfig::CheckTraining() const
{
    if (!(lora.dropout >= 0 && lora.dropout < 1))
    {
        return "The adapters' dropout must be at least 0 and less than 1.";
    }
    if (trained == TrainedPart::ADAPTERS && lora.rank == 0)
    {
        return "Where adapters alone are trained, their rank must be positive.";
    }
    if (trained == TrainedPart::LAST && (trainedBlocks == 0 || trainedBlocks > GetAllBlocks()))
    {
        return "Of the last blocks, at least one and at most all " +
               std::to_string(GetAllBlocks()) + " can be trained.";
    }
    if (lora.rank == 0)
    {
        return "";
    }
    if (lora.rank > width)
    {
        return "Adapters of rank " + std::to_string(lora.rank) +
               " hold more than the maps of width " + std::to_string(width) +
               " that they adapt; take a rank of at most " + std::to_string(width) + ".";
    }
    if (trained == TrainedPart::HEAD || trained == TrainedPart::LAST)
    {
        return "Adapters are trained on all blocks: head or last blocks alone take none.";
    }
    const auto modules = GetModules();
    for (const auto& target : lora.targets)
    {
        if (std::find(modules.begin(), modules.end(), target) == modules.end())
        {
            std::string names;
            for (const auto& name : modules)
            {
                names += (names.empty() ? "" : ", ") + name;
            }
            return "There is no linear map " + target + " for adapters: the model has " + names +
                   ".";
        }
    }
    return "";
}

std::vector<std::string>
ModelConfig::GetModules() const
{
    auto names = DescribeLink(*this, {ChainLink::BLOCK, 0}).GetModules();
    const auto head = DescribeLink(*this, {ChainLink::HEAD, 0});
    for (const auto& name : head.GetModules())
    {
        if (std::find(names.begin(), names.end(), name) == names.end())
        {
            names.push_back(name);
        }
    }
    return names;
}

TensorList
ModelParameters::Gather(const PartRange& part) const
{
    NS_ABORT_MSG_IF(part.firstBlock > part.lastBlock || part.lastBlock > blocks.size(),
                    "Blocks " << part.firstBlock << " to " << part.lastBlock << " of a model with "
                              << blocks.size());
    TensorList tensors;
    if (part.embedding)
    {
        tensors = embedding;
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        tensors.insert(tensors.end(), blocks[i].begin(), blocks[i].end());
    }
    if (part.decoder)
    {
        tensors.insert(tensors.end(), decoder.begin(), decoder.end());
    }
    return tensors;
}

void
ModelParameters::Scatter(const PartRange& part, const TensorList& tensors)
{
    NS_ABORT_MSG_IF(part.firstBlock > part.lastBlock || part.lastBlock > blocks.size(),
                    "Blocks " << part.firstBlock << " to " << part.lastBlock << " of a model with "
                              << blocks.size());
    size_t position = 0;
    if (part.embedding)
    {
        Take(tensors, position, embedding);
    }
    for (uint32_t i = part.firstBlock; i < part.lastBlock; i++)
    {
        Take(tensors, position, blocks[i]);
    }
    if (part.decoder)
    {
        Take(tensors, position, decoder);
    }
    NS_ABORT_MSG_IF(position != tensors.size(),
                    "The part has " << position << " parameters, not " << tensors.size());
}

} // namespace collapipe
} // namespace ns3
