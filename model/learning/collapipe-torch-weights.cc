/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-weights.h"

#include "collapipe-random-key.h"
#include "collapipe-torch-compat.h"
#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <string>
#include <torch/csrc/autograd/custom_function.h>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param values as held
 * @param scales of int8, else undefined or empty
 * @return the values in float32
 */
at::Tensor
ToFloat(const at::Tensor& values, const at::Tensor& scales)
{
    const auto numbers = values.to(at::kFloat);
    return scales.defined() && scales.numel() > 0 ? numbers * scales.unsqueeze(1) : numbers;
}

/**
 * x W^T for a frozen W that is not held in float32: its float32 form lives as long as the product
 * takes, in either direction.
 */
class FrozenProduct : public torch::autograd::Function<FrozenProduct>
{
  public:
    static at::Tensor forward(torch::autograd::AutogradContext* context,
                              const at::Tensor& rows,
                              const at::Tensor& values,
                              const at::Tensor& scales)
    {
        context->saved_data["values"] = values;
        context->saved_data["scales"] = scales;
        return rows.mm(ToFloat(values, scales).t());
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients)
    {
        const auto values = context->saved_data["values"].toTensor();
        const auto scales = context->saved_data["scales"].toTensor();
        return {gradients.front().mm(ToFloat(values, scales)), at::Tensor(), at::Tensor()};
    }
};

/// @return a number that stands for a name
uint64_t
HashName(const std::string& name)
{
    uint64_t hash = 0;
    for (const char letter : name)
    {
        hash = Scramble(hash ^ static_cast<unsigned char>(letter));
    }
    return hash;
}

} // namespace

TorchWeight::TorchWeight(at::Tensor values, at::Tensor scales)
    : m_values(std::move(values)),
      m_scales(std::move(scales))
{
}

at::Tensor
TorchWeight::Multiply(const at::Tensor& rows) const
{
    const auto type = m_values.scalar_type();
    if (type == at::kFloat || type == at::kDouble)
    {
        return rows.mm(m_values.t());
    }
    // An undefined tensor cannot be handed to a function of automatic differentiation
    const auto scales = m_scales.defined() ? m_scales : at::empty({0}, at::kFloat);
    return FrozenProduct::apply(rows, m_values, scales);
}

at::Tensor
TorchWeight::Multiply(const at::Tensor& rows, const at::Tensor& bias) const
{
    const auto type = m_values.scalar_type();
    if (bias.defined() && (type == at::kFloat || type == at::kDouble))
    {
        return at::addmm(bias, rows, m_values.t());
    }
    const auto product = Multiply(rows);
    return bias.defined() ? product + bias : product;
}

at::Tensor
TorchWeight::Select(const at::Tensor& indices) const
{
    const auto type = m_values.scalar_type();
    if (type == at::kFloat || type == at::kDouble)
    {
        return at::embedding(m_values, indices);
    }
    const auto chosen = m_values.index_select(0, indices.flatten().to(at::kLong));
    const auto scales =
        m_scales.defined() ? m_scales.index_select(0, indices.flatten().to(at::kLong)) : m_scales;
    auto shape = indices.sizes().vec();
    shape.push_back(m_values.size(1));
    return ToFloat(chosen, scales).view(shape);
}

at::Tensor
TorchWeight::Get() const
{
    const auto type = m_values.scalar_type();
    return type == at::kFloat || type == at::kDouble ? m_values : ToFloat(m_values, m_scales);
}

const at::Tensor&
TorchWeight::GetStored() const
{
    return m_values;
}

const at::Tensor&
TorchWeight::GetScales() const
{
    return m_scales;
}

TorchParameterReader::TorchParameterReader(const std::vector<at::Tensor>& parameters)
    : m_weights(parameters.begin(), parameters.end())
{
}

TorchParameterReader::TorchParameterReader(const ModelConfig& config,
                                           const PartRange& part,
                                           const std::vector<at::Tensor>& trained)
    : m_places(GetParameterLayout(config, part)),
      m_adapterScale(config.lora.rank > 0 ? config.lora.alpha / config.lora.rank : 1)
{
    FrozenWeights::List frozen;
    if (config.frozen)
    {
        frozen = config.frozen->Gather(part);
    }
    auto nextTrained = trained.begin();
    auto nextFrozen = frozen.begin();
    for (const auto& place : m_places)
    {
        if (place.isTrained)
        {
            m_weights.emplace_back(*nextTrained++);
            continue;
        }
        NS_ABORT_MSG_IF(nextFrozen == frozen.end(),
                        "The values of what is frozen are missing; see FreezeParameters()");
        const auto& stored = *nextFrozen++;
        m_weights.emplace_back(ToTorch(stored.values),
                               stored.scales.shape.empty() ? at::Tensor() : ToTorch(stored.scales));
    }
}

at::Tensor
TorchParameterReader::Next()
{
    return NextWeight().Get();
}

TorchWeight
TorchParameterReader::NextWeight()
{
    return m_weights.at(m_next++);
}

std::vector<TorchAdapter>
TorchParameterReader::NextAdapters()
{
    std::vector<TorchAdapter> adapters;
    while (m_next < m_places.size() && m_places[m_next].kind == ParameterKind::ADAPTER_DOWN)
    {
        const auto name = HashName(m_places[m_next].sources.front().name);
        const auto down = Next();
        const int64_t firstRow = m_places[m_next].firstRow;
        adapters.push_back({firstRow, name, down, Next()});
    }
    return adapters;
}

double
TorchParameterReader::GetAdapterScale() const
{
    return m_adapterScale;
}

} // namespace collapipe
} // namespace ns3
