/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-early-inputs.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ns3
{
namespace collapipe
{

EarlyInputs::Key
EarlyInputs::MakeKey(const MessageHeader& header, uint32_t stage)
{
    return {header.round, header.attempt, header.cluster, header.chain, stage};
}

EarlyInputs::Registration
EarlyInputs::Register(const MessageHeader& header, uint32_t stage, Taker taker)
{
    const auto key = MakeKey(header, stage);
    const auto number = ++m_registrations;
    (*m_takers)[key] = {number, std::move(taker)};
    return Registration(nullptr, [takers = m_takers, key, number](void*) {
        const auto own = takers->find(key);
        if (own != takers->end() && own->second.first == number)
        {
            takers->erase(own);
        }
    });
}

void
EarlyInputs::Offer(const MessageHeader& header, uint32_t stage, const TensorList& tensors) const
{
    const bool isVirtual = std::any_of(tensors.begin(), tensors.end(), [](const auto& tensor) {
        return tensor.IsVirtual();
    });
    const auto taker = m_takers->find(MakeKey(header, stage));
    if (!tensors.empty() && !isVirtual && taker != m_takers->end())
    {
        taker->second.second(header, tensors);
    }
}

bool
AreSame(const TensorList& left, const TensorList& right)
{
    return std::equal(
        left.begin(),
        left.end(),
        right.begin(),
        right.end(),
        [](const TensorData& a, const TensorData& b) {
            return a.dtype == b.dtype && a.shape == b.shape && a.IsVirtual() == b.IsVirtual() &&
                   (a.IsVirtual() || std::memcmp(a.data.get(), b.data.get(), a.GetByteSize()) == 0);
        });
}

} // namespace collapipe
} // namespace ns3
