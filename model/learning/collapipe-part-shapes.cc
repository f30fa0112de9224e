/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-part-shapes.h"

#include "collapipe-parameter-layout.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param tensor a tensor
 * @return its type and shape, for messages
 */
std::string
Describe(const TensorData& tensor)
{
    std::ostringstream text;
    text << "type " << uint32_t(tensor.dtype) << " [";
    for (size_t i = 0; i < tensor.shape.size(); i++)
    {
        text << (i ? "," : "") << tensor.shape[i];
    }
    text << "]";
    return text.str();
}

/**
 * Aborts where tensors differ in number, type or shape.
 * @param what names them
 * @param actual the tensors
 * @param wanted their shapes
 */
void
CheckEqual(const std::string& what, const TensorList& actual, const TensorList& wanted)
{
    NS_ABORT_MSG_IF(actual.size() != wanted.size(),
                    what << ": " << actual.size() << " tensors instead of " << wanted.size());
    for (size_t i = 0; i < actual.size(); i++)
    {
        NS_ABORT_MSG_IF(actual[i].dtype != wanted[i].dtype || actual[i].shape != wanted[i].shape,
                        what << ", tensor " << i << ": " << Describe(actual[i]) << " instead of "
                             << Describe(wanted[i]));
    }
}

/**
 * @param optimizer the optimizer
 * @param parameters shapes of what it steps
 * @return shapes of its state
 */
TensorList
GetStateShapes(const OptimizerConfig& optimizer, const TensorList& parameters)
{
    NS_ABORT_MSG_IF(optimizer.name != "adam" && optimizer.name != "sgd",
                    "Unknown optimizer '" << optimizer.name << "': use adam or sgd");
    if (optimizer.name == "sgd")
    {
        return optimizer.momentum == 0 ? TensorList() : parameters;
    }
    TensorList state = parameters;
    state.insert(state.end(), parameters.begin(), parameters.end());
    state.push_back(TensorData::MakeVirtual(DType::FLOAT32, {1}));
    return state;
}

/// @return the shape of the one copy of a shared table that a part trains; nothing: none, or both
TensorList
GetLoneCopy(const ModelConfig& config, const PartRange& part)
{
    TensorList copies;
    for (const auto& place : GetParameterLayout(config, part))
    {
        if (place.isTied && place.isTrained)
        {
            copies.push_back(place.shape);
        }
    }
    return copies.size() == 1 ? copies : TensorList();
}

} // namespace

double
OptimizerConfig::GetLearningRate(uint64_t step) const
{
    if (step < warmupSteps)
    {
        return learningRate * step / warmupSteps;
    }
    if (decay == "inverse-sqrt")
    {
        return learningRate * std::sqrt(double(std::max<uint64_t>(warmupSteps, 1)) / step);
    }
    if (decay == "linear")
    {
        const double left = step > totalSteps ? 0.0 : double(totalSteps - step + 1);
        return learningRate * left / (totalSteps - std::min(warmupSteps, totalSteps) + 1.0);
    }
    NS_ABORT_MSG_IF(decay != "none",
                    "Unknown decay '" << decay << "': use none, inverse-sqrt or linear");
    return learningRate;
}

PartShapes::PartShapes(const ModelConfig& config,
                       const PartRange& part,
                       const OptimizerConfig& optimizer)
    : m_config(config),
      m_part(part),
      m_hasBackward(collapipe::HasBackward(config, part)),
      m_givesGradient(collapipe::GivesGradient(config, part)),
      m_parameters(GetParameterShapes(config, part)),
      m_state(GetStateShapes(optimizer, m_parameters)),
      m_tied(GetLoneCopy(config, part))
{
}

const TensorList&
PartShapes::GetParameters() const
{
    return m_parameters;
}

const TensorList&
PartShapes::GetTiedGradient() const
{
    return m_tied;
}

const TensorList&
PartShapes::GetOptimizerState() const
{
    return m_state;
}

bool
PartShapes::HasBackward() const
{
    return m_hasBackward;
}

bool
PartShapes::GivesGradient() const
{
    return m_givesGradient;
}

TensorList
PartShapes::GetExport(bool withOptimizer) const
{
    TensorList tensors = m_parameters;
    if (withOptimizer)
    {
        tensors.insert(tensors.end(), m_state.begin(), m_state.end());
    }
    return tensors;
}

bool
PartShapes::CheckParameters(const TensorList& tensors) const
{
    const bool withOptimizer = tensors.size() > m_parameters.size();
    CheckEqual("Parameters of a part", tensors, GetExport(withOptimizer));
    return withOptimizer;
}

uint32_t
PartShapes::CheckForward(const TensorList& input) const
{
    const bool sized = !input.empty() && !input.front().shape.empty();
    const uint32_t samples = sized ? input.front().shape.front() : 0;
    NS_ABORT_MSG_IF(samples == 0, "Input of a part's forward pass without samples");
    CheckEqual("Input of a part's forward pass", input, GetForwardInput(samples));
    return samples;
}

TensorList
PartShapes::GetForwardInput(uint32_t samples) const
{
    TensorList input;
    if (m_part.embedding)
    {
        input = {TensorData::MakeVirtual(DType::INT32, {samples, m_config.sourceLength})};
    }
    else
    {
        input = {GetHidden(samples),
                 TensorData::MakeVirtual(DType::UINT8, {samples, m_config.sourceLength})};
    }
    if (m_part.decoder)
    {
        input.push_back(
            TensorData::MakeVirtual(DType::INT32, {samples, m_config.GetLabelLength() + 1}));
        input.push_back(TensorData::MakeVirtual(DType::FLOAT32, {1}));
    }
    return input;
}

TensorList
PartShapes::GetForwardOutput(uint32_t samples) const
{
    if (m_part.decoder)
    {
        return {TensorData::MakeVirtual(DType::FLOAT64, {1})};
    }
    return {GetHidden(samples),
            TensorData::MakeVirtual(DType::UINT8, {samples, m_config.sourceLength})};
}

void
PartShapes::CheckBackward(const TensorList& gradient, uint32_t samples) const
{
    const TensorList wanted = m_part.decoder ? TensorList() : TensorList{GetHidden(samples)};
    CheckEqual("Input of a part's backward pass", gradient, wanted);
}

TensorList
PartShapes::GetBackwardOutput(uint32_t samples) const
{
    return m_givesGradient ? TensorList{GetHidden(samples)} : TensorList();
}

TensorData
PartShapes::GetHidden(uint32_t samples) const
{
    return TensorData::MakeVirtual(DType::FLOAT32,
                                   {samples, m_config.sourceLength, m_config.width});
}

} // namespace collapipe
} // namespace ns3
