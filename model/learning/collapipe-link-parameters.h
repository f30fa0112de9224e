/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_PARAMETERS_H
#define COLLAPIPE_LINK_PARAMETERS_H

/**
 * @file
 * @ingroup collapipe
 * Private: every parameter of a model with what its family says of it.
 */

#include "collapipe-parameter-layout.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

/**
 * @param place a parameter
 * @return whether it belongs to an adapter
 */
inline bool
IsAdapter(const ParameterPlace& place)
{
    return place.kind == ParameterKind::ADAPTER_DOWN || place.kind == ParameterKind::ADAPTER_UP;
}

/**
 * Calls a function for every parameter in the order of the chain.
 * @param config the model
 * @param parameters every parameter, trained or not
 * @param use takes a ParameterPlace and the tensor
 */
template <typename Parameters, typename Function>
void
ForEachParameter(const ModelConfig& config, Parameters& parameters, Function use)
{
    const auto visit = [&](const PartRange& link, auto& tensors) {
        const auto layout = GetParameterLayout(config, link);
        NS_ABORT_MSG_IF(tensors.size() != layout.size(), "A model lacks parameters");
        for (std::size_t i = 0; i < layout.size(); ++i)
        {
            use(layout[i], tensors[i]);
        }
    };
    visit({true, 0, 0, false}, parameters.embedding);
    for (uint32_t block = 0; block < config.encoderBlocks; ++block)
    {
        visit({false, block, block + 1, false}, parameters.blocks.at(block));
    }
    visit({false, config.encoderBlocks, config.encoderBlocks, true}, parameters.decoder);
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_PARAMETERS_H */
