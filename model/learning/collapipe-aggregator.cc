/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-aggregator.h"

#include "collapipe-compute-backend.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the run that is the whole model
PartRange
WholeModel(const ModelConfig& config)
{
    return {true, 0, config.encoderBlocks, true};
}

/// @return parameters without shapes, with room for all blocks
ModelParameters
EmptyParameters(const ModelConfig& config)
{
    ModelParameters parameters;
    parameters.embedding.resize(GetParameterShapes(config, {true, 0, 0, false}).size());
    for (uint32_t block = 0; block < config.encoderBlocks; ++block)
    {
        parameters.blocks.emplace_back(
            GetParameterShapes(config, {false, block, block + 1, false}).size());
    }
    parameters.decoder.resize(GetParameterShapes(config, {false, 0, 0, true}).size());
    return parameters;
}

} // namespace

TensorList
ModelState::Gather(const PartRange& part) const
{
    auto tensors = parameters.Gather(part);
    for (const auto& kind : optimizer)
    {
        const auto state = kind.Gather(part);
        tensors.insert(tensors.end(), state.begin(), state.end());
    }
    tensors.insert(tensors.end(), counters.begin(), counters.end());
    return tensors;
}

Aggregator::Aggregator(const ModelConfig& config)
    : m_config(config)
{
}

void
Aggregator::Add(const ChainId& chain,
                double weight,
                const PartRange& part,
                const TensorList& tensors)
{
    auto& contribution = m_chains[chain];
    auto& state = contribution.state;
    contribution.weight = weight;
    if (state.parameters.blocks.empty())
    {
        state.parameters = EmptyParameters(m_config);
    }
    // As many tensors as the part has parameters, once for the parameters themselves and once for
    // each kind of optimizer state; what is left over are the optimizer's counters.
    const auto perKind = static_cast<std::ptrdiff_t>(GetParameterShapes(m_config, part).size());
    NS_ABORT_MSG_IF(perKind == 0 || tensors.size() < static_cast<std::size_t>(perKind),
                    "an upload has " << tensors.size() << " tensors, its part " << perKind);
    const std::size_t kinds = tensors.size() / perKind;
    state.optimizer.resize(kinds - 1, EmptyParameters(m_config));
    auto begin = tensors.begin();
    for (std::size_t kind = 0; kind < kinds; ++kind, begin += perKind)
    {
        auto& target = kind == 0 ? state.parameters : state.optimizer[kind - 1];
        target.Scatter(part, TensorList(begin, begin + perKind));
    }
    state.counters.assign(begin, tensors.end());
}

ModelState
Aggregator::Average() const
{
    NS_ABORT_MSG_IF(m_chains.empty(), "there is nothing to average");
    const auto whole = WholeModel(m_config);
    const auto shapes = GetParameterShapes(m_config, whole);
    std::vector<double> weights;
    std::vector<TensorList> sets;
    for (const auto& [id, chain] : m_chains)
    {
        weights.push_back(chain.weight);
        sets.push_back(chain.state.Gather(whole));
        for (std::size_t i = 0; i < shapes.size(); ++i)
        {
            NS_ABORT_MSG_IF(sets.back()[i].shape != shapes[i].shape,
                            "cluster " << id.first << " has not contributed the whole model");
        }
    }
    Aggregator split(m_config);
    split.Add({0, 0}, 1.0, whole, ComputeBackend::Average(sets, weights));
    return split.m_chains.begin()->second.state;
}

} // namespace collapipe
} // namespace ns3
