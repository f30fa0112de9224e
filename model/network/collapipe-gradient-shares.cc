/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-gradient-shares.h"

#include "ns3/abort.h"
#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-wire-precision.h"

#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return float32 tensors of what travelled
TensorList
Decode(const TensorList& shares)
{
    TensorList decoded;
    for (std::size_t position = 0; position < shares.size();)
    {
        decoded.push_back(TakeDecoded(shares, position));
    }
    return decoded;
}

} // namespace

GradientShares::GradientShares(std::vector<double> weights, DType dtype)
    : m_weights(std::move(weights)),
      m_dtype(dtype)
{
}

uint32_t
GradientShares::GetChains() const
{
    return static_cast<uint32_t>(m_weights.size());
}

TensorList
GradientShares::Encode(const TensorList& gradients) const
{
    return EncodeParameters(gradients, gradients.size(), m_dtype);
}

void
GradientShares::Add(uint32_t iteration, uint32_t chain, TensorList gradients)
{
    NS_ABORT_MSG_IF(chain >= m_weights.size() ||
                        !m_gathered[iteration].emplace(chain, std::move(gradients)).second,
                    "chain " << chain << " gave its gradients of local iteration " << iteration
                             << " out of turn");
}

bool
GradientShares::IsComplete(uint32_t iteration) const
{
    const auto found = m_gathered.find(iteration);
    return found != m_gathered.end() && found->second.size() == m_weights.size();
}

std::vector<TensorList>
GradientShares::Take(uint32_t iteration)
{
    auto node = m_gathered.extract(iteration);
    std::vector<TensorList> shares;
    for (auto& [chain, gradients] : node.mapped())
    {
        shares.push_back(std::move(gradients));
    }
    return shares;
}

TensorList
GradientShares::GetMean(const std::vector<TensorList>& shares) const
{
    std::vector<TensorList> decoded;
    for (const auto& share : shares)
    {
        decoded.push_back(Decode(share));
    }
    return Encode(ComputeBackend::Average(decoded, m_weights));
}

} // namespace collapipe
} // namespace ns3
