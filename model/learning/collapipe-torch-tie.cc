/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-tie.h"

#include "collapipe-torch-compat.h"
#include "collapipe-torch-gradient-watch.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return a parameter's gradient, zeros where it has none
at::Tensor
GetOrMakeGradient(const at::Tensor& parameter)
{
    const auto& gradient = parameter.grad();
    return gradient.defined() ? gradient.detach() : at::zeros_like(parameter.detach());
}

} // namespace

TorchTie::TorchTie(const ModelConfig& config,
                   const PartRange& part,
                   const std::vector<at::Tensor>& parameters)
    : m_hasProjection(part.decoder)
{
    size_t next = 0;
    for (const auto& place : GetParameterLayout(config, part))
    {
        if (place.isTrained && place.isTied)
        {
            m_copies.push_back(parameters.at(next));
        }
        next += place.isTrained;
    }
}

bool
TorchTie::HasBoth() const
{
    return m_copies.size() == 2;
}

void
TorchTie::Join()
{
    if (!HasBoth() || m_isJoined)
    {
        return;
    }
    m_isJoined = true;
    const torch::NoGradGuard withoutGradients;
    const auto sum = GetOrMakeGradient(m_copies[0]) + GetOrMakeGradient(m_copies[1]);
    m_copies[0].mutable_grad() = sum;
    m_copies[1].mutable_grad() = sum.clone();
}

void
TorchTie::EndIteration()
{
    m_isJoined = false;
}

at::Tensor
TorchTie::GetGradient() const
{
    return m_copies.size() == 1 ? GetOrMakeGradient(m_copies.front()) : at::Tensor();
}

void
TorchTie::Set(const at::Tensor& sum)
{
    m_copies.front().mutable_grad() = sum;
}

double
TorchTie::GetSurplus() const
{
    return m_hasProjection && !m_copies.empty() ? GetSquaredNorm(GetOrMakeGradient(m_copies.back()))
                                                : 0;
}

} // namespace collapipe
} // namespace ns3
