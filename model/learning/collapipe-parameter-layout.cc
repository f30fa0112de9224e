/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-parameter-layout.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param part a part
 * @param blocks L
 * @return what keeps it from being a run of the chain; empty where it is one
 */
std::string
CheckPart(const PartRange& part, uint32_t blocks)
{
    if (part.firstBlock > part.lastBlock || part.lastBlock > blocks)
    {
        return "its blocks do not lie within the model's";
    }
    if (part.GetBlocks() == 0 && part.embedding == part.decoder)
    {
        return part.embedding ? "all blocks are missing between embedding and decoder"
                              : "it holds nothing";
    }
    if (part.GetBlocks() > 0 && part.embedding && part.firstBlock > 0)
    {
        return "blocks are missing after the embedding";
    }
    if (part.GetBlocks() > 0 && part.decoder && part.lastBlock < blocks)
    {
        return "blocks are missing before the decoder";
    }
    return "";
}

} // namespace

std::vector<ParameterPlace>
GetParameterLayout(const ModelConfig& config, const PartRange& part)
{
    const std::string configFault = config.Check();
    NS_ABORT_MSG_IF(!configFault.empty(), configFault);
    const std::string partFault = CheckPart(part, config.encoderBlocks);
    NS_ABORT_MSG_IF(!partFault.empty(), "Not a part of the model: " << partFault);
    std::vector<ParameterPlace> places;
    for (const auto& link : ListLinks(part))
    {
        const auto description = DescribeLink(config, link);
        const auto& own = description.GetPlaces();
        places.insert(places.end(), own.begin(), own.end());
    }
    return places;
}

TensorList
GetParameterShapes(const ModelConfig& config, const PartRange& part)
{
    TensorList shapes;
    for (auto& place : GetParameterLayout(config, part))
    {
        if (place.isTrained)
        {
            shapes.push_back(std::move(place.shape));
        }
    }
    return shapes;
}

} // namespace collapipe
} // namespace ns3
