/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-causal-family.h"

namespace ns3
{
namespace collapipe
{

std::vector<ModelHead>
CausalFamily::GetHeads() const
{
    return {ModelHead::CAUSAL_LANGUAGE, ModelHead::CLASSIFICATION};
}

bool
CausalFamily::IsTied(const ModelConfig& config)
{
    return config.tiedProjection && config.head == ModelHead::CAUSAL_LANGUAGE;
}

void
CausalFamily::DescribeHead(const ModelConfig& config, LinkDescription& link) const
{
    for (uint32_t i = 0; i < config.edgeBlocks; i++)
    {
        link.BeginBlock(config.encoderBlocks + i);
        DescribeBlock(config, config.encoderBlocks + i, link);
    }
    link.EndBlock();
    DescribeFinalNorm(link);
    LinearMap map;
    map.inputs = config.width;
    map.hasBias = false;
    if (config.head == ModelHead::CLASSIFICATION)
    {
        map.modules = {{"score", config.classes}};
        map.rows = 1;
        map.isTaskHead = true;
    }
    else
    {
        map.modules = {{IsTied(config) ? GetTableName() : "lm_head", config.vocabulary}};
        map.rows = config.sourceLength;
        map.isTied = IsTied(config);
    }
    link.AddLinear(map);
}

InitialValues
CausalFamily::GetInitialValues(const ModelConfig& /* config */, const ParameterPlace& place) const
{
    if (place.kind == ParameterKind::TABLE || place.kind == ParameterKind::MATRIX)
    {
        return {InitialValues::NORMAL, 0.02}; // as GPT-2's and Llama's authors have it
    }
    return {InitialValues::CONSTANT, place.kind == ParameterKind::NORM_WEIGHT ? 1.0 : 0.0};
}

std::vector<int32_t>
CausalFamily::GetInput(const ModelConfig& config, const Sample& sample) const
{
    auto tokens = sample.source;
    if (tokens.size() > config.sourceLength)
    {
        tokens.resize(config.sourceLength);
    }
    return tokens;
}

bool
CausalFamily::IsCausal() const
{
    return true;
}

} // namespace collapipe
} // namespace ns3
