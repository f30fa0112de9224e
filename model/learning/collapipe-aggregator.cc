/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-aggregator.h"

#include "collapipe-compute-backend.h"
#include "collapipe-model-family.h"
#include "collapipe-tied-table.h"

#include "ns3/abort.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

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

/// @return tensors [begin, begin + count)
TensorList
Cut(const TensorList& tensors, std::size_t begin, std::size_t count)
{
    return {tensors.begin() + begin, tensors.begin() + begin + count};
}

/// @return whether tensors from a position on have these shapes
bool
StartsWith(const TensorList& tensors, std::size_t begin, const TensorList& shapes)
{
    return tensors.size() >= begin + shapes.size() &&
           std::equal(
               shapes.begin(),
               shapes.end(),
               tensors.begin() + begin,
               [](const auto& left, const auto& right) { return left.shape == right.shape; });
}

} // namespace

PartRange
WholeModel(const ModelConfig& config)
{
    return {true, 0, config.encoderBlocks, true};
}

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
    const auto shapes = GetParameterShapes(m_config, part);
    NS_ABORT_MSG_IF(!StartsWith(tensors, 0, shapes),
                    "an upload does not hold the parameters of its part");
    state.parameters.Scatter(part, Cut(tensors, 0, shapes.size()));
    // Each kind of optimizer state has the parameters' shapes; what is left are counters. A part
    // of which nothing is trained has neither parameters nor kinds.
    std::size_t next = shapes.size();
    for (std::size_t kind = 0; !shapes.empty() && StartsWith(tensors, next, shapes);
         ++kind, next += shapes.size())
    {
        if (kind == state.optimizer.size())
        {
            state.optimizer.push_back(EmptyParameters(m_config));
        }
        state.optimizer[kind].Scatter(part, Cut(tensors, next, shapes.size()));
    }
    state.counters = Cut(tensors, next, tensors.size() - next);
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
        auto set = chain.state.Gather(whole);
        for (std::size_t i = 0; i < shapes.size(); ++i)
        {
            NS_ABORT_MSG_IF(set[i].shape != shapes[i].shape,
                            "cluster " << id.first << " has not contributed the whole model");
        }
        sets.push_back(WithoutSecondTable(m_config, std::move(set)));
    }
    return MakeModelState(m_config,
                          WithSecondTable(m_config, ComputeBackend::Average(sets, weights)));
}

ModelState
MakeModelState(const ModelConfig& config, const TensorList& tensors)
{
    Aggregator split(config);
    split.Add({0, 0}, 1.0, WholeModel(config), tensors);
    return split.m_chains.begin()->second.state;
}

} // namespace collapipe
} // namespace ns3
